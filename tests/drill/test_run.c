/* SPDX-License-Identifier: MIT */
/* Whole runs of a toy workflow: every outcome of the verdict table that a run can have, made for
 * real and judged through the program that a user runs. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/cgroup.h"
#include "tests/drill/program.h"
#include "tests/drill/toy.h"
#include "tests/unit/runner.h"

static const struct {
	const char *fault, *rollback, *var;
	const char *outcome; /* of the drill; NULL: no drill is run */
	const char *control; /* of both controls */
	int exit;
} cases[] = {
	{ "killed at mv", "good", "want=v2", "restored", "restored", 0 },
	{ "killed at sleep", "good", "want=v2", "harmless", "restored", 2 },
	{ "usleep killed", "good", "want=v2", "tolerated", "restored", 2 },
	{ "second cp killed", "good", "want=v2", "drifted", "restored", 1 },
	{ "never there", "good", "want=v2", "not_reached", "restored", 2 },
	{ "killed at mv", "nothing", "want=v2", "residue", "residue", 1 },
	{ "killed at mv", "failing", "want=v2", "stuck", "stuck", 1 },
	{ "killed at mv", "slow", "recovery=300ms", "late", "late", 1 },
	{ "killed at mv", "wrecks", "want=v2", "degraded", "degraded", 1 },
	{ "killed at mv", "good", "want=v3", NULL, "broken", 3 },
	{ "killed at mv", "good", "blind=/**", NULL, NULL, 2 },
	{ "rollback killed", "good", "want=v2", "stuck", "restored", 1 },
};

START_TEST(outcomes)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	toy_set_up(&t);
	PROGRAM(&p, "run", TOY, "--json", "--state", t.state, "--runs", t.runs, "--var", t.root,
		"--var", cases[_i].var, "--fault", cases[_i].fault, "--rollback",
		cases[_i].rollback);
	struct json_doc *report = program_json(&p);
	const char *seen = "none";
	const struct json *drills = json_get(json_root(report), "drills");
	if (json_size(drills) > 0)
		seen = json_get_string(report_drill(report, cases[_i].fault), "outcome", "?");
	const char *want = cases[_i].outcome != NULL ? cases[_i].outcome : "none";
	ck_assert_msg(strcmp(seen, want) == 0, "%s by %s: %s instead of %s\n%s", cases[_i].fault,
		      cases[_i].rollback, seen, want, buf_str(&p.out));
	const struct json *controls = json_get(json_root(report), "controls");
	ck_assert_uint_eq(json_size(controls), 2);
	for (const struct json *c = json_first(controls); c != NULL; c = json_next(c))
		if (cases[_i].control != NULL)
			ck_assert_str_eq(json_get_string(c, "outcome", "?"), cases[_i].control);
	ck_assert_msg(p.exit == cases[_i].exit, "exit %d instead of %d\n%s\n%s", p.exit,
		      cases[_i].exit, buf_str(&p.out), buf_str(&p.err));
	json_doc_free(report);
	program_free(&p);
}
END_TEST

/* An interval that is shorter than `every` has one question in it. */
START_TEST(asked_once)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	toy_set_up(&t);
	PROGRAM(&p, "run", "tests/drill/scenarios/patient.json", "--json", "--state", t.state,
		"--runs", t.runs, "--var", t.root);
	program_expect(&p, 0, "\"restored\"");
	struct json_doc *report = program_json(&p);
	const struct json *controls = json_get(json_root(report), "controls");
	for (const struct json *c = json_first(controls); c != NULL; c = json_next(c))
		ck_assert_str_eq(json_get_string(c, "outcome", "?"), "restored");
	json_doc_free(report);
	program_free(&p);
}
END_TEST

/* A run folder is judged anew, elsewhere and later, with the same words. */
START_TEST(judged_again)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program first, again, moved;
	toy_set_up(&t);
	PROGRAM(&first, "run", TOY, "--json", "--state", t.state, "--runs", t.runs, "--var", t.root,
		"--fault", "killed at mv");
	ck_assert_int_eq(first.exit, 0);
	PROGRAM(&again, "report", "last", "--runs", t.runs, "--format", "json");
	ck_assert_int_eq(again.exit, 0);
	struct json_doc *a = program_json(&first), *b = program_json(&again);
	const struct json *da = report_drill(a, "killed at mv"),
			  *db = report_drill(b, "killed at mv");
	ck_assert_str_eq(json_get_string(da, "outcome", "?"), json_get_string(db, "outcome", "!"));
	ck_assert_int_eq(json_get_int(da, "window_ns", -1), json_get_int(db, "window_ns", -2));
	ck_assert_int_gt(json_get_int(da, "recovery_ns", -1), 0);
	PROGRAM(&moved, "show", "last", "killed at mv", "--runs", t.runs);
	ck_assert_int_eq(moved.exit, 0);
	ck_assert_ptr_nonnull(strstr(buf_str(&moved.out), "restore"));
	json_doc_free(a);
	json_doc_free(b);
	program_free(&first);
	program_free(&again);
	program_free(&moved);
}
END_TEST

/* What the report says under "again" repeats the drill, word for word. */
START_TEST(struck_again_from_the_folder)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program first, again;
	toy_set_up(&t);
	PROGRAM(&first, "run", TOY, "--state", t.state, "--runs", t.runs, "--var", t.root,
		"--fault", "second cp killed", "--seed", "abc");
	ck_assert_int_eq(first.exit, 1);
	char *line = strstr(buf_str(&first.out), "again     backout replay ");
	ck_assert_ptr_nonnull(line);
	GUARD(mem) char *run = mem_strdup(line + strlen("again     backout replay "));
	char *drill = strchr(run, ' ');
	ck_assert_ptr_nonnull(drill);
	*drill++ = '\0';
	drill[strcspn(drill, "\n")] = '\0';
	ck_assert_str_eq(drill, "drills/second-cp-killed");
	PROGRAM(&again, "replay", run, drill, "--json", "--state", t.state, "--runs", t.runs);
	struct json_doc *report = program_json(&again);
	ck_assert_str_eq(json_get_string(report_drill(report, "second cp killed"), "outcome", "?"),
			 "drifted");
	ck_assert_ptr_nonnull(strstr(json_get_string(json_root(report), "run", "?"), "-toy-"));
	ck_assert_ptr_nonnull(strstr(buf_str(&again.err), "same as recorded: drifted\n"));
	json_doc_free(report);
	program_free(&first);
	program_free(&again);
}
END_TEST

/* A drill folder that was tampered with is not judged as if nothing had happened. */
START_TEST(torn_journal)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program run, show;
	struct err e = { 0 };
	toy_set_up(&t);
	PROGRAM(&run, "run", TOY, "--state", t.state, "--runs", t.runs, "--var", t.root, "--fault",
		"killed at mv");
	ck_assert_int_eq(run.exit, 0);
	toy_find_run(&t);
	GUARD(mem) char *journal = mem_printf("%s/drills/killed-at-mv/journal.jsonl", t.run);
	GUARD_BUF struct buf text = { 0 };
	toy_read(&t, "killed-at-mv", "journal.jsonl", &text);
	MUST(io_write_file(AT_FDCWD, journal, text.data, text.len - 20, 0644, &e));
	PROGRAM(&show, "report", "last", "--runs", t.runs, "--format", "json");
	struct json_doc *report = program_json(&show);
	ck_assert_str_eq(json_get_string(report_drill(report, "killed at mv"), "outcome", "?"),
			 "aborted");
	json_doc_free(report);
	program_free(&run);
	program_free(&show);
}
END_TEST

/* The words of the exec's own error, not an exit code that a shell might have given. */
START_TEST(absent_program)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	toy_set_up(&t);
	PROGRAM(&p, "run", "tests/drill/scenarios/absent.json", "--json", "--state", t.state,
		"--runs", t.runs, "--var", t.root);
	ck_assert_int_eq(p.exit, 3);
	ck_assert_msg(strstr(buf_str(&p.out),
			     "step 'call' did not start: node 'n': no such program: "
			     "/usr/bin/absent") != NULL,
		      "%s", buf_str(&p.out));
	program_free(&p);
}
END_TEST

/* The words of the tool that could not, the way out, and nothing half-built in the cache. */
START_TEST(root_without_network)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	struct stat st;
	char path[400];
	toy_set_up(&t);
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0); /* each test is a process of its own */
	PROGRAM(&p, "run", "tests/drill/scenarios/debian.json", "--state", t.state, "--runs",
		t.runs);
	ck_assert_int_eq(p.exit, 69);
	ck_assert_msg(strstr(buf_str(&p.err), "root of node 'n': mmdebstrap failed") != NULL, "%s",
		      buf_str(&p.err));
	program_free(&p);
	PROGRAM(&p, "image", "list", "--state", t.state);
	ck_assert_ptr_nonnull(strstr(buf_str(&p.out), "no images in"));
	program_free(&p);
	PROGRAM(&p, "gc", "--state", t.state);
	ck_assert_int_eq(p.exit, 0);
	ck_assert_ptr_null(strstr(buf_str(&p.out), t.state)); /* it may collect others' */
	program_free(&p);
	(void)snprintf(path, sizeof(path), "%s", t.runs);
	ck_assert_int_ne(stat(path, &st), 0); /* no run folder for a run that never began */
}
END_TEST

/* The step failed of its node's limit: the report says so, and what the steps used. */
START_TEST(the_limit_is_named)
{
	struct toy t;
	struct program p, shown;
	TEST_NEEDS_ROOT();
	if (cgroup_unsupported("memory") != NULL)
		TEST_SKIP(cgroup_unsupported("memory"));
	toy_set_up(&t);
	PROGRAM(&p, "run", "tests/drill/scenarios/hungry.json", "--json", "--state", t.state,
		"--runs", t.runs, "--var", t.root);
	program_expect(&p, 3, "the memory limit of node 'app', 32.0 MiB, killed ");
	struct json_doc *report = program_json(&p);
	const struct json *control = json_first(json_get(json_root(report), "controls"));
	ck_assert_ptr_nonnull(strstr(json_get_string(control, "why", ""), "32.0 MiB, killed "));
	const struct json *step = json_first(json_get(control, "steps"));
	ck_assert_str_eq(json_get_string(step, "step", "?"), "grow");
	ck_assert(!json_bool(json_get(step, "ok")));
	/* v2 before Linux 5.19 has no peak. */
	const int64_t peak = json_get_int(step, "memory_peak", -1);
	ck_assert(peak == -1 || (peak > 4 << 20 && peak <= 32 << 20));
	ck_assert_int_gt(json_get_int(step, "took_ns", -1), 0);
	json_doc_free(report);
	PROGRAM(&shown, "show", "last", "control-a", "--runs", t.runs);
	program_expect(&shown, 0, "note: the memory limit of node 'app', 32.0 MiB, killed ");
	program_free(&p);
	program_free(&shown);
}
END_TEST

Suite *suite_run(void)
{
	Suite *s = suite_create("run");
	TCase *c = tcase_create("run");
	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, outcomes, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(c, asked_once);
	tcase_add_test(c, judged_again);
	tcase_add_test(c, struck_again_from_the_folder);
	tcase_add_test(c, torn_journal);
	tcase_add_test(c, absent_program);
	tcase_add_test(c, root_without_network);
	tcase_add_test(c, the_limit_is_named);
	suite_add_tcase(s, c);
	return s;
}
