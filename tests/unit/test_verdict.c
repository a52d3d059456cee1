/* SPDX-License-Identifier: MIT */
/* Each row of the table by the smallest change of a good record; then who wins when two hold,
 * and what a record with lines missing may never become. */
#include <string.h>

#include "harness/base/clock.h"
#include "tests/unit/runner.h"
#include "tests/unit/verdict_ways.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *name;
	void (*mutate)(struct world *w);
	enum outcome outcome;
} rows[] = {
#define ROW(fn, o)                                                                                 \
	{                                                                                          \
#fn, way_##fn, OUTCOME_##o                                                         \
	}
#define WORLD(fn, o)                                                                               \
	{                                                                                          \
#fn, world_##fn, OUTCOME_##o                                                       \
	}
	ROW(nothing, RESTORED),
	ROW(crashed, RESTORED),
	ROW(service_not_back, RESTORED),
	ROW(down_twice, HARNESS_ERROR),
	ROW(up_twice, HARNESS_ERROR),
	ROW(captured_down, HARNESS_ERROR),
	ROW(down_early, HARNESS_ERROR),
	ROW(service_down_up, HARNESS_ERROR),
	ROW(unverified, HARNESS_ERROR),
	ROW(never_undone, HARNESS_ERROR),
	ROW(leftover, HARNESS_ERROR),
	ROW(leftover_line, HARNESS_ERROR),
	ROW(no_leftover_count, HARNESS_ERROR),
	ROW(own_error, HARNESS_ERROR),
	ROW(early_health, HARNESS_ERROR),
	ROW(short_settle, HARNESS_ERROR),
	ROW(late_health, HARNESS_ERROR),
	ROW(time_back, HARNESS_ERROR),
	ROW(patch_unsteady, HARNESS_ERROR),
	ROW(step_too_many, HARNESS_ERROR),
	ROW(step_twice, HARNESS_ERROR),
	ROW(step_left_out, HARNESS_ERROR),
	ROW(after_sealed, HARNESS_ERROR),
	ROW(miscounted, HARNESS_ERROR),
	ROW(other_format, HARNESS_ERROR),
	ROW(other_fault, HARNESS_ERROR),
	ROW(other_role, HARNESS_ERROR),
	ROW(strike_after_health, HARNESS_ERROR),
	ROW(state_early, HARNESS_ERROR),
	ROW(knockout_unverified, HARNESS_ERROR),
	ROW(knockout_rolled_back, HARNESS_ERROR),
	ROW(no_goal_asked, HARNESS_ERROR),
	ROW(no_patched_state, HARNESS_ERROR),
	ROW(degraded_uncaptured, HARNESS_ERROR),
	ROW(patch_before_steady, HARNESS_ERROR),
	ROW(no_since, HARNESS_ERROR),
	ROW(knockout_undetected, HARNESS_ERROR),
	ROW(unsealed, ABORTED),
	ROW(torn, ABORTED),
	ROW(stopped, ABORTED),
	ROW(killed_early, ABORTED),
	ROW(only_begun, ABORTED),
	ROW(empty, ABORTED),
	ROW(control_missing, ABORTED),
	ROW(control_unsealed, ABORTED),
	ROW(control_b_stopped, ABORTED),
	ROW(not_steady, BROKEN),
	ROW(not_steady_and_over, BROKEN),
	ROW(service_failed, BROKEN),
	ROW(control_patch_fails, BROKEN),
	ROW(control_misses_goal, BROKEN),
	ROW(control_detects, BROKEN),
	ROW(control_not_steady, BROKEN),
	ROW(blind, VACUOUS),
	ROW(not_felt, NOT_REACHED),
	ROW(not_applied, NOT_REACHED),
	ROW(not_triggered, NOT_REACHED),
	ROW(strike_failed, NOT_REACHED),
	ROW(other_felt, NOT_REACHED),
	ROW(tolerated_not_felt, NOT_REACHED),
	WORLD(tolerated, TOLERATED),
	ROW(noise_hidden, TOLERATED),
	ROW(no_noise_known, DRIFTED),
	ROW(half_done, DRIFTED),
	ROW(still_old, DRIFTED),
	ROW(goal_missed, DRIFTED),
	ROW(sick, DRIFTED),
	ROW(step_failed, STUCK),
	ROW(rollback_failed, STUCK),
	ROW(degraded, DEGRADED),
	ROW(residue, RESIDUE),
	ROW(late_window, LATE),
	ROW(late_recovery, LATE),
	ROW(just_in_time, RESTORED),
	ROW(knockout_sick, RESTORED),
	ROW(knockout_not_called, RESTORED),
	ROW(patch_cut, RESTORED),
	WORLD(in_rollback, RESTORED),
	ROW(knockout_well, HARMLESS),
	ROW(knockout_masked, HARMLESS),
	ROW(no_knockout, UNPROVEN),
	ROW(knockout_not_felt, UNPROVEN),
	ROW(knockout_not_applied, UNPROVEN),
	ROW(knockout_unsealed, UNPROVEN),
	ROW(knockout_stopped, UNPROVEN),
	ROW(knockout_sick_unsealed, UNPROVEN),
	ROW(knockout_other_fault, UNPROVEN),
	ROW(knockout_is_drill, UNPROVEN),
	ROW(knockout_other_step, UNPROVEN),
	ROW(knockout_other_trigger, UNPROVEN),
	ROW(rollback_no_control_p, UNPROVEN),
};

START_TEST(test_row)
{
	struct arena *a = arena_create();
	struct world w;
	world_good(&w);
	rows[_i].mutate(&w);
	struct verdict v = world_judge(a, &w);
	ck_assert_msg(v.outcome == rows[_i].outcome, "%s: %s (%s)", rows[_i].name,
		      outcome_name(v.outcome), v.why);
	ck_assert_str_eq(v.why, v.findings[0].evidence);
	ck_assert_int_eq(v.findings[0].outcome, v.outcome);
	ck_assert_uint_gt(strlen(v.why), 10);
	ck_assert_msg(v.pass == (outcome_exit(v.outcome) == 0), "%s", rows[_i].name);
	ck_assert(verdict_needs_knockout(&v) == (v.outcome == OUTCOME_UNPROVEN));
	arena_destroy(a);
}
END_TEST

/* Two rows hold: the first is the outcome, the second is listed. Rows 5 to 6 by a world of its
 * own; 6/7, 7/8 and 11 to 14 exclude each other by what they say. */
static const struct {
	void (*world)(struct world *w);
	void (*first)(struct world *w), (*second)(struct world *w);
	enum outcome outcome, listed;
} pairs[] = {
	{ world_good, way_leftover, way_stopped, OUTCOME_HARNESS_ERROR, OUTCOME_ABORTED },
	{ world_good, way_unsealed, way_control_patch_fails, OUTCOME_ABORTED, OUTCOME_BROKEN },
	{ world_good, way_control_misses_goal, way_blind, OUTCOME_BROKEN, OUTCOME_VACUOUS },
	{ world_good, way_blind, way_not_felt, OUTCOME_VACUOUS, OUTCOME_NOT_REACHED },
	{ world_tolerated, way_not_felt, way_nothing, OUTCOME_NOT_REACHED, OUTCOME_TOLERATED },
	{ way_half_done, way_not_felt, way_nothing, OUTCOME_NOT_REACHED, OUTCOME_DRIFTED },
	{ way_sick, way_nothing, way_nothing, OUTCOME_DRIFTED, OUTCOME_DEGRADED },
	{ world_good, way_step_failed, way_degraded, OUTCOME_STUCK, OUTCOME_DEGRADED },
	{ world_good, way_degraded, way_residue, OUTCOME_DEGRADED, OUTCOME_RESIDUE },
	{ world_good, way_residue, way_late_window, OUTCOME_RESIDUE, OUTCOME_LATE },
	{ world_good, way_not_felt, way_step_failed, OUTCOME_NOT_REACHED, OUTCOME_STUCK },
	{ world_good, way_not_felt, way_nothing, OUTCOME_NOT_REACHED, OUTCOME_RESTORED },
};

START_TEST(test_precedence)
{
	struct arena *a = arena_create();
	struct world w;
	pairs[_i].world(&w);
	pairs[_i].second(&w);
	pairs[_i].first(&w);
	struct verdict v = world_judge(a, &w);
	ck_assert_msg(v.outcome == pairs[_i].outcome, "%s (%s)", outcome_name(v.outcome), v.why);
	ck_assert(world_holds(&v, pairs[_i].listed));
	ck_assert(!v.pass);
	arena_destroy(a);
}
END_TEST

START_TEST(test_timing)
{
	struct arena *a = arena_create();
	struct world w;
	world_good(&w);
	struct timing t = world_judge(a, &w).timing;
	ck_assert_int_eq(t.window, 600 * NS_PER_MS);
	ck_assert_int_eq(t.recovery, 400 * NS_PER_MS);
	ck_assert_int_eq(t.detection, 30 * NS_PER_MS);
	ck_assert_int_eq(t.decision, 20 * NS_PER_MS);
	ck_assert_int_eq(t.rollback, 250 * NS_PER_MS);
	ck_assert_int_eq(t.healing, 100 * NS_PER_MS);
	t = world_judge_control(a, &w).timing;
	ck_assert_int_eq(t.window, 600 * NS_PER_MS);
	ck_assert_int_eq(t.recovery, 350 * NS_PER_MS);
	ck_assert_int_eq(t.detection, -1);
	ck_assert_int_eq(t.decision, -1);
	world_tolerated(&w);
	t = world_judge(a, &w).timing;
	ck_assert_int_eq(t.rollback, -1);
	ck_assert_int_eq(t.healing, -1);
	world_good(&w);
	way_degraded_uncaptured(&w);
	t = world_judge(a, &w).timing;
	ck_assert_int_eq(t.window, -1);
	ck_assert_int_eq(t.recovery, -1);
	/* Detected before the strike: no detection time, never a negative one. */
	world_in_rollback(&w);
	script_add(&w.drill, EVENT_GOAL, NULL, EVENT_DETECTED, "\"by\":\"goal_missed\"");
	t = world_judge(a, &w).timing;
	ck_assert_int_eq(t.detection, -1);
	ck_assert_int_eq(t.decision, 20 * NS_PER_MS);
	arena_destroy(a);
}
END_TEST

START_TEST(test_words)
{
	struct arena *a = arena_create();
	struct world w;
	world_good(&w);
	way_residue(&w);
	struct verdict v = world_judge(a, &w);
	ck_assert_uint_eq(v.residue_visible, 2);
	ck_assert_uint_eq(v.residue.count, 3); /* the log is there, and marked */
	ck_assert_str_eq(v.residue.items[2].hidden_by, "/var/log/**");
	ck_assert_str_eq(v.why, "after the rollback the state differs from B in 2 entries: changed "
				"file /usr/sbin/nginx on web (xxh3), added file "
				"/usr/sbin/nginx.dpkg-new on web");
	ck_assert_str_eq(v.felt, "7 frames dropped");
	ck_assert_str_eq(v.strike, "link of mirror is down; 204800 bytes; patch step 'install'");
	ck_assert_str_eq(v.detected, "step_failed: step 'install' failed");
	ck_assert(!v.unstable);
	world_good(&w);
	way_late_window(&w);
	v = world_judge(a, &w);
	ck_assert_ptr_nonnull(strstr(v.why, "the window was 600 ms"));
	world_good(&w);
	way_not_felt(&w);
	v = world_judge(a, &w);
	ck_assert(v.unstable);
	world_tolerated(&w);
	way_not_felt(&w);
	v = world_judge(a, &w);
	ck_assert(!v.unstable);
	way_half_done(&w);
	v = world_judge(a, &w);
	ck_assert_uint_eq(v.drift_visible, 2);
	ck_assert_uint_eq(v.residue.count, 0);
	arena_destroy(a);
}
END_TEST

static const struct {
	void (*mutate)(struct world *w);
	uint64_t expect;
	bool pass, unexpected;
} expects[] = {
	{ way_nothing, OUTCOME_BIT(OUTCOME_RESTORED), true, false },
	{ way_nothing, OUTCOME_BIT(OUTCOME_TOLERATED), false, true },
	{ way_knockout_well, OUTCOME_BIT(OUTCOME_RESTORED), false, true },
	{ world_tolerated, OUTCOME_BIT(OUTCOME_RESTORED), false, true },
	{ way_residue, OUTCOME_BIT(OUTCOME_RESIDUE), true, false },
	{ way_residue, OUTCOME_BIT(OUTCOME_LATE), false, false },
	{ way_nothing, OUTCOME_BIT(OUTCOME_RESIDUE), false, true },
	{ way_not_felt, UINT64_MAX, false, false },
	{ way_no_knockout, UINT64_MAX, false, false },
	{ way_blind, UINT64_MAX, false, false },
	{ way_unsealed, UINT64_MAX, false, false },
	{ way_not_steady, UINT64_MAX, false, false },
	{ way_leftover, UINT64_MAX, false, false },
};

START_TEST(test_expect)
{
	struct arena *a = arena_create();
	struct world w;
	world_good(&w);
	expects[_i].mutate(&w);
	w.fault.expect = expects[_i].expect;
	struct verdict v = world_judge(a, &w);
	ck_assert(v.pass == expects[_i].pass);
	ck_assert(v.unexpected == expects[_i].unexpected);
	arena_destroy(a);
}
END_TEST

/* Names that begin each other, and a detail that names the other probe. */
static struct probe_plan two_probes[] = { { .name = "serves" }, { .name = "serves: all" } };

static void sick_probe(struct world *w, const char *why)
{
	w->plan.steady = two_probes;
	w->plan.steady_count = LEN(two_probes);
	script_drop_kind(&w->drill, EVENT_HEALTHY, NULL);
	script_add(&w->drill, EVENT_ROLLBACK_END, NULL, EVENT_NOT_HEALTHY, why);
}
static void blame_first(struct world *w)
{
	sick_probe(w, "\"why\":\"serves: 503, not serves: all\"");
}
static void blame_longer(struct world *w)
{
	sick_probe(w, "\"why\":\"serves: all: 503\"");
}
static void blame_nobody(struct world *w)
{
	sick_probe(w, "\"why\":\"steady state did not hold long enough\"");
}
static void blame_another(struct world *w)
{
	sick_probe(w, "\"why\":\"serves2: 503\"");
}
static void blame_goal(struct world *w)
{
	way_goal_missed(w);
	script_set(&w->drill, EVENT_GOAL, NULL, "\"ok\":false,\"probe\":\"new version\"");
}
static void blame_step(struct world *w)
{
	way_step_failed(w);
	script_set(&w->drill, EVENT_STEP_END, "reinstall",
		   "\"section\":\"rollback\",\"step\":\"reinstall\",\"index\":1,\"ok\":false");
}

static const struct {
	void (*mutate)(struct world *w);
	const char *culprit; /* NULL: nobody */
	bool timed_out;
} blames[] = {
	{ way_nothing, NULL, false },
	{ way_step_failed, "reinstall", true },
	{ blame_step, "reinstall", false },
	{ way_rollback_failed, NULL, false },
	{ blame_first, "serves", false },
	{ blame_longer, "serves: all", false },
	{ blame_nobody, NULL, false },
	{ blame_goal, "new version", false },
	{ blame_another, NULL, false },
	{ way_half_done, NULL, false },
	{ way_residue, NULL, false },
	{ way_late_window, "window", false },
	{ way_late_recovery, "recovery", false },
};

START_TEST(test_culprit)
{
	struct arena *a = arena_create();
	struct world w;
	world_good(&w);
	blames[_i].mutate(&w);
	struct verdict v = world_judge(a, &w);
	if (blames[_i].culprit == NULL)
		ck_assert_ptr_null(v.culprit);
	else
		ck_assert_str_eq(v.culprit, blames[_i].culprit);
	ck_assert(v.timed_out == blames[_i].timed_out);
	arena_destroy(a);
}
END_TEST

Suite *suite_verdict(void);
Suite *suite_verdict(void)
{
	Suite *s = suite_create("verdict");
	TCase *t = tcase_create("verdict");
	tcase_add_loop_test(t, test_row, 0, LEN(rows));
	tcase_add_loop_test(t, test_precedence, 0, LEN(pairs));
	tcase_add_test(t, test_timing);
	tcase_add_test(t, test_words);
	tcase_add_loop_test(t, test_expect, 0, LEN(expects));
	tcase_add_loop_test(t, test_culprit, 0, LEN(blames));
	suite_add_tcase(s, t);
	return s;
}
