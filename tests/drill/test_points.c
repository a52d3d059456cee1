/* SPDX-License-Identifier: MIT */
/* Whole runs struck at points by their keys, and at lines that a step prints. */
#include "tests/drill/toy.h"
#include "tests/unit/runner.h"

#define POINTS "tests/drill/scenarios/points.json"

static const struct toy_strike cases[] = {
	{ "killed at a rename", "killed-at-a-rename", "restored", "rename(/srv/app/b.",
	  "was reaped, killed by SIGKILL", "a new\nb old\nb drawn new\n" },
	{ "no space for the drawn name", "no-space-for-the-drawn-name", "restored",
	  "write(/srv/app/b.", " returned ENOSPC", "a new\nb old\nb drawn \n" },
	{ "killed as mv starts", "killed-as-mv-starts", "restored",
	  "start of /bin/mv by /bin/sh (pid ", "was reaped, killed by SIGKILL",
	  "a new\nb old\nb drawn new\n" },
	{ "no call to fail", "no-call-to-fail", "not_reached", "start of /bin/mv", NULL, NULL },
	{ "no such point", "no-such-point", "not_reached", NULL, NULL, NULL },
	{ "point of the rollback", "point-of-the-rollback", "stuck",
	  "rename(/srv/saved/b, /srv/app/b) by /bin/mv", " returned EIO", "a new\nb new\nc new\n" },
	{ "killed when it has printed", "killed-when-it-has-printed", "restored",
	  "line 1 like pla*: placed", "was reaped, killed by SIGKILL", "a new\nb new\nc new\n" },
	{ "killed while it starts", "killed-while-it-starts", "restored",
	  "after the step's begin (asked for 1 ms)", "was reaped, killed by SIGKILL", NULL },
	{ "no such line", "no-such-line", "not_reached", NULL, NULL, NULL },
};

START_TEST(strikes_at_points)
{
	TEST_NEEDS_ROOT();
	toy_strike(POINTS, cases, sizeof(cases) / sizeof(cases[0]));
}
END_TEST

Suite *suite_points(void);
Suite *suite_points(void)
{
	Suite *s = suite_create("points");
	TCase *c = tcase_create("points");
	tcase_set_timeout(c, 120);
	tcase_add_test(c, strikes_at_points);
	suite_add_tcase(s, c);
	return s;
}
