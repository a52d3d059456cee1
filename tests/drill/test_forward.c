/* SPDX-License-Identifier: MIT */
/* Rollbacks that go forward, through the program: what ends at P passes, what does not is found, by
 * drills, by sweeps (branched and for real) and by their replays. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "tests/drill/sweep_try.h"
#include "tests/drill/toy.h"
#include "tests/unit/runner.h"

#define FORWARD "tests/drill/scenarios/forward.json"

static const struct {
	const char *rollback, *fault, *slug, *outcome;
	int exit;
	const char *says; /* of the verdict */
} cases[] = {
	{ "again", "killed at a", "killed-at-a", "restored", 0,
	  "at P; without rollback not healthy: b is new: " },
	{ "again", "killed when done", "killed-when-done", "harmless", 2, "healthy and at P, too" },
	{ "second-half", "killed at a", "killed-at-a", "residue", 1,
	  "after the rollback the state differs from P in 2 entries" },
	{ "second-half", "killed at b", "killed-at-b", "restored", 0, "at P;" },
	{ "tidy", "killed at b", "killed-at-b", "degraded", 1, "b is new: exit 1" },
	{ "back", "killed at b", "killed-at-b", "restored", 0, "back at B;" },
};

START_TEST(drilled_and_replayed)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	toy_record(&t, FORWARD, cases[_i].fault, cases[_i].rollback);
	PROGRAM(&p, "report", t.run, "--format", "json");
	struct json_doc *report = program_json(&p);
	const struct json *drill = report_drill(report, cases[_i].fault);
	toy_came_to(drill, cases[_i].fault, cases[_i].outcome);
	const char *why = json_get_string(drill, "why", "");
	ck_assert_msg(strstr(why, cases[_i].says) != NULL, "%s", why);
	ck_assert_str_eq(json_get_string(json_root(report), "rollback_to", "?"),
			 strcmp(cases[_i].rollback, "back") == 0 ? "before" : "patched");
	json_doc_free(report);
	program_free(&p);
	GUARD(mem) char *same = mem_printf("same as recorded: %s\n", cases[_i].outcome);
	PROGRAM(&p, "replay", t.run, cases[_i].slug, "--state", t.state, "--runs", t.runs);
	program_expect(&p, cases[_i].exit, same);
	program_free(&p);
}
END_TEST

/* The knock-out of a branch was looked at against P, and health left alone only where it is not. */
static size_t unasked(const struct sweep_try *t, const char *why)
{
	size_t n = 0;
	const struct run_view *v = run_view(t->run);
	for (size_t i = 0; i < v->count; i++) {
		struct err e = { 0 };
		GUARD_BUF struct buf text = { 0 };
		if (v->items[i].role != ROLE_KNOCKOUT)
			continue;
		GUARD(mem)
		char *path = mem_printf("%s/%s/journal.jsonl", t->dir, v->items[i].label);
		MUST(io_read_file(AT_FDCWD, path, 1 << 20, &text, &e));
		n += strstr(buf_str(&text), why) != NULL;
	}
	return n;
}

START_TEST(swept)
{
	static const struct {
		const char *rollback;
		bool passes;
	} rows[] = { { "again", true }, { "second-half", false }, { "tidy", false } };
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct sweep_try few, real;
	sweep_room_set_up(&room);
	SWEEP_TOY(&few, &room, "forward.json", "--rollback", rows[_i].rollback);
	sweep_is_complete(&few);
	ck_assert_uint_gt(sweep_classes_how(&few, SWEEP_BRANCH), 0);
	ck_assert_uint_gt(sweep_points_of(&few, OUTCOME_RESTORED) +
				  sweep_points_of(&few, OUTCOME_HARMLESS),
			  0);
	ck_assert((few.s->group_count == 0) == rows[_i].passes);
	ck_assert_uint_eq(unasked(&few, "differs from B"), 0);
	ck_assert_uint_gt(unasked(&few, "the state differs from P, which is proof enough"), 0);
	/* Cut behind the note it is whole: nothing is needed there. */
	ck_assert_uint_gt(sweep_points_of(&few, OUTCOME_HARMLESS), 0);
	SWEEP_TOY(&real, &room, "forward.json", "--rollback", rows[_i].rollback, "--no-branch",
		  "--no-reduce");
	sweep_same(&few, &real, rows[_i].rollback);
	sweep_try_free(&real);
	sweep_try_free(&few);
}
END_TEST

/* Side by side with one that goes back, each with where it ends. */
START_TEST(compared)
{
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct program p;
	sweep_room_set_up(&room);
	PROGRAM(&p, "sweep", FORWARD, "--var", room.root, "--state", room.state, "--runs",
		room.runs, "--rollback", "back,again", "--json");
	struct json_doc *doc = program_json(&p);
	const struct json *plan = json_first(json_get(json_root(doc), "plans"));
	ck_assert_str_eq(json_get_string(plan, "to", "?"), "before");
	plan = json_next(plan);
	ck_assert_str_eq(json_get_string(plan, "rollback", "?"), "again");
	ck_assert_str_eq(json_get_string(plan, "to", "?"), "patched");
	ck_assert_int_eq(json_get_int(plan, "passed", 0), json_get_int(plan, "points", -1));
	json_doc_free(doc);
	program_free(&p);
}
END_TEST

Suite *suite_forward(void);
Suite *suite_forward(void)
{
	Suite *s = suite_create("forward");
	TCase *c = tcase_create("forward");
	tcase_set_timeout(c, 240);
	tcase_add_loop_test(c, drilled_and_replayed, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(c, swept, 0, 3);
	tcase_add_test(c, compared);
	suite_add_tcase(s, c);
	return s;
}
