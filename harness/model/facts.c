/* SPDX-License-Identifier: MIT */
#include "harness/model/facts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PROBLEM_TEXT_MAX = 512 }; /* bytes of one sentence */

void facts_problem(struct arena *arena, struct facts *f, const char *fmt, ...)
{
	char text[PROBLEM_TEXT_MAX];
	va_list ap;
	if (f->problems.count++ >= PROBLEMS_MAX)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	f->problems.text[f->problems.count - 1] = arena_strdup(arena, text);
}

const char *facts_text(const struct event *ev, const char *key)
{
	return ev != NULL ? json_get_string(ev->fields, key, "?") : "?";
}

bool facts_bool(const struct event *ev, const char *key)
{
	return ev != NULL && json_get_bool(ev->fields, key, false);
}

size_t facts_node_count(const struct plan *plan)
{
	return plan->state.nodes.count > 0 ? plan->state.nodes.count : plan->node_count;
}

const char *facts_node(const struct plan *plan, size_t i)
{
	return plan->state.nodes.count > 0 ? plan->state.nodes.items[i] : plan->nodes[i].name;
}

const struct event *facts_of_fault(const struct facts *f, enum event_kind k, const char *fault)
{
	for (const struct event *ev = f->first[k]; ev != NULL;
	     ev = journal_find(f->journal, k, journal_index(f->journal, ev) + 1))
		if (strcmp(facts_text(ev, "fault"), fault) == 0)
			return ev;
	return NULL;
}

const struct event *facts_step_at(const struct facts *f, const struct event *ev)
{
	const struct event *last = NULL;
	for (size_t i = 0; i < journal_count(f->journal); i++) {
		const struct event *at = journal_at(f->journal, i);
		if (at == ev)
			break;
		if (at->kind == EVENT_STEP_BEGIN)
			last = at;
	}
	return last;
}

const struct event *facts_captured(const struct journal *j, const char *node, enum state_phase ph)
{
	for (size_t i = 0; i < journal_count(j); i++) {
		const struct event *ev = journal_at(j, i);
		if (ev->kind == EVENT_STATE_CAPTURED && strcmp(facts_text(ev, "node"), node) == 0 &&
		    strcmp(facts_text(ev, "phase"), state_phase_names[ph]) == 0)
			return ev;
	}
	return NULL;
}

const struct rollback_plan *facts_rollback(const struct facts *f)
{
	const struct event *ev = f->first[EVENT_ROLLBACK_BEGIN];
	const char *name = ev != NULL ? json_get_string(ev->fields, "rollback", NULL) : NULL;
	for (size_t i = 0; name != NULL && i < f->plan->rollback_count; i++)
		if (strcmp(f->plan->rollbacks[i].name, name) == 0)
			return &f->plan->rollbacks[i];
	return f->plan->rollback < f->plan->rollback_count ? &f->plan->rollbacks[f->plan->rollback]
							   : NULL;
}

static bool is_steady_probe(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->steady_count; i++)
		if (strcmp(plan->steady[i].name, name) == 0)
			return true;
	return false;
}

/* Was every steady probe holding, by its last change, when the patched state was captured? */
static bool patched_steady(const struct facts *f)
{
	const struct event *end = NULL;
	for (size_t i = 0; i < facts_node_count(f->plan) && end == NULL; i++)
		end = facts_captured(f->journal, facts_node(f->plan, i), PHASE_PATCHED);
	if (end == NULL)
		return false;
	for (size_t i = 0; i < journal_index(f->journal, end); i++) {
		const struct event *ev = journal_at(f->journal, i);
		if (ev->kind != EVENT_PROBE_CHANGED || facts_bool(ev, "ok") ||
		    !is_steady_probe(f->plan, facts_text(ev, "probe")))
			continue;
		bool back = false;
		for (size_t k = i + 1; k < journal_index(f->journal, end) && !back; k++) {
			const struct event *later = journal_at(f->journal, k);
			back = later->kind == EVENT_PROBE_CHANGED && facts_bool(later, "ok") &&
			       strcmp(facts_text(later, "probe"), facts_text(ev, "probe")) == 0;
		}
		if (!back)
			return false;
	}
	return true;
}

static const struct event *failed_rollback_step(const struct facts *f)
{
	for (const struct event *ev = journal_find(f->journal, EVENT_STEP_END, f->again);
	     ev != NULL;
	     ev = journal_find(f->journal, EVENT_STEP_END, journal_index(f->journal, ev) + 1))
		if (strcmp(facts_text(ev, "section"), "rollback") == 0 && !facts_bool(ev, "ok") &&
		    !facts_bool(ev, "may_fail"))
			return ev;
	return NULL;
}

static int64_t time_of(const struct event *ev)
{
	return ev != NULL ? ev->t : -1;
}

static enum drill_role role_of(const struct event *begin)
{
	for (int r = 0; r < ROLE_COUNT; r++)
		if (strcmp(facts_text(begin, "role"), drill_role_name((enum drill_role)r)) == 0)
			return (enum drill_role)r;
	return ROLE_COUNT;
}

static void read_times(struct facts *f)
{
	const struct event *healthy = f->first[EVENT_HEALTHY];
	f->patch_begin = time_of(f->first[EVENT_PATCH_BEGIN]);
	f->detected = time_of(f->first[EVENT_DETECTED]);
	f->rollback_begin = time_of(f->first[EVENT_ROLLBACK_BEGIN]);
	f->rollback_end = time_of(f->back_end);
	f->healthy_since = healthy != NULL ? json_get_int(healthy->fields, "since", -1) : -1;
	f->strike = time_of(f->applied);
}

void facts_read(struct arena *arena, const struct plan *plan, const struct fault_plan *fault,
		const struct record *record, struct facts *ret)
{
	const struct journal *j = record->journal;
	*ret = (struct facts){ .who = "",
			       .record = record,
			       .journal = j,
			       .fault = fault,
			       .plan = plan,
			       .sealed = journal_sealed(j) };
	for (size_t i = 0; i < journal_count(j); i++) {
		const struct event *ev = journal_at(j, i);
		if (ret->count[ev->kind]++ == 0)
			ret->first[ev->kind] = ev;
		if (ev->kind == EVENT_ROLLBACK_AGAIN)
			ret->again = i;
		if (ev->kind == EVENT_ROLLBACK_END)
			ret->back_end = ev;
	}
	const struct event *steady = ret->first[EVENT_STEADY_BEFORE];
	ret->role = role_of(ret->first[EVENT_DRILL_BEGIN]);
	ret->cut_short = ret->count[EVENT_STOPPED] > 0 || ret->count[EVENT_HARNESS_ERROR] > 0 ||
			 ret->count[EVENT_SERVICE_FAILED] > 0 ||
			 (steady != NULL && !facts_bool(steady, "ok"));
	ret->patch_ok = facts_bool(ret->first[EVENT_PATCH_END], "ok");
	ret->goal_ok = plan->goal_count == 0 || facts_bool(ret->first[EVENT_GOAL], "ok");
	ret->rolled_back = ret->count[EVENT_ROLLBACK_BEGIN] > 0;
	ret->healthy = ret->count[EVENT_HEALTHY] > 0;
	ret->patched_steady = patched_steady(ret);
	ret->failed_step = failed_rollback_step(ret);
	if (fault != NULL) {
		ret->applied = facts_of_fault(ret, EVENT_FAULT_APPLIED, fault->name);
		ret->felt = facts_of_fault(ret, EVENT_FAULT_FELT, fault->name);
	}
	read_times(ret);
	facts_check(arena, ret);
}
