/* SPDX-License-Identifier: MIT */
/*
 * The workflows that come in pairs, run and swept as a user does it: what is struck at the same
 * place comes back in the right one and does not in the wrong one, and both come back from a clean
 * patch. The larger pairs are swept by `make nightly`.
 */
#include <stdio.h>
#include <string.h>

#include "tests/drill/program.h"
#include "tests/unit/runner.h"

enum { DRILLS_MAX = 4 };

struct twin {
	const char *file;
	int exit;
	struct {
		const char *fault, *outcome;
	} drills[DRILLS_MAX];
};

static const struct twin twins[] = {
	{ "config-push/scenario.json",
	  0,
	  { { "killed while backing up", "restored" },
	    { "killed while copying", "restored" },
	    { "disk full at the first attempt", "tolerated" },
	    { "disk full at both attempts", "restored" } } },
	{ "config-push/wrong.json",
	  1,
	  { { "killed while backing up", "degraded" },
	    { "killed while copying", "restored" },
	    { "disk full at the first attempt", "drifted" },
	    { "disk full at both attempts", "degraded" } } },
};

static void check_controls(const struct twin *t, const struct json_doc *report)
{
	const struct json *controls = json_get(json_root(report), "controls");
	ck_assert_uint_eq(json_size(controls), 2);
	for (const struct json *c = json_first(controls); c != NULL; c = json_next(c)) {
		ck_assert_msg(json_get_bool(c, "pass", false), "%s: %s: %s", t->file,
			      json_get_string(c, "name", "?"), json_get_string(c, "why", "?"));
		ck_assert_int_eq(json_get_int(c, "residue_visible", -1), 0);
	}
}

static size_t check_drills(const struct twin *t, const struct json_doc *report)
{
	size_t count = 0;
	for (; count < DRILLS_MAX && t->drills[count].fault != NULL; count++) {
		const struct json *d = report_drill(report, t->drills[count].fault);
		const char *outcome = json_get_string(d, "outcome", "?");
		ck_assert_msg(strcmp(outcome, t->drills[count].outcome) == 0,
			      "%s, %s: %s instead of %s: %s", t->file, t->drills[count].fault,
			      outcome, t->drills[count].outcome, json_get_string(d, "why", "?"));
	}
	return count;
}

START_TEST(comes_back_or_not)
{
	TEST_NEEDS_ROOT();
	const struct twin *t = &twins[_i];
	struct program p;
	char file[128], runs[320];
	(void)snprintf(file, sizeof(file), "scenarios/%s", t->file);
	(void)snprintf(runs, sizeof(runs), "%s/runs", test_dir());
	/* Where the table has one fault of several, that one alone: each costs a second. */
	bool one = t->drills[1].fault == NULL;
	PROGRAM(&p, "run", file, "--json", "--runs", runs, one ? "--fault" : NULL,
		t->drills[0].fault);
	struct json_doc *report = program_json(&p);
	check_controls(t, report);
	size_t count = check_drills(t, report);
	ck_assert_uint_eq(json_size(json_get(json_root(report), "drills")), count);
	ck_assert_int_eq(p.exit, t->exit);
	json_doc_free(report);
	program_free(&p);
}
END_TEST

static const struct {
	const char *file;
	size_t points_min;
	bool clean;
} swept[] = {
	{ "config-push/scenario.json", 10, true },
	{ "config-push/wrong.json", 10, false },
	{ "symlink-switch/scenario.json", 20, true },
	{ "symlink-switch/wrong.json", 20, false },
	{ "symlink-switch/wrong-litter.json", 20, false },
	{ "tar-deploy/scenario.json", 30, true },
	{ "tar-deploy/wrong.json", 30, false },
	{ "sqlite-migration/scenario.json", 20, true },
	{ "sqlite-migration/wrong.json", 50, false },
};

/* No false alarm at any point of the right form, and the defect of the wrong one is found. */
START_TEST(a_sweep_tells_them_apart)
{
	TEST_NEEDS_ROOT();
	struct program p;
	char file[128], runs[320];
	(void)snprintf(file, sizeof(file), "scenarios/%s", swept[_i].file);
	(void)snprintf(runs, sizeof(runs), "%s/runs", test_dir());
	PROGRAM(&p, "sweep", file, "--json", "--runs", runs);
	struct json_doc *report = program_json(&p);
	const struct json *sweep = json_get(json_root(report), "sweep");
	const struct json *group = json_first(json_get(sweep, "groups"));
	ck_assert_msg(json_get_bool(sweep, "complete", false), "%s is not covered", file);
	ck_assert_uint_ge(json_size(json_get(sweep, "points")), swept[_i].points_min);
	ck_assert_msg((group == NULL) == swept[_i].clean, "%s: %s", file,
		      group != NULL ? json_get_string(group, "what", "?") : "nothing found");
	ck_assert_int_eq(p.exit, swept[_i].clean ? 0 : 1);
	json_doc_free(report);
	program_free(&p);
}
END_TEST

Suite *suite_twins(void);
Suite *suite_twins(void)
{
	Suite *s = suite_create("twins");
	TCase *c = tcase_create("twins");
	tcase_set_timeout(c, 600);
	tcase_add_loop_test(c, comes_back_or_not, 0, sizeof(twins) / sizeof(twins[0]));
	tcase_add_loop_test(c, a_sweep_tells_them_apart, 0, sizeof(swept) / sizeof(swept[0]));
	suite_add_tcase(s, c);
	return s;
}
