/* SPDX-License-Identifier: MIT */
/* Controls, the run as a whole, and what a record with lines missing may never become. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/runner.h"
#include "tests/unit/verdict_ways.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The control's mutations are those of the drill, made to control-a. */
static void as_drill(struct world *w, void (*mutate)(struct world *w))
{
	w->drill = w->control_a;
	mutate(w);
	w->control_a = w->drill;
}

static const struct {
	void (*mutate)(struct world *w);
	enum outcome outcome;
} control_rows[] = {
	{ way_nothing, OUTCOME_RESTORED },
	{ way_leftover, OUTCOME_HARNESS_ERROR },
	{ way_unsealed, OUTCOME_ABORTED },
	{ way_not_steady, OUTCOME_BROKEN },
	{ way_step_failed, OUTCOME_STUCK },
	{ way_degraded, OUTCOME_DEGRADED },
	{ way_residue, OUTCOME_RESIDUE },
	{ way_late_window, OUTCOME_LATE },
	{ way_other_role, OUTCOME_HARNESS_ERROR },
	{ way_control_patch_fails,
	  OUTCOME_RESTORED }, /* of control-a, which as_drill() puts back */
};

START_TEST(test_control)
{
	struct arena *a = arena_create();
	struct world w;
	world_good(&w);
	as_drill(&w, control_rows[_i].mutate);
	struct verdict v = world_judge_control(a, &w);
	ck_assert_msg(v.outcome == control_rows[_i].outcome, "%s (%s)", outcome_name(v.outcome),
		      v.why);
	ck_assert(v.pass == (v.outcome == OUTCOME_RESTORED));
	struct verdict_run run = world_controls(a, &w);
	ck_assert_int_eq(run.outcome, v.outcome);
	ck_assert_int_eq(run.exit, v.pass ? 0 : outcome_exit(v.outcome));
	ck_assert(!run.vacuous);
	arena_destroy(a);
}
END_TEST

START_TEST(test_control_is_broken)
{
	static void (*const ways[])(struct world * w) = { way_control_patch_fails,
							  way_control_detects };
	struct arena *a = arena_create();
	for (size_t i = 0; i < LEN(ways); i++) {
		struct world w;
		world_good(&w);
		ways[i](&w);
		struct verdict v = world_judge_control(a, &w);
		ck_assert_int_eq(v.outcome, OUTCOME_BROKEN);
		ck_assert_int_eq(world_controls(a, &w).exit, EXIT_BROKEN);
	}
	arena_destroy(a);
}
END_TEST

/* Its rollback once more: `again` is the line, the steps follow it. */
static void run_again(struct script *s, const char *again, bool good)
{
	static const char step[] = "\"section\":\"rollback\",\"step\":\"%s\",\"index\":%d%s";
	static const char *const names[] = { "repair", "reinstall" };
	char text[SCRIPT_TEXT_MAX];
	/* From the last line to the first, each right behind the first rollback's end. */
	script_add(s, EVENT_ROLLBACK_END, NULL, EVENT_ROLLBACK_END,
		   good ? "\"ok\":true" : "\"ok\":false");
	for (int i = 1; i >= 0; i--) {
		(void)snprintf(text, sizeof(text), step, names[i], i,
			       good || i == 0 ? ",\"ok\":true" : ",\"ok\":false");
		script_add(s, EVENT_ROLLBACK_END, NULL, EVENT_STEP_END, text);
		(void)snprintf(text, sizeof(text), step, names[i], i, "");
		script_add(s, EVENT_ROLLBACK_END, NULL, EVENT_STEP_BEGIN, text);
	}
	script_add(s, EVENT_ROLLBACK_END, NULL, EVENT_ROLLBACK_AGAIN, again);
}

/* A control may run its rollback twice when it was asked to, and is judged by the second. */
START_TEST(test_rollback_twice)
{
	struct arena *a = arena_create();
	struct world w;
	world_good(&w);
	run_again(&w.control_a, "\"asked\":true", true);
	ck_assert_int_eq(world_judge_control(a, &w).outcome, OUTCOME_RESTORED);
	world_good(&w);
	run_again(&w.control_a, "\"asked\":true", false);
	ck_assert_int_eq(world_judge_control(a, &w).outcome, OUTCOME_STUCK);
	world_good(&w);
	run_again(&w.control_a, "\"why\":\"?\"", true);
	ck_assert_int_eq(world_judge_control(a, &w).outcome, OUTCOME_HARNESS_ERROR);
	world_good(&w);
	run_again(&w.drill, "\"asked\":true", true);
	ck_assert_int_eq(world_judge(a, &w).outcome, OUTCOME_HARNESS_ERROR);
	arena_destroy(a);
}
END_TEST

/* The patch once more, behind all that is judged, changes no verdict; steps of any other section
 * there are our own fault. */
START_TEST(test_patch_again)
{
	static const struct {
		const char *section;
		enum outcome is;
	} rows[] = {
		{ "\"section\":\"patch again\",\"step\":\"install\",\"index\":1,\"ok\":false",
		  OUTCOME_RESTORED },
		{ "\"section\":\"rollback\",\"step\":\"reinstall\",\"index\":1,\"ok\":true",
		  OUTCOME_HARNESS_ERROR },
	};
	struct arena *a = arena_create();
	struct world w;
	world_good(&w);
	script_add(&w.drill, EVENT_STATE_CAPTURED, "after", EVENT_PATCH_AGAIN, "\"ok\":false");
	script_add(&w.drill, EVENT_STATE_CAPTURED, "after", EVENT_STEP_END, rows[_i].section);
	script_add(&w.drill, EVENT_STATE_CAPTURED, "after", EVENT_STEP_BEGIN, rows[_i].section);
	ck_assert_int_eq(world_judge(a, &w).outcome, rows[_i].is);
	arena_destroy(a);
}
END_TEST

START_TEST(test_vacuous)
{
	struct arena *a = arena_create();
	struct world w;
	world_good(&w);
	way_blind(&w);
	struct verdict_run run = world_controls(a, &w);
	ck_assert(run.vacuous);
	ck_assert_int_eq(run.outcome, OUTCOME_VACUOUS);
	ck_assert_int_eq(run.exit, EXIT_INCONCLUSIVE);
	/* A patched state that a steady probe tells from B is seen, whatever the masks hide. */
	script_add(&w.control_a, EVENT_GOAL, NULL, EVENT_PROBE_CHANGED,
		   "\"probe\":\"serves\",\"ok\":false");
	ck_assert(!world_controls(a, &w).vacuous);
	script_add(&w.control_a, EVENT_PROBE_CHANGED, NULL, EVENT_PROBE_CHANGED,
		   "\"probe\":\"serves\",\"ok\":true");
	ck_assert(world_controls(a, &w).vacuous);
	arena_destroy(a);
}
END_TEST

START_TEST(test_run_noise)
{
	struct arena *a = arena_create();
	struct world w;
	world_good(&w);
	ck_assert_uint_eq(world_controls(a, &w).noise.count, 0);
	w.control_b.state[PHASE_PATCHED] = STATE_NOISY_P;
	w.control_b.state[PHASE_AFTER] = STATE_NOISY_P;
	struct verdict_run run = world_controls(a, &w);
	ck_assert_uint_eq(run.noise.count, 3); /* /etc/hosts once, nginx and its package */
	ck_assert_str_eq(run.noise.items[0].key, "/etc/hosts");
	ck_assert_int_eq(run.exit, EXIT_FAILED);
	w.no_control_b = true;
	run = world_controls(a, &w);
	ck_assert_uint_eq(run.noise.count, 0);
	ck_assert_int_eq(run.exit, EXIT_OK);
	arena_destroy(a);
}
END_TEST

#define V(o, p)                                                                                    \
	{                                                                                          \
		.outcome = OUTCOME_##o, .pass = (p)                                                \
	}
static const struct {
	struct verdict controls[2], drills[3];
	size_t control_count, drill_count;
	bool vacuous;
	int exit;
} runs[] = {
	{ { V(RESTORED, true), V(RESTORED, true) }, { V(RESTORED, true) }, 2, 1, false, 0 },
	{ { V(RESTORED, true) }, { V(RESTORED, true), V(RESIDUE, true) }, 1, 2, false, 0 },
	{ { V(RESTORED, true) }, { V(RESTORED, true), V(RESIDUE, false) }, 1, 2, false, 1 },
	{ { V(RESTORED, true) }, { V(RESTORED, true), V(HARMLESS, false) }, 1, 2, false, 1 },
	{ { V(RESTORED, true) }, { V(HARMLESS, true), V(TOLERATED, true) }, 1, 2, false, 2 },
	{ { V(RESTORED, true) }, { V(RESIDUE, true) }, 1, 1, false, 2 },
	{ { V(RESTORED, true) }, { V(RESTORED, true), V(UNPROVEN, false) }, 1, 2, false, 2 },
	{ { V(RESTORED, true) },
	  { V(RESTORED, true), V(NOT_REACHED, false), V(LATE, false) },
	  1,
	  3,
	  false,
	  1 },
	{ { V(RESTORED, true) }, { V(RESTORED, true) }, 1, 1, true, 2 },
	{ { V(RESTORED, true), V(RESIDUE, false) }, { V(RESTORED, true) }, 2, 1, false, 1 },
	{ { V(RESTORED, true), V(BROKEN, false) }, { V(RESIDUE, false) }, 2, 1, false, 3 },
	{ { V(BROKEN, false) }, { V(HARNESS_ERROR, false) }, 1, 1, true, 70 },
	{ { V(RESTORED, true), V(RESTORED, true) }, { { 0 } }, 2, 0, false, 2 },
	{ { V(RESTORED, true) }, { V(RESTORED, true), V(ABORTED, false) }, 1, 2, false, 2 },
	{ { V(RESTORED, true) }, { V(RESTORED, false) }, 1, 1, false, 1 },
};

START_TEST(test_run_exit)
{
	ck_assert_int_eq(verdict_run_exit(runs[_i].controls, runs[_i].control_count,
					  runs[_i].drills, runs[_i].drill_count, runs[_i].vacuous),
			 runs[_i].exit);
}
END_TEST

START_TEST(test_bad_states)
{
	struct arena *a = arena_create();
	struct world w;
	struct verdict v;
	struct err missing = { 0 }, digest = { 0 }, unsorted = { 0 }, early = { 0 };
	world_good(&w);
	w.knockout.state_missing = true;
	ck_assert_int_eq(world_try(a, &w, &v, &missing), -1);
	ck_assert_ptr_nonnull(strstr(missing.why, "missing"));
	world_good(&w);
	w.control_a.bad_digest = true;
	ck_assert_int_eq(world_try(a, &w, &v, &digest), -1);
	ck_assert_ptr_nonnull(strstr(digest.why, "digest"));
	world_good(&w);
	w.drill.state[PHASE_AFTER] = "rubbish\n";
	ck_assert_int_eq(world_try(a, &w, &v, &unsorted), -1);
	/* A killed harness may not have written them: still a verdict. */
	world_good(&w);
	w.drill.state_missing = true;
	way_unsealed(&w);
	ck_assert_int_eq(world_try(a, &w, &v, &early), 0);
	ck_assert_int_eq(v.outcome, OUTCOME_ABORTED);
	arena_destroy(a);
}
END_TEST

/* Drop one line after the other. With `sealed` counting, any gap is seen; without its help (the
 * count is made to fit) the rows themselves must notice what matters. */
static bool carries_evidence(enum event_kind k)
{
	static const enum event_kind kinds[] = {
		EVENT_DRILL_BEGIN,      EVENT_STEADY_BEFORE,  EVENT_STATE_CAPTURED,
		EVENT_PATCH_BEGIN,      EVENT_STEP_BEGIN,     EVENT_FAULT_APPLIED,
		EVENT_FAULT_FELT,       EVENT_FAULT_UNDONE,   EVENT_PATCH_END,
		EVENT_DETECTED,         EVENT_ROLLBACK_BEGIN, EVENT_ROLLBACK_END,
		EVENT_ROLLBACK_SKIPPED, EVENT_NO_ROLLBACK,    EVENT_HEALTHY,
		EVENT_TEARDOWN,         EVENT_SEALED,         EVENT_GOAL,
	};
	for (size_t i = 0; i < LEN(kinds); i++)
		if (kinds[i] == k)
			return true;
	return false;
}

static void sweep(void (*make)(struct world *w), bool passes)
{
	struct world w;
	make(&w);
	const size_t lines = w.drill.count;
	for (size_t i = 0; i < lines; i++) {
		for (int honest = 0; honest < 2; honest++) {
			struct arena *a = arena_create();
			make(&w);
			enum event_kind k = w.drill.lines[i].kind;
			w.drill.events_off = honest; /* it was there when it was counted */
			script_drop(&w.drill, i);
			struct verdict v = world_judge(a, &w);
			if (honest || !passes || carries_evidence(k))
				ck_assert_msg(!v.pass, "without %s (line %zu): %s", event_name(k),
					      i + 1, outcome_name(v.outcome));
			arena_destroy(a);
		}
	}
}

static void good_then(struct world *w, void (*mutate)(struct world *w))
{
	world_good(w);
	mutate(w);
}
#define GOOD_THEN(fn)                                                                              \
	static void good_##fn(struct world *w)                                                     \
	{                                                                                          \
		good_then(w, way_##fn);                                                            \
	}
GOOD_THEN(step_failed)
GOOD_THEN(degraded)
GOOD_THEN(residue)
GOOD_THEN(late_window)
GOOD_THEN(leftover)
GOOD_THEN(blind)
GOOD_THEN(not_felt)
GOOD_THEN(no_knockout)
GOOD_THEN(not_steady)

static const struct {
	void (*make)(struct world *w);
	bool passes;
} sweeps[] = {
	{ world_good, true },        { world_tolerated, true },   { world_in_rollback, true },
	{ good_step_failed, false }, { good_degraded, false },    { good_residue, false },
	{ good_late_window, false }, { good_leftover, false },    { good_blind, false },
	{ good_not_felt, false },    { good_no_knockout, false }, { good_not_steady, false },
	{ way_half_done, false },    { way_goal_missed, false },  { way_sick, false },
};

START_TEST(test_dropped_lines)
{
	sweep(sweeps[_i].make, sweeps[_i].passes);
}
END_TEST

/* A counter-proof with a line missing is none. */
START_TEST(test_dropped_lines_of_knockout)
{
	struct world w;
	world_good(&w);
	const size_t lines = w.knockout.count;
	for (size_t i = 0; i < lines; i++) {
		struct arena *a = arena_create();
		world_good(&w);
		w.knockout.events_off = 1;
		script_drop(&w.knockout, i);
		ck_assert(!world_judge(a, &w).pass);
		arena_destroy(a);
	}
}
END_TEST

/* A harness killed at any line. */
START_TEST(test_cut_anywhere)
{
	struct world w;
	world_good(&w);
	for (size_t n = 0; n < w.drill.count; n++) {
		struct arena *a = arena_create();
		struct world cut = w;
		cut.drill.count = n;
		struct verdict v = world_judge(a, &cut);
		ck_assert_int_eq(v.outcome, OUTCOME_ABORTED);
		ck_assert_ptr_nonnull(strstr(v.why, "unsealed"));
		arena_destroy(a);
	}
}
END_TEST

Suite *suite_verdict_run(void);
Suite *suite_verdict_run(void)
{
	Suite *s = suite_create("verdict_run");
	TCase *t = tcase_create("verdict_run");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_control, 0, LEN(control_rows));
	tcase_add_test(t, test_control_is_broken);
	tcase_add_test(t, test_rollback_twice);
	tcase_add_loop_test(t, test_patch_again, 0, 2);
	tcase_add_test(t, test_vacuous);
	tcase_add_test(t, test_run_noise);
	tcase_add_loop_test(t, test_run_exit, 0, LEN(runs));
	tcase_add_test(t, test_bad_states);
	tcase_add_loop_test(t, test_dropped_lines, 0, LEN(sweeps));
	tcase_add_test(t, test_dropped_lines_of_knockout);
	tcase_add_test(t, test_cut_anywhere);
	suite_add_tcase(s, t);
	return s;
}
