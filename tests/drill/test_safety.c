/* SPDX-License-Identifier: MIT */
/* Law 4: the host is never touched. The harness is killed at seeded moments of a run, and the
 * host is compared before and after the next start has collected. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "tests/drill/host_picture.h"
#include "tests/drill/program.h"
#include "tests/unit/runner.h"

#define NET   "tests/drill/scenarios/net.json"
#define POWER "tests/drill/scenarios/power.json"

enum { SEED = 20261123 };

/* Links, limits and services; disks, which loop devices hold. */
static const struct {
	const char *scenario;
	int moments;
} killed[] = { { NET, 15 }, { POWER, 10 } };

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

static void kill_at(const struct place *t, int64_t after_ns)
{
	const char *const args[] = { "run",   t->scenario, "--state", t->state, "--runs",
				     t->runs, "--var",     t->root,   NULL };
	pid_t pid = program_start(args);
	struct timespec wait = { after_ns / NS_PER_S, after_ns % NS_PER_S };
	(void)nanosleep(&wait, NULL);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	host_settle();
}

START_TEST(killed_at_seeded_moments)
{
	TEST_NEEDS_ROOT();
	struct place t;
	struct program p;
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf after = { 0 };
	unsigned seed = SEED;
	place_set_up(&t);
	t.scenario = killed[_i].scenario;
	(void)whole_run(&t, &p); /* fills the cache */
	program_free(&p);
	int64_t length = whole_run(&t, &p);
	program_free(&p);
	host_picture(&before, t.state);
	for (int i = 0; i < killed[_i].moments; i++) {
		char when[96];
		int64_t at = (int64_t)((double)rand_r(&seed) / RAND_MAX * (double)length);
		kill_at(&t, at);
		PROGRAM(&p, "gc", "--state", t.state);
		ck_assert_msg(p.exit == 0, "gc: %s", buf_str(&p.err));
		program_free(&p);
		host_picture(&after, t.state);
		(void)snprintf(when, sizeof(when), "after SIGKILL %d at %lld ms of %lld (seed %d)",
			       i, (long long)(at / NS_PER_MS), (long long)(length / NS_PER_MS),
			       SEED);
		host_same(&before, &after, when);
	}
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
	tcase_add_loop_test(c, killed_at_seeded_moments, 0, 2);
	tcase_add_loop_test(c, stopped_by_signals, 0, 3);
	tcase_add_test(c, gc_spares_others);
	suite_add_tcase(s, c);
	return s;
}
