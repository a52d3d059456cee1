/* SPDX-License-Identifier: MIT */
/* The values of a sweep: what is one defect, and the sums. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "tests/unit/runner.h"
#include "tests/unit/sweep_fixture.h"

Suite *suite_sweep(void);

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

START_TEST(three_kinds_are_three_groups)
{
	static const struct {
		const char *what, *first;
		size_t points;
	} want[] = {
		{ "+ web file below /usr", "/usr/bin/new02", 15 },
		{ "+ web file *.dpkg-new", "/etc/demo/file1.dpkg-new", 10 },
		{ "~ web file of demo, below /etc: content", "/etc/demo/part0.conf", 4 },
	};
	struct sweep_fixture f;
	sweep_fixture_make(&f);
	ck_assert_uint_eq(f.sweep.group_count, LEN(want));
	for (size_t g = 0; g < LEN(want); g++) {
		const struct sweep_group *got = &f.sweep.groups[g];
		ck_assert_str_eq(got->what, want[g].what);
		ck_assert_int_eq(got->outcome, OUTCOME_RESIDUE);
		ck_assert_uint_eq(got->points, want[g].points);
		ck_assert_uint_eq(got->class_count, want[g].points);
		ck_assert_uint_eq(got->entry_count, want[g].points);
		ck_assert_str_eq(got->entries[0].change->key, want[g].first);
		for (size_t i = 1; i < got->class_count; i++)
			ck_assert_uint_lt(got->classes[i - 1], got->classes[i]);
	}
	sweep_fixture_free(&f);
}
END_TEST

/* Failing classes are in exactly one group each, others in none. */
START_TEST(groups_are_a_partition)
{
	struct sweep_fixture f;
	sweep_fixture_make(&f);
	sweep_fixture_cut(&f);
	size_t *group = calloc(f.sweep.class_count, sizeof(*group)), members = 0, failed = 0;
	sweep_groups_of(&f.sweep, group);
	for (size_t c = 0; c < f.sweep.class_count; c++) {
		const struct verdict *v = f.classes[c].verdict;
		bool fails = v != NULL && !v->pass;
		ck_assert_int_eq(group[c] < f.sweep.group_count, fails);
		failed += fails;
		ck_assert(!fails || f.sweep.groups[group[c]].outcome == v->outcome);
	}
	for (size_t g = 0; g < f.sweep.group_count; g++)
		members += f.sweep.groups[g].class_count;
	ck_assert_uint_eq(members, failed);
	free(group);
	sweep_fixture_free(&f);
}
END_TEST

/* A growing pile: each point has the files of those before it as well. */
START_TEST(cumulative_residue_is_one_group)
{
	struct sweep_fixture f;
	struct change pile[60];
	char keys[60][40];
	sweep_fixture_make(&f);
	for (size_t c = 0; c < f.sweep.class_count; c++)
		f.verdicts[c].pass = true;
	for (size_t i = 0; i < 60; i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "/usr/share/d%zu/f%zu", i % 7, i);
		pile[i] = sweep_fixture_change(&f, CHANGE_ADDED, keys[i], NULL, "file");
		sweep_fixture_residue(&f, i + 10, pile, i + 1);
	}
	sweep_group_all(f.arena, &f.sweep);
	ck_assert_uint_eq(f.sweep.group_count, 1);
	const struct sweep_group *g = &f.sweep.groups[0];
	ck_assert_uint_eq(g->class_count, 60);
	ck_assert_uint_eq(g->entry_count, 60);
	/* The first file lies there at each of them, the last at one. */
	size_t most = 0, least = g->points;
	for (size_t i = 0; i < g->entry_count; i++) {
		most = g->entries[i].classes > most ? g->entries[i].classes : most;
		least = g->entries[i].classes < least ? g->entries[i].classes : least;
	}
	ck_assert_uint_eq(most, 60);
	ck_assert_uint_eq(least, 1);
	sweep_fixture_free(&f);
}
END_TEST

/* What must not, and what must part two failing classes. */
static const struct {
	const char *name;
	struct verdict a, b;
	size_t groups;
} pairs[] = {
	{ "the same step, other times",
	  { .outcome = OUTCOME_STUCK, .culprit = "undo", .why = "rollback step 'undo': 1.2 s" },
	  { .outcome = OUTCOME_STUCK, .culprit = "undo", .why = "rollback step 'undo': 9.8 s" },
	  1 },
	{ "another step",
	  { .outcome = OUTCOME_STUCK, .culprit = "undo", .why = "x" },
	  { .outcome = OUTCOME_STUCK, .culprit = "restart", .why = "x" },
	  2 },
	{ "fails, or hangs",
	  { .outcome = OUTCOME_STUCK, .culprit = "undo", .why = "x" },
	  { .outcome = OUTCOME_STUCK, .culprit = "undo", .timed_out = true, .why = "x" },
	  2 },
	{ "another outcome",
	  { .outcome = OUTCOME_STUCK, .culprit = "serves", .why = "x" },
	  { .outcome = OUTCOME_DEGRADED, .culprit = "serves", .why = "x" },
	  2 },
	{ "another probe",
	  { .outcome = OUTCOME_DEGRADED, .culprit = "serves", .why = "x" },
	  { .outcome = OUTCOME_DEGRADED, .culprit = "audit", .why = "x" },
	  2 },
	{ "nobody to blame: pids and drawn names",
	  { .outcome = OUTCOME_HARNESS_ERROR, .why = "left over: /run/tmp.Xa31fQ of 4711" },
	  { .outcome = OUTCOME_HARNESS_ERROR, .why = "left over: /run/tmp.b9PqLd of 12" },
	  1 },
	{ "nobody to blame: another sentence",
	  { .outcome = OUTCOME_HARNESS_ERROR, .why = "left over: a mount" },
	  { .outcome = OUTCOME_HARNESS_ERROR, .why = "left over: a process" },
	  2 },
	{ "passed, and not expected",
	  { .outcome = OUTCOME_HARMLESS, .unexpected = true, .why = "x" },
	  { .outcome = OUTCOME_RESIDUE, .unexpected = false, .why = "x" },
	  2 },
};

START_TEST(what_parts_two_classes)
{
	struct sweep_fixture f;
	sweep_fixture_make(&f);
	for (size_t c = 0; c < f.sweep.class_count; c++)
		f.verdicts[c].pass = true;
	f.verdicts[3] = pairs[_i].a;
	f.verdicts[9] = pairs[_i].b;
	sweep_group_all(f.arena, &f.sweep);
	ck_assert_msg(f.sweep.group_count == pairs[_i].groups, "%s: %zu groups", pairs[_i].name,
		      f.sweep.group_count);
	sweep_fixture_free(&f);
}
END_TEST

START_TEST(worst_group_first)
{
	static const enum outcome order[] = { OUTCOME_HARNESS_ERROR, OUTCOME_BROKEN,
					      OUTCOME_STUCK,         OUTCOME_LATE,
					      OUTCOME_HARMLESS,      OUTCOME_NOT_REACHED };
	struct sweep_fixture f;
	sweep_fixture_make(&f);
	for (size_t c = 0; c < f.sweep.class_count; c++)
		f.verdicts[c].pass = true;
	for (size_t i = 0; i < LEN(order); i++)
		f.verdicts[LEN(order) - i] = (struct verdict){ .outcome = order[i], .why = "x" };
	sweep_group_all(f.arena, &f.sweep);
	ck_assert_uint_eq(f.sweep.group_count, LEN(order));
	for (size_t i = 0; i < LEN(order); i++)
		ck_assert_int_eq(f.sweep.groups[i].outcome, order[i]);
	sweep_fixture_free(&f);
}
END_TEST

/* Hidden entries tell nothing; what drifted does. */
START_TEST(hidden_entries_do_not_part)
{
	struct sweep_fixture f;
	sweep_fixture_make(&f);
	const struct change c[2] = {
		sweep_fixture_change(&f, CHANGE_ADDED, "/srv/app/x", NULL, "file"),
		sweep_fixture_change(&f, CHANGE_ADDED, "/var/log/demo.log", NULL, "file"),
	};
	for (size_t i = 0; i < f.sweep.class_count; i++)
		f.verdicts[i].pass = true;
	sweep_fixture_residue(&f, 2, c, 2);
	sweep_fixture_residue(&f, 4, c, 1);
	f.verdicts[2].residue.items[1].hidden_by = "a mask";
	sweep_group_all(f.arena, &f.sweep);
	ck_assert_uint_eq(f.sweep.group_count, 1);
	ck_assert_uint_eq(f.sweep.groups[0].entry_count, 1);
	f.verdicts[4].drift = f.verdicts[2].residue;
	f.verdicts[4].drift.items[1].hidden_by = NULL;
	f.verdicts[2].residue.count = 1;
	sweep_group_all(f.arena, &f.sweep);
	ck_assert_uint_eq(f.sweep.group_count, 2);
	sweep_fixture_free(&f);
}
END_TEST

static struct change_attr grown[] = { { "size", "1", "2" }, { "xxh3", "aa", "bb" } };
static struct change_attr rehashed[] = { { "xxh3", "aa", "bb" } };
static struct change_attr emptied[] = { { "xxh3", "aa", "bb" }, { "size", "1", "0" } };
static struct change_attr moded[] = { { "mode", "0644", "0600" }, { "xxh3", "a", "b" } };
static struct change_attr folder[] = { { "type", NULL, "dir" } };
static struct change_attr file[] = { { "type", NULL, "file" } };
static struct change_attr half[] = { { "status", "install ok installed", "install ok unpacked" } };

static const struct {
	struct change c;
	const char *want;
} patterns[] = {
#define ENTRY(k, w, path, own, at, text)                                                           \
	{                                                                                          \
		{ .kind = (k),                                                                     \
		  .what = (w),                                                                     \
		  .node = "n",                                                                     \
		  .key = (path),                                                                   \
		  .owner = (own),                                                                  \
		  .attrs = (at),                                                                   \
		  .attr_count = LEN(at) },                                                         \
			(text)                                                                     \
	}
	ENTRY(STATE_FILE, CHANGE_ADDED, "/usr/bin/x", NULL, file, "+ n file below /usr"),
	ENTRY(STATE_FILE, CHANGE_ADDED, "/usrlocal/bin/x", NULL, file,
	      "+ n file below /usrlocal/bin"),
	ENTRY(STATE_FILE, CHANGE_ADDED, "/usr/share/a/b/c", NULL, folder, "+ n file below /usr"),
	ENTRY(STATE_FILE, CHANGE_ADDED, "/etc/app/conf.d/x", NULL, file, "+ n file below /etc/app"),
	ENTRY(STATE_FILE, CHANGE_ADDED, "/etc/app", NULL, folder, "+ n file below /etc/app"),
	ENTRY(STATE_FILE, CHANGE_ADDED, "/etc/app", NULL, file, "+ n file below /etc"),
	ENTRY(STATE_FILE, CHANGE_ADDED, "/app", NULL, file, "+ n file below /"),
	ENTRY(STATE_FILE, CHANGE_REMOVED, "/var/lib/redis/dump", NULL, file,
	      "- n file below /var/lib/redis"),
	ENTRY(STATE_FILE, CHANGE_REMOVED, "/var/lib/redis/a/b", "redis", file,
	      "- n file of redis, below /var"),
	ENTRY(STATE_FILE, CHANGE_ADDED, "/etc/a.conf.dpkg-new", "demo", file,
	      "+ n file *.dpkg-new"),
	ENTRY(STATE_FILE, CHANGE_ADDED, "/tmp/tmp.Xb3kQz/y", NULL, file,
	      "+ n file below /tmp/tmp.*"),
	ENTRY(STATE_FILE, CHANGE_CHANGED, "/etc/a", "demo", grown,
	      "~ n file of demo, below /etc: content"),
	ENTRY(STATE_FILE, CHANGE_CHANGED, "/etc/a", "demo", rehashed,
	      "~ n file of demo, below /etc: content"),
	ENTRY(STATE_FILE, CHANGE_CHANGED, "/etc/a", "demo", emptied,
	      "~ n file of demo, below /etc: emptied"),
	ENTRY(STATE_FILE, CHANGE_CHANGED, "/etc/a", "demo", moded,
	      "~ n file of demo, below /etc: mode, content"),
	ENTRY(STATE_PACKAGE, CHANGE_CHANGED, "demo:amd64", NULL, half,
	      "~ n package demo:amd64: status install ok unpacked"),
	ENTRY(STATE_PROCESS, CHANGE_ADDED, "/bin/sh||0|sh /tmp/runQ8aZp2", NULL, file,
	      "+ n process /bin/sh||0|sh /tmp/run*"),
	ENTRY(STATE_LISTEN, CHANGE_REMOVED, "tcp 0.0.0.0:80", NULL, file,
	      "- n listen tcp 0.0.0.0:80"),
#undef ENTRY
};

START_TEST(pattern_of_an_entry)
{
	struct arena *a = arena_create();
	ck_assert_str_eq(sweep_pattern(a, &patterns[_i].c), patterns[_i].want);
	arena_destroy(a);
}
END_TEST

static const char *const names[][2] = {
	{ "/tmp/tmp.aB3dEf", "/tmp/tmp.*" },
	{ "/tmp/tmp.aB3dEfGh1J/x", "/tmp/tmp.*/x" },
	{ "/etc/sedQ7fR2x", "/etc/sed*" },
	{ "/tmp/dpkg-deb.k3JdOa: gone", "/tmp/dpkg-deb.*: gone" },
	{ "/var/lib/dpkg/tmp.ci/control", "/var/lib/dpkg/tmp.ci/control" },
	{ "/usr/share/doc/README.Debian", "/usr/share/doc/README.Debian" },
	{ "/lib/x86_64-linux-gnu/libcrypto.so.3", "/lib/x86_64-linux-gnu/libcrypto.so.3" },
	{ "info/demo.md5sums PostgreSQL Makefile python3", "info/demo.md5sums PostgreSQL Makefile "
							   "python3" },
	{ "", "" },
	{ "short", "short" },
};

START_TEST(drawn_names)
{
	struct arena *a = arena_create();
	ck_assert_str_eq(sweep_plain_names(a, names[_i][0]), names[_i][1]);
	arena_destroy(a);
}
END_TEST

START_TEST(sums)
{
	struct sweep_fixture f;
	struct sweep_counts n;
	sweep_fixture_make(&f);
	sweep_count(&f.sweep, &n);
	ck_assert_uint_eq(n.points, FIXTURE_POINTS);
	ck_assert_uint_eq(n.classes, f.sweep.class_count);
	ck_assert_uint_eq(n.failed_points, 29);
	ck_assert_uint_eq(n.failed_classes, 29);
	ck_assert_uint_eq(n.points_of[OUTCOME_RESIDUE], 29);
	ck_assert_uint_eq(n.passed_points[OUTCOME_HARMLESS], 40);
	ck_assert_uint_eq(n.passed_points[OUTCOME_RESTORED], 308 - 29 - 40);
	ck_assert_uint_eq(n.unstable, 0);
	/* 4 jobs share 2 processors for 20 s. */
	ck_assert_double_eq_tol(sweep_rate(&f.sweep, false), 15.4, 1e-9);
	ck_assert_double_eq_tol(sweep_rate(&f.sweep, true), 7.7, 1e-9);
	f.sweep.jobs = 1;
	ck_assert_double_eq_tol(sweep_rate(&f.sweep, true), 15.4, 1e-9);
	f.sweep.took = 0;
	ck_assert_double_eq_tol(sweep_rate(&f.sweep, true), 0, 1e-9);
	sweep_fixture_cut(&f);
	size_t left = 0;
	for (size_t i = 0; i < FIXTURE_POINTS; i++)
		left += f.classes[f.points[i].cls].verdict == NULL;
	sweep_count(&f.sweep, &n);
	ck_assert_uint_gt(left, 0);
	ck_assert_uint_eq(n.points, FIXTURE_POINTS - left);
	ck_assert_uint_eq(n.unstable, 2);
	sweep_fixture_free(&f);
}
END_TEST

START_TEST(recovery_by_nearest_rank)
{
	struct sweep_fixture f;
	struct sweep_times t;
	sweep_fixture_make(&f);
	f.sweep.class_count = 20;
	f.verdicts[19].timing.recovery = -1; /* 1..19 ms are left */
	sweep_recovery(&f.sweep, &t);
	ck_assert_uint_eq(t.count, 19);
	ck_assert_int_eq(t.p50, 10 * NS_PER_MS);
	ck_assert_int_eq(t.p95, 19 * NS_PER_MS);
	ck_assert_int_eq(t.max, 19 * NS_PER_MS);
	f.sweep.class_count = 1;
	sweep_recovery(&f.sweep, &t);
	ck_assert_int_eq(t.p50, NS_PER_MS);
	ck_assert_int_eq(t.p95, NS_PER_MS);
	f.classes[0].verdict = NULL;
	sweep_recovery(&f.sweep, &t);
	ck_assert_uint_eq(t.count, 0);
	ck_assert_int_eq(t.max, -1);
	sweep_fixture_free(&f);
}
END_TEST

START_TEST(ways_are_counted)
{
	const struct sweep_way *ways;
	struct sweep_fixture f;
	sweep_fixture_make(&f);
	ck_assert_uint_eq(sweep_ways(f.arena, &f.sweep, &ways), 1);
	ck_assert_uint_eq(ways[0].points, FIXTURE_POINTS);
	ck_assert_int_eq(ways[0].how, SWEEP_BRANCH);
	sweep_fixture_cut(&f);
	ck_assert_uint_eq(sweep_ways(f.arena, &f.sweep, &ways), 2);
	ck_assert_int_eq(ways[1].how, SWEEP_RERUN);
	ck_assert_uint_eq(ways[1].classes, 2);
	ck_assert_str_eq(ways[1].why, "a service was running at the point");
	f.classes[0].how = SWEEP_RERUN; /* for no reason, as the branches */
	ck_assert_uint_eq(sweep_ways(f.arena, &f.sweep, &ways), 3);
	sweep_fixture_free(&f);
}
END_TEST

Suite *suite_sweep(void)
{
	Suite *s = suite_create("sweep");
	TCase *t = tcase_create("groups");
	tcase_add_test(t, three_kinds_are_three_groups);
	tcase_add_test(t, groups_are_a_partition);
	tcase_add_test(t, cumulative_residue_is_one_group);
	tcase_add_loop_test(t, what_parts_two_classes, 0, LEN(pairs));
	tcase_add_test(t, worst_group_first);
	tcase_add_test(t, hidden_entries_do_not_part);
	tcase_add_loop_test(t, pattern_of_an_entry, 0, LEN(patterns));
	tcase_add_loop_test(t, drawn_names, 0, LEN(names));
	suite_add_tcase(s, t);
	t = tcase_create("sums");
	tcase_add_test(t, sums);
	tcase_add_test(t, recovery_by_nearest_rank);
	tcase_add_test(t, ways_are_counted);
	suite_add_tcase(s, t);
	return s;
}
