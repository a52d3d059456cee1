/* SPDX-License-Identifier: MIT */
/* Whole runs struck at system calls: exactly that call, and not the one before or behind it. */
#include <fcntl.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "tests/drill/program.h"
#include "tests/drill/toy.h"
#include "tests/unit/runner.h"

#define CALLS "tests/drill/scenarios/calls.json"

enum { FILE_MAX = 1 << 20 };

static const struct toy_strike cases[] = {
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

START_TEST(strikes_at_calls)
{
	TEST_NEEDS_ROOT();
	toy_strike(CALLS, cases, sizeof(cases) / sizeof(cases[0]));
}
END_TEST

/* An injector that needs a held call says so when its trigger holds none. */
START_TEST(no_call_held)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	struct err e = { 0 };
	struct buf text = { 0 };
	toy_set_up(&t);
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
