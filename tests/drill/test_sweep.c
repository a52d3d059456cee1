/* SPDX-License-Identifier: MIT */
/* Whole sweeps of toys: what is merged and branched says what every point drilled for real says,
 * and each kind of strike and of points does what it is asked for. */
#include <string.h>

#include "tests/drill/sweep_try.h"
#include "tests/unit/runner.h"

#define SCENARIO(name) "tests/drill/scenarios/sweep-" name ".json"

static const struct {
	const char *scenario, *in, *rollback; /* NULL: the scenario's */
} workflows[] = {
	{ SCENARIO("push"), "both", NULL },       { SCENARIO("release"), "patch", NULL },
	{ SCENARIO("unpack"), "patch", "clean" }, { SCENARIO("switch"), "both", NULL },
	{ SCENARIO("may-fail"), "patch", NULL },  { SCENARIO("odd"), "patch", NULL },
};

enum { WORKFLOWS = sizeof(workflows) / sizeof(workflows[0]) };

static void try_workflow(struct sweep_try *ret, const struct sweep_room *room, int i,
			 const char *const more[2])
{
	const char *args[SWEEP_TRY_ARGS] = { workflows[i].scenario, "--var", room->root, "--in",
					     workflows[i].in };
	size_t n = 5;
	if (workflows[i].rollback != NULL) {
		args[n++] = "--rollback";
		args[n++] = workflows[i].rollback;
	}
	for (size_t k = 0; k < 2 && more[k] != NULL; k++)
		args[n++] = more[k];
	sweep_try(ret, room, args);
	sweep_is_complete(ret);
}

/* Points that leave the same state are drilled once, and from the kept state. Each of them alone
 * says the same; and so does a real SIGKILL at each, of a workflow that runs from the start. */
START_TEST(merging_and_branching_are_true)
{
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct sweep_try few, all, real;
	sweep_room_set_up(&room);
	try_workflow(&few, &room, _i, (const char *const[2]){ NULL });
	ck_assert(few.s->reduced);
	ck_assert_uint_lt(few.s->class_count, few.s->point_count);
	ck_assert_uint_gt(sweep_classes_how(&few, SWEEP_BRANCH), 0);
	try_workflow(&all, &room, _i, (const char *const[2]){ "--no-reduce", NULL });
	ck_assert_uint_eq(all.s->class_count, all.s->point_count);
	sweep_same(&few, &all, "merged, and every point");
	sweep_try_free(&all);
	try_workflow(&real, &room, _i, (const char *const[2]){ "--no-branch", "--no-reduce" });
	ck_assert_uint_eq(sweep_classes_how(&real, SWEEP_BRANCH), 0);
	ck_assert_uint_eq(real.s->class_count, real.s->point_count);
	sweep_same(&few, &real, "branched, and struck for real");
	sweep_try_free(&real);
	sweep_try_free(&few);
}
END_TEST

/* Points between two of which nothing became durable are one, for a power cut. */
START_TEST(power_cuts_are_merged)
{
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct sweep_try few, all;
	sweep_room_set_up(&room);
	SWEEP_TOY(&few, &room, "sweep-power.json", "--strike", "power");
	sweep_is_complete(&few);
	ck_assert(few.s->reduced);
	ck_assert_uint_lt(few.s->class_count, few.s->point_count);
	ck_assert_uint_ge(few.s->class_count, 3);
	SWEEP_TOY(&all, &room, "sweep-power.json", "--strike", "power", "--no-reduce");
	ck_assert_uint_eq(all.s->class_count, all.s->point_count);
	ck_assert_uint_gt(sweep_points_of(&all, OUTCOME_DEGRADED), 0);
	sweep_same(&few, &all, "merged, and every point");
	sweep_try_free(&all);
	sweep_try_free(&few);
}
END_TEST

/* What a workflow changes outside of files is in no kept state. */
START_TEST(changes_outside_of_files)
{
	static const struct {
		const char *change, *why;
	} rows[] = {
		{ "change=mount -t tmpfs none /srv/m; : > /srv/m/x", "mounted" },
		{ "change=hostname other", "named its host" },
		{ "change=echo 63 > /proc/sys/net/ipv4/ip_default_ttl", "/proc/sys" },
		{ "change=ip addr add 10.9.9.9/32 dev lo", "addresses" },
	};
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct sweep_try merged, real;
	bool told = false;
	sweep_room_set_up(&room);
	SWEEP_TOY(&merged, &room, "sweep-kernel.json", "--var", rows[_i].change);
	SWEEP_TOY(&real, &room, "sweep-kernel.json", "--var", rows[_i].change, "--no-branch",
		  "--no-reduce");
	sweep_is_complete(&merged);
	for (size_t i = 0; i < merged.s->class_count; i++)
		told = told || strstr(merged.s->classes[i].why, rows[_i].why) != NULL;
	ck_assert(told);
	ck_assert_uint_gt(sweep_classes_how(&merged, SWEEP_BRANCH), 0);
	sweep_same(&merged, &real, rows[_i].change);
	sweep_try_free(&merged);
	sweep_try_free(&real);
}
END_TEST

/* Behind these strikes some of the workflow lives on: as many drills as points. */
START_TEST(never_merged)
{
	static const struct {
		const char *strike;
		enum outcome most; /* at each point, or OUTCOME_COUNT */
	} rows[] = {
		{ "errno:ENOSPC", OUTCOME_COUNT },
		{ "errno:EIO", OUTCOME_COUNT },
		{ "delay:20ms", OUTCOME_TOLERATED },
		{ "read only", OUTCOME_COUNT },
	};
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct sweep_try t;
	sweep_room_set_up(&room);
	SWEEP_TOY(&t, &room, "sweep-push.json", "--strike", rows[_i].strike);
	sweep_is_complete(&t);
	ck_assert_uint_eq(t.s->class_count, t.s->point_count);
	ck_assert_uint_eq(sweep_classes_how(&t, SWEEP_RERUN), t.s->point_count);
	ck_assert_uint_eq(sweep_points_of(&t, OUTCOME_NOT_REACHED), 0);
	if (rows[_i].most != OUTCOME_COUNT)
		ck_assert_uint_eq(sweep_points_of(&t, rows[_i].most), t.s->point_count);
	else
		ck_assert_uint_gt(sweep_points_of(&t, OUTCOME_RESTORED), 0);
	sweep_try_free(&t);
}
END_TEST

START_TEST(kinds_of_points)
{
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct sweep_try t;
	sweep_room_set_up(&room);
	SWEEP_TOY(&t, &room, "sweep-release.json", "--points", "programs");
	sweep_is_complete(&t);
	ck_assert_uint_ge(t.s->point_count, 2);
	for (size_t i = 0; i < t.s->point_count; i++)
		ck_assert_msg(strncmp(t.s->points[i].key, "start ", 6) == 0, "%s",
			      t.s->points[i].key);
	ck_assert_uint_eq(sweep_points_of(&t, OUTCOME_NOT_REACHED), 0);
	sweep_try_free(&t);
	SWEEP_TOY(&t, &room, "sweep-release.json", "--points", "steps", "--strike", "crash");
	sweep_is_complete(&t);
	ck_assert_uint_eq(t.s->class_count, t.s->point_count);
	ck_assert_uint_ge(t.s->point_count, 4); /* both steps begin and end */
	sweep_try_free(&t);
}
END_TEST

/* A rollback that is struck runs again: one that can is restored at every point. */
START_TEST(struck_rollbacks)
{
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct sweep_try t;
	sweep_room_set_up(&room);
	SWEEP_TOY(&t, &room, "sweep-push.json", "--in", "rollback", "--rollback", "careful");
	sweep_is_complete(&t);
	ck_assert_uint_gt(t.s->point_count, 4);
	for (size_t i = 0; i < t.s->point_count; i++)
		ck_assert(t.s->points[i].in_rollback);
	ck_assert_uint_eq(sweep_points_of(&t, OUTCOME_RESTORED), t.s->point_count);
	ck_assert_int_eq(t.exit, 0);
	sweep_try_free(&t);
	/* The copy is gone before the mode is back. */
	SWEEP_TOY(&t, &room, "sweep-push.json", "--in", "rollback");
	sweep_is_complete(&t);
	ck_assert_uint_eq(t.s->group_count, 1);
	ck_assert_int_eq(t.s->groups[0].outcome, OUTCOME_RESIDUE);
	ck_assert_uint_eq(t.s->groups[0].points, 1);
	ck_assert_uint_eq(t.s->groups[0].entry_count, 1);
	ck_assert_str_eq(t.s->groups[0].entries[0].change->key, "/etc/app.conf");
	ck_assert_int_eq(t.exit, 1);
	sweep_try_free(&t);
}
END_TEST

Suite *suite_sweep(void);
Suite *suite_sweep(void)
{
	Suite *s = suite_create("sweep");
	sweep_add_case(s, "merging_and_branching_are_true", merging_and_branching_are_true,
		       WORKFLOWS);
	sweep_add_case(s, "power_cuts_are_merged", power_cuts_are_merged, 1);
	sweep_add_case(s, "changes_outside_of_files", changes_outside_of_files, 4);
	sweep_add_case(s, "never_merged", never_merged, 4);
	sweep_add_case(s, "kinds_of_points", kinds_of_points, 1);
	sweep_add_case(s, "struck_rollbacks", struck_rollbacks, 1);
	return s;
}
