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

static int all_drills(struct session *s, const struct run_options *o, struct err *e)
{
	const struct plan *p = s->plan;
	for (char letter = 'a'; letter <= 'b'; letter++)
		if (*s->interrupted == 0 &&
		    one_drill(s, (struct drill_id){ ROLE_CONTROL, NULL, letter }, e) < 0)
			return -1;
	if (run_conclude(s->run, e) < 0)
		return -1;
	if (!run_worth_drilling(s->run))
		return 0;
	for (size_t i = 0; i < p->fault_count; i++) {
		if (*s->interrupted != 0 || !selected(o, &p->faults[i]))
			continue;
		int drill = one_drill_proved(s, &p->faults[i], e);
		if (drill < 0 || (o->shrink && run_shrink(s, drill, e) < 0))
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
	if (host_require(host_needs_run(s->plan, o->fault), s->state_dir, e) < 0)
		return -1;
	if (session_own(s, e) < 0 || session_seed(s, o->seed, e) < 0)
		return -1;
	const struct roots_note note = { session_note, s, s->runs_dir };
	if (roots_prepare(s->owner, s->plan, &note, &s->roots, e) < 0)
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
