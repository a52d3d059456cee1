/* SPDX-License-Identifier: MIT */
/* Decoded values back to JSON, with the unit in the name. */
#include <inttypes.h>

#include "harness/model/param_type.h"

static const void *at(const void *values, size_t offset)
{
	return (const char *)values + offset;
}

static const char *unit_suffix(enum param_type type)
{
	switch (type) {
	case PARAM_DURATION:
		return "_ns";
	case PARAM_SIZE:
		return "_bytes";
	case PARAM_RATE:
		return "_bytes_per_s";
	case PARAM_PERCENT:
		return "_percent";
	default:
		return "";
	}
}

static void write_strings(struct buf *out, const struct strings *list)
{
	buf_putc(out, '[');
	for (size_t i = 0; i < list->count; i++) {
		buf_puts(out, i > 0 ? "," : "");
		buf_json(out, list->items[i]);
	}
	buf_putc(out, ']');
}

/* One alone stands for itself, as in a scenario. */
static void write_addresses(struct buf *out, const struct list *list)
{
	char text[IP_TEXT_MAX];
	const struct ip *ips = list->items;
	buf_puts(out, list->count != 1 ? "[" : "");
	for (size_t i = 0; i < list->count; i++) {
		buf_puts(out, i > 0 ? "," : "");
		buf_json(out, ip_prefix_text(&ips[i], text));
	}
	buf_puts(out, list->count != 1 ? "]" : "");
}

static void write_flags(struct buf *out, const struct param *row, uint64_t bits)
{
	bool first = true;
	buf_putc(out, '[');
	for (size_t i = 0; row->names[i] != NULL; i++) {
		if ((bits >> i & 1) == 0)
			continue;
		buf_puts(out, first ? "" : ",");
		buf_json(out, row->names[i]);
		first = false;
	}
	buf_putc(out, ']');
}

static void write_pairs(struct buf *out, const struct pairs *pairs)
{
	buf_putc(out, '{');
	for (size_t i = 0; i < pairs->count; i++) {
		buf_puts(out, i > 0 ? "," : "");
		buf_json(out, pairs->items[i].key);
		buf_putc(out, ':');
		buf_json(out, pairs->items[i].value);
	}
	buf_putc(out, '}');
}

static void write_object(struct buf *out, const struct param *rows, const void *values)
{
	bool first = true;
	buf_putc(out, '{');
	param_write(out, rows, values, &first);
	buf_putc(out, '}');
}

static void write_items(struct buf *out, const struct param *row, const struct list *list)
{
	bool map = row->type == PARAM_MAP;
	buf_putc(out, map ? '{' : '[');
	for (size_t i = 0; i < list->count; i++) {
		const void *item = (const char *)list->items + i * row->size;
		buf_puts(out, i > 0 ? "," : "");
		if (map) {
			buf_json(out, *(const char *const *)item);
			buf_putc(out, ':');
		}
		write_object(out, row->sub, item);
	}
	buf_putc(out, map ? '}' : ']');
}

static void write_value(struct buf *out, const struct param *row, const void *field)
{
	switch (row->type) {
	case PARAM_BOOL:
		buf_puts(out, *(const bool *)field ? "true" : "false");
		break;
	case PARAM_UINT:
	case PARAM_SIZE:
	case PARAM_RATE:
		buf_printf(out, "%" PRIu64, *(const uint64_t *)field);
		break;
	case PARAM_DURATION:
		buf_printf(out, "%" PRId64, *(const int64_t *)field);
		break;
	case PARAM_PERCENT:
		buf_printf(out, "%g", *(const double *)field);
		break;
	case PARAM_ENUM:
		buf_json(out, row->names[*(const int *)field]);
		break;
	case PARAM_FLAGS:
		write_flags(out, row, *(const uint64_t *)field);
		break;
	case PARAM_SIGNAL:
		buf_json(out, param_signal_name(*(const int *)field));
		break;
	case PARAM_MODE:
		buf_printf(out, "\"%04o\"", (unsigned)*(const int *)field);
		break;
	case PARAM_ADDRESSES:
		write_addresses(out, field);
		break;
	case PARAM_STRINGS:
		write_strings(out, field);
		break;
	case PARAM_OBJECT:
		write_object(out, row->sub, field);
		break;
	case PARAM_LIST:
	case PARAM_MAP:
		write_items(out, row, field);
		break;
	case PARAM_PAIRS:
		write_pairs(out, field);
		break;
	default:
		buf_json(out, *(const char *const *)field);
		break;
	}
}

static bool is_set(const struct param *row, const void *values)
{
	const void *field = at(values, row->offset);
	switch (row->type) {
	case PARAM_STRING:
	case PARAM_NAME:
	case PARAM_NODE:
	case PARAM_PATH:
	case PARAM_FILE:
		return *(const char *const *)field != NULL;
	case PARAM_ADDRESSES:
		return ((const struct list *)field)->count > 0;
	case PARAM_MODE:
		return *(const int *)field >= 0;
	case PARAM_SIGNAL:
		return *(const int *)field > 0;
	case PARAM_OBJECT:
		return row->given_offset == 0 || *(const bool *)at(values, row->given_offset);
	case PARAM_RAW:
		return false;
	default:
		return true;
	}
}

void param_write(struct buf *out, const struct param *rows, const void *values, bool *first)
{
	for (const struct param *row = rows; row != NULL && row->type != PARAM_END; row++) {
		if (!is_set(row, values))
			continue;
		buf_puts(out, *first ? "" : ",");
		*first = false;
		buf_printf(out, "\"%s%s\":", row->name, unit_suffix(row->type));
		write_value(out, row, at(values, row->offset));
	}
}
