/* SPDX-License-Identifier: MIT */
#include "reports/json_put.h"

#include "reports/report.h"

void json_put_key(struct buf *b, const char *name)
{
	if (b->len > 0 && b->data[b->len - 1] != '{' && b->data[b->len - 1] != '[')
		buf_putc(b, ',');
	if (name != NULL) {
		buf_json(b, name);
		buf_putc(b, ':');
	}
}

void json_put_str(struct buf *b, const char *name, const char *value)
{
	json_put_key(b, name);
	if (value != NULL)
		buf_json(b, value);
	else
		buf_puts(b, "null");
}

void json_put_bool(struct buf *b, const char *name, bool value)
{
	json_put_key(b, name);
	buf_puts(b, value ? "true" : "false");
}

void json_put_int(struct buf *b, const char *name, int64_t value)
{
	json_put_key(b, name);
	buf_printf(b, "%lld", (long long)value);
}

/* A time that may not apply. */
void json_put_ns(struct buf *b, const char *name, int64_t ns)
{
	if (ns < 0)
		json_put_str(b, name, NULL);
	else
		json_put_int(b, name, ns);
}

void json_put_open(struct buf *b, const char *name, char bracket)
{
	json_put_key(b, name);
	buf_putc(b, bracket);
}

void json_put_change(struct buf *b, const char *name, const struct change *c)
{
	json_put_open(b, name, '{');
	json_put_str(b, "node", c->node);
	json_put_str(b, "kind", state_kind_name(c->kind));
	json_put_str(b, "key", c->key);
	json_put_str(b, "what", report_change_word(c->what));
	json_put_str(b, "owner", c->owner);
	json_put_open(b, "attrs", '[');
	for (size_t i = 0; i < c->attr_count; i++) {
		json_put_open(b, NULL, '{');
		json_put_str(b, "name", c->attrs[i].name);
		json_put_str(b, "before", c->attrs[i].before);
		json_put_str(b, "after", c->attrs[i].after);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
	json_put_str(b, "hidden_by", c->hidden_by);
	json_put_str(b, "hidden_why", c->hidden_why);
	buf_putc(b, '}');
}

void json_put_changes(struct buf *b, const char *name, const struct changes *c)
{
	json_put_open(b, name, '[');
	for (size_t i = 0; i < c->count; i++)
		json_put_change(b, NULL, &c->items[i]);
	buf_putc(b, ']');
}
