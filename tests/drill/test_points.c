/* SPDX-License-Identifier: MIT */
/* Whole runs struck at points by their keys, and at lines that a step prints. */
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

#define POINTS "tests/drill/scenarios/points.json"

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
	{ "no such line", "no-such-line", "not_reached", NULL, NULL, NULL },
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

START_TEST(strikes_at_points)
{
	TEST_NEEDS_ROOT();
	struct place t;
	struct program p;
	place_set_up(&t);
	PROGRAM(&p, "run", POINTS, "--json", "--state", t.state, "--runs", t.runs, "--var", t.root);
	struct json_doc *report = program_json(&p);
	find_run(&t);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_drill(&t, i, report_drill(report, cases[i].fault));
	ck_assert_int_eq(p.exit, 2); /* some faults are not reached */
	json_doc_free(report);
	program_free(&p);
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
