/* SPDX-License-Identifier: MIT */
/* What a journal of ours can never look like. A hit here is a defect of the harness (row 1), so
 * each rule is one that the flow of a drill guarantees. */
#include "harness/model/facts.h"

#include <inttypes.h>
#include <string.h>

/* `what` never without `after` somewhere before it. */
static const struct {
	enum event_kind what, after;
} needs[] = {
	{ EVENT_STEADY_BEFORE, EVENT_DRILL_BEGIN },
	{ EVENT_PATCH_BEGIN, EVENT_STEADY_BEFORE },
	{ EVENT_STEP_BEGIN, EVENT_PATCH_BEGIN },
	{ EVENT_STEP_END, EVENT_STEP_BEGIN },
	{ EVENT_FAULT_APPLIED, EVENT_PATCH_BEGIN },
	{ EVENT_NODE_DOWN, EVENT_PATCH_BEGIN },
	{ EVENT_SERVICE_DOWN, EVENT_NODE_DOWN },
	{ EVENT_PATCH_END, EVENT_PATCH_BEGIN },
	{ EVENT_GOAL, EVENT_PATCH_END },
	{ EVENT_NO_ROLLBACK, EVENT_PATCH_END },
	{ EVENT_ROLLBACK_BEGIN, EVENT_PATCH_END },
	{ EVENT_ROLLBACK_END, EVENT_ROLLBACK_BEGIN },
	{ EVENT_ROLLBACK_AGAIN, EVENT_ROLLBACK_END },
	{ EVENT_PATCH_AGAIN, EVENT_ROLLBACK_END },
	{ EVENT_ROLLBACK_SKIPPED, EVENT_PATCH_END },
	{ EVENT_HEALTH_UNASKED, EVENT_ROLLBACK_SKIPPED },
	{ EVENT_BRANCHED, EVENT_PATCH_BEGIN },
	{ EVENT_HEALTHY, EVENT_PATCH_END },
	{ EVENT_NOT_HEALTHY, EVENT_PATCH_END },
};

/* `what` never behind `end`. */
static const struct {
	enum event_kind what, end;
} never[] = {
	{ EVENT_PATCH_BEGIN, EVENT_ROLLBACK_BEGIN },
	{ EVENT_STEP_BEGIN, EVENT_HEALTHY },
	{ EVENT_STEP_BEGIN, EVENT_NOT_HEALTHY },
	{ EVENT_STEP_END, EVENT_HEALTHY },
	{ EVENT_STEP_END, EVENT_NOT_HEALTHY },
	{ EVENT_FAULT_APPLIED, EVENT_HEALTHY },
	{ EVENT_NODE_DOWN, EVENT_HEALTHY },
	{ EVENT_NODE_DOWN, EVENT_NOT_HEALTHY },
	{ EVENT_FAULT_APPLIED, EVENT_NOT_HEALTHY },
	{ EVENT_ROLLBACK_BEGIN, EVENT_HEALTHY },
	{ EVENT_ROLLBACK_BEGIN, EVENT_NOT_HEALTHY },
	{ EVENT_ROLLBACK_END, EVENT_HEALTHY },
	{ EVENT_ROLLBACK_END, EVENT_NOT_HEALTHY },
	{ EVENT_ROLLBACK_AGAIN, EVENT_HEALTHY },
	{ EVENT_ROLLBACK_AGAIN, EVENT_NOT_HEALTHY },
	{ EVENT_HEALTHY, EVENT_HEALTH_UNASKED },
	{ EVENT_NOT_HEALTHY, EVENT_HEALTH_UNASKED },
	{ EVENT_HEALTHY, EVENT_NOT_HEALTHY },
	{ EVENT_NOT_HEALTHY, EVENT_HEALTHY },
	{ EVENT_NO_ROLLBACK, EVENT_DETECTED },
	{ EVENT_ROLLBACK_BEGIN, EVENT_NO_ROLLBACK },
	{ EVENT_NO_ROLLBACK, EVENT_ROLLBACK_BEGIN },
	{ EVENT_ROLLBACK_SKIPPED, EVENT_ROLLBACK_BEGIN },
	{ EVENT_ROLLBACK_BEGIN, EVENT_ROLLBACK_SKIPPED },
	{ EVENT_STATE_CAPTURED, EVENT_PATCH_AGAIN },
	{ EVENT_HEALTHY, EVENT_PATCH_AGAIN },
	{ EVENT_NOT_HEALTHY, EVENT_PATCH_AGAIN },
	{ EVENT_PATCH_AGAIN, EVENT_TEARDOWN },
	{ EVENT_STATE_CAPTURED, EVENT_TEARDOWN },
	{ EVENT_HEALTHY, EVENT_TEARDOWN },
	{ EVENT_NOT_HEALTHY, EVENT_TEARDOWN },
};

/* At most once. */
static const enum event_kind once[] = {
	EVENT_DRILL_BEGIN, EVENT_STEADY_BEFORE,  EVENT_PATCH_BEGIN,      EVENT_PATCH_END,
	EVENT_NO_ROLLBACK, EVENT_ROLLBACK_BEGIN, EVENT_ROLLBACK_SKIPPED, EVENT_HEALTHY,
	EVENT_NOT_HEALTHY, EVENT_HEALTH_UNASKED, EVENT_TEARDOWN,         EVENT_SEALED,
	EVENT_PATCH_AGAIN,
};

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* A step of the patch that is run once more, behind all that is judged. */
static bool is_again(const struct event *ev)
{
	return (ev->kind == EVENT_STEP_BEGIN || ev->kind == EVENT_STEP_END) &&
	       strcmp(facts_text(ev, "section"), "patch again") == 0;
}

static void check_order(struct arena *arena, struct facts *f)
{
	bool seen[EVENT_KIND_COUNT] = { false };
	int64_t t = 0;
	for (size_t i = 0; i < journal_count(f->journal); i++) {
		const struct event *ev = journal_at(f->journal, i);
		const char *name = event_name(ev->kind);
		if (i == 0 && ev->kind != EVENT_DRILL_BEGIN)
			facts_problem(arena, f, "the journal begins with %s", name);
		if (ev->t < t)
			facts_problem(arena, f, "time goes back by %" PRId64 " ns at %s (line %zu)",
				      t - ev->t, name, i + 1);
		if (seen[EVENT_SEALED])
			facts_problem(arena, f, "%s after sealed", name);
		for (size_t k = 0; k < LEN(needs); k++)
			if (needs[k].what == ev->kind && !seen[needs[k].after])
				facts_problem(arena, f, "%s without %s before it", name,
					      event_name(needs[k].after));
		for (size_t k = 0; k < LEN(never) && !is_again(ev); k++)
			if (never[k].what == ev->kind && seen[never[k].end])
				facts_problem(arena, f, "%s after %s", name,
					      event_name(never[k].end));
		t = ev->t;
		seen[ev->kind] = true;
	}
	for (size_t i = 0; i < LEN(once); i++)
		if (f->count[once[i]] > 1)
			facts_problem(arena, f, "%s %zu times", event_name(once[i]),
				      f->count[once[i]]);
	if (f->count[EVENT_ROLLBACK_END] > 1 + f->count[EVENT_ROLLBACK_AGAIN])
		facts_problem(arena, f, "%s %zu times", event_name(EVENT_ROLLBACK_END),
			      f->count[EVENT_ROLLBACK_END]);
}

struct section {
	const char *name;
	const struct step_plan *steps;
	size_t count;
	enum event_kind end;
};

/* Each step begins at most once and is one of the plan's; a section that says ok has run them
 * all, each with success or allowed to fail. A patch may end early, but only if that was called
 * out as a lost steady state. */
static void check_steps(struct arena *arena, struct facts *f, const struct section *s)
{
	bool began[PLAN_STEPS_MAX] = { false }, ended[PLAN_STEPS_MAX] = { false };
	const bool cut = s->end == EVENT_PATCH_END && f->count[EVENT_DETECTED] > 0;
	const bool back = s->end == EVENT_ROLLBACK_END;
	const bool says_ok = facts_bool(back ? f->back_end : f->first[s->end], "ok") && !cut;
	size_t good = 0;

	for (size_t i = 0; i < journal_count(f->journal); i++) {
		const struct event *ev = journal_at(f->journal, i);
		bool begin = ev->kind == EVENT_STEP_BEGIN;
		if (back && ev->kind == EVENT_ROLLBACK_AGAIN) { /* all over, from its start */
			memset(began, 0, sizeof(began));
			memset(ended, 0, sizeof(ended));
			good = 0;
		}
		if ((!begin && ev->kind != EVENT_STEP_END) ||
		    strcmp(facts_text(ev, "section"), s->name) != 0)
			continue;
		const char *step = facts_text(ev, "step");
		int64_t n = json_get_int(ev->fields, "index", -1);
		if (n < 0 || n >= (int64_t)s->count || n >= PLAN_STEPS_MAX) {
			facts_problem(arena, f,
				      "%s step '%s' has index %" PRId64 ", the plan has %zu steps",
				      s->name, step, n, s->count);
			continue;
		}
		bool *flag = begin ? &began[n] : &ended[n];
		if (strcmp(s->steps[n].name, step) != 0)
			facts_problem(arena, f, "%s step %" PRId64 " is '%s', the plan says '%s'",
				      s->name, n, step, s->steps[n].name);
		if (*flag)
			facts_problem(arena, f, "%s step '%s' %s twice", s->name, step,
				      begin ? "begins" : "ends");
		if (!begin && !began[n])
			facts_problem(arena, f, "%s step '%s' ends and never began", s->name, step);
		*flag = true;
		good += !begin && (facts_bool(ev, "ok") || facts_bool(ev, "may_fail"));
	}
	if (says_ok && good != s->count)
		facts_problem(arena, f, "%s says ok with %zu of %zu steps done", event_name(s->end),
			      good, s->count);
}

static void check_healthy(struct arena *arena, struct facts *f)
{
	const struct event *ev = f->first[EVENT_HEALTHY];
	if (ev == NULL)
		return;
	const struct event *from = f->back_end;
	if (from == NULL)
		from = f->first[EVENT_ROLLBACK_SKIPPED];
	if (f->healthy_since < 0 || f->healthy_since > ev->t)
		facts_problem(arena, f, "healthy since %" PRId64 " ns, said at %" PRId64 " ns",
			      f->healthy_since, ev->t);
	else if (ev->t - f->healthy_since < f->plan->window.settle)
		facts_problem(arena, f, "healthy for %" PRId64 " ns, settle is %" PRId64 " ns",
			      ev->t - f->healthy_since, f->plan->window.settle);
	if (from != NULL && f->healthy_since < from->t)
		facts_problem(arena, f,
			      "healthy since %" PRId64 " ns, which is before %s at %" PRId64 " ns",
			      f->healthy_since, event_name(from->kind), from->t);
}

/* Each fingerprint is taken once, in its place. */
static void check_states(struct arena *arena, struct facts *f)
{
	static const enum event_kind from[PHASE_COUNT] = {
		[PHASE_BEFORE] = EVENT_STEADY_BEFORE,
		[PHASE_PATCHED] = EVENT_PATCH_END,
		[PHASE_AFTER] = EVENT_PATCH_END,
	};
	bool patch = false, verdict_on_health = false, seen[EVENT_KIND_COUNT] = { false };
	for (size_t i = 0; i < journal_count(f->journal); i++) {
		const struct event *ev = journal_at(f->journal, i);
		seen[ev->kind] = true;
		patch |= ev->kind == EVENT_PATCH_BEGIN;
		verdict_on_health |= ev->kind == EVENT_HEALTHY || ev->kind == EVENT_NOT_HEALTHY ||
				     ev->kind == EVENT_ROLLBACK_SKIPPED;
		if (ev->kind != EVENT_STATE_CAPTURED)
			continue;
		const char *phase = facts_text(ev, "phase"), *node = facts_text(ev, "node");
		int p = 0;
		while (p < PHASE_COUNT && strcmp(phase, state_phase_names[p]) != 0)
			p++;
		if (p == PHASE_COUNT)
			facts_problem(arena, f, "node '%s' captured in unknown phase '%s'", node,
				      phase);
		else if (!seen[from[p]] || (p == PHASE_BEFORE && patch) ||
			 (p == PHASE_PATCHED && seen[EVENT_ROLLBACK_BEGIN]) ||
			 (p == PHASE_AFTER && !verdict_on_health))
			facts_problem(arena, f, "state '%s' of node '%s' captured out of its place",
				      phase, node);
		else if (facts_captured(f->journal, node, (enum state_phase)p) != ev)
			facts_problem(arena, f, "state '%s' of node '%s' captured twice", phase,
				      node);
	}
}

/* Up, down, up: in turn for each node, and none is captured while it is down. */
static void check_nodes(struct arena *arena, struct facts *f)
{
	for (size_t k = 0; k < f->plan->node_count; k++) {
		const char *node = f->plan->nodes[k].name;
		bool up = false, known = false;
		for (size_t i = 0; i < journal_count(f->journal); i++) {
			const struct event *ev = journal_at(f->journal, i);
			bool rises = ev->kind == EVENT_NODE_UP, falls = ev->kind == EVENT_NODE_DOWN;
			bool captured = ev->kind == EVENT_STATE_CAPTURED;
			known = known && ev->kind != EVENT_BRANCHED; /* other nodes from here */
			if ((!rises && !falls && !captured) ||
			    strcmp(facts_text(ev, "node"), node) != 0)
				continue;
			if (known && rises == up && !captured)
				facts_problem(arena, f, "%s of node '%s', which %s",
					      event_name(ev->kind), node, up ? "is up" : "is down");
			if (known && captured && !up)
				facts_problem(arena, f, "node '%s' captured while it is down",
					      node);
			known = known || !captured;
			up = captured ? up : rises;
		}
	}
}

static void need(struct arena *arena, struct facts *f, bool there, const char *what)
{
	if (!there)
		facts_problem(arena, f, "the journal is sealed without %s", what);
}

static void need_states(struct arena *arena, struct facts *f, enum state_phase phase)
{
	for (size_t i = 0; i < facts_node_count(f->plan); i++)
		if (facts_captured(f->journal, facts_node(f->plan, i), phase) == NULL)
			facts_problem(arena, f,
				      "the journal is sealed without state '%s' of node '%s'",
				      state_phase_names[phase], facts_node(f->plan, i));
}

/* A workflow that ran to its end has said all this. */
static void check_complete(struct arena *arena, struct facts *f)
{
	const size_t *n = f->count;
	bool clean = facts_bool(f->first[EVENT_ROLLBACK_BEGIN], "clean");
	need(arena, f, n[EVENT_STEADY_BEFORE] > 0, "steady.before");
	need(arena, f, n[EVENT_PATCH_BEGIN] > 0, "patch.begin");
	need(arena, f, n[EVENT_PATCH_END] > 0, "patch.end");
	need(arena, f, n[EVENT_HEALTHY] + n[EVENT_NOT_HEALTHY] + n[EVENT_HEALTH_UNASKED] > 0,
	     "healthy or not_healthy");
	need(arena, f,
	     n[EVENT_ROLLBACK_BEGIN] + n[EVENT_ROLLBACK_SKIPPED] + n[EVENT_NO_ROLLBACK] > 0,
	     "rollback.begin, rollback.skipped or rollback.not_called");
	need(arena, f, !f->rolled_back || n[EVENT_ROLLBACK_END] > 0, "rollback.end");
	need(arena, f, n[EVENT_NO_ROLLBACK] > 0 || clean || n[EVENT_DETECTED] > 0, "detected");
	if (f->patch_ok && n[EVENT_DETECTED] == 0)
		need(arena, f, f->plan->goal_count == 0 || n[EVENT_GOAL] > 0, "goal");
	need_states(arena, f, PHASE_BEFORE);
	if (n[EVENT_NO_ROLLBACK] > 0 || (f->role == ROLE_CONTROL && clean))
		need_states(arena, f, PHASE_PATCHED);
	if (n[EVENT_NO_ROLLBACK] == 0)
		need_states(arena, f, PHASE_AFTER);
}

static bool may_run_again(const struct fault_plan *fault)
{
	for (; fault != NULL; fault = fault->next)
		if (fault->in_rollback)
			return true;
	return false;
}

/* A control's may, when it is to show that a whole rollback can be run again. */
static bool was_asked_again(const struct facts *f)
{
	const struct event *again = f->first[EVENT_ROLLBACK_AGAIN];
	return f->role == ROLE_CONTROL && f->count[EVENT_ROLLBACK_AGAIN] == 1 &&
	       facts_bool(again, "asked") && facts_bool(f->first[EVENT_ROLLBACK_END], "ok");
}

static void check_role(struct arena *arena, struct facts *f)
{
	const struct event *begin = f->first[EVENT_DRILL_BEGIN];
	int64_t format = begin != NULL ? json_get_int(begin->fields, "format", -1) : JOURNAL_FORMAT;
	bool clean = facts_bool(f->first[EVENT_ROLLBACK_BEGIN], "clean");
	if (format != JOURNAL_FORMAT)
		facts_problem(arena, f, "journal format %" PRId64 ", this version reads %d", format,
			      JOURNAL_FORMAT);
	if (f->role == ROLE_CONTROL && f->count[EVENT_FAULT_APPLIED] > 0)
		facts_problem(arena, f, "fault '%s' struck a control",
			      facts_text(f->first[EVENT_FAULT_APPLIED], "fault"));
	if (f->role == ROLE_CONTROL && f->count[EVENT_NO_ROLLBACK] > 0)
		facts_problem(arena, f, "a control without a rollback");
	if (f->role == ROLE_KNOCKOUT && f->rolled_back)
		facts_problem(arena, f, "a rollback ran in a knock-out");
	if (f->role != ROLE_KNOCKOUT && f->count[EVENT_HEALTH_UNASKED] > 0)
		facts_problem(arena, f, "health was not asked, and this is no knock-out");
	if (f->count[EVENT_ROLLBACK_AGAIN] > 0 && !may_run_again(f->fault) && !was_asked_again(f))
		facts_problem(arena, f, "a rollback ran twice that no fault struck");
	if (f->role == ROLE_DRILL && f->count[EVENT_ROLLBACK_SKIPPED] > 0)
		facts_problem(arena, f, "the rollback of a drill was left out");
	if (clean && f->role == ROLE_DRILL && (f->fault == NULL || !f->fault->in_rollback))
		facts_problem(arena, f,
			      "a clean rollback in a drill whose fault strikes the patch");
	if (f->rolled_back && !clean && f->count[EVENT_DETECTED] == 0)
		facts_problem(arena, f, "rollback.begin without detected before it");
}

static void check_leftovers(struct arena *arena, struct facts *f)
{
	const struct event *teardown = f->first[EVENT_TEARDOWN];
	const struct event *error = f->first[EVENT_HARNESS_ERROR];
	int64_t left = teardown != NULL ? json_get_int(teardown->fields, "leftovers", -1) : 0;
	if (error != NULL)
		facts_problem(arena, f, "harness error: %s (%s)", facts_text(error, "why"),
			      facts_text(error, "where"));
	if (f->count[EVENT_LEFTOVER] > 0)
		facts_problem(arena, f, "left over: %s",
			      facts_text(f->first[EVENT_LEFTOVER], "what"));
	if (left != 0)
		facts_problem(arena, f, "teardown counts %" PRId64 " leftovers", left);
	for (const struct event *ev = f->first[EVENT_FAULT_UNDONE]; ev != NULL;
	     ev = journal_find(f->journal, EVENT_FAULT_UNDONE, journal_index(f->journal, ev) + 1))
		if (!facts_bool(ev, "verified"))
			facts_problem(arena, f, "undo of fault '%s' not verified: %s",
				      facts_text(ev, "fault"), facts_text(ev, "detail"));
}

static void check_sealed(struct arena *arena, struct facts *f)
{
	const struct event *sealed = f->first[EVENT_SEALED];
	int64_t lines = (int64_t)journal_count(f->journal) - 1;
	int64_t says = json_get_int(sealed->fields, "events", -1);
	if (says != lines)
		facts_problem(arena, f,
			      "sealed counts %" PRId64 " events, the journal has %" PRId64, says,
			      lines);
	need(arena, f, f->count[EVENT_TEARDOWN] > 0, "teardown");
	for (const struct fault_plan *fault = f->fault; fault != NULL; fault = fault->next)
		if (facts_of_fault(f, EVENT_FAULT_APPLIED, fault->name) != NULL &&
		    fault->injector != NULL && fault->injector->lasting &&
		    facts_of_fault(f, EVENT_FAULT_UNDONE, fault->name) == NULL)
			facts_problem(arena, f, "fault '%s' was applied and never undone",
				      fault->name);
	if (!f->cut_short)
		check_complete(arena, f);
}

void facts_check(struct arena *arena, struct facts *f)
{
	const struct rollback_plan *rollback = facts_rollback(f);
	const struct section patch = { "patch", f->plan->patch, f->plan->patch_count,
				       EVENT_PATCH_END };
	check_leftovers(arena, f);
	check_order(arena, f);
	check_role(arena, f);
	check_steps(arena, f, &patch);
	if (rollback != NULL) {
		const struct section back = { "rollback", rollback->steps, rollback->step_count,
					      EVENT_ROLLBACK_END };
		check_steps(arena, f, &back);
	}
	check_healthy(arena, f);
	check_nodes(arena, f);
	check_states(arena, f);
	if (f->sealed)
		check_sealed(arena, f);
}
