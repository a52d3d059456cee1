/* SPDX-License-Identifier: MIT */
#include "harness/engine/replay.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/base/tree.h"
#include "harness/engine/catalog.h"
#include "harness/engine/needs.h"
#include "harness/engine/one_drill.h"
#include "harness/engine/roots.h"
#include "harness/sandbox/host.h"

enum { RUN_JSON_MAX = 1 << 20 };

struct replay {
	struct run *run;
	int index;            /* of the recorded drill */
	struct json_doc *doc; /* run.json */
	const char *rollback, *seed;
	struct pairs roots; /* node to digest */
};

static int read_inputs(struct replay *r, struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	GUARD(mem) char *path = mem_printf("%s/run.json", run_view(r->run)->dir);
	if (io_read_file(AT_FDCWD, path, RUN_JSON_MAX, &text, e) < 0 ||
	    json_parse(&r->doc, path, buf_str(&text), text.len, e) < 0)
		return -1;
	const struct json *root = json_root(r->doc), *roots = json_get(root, "roots");
	r->rollback = json_get_string(root, "rollback", NULL);
	r->seed = json_get_string(root, "seed", NULL);
	if (r->rollback == NULL || r->seed == NULL || roots == NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "%s: \"rollback\", \"seed\" or \"roots\" is missing", path);
	r->roots.items = mem_array(json_size(roots) + 1, sizeof(*r->roots.items));
	for (const struct json *v = json_first(roots); v != NULL; v = json_next(v)) {
		const char *digest = json_string(v) != NULL ? json_string(v) : "";
		r->roots.items[r->roots.count++] = (struct pair){ json_key(v), digest };
	}
	return 0;
}

static int choose(const struct run *run, struct err *e)
{
	const struct run_view *v = run_view(run);
	int only = -1, failed = -1, not_passed = -1;
	size_t drills = 0;
	for (size_t i = v->count; i-- > 0;) {
		const struct verdict *verdict = &v->items[i].verdict;
		if (v->items[i].role != ROLE_DRILL)
			continue;
		drills++;
		only = (int)i;
		if (!verdict->pass)
			not_passed = (int)i;
		if (verdict_failed(verdict))
			failed = (int)i;
	}
	if (failed >= 0 || not_passed >= 0)
		return failed >= 0 ? failed : not_passed;
	if (drills == 1)
		return only;
	if (drills == 0)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "run '%s' has no drill", v->dir);
	return ERR_AS(e, EXIT_USAGE_ERROR, 0,
		      "every drill of '%s' passed: name one (`backout show %s` lists them)", v->dir,
		      v->dir);
}

int replay_open(struct replay **ret, const char *run_dir, const char *drill, struct err *e)
{
	struct replay *r = mem_alloc(sizeof(*r));
	int result = drill != NULL ? run_load_drill(&r->run, run_dir, drill, &r->index, e)
				   : run_load(&r->run, run_dir, e);
	if (result == 0 && drill == NULL)
		result = r->index = choose(r->run, e);
	if (result >= 0)
		result = read_inputs(r, e);
	if (result < 0) {
		replay_close(r);
		return -1;
	}
	*ret = r;
	return 0;
}

void replay_close(struct replay *r)
{
	if (r == NULL)
		return;
	run_free(r->run);
	json_doc_free(r->doc);
	free(r->roots.items);
	free(r);
}

const struct run_view *replay_view(const struct replay *r)
{
	return run_view(r->run);
}

const struct pairs *replay_roots(const struct replay *r)
{
	return &r->roots;
}

const struct run_item *replay_recorded(const struct replay *r)
{
	return &run_view(r->run)->items[r->index];
}

/* The recorded fault in a plan compiled anew. */
static int find_fault(const struct replay *r, struct plan_doc *doc, const struct fault_plan **ret,
		      struct err *e)
{
	const struct plan *p = plan_get(doc);
	const struct fault_plan *recorded = replay_recorded(r)->fault;
	for (size_t i = 0; i < p->fault_count; i++) {
		*ret = &p->faults[i];
		if (strcmp(p->faults[i].slug, recorded->slug) == 0)
			return 0;
	}
	GUARD(mem)
	char *origin =
		mem_printf("%s/%s/" FAULT_FILE, run_view(r->run)->dir, replay_recorded(r)->label);
	return plan_add_fault_as(doc, recorded->slug, origin, recorded->text, catalog_get(), ret,
				 e);
}

int replay_prepare(const struct replay *r, struct session *s, const struct fault_plan **ret,
		   struct err *e)
{
	const struct plan_options options = { .rollback = r->rollback, .archived = true };
	const struct roots_note note = { session_note, s, s->runs_dir };
	GUARD(mem) char *scenario = mem_printf("%s/scenario.json", run_view(r->run)->dir);
	if (plan_load(&s->doc, scenario, catalog_get(), &options, e) < 0 ||
	    find_fault(r, s->doc, ret, e) < 0)
		return -1;
	s->plan = plan_get(s->doc);
	if (host_require_owned(host_needs_again(s->plan, *ret), s->owner, e) < 0 ||
	    session_seed(s, r->seed, e) < 0)
		return -1;
	return roots_again(s->owner, s->plan, &r->roots, &note, &s->roots, e);
}

static int take_controls(const struct replay *r, struct session *s, struct err *e)
{
	for (char letter = 'a'; letter <= 'b'; letter++) {
		GUARD(mem) char *label = run_label(ROLE_CONTROL, NULL, letter);
		GUARD(mem) char *from = mem_printf("%s/%s", run_view(r->run)->dir, label);
		GUARD(mem) char *to = mem_printf("%s/%s", s->dir, label);
		if (access(from, F_OK) < 0)
			continue;
		if (tree_link(from, to, e) < 0 ||
		    run_add(s->run, ROLE_CONTROL, NULL, letter, e) < 0)
			return err_prefix(e, "the controls of '%s'", run_view(r->run)->dir);
	}
	return run_conclude(s->run, e);
}

int replay_begin(const struct replay *r, struct session *s, const struct fault_plan **ret,
		 struct err *e)
{
	GUARD_BUF struct buf more = { 0 };
	buf_puts(&more, "\"replays\":{\"run\":");
	buf_json(&more, run_view(r->run)->id);
	buf_puts(&more, ",\"drill\":");
	buf_json(&more, replay_recorded(r)->label);
	buf_putc(&more, '}');
	if (replay_prepare(r, s, ret, e) < 0 || session_folder(s, buf_str(&more), e) < 0)
		return -1;
	s->index = 0;
	s->total = 1;
	return take_controls(r, s, e);
}

int replay_once(const struct replay *r, struct session *s, struct err *e)
{
	const struct fault_plan *fault = NULL;
	if (replay_begin(r, s, &fault, e) < 0)
		return -1;
	int drill = one_drill_proved(s, fault, e);
	return drill < 0 || run_conclude(s->run, e) < 0 ? -1 : drill;
}
