/* SPDX-License-Identifier: MIT */
/* The rows once more, as JSON Schema and as help text. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/model/param_type.h"

/* A string that still holds a variable passes everywhere: what it becomes is not known here. */
#define VARIABLE "{\"type\":\"string\",\"pattern\":\"\\\\{\\\\{\"}"

static void words(struct buf *out, const struct param *row)
{
	buf_puts(out, "{\"enum\":[");
	for (size_t i = 0; row->names[i] != NULL; i++) {
		buf_puts(out, i > 0 ? "," : "");
		buf_json(out, row->names[i]);
	}
	buf_puts(out, "]}");
}

static void words_or_variable(struct buf *out, const struct param *row)
{
	buf_puts(out, "{\"anyOf\":[");
	words(out, row);
	buf_puts(out, "," VARIABLE "]}");
}

static void uint_schema(struct buf *out, const struct param *row)
{
	buf_printf(out, "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":%" PRIu64, row->min);
	if (row->max > 0)
		buf_printf(out, ",\"maximum\":%" PRIu64, row->max);
	buf_puts(out, "},{\"type\":\"string\",\"pattern\":\"^([0-9]+|.*\\\\{\\\\{.*)$\"}]}");
}

static void type_schema(struct buf *out, const struct param *row)
{
	const char *fixed = row->type == PARAM_RAW ? row->schema : param_types[row->type].schema;
	if (fixed != NULL) {
		buf_puts(out, fixed);
		return;
	}
	switch (row->type) {
	case PARAM_UINT:
		uint_schema(out, row);
		break;
	case PARAM_ENUM:
		words_or_variable(out, row);
		break;
	case PARAM_FLAGS:
		buf_puts(out, "{\"anyOf\":[");
		words_or_variable(out, row);
		buf_puts(out, ",{\"type\":\"array\",\"minItems\":1,\"items\":");
		words_or_variable(out, row);
		buf_puts(out, "}]}");
		break;
	case PARAM_OBJECT:
		param_schema(out, row->sub, row->shorthand);
		break;
	case PARAM_LIST:
		buf_puts(out, "{\"type\":\"array\",\"items\":");
		param_schema(out, row->sub, row->shorthand);
		buf_putc(out, '}');
		break;
	case PARAM_MAP:
		buf_puts(out, "{\"type\":\"object\",\"additionalProperties\":");
		param_schema(out, row->sub, row->shorthand);
		buf_putc(out, '}');
		break;
	default:
		buf_puts(out, "true");
		break;
	}
}

static void default_schema(struct buf *out, const struct param *row)
{
	bool list = row->type == PARAM_FLAGS || row->type == PARAM_STRINGS;
	buf_puts(out, ",\"default\":");
	if (row->type == PARAM_UINT || row->type == PARAM_BOOL) {
		buf_puts(out, row->def);
		return;
	}
	buf_puts(out, list ? "[" : "");
	for (const char *word = row->def; word != NULL;) {
		const char *comma = list ? strchr(word, ',') : NULL;
		buf_json_n(out, word, comma != NULL ? (size_t)(comma - word) : strlen(word));
		buf_puts(out, comma != NULL ? "," : "");
		word = comma != NULL ? comma + 1 : NULL;
	}
	buf_puts(out, list ? "]" : "");
}

/* Help and default stand beside the type's own keywords, in the same object. */
void param_schema_row(struct buf *out, const struct param *row)
{
	GUARD_BUF struct buf type = { 0 };
	type_schema(&type, row);
	const char *rest = buf_str(&type);
	buf_puts(out, "{\"description\":");
	buf_json(out, row->help != NULL ? row->help : "");
	if (row->def != NULL)
		default_schema(out, row);
	if (rest[0] == '{' && rest[1] != '}')
		buf_printf(out, ",%s", rest + 1);
	else
		buf_putc(out, '}');
}

void param_schema_properties(struct buf *out, const struct param *rows)
{
	for (const struct param *row = rows; row != NULL && row->type != PARAM_END; row++) {
		buf_puts(out, row != rows ? "," : "");
		buf_json(out, row->name);
		buf_putc(out, ':');
		param_schema_row(out, row);
	}
}

static void required_names(struct buf *out, const struct param *rows)
{
	bool any = false;
	for (const struct param *row = rows; row != NULL && row->type != PARAM_END; row++) {
		if (!row->required)
			continue;
		buf_puts(out, any ? "," : ",\"required\":[");
		buf_json(out, row->name);
		any = true;
	}
	buf_puts(out, any ? "]" : "");
}

void param_schema(struct buf *out, const struct param *rows, const char *shorthand)
{
	if (shorthand != NULL) {
		buf_puts(out, "{\"anyOf\":[");
		param_schema_row(out, param_row(rows, shorthand));
		buf_putc(out, ',');
	}
	buf_puts(out, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
	param_schema_properties(out, rows);
	buf_putc(out, '}');
	required_names(out, rows);
	buf_puts(out, shorthand != NULL ? "}]}" : "}");
}

static void help_range(struct buf *out, const struct param *row)
{
	char text[40];
	bool time = row->type == PARAM_DURATION;
	const uint64_t limits[] = { row->min, row->max };
	static const char *const words_for[] = { " from ", " to " };
	if (row->type != PARAM_UINT && !time && row->type != PARAM_SIZE)
		return;
	for (size_t i = 0; i < 2; i++) {
		if (limits[i] == 0)
			continue;
		if (row->type == PARAM_UINT)
			(void)snprintf(text, sizeof(text), "%" PRIu64, limits[i]);
		else if (time)
			(void)param_duration_text((int64_t)limits[i], text, sizeof(text));
		else
			(void)param_size_text(limits[i], text, sizeof(text));
		buf_printf(out, "%s%s", words_for[i], text);
	}
}

void param_help(struct buf *out, const struct param *rows, const char *indent)
{
	for (const struct param *row = rows; row != NULL && row->type != PARAM_END; row++) {
		buf_printf(out, "%s%-12s ", indent, row->name);
		if (row->type == PARAM_ENUM || row->type == PARAM_FLAGS)
			for (size_t i = 0; row->names[i] != NULL; i++)
				buf_printf(out, "%s%s", i > 0 ? "|" : "", row->names[i]);
		else
			buf_puts(out, param_types[row->type].name);
		help_range(out, row);
		if (row->required)
			buf_puts(out, ", required");
		if (row->def != NULL)
			buf_printf(out, ", default %s", row->def[0] != '\0' ? row->def : "\"\"");
		buf_printf(out, ": %s\n", row->help != NULL ? row->help : "");
	}
}
