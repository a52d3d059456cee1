/* SPDX-License-Identifier: MIT */
/* Fields that a scenario writes as one string; variables are put in before. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/model/param_type.h"

enum { NAME_MAX_LEN = 64 }; /* characters of a PARAM_NAME */

static int bad(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int bad(struct err *e, const char *fmt, ...)
{
	char why[ERR_WHY_MAX];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "%s", why);
}

static int text_string(const struct param_ctx *c, const struct param *row, const char *text,
		       void *field, struct err *e)
{
	(void)c;
	(void)row;
	(void)e;
	*(const char **)field = text;
	return 0;
}

static int text_name(const struct param_ctx *c, const struct param *row, const char *text,
		     void *field, struct err *e)
{
	size_t len = strlen(text);
	bool good = len >= 1 && len <= NAME_MAX_LEN && text[0] != ' ' && text[len - 1] != ' ';
	for (size_t i = 0; good && i < len; i++)
		good = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
		       (text[i] >= '0' && text[i] <= '9') || strchr("._- ", text[i]) != NULL;
	if (!good)
		return bad(e,
			   "\"%s\" is not a name; write 1 to %d letters, digits, spaces, \".\", "
			   "\"_\" or \"-\"",
			   text, NAME_MAX_LEN);
	return text_string(c, row, text, field, e);
}

static bool among(const struct strings *names, const char *word)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i], word) == 0)
			return true;
	return false;
}

static int text_node(const struct param_ctx *c, const struct param *row, const char *text,
		     void *field, struct err *e)
{
	GUARD_BUF struct buf known = { 0 };
	if (c->nodes != NULL && !among(c->nodes, text)) {
		const char *near = json_nearest(text, c->nodes->items, c->nodes->count);
		if (near != NULL)
			return bad(e, "there is no node \"%s\"; did you mean \"%s\"?", text, near);
		param_join(&known, c->nodes->items, c->nodes->count, "and");
		return bad(e, "there is no node \"%s\"; the nodes are %s", text, buf_str(&known));
	}
	if (row->linked && c->linked != NULL && !among(c->linked, text))
		return bad(e, "node \"%s\" has no link; give it an \"address\"", text);
	if (row->on_disk && c->on_disk != NULL && !among(c->on_disk, text))
		return bad(e,
			   "node \"%s\" has no disk of its own; give it \"disk\": {\"size\": "
			   "\"512MiB\"}",
			   text);
	return text_string(c, row, text, field, e);
}

static int text_path(const struct param_ctx *c, const struct param *row, const char *text,
		     void *field, struct err *e)
{
	if (text[0] != '/')
		return bad(e, "\"%s\" is not an absolute path; begin it with \"/\"", text);
	return text_string(c, row, text, field, e);
}

static int text_file(const struct param_ctx *c, const struct param *row, const char *text,
		     void *field, struct err *e)
{
	if (text[0] == '\0')
		return bad(e, "an empty path; write a path relative to the scenario's file");
	if (text[0] == '/' || c->dir == NULL || c->dir[0] == '\0')
		return text_string(c, row, text, field, e);
	return text_string(c, row, arena_printf(c->arena, "%s/%s", c->dir, text), field, e);
}

static int text_bool(const struct param_ctx *c, const struct param *row, const char *text,
		     void *field, struct err *e)
{
	(void)c;
	(void)row;
	bool yes = strcmp(text, "true") == 0;
	if (!yes && strcmp(text, "false") != 0)
		return bad(e, "\"%s\" is not true or false", text);
	*(bool *)field = yes;
	return 0;
}

/* "600ms" for a duration, "64KiB" for a size, plain digits for a count. */
static const char *quantity(const struct param *row, uint64_t v, char *ret, size_t size)
{
	if (row->type == PARAM_DURATION)
		return param_duration_text((int64_t)v, ret, size);
	if (row->type != PARAM_UINT)
		return param_size_text(v, ret, size);
	(void)snprintf(ret, size, "%llu", (unsigned long long)v);
	return ret;
}

static int in_range(const struct param *row, uint64_t v, struct err *e)
{
	char is[40], limit[40];
	const char *unit = row->type == PARAM_RATE ? "/s" : "";
	if (v < row->min)
		return bad(e, "%s%s is too little; write at least %s%s",
			   quantity(row, v, is, sizeof(is)), unit,
			   quantity(row, row->min, limit, sizeof(limit)), unit);
	if (row->max > 0 && v > row->max)
		return bad(e, "%s%s is too much; write at most %s%s",
			   quantity(row, v, is, sizeof(is)), unit,
			   quantity(row, row->max, limit, sizeof(limit)), unit);
	return 0;
}

static int text_uint(const struct param_ctx *c, const struct param *row, const char *text,
		     void *field, struct err *e)
{
	(void)c;
	uint64_t v = 0;
	size_t len = strlen(text);
	if (len == 0 || len > 18 || strspn(text, "0123456789") != len)
		return bad(e, "\"%s\" is not a whole number such as 3", text);
	for (size_t i = 0; i < len; i++)
		v = v * 10 + (uint64_t)(text[i] - '0');
	*(uint64_t *)field = v;
	return in_range(row, v, e);
}

static int json_uint(const struct param_ctx *c, const struct param *row, const struct json *value,
		     void *field, struct err *e)
{
	int64_t v = 0;
	struct err sub = { 0 };
	if (json_type(value) != JSON_NUMBER)
		return 1;
	if (!json_int64(value, &v) || v < 0)
		return json_err(e, c->doc, value, "%s: %g is not a whole number such as 3",
				row->name, json_number(value));
	*(uint64_t *)field = (uint64_t)v;
	if (in_range(row, (uint64_t)v, &sub) < 0)
		return json_err(e, c->doc, value, "%s: %s", row->name, sub.why);
	return 0;
}

static int json_truth(const struct param_ctx *c, const struct param *row, const struct json *value,
		      void *field, struct err *e)
{
	(void)c;
	(void)row;
	(void)e;
	if (json_type(value) != JSON_BOOL)
		return 1;
	*(bool *)field = json_bool(value);
	return 0;
}

static int text_duration(const struct param_ctx *c, const struct param *row, const char *text,
			 void *field, struct err *e)
{
	(void)c;
	int64_t *ns = field;
	return param_parse_duration(text, ns, e) < 0 ? -1 : in_range(row, (uint64_t)*ns, e);
}

static int text_size(const struct param_ctx *c, const struct param *row, const char *text,
		     void *field, struct err *e)
{
	(void)c;
	uint64_t *bytes = field;
	return param_parse_size(text, bytes, e) < 0 ? -1 : in_range(row, *bytes, e);
}

static int text_rate(const struct param_ctx *c, const struct param *row, const char *text,
		     void *field, struct err *e)
{
	(void)c;
	uint64_t *rate = field;
	return param_parse_rate(text, rate, e) < 0 ? -1 : in_range(row, *rate, e);
}

static int text_percent(const struct param_ctx *c, const struct param *row, const char *text,
			void *field, struct err *e)
{
	(void)c;
	double *percent = field;
	double max = row->max > 0 ? (double)row->max : 100;
	if (param_parse_percent(text, percent, e) < 0)
		return -1;
	if (*percent > max)
		return bad(e, "%g%% is too much; write at most %g%%", *percent, max);
	return 0;
}

static int word_index(const struct param *row, const char *word, struct err *e)
{
	size_t count = param_count(row->names);
	GUARD_BUF struct buf known = { 0 };
	for (size_t i = 0; i < count; i++)
		if (strcmp(row->names[i], word) == 0)
			return (int)i;
	const char *near = json_nearest(word, row->names, count);
	if (near != NULL)
		return bad(e, "\"%s\" is not known here; did you mean \"%s\"?", word, near);
	param_join(&known, row->names, count, "or");
	return bad(e, "\"%s\" is not known here; write %s", word, buf_str(&known));
}

static int text_enum(const struct param_ctx *c, const struct param *row, const char *text,
		     void *field, struct err *e)
{
	(void)c;
	int i = word_index(row, text, e);
	if (i >= 0)
		*(int *)field = i;
	return i < 0 ? -1 : 0;
}

static int text_flag(const struct param_ctx *c, const struct param *row, const char *text,
		     void *field, struct err *e)
{
	(void)c;
	int i = word_index(row, text, e);
	if (i >= 0)
		*(uint64_t *)field |= UINT64_C(1) << i;
	return i < 0 ? -1 : 0;
}

static int json_flags(const struct param_ctx *c, const struct param *row, const struct json *value,
		      void *field, struct err *e)
{
	if (json_type(value) != JSON_ARRAY)
		return 1;
	if (json_size(value) == 0)
		return json_err(e, c->doc, value, "%s: an empty list; write %s", row->name,
				param_phrase(c, row));
	for (const struct json *v = json_first(value); v != NULL; v = json_next(v)) {
		const char *text = NULL;
		struct err sub = { 0 };
		if (json_string(v) == NULL)
			return json_err(e, c->doc, v, "%s: this is %s; write %s", row->name,
					json_type_name(v), param_phrase(c, row));
		if (param_text(c, v, &text, e) < 0)
			return -1;
		if (text_flag(c, row, text, field, &sub) < 0)
			return json_err(e, c->doc, v, "%s: %s", row->name, sub.why);
	}
	return 0;
}

static int text_signal(const struct param_ctx *c, const struct param *row, const char *text,
		       void *field, struct err *e)
{
	(void)c;
	(void)row;
	return param_parse_signal(text, field, e);
}

static int text_address(const struct param_ctx *c, const struct param *row, const char *text,
			void *field, struct err *e)
{
	(void)row;
	struct list *list = field;
	list->items = arena_alloc(c->arena, sizeof(struct ip));
	list->count = 1;
	return param_parse_address(text, list->items, e);
}

static int json_addresses(const struct param_ctx *c, const struct param *row,
			  const struct json *value, void *field, struct err *e)
{
	struct list *list = field;
	if (json_type(value) != JSON_ARRAY)
		return 1;
	struct ip *ips = arena_alloc(c->arena, (json_size(value) + 1) * sizeof(*ips));
	list->items = ips;
	for (const struct json *v = json_first(value); v != NULL; v = json_next(v)) {
		const char *text;
		struct err sub = { 0 };
		if (json_string(v) == NULL)
			return json_err(e, c->doc, v, "%s: this is %s; write a string", row->name,
					json_type_name(v));
		if (param_text(c, v, &text, e) < 0)
			return -1;
		if (param_parse_address(text, &ips[list->count++], &sub) < 0)
			return json_err(e, c->doc, v, "%s: %s", row->name, sub.why);
	}
	return 0;
}

static int text_mode(const struct param_ctx *c, const struct param *row, const char *text,
		     void *field, struct err *e)
{
	(void)c;
	(void)row;
	return param_parse_mode(text, field, e);
}

static int text_strings(const struct param_ctx *c, const struct param *row, const char *text,
			void *field, struct err *e)
{
	(void)row;
	(void)e;
	struct strings *list = field;
	list->items = arena_alloc(c->arena, 2 * sizeof(char *));
	list->items[0] = text;
	list->count = 1;
	return 0;
}

static int json_strings(const struct param_ctx *c, const struct param *row,
			const struct json *value, void *field, struct err *e)
{
	struct strings *list = field;
	if (json_type(value) != JSON_ARRAY)
		return 1;
	list->items = arena_alloc(c->arena, (json_size(value) + 1) * sizeof(char *));
	for (const struct json *v = json_first(value); v != NULL; v = json_next(v)) {
		if (json_string(v) == NULL)
			return json_err(e, c->doc, v, "%s: this is %s; write a string", row->name,
					json_type_name(v));
		if (param_text(c, v, &list->items[list->count++], e) < 0)
			return -1;
	}
	return 0;
}

static int json_pairs(const struct param_ctx *c, const struct param *row, const struct json *value,
		      void *field, struct err *e)
{
	struct pairs *pairs = field;
	if (json_type(value) != JSON_OBJECT)
		return 1;
	pairs->items = arena_alloc(c->arena, json_size(value) * sizeof(struct pair) + 1);
	for (const struct json *v = json_first(value); v != NULL; v = json_next(v)) {
		struct pair *pair = &pairs->items[pairs->count++];
		if (json_string(v) == NULL)
			return json_err(e, c->doc, v, "%s: \"%s\" is %s; write a string", row->name,
					json_key(v), json_type_name(v));
		pair->key = param_key(c, v);
		if (param_text(c, v, &pair->value, e) < 0)
			return -1;
	}
	return 0;
}

#define OR_VARIABLE     "|.*\\\\{\\\\{.*)$\"}"
#define SCHEMA(pattern) "{\"type\":\"string\",\"pattern\":\"^(" pattern OR_VARIABLE
#define TEXT_SCHEMA     "{\"type\":\"string\"}"
#define ADDRESS_SCHEMA  SCHEMA("[0-9A-Fa-f.:]+/[0-9]+")

const struct param_type_row param_types[] = {
	[PARAM_STRING] = { "text", "a string", text_string, NULL, TEXT_SCHEMA },
	[PARAM_NAME] = { "name", "a name of letters, digits, spaces, \".\", \"_\" or \"-\"",
			 text_name, NULL,
			 SCHEMA("[A-Za-z0-9._-]([A-Za-z0-9._ -]{0,62}[A-Za-z0-9._-])?") },
	[PARAM_NODE] = { "node", "the name of a node", text_node, NULL, TEXT_SCHEMA },
	[PARAM_PATH] = { "path", "an absolute path", text_path, NULL, SCHEMA("/.*") },
	[PARAM_FILE] = { "file", "a path relative to the scenario's file", text_file, NULL,
			 "{\"type\":\"string\",\"minLength\":1}" },
	[PARAM_BOOL] = { "bool", "true or false", text_bool, json_truth,
			 "{\"anyOf\":[{\"type\":\"boolean\"}," SCHEMA("true|false") "]}" },
	[PARAM_UINT] = { "count", "a whole number", text_uint, json_uint, NULL },
	[PARAM_DURATION] = { "duration", "a duration such as \"250ms\", \"90s\" or \"5m\"",
			     text_duration, NULL, SCHEMA("[0-9]+(\\\\.[0-9]+)?(ns|us|ms|s|m|h)") },
	[PARAM_SIZE] = { "size", "a size such as \"512\", \"64KiB\" or \"2GiB\"", text_size, NULL,
			 SCHEMA("[0-9]+(\\\\.[0-9]+)?(B|kB|[MGT]B|[KMGT]iB)?") },
	[PARAM_RATE] = { "rate", "a rate such as \"512KiB/s\" or \"8Mbit/s\"", text_rate, NULL,
			 SCHEMA("[0-9]+(\\\\.[0-9]+)?(B/s|kB/s|[MG]B/s|[KMG]iB/s|[kMG]?bit/s)") },
	[PARAM_PERCENT] = { "percentage", "a percentage such as \"2.5%\"", text_percent, NULL,
			    SCHEMA("[0-9]+(\\\\.[0-9]+)?%") },
	[PARAM_ENUM] = { "word", NULL, text_enum, NULL, NULL },
	[PARAM_FLAGS] = { "words", NULL, text_flag, json_flags, NULL },
	[PARAM_SIGNAL] = { "signal", "a signal such as \"KILL\"", text_signal, NULL,
			   SCHEMA("(SIG)?[A-Z0-9]+([+][0-9]+)?") },
	[PARAM_ADDRESSES] = { "address", "an address such as \"10.0.0.2/24\", or a list of them",
			      text_address, json_addresses,
			      "{\"anyOf\":[" ADDRESS_SCHEMA
			      ",{\"type\":\"array\",\"minItems\":1,\"items\":" ADDRESS_SCHEMA
			      "}]}" },
	[PARAM_STRINGS] = { "list of text", "a list of strings", text_strings, json_strings,
			    "{\"anyOf\":[" TEXT_SCHEMA ",{\"type\":\"array\",\"items\":" TEXT_SCHEMA
			    "}]}" },
	[PARAM_OBJECT] = { "object", "an object", NULL, NULL, NULL },
	[PARAM_LIST] = { "list", "a list", NULL, NULL, NULL },
	[PARAM_MAP] = { "map", "an object", NULL, NULL, NULL },
	[PARAM_PAIRS] = { "map of text", "an object of strings", NULL, json_pairs,
			  "{\"type\":\"object\",\"additionalProperties\":" TEXT_SCHEMA "}" },
	[PARAM_RAW] = { "value", "a value", NULL, NULL, NULL },
	[PARAM_MODE] = { "mode", "a mode such as \"0755\"", text_mode, NULL, SCHEMA("[0-7]{3,4}") },
};
static_assert(sizeof(param_types) / sizeof(param_types[0]) == PARAM_MODE + 1,
	      "every type has its row");
