/* SPDX-License-Identifier: MIT */
/* Shrinking sets of faults, against machines that fail by a rule. */
#include <stdint.h>
#include <string.h>

#include "harness/model/shrink.h"
#include "tests/unit/runner.h"

Suite *suite_shrink(void);

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { CALLS_MAX = 20000 };

/* Fails when all of one of its sets (bits) are in. */
struct machine {
	uint64_t sets[4];
	size_t breaks_at; /* the call that cannot be made; 0: none */
	uint64_t seen[CALLS_MAX];
	size_t calls;
};

static int machine_fails(void *arg, const size_t *subset, size_t n)
{
	struct machine *m = arg;
	uint64_t in = 0;
	ck_assert_uint_gt(n, 0);
	for (size_t i = 0; i < n; i++) {
		ck_assert(i == 0 || subset[i] > subset[i - 1]);
		in |= UINT64_C(1) << subset[i];
	}
	for (size_t i = 0; i < m->calls; i++)
		ck_assert_msg(m->seen[i] != in, "a subset was tried twice");
	ck_assert_uint_lt(m->calls, CALLS_MAX);
	m->seen[m->calls++] = in;
	if (m->breaks_at != 0 && m->calls == m->breaks_at)
		return -1;
	for (size_t i = 0; i < LEN(m->sets); i++)
		if (m->sets[i] != 0 && (in & m->sets[i]) == m->sets[i])
			return 1;
	return 0;
}

#define B(i) (UINT64_C(1) << (i))

static const struct {
	size_t from, n; /* the set: from, from+1, ... */
	uint64_t sets[4];
	uint64_t want[2]; /* either */
	size_t calls_max;
} cases[] = {
	{ 0, 2, { B(1) }, { B(1) }, 2 },
	{ 0, 2, { B(0) | B(1) }, { B(0) | B(1) }, 2 },
	{ 5, 1, { B(5) }, { B(5) }, 0 },
	{ 0, 3, { B(0) | B(2) }, { B(0) | B(2) }, 12 },
	/* One alone is found though a larger set fails, too. */
	{ 0, 8, { B(0) | B(1) | B(2), B(7) }, { B(7) }, 8 },
	{ 3, 16, { B(4) | B(17) }, { B(4) | B(17) }, 80 },
	{ 0, 60, { B(59) }, { B(59) }, 60 },
	{ 0, 60, { B(3) | B(30) | B(31) }, { B(3) | B(30) | B(31) }, 200 },
	{ 0, 60, { B(3) | B(30), B(4) | B(44) }, { B(3) | B(30), B(4) | B(44) }, 200 },
};

static void run(struct machine *m, size_t i, size_t budget, struct shrink_result *ret,
		uint64_t *left)
{
	size_t set[64], n = cases[i].n;
	memcpy(m->sets, cases[i].sets, sizeof(m->sets));
	for (size_t k = 0; k < n; k++)
		set[k] = cases[i].from + k;
	shrink(set, &n, budget, machine_fails, m, ret);
	ck_assert_uint_eq(ret->calls, m->calls);
	*left = 0;
	for (size_t k = 0; k < n; k++)
		*left |= B(set[k]);
}

static bool fails(size_t i, uint64_t in)
{
	for (size_t k = 0; k < LEN(cases[i].sets); k++)
		if (cases[i].sets[k] != 0 && (in & cases[i].sets[k]) == cases[i].sets[k])
			return true;
	return false;
}

static struct machine machine;

START_TEST(finds_what_it_takes)
{
	struct shrink_result r;
	uint64_t left;
	run(&machine, (size_t)_i, CALLS_MAX, &r, &left);
	ck_assert(r.minimal);
	ck_assert(!r.broken);
	ck_assert(left == cases[_i].want[0] ||
		  (cases[_i].want[1] != 0 && left == cases[_i].want[1]));
	ck_assert_uint_le(r.calls, cases[_i].calls_max);
}
END_TEST

/* Whatever the budget: the rest fails, and it is called minimal only if none can be spared. */
START_TEST(budget_is_kept)
{
	for (size_t budget = 0; budget < 60; budget++) {
		struct shrink_result r;
		uint64_t left;
		memset(&machine, 0, sizeof(machine));
		run(&machine, (size_t)_i, budget, &r, &left);
		ck_assert_uint_le(r.calls, budget);
		ck_assert(fails((size_t)_i, left));
		for (size_t b = 0; r.minimal && b < 64; b++)
			ck_assert((left & B(b)) == 0 || !fails((size_t)_i, left & ~B(b)));
	}
}
END_TEST

START_TEST(what_cannot_be_tried_ends_it)
{
	struct shrink_result r;
	uint64_t left;
	machine.breaks_at = 3;
	run(&machine, 7, CALLS_MAX, &r, &left);
	ck_assert(r.broken);
	ck_assert(!r.minimal);
	ck_assert_uint_eq(r.calls, 3);
	ck_assert(fails(7, left));
}
END_TEST

Suite *suite_shrink(void)
{
	Suite *s = suite_create("shrink");
	TCase *t = tcase_create("shrink");
	tcase_add_loop_test(t, finds_what_it_takes, 0, LEN(cases));
	tcase_add_loop_test(t, budget_is_kept, 0, LEN(cases));
	tcase_add_test(t, what_cannot_be_tried_ends_it);
	suite_add_tcase(s, t);
	return s;
}
