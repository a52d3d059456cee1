/* SPDX-License-Identifier: MIT */
/* The real scenario, run as a user runs it, against the table in README.md. The images and the
 * packages come from the caches that `make demo` and `make check` fill. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "tests/drill/program.h"
#include "tests/unit/runner.h"

#define NGINX          "scenarios/nginx-upgrade/scenario.json"
#define NGINX_BAD      "scenarios/nginx-upgrade/bad-rollback.json"
#define NGINX_SYSTEMD  "scenarios/nginx-upgrade/systemd.json"
#define APACHE         "scenarios/apache2-upgrade/scenario.json"
#define NGINX_VERSIONS "scenarios/nginx-upgrade/versions.json"

struct expected {
	const char *fault;
	const char *outcome; /* what the README's table states */
};

static const struct expected nginx_drills[] = {
	{ "dpkg killed while unpacking", "restored" },
	{ "dpkg killed before it tidies up", "restored" },
	{ "dpkg killed as the new postinst starts", "restored" },
	{ "runner killed while apt unpacks", "restored" },
	{ "apt killed while dpkg unpacks", "restored" },
	{ "mirror gone in mid-download", "harmless" },
	{ "postinst fails", "restored" },
	{ "archive with a wrong hash", "harmless" },
	{ "damaged archive with the right hash", "restored" },
};

/* Where the archive has only one version of nginx, apache2 is prepared in its place. */
static const struct expected apache_drills[] = {
	{ "dpkg killed while unpacking", "restored" },
	{ "dpkg killed as the new postinst starts", "restored" },
	{ "mirror gone in mid-download", "harmless" },
	{ "postinst fails", "restored" },
	{ "archive with a wrong hash", "harmless" },
};

static bool listed(const char *words, const char *word)
{
	size_t n = strlen(word);
	for (const char *s = words; (s = strstr(s, word)) != NULL; s += n)
		if ((s == words || s[-1] == ' ') && (s[n] == ' ' || s[n] == '\0'))
			return true;
	return false;
}

static const char *runs_dir(void)
{
	static char dir[320];
	(void)snprintf(dir, sizeof(dir), "%s/runs", test_dir());
	return dir;
}

START_TEST(upgrade)
{
	TEST_NEEDS_ROOT();
	struct program p;
	bool nginx = access(NGINX_VERSIONS, F_OK) == 0;
	const struct expected *expected = nginx ? nginx_drills : apache_drills;
	size_t count = nginx ? sizeof(nginx_drills) / sizeof(nginx_drills[0])
			     : sizeof(apache_drills) / sizeof(apache_drills[0]);
	PROGRAM(&p, "run", nginx ? NGINX : APACHE, "--json", "--runs", runs_dir());
	struct json_doc *report = program_json(&p);
	const struct json *controls = json_get(json_root(report), "controls");
	ck_assert_uint_eq(json_size(controls), 2);
	for (const struct json *c = json_first(controls); c != NULL; c = json_next(c)) {
		ck_assert_msg(json_get_bool(c, "pass", false), "%s: %s\n%s",
			      json_get_string(c, "name", "?"), json_get_string(c, "why", "?"),
			      buf_str(&p.out));
		ck_assert_int_eq(json_get_int(c, "residue_visible", -1), 0);
	}
	ck_assert_uint_eq(json_size(json_get(json_root(report), "drills")), count);
	for (size_t i = 0; i < count; i++) {
		const struct json *d = report_drill(report, expected[i].fault);
		const char *outcome = json_get_string(d, "outcome", "?");
		ck_assert_msg(strcmp(expected[i].outcome, outcome) == 0, "%s: %s instead of %s: %s",
			      expected[i].fault, outcome, expected[i].outcome,
			      json_get_string(d, "why", "?"));
		ck_assert_int_gt(json_get_int(d, "window_ns", -1), 0);
		ck_assert_int_gt(json_get_int(d, "recovery_ns", -1), 0);
	}
	ck_assert_int_eq(p.exit, 0);
	json_doc_free(report);
	program_free(&p);
}
END_TEST

/* apt says 0, the oracle does not: the plan that engineers believe in leaves the package broken. */
START_TEST(bad_rollback)
{
	TEST_NEEDS_ROOT();
	struct program p;
	if (access(NGINX_VERSIONS, F_OK) != 0)
		TEST_SKIP("nginx has only one version here");
	PROGRAM(&p, "run", NGINX_BAD, "--json", "--runs", runs_dir());
	struct json_doc *report = program_json(&p);
	const struct json *d = report_drill(report, "dpkg killed while unpacking");
	const char *outcome = json_get_string(d, "outcome", "?");
	ck_assert_msg(listed("residue degraded", outcome), "%s: %s", outcome,
		      json_get_string(d, "why", "?"));
	ck_assert_int_eq(p.exit, 1);
	json_doc_free(report);
	program_free(&p);
}
END_TEST

/* The same as a unit, restarted by its maintainer scripts. One fault; nightly runs all of them. */
START_TEST(under_systemd)
{
	TEST_NEEDS_ROOT();
	struct program p;
	if (access(NGINX_VERSIONS, F_OK) != 0)
		TEST_SKIP("nginx has only one version here");
	PROGRAM(&p, "run", NGINX_SYSTEMD, "--json", "--runs", runs_dir(), "--fault",
		nginx_drills[0].fault);
	struct json_doc *report = program_json(&p);
	const struct json *controls = json_get(json_root(report), "controls");
	for (const struct json *c = json_first(controls); c != NULL; c = json_next(c))
		ck_assert_int_eq(json_get_int(c, "residue_visible", -1), 0);
	const struct json *d = report_drill(report, nginx_drills[0].fault);
	ck_assert_str_eq(json_get_string(d, "outcome", "?"), nginx_drills[0].outcome);
	ck_assert_int_eq(p.exit, 0);
	json_doc_free(report);
	program_free(&p);
}
END_TEST

Suite *suite_nginx(void)
{
	Suite *s = suite_create("nginx");
	TCase *c = tcase_create("nginx");
	tcase_set_timeout(c, 900);
	tcase_add_test(c, upgrade);
	tcase_add_test(c, bad_rollback);
	tcase_add_test(c, under_systemd);
	suite_add_tcase(s, c);
	return s;
}
