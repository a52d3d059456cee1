/* SPDX-License-Identifier: MIT */
/* Points of real scripts in real nodes: the keys, and that they are the same in every run. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/pointwatch.h"
#include "harness/sandbox/process.h"
#include "tests/unit/lab.h"
#include "tests/unit/runner.h"

enum { KEYS_MAX = 2000, TREE_MAX = 64, RUNS = 5 };
static const int64_t PATIENCE = 60 * NS_PER_S;

struct world {
	struct lab lab;
	struct point_watch *watch;
	char *keys[KEYS_MAX]; /* of the last step */
	size_t count;
	struct buf details;
	bool ended;
	int status;
	/* What the callback does. */
	const char *kill_at; /* SIGKILL to the whole tree, at this key */
	const char *term_at; /* SIGTERM to the caller alone */
	bool waits;          /* runs the loop meanwhile */
	bool asks;           /* runs a program apart meanwhile */
};

static bool on_point(void *arg, const struct point_event *ev)
{
	struct world *w = arg;
	ck_assert((ev->call != NULL) == (ev->program == NULL));
	ck_assert_int_gt(ev->pid, 0);
	ck_assert_uint_lt(w->count, KEYS_MAX);
	w->keys[w->count++] = mem_strdup(ev->key);
	buf_printf(&w->details, "%s\n", ev->detail);
	if (w->waits)
		lab_run(&w->lab, NULL, 3 * NS_PER_MS);
	if (w->asks)
		ck_assert_int_eq(lab_sh(&w->lab, 0, "/bin/mkdir -p /tmp/apart", NULL), 0);
	if (w->term_at != NULL && strcmp(ev->key, w->term_at) == 0) {
		ck_assert_int_eq(kill(ev->pid, SIGTERM), 0);
		return true;
	}
	if (w->kill_at == NULL || strcmp(ev->key, w->kill_at) != 0)
		return false;
	pid_t pids[TREE_MAX];
	pid_t root = node_spawned_pid(w->lab.node[0], ev->pid);
	size_t n = process_tree(w->lab.node[0], root, pids, TREE_MAX);
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(kill(pids[i], SIGKILL), 0);
	return true;
}

static void forget(struct world *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->keys[i]);
	w->count = 0;
	buf_clear(&w->details);
}

static void begin(struct world *w, unsigned kinds)
{
	struct err e = { 0 };
	memset(w, 0, sizeof(*w));
	lab_begin(&w->lab, 1);
	MUST(point_watch_create(&w->watch, w->lab.loop, w->lab.node[0], kinds, on_point, w, &e));
	ck_assert_ptr_null(point_watch_filter(w->watch)); /* no step */
}

static void end(struct world *w)
{
	point_watch_destroy(w->watch);
	point_watch_destroy(NULL);
	forget(w);
	buf_free(&w->details);
	lab_end(&w->lab);
}

static void on_end(void *arg, int status)
{
	struct world *w = arg;
	w->status = status;
	w->ended = true;
}

static int step(struct world *w, const char *script)
{
	struct err e = { 0 };
	struct proc *p;
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	forget(w);
	w->ended = false;
	MUST(point_watch_enter(w->watch, &e));
	struct spawn_spec spec = {
		.argv = argv, .out_fd = -1, .err_fd = -1, .filter = point_watch_filter(w->watch)
	};
	MUST(node_spawn(w->lab.node[0], &spec, on_end, w, &p, &e));
	MUST(point_watch_started(w->watch, p, &e));
	lab_run(&w->lab, &w->ended, PATIENCE);
	point_watch_leave(w->watch);
	proc_free(p);
	return w->status;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One key a line. */
static char *all(struct world *w, bool sorted)
{
	struct buf b = { 0 };
	if (sorted)
		qsort(w->keys, w->count, sizeof(w->keys[0]), by_text);
	for (size_t i = 0; i < w->count; i++)
		buf_printf(&b, "%s\n", w->keys[i]);
	return b.len > 0 ? buf_take(&b) : mem_strdup("");
}

/* ---- which ---- */

#define BOTH (POINTS_CALLS | POINTS_PROGRAMS)

static const struct {
	const char *script;
	unsigned kinds;
	const char *keys;
} cases[] = {
	{ "/bin/mkdir /srv/a; cd /srv; > a/f; /bin/mv a/f a/../b; echo x >> b; :", BOTH,
	  "start /bin/sh, in -, #1\n"
	  "start /bin/mkdir, in sh>sh, #1\n"
	  "mkdir /srv/a, in sh>mkdir, #1\n"
	  "openat /srv/a/f, in sh, #1\n"
	  "start /bin/mv, in sh>sh, #1\n"
	  "rename /srv/a/f /srv/b, in sh>mv, #1\n"
	  "openat /srv/b, in sh, #1\n"
	  "write /srv/b, in sh, #1\n" },
	{ "/bin/mkdir /srv/a; /bin/rmdir /srv/a; /bin/mkdir /srv/a; :", POINTS_CALLS,
	  "mkdir /srv/a, in sh>mkdir, #1\n"
	  "rmdir /srv/a, in sh>rmdir, #1\n"
	  "mkdir /srv/a, in sh>mkdir, #2\n" },
	{ "/bin/mkdir /srv/a; /bin/mkdir /srv/b; exec /bin/true", POINTS_PROGRAMS,
	  "start /bin/sh, in -, #1\n"
	  "start /bin/mkdir, in sh>sh, #1\n"
	  "start /bin/mkdir, in sh>sh, #2\n"
	  "start /bin/true, in sh, #1\n" },
	/* What fails, and what changes nothing; not what goes into a pipe. */
	{ "/bin/rmdir /srv/none 2>&1 | /bin/cat; /bin/mkdir /srv; > /dev/null; echo lost; :",
	  POINTS_CALLS,
	  "rmdir /srv/none, in sh>rmdir, #1\nmkdir /srv, in sh>mkdir, #1\n"
	  "openat /dev/null, in sh, #1\n" },
	/* The same by two is counted apart; and the step that is its own program. */
	{ "/bin/sh -c '/bin/mkdir /srv/a; :'; /bin/mkdir /srv/a; exec /bin/mkdir /srv/a",
	  POINTS_CALLS,
	  "mkdir /srv/a, in sh>sh>mkdir, #1\n"
	  "mkdir /srv/a, in sh>mkdir, #1\n"
	  "mkdir /srv/a, in mkdir, #1\n" },
};

START_TEST(tells_points_by_their_keys)
{
	TEST_NEEDS_ROOT();
	struct world w;
	begin(&w, cases[_i].kinds);
	for (int run = 0; run < 2; run++) {
		(void)step(&w, cases[_i].script);
		GUARD(mem) char *keys = all(&w, false);
		ck_assert_str_eq(keys, cases[_i].keys);
		ck_assert_int_eq(lab_sh(&w.lab, 0, "rm -rf /srv/*", NULL), 0);
	}
	end(&w);
}
END_TEST

/* Each run of the list has other pids, other drawn names and another order. */
static const struct {
	const char *script, *part; /* part: a key that must be among them */
	bool waits, asks;
} repeats[] = {
	/* Side by side: paths of their own, one path for all, programs, shells. */
	{ "for w in 1 2 3 4; do (for i in 1 2 3; do /bin/mkdir -p /srv/w$w/d$i; echo $w >> "
	  "/srv/log;"
	  " done; /bin/sh -c \"> /srv/all; /bin/mkdir -p /srv/x; :\") & done; wait",
	  "write /srv/log, in sh>sh, #12\n", false, false },
	{ "for w in 1 2 3; do (for i in 1 2; do /bin/mkdir -p /srv/w$w/d$i; done) & done; wait",
	  "start /bin/mkdir, in sh>sh>sh, #6\n", true, false },
	{ "for w in 1 2; do (/bin/mkdir -p /srv/w$w; :) & done; wait",
	  "start /bin/mkdir, in sh>sh>sh, #2\n", false, true },
	/* Their parents end before, behind, or at the same time. */
	{ "(/bin/mkdir /srv/a &); (/bin/sleep 0.05; /bin/mkdir /srv/b; > /tmp/b) &"
	  "( (/bin/mkdir /srv/c; > /tmp/c) & /bin/sleep 0.02);"
	  "while [ ! -e /tmp/b ] || [ ! -e /tmp/c ] || [ ! -e /srv/a ]; do :; done",
	  "mkdir /srv/a, in sh>sh>mkdir, #1\n", false, false },
	/* Its parent becomes another program meanwhile. */
	{ "/bin/sh -c '(/bin/mkdir /srv/a; > /tmp/a) & exec /bin/sleep 0.03';"
	  "while [ ! -e /tmp/a ]; do :; done",
	  "mkdir /srv/a, in sh>sh>sh>mkdir, #1\n", false, false },
	/* Names that are drawn, and numbers that are pids. */
	{ "d=$(/bin/mktemp -d); > $d/f; > $(/bin/mktemp /srv/conf.XXXXXXXXXX).new; > /srv/run.$$;"
	  "/bin/mkdir /srv/$$ /srv/p$$q /srv/v1.2.3; :",
	  "mkdir /srv/pPIDq, in sh>mkdir, #1\n", false, false },
	{ "> $(/bin/mktemp /srv/sedXXXXXX); echo $$ > /proc/self/comm; echo x > /proc/$$/comm; :",
	  "openat /srv/sed*, in sh, #1\n", false, false },
};

START_TEST(keys_repeat)
{
	TEST_NEEDS_ROOT();
	GUARD(mem) char *first = NULL;
	for (int run = 0; run < RUNS; run++) {
		struct world w;
		begin(&w, BOTH);
		w.waits = repeats[_i].waits;
		w.asks = repeats[_i].asks;
		/* Other pids. */
		for (int i = 0; i < run; i++)
			ck_assert_int_eq(lab_sh(&w.lab, 0, "/bin/true; :", NULL), 0);
		ck_assert_int_eq(step(&w, repeats[_i].script), 0);
		GUARD(mem) char *keys = all(&w, true);
		if (first == NULL)
			first = mem_strdup(keys);
		ck_assert_msg(strstr(keys, repeats[_i].part) != NULL, "%s", keys);
		ck_assert_msg(strcmp(keys, first) == 0, "run %d:\n%s\nfirst:\n%s", run, keys,
			      first);
		end(&w);
	}
}
END_TEST

/* Counts do not hang on what else is told. */
START_TEST(kinds_count_alike)
{
	TEST_NEEDS_ROOT();
	static const char script[] = "for i in 1 2 3; do /bin/mkdir -p /srv/a/b; > /srv/a/f; done;"
				     "(/bin/rmdir /srv/a/b &); /bin/sleep 0.05";
	GUARD_BUF struct buf parts = { 0 };
	struct world w;
	for (unsigned kinds = POINTS_CALLS; kinds <= POINTS_PROGRAMS; kinds++) {
		begin(&w, kinds);
		ck_assert_int_eq(step(&w, script), 0);
		GUARD(mem) char *keys = all(&w, true);
		buf_puts(&parts, keys);
		end(&w);
	}
	begin(&w, BOTH);
	ck_assert_int_eq(step(&w, script), 0);
	GUARD(mem) char *keys = all(&w, true);
	ck_assert_str_eq(keys, buf_str(&parts)); /* "start" sorts behind these calls */
	end(&w);
}
END_TEST

/* ---- held ---- */

#define RELEASE                                                                                    \
	"cd /srv; for f in a b; do echo new > $f.tmp; /bin/mv $f.tmp $f; done; /bin/rmdir none; :"

/* Killed at each point in turn: what was told before has happened, this has not, nor what
 * follows. */
START_TEST(holds_at_each_point)
{
	TEST_NEEDS_ROOT();
	struct world w;
	begin(&w, POINTS_CALLS);
	ck_assert_int_eq(step(&w, RELEASE), 0);
	size_t count = w.count;
	char *keys[16];
	ck_assert_uint_eq(count, 7);
	for (size_t i = 0; i < count; i++)
		keys[i] = mem_strdup(w.keys[i]);
	static const char *const left[] = { "",           "a.tmp:",       "a.tmp:new",
					    "a:new",      "a:new b.tmp:", "a:new b.tmp:new",
					    "a:new b:new" };
	for (size_t k = 0; k < count; k++) {
		GUARD_BUF struct buf out = { 0 };
		ck_assert_int_eq(lab_sh(&w.lab, 0, "rm -rf /srv/*", NULL), 0);
		w.kill_at = keys[k];
		ck_assert_int_eq(step(&w, RELEASE), SIGKILL);
		ck_assert_uint_eq(w.count, k + 1);
		ck_assert_int_eq(lab_sh(&w.lab, 0,
					"cd /srv; for f in *; do [ ! -e $f ] || "
					"echo -n \"$s$f:$(cat $f)\"; s=' '; done",
					&out),
				 0);
		ck_assert_str_eq(buf_str(&out), left[k]);
	}
	for (size_t i = 0; i < count; i++)
		free(keys[i]);
	end(&w);
}
END_TEST

/* A handler runs first, then the call is made anew; that is the same point. */
START_TEST(made_anew_is_told_once)
{
	TEST_NEEDS_ROOT();
	struct world w;
	begin(&w, POINTS_CALLS);
	w.term_at = "openat /srv/a, in sh, #1";
	ck_assert_int_eq(step(&w, "trap 'x=1' TERM; > /srv/a; > /srv/a; [ \"$x\" = 1 ]"), 0);
	GUARD(mem) char *keys = all(&w, false);
	ck_assert_str_eq(keys, "openat /srv/a, in sh, #1\nopenat /srv/a, in sh, #2\n");
	end(&w);
}
END_TEST

/* What outlives its step is no part of the next one, and is served. */
START_TEST(what_outlives_is_untold)
{
	TEST_NEEDS_ROOT();
	struct world w;
	begin(&w, BOTH);
	ck_assert_int_eq(step(&w, "(while [ ! -e /tmp/go ]; do :; done; /bin/mkdir /srv/late;"
				  " /bin/mkdir /srv/later) & :"),
			 0);
	ck_assert_int_eq(step(&w, "> /tmp/go; while [ ! -e /srv/later ]; do :; done"), 0);
	GUARD(mem) char *keys = all(&w, false);
	ck_assert_str_eq(keys, "start /bin/sh, in -, #1\nopenat /tmp/go, in sh, #1\n");
	end(&w);
}
END_TEST

START_TEST(can_be_told_no_more)
{
	TEST_NEEDS_ROOT();
	struct world w;
	struct err e = { 0 };
	begin(&w, BOTH);
	MUST(point_watch_enter(w.watch, &e));
	point_watch_tell(w.watch, false);
	ck_assert_int_eq(lab_step(&w.lab, 0, "/bin/mkdir /srv/a"), 0);
	ck_assert_uint_eq(w.count, 0);
	point_watch_leave(w.watch);
	end(&w);
}
END_TEST

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

Suite *suite_pointwatch(void);
Suite *suite_pointwatch(void)
{
	Suite *s = suite_create("pointwatch");
	TCase *t = tcase_create("pointwatch");
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, tells_points_by_their_keys, 0, COUNT(cases));
	tcase_add_loop_test(t, keys_repeat, 0, COUNT(repeats));
	tcase_add_test(t, kinds_count_alike);
	tcase_add_test(t, holds_at_each_point);
	tcase_add_test(t, made_anew_is_told_once);
	tcase_add_test(t, what_outlives_is_untold);
	tcase_add_test(t, can_be_told_no_more);
	suite_add_tcase(s, t);
	return s;
}
