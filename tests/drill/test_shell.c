/* SPDX-License-Identifier: MIT */
/* A look into a drill that stands still: by a line, and by a real terminal. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pty.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "tests/drill/program.h"
#include "tests/drill/toy.h"
#include "tests/unit/runner.h"

#define CALLS "tests/drill/scenarios/calls.json"
#define LOOK  "sleep 0.3; cd /srv/app; for f in *; do echo \"$f=$(cat $f)\"; done; exit 7"

static const struct {
	const char *scenario, *fault, *at, *said;
} cases[] = {
	/* A program's start is held: config.new is written, and not moved. */
	{ TOY, "killed at mv", "strike", "config=v1\nconfig.bak=v1\nconfig.new=v2\nextra=old\n" },
	{ TOY, "killed at mv", "rollback-end", "config=v1\nextra=old\n" },
	/* Killed, and the step's own shell would go on with the next command. */
	{ TOY, "usleep killed", "strike", "config=v1\nconfig.bak=v1\nextra=old\n" },
	/* A call is held, and the step's own shell does not go on with the third file. */
	{ CALLS, "read only from the second on", "strike", "a=new\nb=old\nb.tmp=new\nc=old\n" },
	{ CALLS, "read only from the second on", "rollback-end", "a=old\nb=old\nc=old\n" },
	/* Within the rollback, which has put back the first only. */
	{ CALLS, "rename of the rollback fails", "strike", "a=old\nb=new\nc=new\n" },
	/* Nothing calls for a rollback: the drill's end. */
	{ CALLS, "a slow rename", "rollback-end", "a=new\nb=new\nc=new\n" },
};

START_TEST(line_at)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	toy_record(&t, cases[_i].scenario, cases[_i].fault, NULL);
	PROGRAM(&p, "shell", t.run, cases[_i].fault, "--at", cases[_i].at, "--command", LOOK,
		"--state", t.state, "--runs", t.runs);
	ck_assert_msg(strcmp(buf_str(&p.out), cases[_i].said) == 0 && p.exit == 7,
		      "%s at %s: exit %d\n%s\n%s", cases[_i].fault, cases[_i].at, p.exit,
		      buf_str(&p.out), buf_str(&p.err));
	program_free(&p);
	/* Neither a run folder nor anything of the node is left. */
	GUARD(mem)
	char *left = mem_printf(
		"test $(ls '%s' | wc -l) = 1 && ! ls -d '%s'/owners/backout-* 2>/dev/null", t.runs,
		t.state);
	ck_assert_int_eq(system(left), 0);
}
END_TEST

START_TEST(not_there)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct program p;
	toy_record(&t, TOY, "never there", NULL);
	PROGRAM(&p, "shell", t.run, "--command", "true", "--state", t.state, "--runs", t.runs);
	program_expect(&p, 2, "the drill did not come to its strike");
	program_free(&p);
	PROGRAM(&p, "shell", t.run, "--at", "rollback", "--command", "true", "--state", t.state,
		"--runs", t.runs);
	program_expect(&p, 64, "write \"strike\" or \"rollback-end\"");
	program_free(&p);
	PROGRAM(&p, "shell", t.run, "--node", "wbe", "--command", "true", "--state", t.state,
		"--runs", t.runs);
	program_expect(&p, 64, "the scenario has no node 'wbe'");
	program_free(&p);
	PROGRAM(&p, "shell", t.run, "--state", t.state, "--runs", t.runs);
	program_expect(&p, 64, "this is no terminal");
	program_free(&p);
}
END_TEST

/* Types a line and waits for what it makes the other side say. */
static void type(int fd, const char *keys, const char *until, struct buf *said)
{
	int64_t deadline = clock_now() + 60 * NS_PER_S;
	buf_clear(said);
	ck_assert_int_eq(write(fd, keys, strlen(keys)), (ssize_t)strlen(keys));
	while (strstr(buf_str(said), until) == NULL) {
		char chunk[1024];
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ck_assert_msg(clock_now() < deadline, "no \"%s\" in \"%s\"", until, buf_str(said));
		if (poll(&p, 1, 100) <= 0)
			continue;
		ssize_t n = read(fd, chunk, sizeof(chunk));
		ck_assert_msg(n > 0, "the end, without \"%s\" in \"%s\"", until, buf_str(said));
		buf_add(said, chunk, (size_t)n);
	}
}

/* A key pressed while the shell is just starting the program may reach neither: pressed again, as a
 * person would. */
static void interrupt(int fd, struct buf *said)
{
	buf_clear(said);
	for (int i = 0; i < 30 && strstr(buf_str(said), "# ") == NULL; i++) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char chunk[1024];
		ck_assert_int_eq(write(fd, "\003", 1), 1);
		while (strstr(buf_str(said), "# ") == NULL && poll(&p, 1, 1000) > 0) {
			ssize_t n = read(fd, chunk, sizeof(chunk));
			ck_assert_int_gt(n, 0);
			buf_add(said, chunk, (size_t)n);
		}
	}
	ck_assert_msg(strstr(buf_str(said), "# ") != NULL, "no prompt in \"%s\"", buf_str(said));
}

START_TEST(on_a_terminal)
{
	TEST_NEEDS_ROOT();
	struct toy t;
	struct buf said = { 0 };
	struct winsize size = { .ws_row = 33, .ws_col = 101 };
	int fd, status;
	toy_record(&t, TOY, "killed at mv", NULL);
	pid_t pid = forkpty(&fd, NULL, NULL, &size);
	if (pid == 0) {
		(void)execl(program_binary(), "backout", "shell", t.run, "--state", t.state,
			    "--runs", t.runs, NULL);
		_exit(1);
	}
	/* What is typed comes back too, so the answers are not in the questions. */
	type(fd, "", "# ", &said);
	type(fd, "echo tty=$(tty)=\r", "tty=/dev/pts/0=", &said);
	type(fd, "echo size=$(stty size)=\r", "size=33 101=", &said);
	/* Only once the line runs: until then the shell's own editing takes the key. */
	type(fd, "echo in-$((6+7)); sleep 1000; echo went-$((40+2))\r", "in-13", &said);
	interrupt(fd, &said); /* ends the sleep, not us */
	type(fd, "echo alive-$((40+2))\r", "alive-42", &said);
	ck_assert_ptr_null(strstr(buf_str(&said), "went-42"));
	size.ws_col = 77;
	ck_assert_int_eq(ioctl(fd, TIOCSWINSZ, &size), 0);
	/* The signal comes in its own time. */
	type(fd, "while test \"$(stty size)\" = '33 101'; do :; done; echo size=$(stty size)=\r",
	     "size=33 77=", &said);
	type(fd, "sleep 1000 & jobs; echo jobs-$((40+2))\r", "jobs-42", &said);
	ck_assert_ptr_nonnull(strstr(buf_str(&said), "[1]"));
	ck_assert_int_eq(write(fd, "exit 3\r", 7), 7);
	for (char chunk[256]; read(fd, chunk, sizeof(chunk)) > 0;)
		;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	(void)close(fd);
	buf_free(&said);
}
END_TEST

Suite *suite_shell(void)
{
	Suite *s = suite_create("shell");
	TCase *c = tcase_create("shell");
	tcase_set_timeout(c, 180);
	tcase_add_loop_test(c, line_at, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(c, not_there);
	tcase_add_test(c, on_a_terminal);
	suite_add_tcase(s, c);
	return s;
}
