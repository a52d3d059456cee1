/* SPDX-License-Identifier: MIT */
/* Held calls of real programs in real nodes: what is told, and what each answer leads to. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/callwatch.h"
#include "harness/sandbox/exitwatch.h"
#include "harness/sandbox/process.h"
#include "tests/unit/lab.h"
#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"

enum { KILLS = 200 };
static const int64_t PATIENCE = 20 * NS_PER_S;

struct world {
	struct lab lab;
	struct filter *filter;
	struct call_watch *watch;
	struct proc *proc;
	bool ended;
	int status;
	struct buf told; /* one call a line */
	unsigned count;
	/* What the callback does. */
	int signo;        /* to the caller */
	bool traced;      /* it is seized before */
	bool one;         /* only at the first call */
	const char *only; /* only calls on this path */
	struct exit_watch *exits;
	struct call_answer *answer;
};

static void on_exit_of(void *arg, pid_t pid, enum exit_what what, int value)
{
	(void)arg;
	(void)pid;
	(void)what;
	(void)value;
}

static bool on_call(void *arg, struct call_stop *c)
{
	struct world *w = arg;
	char text[512];
	struct err e = { 0 };
	call_stop_text(c, text, sizeof(text));
	buf_printf(&w->told, "%s %s\n", text, call_stop_program(c));
	w->count++;
	if (w->one && w->count > 1)
		return false;
	const char *path = call_stop_path(c, 0);
	if (w->only != NULL && (path == NULL || strcmp(path, w->only) != 0))
		return false;
	if (w->answer != NULL)
		call_stop_answer(c, w->answer);
	if (w->traced)
		MUST(exit_watch_create(&w->exits, w->lab.loop, call_stop_pid(c), on_exit_of, w,
				       &e));
	if (w->signo != 0)
		ck_assert_int_eq(kill(call_stop_pid(c), w->signo), 0);
	return w->signo != 0;
}

static void begin(struct world *w, enum call_family family)
{
	struct err e = { 0 };
	memset(w, 0, sizeof(*w));
	lab_begin(&w->lab, 1);
	MUST(filter_create(&w->filter, family, &e));
	w->watch = call_watch_create(w->lab.loop, on_call, w);
}

static void on_end(void *arg, int status)
{
	struct world *w = arg;
	w->status = status;
	w->ended = true;
}

static void start(struct world *w, const char *script, const char *user)
{
	struct err e = { 0 };
	bool killable;
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	struct spawn_spec spec = {
		.argv = argv, .out_fd = -1, .err_fd = -1, .user = user, .filter = w->filter
	};
	w->ended = false;
	MUST(node_spawn(w->lab.node[0], &spec, on_end, w, &w->proc, &e));
	int listener = proc_take_listener(w->proc, &killable);
	ck_assert_int_ge(listener, 0);
	MUST(call_watch_add(w->watch, listener, &e));
	ck_assert_int_eq(proc_take_listener(w->proc, &killable), -1);
}

static int run(struct world *w, const char *script)
{
	start(w, script, NULL);
	lab_run(&w->lab, &w->ended, PATIENCE);
	proc_free(w->proc);
	return w->status;
}

static void end(struct world *w)
{
	exit_watch_destroy(w->exits);
	call_watch_destroy(w->watch);
	call_watch_destroy(NULL);
	filter_destroy(w->filter);
	buf_free(&w->told);
	lab_end(&w->lab);
}

/* ---- what is told ---- */

static const struct {
	enum call_family family;
	const char *script, *told;
} cases[] = {
	{ CALL_MKDIR, "/bin/mkdir /srv/a; cd /srv; /bin/mkdir a/b ./a/../c; :",
	  "mkdir(/srv/a) /bin/mkdir\nmkdir(/srv/a/b) /bin/mkdir\nmkdir(/srv/c) /bin/mkdir\n" },
	{ CALL_RENAME, "cd /srv; /bin/touch a; /bin/mv a b; /bin/mv /srv/b /tmp/c; :",
	  "rename(/srv/a, /srv/b) /bin/mv\nrename(/srv/b, /tmp/c) /bin/mv\n" },
	{ CALL_SYMLINK, "/bin/ln -s ../else /srv/l; :", "symlink(/srv/l) /bin/ln\n" },
	{ CALL_LINK, "> /srv/a; /bin/ln /srv/a /srv/b; :", "link(/srv/a, /srv/b) /bin/ln\n" },
	{ CALL_RMDIR, "/bin/mkdir /srv/a; /bin/rmdir /srv/a; /bin/rm -rf /srv/none; :",
	  "rmdir(/srv/a) /bin/rmdir\n" },
	{ CALL_OPEN, "echo x > /srv/a; read x < /srv/a; echo y >> /srv/a; :",
	  "openat(/srv/a) /bin/sh\nopenat(/srv/a) /bin/sh\n" },
	{ CALL_WRITE, "echo lost; echo x > /dev/null; echo x | /bin/cat > /srv/a; :",
	  "write(/srv/a) /bin/cat\n" },
	{ CALL_SETHOSTNAME, "/bin/hostname other; :", "sethostname() /bin/hostname\n" },
	{ CALL_MKDIR,
	  "/bin/mkdir -p /srv/j/bin; /bin/cp /bin/busybox /srv/j/bin/mkdir;"
	  "/bin/chroot /srv/j /bin/mkdir /x; :",
	  "mkdir(/) /bin/mkdir\nmkdir(/srv) /bin/mkdir\nmkdir(/srv/j) /bin/mkdir\n"
	  "mkdir(/srv/j/bin) /bin/mkdir\n"
	  "mkdir(/srv/j/x) /srv/j/bin/mkdir\n" },
	{ CALL_MKDIR, "/bin/unshare -m /bin/mkdir /srv/u; :", "mkdir(/srv/u) /bin/mkdir\n" },
	{ CALL_TRUNCATE, "/bin/truncate -s 10 /srv/t; :", "ftruncate(/srv/t) /bin/truncate\n" },
	{ CALL_MKDIR, "/bin/mkdir /srv/none/x 2>&-; /bin/mkdir /srv/x; :",
	  "mkdir(/srv/none/x) /bin/mkdir\nmkdir(/srv/x) /bin/mkdir\n" },
};

START_TEST(tells_calls_before_they_act)
{
	TEST_NEEDS_ROOT();
	struct world w;
	begin(&w, cases[_i].family);
	ck_assert_int_eq(run(&w, cases[_i].script), 0);
	ck_assert_str_eq(buf_str(&w.told), cases[_i].told);
	end(&w);
}
END_TEST

/* A user other than root has the filter as well. */
START_TEST(for_any_user)
{
	TEST_NEEDS_ROOT();
	struct world w;
	begin(&w, CALL_MKDIR);
	ck_assert_int_eq(lab_sh(&w.lab, 0, "chmod 777 /srv", NULL), 0);
	start(&w, "/bin/mkdir /srv/x", "nobody");
	lab_run(&w.lab, &w.ended, PATIENCE);
	proc_free(w.proc);
	ck_assert_int_eq(w.status, 0);
	ck_assert_str_eq(buf_str(&w.told), "mkdir(/srv/x) /bin/mkdir\n");
	ck_assert(lab_exists(&w.lab, 0, "/srv/x"));
	end(&w);
}
END_TEST

/* The words about a failed start come through although writes are held. */
START_TEST(a_failed_start_is_told)
{
	TEST_NEEDS_ROOT();
	struct world w;
	struct err e = { 0 };
	const char *const argv[] = { "/bin/absent", NULL };
	begin(&w, CALL_WRITE);
	struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1, .filter = w.filter };
	ck_assert_int_lt(node_spawn(w.lab.node[0], &spec, on_end, &w, &w.proc, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.why, "no such program: /bin/absent"));
	end(&w);
}
END_TEST

/* ---- answers ---- */

struct answers {
	unsigned delivered, lost;
	int64_t held;
};

static void on_answered(void *arg, bool delivered, int64_t held)
{
	struct answers *a = arg;
	a->delivered += delivered;
	a->lost += !delivered;
	a->held = held;
}

START_TEST(fails_with_the_errno)
{
	TEST_NEEDS_ROOT();
	struct world w;
	struct answers seen = { 0 };
	struct call_answer answer = { .error = ENOSPC, .answered = on_answered, .arg = &seen };
	begin(&w, CALL_MKDIR);
	w.answer = &answer;
	w.only = "/srv/b";
	ck_assert_int_eq(run(&w,
			     "/bin/mkdir /srv/a || exit 9; /bin/mkdir /srv/b 2> /srv/why && exit 8;"
			     "/bin/mkdir /srv/c && grep -q 'No space left' /srv/why"),
			 0);
	ck_assert(!lab_exists(&w.lab, 0, "/srv/b"));
	ck_assert_uint_eq(seen.delivered, 1);
	ck_assert_uint_eq(seen.lost, 0);
	call_answer_end(&answer);
	ck_assert_int_eq(run(&w, "/bin/mkdir /srv/b"), 0);
	ck_assert_uint_eq(seen.delivered, 1);
	end(&w);
}
END_TEST

START_TEST(goes_on_later)
{
	TEST_NEEDS_ROOT();
	struct world w;
	struct answers seen = { 0 };
	struct call_answer answer = { .delay = 200 * NS_PER_MS,
				      .answered = on_answered,
				      .arg = &seen };
	begin(&w, CALL_MKDIR);
	w.answer = &answer;
	start(&w, "/bin/mkdir /srv/a; exit 3", NULL);
	while (w.count == 0)
		lab_run(&w.lab, NULL, NS_PER_MS);
	ck_assert_uint_eq(answer.waiting, 1);
	ck_assert(!lab_exists(&w.lab, 0, "/srv/a"));
	lab_run(&w.lab, &w.ended, PATIENCE);
	ck_assert_int_eq(WEXITSTATUS(w.status), 3);
	ck_assert(lab_exists(&w.lab, 0, "/srv/a"));
	ck_assert_uint_eq(seen.delivered, 1);
	ck_assert_int_ge(seen.held, answer.delay);
	proc_free(w.proc);
	end(&w);
}
END_TEST

/* Held for an hour; ended, its caller killed, or the watch gone: nobody waits for the hour. */
enum { END_ANSWER, KILL_CALLER, DESTROY_WATCH };
START_TEST(a_long_delay_can_end)
{
	TEST_NEEDS_ROOT();
	struct world w;
	struct err e = { 0 };
	struct answers seen = { 0 };
	struct call_answer answer = { .delay = 3600 * NS_PER_S,
				      .answered = on_answered,
				      .arg = &seen };
	begin(&w, CALL_MKDIR);
	w.answer = &answer;
	start(&w, "exec /bin/mkdir /srv/a", NULL);
	while (w.count == 0)
		lab_run(&w.lab, NULL, NS_PER_MS);
	if (_i == KILL_CALLER)
		MUST(proc_signal(w.proc, SIGKILL, &e));
	if (_i == DESTROY_WATCH) {
		call_watch_destroy(w.watch);
		w.watch = NULL;
	}
	if (_i != DESTROY_WATCH)
		call_answer_end(&answer);
	ck_assert_uint_eq(answer.waiting, 0);
	lab_run(&w.lab, &w.ended, PATIENCE);
	ck_assert_int_eq(w.status, _i == KILL_CALLER ? SIGKILL : 0);
	ck_assert(lab_exists(&w.lab, 0, "/srv/a") == (_i != KILL_CALLER));
	proc_free(w.proc);
	end(&w);
}
END_TEST

/* The law: a call whose caller was killed does not happen. */
START_TEST(killed_callers_never_act)
{
	TEST_NEEDS_ROOT();
	struct world w;
	char script[160];
	GUARD_BUF struct buf out = { 0 };
	begin(&w, CALL_MKDIR);
	w.signo = _i == 0 ? SIGKILL : SIGTERM;
	(void)snprintf(
		script, sizeof(script),
		"i=0; while [ $i -lt %d ]; do /bin/mkdir /srv/d$i; i=$((i+1)); done; :", KILLS);
	ck_assert_int_eq(run(&w, script), 0);
	ck_assert_uint_eq(w.count, KILLS);
	ck_assert_int_eq(lab_sh(&w.lab, 0, "ls /srv | wc -l", &out), 0);
	ck_assert_str_eq(buf_str(&out), "0\n");
	end(&w);
}
END_TEST

/* Watched for its end by ptrace, a deadly signal other than KILL stays pending until the caller
 * leaves the kernel; and one with a handler runs it and makes the call anew. */
static const struct {
	const char *script;
	bool traced;
	int signo, status;
	bool acted;
} signals[] = {
	{ "exec /bin/mkdir /srv/a", true, SIGKILL, SIGKILL, false },
	{ "exec /bin/mkdir /srv/a", true, SIGTERM, SIGTERM, false },
	{ "trap 'x=1' TERM; > /srv/a; [ \"$x\" = 1 ]", false, SIGTERM, 0, true },
	{ "trap 'x=1' TERM; > /srv/a; [ \"$x\" = 1 ]", true, SIGTERM, 0, true },
	{ "trap '' TERM; > /srv/a", false, SIGTERM, 0, true },
	{ "trap '' TERM; > /srv/a", true, SIGTERM, 0, true },
};

START_TEST(signals_come_before_the_call)
{
	TEST_NEEDS_ROOT();
	struct world w;
	begin(&w, strstr(signals[_i].script, "mkdir") != NULL ? CALL_MKDIR : CALL_OPEN);
	w.one = true;
	w.traced = signals[_i].traced;
	w.signo = signals[_i].signo;
	int status = run(&w, signals[_i].script);
	ck_assert_msg(status == signals[_i].status, "status %#x", (unsigned)status);
	ck_assert(lab_exists(&w.lab, 0, "/srv/a") == signals[_i].acted);
	end(&w);
}
END_TEST

/* ---- lives ---- */

/* A program that outlives its step goes on untold, and is served to its end. */
START_TEST(untold_is_served)
{
	TEST_NEEDS_ROOT();
	struct world w;
	begin(&w, CALL_MKDIR);
	ck_assert_int_eq(run(&w, "(while [ ! -e /tmp/go ]; do sleep 0.01; done;"
				 " /bin/mkdir /srv/late; > /tmp/done) & /bin/mkdir /srv/early"),
			 0);
	ck_assert_uint_eq(w.count, 1);
	call_watch_tell(w.watch, false);
	ck_assert_int_eq(lab_sh(&w.lab, 0, "> /tmp/go", NULL), 0);
	for (int i = 0; i < 1000 && !lab_exists(&w.lab, 0, "/tmp/done"); i++)
		lab_run(&w.lab, NULL, 10 * NS_PER_MS);
	ck_assert(lab_exists(&w.lab, 0, "/srv/late"));
	ck_assert_uint_eq(w.count, 1);
	end(&w);
}
END_TEST

/* The harness dies by SIGKILL in mid-work: what it watched must not run on, with or without its
 * calls failing. */
START_TEST(dies_with_its_supervisor)
{
	TEST_NEEDS_ROOT();
	int pair[2];
	pid_t worker = 0;
	ck_assert_int_eq(pipe(pair), 0);
	pid_t harness = fork();
	if (harness == 0) {
		struct world w;
		begin(&w, CALL_MKDIR);
		start(&w, "while :; do /bin/mkdir /srv/a; /bin/rmdir /srv/a; done", NULL);
		while (w.count < 20)
			lab_run(&w.lab, NULL, NS_PER_MS);
		pid_t pid = proc_pid(w.proc);
		(void)!write(pair[1], &pid, sizeof(pid));
		lab_run(&w.lab, NULL, PATIENCE);
		_exit(1);
	}
	ck_assert_int_eq(read(pair[0], &worker, sizeof(worker)), (ssize_t)sizeof(worker));
	ck_assert_int_eq(kill(worker, 0), 0);
	ck_assert_int_eq(kill(harness, SIGKILL), 0);
	ck_assert_int_eq(waitpid(harness, NULL, 0), harness);
	ck_assert(bench_gone(worker));
}
END_TEST

Suite *suite_callwatch(void);
Suite *suite_callwatch(void)
{
	Suite *s = suite_create("callwatch");
	TCase *t = tcase_create("callwatch");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, tells_calls_before_they_act, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, for_any_user);
	tcase_add_test(t, a_failed_start_is_told);
	tcase_add_test(t, fails_with_the_errno);
	tcase_add_test(t, goes_on_later);
	tcase_add_loop_test(t, a_long_delay_can_end, 0, 3);
	tcase_add_loop_test(t, killed_callers_never_act, 0, 2);
	tcase_add_loop_test(t, signals_come_before_the_call, 0,
			    sizeof(signals) / sizeof(signals[0]));
	tcase_add_test(t, untold_is_served);
	tcase_add_test(t, dies_with_its_supervisor);
	suite_add_tcase(s, t);
	return s;
}
