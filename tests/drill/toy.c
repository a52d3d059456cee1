/* SPDX-License-Identifier: MIT */
#include "tests/drill/toy.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "tests/drill/program.h"
#include "tests/unit/runner.h"

enum { FILE_MAX = 1 << 20 /* bytes */ };

void toy_set_up(struct toy *t)
{
	const char *dir = test_dir();
	(void)snprintf(t->state, sizeof(t->state), "%s/state", dir);
	(void)snprintf(t->runs, sizeof(t->runs), "%s/runs", dir);
	(void)snprintf(t->root, sizeof(t->root), "root=%s", test_busybox_root());
}

void toy_find_run(struct toy *t)
{
	GUARD(dir) DIR *d = opendir(t->runs);
	ck_assert_ptr_nonnull(d);
	for (struct dirent *de; (de = readdir(d)) != NULL;)
		if (de->d_name[0] != '.')
			(void)snprintf(t->run, sizeof(t->run), "%s/%s", t->runs, de->d_name);
}

void toy_record(struct toy *t, const char *scenario, const char *fault, const char *rollback)
{
	struct program p;
	toy_set_up(t);
	PROGRAM(&p, "run", scenario, "--state", t->state, "--runs", t->runs, "--var", t->root,
		"--fault", fault, "--seed", "abc", rollback != NULL ? "--rollback" : NULL,
		rollback);
	ck_assert_msg(p.exit <= 2, "%s", buf_str(&p.err));
	program_free(&p);
	toy_find_run(t);
}

void toy_read(const struct toy *t, const char *slug, const char *name, struct buf *ret)
{
	struct err e = { 0 };
	GUARD(mem) char *path = mem_printf("%s/drills/%s/%s", t->run, slug, name);
	buf_clear(ret);
	MUST(io_read_file(AT_FDCWD, path, FILE_MAX, ret, &e));
}

struct journal *toy_journal(const struct toy *t, const char *slug)
{
	struct err e = { 0 };
	GUARD_BUF struct buf text = { 0 };
	struct journal *j = NULL;
	toy_read(t, slug, "journal.jsonl", &text);
	MUST(journal_parse(&j, slug, text.data, text.len, &e));
	return j;
}

void toy_says(const struct journal *j, enum event_kind kind, const char *field, const char *part)
{
	const struct event *ev = journal_find(j, kind, 0);
	ck_assert_msg((ev != NULL) == (part != NULL), "%s: %s in %s", event_name(kind),
		      ev != NULL ? "found" : "none", journal_name(j));
	if (ev == NULL)
		return;
	const char *text = json_get_string(ev->fields, field, "");
	ck_assert_msg(strstr(text, part) != NULL, "'%s' lacks '%s'", text, part);
}

void toy_came_to(const struct json *drill, const char *fault, const char *outcome)
{
	const char *is = json_get_string(drill, "outcome", "?");
	ck_assert_msg(strcmp(is, outcome) == 0, "%s: %s instead of %s", fault, is, outcome);
}

static void check_strike(const struct toy *t, const struct toy_strike *w, const struct json *drill)
{
	GUARD_BUF struct buf text = { 0 };
	toy_came_to(drill, w->fault, w->outcome);
	struct journal *j = toy_journal(t, w->slug);
	toy_says(j, EVENT_TRIGGER_HIT, "detail", w->hit);
	toy_says(j, EVENT_FAULT_FELT, "evidence", w->felt);
	if (strcmp(w->outcome, "restored") == 0)
		toy_says(j, EVENT_DETECTED, "by", "step_failed");
	journal_free(j);
	if (w->left == NULL)
		return;
	toy_read(t, w->slug, "steps/rollback-1-put-back.log", &text);
	ck_assert_msg(strncmp(buf_str(&text), w->left, strlen(w->left)) == 0, "%s left:\n%s",
		      w->fault, buf_str(&text));
}

void toy_strike(const char *scenario, const struct toy_strike *want, size_t count)
{
	struct toy t;
	struct program p;
	toy_set_up(&t);
	PROGRAM(&p, "run", scenario, "--json", "--state", t.state, "--runs", t.runs, "--var",
		t.root);
	struct json_doc *report = program_json(&p);
	toy_find_run(&t);
	for (size_t i = 0; i < count; i++)
		check_strike(&t, &want[i], report_drill(report, want[i].fault));
	ck_assert_int_eq(p.exit, 2); /* some are not reached */
	json_doc_free(report);
	program_free(&p);
}
