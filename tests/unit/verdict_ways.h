/* SPDX-License-Identifier: MIT */
/* The smallest changes of a good world, one for each way in which a verdict can turn. */
#ifndef TESTS_UNIT_VERDICT_WAYS_H
#define TESTS_UNIT_VERDICT_WAYS_H

#include "tests/unit/verdict_world.h"

/* clang-format off */
#define WAYS(X) X(patch_before_steady) X(no_since) X(knockout_undetected) \
	X(knockout_sick_unsealed) X(crashed) X(service_not_back) X(down_twice) X(up_twice) \
	X(captured_down) X(down_early) X(service_down_up) \
	X(nothing) X(unverified) X(never_undone) X(leftover) X(leftover_line) \
	X(no_leftover_count) X(own_error) X(early_health) X(short_settle) X(late_health) \
	X(time_back) X(patch_unsteady) X(step_too_many) X(step_twice) X(step_left_out) \
	X(after_sealed) X(miscounted) X(other_format) X(other_fault) X(other_role) \
	X(strike_after_health) X(state_early) X(knockout_unverified) X(knockout_rolled_back) \
	X(unsealed) X(torn) X(stopped) X(killed_early) X(only_begun) X(empty) X(control_missing) \
	X(control_unsealed) X(control_b_stopped) X(not_steady) X(not_steady_and_over) \
	X(service_failed) X(control_patch_fails) X(control_misses_goal) X(control_detects) \
	X(control_not_steady) X(blind) X(not_felt) X(not_applied) X(not_triggered) \
	X(strike_failed) X(other_felt) X(noise_hidden) X(no_noise_known) X(half_done) X(still_old) \
	X(goal_missed) X(sick) X(no_goal_asked) X(no_patched_state) X(tolerated_not_felt) \
	X(step_failed) X(rollback_failed) X(degraded) X(degraded_uncaptured) X(residue) \
	X(late_window) X(late_recovery) X(just_in_time) X(knockout_sick) X(knockout_well) \
	X(knockout_masked) X(no_knockout) X(knockout_not_felt) X(knockout_not_applied) \
	X(knockout_unsealed) X(knockout_stopped) X(knockout_other_fault) X(knockout_is_drill) \
	X(knockout_other_step) X(knockout_other_trigger) X(knockout_not_called) X(patch_cut) \
	X(rollback_no_control_p)
/* clang-format on */
#define X(name) void way_##name(struct world *w);
WAYS(X)
#undef X

#endif
