/* SPDX-License-Identifier: MIT */
/* One package upgraded by dpkg, killed at every call, and backed out by two plans of which one only
 * says that it has. The image stays in BACKOUT_STATE or /var/lib/backout. */
#include <stdio.h>
#include <string.h>

#include "tests/drill/program.h"
#include "tests/unit/runner.h"

#define SCENARIO "scenarios/dpkg-upgrade/scenario.json"

enum { KINDS_MAX = 3, POINTS_MIN = 300 };

/* What dpkg leaves behind when the old package is installed over a torn new one: copies that it was
 * unpacking, files that only the new version has, and the new version's configuration. */
static const struct {
	const char *plan;
	int exit;
	const char *left[KINDS_MAX + 1]; /* an entry of each kind of residue */
} cases[] = {
	{ "snapshot", 0, { NULL } },
	{ "reinstall-old",
	  1,
	  { "/etc/demo/extra.conf.dpkg-new", "/usr/bin/demo-admin", "/etc/demo/demo.conf", NULL } },
};

static bool leaves(const struct json *group, const char *path)
{
	const struct json *list = json_get(group, "residue");
	for (const struct json *r = json_first(list); r != NULL; r = json_next(r))
		if (strcmp(json_get_string(json_get(r, "change"), "key", ""), path) == 0)
			return true;
	return false;
}

static bool is_found(const struct json *groups, const char *path)
{
	for (const struct json *g = json_first(groups); g != NULL; g = json_next(g))
		if (strcmp(json_get_string(g, "outcome", ""), "residue") == 0 && leaves(g, path))
			return true;
	return false;
}

START_TEST(every_call_of_an_upgrade)
{
	TEST_NEEDS_ROOT();
	struct program p;
	char runs[320];
	(void)snprintf(runs, sizeof(runs), "%s/runs", test_dir());
	PROGRAM(&p, "sweep", SCENARIO, "--json", "--rollback", cases[_i].plan, "--runs", runs);
	struct json_doc *report = program_json(&p);
	const struct json *sweep = json_get(json_root(report), "sweep");
	const struct json *groups = json_get(sweep, "groups");
	size_t kinds = 0;
	ck_assert_msg(json_get_bool(sweep, "complete", false), "%s", cases[_i].plan);
	ck_assert_uint_ge(json_size(json_get(sweep, "points")), POINTS_MIN);
	for (; cases[_i].left[kinds] != NULL; kinds++)
		ck_assert_msg(is_found(groups, cases[_i].left[kinds]), "%s: no %s", cases[_i].plan,
			      cases[_i].left[kinds]);
	ck_assert_uint_eq(json_size(groups), kinds);
	ck_assert_int_eq(p.exit, cases[_i].exit);
	json_doc_free(report);
	program_free(&p);
}
END_TEST

Suite *suite_debian_sweep(void);
Suite *suite_debian_sweep(void)
{
	Suite *s = suite_create("debian_sweep");
	TCase *c = tcase_create("debian_sweep");
	tcase_set_timeout(c, 600);
	tcase_add_loop_test(c, every_call_of_an_upgrade, 0,
			    (int)(sizeof(cases) / sizeof(cases[0])));
	suite_add_tcase(s, c);
	return s;
}
