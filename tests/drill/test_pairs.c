/* SPDX-License-Identifier: MIT */
/* Two strikes in one drill: the patch struck, then the rollback that follows. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/engine/run_folder.h"
#include "harness/model/json.h"
#include "tests/drill/program.h"
#include "tests/drill/toy.h"
#include "tests/unit/runner.h"

#define PAIRS "tests/drill/scenarios/pairs.json"

struct swept_toy {
	struct toy where;
	struct program p;
	struct json_doc *report;
	struct run *run; /* read again from the folder */
	const struct sweep *s;
};

static void read_again(struct swept_toy *t)
{
	struct err e = { 0 };
	t->report = program_json(&t->p);
	(void)snprintf(t->where.run, sizeof(t->where.run), "%s/%s", t->where.runs,
		       json_get_string(json_root(t->report), "run", "?"));
	MUST(run_load(&t->run, t->where.run, &e));
	t->s = run_view(t->run)->sweep;
	ck_assert_ptr_nonnull(t->s);
}

/* `more`: two arguments, NULL for none. */
static void sweep_toy(struct swept_toy *t, const char *rollback, const char *in,
		      const char *const more[2])
{
	toy_set_up(&t->where);
	PROGRAM(&t->p, "sweep", PAIRS, "--pairs", "--in", in, "--rollback", rollback, "--state",
		t->where.state, "--runs", t->where.runs, "--var", t->where.root, "--seed", "abc",
		"--json", more[0], more[0] != NULL ? more[1] : NULL);
	read_again(t);
}

static const char *const nothing[2] = { NULL };
static const char *const no_budget[2] = { "--budget", "1ms" };

static void free_toy(struct swept_toy *t)
{
	run_free(t->run);
	json_doc_free(t->report);
	program_free(&t->p);
}

static const struct sweep_point *first_of(const struct swept_toy *t, size_t cls)
{
	return &t->s->points[t->s->classes[cls].first];
}

/* What the program said of each class is what its folder, judged again, says. */
static void said_alike(const struct swept_toy *t)
{
	const struct json *c =
		json_first(json_get(json_get(json_root(t->report), "sweep"), "classes"));
	for (size_t i = 0; i < t->s->class_count; i++, c = json_next(c)) {
		static const char *const second[] = { "(none)", "passes", "fails" };
		const struct verdict *v = t->s->classes[i].verdict;
		ck_assert_ptr_nonnull(c);
		ck_assert_str_eq(json_get_string(c, "outcome", "(none)"),
				 v != NULL ? outcome_name(v->outcome) : "(none)");
		ck_assert_str_eq(json_get_string(c, "second_alone", "(none)"),
				 second[t->s->classes[i].second]);
	}
	ck_assert_ptr_null(c);
}

START_TEST(only_two_strikes_break_it)
{
	TEST_NEEDS_ROOT();
	struct swept_toy t;
	struct sweep_counts n;
	size_t failing = 0;
	sweep_toy(&t, "marks", "both", nothing);
	said_alike(&t);
	sweep_count(t.s, &n);
	ck_assert_int_eq(t.p.exit, 1);
	ck_assert(t.s->complete);
	ck_assert_uint_gt(n.pairs, 0);
	ck_assert_uint_eq(n.pairs_drilled, n.pairs);
	for (size_t i = 0; i < t.s->class_count; i++) {
		const struct sweep_point *p = first_of(&t, i);
		if (t.s->classes[i].verdict->pass)
			continue;
		failing++;
		ck_assert_msg(p->pair, "'%s' fails alone", p->key);
		ck_assert_int_eq(t.s->classes[i].verdict->outcome, OUTCOME_RESIDUE);
		ck_assert(strstr(p->key, "/srv/new") != NULL || strstr(p->key, "rm") != NULL);
		ck_assert(p->in_rollback);
		ck_assert(!first_of(&t, p->after)->in_rollback);
		ck_assert(t.s->classes[p->after].verdict->pass);
	}
	ck_assert_uint_gt(failing, 0);
	ck_assert_uint_eq(t.s->group_count, 1);
	const struct sweep_class *c = &t.s->classes[t.s->groups[0].classes[0]];
	ck_assert_int_eq(c->second, SECOND_PASSES);

	struct program p;
	PROGRAM(&p, "report", t.where.run);
	program_expect(&p, 0, "it takes both strikes");
	program_free(&p);
	PROGRAM(&p, "replay", t.where.run, c->label, "--state", t.where.state, "--runs",
		t.where.runs);
	program_expect(&p, 1, "same as recorded: residue");
	program_free(&p);
	free_toy(&t);
}
END_TEST

/* From kept states, behind real strikes of the patch, and where the node crashes twice. */
START_TEST(the_right_twin_stands_both)
{
	static const struct {
		const char *in;
		const char *more[2];
	} rows[] = {
		{ "both", { NULL } },
		{ "patch", { "--no-branch", NULL } },
		{ "patch", { "--strike", "crash" } },
	};
	TEST_NEEDS_ROOT();
	struct swept_toy t;
	struct sweep_counts n;
	sweep_toy(&t, "careful", rows[_i].in, rows[_i].more);
	said_alike(&t);
	sweep_count(t.s, &n);
	ck_assert_int_eq(t.p.exit, 0);
	ck_assert_uint_gt(n.pairs, 0);
	ck_assert_uint_eq(n.pairs_drilled, n.pairs);
	ck_assert_uint_eq(t.s->spoilt, 0);
	ck_assert_uint_eq(n.failed_points, 0);
	ck_assert_uint_gt(n.passed_points[OUTCOME_RESTORED], 0);
	/* Points of one rollback that leave the same state are one class here, too. */
	ck_assert_uint_lt(t.s->class_count, t.s->point_count);
	free_toy(&t);
}
END_TEST

/* Found as a pair, for singles were not asked for in the rollback. */
START_TEST(shrunk_to_the_second)
{
	TEST_NEEDS_ROOT();
	struct swept_toy t;
	bool shrunk = false;
	sweep_toy(&t, "once", "patch", nothing);
	said_alike(&t);
	ck_assert_int_eq(t.p.exit, 1);
	for (size_t i = 0; i < t.s->group_count; i++) {
		const struct sweep_class *c = &t.s->classes[t.s->groups[i].classes[0]];
		if (c->second != SECOND_FAILS)
			continue;
		shrunk = true;
		ck_assert_ptr_nonnull(c->second_label);
		ck_assert_ptr_nonnull(strstr(c->second_label, "-second"));
	}
	ck_assert(shrunk);
	struct program p;
	PROGRAM(&p, "report", t.where.run);
	program_expect(&p, 0, "the second strike alone is enough");
	program_free(&p);
	free_toy(&t);
}
END_TEST

START_TEST(none_behind_what_fails_alone)
{
	TEST_NEEDS_ROOT();
	struct swept_toy t;
	sweep_toy(&t, "early", "patch", nothing);
	ck_assert_int_eq(t.p.exit, 1);
	ck_assert_uint_gt(t.s->spoilt, 0);
	for (size_t i = 0; i < t.s->point_count; i++)
		ck_assert(!t.s->points[i].pair || t.s->classes[t.s->points[i].after].verdict->pass);
	free_toy(&t);
}
END_TEST

/* Cut before the first pair, and gone on with: as many pairs as in one go. */
START_TEST(goes_on)
{
	TEST_NEEDS_ROOT();
	struct swept_toy cut, whole;
	struct sweep_counts n;
	sweep_toy(&cut, "careful", "patch", no_budget);
	said_alike(&cut);
	ck_assert(!cut.s->complete);
	memset(&whole, 0, sizeof(whole));
	whole.where = cut.where;
	PROGRAM(&whole.p, "sweep", "--resume", cut.where.run, "--state", cut.where.state, "--runs",
		cut.where.runs, "--json");
	read_again(&whole);
	said_alike(&whole);
	sweep_count(whole.s, &n);
	ck_assert_int_eq(whole.p.exit, 0);
	ck_assert(whole.s->complete);
	ck_assert_uint_gt(n.pairs, 0);
	ck_assert_uint_eq(n.pairs_drilled, n.pairs);
	free_toy(&cut);
	free_toy(&whole);
}
END_TEST

static const struct verdict *twice_of(const struct swept_toy *t)
{
	const struct run_view *v = run_view(t->run);
	for (size_t i = 0; i < v->count; i++)
		if (strcmp(v->items[i].label, "drills/rollback-twice") == 0)
			return &v->items[i].verdict;
	return NULL;
}

/* A rollback that is right but once: no strike shows it where there is none to come to. */
START_TEST(a_whole_rollback_runs_again)
{
	static const struct {
		const char *rollback;
		enum outcome twice;
		int exit;
	} rows[] = {
		{ "careful", OUTCOME_RESTORED, 0 },
		{ "plain", OUTCOME_STUCK, 1 },
	};
	TEST_NEEDS_ROOT();
	struct swept_toy t;
	struct program p;
	toy_set_up(&t.where);
	PROGRAM(&t.p, "sweep", PAIRS, "--in", "rollback", "--rollback", rows[_i].rollback,
		"--state", t.where.state, "--runs", t.where.runs, "--var", t.where.root, "--json");
	read_again(&t);
	ck_assert_int_eq(t.p.exit, rows[_i].exit);
	ck_assert_int_eq(run_view(t.run)->exit, rows[_i].exit);
	ck_assert_ptr_nonnull(twice_of(&t));
	ck_assert_int_eq(twice_of(&t)->outcome, rows[_i].twice);
	PROGRAM(&p, "show", t.where.run, "rollback-twice");
	program_expect(&p, 0, "can a whole rollback be run again?");
	program_free(&p);
	free_toy(&t);
	sweep_toy(&t, rows[_i].rollback, "patch", no_budget);
	ck_assert_ptr_null(twice_of(&t));
	free_toy(&t);
}
END_TEST

/* Backed out well, and yet the patch cannot be run a second time. */
START_TEST(the_patch_is_tried_again)
{
	static const struct {
		const char *once; /* what the patch looks at, outside of the state that counts */
		bool ok;
		int exit;
		const char *says;
	} rows[] = {
		{ "once=", true, 0, "Patch retried after rollback: works" },
		{ "once=mkdir /var/once;", false, 1, "Patch retried after rollback: FAILS" },
	};
	TEST_NEEDS_ROOT();
	struct swept_toy t;
	struct program p;
	toy_set_up(&t.where);
	PROGRAM(&t.p, "sweep", "tests/drill/scenarios/retry.json", "--retry-patch", "--state",
		t.where.state, "--runs", t.where.runs, "--var", t.where.root, "--var",
		rows[_i].once, "--json");
	read_again(&t);
	ck_assert_int_eq(t.p.exit, rows[_i].exit);
	ck_assert_int_eq(run_view(t.run)->exit, rows[_i].exit);
	ck_assert_uint_gt(t.s->retry_count, 0);
	for (size_t i = 0; i < t.s->class_count; i++)
		ck_assert(t.s->classes[i].verdict->pass);
	ck_assert(t.s->retries[0].tried);
	ck_assert_int_eq(t.s->retries[0].ok, rows[_i].ok);
	PROGRAM(&p, "report", t.where.run);
	program_expect(&p, 0, rows[_i].says);
	program_free(&p);
	PROGRAM(&p, "report", t.where.run, "--format", "junit");
	program_expect(&p, 0, rows[_i].ok ? "failures=\"0\"" : "failures=\"1\"");
	program_free(&p);
	GUARD(mem)
	char *log = mem_printf("%s/%s/steps/patch-again-1-place.log", t.where.run,
			       t.s->retries[0].label);
	ck_assert_msg(access(log, F_OK) == 0, "no %s", log);
	free_toy(&t);
}
END_TEST

/* Of three strikes two are needed, of two one; of two that only fail together, both. */
START_TEST(a_run_shrinks)
{
	static const struct {
		const char *fault, *label; /* of the smallest; NULL: all are needed */
		int strikes;
		const char *says;
	} rows[] = {
		{ "all three", "drills/all-three-shrunk-", 2, "2 of its 3 strikes are enough" },
		{ "one too many", "drills/one-too-many-shrunk-", 1,
		  "1 of its 2 strikes is enough" },
		{ "both", NULL, 2, "fewer than its 2 strikes do not fail" },
	};
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	toy_set_up(&t);
	PROGRAM(&p, "run", "tests/drill/scenarios/joined.json", "--fault", rows[_i].fault,
		"--shrink", "--state", t.state, "--runs", t.runs, "--var", t.root, "--json");
	ck_assert_int_eq(p.exit, 1);
	struct json_doc *report = program_json(&p);
	const struct json *shrunk = json_get(report_drill(report, rows[_i].fault), "shrunk");
	ck_assert_ptr_nonnull(shrunk);
	const char *label = json_get_string(shrunk, "label", NULL);
	ck_assert_int_eq((label != NULL), (rows[_i].label != NULL));
	if (label != NULL)
		ck_assert_int_eq(strncmp(label, rows[_i].label, strlen(rows[_i].label)), 0);
	ck_assert_int_eq((int)json_get_int(shrunk, "strikes", -1), rows[_i].strikes);
	json_doc_free(report);
	program_free(&p);
	toy_find_run(&t);
	PROGRAM(&p, "report", t.run);
	program_expect(&p, 0, rows[_i].says);
	program_free(&p);
}
END_TEST

/* No edge of a step is listed twice. */
START_TEST(edges_of_steps)
{
	TEST_NEEDS_ROOT();
	struct swept_toy t;
	struct sweep_counts n;
	toy_set_up(&t.where);
	PROGRAM(&t.p, "sweep", PAIRS, "--pairs", "--points", "steps", "--strike", "crash",
		"--rollback", "careful", "--state", t.where.state, "--runs", t.where.runs, "--var",
		t.where.root, "--json");
	read_again(&t);
	said_alike(&t);
	sweep_count(t.s, &n);
	ck_assert_uint_gt(n.pairs, 0);
	ck_assert_uint_eq(n.pairs_drilled, n.pairs);
	ck_assert(t.s->complete);
	for (size_t i = 0; i < t.s->point_count; i++) {
		for (size_t k = 0; k < i; k++) {
			const struct sweep_point *p = &t.s->points[i], *q = &t.s->points[k];
			ck_assert(strcmp(p->key, q->key) != 0 || strcmp(p->step, q->step) != 0 ||
				  p->pair != q->pair || p->after != q->after);
		}
	}
	free_toy(&t);
}
END_TEST

START_TEST(pairs_begin_in_the_patch)
{
	struct toy t;
	struct program p;
	TEST_NEEDS_ROOT();
	toy_set_up(&t);
	PROGRAM(&p, "sweep", PAIRS, "--pairs", "--in", "rollback", "--state", t.state, "--runs",
		t.runs, "--var", t.root);
	program_expect(&p, 64, "--in patch");
	program_free(&p);
}
END_TEST

Suite *suite_pairs(void)
{
	Suite *s = suite_create("pairs");
	TCase *t = tcase_create("pairs");
	tcase_set_timeout(t, 300);
	tcase_add_test(t, only_two_strikes_break_it);
	tcase_add_loop_test(t, the_right_twin_stands_both, 0, 3);
	tcase_add_test(t, edges_of_steps);
	tcase_add_test(t, shrunk_to_the_second);
	tcase_add_test(t, none_behind_what_fails_alone);
	tcase_add_test(t, goes_on);
	tcase_add_loop_test(t, a_whole_rollback_runs_again, 0, 2);
	tcase_add_loop_test(t, the_patch_is_tried_again, 0, 2);
	tcase_add_loop_test(t, a_run_shrinks, 0, 3);
	tcase_add_test(t, pairs_begin_in_the_patch);
	suite_add_tcase(s, t);
	return s;
}
