/* SPDX-License-Identifier: MIT */
/* The order of drills under a budget, and shards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/model/sweep_order.h"
#include "tests/unit/runner.h"

Suite *suite_sweep_order(void);

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const size_t counts[] = { 0, 1, 2, 3, 5, 7, 8, 9, 64, 100, 308, 1000, 5000 };

START_TEST(order_is_a_permutation)
{
	size_t n = counts[_i];
	size_t *order = malloc((n + 1) * sizeof(*order));
	bool *seen = calloc(n + 1, sizeof(*seen));
	sweep_order(order, n, "a seed");
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_lt(order[i], n);
		ck_assert_msg(!seen[order[i]], "%zu twice", order[i]);
		seen[order[i]] = true;
	}
	free(order);
	free(seen);
}
END_TEST

/* Of each beginning: no stretch of the recording is left out that is longer than four shares (an
 * even spread has stretches of one). */
START_TEST(beginnings_are_spread)
{
	size_t n = counts[_i];
	size_t *order = malloc((n + 1) * sizeof(*order));
	bool *seen = calloc(n + 1, sizeof(*seen));
	sweep_order(order, n, "spread");
	for (size_t len = 1; len <= n; len++) {
		size_t gap = 0, longest = 0;
		seen[order[len - 1]] = true;
		for (size_t i = 0; i < 2 * n; i++) { /* twice around: it begins anywhere */
			gap = seen[i % n] ? 0 : gap + 1;
			longest = gap > longest ? gap : longest;
		}
		ck_assert_msg(longest <= 4 * (n / len + 1), "%zu of %zu leave %zu out", len, n,
			      longest);
		if (len > 200)
			break;
	}
	free(order);
	free(seen);
}
END_TEST

START_TEST(seed_decides)
{
	size_t a[308], b[308], c[308];
	sweep_order(a, 308, "7");
	sweep_order(b, 308, "7");
	sweep_order(c, 308, "8");
	ck_assert_mem_eq(a, b, sizeof(a));
	ck_assert_mem_ne(a, c, sizeof(a));
}
END_TEST

/* Steps with one class among many come early, and nothing is lost or doubled. */
START_TEST(each_step_is_early)
{
	enum { N = 1000, STEPS = 6 };
	size_t order[N], before[N], step[N], rest = 0;
	bool seen[N] = { false };
	for (size_t i = 0; i < N; i++)
		step[i] = i == 0 ? 0 : i == 1 ? 1 : i < 500 ? 2 : i == 777 ? 3 : i < 999 ? 4 : 5;
	sweep_order(order, N, "x");
	memcpy(before, order, sizeof(order));
	sweep_order_each(order, N, step);
	for (size_t i = 0; i < STEPS; i++)
		for (size_t k = 0; k < i; k++)
			ck_assert_uint_ne(step[order[i]], step[order[k]]);
	for (size_t i = 0; i < N; i++) {
		ck_assert(!seen[order[i]]);
		seen[order[i]] = true;
	}
	/* All others in the order that they had. */
	for (size_t i = 0; i < N; i++) {
		bool front = false;
		for (size_t k = 0; k < STEPS; k++)
			front |= before[i] == order[k];
		if (!front)
			ck_assert_uint_eq(before[i], order[STEPS + rest++]);
	}
	ck_assert_uint_eq(rest, N - STEPS);
	sweep_order_each(order, 0, step);
}
END_TEST

START_TEST(shards_share_out_all)
{
	static const unsigned totals[] = { 1, 2, 3, 7, 16 };
	unsigned total = totals[_i];
	for (size_t cls = 0; cls < 100; cls++) {
		unsigned owners = 0;
		for (unsigned i = 1; i <= total; i++) {
			const struct sweep_shard s = { i, total };
			owners += sweep_shard_has(&s, cls);
		}
		ck_assert_uint_eq(owners, 1);
	}
}
END_TEST

static const struct {
	const char *text;
	unsigned index, total; /* 0: refused */
} shards[] = {
	{ "1/1", 1, 1 },
	{ "3/8", 3, 8 },
	{ "10000/10000", 10000, 10000 },
	{ "0/4", 0, 0 },
	{ "5/4", 0, 0 },
	{ "1/0", 0, 0 },
	{ "1/10001", 0, 0 },
	{ "1", 0, 0 },
	{ "", 0, 0 },
	{ "/4", 0, 0 },
	{ "1/", 0, 0 },
	{ "1/4x", 0, 0 },
	{ " 1/4", 0, 0 },
	{ "-1/4", 0, 0 },
	{ "1/ 4", 0, 0 },
	{ "4294967297/4294967298", 0, 0 },
};

START_TEST(shard_texts)
{
	struct err e = { 0 };
	struct sweep_shard s = { 77, 77 };
	int result = sweep_shard_parse(shards[_i].text, &s, &e);
	if (shards[_i].index == 0) {
		ck_assert_int_eq(result, -1);
		ck_assert_int_eq(e.exit, EXIT_USAGE_ERROR);
		ck_assert_uint_eq(s.index, 77);
		return;
	}
	ck_assert_int_eq(result, 0);
	ck_assert_uint_eq(s.index, shards[_i].index);
	ck_assert_uint_eq(s.total, shards[_i].total);
}
END_TEST

Suite *suite_sweep_order(void)
{
	Suite *s = suite_create("sweep_order");
	TCase *t = tcase_create("order");
	tcase_add_loop_test(t, order_is_a_permutation, 0, LEN(counts));
	tcase_add_loop_test(t, beginnings_are_spread, 1, LEN(counts));
	tcase_add_test(t, seed_decides);
	tcase_add_test(t, each_step_is_early);
	tcase_add_loop_test(t, shards_share_out_all, 0, 5);
	tcase_add_loop_test(t, shard_texts, 0, LEN(shards));
	suite_add_tcase(s, t);
	return s;
}
