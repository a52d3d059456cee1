/* SPDX-License-Identifier: MIT */
/* Several rollback plans side by side. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/model/json.h"
#include "reports/compare.h"
#include "tests/unit/golden.h"
#include "tests/unit/runner.h"
#include "tests/unit/sweep_fixture.h"

Suite *suite_compare(void);

/* One that passes everywhere, one with three defects, one that its budget cut. */
struct plans {
	struct sweep_fixture sweeps[3];
	struct sweep_plan_row rows[3];
};

static void plans_make(struct plans *p)
{
	static const struct rollback_plan plans[] = { { .name = "keep-debs" },
						      { .name = "reinstall-old" },
						      { .name = "configure", .to = TO_PATCHED } };
	for (size_t i = 0; i < 3; i++)
		sweep_fixture_make(&p->sweeps[i]);
	for (size_t c = 0; c < p->sweeps[0].sweep.class_count; c++) {
		p->sweeps[0].verdicts[c].outcome = OUTCOME_RESTORED;
		p->sweeps[0].verdicts[c].pass = true;
	}
	sweep_group_all(p->sweeps[0].arena, &p->sweeps[0].sweep);
	sweep_fixture_cut(&p->sweeps[2]);
	for (size_t i = 0; i < 3; i++)
		sweep_plan_row(&p->rows[i], &plans[i],
			       i == 0   ? "runs/r/plans/keep-debs"
			       : i == 1 ? "runs/r/plans/reinstall-old"
					: "runs/r/plans/configure",
			       &p->sweeps[i].sweep);
}

static void plans_free(struct plans *p)
{
	for (size_t i = 0; i < 3; i++)
		sweep_fixture_free(&p->sweeps[i]);
}

START_TEST(text_as_golden)
{
	struct err e = { 0 };
	struct plans p;
	char *text = NULL;
	size_t len = 0;
	plans_make(&p);
	FILE *out = open_memstream(&text, &len);
	MUST(compare_text(out, p.rows, 3, _i == 1, &e));
	(void)fclose(out);
	same_as_golden(_i == 1 ? "compare-colour.txt" : "compare.txt", text, len);
	free(text);
	plans_free(&p);
}
END_TEST

/* Columns stand below each other by characters, not by bytes. */
START_TEST(names_are_utf8)
{
	const struct sweep_plan_row rows[] = { { .rollback = "zurück", .complete = true },
					       { .rollback = "before", .complete = true } };
	struct err e = { 0 };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	MUST(compare_text(out, rows, 2, false, &e));
	(void)fclose(out);
	ck_assert_msg(strstr(text, "\nzurück    before      0/0  ") != NULL, "%s", text);
	ck_assert_msg(strstr(text, "\nbefore    before      0/0  ") != NULL, "%s", text);
	free(text);
}
END_TEST

START_TEST(json_says_each_plan)
{
	struct err e = { 0 };
	struct plans p;
	struct json_doc *doc;
	char *text = NULL;
	size_t len = 0;
	plans_make(&p);
	FILE *out = open_memstream(&text, &len);
	MUST(compare_json(out, p.rows, 3, &e));
	(void)fclose(out);
	MUST(json_parse(&doc, "compare", text, len, &e));
	const struct json *root = json_root(doc), *plans = json_get(root, "plans");
	ck_assert_str_eq(json_get_string(root, "best", ""), "keep-debs");
	ck_assert_uint_eq(json_size(plans), 3);
	const struct json *first = json_first(plans), *second = json_next(first);
	ck_assert_int_eq(json_get_int(first, "passed", -1), 308);
	ck_assert_int_eq(json_type(json_get(first, "replay")), JSON_NULL);
	ck_assert_int_eq(json_get_int(second, "passed", -1), 279);
	ck_assert_int_eq(json_get_int(second, "groups", -1), 3);
	ck_assert_int_eq(json_get_int(json_get(second, "outcomes"), "residue", -1), 29);
	ck_assert_str_eq(json_get_string(second, "replay", ""),
			 "backout replay runs/r/plans/reinstall-old drills/kill-0101");
	ck_assert_str_eq(json_get_string(json_next(second), "cut", ""),
			 "the budget of 20 s is spent");
	json_doc_free(doc);
	free(text);
	plans_free(&p);
}
END_TEST

static const struct {
	struct sweep_plan_row rows[2];
	size_t best;
} bests[] = {
	{ { { .drilled = 10, .passed = 9 }, { .drilled = 100, .passed = 91 } }, 1 },
	{ { { .drilled = 10, .passed = 9 }, { .drilled = 100, .passed = 89 } }, 0 },
	{ { { .drilled = 0 }, { .drilled = 5, .passed = 0 } }, 1 },
	{ { { .drilled = 0 }, { .drilled = 0 } }, 2 },
	{ { { .drilled = 2, .passed = 2, .recovery = { 1, 1, 9, 9 } },
	    { .drilled = 2, .passed = 2, .recovery = { 1, 1, 8, 8 } } },
	  1 },
	{ { { .drilled = 2, .passed = 2, .recovery = { 1, 1, 8, 8 } },
	    { .drilled = 2, .passed = 2, .recovery = { 0, -1, -1, -1 } } },
	  0 },
	{ { { .drilled = 2, .passed = 2, .recovery = { 0, -1, -1, -1 } },
	    { .drilled = 2, .passed = 2, .recovery = { 1, 1, 8, 8 } } },
	  1 },
	{ { { .drilled = 2, .passed = 2, .recovery = { 1, 1, 8, 8 } },
	    { .drilled = 2, .passed = 2, .recovery = { 1, 1, 8, 8 } } },
	  0 },
};

START_TEST(which_is_best)
{
	ck_assert_uint_eq(sweep_plan_best(bests[_i].rows, 2), bests[_i].best);
}
END_TEST

START_TEST(full_disk_is_an_error)
{
	struct err e = { 0 }, f = { 0 };
	FILE *out = fopen("/dev/full", "w");
	ck_assert_int_eq(compare_text(out, bests[0].rows, 0, false, &e), -1);
	ck_assert_int_eq(compare_json(out, bests[0].rows, 0, &f), -1);
	(void)fclose(out);
}
END_TEST

Suite *suite_compare(void)
{
	Suite *s = suite_create("compare");
	TCase *t = tcase_create("compare");
	tcase_add_loop_test(t, text_as_golden, 0, 2);
	tcase_add_test(t, names_are_utf8);
	tcase_add_test(t, json_says_each_plan);
	tcase_add_loop_test(t, which_is_best, 0, sizeof(bests) / sizeof(bests[0]));
	tcase_add_test(t, full_disk_is_an_error);
	suite_add_tcase(s, t);
	return s;
}
