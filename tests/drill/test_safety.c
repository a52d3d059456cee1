/* SPDX-License-Identifier: MIT */
/* Law 4: the host is never touched. The harness is killed at system calls of its own, and the host
 * is compared before and after the next start has collected. */
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "tests/drill/host_picture.h"
#include "tests/drill/killer.h"
#include "tests/drill/program.h"
#include "tests/unit/runner.h"

#define NET    "tests/drill/scenarios/net.json"
#define KILLED "tests/drill/scenarios/killed.json"

enum { SEED = 20261123, DRAWN = 20, TURNS = 32 };

struct place {
	const char *scenario;
	char dir[300], state[320], runs[320], root[320];
};

static void place_set_up(struct place *t)
{
	t->scenario = NET;
	(void)snprintf(t->dir, sizeof(t->dir), "%s", test_dir());
	(void)snprintf(t->state, sizeof(t->state), "%s/state", t->dir);
	(void)snprintf(t->runs, sizeof(t->runs), "%s/runs", t->dir);
	(void)snprintf(t->root, sizeof(t->root), "root=%s", test_busybox_root());
}

/* How long a whole run takes here; it also fills the image cache. */
static int64_t whole_run(const struct place *t, struct program *p)
{
	int64_t begin = clock_now();
	PROGRAM(p, "run", t->scenario, "--json", "--state", t->state, "--runs", t->runs, "--var",
		t->root);
	return clock_now() - begin;
}

START_TEST(nothing_left)
{
	TEST_NEEDS_ROOT();
	struct place t;
	struct program p;
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf after = { 0 };
	place_set_up(&t);
	(void)whole_run(&t, &p);
	ck_assert_msg(p.exit == 0, "%s\n%s", buf_str(&p.out), buf_str(&p.err));
	program_free(&p);
	host_picture(&before, t.state);
	(void)whole_run(&t, &p);
	ck_assert_int_eq(p.exit, 0);
	program_free(&p);
	host_picture(&after, t.state);
	host_same(&before, &after, "after a whole run");
}
END_TEST

static const char *const *killed_run(const struct place *t)
{
	static const char *args[16];
	const char *const now[] = { "run",   KILLED,  "--state", t->state, "--runs",
				    t->runs, "--var", t->root,   NULL };
	memcpy(args, now, sizeof(now));
	return args;
}

/* What every run does, so that each point comes for sure. */
static void common_calls(const struct place *t, struct kill_calls *ret)
{
	ck_assert_int_eq(killer_record(killed_run(t), ret), 0); /* fills the cache */
	killer_free(ret);
	ck_assert_int_eq(killer_record(killed_run(t), ret), 0);
	for (int i = 0; i < 2; i++) {
		struct kill_calls other;
		ck_assert_int_eq(killer_record(killed_run(t), &other), 0);
		killer_common(ret, &other);
		killer_free(&other);
	}
}

/* Kills there and collects; true: it was struck. */
static bool kill_and_compare(const struct place *t, const struct kill_point *at, bool all,
			     const struct buf *before)
{
	struct program p;
	char when[160];
	GUARD_BUF struct buf after = { 0 };
	bool fired = killer_strike(killed_run(t), at, all);
	host_settle();
	PROGRAM(&p, "gc", "--state", t->state);
	ck_assert_msg(p.exit == 0, "gc: %s", buf_str(&p.err));
	program_free(&p);
	host_picture(&after, t->state);
	GUARD(mem) char *call = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, at->nr);
	(void)snprintf(when, sizeof(when), "after SIGKILL%s at %s %u of process %s",
		       all ? " of all" : "", call != NULL ? call : "?", at->nth, at->who);
	host_same(before, &after, when);
	return fired;
}

/* Each of the first turns of a loop, and later ones at doubling distance: thousands of calls of one
 * kind read files for a fingerprint, and how many depends on what else runs on this host. */
static size_t turns_of(unsigned count)
{
	size_t turns = count < TURNS ? count : TURNS;
	for (unsigned n = TURNS * 2; n < count / 8 * 7; n *= 2)
		turns++;
	return turns;
}

static size_t points_of(const struct kill_calls *c)
{
	size_t total = 0;
	for (size_t i = 0; i < c->count; i++)
		total += turns_of(c->rows[i].nth);
	return total;
}

static struct kill_point point_at(const struct kill_calls *c, size_t index)
{
	size_t row = 0;
	while (index >= turns_of(c->rows[row].nth))
		index -= turns_of(c->rows[row++].nth);
	struct kill_point p = c->rows[row];
	p.nth = index < TURNS ? (unsigned)index + 1 : (unsigned)TURNS << (index - TURNS + 1);
	return p;
}

/* KILL_POINTS of them, drawn; 0: all of them, which takes hours. */
START_TEST(killed_at_calls)
{
	TEST_NEEDS_ROOT();
	struct place t;
	struct kill_calls calls;
	GUARD_BUF struct buf before = { 0 };
	unsigned seed = SEED, fired = 0;
	const char *asked = getenv("KILL_POINTS");
	place_set_up(&t);
	common_calls(&t, &calls);
	host_picture(&before, t.state);
	size_t total = points_of(&calls), runs = asked != NULL ? strtoul(asked, NULL, 10) : DRAWN;
	bool every = runs == 0;
	if (every)
		runs = total;
	for (size_t i = 0; i < runs; i++) {
		size_t at = every ? i : (size_t)rand_r(&seed) % total;
		struct kill_point point = point_at(&calls, at);
		/* What waits for time may come less often than it ever did: once more, then. */
		if (kill_and_compare(&t, &point, at % 2 != 0, &before) ||
		    kill_and_compare(&t, &point, at % 2 != 0, &before))
			fired++;
	}
	(void)printf("killed at %u of %zu drawn calls (there are %zu): "
		     "nothing left\n",
		     fired, runs, total);
	killer_free(&calls);
	ck_assert_uint_ge(fired * 100, runs * 95);
}
END_TEST

/* Every polite end leaves nothing either, and a folder that reads. */
START_TEST(stopped_by_signals)
{
	static const struct {
		int signo, exit;
	} rows[] = { { SIGINT, 130 }, { SIGTERM, 2 }, { SIGHUP, 2 } };
	TEST_NEEDS_ROOT();
	struct place t;
	struct program p;
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf after = { 0 };
	place_set_up(&t);
	int64_t length = whole_run(&t, &p);
	program_free(&p);
	host_picture(&before, t.state);
	const char *const args[] = { "run",  NET,     "--state", t.state, "--runs",
				     t.runs, "--var", t.root,    NULL };
	pid_t pid = program_start(args);
	struct timespec wait = { length / 3 / NS_PER_S, length / 3 % NS_PER_S };
	(void)nanosleep(&wait, NULL);
	(void)kill(pid, rows[_i].signo);
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "died of signal %d", WTERMSIG(status));
	ck_assert_int_eq(WEXITSTATUS(status), rows[_i].exit);
	host_picture(&after, t.state);
	host_same(&before, &after, "after a signal");
	PROGRAM(&p, "report", "last", "--runs", t.runs);
	ck_assert_ptr_nonnull(strstr(buf_str(&p.out), "aborted"));
	program_free(&p);
}
END_TEST

/* What carries no tag of ours, or a live owner's, stays. */
START_TEST(gc_spares_others)
{
	TEST_NEEDS_ROOT();
	struct place t;
	struct program p;
	char foreign[400];
	struct stat st;
	place_set_up(&t);
	PROGRAM(&p, "gc", "--state", t.state);
	ck_assert_int_eq(p.exit, 0);
	program_free(&p);
	(void)snprintf(foreign, sizeof(foreign), "%s/owners", t.state);
	(void)mkdir(t.state, 0755);
	(void)mkdir(foreign, 0755);
	(void)snprintf(foreign, sizeof(foreign), "%s/owners/somebody-else", t.state);
	ck_assert_int_eq(mkdir(foreign, 0755), 0);
	PROGRAM(&p, "gc", "--state", t.state);
	ck_assert_int_eq(p.exit, 0);
	program_free(&p);
	ck_assert_int_eq(stat(foreign, &st), 0);
}
END_TEST

Suite *suite_safety(void)
{
	Suite *s = suite_create("safety");
	TCase *c = tcase_create("safety");
	tcase_set_timeout(c, 300);
	tcase_add_test(c, nothing_left);
	tcase_add_loop_test(c, stopped_by_signals, 0, 3);
	tcase_add_test(c, gc_spares_others);
	suite_add_tcase(s, c);
	c = tcase_create("killed");
	tcase_set_timeout(c, 10 * 60 * 60); /* every call of every process takes hours */
	tcase_add_test(c, killed_at_calls);
	suite_add_tcase(s, c);
	return s;
}
