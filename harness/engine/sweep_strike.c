/* SPDX-License-Identifier: MIT */
#include "harness/engine/sweep_strike.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/engine/catalog.h"
#include "harness/engine/recorder.h"
#include "harness/model/json.h"

static const struct row {
	const char *name;
	bool takes_arg;
	const char *before, *after; /* the argument stands between them, as a JSON string */
	const char *help;
	enum strike_leaves leaves;
	bool needs_call;
} rows[] = {
	{ "kill", false, "{\"process.kill\":{\"target\":\"tree\"}}", "", "kill", LEAVES_WRITTEN,
	  false },
	{ "crash", false, "{\"node.crash\":{}}", "", "crash", LEAVES_BOOTED, false },
	{ "power", false, "{\"node.power\":{}}", "", "power", LEAVES_DURABLE, false },
	{ "errno", true, "{\"syscall.fail\":{\"errno\":", "}}", "errno:ENOSPC", LEAVES_MEMORY,
	  true },
	{ "delay", true, "{\"syscall.delay\":{\"by\":", "}}", "delay:2s", LEAVES_MEMORY, true },
};
enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static const struct fault_plan *named(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->fault_count; i++)
		if (strcmp(plan->faults[i].name, name) == 0 ||
		    strcmp(plan->faults[i].slug, name) == 0)
			return &plan->faults[i];
	return NULL;
}

static int of_scenario(struct sweep_strike *ret, const struct fault_plan *f, struct err *e)
{
	struct json_doc *doc;
	struct buf text = { 0 };
	if (json_parse(&doc, f->name, f->text, strlen(f->text), e) < 0)
		return -1;
	json_print(json_get(json_root(doc), "inject"), &text);
	json_doc_free(doc);
	*ret = (struct sweep_strike){ .word = f->slug,
				      .inject = buf_take(&text),
				      .extra = "",
				      .leaves = LEAVES_MEMORY,
				      .needs_call = f->injector->answers_call };
	return 0;
}

static int unknown(const char *text, struct err *e)
{
	struct buf list GUARD_BUF = { 0 };
	for (size_t i = 0; i < ROW_COUNT; i++)
		buf_printf(&list, "%s, ", rows[i].help);
	return ERR_AS(e, EXIT_USAGE_ERROR, 0,
		      "--strike: '%s' is none; write %sor the name of one of the scenario's faults",
		      text, buf_str(&list));
}

int sweep_strike_parse(struct sweep_strike *ret, const char *text, const struct plan *plan,
		       struct err *e)
{
	const char *colon = strchr(text, ':');
	size_t len = colon != NULL ? (size_t)(colon - text) : strlen(text);
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct row *r = &rows[i];
		if (strlen(r->name) != len || strncmp(r->name, text, len) != 0 ||
		    r->takes_arg != (colon != NULL))
			continue;
		struct buf inject = { 0 };
		buf_puts(&inject, r->before);
		if (r->takes_arg)
			buf_json(&inject, colon + 1);
		buf_puts(&inject, r->after);
		*ret = (struct sweep_strike){ .word = r->name,
					      .inject = buf_take(&inject),
					      .extra = "",
					      .leaves = r->leaves,
					      .needs_call = r->needs_call };
		return 0;
	}
	const struct fault_plan *f = named(plan, text);
	return f != NULL ? of_scenario(ret, f, e) : unknown(text, e);
}

int sweep_strike_fits(const struct sweep_strike *s, const char *points, struct err *e)
{
	if (s->needs_call && strcmp(points, "calls") != 0)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "--strike %s answers a system call, and --points %s holds none; take "
			      "--points calls",
			      s->word, points);
	if (s->leaves == LEAVES_WRITTEN && strcmp(points, "steps") == 0)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "--strike %s kills a step's programs, and none runs at a step's "
			      "edge; take --points calls or programs",
			      s->word);
	return 0;
}

bool sweep_strike_leaves_state(const struct sweep_strike *s)
{
	return s->leaves == LEAVES_WRITTEN || s->leaves == LEAVES_BOOTED;
}

bool sweep_strike_merges(const struct sweep_strike *s)
{
	return s->leaves != LEAVES_MEMORY;
}

void sweep_strike_free(struct sweep_strike *s)
{
	free(s->inject);
	*s = (struct sweep_strike){ 0 };
}

/* Members of an object. */
static void put_strike(const struct sweep_strike *s, const struct strike_place *at, struct buf *out)
{
	buf_printf(out, "\"inject\":%s,\"at\":{\"section\":\"%s\",\"step\":", s->inject,
		   at->in_rollback ? "rollback" : "patch");
	buf_json(out, at->step);
	if (strcmp(at->key, POINT_STEP_STARTS) == 0) {
		buf_puts(out, ",\"edge\":\"start\"");
	} else if (strcmp(at->key, POINT_STEP_ENDS) == 0) {
		buf_puts(out, ",\"edge\":\"end\"");
	} else if (strncmp(at->key, POINT_LINE, strlen(POINT_LINE)) == 0) {
		buf_printf(out, ",\"line\":{\"nth\":%s}", at->key + strlen(POINT_LINE));
	} else {
		buf_puts(out, ",\"point\":{\"key\":");
		buf_json(out, at->key);
		buf_puts(out, "}");
	}
	buf_printf(out, "}%s%s", s->extra, at->in_rollback ? ",\"again\":true" : "");
	/* A node that dies inside the rollback has to be up for its second try. */
	if (at->in_rollback && s->leaves >= LEAVES_BOOTED)
		buf_puts(out, ",\"until\":\"step_end\"");
}

void sweep_strike_fault(const struct sweep_strike *s, const char *name,
			const struct strike_place *at, struct buf *out)
{
	buf_puts(out, "{\"name\":");
	buf_json(out, name);
	buf_putc(out, ',');
	put_strike(s, at, out);
	buf_putc(out, '}');
}

void sweep_strike_pair(const struct sweep_strike *s, const char *name,
		       const struct strike_place *first, const struct strike_place *second,
		       struct buf *out)
{
	buf_puts(out, "{\"name\":");
	buf_json(out, name);
	buf_puts(out, ",\"all\":[{");
	put_strike(s, first, out);
	buf_puts(out, "},{");
	put_strike(s, second, out);
	buf_puts(out, "}]}");
}

int sweep_strike_try(const struct sweep_strike *s, struct plan_doc *doc, const struct plan *plan,
		     struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	const struct fault_plan *f;
	const struct strike_place at = { .step = plan->patch[0].name,
					 .key = "openat /a, in sh, #1" };
	sweep_strike_fault(s, "try", &at, &text);
	if (plan_add_fault(doc, "--strike", buf_str(&text), catalog_get(), &f, e) == 0)
		return 0;
	e->exit = EXIT_USAGE_ERROR;
	return -1;
}
