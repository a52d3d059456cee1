/* SPDX-License-Identifier: MIT */
/* A rollback that goes forward: P stands where B stands for others. */
#include <string.h>

#include "harness/base/clock.h"
#include "tests/unit/runner.h"
#include "tests/unit/verdict_ways.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static struct rollback_plan forward;

static void go_forward(struct world *w)
{
	forward = w->plan.rollbacks[0];
	forward.to = TO_PATCHED;
	w->plan.rollbacks = &forward;
	w->control_a.state[PHASE_AFTER] = STATE_P;
	w->control_b.state[PHASE_AFTER] = STATE_P;
	w->drill.state[PHASE_AFTER] = STATE_P;
}

static void at_p(struct world *w)
{
	(void)w;
}
static void at_b(struct world *w)
{
	w->drill.state[PHASE_AFTER] = STATE_B;
}
static void half(struct world *w)
{
	w->drill.state[PHASE_AFTER] = STATE_HALF;
}
static void noisy_p(struct world *w)
{
	w->drill.state[PHASE_AFTER] = STATE_NOISY_P;
	w->control_b.state[PHASE_PATCHED] = STATE_NOISY_P;
}
static void noisy_p_alone(struct world *w)
{
	w->drill.state[PHASE_AFTER] = STATE_NOISY_P;
}
static void not_healthy(struct script *s, enum event_kind after)
{
	script_drop_kind(s, EVENT_HEALTHY, NULL);
	script_add(s, after, NULL, EVENT_NOT_HEALTHY, "\"why\":\"new version: says 1\"");
}
static void goal_missed(struct world *w)
{
	not_healthy(&w->drill, EVENT_ROLLBACK_END);
}
static void knockout_at_p(struct world *w)
{
	w->knockout.state[PHASE_AFTER] = STATE_P;
}
static void knockout_at_noisy_p(struct world *w)
{
	w->knockout.state[PHASE_AFTER] = STATE_NOISY_P;
	w->control_b.state[PHASE_PATCHED] = STATE_NOISY_P;
}
static void knockout_at_b(struct world *w)
{
	w->knockout.state[PHASE_AFTER] = STATE_B;
}
static void knockout_goal_missed(struct world *w)
{
	knockout_at_p(w);
	not_healthy(&w->knockout, EVENT_ROLLBACK_SKIPPED);
}
static void knockout_whole(struct world *w)
{
	struct world other;
	world_good(&other);
	way_knockout_not_called(&other);
	w->knockout = other.knockout;
}
static void knockout_whole_goal_missed(struct world *w)
{
	knockout_whole(w);
	script_set(&w->knockout, EVENT_GOAL, NULL,
		   "\"ok\":false,\"probe\":\"new version\",\"why\":\"new version: says 1\"");
}
static void knockout_unasked_at_p(struct world *w)
{
	knockout_at_p(w);
	script_drop_kind(&w->knockout, EVENT_HEALTHY, NULL);
	script_add(&w->knockout, EVENT_ROLLBACK_SKIPPED, NULL, EVENT_HEALTH_UNASKED, "");
}
static void blind(struct world *w)
{
	way_blind(w);
	w->control_a.state[PHASE_AFTER] = w->control_a.state[PHASE_PATCHED];
}
static void in_rollback(struct world *w)
{
	world_in_rollback(w);
	go_forward(w);
}
static void in_rollback_at_b(struct world *w)
{
	in_rollback(w);
	at_b(w);
}

static const struct {
	const char *name;
	void (*mutate)(struct world *w);
	enum outcome outcome;
	const char *says; /* part of the evidence */
	const char *culprit;
} rows[] = {
#define ROW(fn, o, ...)                                                                            \
	{                                                                                          \
#fn, fn, OUTCOME_##o, __VA_ARGS__                                                  \
	}
	ROW(at_p, RESTORED, "at P; without rollback the state differs from P in", NULL),
	ROW(at_b, RESIDUE, "after the rollback the state differs from P in", NULL),
	ROW(half, RESIDUE, "differs from P in 2 entries", NULL),
	ROW(noisy_p, RESTORED, "at P;", NULL),
	ROW(noisy_p_alone, RESIDUE, "differs from P in 1 entry", NULL),
	ROW(goal_missed, DEGRADED, "new version: says 1", "new version"),
	ROW(way_step_failed, STUCK, "rollback step 'reinstall'", "reinstall"),
	ROW(way_late_window, LATE, "the window was", "window"),
	ROW(way_no_knockout, UNPROVEN, "at P, but there is no counter-proof", NULL),
	ROW(knockout_at_p, HARMLESS, "it ends healthy and at P, too", NULL),
	ROW(knockout_at_noisy_p, HARMLESS, "it ends healthy and at P, too", NULL),
	ROW(knockout_at_b, RESTORED, "differs from P in", NULL),
	ROW(knockout_goal_missed, RESTORED, "at P; without rollback not healthy: new version",
	    NULL),
	ROW(knockout_whole, HARMLESS, "it ends healthy and at P, too", NULL),
	ROW(knockout_whole_goal_missed, RESTORED, "without rollback the goal is missed", NULL),
	ROW(knockout_unasked_at_p, UNPROVEN, "its health was not asked, and its state is P", NULL),
	ROW(blind, VACUOUS, "equals B", NULL),
	ROW(in_rollback, HARMLESS, "at P; the patch was whole", NULL),
	ROW(in_rollback_at_b, RESIDUE, "differs from P in", NULL),
};

START_TEST(test_row)
{
	struct arena *a = arena_create();
	struct world w;
	world_good(&w);
	go_forward(&w);
	rows[_i].mutate(&w);
	struct verdict v = world_judge(a, &w);
	ck_assert_msg(v.outcome == rows[_i].outcome, "%s: %s (%s)", rows[_i].name,
		      outcome_name(v.outcome), v.why);
	ck_assert_msg(strstr(v.why, rows[_i].says) != NULL, "%s: %s", rows[_i].name, v.why);
	ck_assert(v.forward);
	if (rows[_i].culprit == NULL)
		ck_assert_ptr_null(v.culprit);
	else
		ck_assert_str_eq(v.culprit, rows[_i].culprit);
	arena_destroy(a);
}
END_TEST

/* Behind a whole patch it has to leave everything as it is. */
START_TEST(test_control)
{
	static const char *const after[] = { STATE_P, STATE_B, STATE_HALF };
	struct arena *a = arena_create();
	struct world w;
	for (size_t i = 0; i < LEN(after); i++) {
		world_good(&w);
		go_forward(&w);
		w.control_a.state[PHASE_AFTER] = after[i];
		struct verdict v = world_judge_control(a, &w);
		ck_assert_int_eq(v.outcome, i == 0 ? OUTCOME_RESTORED : OUTCOME_RESIDUE);
		ck_assert(v.pass == (i == 0));
	}
	world_good(&w);
	go_forward(&w);
	not_healthy(&w.control_a, EVENT_ROLLBACK_END);
	ck_assert_int_eq(world_judge_control(a, &w).outcome, OUTCOME_DEGRADED);
	arena_destroy(a);
}
END_TEST

/* The same journals by a plan that goes back. */
START_TEST(test_back)
{
	struct arena *a = arena_create();
	struct world w;
	world_good(&w);
	go_forward(&w);
	forward.to = TO_BEFORE;
	struct verdict v = world_judge(a, &w);
	ck_assert_int_eq(v.outcome, OUTCOME_RESIDUE);
	ck_assert(!v.forward);
	ck_assert_int_eq(world_judge_control(a, &w).outcome, OUTCOME_RESIDUE);
	arena_destroy(a);
}
END_TEST

Suite *suite_verdict_forward(void);
Suite *suite_verdict_forward(void)
{
	Suite *s = suite_create("verdict_forward");
	TCase *t = tcase_create("verdict_forward");
	tcase_add_loop_test(t, test_row, 0, LEN(rows));
	tcase_add_test(t, test_control);
	tcase_add_test(t, test_back);
	suite_add_tcase(s, t);
	return s;
}
