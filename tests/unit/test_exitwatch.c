/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/exitwatch.h"
#include "tests/unit/lab.h"
#include "tests/unit/runner.h"

enum { SIGNALS_MAX = 8, PROC_MAX = 8192 };
static const int64_t PATIENCE = 10 * NS_PER_S;

struct watched {
	struct lab lab;
	struct proc *proc;
	struct exit_watch *watch;
	int signals[SIGNALS_MAX], signal_count;
	int exit_status;        /* as the watch saw it */
	bool seen_signal, gone; /* told by the watch */
	int proc_status;        /* as its real parent saw it */
	bool proc_gone;
	bool parent_was_first;
	int destroy_at; /* this signal destroys the watch in its callback */
};

static void on_watch(void *arg, pid_t pid, enum exit_what what, int value)
{
	struct watched *w = arg;
	ck_assert_int_eq(pid, proc_pid(w->proc));
	ck_assert_msg(!w->gone, "told something after the end");
	if (what == EXITWATCH_EXITED) {
		w->gone = true;
		w->exit_status = value;
		w->parent_was_first = w->proc_gone;
		return;
	}
	ck_assert_int_lt(w->signal_count, SIGNALS_MAX);
	w->signals[w->signal_count++] = value;
	w->seen_signal = true;
	if (value == w->destroy_at) {
		exit_watch_destroy(w->watch);
		w->watch = NULL;
	}
}

static void on_proc_exit(void *arg, int status)
{
	struct watched *w = arg;
	w->proc_gone = true;
	w->proc_status = status;
}

/* sh -c in the node. The script makes /tmp/ready when it may be watched or signalled. */
static void begin(struct watched *w, const char *script)
{
	struct err e = { 0 };
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	memset(w, 0, sizeof(*w));
	lab_begin(&w->lab, 1);
	MUST(node_spawn(w->lab.node[0], &spec, on_proc_exit, w, &w->proc, &e));
	int64_t deadline = clock_now() + PATIENCE;
	while (!lab_exists(&w->lab, 0, "/tmp/ready") && clock_now() < deadline)
		lab_run(&w->lab, NULL, NS_PER_MS);
	MUST(exit_watch_create(&w->watch, w->lab.loop, proc_pid(w->proc), on_watch, w, &e));
}

static void end(struct watched *w)
{
	exit_watch_destroy(w->watch);
	proc_free(w->proc);
	lab_end(&w->lab);
}

static void status_file(pid_t pid, struct buf *ret)
{
	struct err e = { 0 };
	GUARD(mem) char *path = mem_printf("/proc/%d/status", (int)pid);
	MUST(io_read_file(AT_FDCWD, path, PROC_MAX, ret, &e));
}

static bool status_says(pid_t pid, const char *line)
{
	GUARD_BUF struct buf text = { 0 };
	status_file(pid, &text);
	return strstr(buf_str(&text), line) != NULL;
}

static void wait_until(struct watched *w, const char *line)
{
	int64_t deadline = clock_now() + PATIENCE;
	while (!status_says(proc_pid(w->proc), line)) {
		ck_assert_msg(clock_now() < deadline, "never '%s'", line);
		lab_run(&w->lab, NULL, NS_PER_MS);
	}
}

#define WAIT_LOOP ": > /tmp/ready; while [ ! -e /tmp/go ]; do sleep 0.01; done; "

static const struct {
	const char *script;
	int sends[3]; /* signals, 0-terminated */
	int told[3];  /* signals that the watch tells, 0-terminated; SIGCHLD is left out */
	int code, killed_by;
} cases[] = {
	{ WAIT_LOOP "exit 7", { 0 }, { 0 }, 7, 0 },
	{ WAIT_LOOP "exit 0", { 0 }, { 0 }, 0, 0 },
	{ WAIT_LOOP "exit 0", { SIGTERM }, { SIGTERM }, 0, SIGTERM },
	{ WAIT_LOOP "exit 0", { SIGKILL }, { 0 }, 0, SIGKILL },
	{ WAIT_LOOP "exit 0", { SIGABRT }, { SIGABRT }, 0, SIGABRT },
	{ "trap 'exit 3' USR1; " WAIT_LOOP, { SIGUSR1 }, { SIGUSR1 }, 3, 0 },
	{ "trap '' USR1; " WAIT_LOOP "exit 4", { SIGUSR1 }, { SIGUSR1 }, 4, 0 },
	{ WAIT_LOOP "exec /bin/sh -c 'exit 5'", { 0 }, { 0 }, 5, 0 },
	{ WAIT_LOOP "kill -9 $$", { 0 }, { 0 }, 0, SIGKILL },
};

START_TEST(ends_and_signals_are_exact)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct watched w;
	int told[SIGNALS_MAX] = { 0 }, count = 0;
	begin(&w, cases[_i].script);
	for (int i = 0; cases[_i].sends[i] != 0; i++) {
		MUST(proc_signal(w.proc, cases[_i].sends[i], &e));
		lab_run(&w.lab, NULL, 20 * NS_PER_MS);
	}
	lab_write(&w.lab, 0, "/tmp/go", "");
	lab_run(&w.lab, &w.gone, PATIENCE);
	lab_run(&w.lab, &w.proc_gone, PATIENCE);
	ck_assert(!w.parent_was_first);
	ck_assert_int_eq(w.exit_status, w.proc_status);
	if (cases[_i].killed_by != 0)
		ck_assert(WIFSIGNALED(w.exit_status) &&
			  WTERMSIG(w.exit_status) == cases[_i].killed_by);
	else
		ck_assert(WIFEXITED(w.exit_status) && WEXITSTATUS(w.exit_status) == cases[_i].code);
	for (int i = 0; i < w.signal_count; i++)
		if (w.signals[i] != SIGCHLD)
			told[count++] = w.signals[i];
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(told[i], cases[_i].told[i]);
	end(&w);
}
END_TEST

/* A traced process must stop and go on as one that nobody traces. */
START_TEST(job_control_works_under_the_watch)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct watched w;
	begin(&w, WAIT_LOOP "exit 6");
	MUST(proc_signal(w.proc, SIGSTOP, &e));
	wait_until(&w, "State:\tt");
	lab_write(&w.lab, 0, "/tmp/go", "");
	lab_run(&w.lab, NULL, 100 * NS_PER_MS);
	ck_assert_msg(!w.gone, "a stopped process went on");
	MUST(proc_signal(w.proc, SIGCONT, &e));
	lab_run(&w.lab, &w.gone, PATIENCE);
	ck_assert_int_eq(WEXITSTATUS(w.exit_status), 6);
	end(&w);
}
END_TEST

START_TEST(destroy_lets_a_running_one_go)
{
	TEST_NEEDS_ROOT();
	struct watched w;
	begin(&w, WAIT_LOOP "exit 8");
	ck_assert(!status_says(proc_pid(w.proc), "TracerPid:\t0\n"));
	exit_watch_destroy(w.watch);
	w.watch = NULL;
	ck_assert(status_says(proc_pid(w.proc), "TracerPid:\t0\n"));
	ck_assert(!status_says(proc_pid(w.proc), "State:\tT"));
	lab_write(&w.lab, 0, "/tmp/go", "");
	lab_run(&w.lab, &w.proc_gone, PATIENCE);
	ck_assert_int_eq(WEXITSTATUS(w.proc_status), 8);
	ck_assert(!w.gone);
	end(&w);
}
END_TEST

START_TEST(destroy_keeps_a_stopped_one_stopped)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct watched w;
	begin(&w, WAIT_LOOP "exit 9");
	MUST(proc_signal(w.proc, SIGSTOP, &e));
	wait_until(&w, "State:\tt");
	lab_run(&w.lab, NULL, 20 * NS_PER_MS);
	exit_watch_destroy(w.watch);
	w.watch = NULL;
	wait_until(&w, "State:\tT");
	ck_assert(status_says(proc_pid(w.proc), "TracerPid:\t0\n"));
	MUST(proc_signal(w.proc, SIGCONT, &e));
	lab_write(&w.lab, 0, "/tmp/go", "");
	lab_run(&w.lab, &w.proc_gone, PATIENCE);
	ck_assert_int_eq(WEXITSTATUS(w.proc_status), 9);
	end(&w);
}
END_TEST

/* A signal that arrives at the same moment as the destroying must not be lost. */
START_TEST(destroy_passes_a_pending_signal_on)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct watched w;
	begin(&w, WAIT_LOOP "exit 1");
	MUST(proc_signal(w.proc, SIGTERM, &e)); /* the loop does not turn: it waits for us */
	exit_watch_destroy(w.watch);
	w.watch = NULL;
	lab_run(&w.lab, &w.proc_gone, PATIENCE);
	ck_assert(WIFSIGNALED(w.proc_status) && WTERMSIG(w.proc_status) == SIGTERM);
	end(&w);
}
END_TEST

START_TEST(destroy_inside_its_callback)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct watched w;
	begin(&w, "trap 'exit 3' USR1; " WAIT_LOOP "exit 1");
	w.destroy_at = SIGUSR1;
	MUST(proc_signal(w.proc, SIGUSR1, &e));
	lab_run(&w.lab, &w.seen_signal, PATIENCE);
	lab_run(&w.lab, &w.proc_gone, PATIENCE);
	ck_assert_int_eq(WEXITSTATUS(w.proc_status), 3);
	ck_assert(!w.gone);
	end(&w);
}
END_TEST

START_TEST(one_that_is_traced_is_refused)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct watched w;
	struct exit_watch *second;
	begin(&w, WAIT_LOOP "exit 0");
	ck_assert_int_lt(exit_watch_create(&second, w.lab.loop, proc_pid(w.proc), on_watch, &w, &e),
			 0);
	ck_assert_int_eq(e.code, EPERM);
	ck_assert_ptr_nonnull(strstr(e.why, "trace"));
	lab_write(&w.lab, 0, "/tmp/go", "");
	lab_run(&w.lab, &w.gone, PATIENCE);
	end(&w);
}
END_TEST

Suite *suite_exitwatch(void);
Suite *suite_exitwatch(void)
{
	Suite *s = suite_create("exitwatch");
	TCase *t = tcase_create("exitwatch");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, ends_and_signals_are_exact, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, job_control_works_under_the_watch);
	tcase_add_test(t, destroy_lets_a_running_one_go);
	tcase_add_test(t, destroy_keeps_a_stopped_one_stopped);
	tcase_add_test(t, destroy_passes_a_pending_signal_on);
	tcase_add_test(t, destroy_inside_its_callback);
	tcase_add_test(t, one_that_is_traced_is_refused);
	suite_add_tcase(s, t);
	return s;
}
