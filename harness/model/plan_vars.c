/* SPDX-License-Identifier: MIT */
/* Variables: literal, from another file, or from the command line. */
#include <string.h>

#include "harness/base/guard.h"
#include "harness/model/plan_parts.h"

struct var_from {
	const char *from, *key;
};
static const struct param from_rows[] = {
	{ .name = "from",
	  .type = PARAM_FILE,
	  .offset = offsetof(struct var_from, from),
	  .required = true,
	  .help = "a JSON file" },
	{ .name = "key",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct var_from, key),
	  .required = true,
	  .help = "where in it: \"a.b\" for {\"a\": {\"b\": ...}}" },
	{ 0 },
};

static const char * override(const struct compile *c, const char *name)
{
	const struct pairs *given = c->options->vars;
	for (size_t i = 0; given != NULL && i < given->count; i++)
		if (strcmp(given->items[i].key, name) == 0)
			return given->items[i].value;
	return NULL;
}

static const struct json *member(const struct json *object, const char *name, size_t len)
{
	for (const struct json *v = json_first(object); v != NULL; v = json_next(v))
		if (json_key(v) != NULL && strlen(json_key(v)) == len &&
		    memcmp(json_key(v), name, len) == 0)
			return v;
	return NULL;
}

static int read_from(struct compile *c, const struct json *value, const char **ret, struct err *e)
{
	struct var_from f = { 0 };
	struct source *file = NULL;
	if (param_decode(&c->ctx, from_rows, NULL, value, &f, NULL, e) < 0)
		return -1;
	for (size_t i = 0; i < c->pd->source_count; i++)
		if (strcmp(c->pd->sources[i].path, f.from) == 0)
			file = &c->pd->sources[i];
	if (file == NULL && plan_read_file(c, f.from, json_get(value, "from"), &file, e) < 0)
		return -1;
	const struct json *at = json_root(file->doc);
	for (const char *p = f.key; at != NULL && p != NULL;) {
		const char *dot = strchr(p, '.');
		at = member(at, p, dot != NULL ? (size_t)(dot - p) : strlen(p));
		p = dot != NULL ? dot + 1 : NULL;
	}
	if (at == NULL)
		return json_err(
			e, c->ctx.doc, json_get(value, "key"),
			"key: there is no \"%s\" in %s; write the names on the way, with dots "
			"between",
			f.key, json_string(json_get(value, "from")));
	if (json_string(at) == NULL)
		return json_err(e, c->ctx.doc, json_get(value, "key"),
				"key: \"%s\" is %s in %s; a variable is a string", f.key,
				json_type_name(at), json_string(json_get(value, "from")));
	*ret = json_string(at);
	return 0;
}

static int decode_var(struct compile *c, const struct json *v, struct pair *ret, struct err *e)
{
	ret->key = json_key(v);
	if (!plan_name_ok(ret->key, PLAN_WORD_LETTERS, PLAN_NAME_MAX))
		return json_key_err(e, c->ctx.doc, v,
				    "\"%s\" is not a variable's name; write letters, "
				    "digits, \"_\", \"-\" or \".\"",
				    ret->key);
	ret->value = override(c, ret->key);
	if (ret->value != NULL)
		return 0;
	ret->value = json_string(v);
	if (ret->value != NULL)
		return 0;
	if (json_type(v) != JSON_OBJECT)
		return json_err(e, c->ctx.doc, v,
				"%s: this is %s; write a string, or {\"from\": FILE, "
				"\"key\": \"a.b\"}",
				ret->key, json_type_name(v));
	return read_from(c, v, &ret->value, e);
}

static int check_overrides(struct compile *c, struct err *e)
{
	const struct pairs *given = c->options->vars, *vars = &c->pd->vars;
	GUARD(mem) const char **names = mem_array(vars->count, sizeof(char *));
	for (size_t i = 0; i < vars->count; i++)
		names[i] = vars->items[i].key;
	for (size_t i = 0; given != NULL && i < given->count; i++) {
		const char *name = given->items[i].key;
		size_t k = 0;
		while (k < vars->count && strcmp(names[k], name) != 0)
			k++;
		if (k == vars->count)
			return ERR_AS(e, EXIT_USAGE_ERROR, 0,
				      "--var %s: %s has no such variable; %s", name, c->plan->file,
				      plan_suggest(c, name, names, vars->count));
	}
	return 0;
}

int plan_vars(struct compile *c, struct err *e)
{
	struct pairs *vars = &c->pd->vars;
	const struct json *object = plan_top(c, "vars");
	if (object != NULL && json_type(object) != JSON_OBJECT)
		return json_err(e, c->ctx.doc, object, "vars: this is %s; write an object",
				json_type_name(object));
	if (object != NULL)
		vars->items =
			arena_alloc(c->ctx.arena, json_size(object) * sizeof(struct pair) + 1);
	for (const struct json *v = object != NULL ? json_first(object) : NULL; v != NULL;
	     v = json_next(v)) {
		if (decode_var(c, v, &vars->items[vars->count], e) < 0)
			return -1;
		vars->count++;
	}
	c->ctx.vars = vars;
	return check_overrides(c, e);
}
