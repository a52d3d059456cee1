/* SPDX-License-Identifier: MIT */
#include "tests/unit/verdict_ways.h"

#include "harness/base/clock.h"

void way_nothing(struct world *w)
{
	(void)w;
}

/* A node's crash: down with the strike, up as it is undone. */
static void crash(struct world *w, struct script *s)
{
	(void)w;
	script_add(s, EVENT_FAULT_APPLIED, NULL, EVENT_NODE_DOWN, "\"node\":\"web\"");
	script_add(s, EVENT_NODE_DOWN, NULL, EVENT_NODE_UP, "\"node\":\"web\",\"again\":true");
}
void way_crashed(struct world *w)
{
	crash(w, &w->drill);
	crash(w, &w->knockout);
}
void way_service_not_back(struct world *w)
{
	way_crashed(w);
	script_add(&w->drill, EVENT_NODE_UP, "again", EVENT_SERVICE_DOWN, "\"service\":\"web\"");
}
void way_down_twice(struct world *w)
{
	way_crashed(w);
	script_add(&w->drill, EVENT_NODE_DOWN, NULL, EVENT_NODE_DOWN, "\"node\":\"web\"");
}
void way_up_twice(struct world *w)
{
	script_add(&w->drill, EVENT_FAULT_APPLIED, NULL, EVENT_NODE_UP, "\"node\":\"web\"");
}
void way_captured_down(struct world *w)
{
	script_add(&w->drill, EVENT_FAULT_APPLIED, NULL, EVENT_NODE_DOWN, "\"node\":\"web\"");
}
void way_down_early(struct world *w)
{
	script_add(&w->drill, EVENT_NODE_UP, NULL, EVENT_NODE_DOWN, "\"node\":\"web\"");
	script_add(&w->drill, EVENT_NODE_DOWN, NULL, EVENT_NODE_UP,
		   "\"node\":\"web\",\"again\":true");
}
void way_service_down_up(struct world *w)
{
	script_add(&w->drill, EVENT_FAULT_APPLIED, NULL, EVENT_SERVICE_DOWN, "\"service\":\"web\"");
}

/* Row 1 */
void way_unverified(struct world *w)
{
	script_set(&w->drill, EVENT_FAULT_UNDONE, NULL, "\"fault\":\"cut\",\"verified\":false");
}
void way_never_undone(struct world *w)
{
	script_drop_kind(&w->drill, EVENT_FAULT_UNDONE, NULL);
}
void way_leftover(struct world *w)
{
	script_set(&w->drill, EVENT_TEARDOWN, NULL, "\"leftovers\":1");
}
void way_leftover_line(struct world *w)
{
	script_add(&w->drill, EVENT_TEARDOWN, NULL, EVENT_LEFTOVER, "\"what\":\"a cgroup\"");
}
void way_no_leftover_count(struct world *w)
{
	script_set(&w->drill, EVENT_TEARDOWN, NULL, "\"took\":1");
}
void way_own_error(struct world *w)
{
	script_add(&w->drill, EVENT_PATCH_END, NULL, EVENT_HARNESS_ERROR, "\"why\":\"EIO\"");
}
void way_early_health(struct world *w)
{
	script_set(&w->drill, EVENT_HEALTHY, NULL, "\"since\":599999999");
}
void way_short_settle(struct world *w)
{
	script_set(&w->drill, EVENT_HEALTHY, NULL, "\"since\":700000001");
}
void way_late_health(struct world *w)
{
	script_set(&w->drill, EVENT_HEALTHY, NULL, "\"since\":1700000001");
}
void way_time_back(struct world *w)
{
	script_find(&w->drill, EVENT_FAULT_FELT, NULL)->ms = 299;
}
void way_patch_unsteady(struct world *w)
{
	script_drop_kind(&w->drill, EVENT_STEADY_BEFORE, NULL);
	script_add(&w->drill, EVENT_PATCH_BEGIN, NULL, EVENT_STEADY_BEFORE, "\"ok\":true");
}
void way_step_too_many(struct world *w)
{
	script_add(&w->drill, EVENT_STEP_END, "refresh", EVENT_STEP_BEGIN,
		   "\"section\":\"patch\",\"step\":\"more\",\"index\":2");
}
void way_step_twice(struct world *w)
{
	script_add(&w->drill, EVENT_STEP_END, "refresh", EVENT_STEP_BEGIN,
		   "\"section\":\"patch\",\"step\":\"refresh\",\"index\":0");
}
void way_step_left_out(struct world *w)
{
	script_drop_kind(&w->drill, EVENT_STEP_BEGIN, "reinstall");
	script_drop_kind(&w->drill, EVENT_STEP_END, "reinstall");
}
void way_after_sealed(struct world *w)
{
	script_add(&w->drill, EVENT_SEALED, NULL, EVENT_NOTICE, "");
}
void way_patch_before_steady(struct world *w)
{
	script_drop_kind(&w->drill, EVENT_STEADY_BEFORE, NULL);
	script_drop_kind(&w->drill, EVENT_STATE_CAPTURED, "before");
	w->drill.count = 8;
}
void way_no_since(struct world *w)
{
	world_tolerated(w);
	script_set(&w->drill, EVENT_HEALTHY, NULL, "\"settle\":1");
}
void way_knockout_undetected(struct world *w)
{
	script_drop_kind(&w->knockout, EVENT_DETECTED, NULL);
}
void way_miscounted(struct world *w)
{
	w->drill.events_off = 1;
}
void way_other_format(struct world *w)
{
	script_set(&w->drill, EVENT_DRILL_BEGIN, NULL,
		   "\"format\":2,\"role\":\"drill\",\"fault\":\"cut\"");
}
void way_other_fault(struct world *w)
{
	script_set(&w->drill, EVENT_DRILL_BEGIN, NULL,
		   "\"format\":1,\"role\":\"drill\",\"fault\":\"x\"");
}
void way_other_role(struct world *w)
{
	script_set(&w->drill, EVENT_DRILL_BEGIN, NULL,
		   "\"format\":1,\"role\":\"knockout\",\"fault\":\"cut\"");
}
void way_strike_after_health(struct world *w)
{
	script_drop_kind(&w->drill, EVENT_FAULT_APPLIED, NULL);
	script_add(&w->drill, EVENT_HEALTHY, NULL, EVENT_FAULT_APPLIED, "\"fault\":\"cut\"");
}
void way_state_early(struct world *w)
{
	script_drop_kind(&w->drill, EVENT_STATE_CAPTURED, "after");
	script_add(&w->drill, EVENT_ROLLBACK_END, NULL, EVENT_STATE_CAPTURED,
		   "\"node\":\"web\",\"phase\":\"after\"");
}
void way_knockout_unverified(struct world *w)
{
	script_set(&w->knockout, EVENT_FAULT_UNDONE, NULL, "\"fault\":\"cut\",\"verified\":false");
}
void way_knockout_rolled_back(struct world *w)
{
	script_drop_kind(&w->knockout, EVENT_ROLLBACK_SKIPPED, NULL);
	script_add(&w->knockout, EVENT_FAULT_UNDONE, NULL, EVENT_ROLLBACK_BEGIN, "");
	script_add(&w->knockout, EVENT_ROLLBACK_BEGIN, NULL, EVENT_ROLLBACK_END, "\"ok\":false");
}
/* Row 2 */
void way_unsealed(struct world *w)
{
	script_drop_kind(&w->drill, EVENT_SEALED, NULL);
}
void way_torn(struct world *w)
{
	w->drill.torn = true;
}
void way_stopped(struct world *w)
{
	script_add(&w->drill, EVENT_PATCH_END, NULL, EVENT_STOPPED, "\"why\":\"SIGINT\"");
}
void way_killed_early(struct world *w)
{
	w->drill.count = 9;
}
void way_only_begun(struct world *w)
{
	w->drill.count = 1;
}
void way_empty(struct world *w)
{
	w->drill.count = 0;
}
void way_control_missing(struct world *w)
{
	w->no_control = true;
}
void way_control_unsealed(struct world *w)
{
	script_drop_kind(&w->control_a, EVENT_SEALED, NULL);
}
void way_control_b_stopped(struct world *w)
{
	script_add(&w->control_b, EVENT_PATCH_END, NULL, EVENT_STOPPED, "\"why\":\"SIGINT\"");
}
/* Row 3 */
void way_not_steady(struct world *w)
{
	script_set(&w->drill, EVENT_STEADY_BEFORE, NULL, "\"ok\":false,\"why\":\"503\"");
}
void way_not_steady_and_over(struct world *w)
{
	way_not_steady(w);
	while (w->drill.lines[5].kind != EVENT_TEARDOWN)
		script_drop(&w->drill, 5);
}
void way_service_failed(struct world *w)
{
	script_add(&w->drill, EVENT_NODE_UP, NULL, EVENT_SERVICE_FAILED, "\"service\":\"web\"");
}
void way_control_patch_fails(struct world *w)
{
	script_set(&w->control_a, EVENT_PATCH_END, NULL, "\"ok\":false");
}
void way_control_misses_goal(struct world *w)
{
	script_set(&w->control_b, EVENT_GOAL, NULL, "\"ok\":false");
}
void way_control_detects(struct world *w)
{
	script_add(&w->control_a, EVENT_GOAL, NULL, EVENT_DETECTED, "\"by\":\"steady_state_lost\"");
}
void way_control_not_steady(struct world *w)
{
	script_set(&w->control_b, EVENT_STEADY_BEFORE, NULL, "\"ok\":false");
}
/* Row 4 */
static struct ignore_plan blindfold[] = { { "/**", "too much", COMPARE_NOTHING } };
static const char STATE_B_PATCHED_FILES[] =
	"{\"kind\":\"file\",\"key\":\"/usr/sbin/nginx\",\"type\":\"file\",\"xxh3\":\"2\"}\n"
	"{\"kind\":\"package\",\"key\":\"nginx\",\"version\":\"1\"}\n";
void way_blind(struct world *w)
{
	w->plan.state.ignore = (struct list){ blindfold, 1 };
	w->control_a.state[PHASE_PATCHED] = STATE_B_PATCHED_FILES;
}
/* Row 5 */
void way_not_felt(struct world *w)
{
	script_drop_kind(&w->drill, EVENT_FAULT_FELT, NULL);
}
void way_not_applied(struct world *w)
{
	way_not_felt(w);
	script_drop_kind(&w->drill, EVENT_FAULT_APPLIED, NULL);
}
void way_not_triggered(struct world *w)
{
	way_not_applied(w);
	script_drop_kind(&w->drill, EVENT_TRIGGER_HIT, NULL);
}
void way_strike_failed(struct world *w)
{
	way_not_applied(w);
	script_add(&w->drill, EVENT_TRIGGER_HIT, NULL, EVENT_FAULT_FAILED, "\"fault\":\"cut\"");
}
void way_other_felt(struct world *w)
{
	script_set(&w->drill, EVENT_FAULT_FELT, NULL, "\"fault\":\"another\"");
}
/* Rows 6 and 7 */
void way_noise_hidden(struct world *w)
{
	world_tolerated(w);
	w->drill.state[PHASE_PATCHED] = STATE_NOISY_P;
	w->control_b.state[PHASE_PATCHED] = STATE_NOISY_P;
}
void way_no_noise_known(struct world *w)
{
	way_noise_hidden(w);
	w->no_control_b = true;
}
void way_half_done(struct world *w)
{
	world_tolerated(w);
	w->drill.state[PHASE_PATCHED] = STATE_HALF;
}
void way_still_old(struct world *w)
{
	world_tolerated(w);
	w->drill.state[PHASE_PATCHED] = STATE_B;
}
void way_goal_missed(struct world *w)
{
	world_tolerated(w);
	script_set(&w->drill, EVENT_GOAL, NULL, "\"ok\":false,\"why\":\"old\"");
}
void way_sick(struct world *w)
{
	world_tolerated(w);
	script_drop_kind(&w->drill, EVENT_HEALTHY, NULL);
	script_add(&w->drill, EVENT_NO_ROLLBACK, NULL, EVENT_NOT_HEALTHY, "\"why\":\"503\"");
}
void way_no_goal_asked(struct world *w)
{
	world_tolerated(w);
	script_drop_kind(&w->drill, EVENT_GOAL, NULL);
}
void way_no_patched_state(struct world *w)
{
	world_tolerated(w);
	script_drop_kind(&w->drill, EVENT_STATE_CAPTURED, "patched");
}
void way_tolerated_not_felt(struct world *w)
{
	world_tolerated(w);
	way_not_felt(w);
}
/* Row 8 */
void way_step_failed(struct world *w)
{
	script_set(&w->drill, EVENT_STEP_END, "reinstall",
		   "\"section\":\"rollback\",\"step\":\"reinstall\",\"index\":1,\"ok\":false,"
		   "\"timed_out\":true,\"why\":\"30 s\"");
	script_set(&w->drill, EVENT_ROLLBACK_END, NULL, "\"ok\":false");
}
void way_rollback_failed(struct world *w)
{
	script_set(&w->drill, EVENT_ROLLBACK_END, NULL, "\"ok\":false,\"why\":\"no such step\"");
}
/* Row 9 */
void way_degraded(struct world *w)
{
	script_drop_kind(&w->drill, EVENT_HEALTHY, NULL);
	script_add(&w->drill, EVENT_ROLLBACK_END, NULL, EVENT_NOT_HEALTHY, "\"why\":\"503\"");
}
void way_degraded_uncaptured(struct world *w)
{
	way_degraded(w);
	script_drop_kind(&w->drill, EVENT_STATE_CAPTURED, "after");
}
/* Row 10 */
void way_residue(struct world *w)
{
	w->drill.state[PHASE_AFTER] = STATE_HALF;
}
/* Row 11 */
void way_late_window(struct world *w)
{
	w->plan.window.target = 600 * NS_PER_MS - 1;
}
void way_late_recovery(struct world *w)
{
	w->plan.window.recovery = 400 * NS_PER_MS - 1;
}
void way_just_in_time(struct world *w)
{
	w->plan.window.target = 600 * NS_PER_MS;
	w->plan.window.recovery = 400 * NS_PER_MS;
}
/* Rows 12 to 14 */
void way_knockout_sick(struct world *w)
{
	script_drop_kind(&w->knockout, EVENT_HEALTHY, NULL);
	script_add(&w->knockout, EVENT_ROLLBACK_SKIPPED, NULL, EVENT_NOT_HEALTHY, "");
	w->knockout.state[PHASE_AFTER] = STATE_B;
}
void way_knockout_well(struct world *w)
{
	w->knockout.state[PHASE_AFTER] = STATE_B;
}
static const char STATE_B_LOG[] =
	"{\"kind\":\"file\",\"key\":\"/etc/hosts\",\"type\":\"file\"}\n"
	"{\"kind\":\"file\",\"key\":\"/usr/sbin/nginx\",\"type\":\"file\",\"xxh3\":\"1\"}\n"
	"{\"kind\":\"file\",\"key\":\"/var/log/w.log\",\"type\":\"file\",\"size\":77}\n"
	"{\"kind\":\"package\",\"key\":\"nginx\",\"version\":\"1\"}\n";
void way_knockout_masked(struct world *w)
{
	w->knockout.state[PHASE_AFTER] = STATE_B_LOG;
}
void way_no_knockout(struct world *w)
{
	w->no_knockout = true;
}
void way_knockout_not_felt(struct world *w)
{
	script_drop_kind(&w->knockout, EVENT_FAULT_FELT, NULL);
}
void way_knockout_not_applied(struct world *w)
{
	way_knockout_not_felt(w);
	script_drop_kind(&w->knockout, EVENT_FAULT_APPLIED, NULL);
}
void way_knockout_unsealed(struct world *w)
{
	script_drop_kind(&w->knockout, EVENT_SEALED, NULL);
}
void way_knockout_sick_unsealed(struct world *w)
{
	way_knockout_sick(w);
	way_knockout_unsealed(w);
}
void way_knockout_stopped(struct world *w)
{
	script_add(&w->knockout, EVENT_PATCH_END, NULL, EVENT_STOPPED, "\"why\":\"SIGINT\"");
}
void way_knockout_other_fault(struct world *w)
{
	script_set(&w->knockout, EVENT_DRILL_BEGIN, NULL,
		   "\"format\":1,\"role\":\"knockout\",\"fault\":\"x\"");
}
void way_knockout_is_drill(struct world *w)
{
	w->knockout = w->drill;
}
void way_knockout_other_step(struct world *w)
{
	struct script *s = &w->knockout;
	struct script_line hit = *script_find(s, EVENT_FAULT_APPLIED, NULL);
	script_drop_kind(s, EVENT_FAULT_APPLIED, NULL);
	script_add(s, EVENT_STEP_BEGIN, "refresh", EVENT_FAULT_APPLIED, hit.fields);
}
void way_knockout_other_trigger(struct world *w)
{
	script_set(&w->knockout, EVENT_TRIGGER_HIT, NULL, "\"fault\":\"cut\",\"kind\":\"elapsed\"");
}
/* It went on without calling for a rollback: what it left is the counter-proof. */
void way_knockout_not_called(struct world *w)
{
	world_tolerated(w);
	w->knockout = w->drill;
	script_set(&w->knockout, EVENT_DRILL_BEGIN, NULL,
		   "\"format\":1,\"role\":\"knockout\",\"fault\":\"cut\"");
	struct script knockout = w->knockout;
	world_good(w);
	w->knockout = knockout;
}
/* Steady state was lost between two steps: the patch ends there, and says ok. */
void way_patch_cut(struct world *w)
{
	struct script *s = &w->drill;
	script_drop_kind(s, EVENT_STEP_BEGIN, "install");
	script_drop_kind(s, EVENT_STEP_END, "install");
	script_set(s, EVENT_PATCH_END, NULL, "\"ok\":true");
	script_set(s, EVENT_DETECTED, NULL, "\"by\":\"steady_state_lost\"");
	script_drop_kind(&w->knockout, EVENT_STEP_BEGIN, "install");
	script_drop_kind(&w->knockout, EVENT_STEP_END, "install");
}
void way_rollback_no_control_p(struct world *w)
{
	world_in_rollback(w);
	script_drop_kind(&w->control_a, EVENT_STATE_CAPTURED, "patched");
}
