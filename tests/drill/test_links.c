/* SPDX-License-Identifier: MIT */
/* Whole runs over two switches and a router: a cut of one of its links is felt there alone. */
#include "tests/drill/toy.h"
#include "tests/unit/runner.h"

#define LINKS "tests/drill/scenarios/links.json"

static const struct toy_strike cases[] = {
	{ "back cut beside it", "back-cut-beside-it", "not_reached", "before the step", NULL,
	  NULL },
	{ "front cut", "front-cut", "harmless", "before the step",
	  "frame(s) for node router on front lost while a step ran", NULL },
	{ "back cut in mid-download", "back-cut-in-mid-download", "restored",
	  "'router on front' had sent ", "frame(s) for node router on back lost while a step ran",
	  NULL },
	{ "router dies in mid-download", "router-dies-in-mid-download", "restored",
	  "'mirror' had sent ", "frame(s) for node router lost while a step ran", NULL },
};

START_TEST(a_cut_is_felt_on_its_own_link)
{
	TEST_NEEDS_ROOT();
	toy_strike(LINKS, cases, sizeof(cases) / sizeof(cases[0]));
}
END_TEST

Suite *suite_links(void);
Suite *suite_links(void)
{
	Suite *s = suite_create("links");
	TCase *t = tcase_create("links");
	tcase_set_timeout(t, 180);
	tcase_add_test(t, a_cut_is_felt_on_its_own_link);
	suite_add_tcase(s, t);
	return s;
}
