/* SPDX-License-Identifier: MIT */
/* From files to a plan: reading, merging what is included, and the order of the parts. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/hash.h"
#include "harness/base/io.h"
#include "harness/model/plan_parts.h"

static const char *dir_of(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');
	if (slash == NULL)
		return "";
	return slash == path ? "/" : arena_strndup(arena, path, (size_t)(slash - path));
}

int plan_read_file(struct compile *c, const char *path, const struct json *at, struct source **ret,
		   struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	struct plan_doc *pd = c->pd;
	struct err sub = { 0 };
	if (pd->source_count == PLAN_FILES_MAX)
		return json_err(e, c->ctx.doc, at, "more than %d files", PLAN_FILES_MAX);
	if (at != NULL && access(path, F_OK) < 0)
		return json_err(e, c->ctx.doc, at,
				"there is no file \"%s\"; name one relative to this "
				"file",
				json_string(at));
	if (at == NULL && access(path, F_OK) < 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "%s: %s; name a scenario's file", path,
			      errno == ENOENT ? "there is no such file" : strerror(errno));
	if (io_read_file(AT_FDCWD, path, JSON_TEXT_MAX, &text, &sub) < 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "%s: %s", path, sub.why);
	struct source *s = &pd->sources[pd->source_count];
	if (json_parse(&s->doc, path, buf_str(&text), text.len, e) < 0)
		return -1;
	s->path = arena_strdup(pd->arena, path);
	s->dir = dir_of(pd->arena, path);
	pd->source_count++;
	/* The digest of all texts: each one's own, hashed in the order of reading. */
	char digests[2 * (HASH_TEXT - 1) + 1];
	memcpy(digests, pd->plan.digest, HASH_TEXT - 1);
	hash_text(buf_str(&text), text.len, pd->plan.digest);
	memcpy(digests + HASH_TEXT - 1, pd->plan.digest, HASH_TEXT);
	if (pd->source_count > 1)
		hash_text(digests, sizeof(digests) - 1, pd->plan.digest);
	*ret = s;
	return 0;
}

static void speak_of(struct compile *c, const struct source *s)
{
	c->ctx.doc = s->doc;
	c->ctx.dir = s->dir;
}

const struct json *plan_top(struct compile *c, const char *name)
{
	const struct plan_doc *pd = c->pd;
	for (size_t i = 0; i < (pd->includes ? 2 : 1); i++) {
		const struct json *v = json_get(json_root(pd->sources[i].doc), name);
		speak_of(c, &pd->sources[i]);
		if (v != NULL)
			return v;
	}
	speak_of(c, &pd->sources[0]);
	return NULL;
}

int plan_top_needed(struct compile *c, const char *name, const struct json **ret, struct err *e)
{
	*ret = plan_top(c, name);
	if (*ret != NULL)
		return 0;
	return json_err(e, c->ctx.doc, json_root(c->ctx.doc), "\"%s\" is missing; add it", name);
}

int plan_check_list(struct compile *c, const struct json *list, size_t max, const char *what,
		    struct err *e)
{
	if (json_type(list) != JSON_ARRAY)
		return json_err(e, c->ctx.doc, list, "%s: this is %s; write a list", json_key(list),
				json_type_name(list));
	if (what != NULL && json_size(list) == 0)
		return json_err(e, c->ctx.doc, list, "%s: an empty list; write at least one %s",
				json_key(list), what);
	if (json_size(list) > max)
		return json_err(e, c->ctx.doc, list, "%s: %zu of them; at most %zu are allowed",
				json_key(list), json_size(list), max);
	return 0;
}

const struct json *plan_element(const struct json *list, size_t i)
{
	const struct json *v = json_first(list);
	while (i-- > 0)
		v = json_next(v);
	return v;
}

int plan_check_names(struct compile *c, const void *items, size_t size, const struct json *list,
		     struct err *e)
{
	for (size_t i = 0; i < json_size(list); i++) {
		const char *name =
			*(const char *const *)((const void *)((const char *)items + i * size));
		for (size_t k = 0; k < i; k++) {
			const void *other = (const char *)items + k * size;
			if (strcmp(name, *(const char *const *)other) != 0)
				continue;
			const struct json *object = plan_element(list, i);
			const struct json *at = json_get(object, "name");
			return json_err(
				e, c->ctx.doc, at != NULL ? at : object,
				"\"%s\" is the name of number %zu already; give this one another "
				"\"name\"",
				name, k + 1);
		}
	}
	return 0;
}

const char *plan_slug(struct compile *c, const char *text)
{
	enum { SLUG_MAX = 48 };
	char slug[SLUG_MAX + 1];
	size_t n = 0;
	for (const char *p = text; *p != '\0' && n < SLUG_MAX; p++) {
		bool upper = *p >= 'A' && *p <= 'Z';
		bool good = upper || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9');
		if (good)
			slug[n++] = upper ? (char)(*p | 0x20) : *p;
		else if (n > 0 && slug[n - 1] != '-')
			slug[n++] = '-';
	}
	while (n > 0 && slug[n - 1] == '-')
		n--;
	return n > 0 ? arena_strndup(c->ctx.arena, slug, n) : "unnamed";
}

const char *plan_suggest(struct compile *c, const char *word, const char *const *names,
			 size_t count)
{
	GUARD_BUF struct buf b = { 0 };
	const char *near = json_nearest(word, names, count);
	if (near != NULL)
		return arena_printf(c->ctx.arena, "did you mean \"%s\"?", near);
	buf_puts(&b, count > 0 ? "write " : "none is defined here");
	for (size_t i = 0; i < count; i++)
		buf_printf(&b, "%s\"%s\"", i == 0 ? "" : (i + 1 == count ? " or " : ", "),
			   names[i]);
	return arena_strdup(c->ctx.arena, buf_str(&b));
}

bool plan_name_ok(const char *name, const char *allowed, size_t max)
{
	size_t len = strlen(name);
	return len >= 1 && len <= max && strspn(name, allowed) == len;
}

int plan_check_command(struct compile *c, const struct json *object, const char *run,
		       const struct strings *exec, struct err *e)
{
	const struct json *r = json_get(object, "run"), *x = json_get(object, "exec");
	if (r != NULL && x != NULL)
		return json_key_err(e, c->ctx.doc, x, "both \"run\" and \"exec\"; keep one");
	if (r == NULL && x == NULL)
		return json_err(e, c->ctx.doc, object,
				"\"run\" or \"exec\" is missing; write a shell "
				"command or a list of arguments");
	if (r != NULL && run[0] == '\0')
		return json_err(e, c->ctx.doc, r, "run: an empty command; write one");
	if (x != NULL && (exec->count == 0 || exec->items[0][0] == '\0'))
		return json_err(e, c->ctx.doc, x,
				"exec: names no program; write a list such as "
				"[\"/bin/true\"]");
	return 0;
}

static int include(struct compile *c, struct err *e)
{
	struct source *main_file = &c->pd->sources[0], *other = NULL;
	const char *path = NULL;
	speak_of(c, main_file);
	const struct json *v = json_get(json_root(main_file->doc), "include");
	if (v == NULL)
		return 0;
	const struct param row = { .name = "include", .type = PARAM_FILE };
	if (param_decode_row(&c->ctx, &row, v, &path, e) < 0)
		return -1;
	GUARD(mem) char *here = realpath(main_file->path, NULL);
	GUARD(mem) char *there = realpath(path, NULL);
	if (here != NULL && there != NULL && strcmp(here, there) == 0)
		return json_err(e, main_file->doc, v,
				"include: the file includes itself; remove it");
	if (plan_read_file(c, path, v, &other, e) < 0)
		return -1;
	c->pd->includes = true;
	if (json_type(json_root(other->doc)) != JSON_OBJECT)
		return json_err(e, other->doc, json_root(other->doc), "this is %s; write an object",
				json_type_name(json_root(other->doc)));
	const struct json *nested = json_get(json_root(other->doc), "include");
	if (nested != NULL)
		return json_key_err(e, other->doc, nested,
				    "an included file cannot include another; "
				    "include that one from the scenario itself");
	return 0;
}

void plan_note_file(void *arg, const struct json *value, const char *path)
{
	struct plan_doc *pd = arg;
	if (pd->file_count == pd->file_cap) {
		pd->file_cap = pd->file_cap > 0 ? pd->file_cap * 2 : 16;
		pd->files = mem_grow(pd->files, pd->file_cap, sizeof(*pd->files));
	}
	pd->files[pd->file_count++] = (struct seen_file){ .value = value, .path = path };
}

/* What a run folder is called after: "nginx-upgrade" of .../nginx-upgrade/scenario.json. */
static const char *slug_of(struct compile *c, const char *path)
{
	GUARD(mem) char *full = realpath(path, NULL);
	char *base = full != NULL ? strrchr(full, '/') : NULL;
	if (base == NULL)
		return plan_slug(c, path);
	if (strcmp(base, "/scenario.json") == 0) {
		*base = '\0';
		base = strrchr(full, '/');
	}
	/* A run's copy lies in TIME-SLUG-ID/, and keeps the slug. */
	enum { TIME_LEN = 16 };
	char *id = base != NULL ? strrchr(base, '-') : NULL;
	if (id != NULL && id - base > TIME_LEN && base[TIME_LEN] == '-' && isdigit(base[1]) &&
	    base[TIME_LEN - 7] == 'T') {
		*id = '\0';
		return plan_slug(c, base + TIME_LEN + 1);
	}
	char *dot = base != NULL ? strrchr(base, '.') : NULL;
	if (dot != NULL && strcmp(dot, ".json") == 0)
		*dot = '\0';
	return plan_slug(c, base != NULL ? base + 1 : "scenario");
}

static int compile(struct compile *c, const char *path, struct err *e)
{
	static int (*const parts[])(struct compile *, struct err *) = {
		include,     plan_vars,  plan_top_fields, plan_switches,        plan_nodes,
		plan_probes, plan_state, plan_steps,      plan_rollback_choice, plan_faults,
	};
	struct source *scenario = NULL;
	if (plan_read_file(c, path, NULL, &scenario, e) < 0)
		return -1;
	c->plan->file = scenario->path;
	c->plan->dir = scenario->dir[0] != '\0' ? scenario->dir : ".";
	c->plan->slug = slug_of(c, path);
	const struct json *root = json_root(scenario->doc);
	if (json_type(root) != JSON_OBJECT)
		return json_err(e, scenario->doc, root, "this is %s; write an object",
				json_type_name(root));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i](c, e) < 0)
			return -1;
	return 0;
}

int plan_load(struct plan_doc **ret, const char *path, const struct catalog *catalog,
	      const struct plan_options *options, struct err *e)
{
	static const struct plan_options none;
	struct plan_doc *pd = mem_alloc(sizeof(*pd));
	pd->arena = arena_create();
	struct compile c = {
		.pd = pd,
		.plan = &pd->plan,
		.ctx = { .arena = pd->arena, .file_seen = plan_note_file, .file_arg = pd },
		.catalog = catalog,
		.options = options != NULL ? options : &none,
	};
	if (compile(&c, path, e) < 0) {
		plan_free(pd);
		return -1;
	}
	*ret = pd;
	return 0;
}

void plan_free(struct plan_doc *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->source_count; i++)
		json_doc_free(d->sources[i].doc);
	free(d->files);
	free(d->slugs.items);
	arena_destroy(d->arena);
	free(d);
}

const struct plan *plan_get(const struct plan_doc *d)
{
	return &d->plan;
}

const struct node_plan *plan_node(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->node_count; i++)
		if (strcmp(p->nodes[i].name, name) == 0)
			return &p->nodes[i];
	return NULL;
}

bool plan_goes_forward(const struct plan *p)
{
	return p->rollback < p->rollback_count && p->rollbacks[p->rollback].to == TO_PATCHED;
}

const struct step_plan *plan_step(const struct plan *p, bool in_rollback, size_t index)
{
	return in_rollback ? &p->rollbacks[p->rollback].steps[index] : &p->patch[index];
}

const struct step_plan *plan_fault_step(const struct plan *p, const struct fault_plan *f)
{
	return plan_step(p, f->in_rollback, f->step < 0 ? 0 : (size_t)f->step);
}
