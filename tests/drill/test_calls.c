/* SPDX-License-Identifier: MIT */
/* Whole runs struck at system calls: exactly that call, and not the one before or behind it. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/model/event.h"
#include "tests/drill/program.h"
#include "tests/unit/runner.h"

#define CALLS "tests/drill/scenarios/calls.json"

enum { FILE_MAX = 1 << 20 };

struct place {
	char state[320], runs[320], root[320];
	char run[700]; /* the run's folder */
};

static void place_set_up(struct place *t)
{
	const char *dir = test_dir();
	(void)snprintf(t->state, sizeof(t->state), "%s/state", dir);
	(void)snprintf(t->runs, sizeof(t->runs), "%s/runs", dir);
	(void)snprintf(t->root, sizeof(t->root), "root=%s", test_busybox_root());
}

static void find_run(struct place *t)
{
	GUARD(dir) DIR *d = opendir(t->runs);
	ck_assert_ptr_nonnull(d);
	for (struct dirent *de; (de = readdir(d)) != NULL;)
		if (de->d_name[0] != '.' && strcmp(de->d_name, "last") != 0)
			(void)snprintf(t->run, sizeof(t->run), "%s/%s", t->runs, de->d_name);
}

static void read_file(const struct place *t, const char *slug, const char *name, struct buf *ret)
{
	struct err e = { 0 };
	GUARD(mem) char *path = mem_printf("%s/drills/%s/%s", t->run, slug, name);
	buf_clear(ret);
	MUST(io_read_file(AT_FDCWD, path, FILE_MAX, ret, &e));
}

static const struct {
	const char *fault, *slug;
	const char *outcome;
	const char *hit, *felt; /* parts of what the journal says; NULL: no such event */
	const char *left;       /* what the rollback found; NULL: none ran, or it does not matter */
} cases[] = {
	{ "killed at the second rename", "killed-at-the-second-rename", "restored",
	  "call 2 of rename: rename(/srv/app/b.tmp, /srv/app/b) by /bin/mv (pid ",
	  "was reaped, killed by SIGKILL", "a new\nb old\nb.tmp new\nc old\n" },
	{ "only mv killed", "only-mv-killed", "restored",
	  "call 1 of rename: rename(/srv/app/c.tmp, /srv/app/c) by /bin/mv (pid ",
	  "was reaped, killed by SIGKILL", "a new\nb new\nc old\nc.tmp new\n" },
	{ "no space for the third", "no-space-for-the-third", "restored",
	  "call 3 of write: write(/srv/app/c.tmp) by /bin/sh (pid ", " returned ENOSPC",
	  "a new\nb new\nc old\nc.tmp \n" },
	{ "read only from the second on", "read-only-from-the-second-on", "restored",
	  "call 2 of rename: rename(/srv/app/b.tmp, /srv/app/b)", " returned EROFS",
	  "a new\nb old\nb.tmp new\nc old\n" },
	{ "a slow rename", "a-slow-rename", "tolerated", "call 2 of rename: rename(/srv/app/b.tmp",
	  " (asked for 300 ms)", NULL },
	{ "no such call", "no-such-call", "not_reached", NULL, NULL, NULL },
	{ "rename of the rollback fails", "rename-of-the-rollback-fails", "stuck",
	  "call 1 of rename: rename(/srv/saved/b, /srv/app/b)", " returned EIO",
	  "a new\nb new\nc new\n" },
};

static void says(const struct journal *j, enum event_kind kind, const char *field, const char *part)
{
	const struct event *ev = journal_find(j, kind, 0);
	ck_assert_msg((ev != NULL) == (part != NULL), "%s: %s in %s", event_name(kind),
		      ev != NULL ? "found" : "none", journal_name(j));
	if (ev == NULL)
		return;
	const char *text = json_get_string(ev->fields, field, "");
	ck_assert_msg(strstr(text, part) != NULL, "'%s' lacks '%s'", text, part);
}

static void check_drill(const struct place *t, size_t i, const struct json *drill)
{
	struct err e = { 0 };
	GUARD_BUF struct buf text = { 0 };
	struct journal *j;
	const char *outcome = json_get_string(drill, "outcome", "?");
	ck_assert_msg(strcmp(outcome, cases[i].outcome) == 0, "%s: %s instead of %s",
		      cases[i].fault, outcome, cases[i].outcome);
	read_file(t, cases[i].slug, "journal.jsonl", &text);
	MUST(journal_parse(&j, cases[i].fault, text.data, text.len, &e));
	says(j, EVENT_TRIGGER_HIT, "detail", cases[i].hit);
	says(j, EVENT_FAULT_FELT, "evidence", cases[i].felt);
	if (strcmp(cases[i].outcome, "restored") == 0)
		says(j, EVENT_DETECTED, "by", "step_failed");
	journal_free(j);
	if (cases[i].left == NULL)
		return;
	read_file(t, cases[i].slug, "steps/rollback-1-put-back.log", &text);
	ck_assert_msg(strncmp(buf_str(&text), cases[i].left, strlen(cases[i].left)) == 0,
		      "%s left:\n%s", cases[i].fault, buf_str(&text));
}

START_TEST(strikes_at_calls)
{
	TEST_NEEDS_ROOT();
	struct place t;
	struct program p;
	place_set_up(&t);
	PROGRAM(&p, "run", CALLS, "--json", "--state", t.state, "--runs", t.runs, "--var", t.root);
	struct json_doc *report = program_json(&p);
	find_run(&t);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_drill(&t, i, report_drill(report, cases[i].fault));
	ck_assert_int_eq(p.exit, 2); /* one fault is not reached */
	json_doc_free(report);
	program_free(&p);
}
END_TEST

/* An injector that needs a held call says so when its trigger holds none. */
START_TEST(no_call_held)
{
	TEST_NEEDS_ROOT();
	struct place t;
	struct program p;
	struct err e = { 0 };
	struct buf text = { 0 };
	place_set_up(&t);
	MUST(io_mkdirs(t.runs, 0755, &e));
	MUST(io_read_file(AT_FDCWD, CALLS, FILE_MAX, &text, &e));
	const char *at = "\"syscall\": { \"call\": \"rename\", \"nth\": 4 }";
	char *found = strstr(buf_str(&text), at);
	ck_assert_ptr_nonnull(found);
	GUARD(mem) char *path = mem_printf("%s/program.json", t.runs);
	GUARD(mem)
	char *other = mem_printf("%.*s\"program\": \"/bin/mv\"%s", (int)(found - text.data),
				 text.data, found + strlen(at));
	MUST(io_write_file(AT_FDCWD, path, other, strlen(other), 0644, &e));
	PROGRAM(&p, "check", path, "--var", t.root);
	ck_assert_int_eq(p.exit, 65);
	ck_assert_msg(strstr(buf_str(&p.err), "syscall") != NULL, "%s", buf_str(&p.err));
	program_free(&p);
	buf_free(&text);
}
END_TEST

Suite *suite_calls(void);
Suite *suite_calls(void)
{
	Suite *s = suite_create("calls");
	TCase *c = tcase_create("calls");
	tcase_set_timeout(c, 120);
	tcase_add_test(c, strikes_at_calls);
	tcase_add_test(c, no_call_held);
	suite_add_tcase(s, c);
	return s;
}
