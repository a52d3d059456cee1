/* SPDX-License-Identifier: MIT */
/* The run as a whole: what its controls say, and its exit code. */
#include "harness/model/verdict.h"

#include <string.h>

#include "harness/model/judge.h"

/* Worst last. */
static int rank(int code)
{
	static const int order[] = { EXIT_OK, EXIT_INCONCLUSIVE, EXIT_FAILED, EXIT_BROKEN,
				     EXIT_HARNESS };
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (order[i] == code)
			return (int)i;
	return (int)(sizeof(order) / sizeof(order[0]));
}

int verdict_worse_exit(int a, int b)
{
	return rank(b) > rank(a) ? b : a;
}

static int exit_of(const struct verdict *v)
{
	if (v->pass)
		return EXIT_OK;
	int code = outcome_exit(v->outcome);
	return code == EXIT_OK ? EXIT_FAILED : code;
}

bool verdict_failed(const struct verdict *v)
{
	return !v->pass && outcome_exit(v->outcome) != EXIT_INCONCLUSIVE;
}

int verdict_run_exit(const struct verdict *controls, size_t control_count,
		     const struct verdict *drills, size_t drill_count, bool vacuous)
{
	int code = vacuous ? EXIT_INCONCLUSIVE : EXIT_OK;
	bool restored = false;
	for (size_t i = 0; i < control_count; i++)
		code = verdict_worse_exit(code, exit_of(&controls[i]));
	for (size_t i = 0; i < drill_count; i++) {
		code = verdict_worse_exit(code, exit_of(&drills[i]));
		restored |= drills[i].outcome == OUTCOME_RESTORED;
	}
	return restored ? code : verdict_worse_exit(code, EXIT_INCONCLUSIVE);
}

static bool listed(const struct changes *list, const struct change *c)
{
	for (size_t i = 0; i < list->count; i++)
		if (state_order(list->items[i].kind, list->items[i].key, c->kind, c->key) == 0 &&
		    strcmp(list->items[i].node, c->node) == 0)
			return true;
	return false;
}

/* Appends the visible entries of one phase that are not there yet. */
static void add_noise(struct arena *arena, const struct changes *more, struct changes *noise)
{
	for (size_t i = 0; i < more->count; i++) {
		const struct change *c = &more->items[i];
		if (c->hidden_by != NULL || listed(noise, c))
			continue;
		if (noise->count == noise->room) {
			noise->room = noise->room > 0 ? noise->room * 2 : 16;
			struct change *items = arena_alloc(arena, noise->room * sizeof(*items));
			if (noise->count > 0)
				memcpy(items, noise->items, noise->count * sizeof(*items));
			noise->items = items;
		}
		noise->items[noise->count++] = *c;
	}
}

static int find_noise(struct judge *j, struct verdict_run *ret, struct err *e)
{
	for (int p = 0; p < PHASE_COUNT; p++) {
		struct compared c;
		enum state_phase phase = (enum state_phase)p;
		if (judge_compare(j, &j->control_a, phase, &j->control_b, phase, &c, e) < 0)
			return -1;
		add_noise(j->arena, &c.changes, &ret->noise);
	}
	return 0;
}

/* Blindness by one control; unsealed controls say nothing. */
static int find_blind(struct judge *j, const struct facts *f, bool *blind, struct err *e)
{
	struct compared c;
	*blind = false;
	if (!f->sealed)
		return 0;
	if (judge_compare(j, f, PHASE_BEFORE, f, PHASE_PATCHED, &c, e) < 0)
		return -1;
	*blind = judge_blind(f, &c);
	return 0;
}

static int judge_control(struct judge *j, const struct record *r, struct verdict_run *ret,
			 struct err *e)
{
	struct verdict *v = arena_alloc(j->arena, sizeof(*v));
	const struct judge_input in = { .plan = j->plan, .drill = r };
	if (verdict_judge(j->arena, &in, v, e) < 0)
		return -1;
	int code = exit_of(v);
	if (rank(code) > rank(ret->exit)) {
		ret->exit = code;
		ret->outcome = v->outcome;
	}
	return 0;
}

int verdict_controls(struct arena *arena, const struct plan *plan, const struct record *a,
		     const struct record *b, struct verdict_run *ret, struct err *e)
{
	struct judge *j = arena_alloc(arena, sizeof(*j));
	*j = (struct judge){ .arena = arena, .plan = plan };
	*ret = (struct verdict_run){ .outcome = OUTCOME_RESTORED, .exit = EXIT_OK };
	facts_read(arena, plan, NULL, a, &j->control_a);
	if (find_blind(j, &j->control_a, &ret->vacuous, e) < 0)
		return -1;
	if (ret->vacuous) {
		ret->outcome = OUTCOME_VACUOUS;
		ret->exit = EXIT_INCONCLUSIVE;
	}
	if (judge_control(j, a, ret, e) < 0)
		return -1;
	if (b == NULL)
		return 0;
	facts_read(arena, plan, NULL, b, &j->control_b);
	if (judge_control(j, b, ret, e) < 0)
		return -1;
	return j->control_a.sealed && j->control_b.sealed ? find_noise(j, ret, e) : 0;
}
