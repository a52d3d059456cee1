/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"

struct seen {
	bool done;
	int status, calls;
};

static void on_exit_status(void *arg, int status)
{
	struct seen *s = arg;
	s->done = true;
	s->status = status;
	s->calls++;
}

static void spin(struct bench *b, int64_t ns)
{
	struct err e = { 0 };
	MUST(loop_wait(b->loop, &(bool){ false }, clock_now() + ns, &e));
}

static const struct {
	const char *script;
	int status;
} ends[] = {
	{ "true", 0 },
	{ "exit 7", 7 << 8 },
	{ "exit 255", 255 << 8 },
	{ "kill -9 $$", SIGKILL },
	{ "kill -15 $$", SIGTERM },
};

START_TEST(the_status_is_the_programs_own)
{
	struct bench b;
	TEST_NEEDS_ROOT();
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		ck_assert_msg(bench_sh(n, ends[i].script, NULL) == ends[i].status, "%s",
			      ends[i].script);
	bench_close_with(&b, n);
}
END_TEST

#define ARGV(...)                                                                                  \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}
static const struct {
	struct spawn_spec spec;
	const char *says;
	int exit;
} refused[] = {
	{ { .argv = ARGV("no-such-one") }, "no such program: no-such-one", EXIT_BAD_SCENARIO },
	{ { .argv = ARGV("/bin/nothing") }, "no such program: /bin/nothing", EXIT_BAD_SCENARIO },
	{ { .argv = ARGV("/etc/passwd") }, "cannot run /etc/passwd", EXIT_BAD_SCENARIO },
	{ { .argv = ARGV("true"), .user = "nemo" }, "no such user: nemo", EXIT_BAD_SCENARIO },
	{ { .argv = ARGV("true"), .cwd = "/no/where" },
	  "working folder '/no/where'",
	  EXIT_BAD_SCENARIO },
	{ { .argv = ARGV("true"), .cwd = "/root/x", .user = "nobody" },
	  "working folder '/root/x'",
	  EXIT_BAD_SCENARIO },
};

START_TEST(what_cannot_start_says_why)
{
	struct bench b;
	struct err e = { 0 };
	struct seen seen = { 0 };
	TEST_NEEDS_ROOT();
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct proc *p = NULL;
		struct spawn_spec spec = refused[i].spec;
		spec.out_fd = spec.err_fd = -1;
		err_clear(&e);
		ck_assert_int_eq(node_spawn(n, &spec, on_exit_status, &seen, &p, &e), -1);
		ck_assert_msg(strstr(e.why, refused[i].says) != NULL, "%s", e.why);
		ck_assert_int_eq(e.exit, refused[i].exit);
		ck_assert_ptr_null(p);
	}
	GUARD(mem) char *big = mem_alloc(200000);
	memset(big, 'x', 199999);
	struct proc *p = NULL;
	struct spawn_spec spec = { .argv = ARGV("echo", big), .out_fd = -1, .err_fd = -1 };
	err_clear(&e);
	ck_assert_int_eq(node_spawn(n, &spec, on_exit_status, &seen, &p, &e), -1);
	ck_assert_int_eq(e.code, E2BIG);
	spin(&b, 50 * NS_PER_MS);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_str_eq(bench_ask(n, "echo fine"), "fine");
	bench_close_with(&b, n);
}
END_TEST

static const struct {
	struct spawn_spec spec;
	const char *prints;
} settings[] = {
	{ { .argv = ARGV("sh", "-c", "echo $A,$HOME"), .env = ARGV("A=b c", "HOME=/x") },
	  "b c,/x\n" },
	{ { .argv = ARGV("pwd"), .cwd = "/usr/bin" }, "/usr/bin\n" },
	{ { .argv = ARGV("sh", "-c", "id -u; id -g; echo $HOME"), .user = "nobody" },
	  "65534\n65534\n/\n" },
	{ { .argv = ARGV("sh", "-c", "id -u; id -g; echo $HOME"), .user = "1234" },
	  "1234\n1234\n/\n" },
	{ { .argv = ARGV("sh", "-c", "id -u; echo $HOME"), .user = "0" }, "0\n/root\n" },
	{ { .argv = ARGV("sh", "-c", "id -G"), .user = "member" }, "70 71 72\n" },
	{ { .argv = ARGV("sh", "-c", "echo out; echo err >&2") }, "out\nerr\n" },
	{ { .argv = ARGV("cat") }, "" }, /* stdin is /dev/null */
	{ { .argv = ARGV("echo", "a", "", "b  c") }, "a  b  c\n" },
};

START_TEST(settings_reach_the_program)
{
	struct bench b;
	struct err e = { 0 };
	TEST_NEEDS_ROOT();
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	(void)bench_ask(n, "echo member:x:70:70::/:/bin/sh >> /etc/passwd;"
			   "echo g1:x:71:nobody,member >> /etc/group;"
			   "echo g2:x:72:member >> /etc/group; echo g3:x:73:other >> /etc/group");
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		GUARD_BUF struct buf out = { 0 };
		err_clear(&e);
		int status = node_run(n, &settings[i].spec, 5 * NS_PER_S, &out, 1000, &e);
		ck_assert_msg(status == 0, "%zu: %d %s", i, status, e.why);
		ck_assert_str_eq(buf_str(&out), settings[i].prints);
	}
	bench_close_with(&b, n);
}
END_TEST

START_TEST(output_goes_where_it_should)
{
	struct bench b;
	struct err e = { 0 };
	int out[2], err[2];
	char got[64];
	struct seen seen = { 0 };
	struct proc *p = NULL;
	TEST_NEEDS_ROOT();
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
	struct spawn_spec spec = { .out_fd = out[1], .err_fd = err[1] };
	spec.argv = ARGV("sh", "-c", "echo out; echo err >&2; ls /proc/self/fd >&2");
	MUST(node_spawn(n, &spec, on_exit_status, &seen, &p, &e));
	(void)close(out[1]);
	(void)close(err[1]);
	MUST(loop_wait(b.loop, &seen.done, clock_now() + 5 * NS_PER_S, &e));
	proc_free(p);
	ssize_t len = read(out[0], got, sizeof(got)); /* and no writer is left */
	ck_assert_int_eq(len, 4);
	ck_assert_int_eq(read(out[0], got, sizeof(got)), 0);
	(void)usleep(1000);
	len = read(err[0], got, sizeof(got));
	ck_assert_int_eq(len, 4 + 8); /* 0 to 3: nothing else is inherited */
	(void)close(out[0]);
	(void)close(err[0]);
	/* Beyond the most it is read and dropped. */
	GUARD_BUF struct buf some = { 0 };
	spec.argv = ARGV("sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x");
	ck_assert_int_eq(node_run(n, &spec, 5 * NS_PER_S, &some, 100, &e), 0);
	ck_assert_uint_eq(some.len, 100);
	bench_close_with(&b, n);
}
END_TEST

START_TEST(a_run_that_takes_too_long_is_killed)
{
	struct bench b;
	struct err e = { 0 };
	pid_t pids[8];
	TEST_NEEDS_ROOT();
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	struct spawn_spec spec = { .argv = ARGV("sh", "-c", "(sleep 61; true) & sleep 60; true") };
	spec.out_fd = spec.err_fd = -1;
	ck_assert_int_eq(node_run(n, &spec, 200 * NS_PER_MS, NULL, 0, &e), -1);
	ck_assert_int_eq(e.code, ETIMEDOUT);
	spin(&b, 100 * NS_PER_MS);
	ck_assert_int_eq(node_processes(n, pids, 8, &e), 0);
	bench_close_with(&b, n);
}
END_TEST

START_TEST(orphans_are_reaped)
{
	struct bench b;
	TEST_NEEDS_ROOT();
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	(void)bench_ask(n, "for i in 1 2 3 4 5; do (sleep 0.1 &) ; done");
	ck_assert_str_eq(bench_ask(n, "sleep 0.4; set -- /proc/[0-9]*; echo $#"), "2");
	bench_close_with(&b, n);
}
END_TEST

START_TEST(an_exit_is_told_once_and_never_early)
{
	struct bench b;
	struct err e = { 0 };
	TEST_NEEDS_ROOT();
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	struct spawn_spec spec = { .argv = ARGV("true"), .out_fd = -1, .err_fd = -1 };
	for (int i = 0; i < 50; i++) {
		struct seen seen = { 0 };
		struct proc *p = NULL;
		MUST(node_spawn(n, &spec, on_exit_status, &seen, &p, &e));
		ck_assert_int_eq(seen.calls, 0);
		ck_assert_int_gt(proc_pid(p), 1);
		ck_assert_int_ge(proc_pidfd(p), 0);
		if (i % 2 == 0) { /* freed before it is told: never told */
			proc_free(p);
			spin(&b, 5 * NS_PER_MS);
			ck_assert_int_eq(seen.calls, 0);
			continue;
		}
		ck_assert_int_eq(loop_wait(b.loop, &seen.done, clock_now() + 5 * NS_PER_S, &e), 1);
		ck_assert_int_eq(seen.calls, 1);
		ck_assert(!proc_running(p));
		proc_free(p);
	}
	bench_close_with(&b, n);
}
END_TEST

START_TEST(a_stopped_loop_starts_nothing)
{
	struct bench b;
	struct err e = { 0 };
	struct proc *p = NULL;
	struct seen seen = { 0 };
	TEST_NEEDS_ROOT();
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	struct spawn_spec spec = { .argv = ARGV("touch", "/srv/ran"), .out_fd = -1, .err_fd = -1 };
	loop_stop(b.loop, "interrupted");
	ck_assert_int_eq(node_spawn(n, &spec, on_exit_status, &seen, &p, &e), -1);
	ck_assert_int_eq(e.code, ECANCELED);
	loop_resume(b.loop);
	err_clear(&e);
	ck_assert_str_eq(bench_ask(n, "ls /srv"), "");
	bench_close_with(&b, n);
}
END_TEST

static void stop_it(void *arg)
{
	loop_stop(arg, "interrupted");
}

START_TEST(a_start_that_is_given_up_is_killed)
{
	struct bench b;
	struct err e = { 0 };
	TEST_NEEDS_ROOT();
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	struct spawn_spec spec = { .argv = ARGV("sleep", "60"), .out_fd = -1, .err_fd = -1 };
	for (int i = 0; i < 20; i++) {
		struct seen seen = { 0 };
		struct loop_src *timer;
		struct proc *p = NULL;
		MUST(loop_add_timer(b.loop, 0, 0, stop_it, b.loop, &timer, &e));
		if (node_spawn(n, &spec, on_exit_status, &seen, &p, &e) == 0) /* it was faster */
			MUST(proc_signal(p, SIGKILL, &e));
		proc_free(p);
		loop_remove(timer);
		loop_resume(b.loop);
		err_clear(&e);
	}
	spin(&b, 50 * NS_PER_MS);
	pid_t pids[32];
	ck_assert_int_eq(node_processes(n, pids, 32, &e), 0);
	bench_close_with(&b, n);
}
END_TEST

START_TEST(who_is_who)
{
	struct bench b;
	struct err e = { 0 };
	struct seen seen = { 0 };
	struct proc *p = NULL, *late = NULL;
	pid_t pids[8];
	GUARD(mem) struct process *info = mem_alloc(sizeof(*info));
	TEST_NEEDS_ROOT();
	bench_open(&b);
	struct node *n = bench_node(&b, "web", NULL);
	(void)bench_ask(n, "cp /bin/busybox /srv/sleep");
	struct spawn_spec spec = { .argv = ARGV("sh", "-c", "sleep 60 & sleep 61 & wait"),
				   .out_fd = -1,
				   .err_fd = -1 };
	MUST(node_spawn(n, &spec, on_exit_status, &seen, &p, &e));
	spec.argv = ARGV("/srv/sleep", "60");
	MUST(node_spawn(n, &spec, on_exit_status, &seen, &late, &e));
	spin(&b, 200 * NS_PER_MS);

	ck_assert_uint_eq(process_tree(n, proc_pid(p), pids, 8), 3);
	ck_assert_int_eq(pids[0], proc_pid(p));
	ck_assert_uint_eq(process_tree(n, proc_pid(p), pids, 2), 2);
	ck_assert_uint_eq(process_tree(n, getpid(), pids, 8), 0); /* not of this node */

	ck_assert(process_read(proc_pid(late), info));
	ck_assert_str_eq(info->exe, "/srv/sleep");
	ck_assert(!info->deleted);
	ck_assert_int_eq(info->state, 'S');
	ck_assert_int_eq(info->parent, node_init_pid(n));
	ck_assert_int_eq(process_oldest(n, "/srv/*", 0), proc_pid(late));
	ck_assert_int_eq(process_oldest(n, "/srv/*", proc_pid(late)), 0);
	ck_assert_int_eq(process_oldest(n, "/bin/**", 0), proc_pid(p));
	ck_assert_int_eq(process_oldest(n, "/nothing", 0), 0);
	(void)bench_ask(n, "rm /srv/sleep");
	ck_assert(process_read(proc_pid(late), info));
	ck_assert_str_eq(info->exe, "/srv/sleep");
	ck_assert(info->deleted);

	ck_assert_int_eq(process_signal(proc_pid(late), info->start + 1, SIGKILL, &e), -1);
	ck_assert_int_eq(e.code, ESRCH);
	ck_assert(proc_running(late));
	err_clear(&e);
	MUST(process_signal(proc_pid(late), info->start, SIGTERM, &e));
	ck_assert_int_eq(loop_wait(b.loop, &seen.done, clock_now() + 5 * NS_PER_S, &e), 1);
	ck_assert_int_eq(seen.status, SIGTERM);
	ck_assert(!process_read(proc_pid(late), info));
	ck_assert_int_eq(proc_signal(late, SIGTERM, &e), -1);
	ck_assert_int_eq(e.code, ESRCH);
	MUST(proc_signal(p, SIGKILL, &(struct err){ 0 }));
	proc_free(late);
	proc_free(p);
	bench_close_with(&b, n);
}
END_TEST

Suite *suite_process(void);
Suite *suite_process(void)
{
	Suite *s = suite_create("process");
	TCase *t = tcase_create("process");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, the_status_is_the_programs_own);
	tcase_add_test(t, what_cannot_start_says_why);
	tcase_add_test(t, settings_reach_the_program);
	tcase_add_test(t, output_goes_where_it_should);
	tcase_add_test(t, a_run_that_takes_too_long_is_killed);
	tcase_add_test(t, orphans_are_reaped);
	tcase_add_test(t, an_exit_is_told_once_and_never_early);
	tcase_add_test(t, a_stopped_loop_starts_nothing);
	tcase_add_test(t, a_start_that_is_given_up_is_killed);
	tcase_add_test(t, who_is_who);
	suite_add_tcase(s, t);
	return s;
}
