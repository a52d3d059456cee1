/* SPDX-License-Identifier: MIT */
#include "harness/engine/run.h"

#include <string.h>

#include "harness/engine/catalog.h"
#include "harness/engine/needs.h"
#include "harness/engine/one_drill.h"
#include "harness/engine/roots.h"
#include "harness/engine/run_shrink.h"
#include "harness/sandbox/host.h"

static bool selected(const struct run_options *o, const struct fault_plan *f)
{
	return o->fault == NULL || strcmp(o->fault, f->name) == 0 || strcmp(o->fault, f->slug) == 0;
}

/* Index of the drill's item, or -1. */
static int drill_and_knockout(struct session *s, const struct fault_plan *f, struct err *e)
{
	int drill = one_drill(s, (struct drill_id){ ROLE_DRILL, f, 0 }, e);
	if (drill < 0)
		return -1;
	if (*s->interrupted == 0 && one_drill_needs_knockout(s, drill) &&
	    one_knockout(s, drill, e) < 0)
		return -1;
	return one_drill_settle(s, drill, e) < 0 ? -1 : drill;
}

/* A workflow that fails by itself, or an oracle that is blind, makes every drill worthless. */
static bool worth_drilling(const struct session *s)
{
	const struct run_view *v = run_view(s->run);
	for (size_t i = 0; i < v->count; i++) {
		enum outcome o = v->items[i].verdict.outcome;
		if (o == OUTCOME_HARNESS_ERROR || o == OUTCOME_ABORTED || o == OUTCOME_BROKEN)
			return false;
	}
	return !v->controls.vacuous;
}

static int all_drills(struct session *s, const struct run_options *o, struct err *e)
{
	const struct plan *p = s->plan;
	for (char letter = 'a'; letter <= 'b'; letter++)
		if (*s->interrupted == 0 &&
		    one_drill(s, (struct drill_id){ ROLE_CONTROL, NULL, letter }, e) < 0)
			return -1;
	if (run_conclude(s->run, e) < 0)
		return -1;
	if (!worth_drilling(s))
		return 0;
	for (size_t i = 0; i < p->fault_count; i++) {
		if (*s->interrupted != 0 || !selected(o, &p->faults[i]))
			continue;
		int drill = drill_and_knockout(s, &p->faults[i], e);
		if (drill < 0 || (o->shrink && run_shrink(s, drill, drill_and_knockout, e) < 0))
			return -1;
	}
	return run_conclude(s->run, e);
}

static int execute(struct session *s, const struct run_options *o, struct err *e)
{
	for (size_t i = 0; i < s->plan->fault_count; i++)
		s->total += selected(o, &s->plan->faults[i]);
	if (o->fault != NULL && s->total == 0)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "no fault is called '%s'", o->fault);
	s->total += 2; /* the controls */
	if (host_require(host_needs(s->plan), s->state_dir, e) < 0)
		return -1;
	if (session_own(s, e) < 0 || session_seed(s, o->seed, e) < 0)
		return -1;
	if (roots_prepare(s->owner, s->plan, session_note, s, &s->roots, e) < 0)
		return -1;
	if (session_folder(s, NULL, e) < 0)
		return -1;
	return all_drills(s, o, e);
}

int run_execute(struct run **ret, const struct run_options *o, const struct run_progress *p,
		int *interrupted, struct err *e)
{
	struct plan_options options = { .rollback = o->rollback, .vars = o->vars };
	struct session s = {
		.state_dir = o->state_dir,
		.runs_dir = o->runs_dir,
		.progress = p,
		.keep = o->keep,
		.interrupted = interrupted,
	};
	*interrupted = 0;
	if (plan_load(&s.doc, o->scenario, catalog_get(), &options, e) < 0)
		return -1;
	s.plan = plan_get(s.doc);
	int result = session_disown(&s, execute(&s, o, e), e);
	session_close(&s);
	if (result == 0)
		*ret = s.run;
	else
		run_free(s.run);
	return result;
}
