/* SPDX-License-Identifier: MIT */
#include "harness/model/param.h"

#include <assert.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/model/param_type.h"

static void *at(void *out, size_t offset)
{
	return (char *)out + offset;
}

const struct param *param_row(const struct param *rows, const char *name)
{
	const struct param *row = rows;
	while (row->type != PARAM_END && strcmp(row->name, name) != 0)
		row++;
	assert(row->type != PARAM_END);
	return row;
}

size_t param_count(const char *const *names)
{
	size_t n = 0;
	while (names != NULL && names[n] != NULL)
		n++;
	return n;
}

void param_join(struct buf *out, const char *const *names, size_t count, const char *last)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && i + 1 == count)
			buf_printf(out, " %s ", last);
		else if (i > 0)
			buf_puts(out, ", ");
		buf_printf(out, "\"%s\"", names[i]);
	}
}

const char *param_phrase(const struct param_ctx *c, const struct param *row)
{
	GUARD_BUF struct buf b = { 0 };
	if (param_types[row->type].phrase != NULL)
		return param_types[row->type].phrase;
	buf_puts(&b, row->type == PARAM_FLAGS ? "a list of " : "");
	param_join(&b, row->names, param_count(row->names), "or");
	return arena_strdup(c->arena, buf_str(&b));
}

const char *param_key(const struct param_ctx *c, const struct json *value)
{
	return c->copies ? arena_strdup(c->arena, json_key(value)) : json_key(value);
}

/* --- variables --- */

static bool is_variable_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

static int put_variable(const struct param_ctx *c, const struct json *value, const char *name,
			struct buf *out, struct err *e)
{
	GUARD(mem) const char **names = mem_array(c->vars->count, sizeof(char *));
	for (size_t i = 0; i < c->vars->count; i++) {
		names[i] = c->vars->items[i].key;
		if (strcmp(names[i], name) == 0) {
			buf_puts(out, c->vars->items[i].value);
			return 0;
		}
	}
	const char *near = json_nearest(name, names, c->vars->count);
	if (near != NULL)
		return json_err(e, c->doc, value,
				"there is no variable \"%s\"; did you mean \"%s\"?", name, near);
	return json_err(
		e, c->doc, value,
		"there is no variable \"%s\"; add it to \"vars\", or write \"{{{{\" for \"{{\"",
		name);
}

/* The name in the {{name}} at `s`; *end is set behind it. False: there is none. */
static bool take_name(const char *s, const char **end, struct buf *name)
{
	const char *begin = s + 2 + strspn(s + 2, " ");
	const char *stop = begin;
	while (is_variable_char(*stop))
		stop++;
	const char *close = stop + strspn(stop, " ");
	if (stop == begin || strncmp(close, "}}", 2) != 0)
		return false;
	buf_add(name, begin, (size_t)(stop - begin));
	*end = close + 2;
	return true;
}

int param_text(const struct param_ctx *c, const struct json *value, const char **ret, struct err *e)
{
	const char *s = json_string(value);
	GUARD_BUF struct buf out = { 0 };
	assert(s != NULL);
	if (c->vars == NULL || strstr(s, "{{") == NULL) {
		*ret = c->copies ? arena_strdup(c->arena, s) : s;
		return 0;
	}
	for (const char *p; (p = strstr(s, "{{")) != NULL;) {
		GUARD_BUF struct buf name = { 0 };
		buf_add(&out, s, (size_t)(p - s));
		if (strncmp(p, "{{{{", 4) == 0) {
			buf_puts(&out, "{{");
			s = p + 4;
			continue;
		}
		if (!take_name(p, &s, &name))
			return json_err(
				e, c->doc, value,
				"\"{{\" without a variable's name and \"}}\"; write {{name}}, or "
				"\"{{{{\" for \"{{\"");
		if (put_variable(c, value, buf_str(&name), &out, e) < 0)
			return -1;
	}
	buf_puts(&out, s);
	*ret = arena_strdup(c->arena, buf_str(&out));
	return 0;
}

/* --- defaults --- */

static int default_words(const struct param_ctx *c, const struct param *row, void *field)
{
	struct err ours = { 0 };
	struct strings words = { 0 };
	char *text = arena_strdup(c->arena, row->def);
	if (row->type == PARAM_STRINGS)
		words.items = arena_alloc(c->arena, (strlen(text) + 2) * sizeof(char *));
	for (char *word = text, *comma; word != NULL; word = comma) {
		comma = strchr(word, ',');
		if (comma != NULL)
			*comma++ = '\0';
		if (words.items != NULL)
			words.items[words.count++] = word;
		if (row->type == PARAM_FLAGS &&
		    param_types[PARAM_FLAGS].from_text(c, row, word, field, &ours) < 0)
			return -1;
	}
	if (row->type == PARAM_STRINGS)
		*(struct strings *)field = words;
	return 0;
}

static void put_defaults(const struct param_ctx *c, const struct param *rows, void *out);

static void put_default(const struct param_ctx *c, const struct param *row, void *out)
{
	struct err ours = { 0 };
	int rc = 0;
	void *field = at(out, row->offset);
	if (row->type == PARAM_OBJECT)
		put_defaults(c, row->sub, field);
	else if (row->def == NULL && row->type == PARAM_MODE)
		*(int *)field = -1;
	else if (row->def != NULL && (row->type == PARAM_FLAGS || row->type == PARAM_STRINGS))
		rc = default_words(c, row, field);
	else if (row->def != NULL)
		rc = param_types[row->type].from_text(c, row, row->def, field, &ours);
	assert(rc == 0); /* a default that its own row refuses */
	(void)rc;
}

static void put_defaults(const struct param_ctx *c, const struct param *rows, void *out)
{
	for (const struct param *row = rows; row != NULL && row->type != PARAM_END; row++)
		put_default(c, row, out);
}

int param_defaults(const struct param_ctx *c, const struct param *rows, void *out, struct err *e)
{
	put_defaults(c, rows, out);
	for (const struct param *row = rows; row != NULL && row->type != PARAM_END; row++)
		if (row->required)
			return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "\"%s\" is missing; write %s",
				      row->name, param_phrase(c, row));
	return 0;
}

/* --- decoding --- */

static int decode_list(const struct param_ctx *c, const struct param *row, const struct json *value,
		       void *field, struct err *e)
{
	struct list *list = field;
	size_t i = 0;
	list->count = json_size(value);
	list->items = arena_alloc(c->arena, list->count * row->size + 1);
	for (const struct json *v = json_first(value); v != NULL; v = json_next(v)) {
		char *item = (char *)list->items + i++ * row->size;
		if (param_decode(c, row->sub, row->shorthand, v, item, NULL, e) < 0)
			return -1;
		if (row->type == PARAM_MAP)
			*(const char **)(void *)item = param_key(c, v);
	}
	return 0;
}

static int wrong_type(const struct param_ctx *c, const struct param *row, const struct json *value,
		      struct err *e)
{
	return json_err(e, c->doc, value, "%s: this is %s; write %s", row->name,
			json_type_name(value), param_phrase(c, row));
}

static int decode_text(const struct param_ctx *c, const struct param *row, const struct json *value,
		       void *field, struct err *e)
{
	const char *text = NULL;
	struct err sub = { 0 };
	if (param_text(c, value, &text, e) < 0)
		return -1;
	if (param_types[row->type].from_text(c, row, text, field, &sub) < 0)
		return json_err(e, c->doc, value, "%s: %s", row->name, sub.why);
	if (row->type == PARAM_FILE && c->file_seen != NULL)
		c->file_seen(c->file_arg, value, *(const char **)field);
	return 0;
}

int param_decode_row(const struct param_ctx *c, const struct param *row, const struct json *value,
		     void *out, struct err *e)
{
	const struct param_type_row *type = &param_types[row->type];
	void *field = at(out, row->offset);
	if (value == NULL) {
		put_default(c, row, out);
		return 0;
	}
	switch (row->type) {
	case PARAM_RAW:
		*(const struct json **)field = value;
		return 0;
	case PARAM_OBJECT:
		if (row->given_offset != 0)
			*(bool *)at(out, row->given_offset) = true;
		if (row->shorthand == NULL && json_type(value) != JSON_OBJECT)
			return wrong_type(c, row, value, e);
		return param_decode(c, row->sub, row->shorthand, value, field, NULL, e);
	case PARAM_LIST:
	case PARAM_MAP:
		if (json_type(value) != (row->type == PARAM_LIST ? JSON_ARRAY : JSON_OBJECT))
			return wrong_type(c, row, value, e);
		return decode_list(c, row, value, field, e);
	default:
		break;
	}
	if (json_string(value) != NULL && type->from_text != NULL)
		return decode_text(c, row, value, field, e);
	int rc = type->from_json != NULL ? type->from_json(c, row, value, field, e) : 1;
	return rc == 1 ? wrong_type(c, row, value, e) : rc;
}

int param_check_keys(const struct param_ctx *c, const struct param *rows, const struct json *object,
		     const char *const *others, struct err *e)
{
	size_t count = 0;
	for (const struct param *row = rows; row != NULL && row->type != PARAM_END; row++)
		count++;
	GUARD(mem) const char **known = mem_array(count + param_count(others), sizeof(char *));
	GUARD_BUF struct buf all = { 0 };
	for (size_t i = 0; i < count; i++)
		known[i] = rows[i].name;
	for (const char *const *other = others; other != NULL && *other != NULL; other++)
		known[count++] = *other;
	for (const struct json *v = json_first(object); v != NULL; v = json_next(v)) {
		size_t i = 0;
		while (i < count && strcmp(known[i], json_key(v)) != 0)
			i++;
		if (i < count)
			continue;
		const char *near = json_nearest(json_key(v), known, count);
		if (near != NULL)
			return json_key_err(e, c->doc, v,
					    "unknown field \"%s\"; did you mean \"%s\"?",
					    json_key(v), near);
		param_join(&all, known, count, "and");
		return json_key_err(e, c->doc, v, "unknown field \"%s\"; %s%s", json_key(v),
				    count > 0 ? "known here: " : "none is known here",
				    buf_str(&all));
	}
	return 0;
}

static const struct param *first_required(const struct param *rows, const struct param *but)
{
	for (; rows->type != PARAM_END; rows++)
		if (rows->required && rows != but)
			return rows;
	return NULL;
}

static int check_shorthand(const struct param_ctx *c, const struct param *rows,
			   const struct param *row, const struct json *value, struct err *e)
{
	const struct param *other = first_required(rows, row);
	if (other == NULL)
		return 0;
	return json_err(e, c->doc, value,
			"\"%s\" is missing; write an object with \"%s\" and \"%s\"", other->name,
			row->name, other->name);
}

int param_decode(const struct param_ctx *c, const struct param *rows, const char *shorthand,
		 const struct json *value, void *out, const char *const *skip, struct err *e)
{
	if (json_type(value) != JSON_OBJECT) {
		const struct param *row = shorthand != NULL ? param_row(rows, shorthand) : NULL;
		if (row == NULL)
			return json_err(e, c->doc, value, "this is %s; write an object",
					json_type_name(value));
		if (check_shorthand(c, rows, row, value, e) < 0)
			return -1;
		for (const struct param *r = rows; r->type != PARAM_END; r++)
			if (param_decode_row(c, r, r == row ? value : NULL, out, e) < 0)
				return -1;
		return 0;
	}
	if (param_check_keys(c, rows, value, skip, e) < 0)
		return -1;
	for (const struct param *row = rows; row != NULL && row->type != PARAM_END; row++) {
		const struct json *v = json_get(value, row->name);
		if (v == NULL && row->required)
			return json_err(e, c->doc, value, "\"%s\" is missing; write %s", row->name,
					param_phrase(c, row));
		if (param_decode_row(c, row, v, out, e) < 0)
			return -1;
	}
	return 0;
}
