/* SPDX-License-Identifier: MIT */
/* Sweeps that end early and go on, that are asked for what cannot be, and what they leave. */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "tests/drill/host_picture.h"
#include "tests/drill/sweep_try.h"
#include "tests/unit/runner.h"

#define PUSH     "tests/drill/scenarios/sweep-push.json"
#define UNPACK   "tests/drill/scenarios/sweep-unpack.json"
#define UNSTEADY "tests/drill/scenarios/sweep-unsteady.json"

enum {
	FILE_MAX = 16 << 20,
	SOME = 4,          /* drills that are there when a sweep is stopped */
	POLLS = 60 * 1000, /* of a millisecond, until they are */
	DONE_MAX = 256,
	MOMENTS = 4,
	SEED = 20261124,
};

/* A drill that has come to its end, and whether it is the same one later. */
struct done {
	char path[900];
	struct stat st;
};

static bool is_sealed(const char *journal)
{
	GUARD_BUF struct buf text = { 0 };
	struct err e = { 0 };
	return io_read_file(AT_FDCWD, journal, FILE_MAX, &text, &e) == 0 &&
	       strstr(buf_str(&text), "\"event\":\"sealed\"") != NULL &&
	       strstr(buf_str(&text), "\"event\":\"stopped\"") == NULL;
}

static size_t list_done(const char *run, struct done *ret)
{
	size_t n = 0;
	GUARD(mem) char *drills = mem_printf("%s/drills", run);
	GUARD(dir) DIR *d = opendir(drills);
	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL && n < DONE_MAX;) {
		(void)snprintf(ret[n].path, sizeof(ret[n].path), "%s/%.200s/journal.jsonl", drills,
			       de->d_name);
		if (de->d_name[0] != '.' && is_sealed(ret[n].path) &&
		    stat(ret[n].path, &ret[n].st) == 0)
			n++;
	}
	return n;
}

static void nap(void)
{
	struct timespec ms = { 0, NS_PER_MS };
	(void)nanosleep(&ms, NULL);
}

/* Stops a sweep when some of its drills are done; returns its exit code, or 128 and the signal. */
static int stop_in_the_middle(const struct sweep_room *room, int signo, char *dir, size_t len,
			      struct done *done, size_t *count)
{
	const char *const args[] = { UNPACK,   "--var", room->root,    "--rollback", "clean",
				     "--jobs", "2",     "--no-reduce", NULL };
	int status;
	pid_t pid = sweep_try_start(room, args);
	*count = 0;
	for (int i = 0; i < POLLS && *count < SOME; i++) {
		nap();
		sweep_room_last(room, dir, len);
		*count = list_done(dir, done);
	}
	(void)kill(pid, signo);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	host_settle();
	*count = list_done(dir, done);
	ck_assert_uint_ge(*count, SOME);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

START_TEST(goes_on)
{
	static const struct {
		int signo, exit;
	} rows[] = { { SIGKILL, 128 + SIGKILL }, { SIGINT, 130 } };
	TEST_NEEDS_ROOT();
	struct sweep_room room, other;
	struct sweep_try whole, resumed;
	char dir[700];
	size_t count;
	GUARD(mem) struct done *done = mem_array(DONE_MAX, sizeof(*done));
	sweep_room_set_up(&room);
	sweep_room_set_up(&other);
	int got = stop_in_the_middle(&room, rows[_i].signo, dir, sizeof(dir), done, &count);
	ck_assert_int_eq(got, rows[_i].exit);
	if (rows[_i].signo == SIGINT) {
		/* What it has by then reads as a sweep that was cut, with nothing aborted in it. */
		struct err e = { 0 };
		struct run *run;
		MUST(run_load(&run, dir, &e));
		const struct sweep *s = run_view(run)->sweep;
		ck_assert_ptr_nonnull(s);
		ck_assert(!s->complete);
		ck_assert_str_eq(s->cut, "interrupted");
		for (size_t i = 0; i < s->class_count; i++)
			ck_assert(s->classes[i].verdict == NULL ||
				  s->classes[i].verdict->outcome != OUTCOME_ABORTED);
		run_free(run);
	}
	SWEEP_TRY(&resumed, &room, "--resume", dir);
	sweep_is_complete(&resumed);
	ck_assert_str_eq(resumed.dir, dir);
	for (size_t i = 0; i < count; i++) {
		struct stat now;
		ck_assert_int_eq(stat(done[i].path, &now), 0);
		ck_assert_msg(now.st_ino == done[i].st.st_ino &&
				      now.st_mtim.tv_nsec == done[i].st.st_mtim.tv_nsec,
			      "%s was made again", done[i].path);
	}
	SWEEP_TRY(&whole, &other, UNPACK, "--var", other.root, "--rollback", "clean",
		  "--no-reduce");
	sweep_same(&resumed, &whole, "resumed, and never cut");
	sweep_try_free(&whole);
	sweep_try_free(&resumed);
}
END_TEST

START_TEST(budget)
{
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct sweep_try cut, rest;
	sweep_room_set_up(&room);
	SWEEP_TRY(&cut, &room, UNPACK, "--var", room.root, "--rollback", "clean", "--no-reduce",
		  "--no-branch", "--jobs", "1", "--budget", "700ms");
	struct sweep_counts n;
	sweep_count(cut.s, &n);
	ck_assert(!cut.s->complete);
	ck_assert_ptr_nonnull(strstr(cut.s->cut, "budget"));
	ck_assert_uint_ge(n.points, 1);
	ck_assert_uint_lt(n.points, cut.s->point_count);
	SWEEP_TRY(&rest, &room, "--resume", cut.dir);
	sweep_is_complete(&rest);
	sweep_try_free(&cut);
	sweep_try_free(&rest);
}
END_TEST

static int by_begin(const void *a, const void *b)
{
	const struct timespec *x = a, *y = b;
	int64_t d = (x->tv_sec - y->tv_sec) * NS_PER_S + x->tv_nsec - y->tv_nsec;
	return d < 0 ? -1 : d > 0;
}

/* With one job no drill begins before the one before it has written its last line. */
START_TEST(one_at_a_time)
{
	struct span {
		struct timespec begin, end; /* begin first: by_begin() */
	};
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct sweep_try t;
	size_t n = 0;
	sweep_room_set_up(&room);
	SWEEP_TRY(&t, &room, UNPACK, "--var", room.root, "--rollback", "clean", "--no-reduce",
		  "--jobs", "1");
	sweep_is_complete(&t);
	ck_assert_uint_gt(sweep_classes_how(&t, SWEEP_BRANCH), 1);
	GUARD(mem) struct span *spans = mem_array(t.s->class_count, sizeof(*spans));
	for (size_t i = 0; i < t.s->class_count; i++) {
		struct stat fault, journal;
		GUARD(mem)
		char *dir = mem_printf("%s/%s", t.dir, t.s->classes[i].label);
		GUARD(mem) char *first = mem_printf("%s/" FAULT_FILE, dir);
		GUARD(mem) char *last = mem_printf("%s/journal.jsonl", dir);
		ck_assert_int_eq(stat(first, &fault), 0);
		ck_assert_int_eq(stat(last, &journal), 0);
		spans[n++] = (struct span){ fault.st_mtim, journal.st_mtim };
	}
	qsort(spans, n, sizeof(*spans), by_begin);
	for (size_t i = 1; i < n; i++)
		ck_assert_msg(by_begin(&spans[i - 1].end, &spans[i].begin) <= 0,
			      "drills %zu and %zu ran at once", i - 1, i);
	sweep_try_free(&t);
}
END_TEST

START_TEST(shards)
{
	static const char *const names[] = { "1/3", "2/3", "3/3" };
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct sweep_try t[3];
	sweep_room_set_up(&room);
	for (size_t i = 0; i < 3; i++) {
		SWEEP_TRY(&t[i], &room, PUSH, "--var", room.root, "--shard", names[i]);
		ck_assert_ptr_nonnull(strstr(t[i].s->cut, "shard"));
		ck_assert_uint_eq(t[i].s->class_count, t[0].s->class_count);
	}
	for (size_t c = 0; c < t[0].s->class_count; c++) {
		unsigned by = 0;
		for (size_t i = 0; i < 3; i++)
			by += t[i].s->classes[c].verdict != NULL;
		ck_assert_msg(by == 1, "class %zu is drilled by %u shards", c, by);
	}
	for (size_t i = 0; i < 3; i++)
		sweep_try_free(&t[i]);
}
END_TEST

/* Before anything is run: 64, and what to write instead. */
START_TEST(wrong_usage)
{
	static const struct {
		const char *option, *value, *word;
	} rows[] = {
		{ "--strike", "nix", "errno:ENOSPC" }, { "--strike", "kill:9", "write kill" },
		{ "--points", "nix", "programs" },     { "--points", "steps", "step's edge" },
		{ "--in", "nix", "rollback" },         { "--jobs", "0", "number" },
		{ "--jobs", "2x", "number" },          { "--budget", "nix", "90s" },
		{ "--budget", "0s", "90s" },           { "--shard", "4/3", "I/N" },
	};
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct program p;
	sweep_room_set_up(&room);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		PROGRAM(&p, "sweep", PUSH, "--var", room.root, rows[i].option, rows[i].value,
			"--state", room.state, "--runs", room.runs);
		ck_assert_msg(p.exit == 64, "%s %s: exit %d", rows[i].option, rows[i].value,
			      p.exit);
		ck_assert_msg(strstr(buf_str(&p.err), rows[i].word) != NULL, "%s", buf_str(&p.err));
		program_free(&p);
	}
	ck_assert_int_lt(access(room.runs, F_OK), 0);
}
END_TEST

#define DRAWN                                                                                      \
	"do=mkdir /srv/x; echo a > /srv/x/f.$(od -An -N2 -tu2 /dev/urandom | tr -d ' '); "         \
	"echo b > /srv/x/g"
#define ASIDE                                                                                      \
	"do=mkdir /srv/x; for i in 1 2 3; do (echo a > /srv/x/f$i; mv /srv/x/f$i /srv/x/g$i) & "   \
	"done; wait"

/* Names that are drawn anew: unstable, named and drilled all the same. */
START_TEST(not_repeatable)
{
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct sweep_try t;
	size_t unstable = 0;
	sweep_room_set_up(&room);
	SWEEP_TRY(&t, &room, UNSTEADY, "--var", room.root, "--var", DRAWN, "--var",
		  "goal=test -e /srv/x/g");
	for (size_t i = 0; i < t.s->point_count; i++) {
		const struct sweep_point *p = &t.s->points[i];
		unstable += p->unstable;
		ck_assert_msg(t.s->classes[p->cls].verdict != NULL, "%s is dropped", p->key);
		ck_assert(!p->unstable || t.s->classes[p->cls].points == 1);
		ck_assert_msg(p->unstable == (strstr(p->key, "/srv/x/f.") != NULL), "%s", p->key);
	}
	ck_assert_uint_gt(unstable, 0);
	ck_assert_int_eq(t.exit, 2); /* not all of them come again */
	sweep_try_free(&t);
}
END_TEST

START_TEST(side_by_side)
{
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct sweep_try t;
	sweep_room_set_up(&room);
	SWEEP_TRY(&t, &room, UNSTEADY, "--var", room.root, "--var", ASIDE, "--var",
		  "goal=test -e /srv/x/g3");
	for (size_t i = 0; i < t.s->point_count; i++) {
		ck_assert_msg(!t.s->points[i].unstable, "%s", t.s->points[i].key);
		ck_assert_ptr_nonnull(t.s->classes[t.s->points[i].cls].verdict);
	}
	ck_assert_uint_eq(sweep_points_of(&t, OUTCOME_NOT_REACHED), 0);
	sweep_try_free(&t);
}
END_TEST

START_TEST(broken_workflows)
{
	static const char *const rows[] = { "do=while :; do sleep 1; done",
					    "do=f() { f | f & }; f; sleep 100" };
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct sweep_try t;
	sweep_room_set_up(&room);
	SWEEP_TRY(&t, &room, UNSTEADY, "--var", room.root, "--var", rows[_i]);
	ck_assert_int_eq(t.exit, 3);
	ck_assert_ptr_null(t.s);
	const struct json *control = json_first(json_get(json_root(t.report), "controls"));
	ck_assert_str_eq(json_get_string(control, "outcome", "?"), "broken");
	ck_assert_ptr_nonnull(
		strstr(json_get_string(control, "why", ""), "timed out after 3.00 s"));
	sweep_try_free(&t);
}
END_TEST

START_TEST(no_points)
{
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct program p;
	sweep_room_set_up(&room);
	/* No call of `true` changes anything, and its own start is none of its calls. */
	PROGRAM(&p, "sweep", UNSTEADY, "--var", room.root, "--var", "do=true", "--strike",
		"errno:EIO", "--state", room.state, "--runs", room.runs);
	ck_assert_msg(p.exit != 0 && p.exit != 70, "exit %d: %s", p.exit, buf_str(&p.err));
	program_free(&p);
}
END_TEST

/* With a limit of memory the copies lie on disk, here a small one that only we see. */
START_TEST(full_place)
{
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct sweep_try t;
	sweep_room_set_up(&room);
	(void)mkdir(room.state, 0755);
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("none", room.state, "tmpfs", 0, "size=64m"), 0);
	SWEEP_TRY(&t, &room, UNSTEADY, "--var", room.root, "--var", "do=mkdir /srv/x");
	ck_assert_int_eq(t.exit, 2);
	ck_assert(!t.s->complete);
	ck_assert_msg(strstr(t.s->cut, "the place of work is full") != NULL, "%s", t.s->cut);
	sweep_try_free(&t);
}
END_TEST

/* ---- what stays on the host, and what the folder says ---- */

START_TEST(killed_without_a_trace)
{
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct program p;
	struct sweep_try t;
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf after = { 0 };
	unsigned seed = SEED;
	sweep_room_set_up(&room);
	int64_t begin = clock_now();
	SWEEP_TRY(&t, &room, PUSH, "--var", room.root);
	int64_t length = clock_now() - begin;
	sweep_try_free(&t);
	host_picture(&before, room.state);
	for (int i = 0; i < MOMENTS; i++) {
		const char *const args[] = { PUSH, "--var", room.root, NULL };
		char when[64];
		int64_t at = (int64_t)((double)rand_r(&seed) / RAND_MAX * (double)length);
		struct timespec wait = { at / NS_PER_S, at % NS_PER_S };
		pid_t pid = sweep_try_start(&room, args);
		(void)nanosleep(&wait, NULL);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		host_settle();
		PROGRAM(&p, "gc", "--state", room.state);
		ck_assert_msg(p.exit == 0, "gc: %s", buf_str(&p.err));
		program_free(&p);
		host_picture(&after, room.state);
		(void)snprintf(when, sizeof(when), "after SIGKILL %d (seed %d)", i, SEED);
		host_same(&before, &after, when);
	}
}
END_TEST

START_TEST(reads_as_it_said)
{
	TEST_NEEDS_ROOT();
	struct sweep_room room;
	struct program sweep, p;
	struct err e = { 0 };
	char dir[700];
	GUARD_BUF struct buf text = { 0 };
	sweep_room_set_up(&room);
	PROGRAM(&sweep, "sweep", PUSH, "--var", room.root, "--in", "both", "--quiet", "--state",
		room.state, "--runs", room.runs);
	ck_assert_int_eq(sweep.exit, 1);
	sweep_room_last(&room, dir, sizeof(dir));
	GUARD(mem) char *path = mem_printf("%s/report.txt", dir);
	MUST(io_read_file(AT_FDCWD, path, FILE_MAX, &text, &e));
	ck_assert_ptr_nonnull(strstr(buf_str(&sweep.out), buf_str(&text)));
	PROGRAM(&p, "report", dir, "--runs", room.runs);
	ck_assert_int_eq(p.exit, 0);
	ck_assert_str_eq(buf_str(&p.out), buf_str(&text));
	program_free(&p);
	/* The timeline of the first finding ends with its outcome. */
	struct run *run;
	MUST(run_load(&run, dir, &e));
	const struct sweep *s = run_view(run)->sweep;
	ck_assert_uint_gt(s->group_count, 0);
	const struct sweep_class *c = &s->classes[s->groups[0].classes[0]];
	PROGRAM(&p, "show", dir, c->label, "--runs", room.runs);
	ck_assert_msg(p.exit == 0, "%s", buf_str(&p.err));
	ck_assert_msg(strstr(buf_str(&p.out), outcome_name(c->verdict->outcome)) != NULL, "%s",
		      buf_str(&p.out));
	program_free(&p);
	program_free(&sweep);
	run_free(run);
}
END_TEST

Suite *suite_sweep_cut(void);
Suite *suite_sweep_cut(void)
{
	Suite *s = suite_create("sweep_cut");
	sweep_add_case(s, "goes_on", goes_on, 2);
	sweep_add_case(s, "budget", budget, 1);
	sweep_add_case(s, "shards", shards, 1);
	sweep_add_case(s, "wrong_usage", wrong_usage, 1);
	sweep_add_case(s, "not_repeatable", not_repeatable, 1);
	sweep_add_case(s, "side_by_side", side_by_side, 1);
	sweep_add_case(s, "broken_workflows", broken_workflows, 2);
	sweep_add_case(s, "full_place", full_place, 1);
	sweep_add_case(s, "no_points", no_points, 1);
	sweep_add_case(s, "killed_without_a_trace", killed_without_a_trace, 1);
	sweep_add_case(s, "reads_as_it_said", reads_as_it_said, 1);
	sweep_add_case(s, "one_at_a_time", one_at_a_time, 1);
	return s;
}
