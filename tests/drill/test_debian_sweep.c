/* SPDX-License-Identifier: MIT */
/* One package under dpkg, backed out by each of the scenario's plans: two come back, two only say
 * so. The image stays in BACKOUT_STATE or /var/lib/backout. */
#include <stdio.h>
#include <string.h>

#include "tests/drill/program.h"
#include "tests/unit/runner.h"

#define SCENARIO "scenarios/dpkg-upgrade/scenario.json"

enum { FAULTS = 3 };

static const char *const faults[FAULTS] = {
	"killed before the new files are known",
	"killed before the new conffile is noted",
	"no space while unpacking",
};

static const struct {
	const char *plan;
	int exit;
	const char *outcome[FAULTS];
	const char *left[FAULTS]; /* one of the entries that stay, NULL: none does */
} cases[] = {
	{ "snapshot", 0, { "restored", "restored", "harmless" }, { NULL } },
	{ "forward-then-back", 0, { "restored", "restored", "harmless" }, { NULL } },
	{ "reinstall-old",
	  1,
	  { "residue", "residue", "harmless" },
	  { "/usr/bin/demo-admin", "/etc/demo/demo.conf", NULL } },
	{ "configure-then-downgrade",
	  1,
	  { "residue", "residue", "harmless" },
	  { "/usr/share/demo/modern/index", "/etc/demo/demo.conf", NULL } },
};

static bool has_residue(const struct json *drill, const char *path)
{
	const struct json *list = json_get(drill, "residue");
	for (const struct json *r = json_first(list); r != NULL; r = json_next(r))
		if (strcmp(json_get_string(r, "key", ""), path) == 0)
			return true;
	return false;
}

static void check_controls(const struct json_doc *report, const char *plan)
{
	const struct json *controls = json_get(json_root(report), "controls");
	ck_assert_uint_eq(json_size(controls), 2);
	for (const struct json *c = json_first(controls); c != NULL; c = json_next(c)) {
		ck_assert_msg(json_get_bool(c, "pass", false), "%s: %s: %s", plan,
			      json_get_string(c, "name", "?"), json_get_string(c, "why", "?"));
		ck_assert_int_eq(json_get_int(c, "residue_visible", -1), 0);
	}
}

/* Every plan backs out a whole upgrade, so only a fault tells them apart. */
START_TEST(plans_of_one_package)
{
	TEST_NEEDS_ROOT();
	struct program p;
	char runs[320];
	(void)snprintf(runs, sizeof(runs), "%s/runs", test_dir());
	PROGRAM(&p, "run", SCENARIO, "--json", "--rollback", cases[_i].plan, "--runs", runs);
	struct json_doc *report = program_json(&p);
	check_controls(report, cases[_i].plan);
	for (size_t f = 0; f < FAULTS; f++) {
		const struct json *d = report_drill(report, faults[f]);
		const char *outcome = json_get_string(d, "outcome", "?");
		const char *left = cases[_i].left[f];
		ck_assert_msg(strcmp(outcome, cases[_i].outcome[f]) == 0,
			      "%s, %s: %s instead of %s: %s", cases[_i].plan, faults[f], outcome,
			      cases[_i].outcome[f], json_get_string(d, "why", "?"));
		ck_assert_msg(left == NULL || has_residue(d, left), "%s, %s: no %s among: %s",
			      cases[_i].plan, faults[f], left, json_get_string(d, "why", "?"));
	}
	ck_assert_int_eq(p.exit, cases[_i].exit);
	json_doc_free(report);
	program_free(&p);
}
END_TEST

Suite *suite_debian_sweep(void)
{
	Suite *s = suite_create("debian_sweep");
	TCase *c = tcase_create("debian_sweep");
	tcase_set_timeout(c, 600);
	tcase_add_loop_test(c, plans_of_one_package, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	suite_add_tcase(s, c);
	return s;
}
