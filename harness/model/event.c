/* SPDX-License-Identifier: MIT */
#include "harness/model/event.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static const struct {
	const char *name, *fields;
} rows[] = {
#define X(id, name, fields) { name, fields },
	EVENTS(X)
#undef X
};
static_assert(sizeof(rows) / sizeof(rows[0]) == EVENT_KIND_COUNT, "every event has its row");

const char *event_name(enum event_kind k)
{
	assert(k < EVENT_KIND_COUNT);
	return rows[k].name;
}

const char *event_fields(enum event_kind k)
{
	assert(k < EVENT_KIND_COUNT);
	return rows[k].fields;
}

int event_from_name(const char *name)
{
	for (size_t i = 0; i < EVENT_KIND_COUNT; i++)
		if (strcmp(rows[i].name, name) == 0)
			return (int)i;
	return -1;
}

static void encode_value(struct buf *out, const struct field *f)
{
	switch (f->type) {
	case FIELD_STR:
		buf_json(out, f->s);
		break;
	case FIELD_INT:
		buf_printf(out, "%" PRId64, f->i);
		break;
	case FIELD_BOOL:
		buf_puts(out, f->i != 0 ? "true" : "false");
		break;
	case FIELD_JSON:
		buf_puts(out, f->s);
		break;
	}
}

void event_encode(struct buf *out, int64_t t, enum event_kind k, const struct field *fields)
{
	buf_printf(out, "{\"t\":%" PRId64 ",\"event\":", t);
	buf_json(out, event_name(k));
	for (const struct field *f = fields; f != NULL && f->key != NULL; f++) {
		bool text = f->type == FIELD_STR || f->type == FIELD_JSON;
		if (text && f->s == NULL)
			continue;
		buf_putc(out, ',');
		buf_json(out, f->key);
		buf_putc(out, ':');
		encode_value(out, f);
	}
	buf_puts(out, "}\n");
}
