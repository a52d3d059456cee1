/* SPDX-License-Identifier: MIT */
/* The table: one small function a row, in DESIGN's order. Each looks at its own condition only;
 * that the first match wins is the caller's business. Rows 12 to 14 say "clean, in time", so
 * they ask whether any of 8 to 11 holds. */
#include "harness/model/judge.h"

#include <assert.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/mutate.h"

enum { CLOCK_TEXT = 32 };

/* Where the rollback has to end, and the words for having come there. */
static const char *there(const struct judge *j)
{
	return j->forward ? "P" : "B";
}

static const char *arrived(const struct judge *j)
{
	return j->forward ? "at P" : "back at B";
}

static bool called(const struct judge *j)
{
	return j->drill.rolled_back;
}

static const char *problems_of(const struct judge *j, const struct facts *f)
{
	const struct problems *p = &f->problems;
	if (p->count == 0)
		return NULL;
	const char *sep = f->who[0] != '\0' ? ": " : "";
	if (p->count == 1)
		return arena_printf(j->arena, "%s%s%s", f->who, sep, p->text[0]);
	return arena_printf(j->arena, "%s%s%s (and %zu more)", f->who, sep, p->text[0],
			    p->count - 1);
}

static const char *row_harness_error(const struct judge *j)
{
	enum drill_role role = j->fault != NULL ? ROLE_DRILL : ROLE_CONTROL;
	const char *text = problems_of(j, &j->drill);
	const struct event *begin = j->drill.first[EVENT_DRILL_BEGIN];
	if (text == NULL && j->has_knockout)
		text = problems_of(j, &j->knockout);
	if (text == NULL && begin != NULL && j->drill.role != role)
		text = arena_printf(j->arena, "a journal of role '%s' was judged as a %s",
				    facts_text(begin, "role"), drill_role_name(role));
	if (text == NULL && j->fault != NULL && begin != NULL &&
	    strcmp(facts_text(begin, "fault"), j->fault->name) != 0)
		text = arena_printf(j->arena, "a journal of fault '%s' was judged as one of '%s'",
				    facts_text(begin, "fault"), j->fault->name);
	return text;
}

static const char *aborted(const struct judge *j, const struct facts *f)
{
	const char *who = f->who, *sep = f->who[0] != '\0' ? ": " : "";
	if (f->count[EVENT_STOPPED] > 0)
		return arena_printf(j->arena, "%s%sstopped: %s", who, sep,
				    facts_text(f->first[EVENT_STOPPED], "why"));
	if (!f->sealed)
		return arena_printf(j->arena, "%s%sthe journal is unsealed: the harness was killed",
				    who, sep);
	return NULL;
}

static const char *row_aborted(const struct judge *j)
{
	const char *text = aborted(j, &j->drill);
	if (text != NULL || j->fault == NULL)
		return text;
	if (!j->has_control)
		return "there is no control to judge by";
	text = aborted(j, &j->control_a);
	return text == NULL && j->has_control_b ? aborted(j, &j->control_b) : text;
}

static const char *not_steady(const struct judge *j, const struct facts *f)
{
	const char *who = f->who, *sep = f->who[0] != '\0' ? ": " : "";
	const struct event *failed = f->first[EVENT_SERVICE_FAILED];
	const struct event *steady = f->first[EVENT_STEADY_BEFORE];
	if (failed != NULL)
		return arena_printf(j->arena, "%s%sservice '%s' on %s did not start: %s", who, sep,
				    facts_text(failed, "service"), facts_text(failed, "node"),
				    facts_text(failed, "why"));
	if (steady != NULL && !facts_bool(steady, "ok"))
		return arena_printf(j->arena, "%s%snot steady before the patch: %s", who, sep,
				    facts_text(steady, "why"));
	return NULL;
}

static const char *broken_control(const struct judge *j, const struct facts *f)
{
	const char *who = f->who[0] != '\0' ? f->who : "the control";
	const char *text = not_steady(j, f);
	const struct event *end = f->first[EVENT_PATCH_END], *goal = f->first[EVENT_GOAL];
	if (text != NULL)
		return text;
	if (end != NULL && !facts_bool(end, "ok"))
		return arena_printf(j->arena, "%s: the patch fails without any fault: %s", who,
				    facts_text(end, "why"));
	if (goal != NULL && !facts_bool(goal, "ok"))
		return arena_printf(j->arena, "%s: the patch misses its goal '%s': %s", who,
				    facts_text(goal, "probe"), facts_text(goal, "why"));
	if (f->count[EVENT_DETECTED] > 0)
		return arena_printf(j->arena, "%s: a clean patch calls for rollback: %s, %s", who,
				    facts_text(f->first[EVENT_DETECTED], "by"),
				    facts_text(f->first[EVENT_DETECTED], "why"));
	return NULL;
}

static const char *row_broken(const struct judge *j)
{
	if (j->fault == NULL)
		return broken_control(j, &j->drill);
	const char *text = not_steady(j, &j->drill);
	if (text == NULL && j->has_control)
		text = broken_control(j, &j->control_a);
	if (text == NULL && j->has_control_b)
		text = broken_control(j, &j->control_b);
	return text;
}

static const char *row_vacuous(const struct judge *j)
{
	if (!j->has_control || !judge_blind(&j->control_a, &j->blind))
		return NULL;
	return arena_printf(j->arena,
			    "the control's patched state equals B: %zu differences, all "
			    "of them hidden by masks",
			    j->blind.changes.count);
}

static const char *not_reached(const struct judge *j, const char *fault)
{
	const struct facts *f = &j->drill;
	const struct event *failed = facts_of_fault(f, EVENT_FAULT_FAILED, fault);
	bool applied = facts_of_fault(f, EVENT_FAULT_APPLIED, fault) != NULL;
	if (!applied && failed != NULL)
		return arena_printf(j->arena, "fault '%s' could not be applied: %s", fault,
				    facts_text(failed, "why"));
	if (!applied && facts_of_fault(f, EVENT_TRIGGER_HIT, fault) == NULL)
		return arena_printf(j->arena, "fault '%s' was not applied: its trigger never hit",
				    fault);
	if (!applied)
		return arena_printf(j->arena, "fault '%s' was not applied", fault);
	if (MUTANT(verdict_felt))
		return NULL;
	if (facts_of_fault(f, EVENT_FAULT_FELT, fault) == NULL)
		return arena_printf(j->arena, "fault '%s' was applied and not felt", fault);
	return NULL;
}

/* All that are joined have to be met. */
static const char *row_not_reached(const struct judge *j)
{
	const char *why = NULL;
	for (const struct fault_plan *f = j->fault; f != NULL && why == NULL; f = f->next)
		why = not_reached(j, f->name);
	return why;
}

static bool tolerated(const struct judge *j)
{
	return j->drill.goal_ok && j->drill.healthy && j->has_control && j->drift.complete &&
	       j->drift.visible == 0;
}

static const char *row_tolerated(const struct judge *j)
{
	if (j->drill.count[EVENT_NO_ROLLBACK] == 0 || !tolerated(j))
		return NULL;
	return "no rollback was called for; the goal and the steady state hold, and the state is "
	       "the control's";
}

static const char *row_drifted(const struct judge *j)
{
	const struct facts *f = &j->drill;
	if (f->count[EVENT_NO_ROLLBACK] == 0 || tolerated(j))
		return NULL;
	if (!f->goal_ok)
		return arena_printf(j->arena,
				    "no rollback was called for, yet the goal is missed: "
				    "%s",
				    facts_text(f->first[EVENT_GOAL], "why"));
	if (!f->healthy)
		return arena_printf(j->arena, "no rollback was called for, yet not healthy: %s",
				    facts_text(f->first[EVENT_NOT_HEALTHY], "why"));
	if (!j->has_control || !j->drift.complete)
		return "no rollback was called for, and there is no control's state to compare "
		       "with";
	return arena_printf(j->arena,
			    "no rollback was called for, yet the state differs from the "
			    "control's in %s",
			    judge_list(j->arena, &j->drift));
}

static const char *row_stuck(const struct judge *j)
{
	const struct facts *f = &j->drill;
	const struct event *end = f->back_end;
	const struct event *step = f->failed_step;
	if (step != NULL)
		return arena_printf(j->arena, "rollback step '%s' %s: %s", facts_text(step, "step"),
				    facts_bool(step, "timed_out") ? "timed out" : "failed",
				    facts_text(step, "why"));
	if (end != NULL && !facts_bool(end, "ok"))
		return arena_printf(j->arena, "the rollback failed: %s", facts_text(end, "why"));
	return NULL;
}

static const char *row_degraded(const struct judge *j)
{
	const struct event *ev = j->drill.first[EVENT_NOT_HEALTHY];
	return ev != NULL
		       ? arena_printf(j->arena, "not healthy by give_up: %s", facts_text(ev, "why"))
		       : NULL;
}

static const char *row_residue(const struct judge *j)
{
	if (!called(j) || j->residue.visible == 0)
		return NULL;
	return arena_printf(j->arena, "after the rollback the state differs from %s in %s",
			    there(j), judge_list(j->arena, &j->residue));
}

static bool over(int64_t took, int64_t target)
{
	return target > 0 && took > target;
}

static const char *row_late(const struct judge *j)
{
	const struct window_plan *w = &j->plan->window;
	const struct timing *t = &j->timing;
	char took[CLOCK_TEXT], target[CLOCK_TEXT];
	if (!called(j))
		return NULL;
	if (over(t->window, w->target))
		return arena_printf(j->arena, "the window was %s, its target is %s",
				    clock_text(t->window, took, sizeof(took)),
				    clock_text(w->target, target, sizeof(target)));
	if (over(t->recovery, w->recovery))
		return arena_printf(j->arena, "the recovery took %s, its target is %s",
				    clock_text(t->recovery, took, sizeof(took)),
				    clock_text(w->recovery, target, sizeof(target)));
	return NULL;
}

static bool clean_in_time(const struct judge *j)
{
	return called(j) && j->drill.healthy && j->residue.complete && row_stuck(j) == NULL &&
	       row_degraded(j) == NULL && row_residue(j) == NULL && row_late(j) == NULL;
}

/* NULL when the knock-out is a counter-proof: it ran to its end and the same strike hit the same
 * point. Else why it is not. */
static const char *knockout_flaw(const struct judge *j)
{
	const struct facts *d = &j->drill, *k = &j->knockout;
	if (!j->has_knockout)
		return "it was not run";
	if (k->role != ROLE_KNOCKOUT)
		return "the record handed in is not one of a knock-out";
	if (!k->sealed || k->cut_short)
		return "it did not run to its end";
	if (strcmp(facts_text(k->first[EVENT_DRILL_BEGIN], "fault"), j->fault->name) != 0)
		return "it is one of another fault";
	if (k->applied == NULL || k->felt == NULL)
		return k->applied == NULL ? "its fault was not applied" : "its fault was not felt";
	const struct event *ds = facts_step_at(d, d->applied), *ks = facts_step_at(k, k->applied);
	if (ds == NULL || ks == NULL ||
	    strcmp(facts_text(ds, "section"), facts_text(ks, "section")) != 0 ||
	    json_get_int(ds->fields, "index", -1) != json_get_int(ks->fields, "index", -1))
		return "its fault struck in another step";
	const struct event *dh = facts_of_fault(d, EVENT_TRIGGER_HIT, j->fault->name);
	const struct event *kh = facts_of_fault(k, EVENT_TRIGGER_HIT, j->fault->name);
	if ((dh == NULL) != (kh == NULL) ||
	    (dh != NULL && strcmp(facts_text(dh, "kind"), facts_text(kh, "kind")) != 0))
		return "its fault was triggered in another way";
	bool by_state = k->healthy || k->count[EVENT_HEALTH_UNASKED] > 0;
	if (by_state && !j->knocked.complete)
		return "its state was not captured";
	if (k->count[EVENT_HEALTH_UNASKED] > 0 && j->knocked.visible == 0)
		return arena_printf(j->arena, "its health was not asked, and its state is %s",
				    there(j));
	return NULL;
}

/* For a fault inside a rollback the control left un-rolled-back is the counter-proof. It is at P,
 * so one that goes forward has nothing to do there. */
static bool control_serves(const struct judge *j)
{
	return j->fault->in_rollback && !j->has_knockout && j->has_control && j->blind.complete &&
	       (j->forward || j->blind.visible > 0 || !j->control_a.patched_steady);
}

static bool control_ends_well(const struct judge *j)
{
	return j->forward && j->control_a.patched_steady;
}

/* One in which nothing called for a rollback was asked for its goal before. */
static bool knockout_misses_goal(const struct judge *j)
{
	return j->forward && j->knockout.count[EVENT_NO_ROLLBACK] > 0 && !j->knockout.goal_ok;
}

static bool knockout_ends_bad(const struct judge *j)
{
	return !j->knockout.healthy || j->knocked.visible > 0 || knockout_misses_goal(j);
}

static const char *row_restored(const struct judge *j)
{
	if (!clean_in_time(j))
		return NULL;
	if (control_serves(j) && control_ends_well(j))
		return NULL;
	if (control_serves(j))
		return !j->forward && j->blind.visible > 0
			       ? arena_printf(j->arena,
					      "back at B; without rollback the control "
					      "differs from B in %s",
					      judge_list(j->arena, &j->blind))
			       : arena_printf(j->arena,
					      "%s; without rollback the control is not healthy",
					      arrived(j));
	if (knockout_flaw(j) != NULL || !knockout_ends_bad(j))
		return NULL;
	const struct facts *k = &j->knockout;
	if (k->count[EVENT_NOT_HEALTHY] > 0)
		return arena_printf(j->arena, "%s; without rollback not healthy: %s", arrived(j),
				    facts_text(k->first[EVENT_NOT_HEALTHY], "why"));
	if (knockout_misses_goal(j))
		return arena_printf(j->arena, "%s; without rollback the goal is missed: %s",
				    arrived(j), facts_text(k->first[EVENT_GOAL], "why"));
	return arena_printf(j->arena, "%s; without rollback the state differs from %s in %s",
			    arrived(j), there(j), judge_list(j->arena, &j->knocked));
}

static const char *row_harmless(const struct judge *j)
{
	if (!clean_in_time(j))
		return NULL;
	if (control_serves(j))
		return control_ends_well(j) ? "at P; the patch was whole, and the control is there "
					      "without rollback, too"
					    : NULL;
	if (knockout_flaw(j) != NULL || knockout_ends_bad(j))
		return NULL;
	return arena_printf(j->arena, "%s; without rollback it ends healthy and at %s, too",
			    arrived(j), there(j));
}

static const char *row_unproven(const struct judge *j)
{
	if (!clean_in_time(j) || control_serves(j))
		return NULL;
	const char *flaw = knockout_flaw(j);
	return flaw != NULL ? arena_printf(j->arena,
					   "%s, but there is no counter-proof by "
					   "a knock-out: %s",
					   arrived(j), flaw)
			    : NULL;
}

/* The table has no row of its own for a control that passes; see verdict.h. */
static const char *row_clean_rollback(const struct judge *j)
{
	if (!clean_in_time(j))
		return NULL;
	return j->forward ? "behind a clean patch the rollback leaves it at P"
			  : "clean rollback returns to B";
}

const struct judge_table_row judge_table[] = {
	{ OUTCOME_HARNESS_ERROR, row_harness_error, row_harness_error },
	{ OUTCOME_ABORTED, row_aborted, row_aborted },
	{ OUTCOME_BROKEN, row_broken, row_broken },
	{ OUTCOME_VACUOUS, row_vacuous, NULL },
	{ OUTCOME_NOT_REACHED, row_not_reached, NULL },
	{ OUTCOME_TOLERATED, row_tolerated, NULL },
	{ OUTCOME_DRIFTED, row_drifted, NULL },
	{ OUTCOME_STUCK, row_stuck, row_stuck },
	{ OUTCOME_DEGRADED, row_degraded, row_degraded },
	{ OUTCOME_RESIDUE, row_residue, row_residue },
	{ OUTCOME_LATE, row_late, row_late },
	{ OUTCOME_RESTORED, row_restored, row_clean_rollback },
	{ OUTCOME_HARMLESS, row_harmless, NULL },
	{ OUTCOME_UNPROVEN, row_unproven, NULL },
};
static_assert(sizeof(judge_table) / sizeof(judge_table[0]) == OUTCOME_COUNT,
	      "every outcome is one row");
