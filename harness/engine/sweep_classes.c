/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/engine/catalog.h"
#include "harness/engine/sweep_private.h"

static const struct step_plan *step_of(const struct sweeping *w, const struct point *p)
{
	return plan_step(w->s.plan, p->in_rollback, p->step_index);
}

/* A step that may fail is followed by the next one, and what that is depends on the step. */
static bool goes_on(void *arg, const struct point *p)
{
	const struct sweeping *w = arg;
	return step_of(w, p)->may_fail ||
	       (w->s.plan->rollback_when & (UINT64_C(1) << WHEN_STEP_FAILED)) == 0;
}

static const char *services_at(const struct sweeping *w, const struct point *p)
{
	const char *struck = step_of(w, p)->node;
	for (size_t i = 0; i < w->s.plan->node_count; i++) {
		const struct node_plan *n = &w->s.plan->nodes[i];
		bool boots = w->strike.leaves == LEAVES_BOOTED && strcmp(n->name, struck) == 0;
		if (n->init == INIT_SYSTEMD)
			return "a node's own systemd is live, and its memory is no part of a kept "
			       "state";
		if (n->services.count > 0 && !boots)
			return "services are live, and their memory is no part of a kept state";
	}
	return NULL;
}

static const struct {
	enum strike_leaves leaves;
	const char *why;
} no_branch[] = {
	{ LEAVES_MEMORY, "some of the workflow lives on, and its memory is no part of a state" },
	{ LEAVES_DURABLE,
	  "what was durable is kept by no copy of a state; the power is really cut" },
};

/* NULL: a kept state can stand for this point. */
static const char *why_rerun(struct sweeping *w, const struct point *p)
{
	for (size_t i = 0; i < sizeof(no_branch) / sizeof(no_branch[0]); i++)
		if (no_branch[i].leaves == w->strike.leaves)
			return no_branch[i].why;
	if (w->ask.no_branch)
		return "asked for by --no-branch";
	if (p->unstable)
		return "unstable: only its own trigger finds it";
	if (p->outside != NULL)
		return p->outside;
	if (point_is_loose(p))
		return "no process is held at it";
	if (goes_on(w, p))
		return "the workflow goes on behind a step that failed";
	for (size_t i = 0; i < w->s.plan->node_count; i++)
		if (w->s.plan->nodes[i].disk.given)
			return "a node has a disk of its own, which is not copied at each point";
	if (w->strike.leaves != LEAVES_BOOTED && p->live > 0 && services_at(w, p) == NULL)
		return "the workflow has left processes running that a kept state would not have";
	return services_at(w, p);
}

static void mark_shard(struct sweeping *w)
{
	for (size_t i = 0; w->ask.shard.total > 0 && i < w->class_count; i++)
		w->classes[i].skip = !sweep_shard_has(&w->ask.shard, i);
}

static void tell_unstable(struct sweeping *w)
{
	size_t n = 0;
	for (size_t i = 0; i < w->list.count; i++)
		n += w->list.items[i].unstable;
	if (n > 0)
		sweep_say(
			w,
			"%zu of %zu points came in one of the two recordings only; each of them is "
			"drilled by its own trigger",
			n, w->list.count);
}

size_t sweep_merge(struct sweeping *w, struct point_list *l)
{
	bool merge = !w->ask.no_reduce && sweep_strike_merges(&w->strike);
	return point_classes(l, merge, goes_on, w);
}

int sweep_classify(struct sweeping *w, struct err *e)
{
	GUARD(mem) char *a = mem_printf("%s/control-a", w->s.dir);
	GUARD(mem) char *b = mem_printf("%s/control-b", w->s.dir);
	if (point_list_read(&w->list, w->arena, a, b, e) < 0)
		return -1;
	if (w->list.count == 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "a sweep of no points: the %s makes no %s that count; try another "
			      "--points or --in",
			      w->ask.in, w->ask.points);
	w->class_count = sweep_merge(w, &w->list);
	w->classes = mem_array(w->class_count, sizeof(*w->classes));
	for (size_t i = w->list.count; i > 0; i--) {
		struct swept *c = &w->classes[w->list.items[i - 1].cls];
		c->first = i - 1;
		c->points++;
	}
	w->singles = w->class_count;
	for (size_t i = 0; i < w->class_count; i++) {
		struct swept *c = &w->classes[i];
		c->item = c->again = c->second = c->retry = -1;
		c->why = why_rerun(w, &w->list.items[c->first]);
		c->how = c->why != NULL ? SWEEP_RERUN : SWEEP_BRANCH;
		if (c->why == NULL)
			c->why = "nothing of the workflow lives on: its state is all there is";
	}
	mark_shard(w);
	tell_unstable(w);
	return 0;
}

char *sweep_name(const struct sweeping *w, size_t cls, enum sweep_try t, char sep)
{
	static const char *const tries[TRY_COUNT] = { "", "again", "second", "" };
	const struct point *p = &w->list.items[w->classes[cls].first];
	if (t == TRY_PATCH)
		return mem_printf("patch%cagain%cp%05zu", sep, sep, w->classes[cls].first + 1);
	char behind[2] = { t != TRY_CLASS ? sep : '\0', '\0' };
	if (p->after == POINT_ALONE)
		return mem_printf("%s%c%c%05zu%s%s", w->strike.word, sep,
				  p->in_rollback ? 'r' : 'p', w->classes[cls].first + 1, behind,
				  tries[t]);
	return mem_printf("%s%cp%05zu%cr%05zu%s%s", w->strike.word, sep,
			  w->classes[p->after].first + 1, sep, p->nth, behind, tries[t]);
}

int *sweep_slot(struct swept *c, enum sweep_try t)
{
	int *const slots[TRY_COUNT] = { &c->item, &c->again, &c->second, &c->retry };
	return slots[t];
}

static struct strike_place place_of(const struct point *p)
{
	return (struct strike_place){ p->in_rollback, p->step, p->key };
}

const struct fault_plan *sweep_fault(struct sweeping *w, size_t cls, enum sweep_try t,
				     struct err *e)
{
	struct swept *c = &w->classes[cls];
	const struct point *p = &w->list.items[c->first];
	const struct fault_plan *f = NULL;
	GUARD_BUF struct buf text = { 0 };
	GUARD(mem) char *name = sweep_name(w, cls, t, ' ');
	const struct strike_place at = place_of(p);
	if (t == TRY_CLASS && c->fault != NULL)
		return c->fault;
	if (p->after != POINT_ALONE && t != TRY_SECOND) {
		const struct strike_place first =
			place_of(&w->list.items[w->classes[p->after].first]);
		sweep_strike_pair(&w->strike, name, &first, &at, &text);
	} else {
		sweep_strike_fault(&w->strike, name, &at, &text);
	}
	if (plan_add_fault(run_doc(w->s.run), name, buf_str(&text), catalog_get(), &f, e) < 0)
		return NULL;
	if (t == TRY_CLASS)
		c->fault = f;
	return f;
}

/* See retry_late(): what it says of time counts. */
int sweep_item(const struct sweeping *w, size_t cls)
{
	const struct swept *c = &w->classes[cls];
	const struct run_view *v = run_view(w->s.run);
	const bool late =
		c->item >= 0 && c->again >= 0 && v->items[c->item].verdict.outcome == OUTCOME_LATE;
	return late ? c->again : c->item;
}
