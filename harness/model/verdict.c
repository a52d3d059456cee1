/* SPDX-License-Identifier: MIT */
#include "harness/model/verdict.h"

#include <assert.h>
#include <string.h>

#include "harness/model/judge.h"

static_assert((int)OUTCOME_COUNT <= (int)FINDINGS_MAX, "each row can be a finding");

const char *const state_phase_names[] = { "before", "patched", "after" };
static_assert(sizeof(state_phase_names) / sizeof(state_phase_names[0]) == PHASE_COUNT,
	      "every phase has its name");

/* -1 unless both are known and in order. */
static int64_t between(int64_t from, int64_t to)
{
	return from >= 0 && to >= from ? to - from : -1;
}

static void measure(const struct facts *f, struct timing *t)
{
	bool control = f->role == ROLE_CONTROL;
	*t = (struct timing){
		.window = between(f->patch_begin, f->healthy_since),
		.recovery = between(control ? f->rollback_begin : f->strike, f->healthy_since),
		.detection = between(f->strike, f->detected),
		.decision = between(f->detected, f->rollback_begin),
		.rollback = between(f->rollback_begin, f->rollback_end),
		.healing = between(f->rollback_end, f->healthy_since),
	};
}

static void describe(struct arena *arena, const struct facts *f, struct verdict *v)
{
	const struct event *found = f->first[EVENT_DETECTED];
	if (f->applied != NULL) {
		const struct event *hit = facts_of_fault(f, EVENT_TRIGGER_HIT, f->fault->name);
		const struct event *at = facts_step_at(f, f->applied);
		v->strike =
			arena_printf(arena, "%s; %s; %s step '%s'",
				     facts_text(f->applied, "detail"), facts_text(hit, "detail"),
				     facts_text(at, "section"), facts_text(at, "step"));
	}
	if (f->felt != NULL)
		v->felt = arena_strdup(arena, facts_text(f->felt, "evidence"));
	if (found != NULL)
		v->detected = arena_printf(arena, "%s: %s", facts_text(found, "by"),
					   facts_text(found, "why"));
	v->unstable = f->fault != NULL && f->felt == NULL && f->count[EVENT_PATCH_END] > 0 &&
		      (!f->patch_ok || !f->goal_ok);
}

struct judged_controls {
	struct facts a, b;
	bool has_b;
	struct compared blind, noise; /* a's B -> P; a's P -> b's P where both ended */
};

int verdict_read_controls(struct arena *arena, const struct plan *plan, const struct record *a,
			  const struct record *b, const struct judged_controls **ret, struct err *e)
{
	struct judge j = { .arena = arena, .plan = plan };
	struct judged_controls *c = arena_alloc(arena, sizeof(*c));
	facts_read(arena, plan, NULL, a, &c->a);
	c->a.who = "control-a";
	c->has_b = b != NULL;
	if (c->has_b) {
		facts_read(arena, plan, NULL, b, &c->b);
		c->b.who = "control-b";
	}
	if (c->a.sealed &&
	    judge_compare(&j, &c->a, PHASE_BEFORE, &c->a, PHASE_PATCHED, &c->blind, e) < 0)
		return -1;
	if (c->a.sealed && c->has_b && c->b.sealed &&
	    judge_compare(&j, &c->a, PHASE_PATCHED, &c->b, PHASE_PATCHED, &c->noise, e) < 0)
		return -1;
	*ret = c;
	return 0;
}

/* All comparisons that a row may ask for. A record that did not end has said what it is. */
static int compare(struct judge *j, struct err *e)
{
	struct facts *d = &j->drill, *a = &j->control_a, *k = &j->knockout;
	if (d->sealed && !d->cut_short && judge_arrival(j, d, PHASE_AFTER, &j->residue, e) < 0)
		return -1;
	/* A knock-out in which nothing called for a rollback ends with its patched state. */
	enum state_phase end = k->count[EVENT_NO_ROLLBACK] > 0 ? PHASE_PATCHED : PHASE_AFTER;
	if (j->has_knockout && k->sealed && judge_arrival(j, k, end, &j->knocked, e) < 0)
		return -1;
	if (!j->has_control || !a->sealed || !d->sealed || d->count[EVENT_NO_ROLLBACK] == 0)
		return 0;
	if (judge_compare(j, a, PHASE_PATCHED, d, PHASE_PATCHED, &j->drift, e) < 0)
		return -1;
	if (j->has_control_b && j->control_b.sealed)
		j->drift.visible = state_mask_noise(&j->noise.changes, &j->drift.changes);
	return 0;
}

static int read_controls(struct judge *j, const struct judge_input *in, struct err *e)
{
	const struct judged_controls *c = in->controls;
	j->has_control = in->control_a != NULL;
	if (!j->has_control)
		return 0;
	if (c == NULL &&
	    verdict_read_controls(j->arena, in->plan, in->control_a, in->control_b, &c, e) < 0)
		return -1;
	j->has_control_b = c->has_b;
	j->control_a = c->a;
	j->control_b = c->b;
	j->blind = c->blind;
	j->noise = c->noise;
	return 0;
}

static int read_records(struct judge *j, const struct judge_input *in, struct err *e)
{
	facts_read(j->arena, in->plan, in->fault, in->drill, &j->drill);
	if (in->fault == NULL)
		return 0;
	j->has_knockout = in->knockout != NULL;
	if (j->has_knockout)
		facts_read(j->arena, in->plan, in->fault, in->knockout, &j->knockout);
	j->knockout.who = "the knock-out";
	return read_controls(j, in, e);
}

/* `expect` says which judgements pass. It cannot make a pass of what is no judgement of the
 * rollback at all: not felt, unproven, blind, aborted, broken (laws 1 and 2). */
static void judge_pass(const struct judge *j, struct verdict *v)
{
	int code = outcome_exit(v->outcome);
	bool judged = code == EXIT_OK || code == EXIT_FAILED;
	if (j->fault == NULL) {
		v->pass = v->outcome == OUTCOME_RESTORED;
		return;
	}
	bool expected = (j->fault->expect & OUTCOME_BIT(v->outcome)) != 0;
	v->pass = judged && expected;
	v->unexpected = code == EXIT_OK && !expected;
}

static void apply_table(const struct judge *j, struct verdict *v)
{
	for (size_t i = 0; i < OUTCOME_COUNT; i++) {
		const struct judge_table_row *row = &judge_table[i];
		judge_row holds = j->fault != NULL ? row->drill : row->control;
		const char *evidence = holds != NULL ? holds(j) : NULL;
		if (evidence != NULL)
			v->findings[v->finding_count++] =
				(struct finding){ .outcome = row->outcome, .evidence = evidence };
	}
	/* A record in which nothing at all holds contradicts the flow: our own fault. */
	if (v->finding_count == 0)
		v->findings[v->finding_count++] =
			(struct finding){ .outcome = OUTCOME_HARNESS_ERROR,
					  .evidence =
						  "the journal fits no row of the verdict table" };
	v->outcome = v->findings[0].outcome;
	v->why = v->findings[0].evidence;
}

/* What the verdict says, moved to where it stays. */
static void keep(struct arena *arena, struct verdict *v)
{
	for (size_t i = 0; i < v->finding_count; i++)
		v->findings[i].evidence = arena_strdup(arena, v->findings[i].evidence);
	v->why = v->findings[0].evidence;
	if (v->culprit != NULL)
		v->culprit = arena_strdup(arena, v->culprit);
	v->residue = state_changes_copy(arena, &v->residue);
	v->drift = state_changes_copy(arena, &v->drift);
}

static int judge_record(struct judge *j, const struct judge_input *in, struct arena *arena,
			struct verdict *ret, struct err *e)
{
	if (read_records(j, in, e) < 0 || compare(j, e) < 0)
		return -1;
	measure(&j->drill, &j->timing);
	*ret = (struct verdict){ .timing = j->timing, .forward = j->forward };
	describe(arena, &j->drill, ret);
	if (j->drill.rolled_back) {
		ret->residue = j->residue.changes;
		ret->residue_visible = j->residue.visible;
	}
	ret->drift = j->drift.changes;
	ret->drift_visible = j->drift.visible;
	apply_table(j, ret);
	judge_culprit(j, ret);
	judge_pass(j, ret);
	keep(arena, ret);
	return 0;
}

/* What was compared and is not told goes at once: a knock-out alone may differ in thousands of
 * entries, and a sweep keeps thousands of verdicts. */
int verdict_judge(struct arena *arena, const struct judge_input *in, struct verdict *ret,
		  struct err *e)
{
	struct judge j = { .arena = arena_create(),
			   .plan = in->plan,
			   .fault = in->fault,
			   .forward = plan_goes_forward(in->plan) };
	int result = judge_record(&j, in, arena, ret, e);
	arena_destroy(j.arena);
	return result;
}

int verdict_visible(struct arena *arena, const struct judged_controls *controls,
		    const struct record *knockout, size_t *ret, struct err *e)
{
	const struct facts *a = &controls->a;
	struct changes changes = { 0 };
	for (size_t i = 0; i < knockout->state_count; i++) {
		const struct record_state *s = &knockout->states[i];
		struct state_text from = s->phase[PHASE_BEFORE];
		for (size_t k = 0; plan_goes_forward(a->plan) && k < a->record->state_count; k++)
			if (strcmp(a->record->states[k].node, s->node) == 0)
				from = a->record->states[k].phase[PHASE_PATCHED];
		if (state_diff(arena, s->node, from, s->phase[PHASE_AFTER], &changes, e) < 0)
			return -1;
	}
	*ret = state_mask(&a->plan->state, &changes);
	if (plan_goes_forward(a->plan) && controls->has_b)
		*ret = state_mask_noise(&controls->noise.changes, &changes);
	return 0;
}

bool verdict_needs_knockout(const struct verdict *v)
{
	return v->outcome == OUTCOME_UNPROVEN;
}
