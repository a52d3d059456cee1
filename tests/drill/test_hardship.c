/* SPDX-License-Identifier: MIT */
/* Law 4 where the harness itself is in need: no room, no descriptors, no memory, nobody to print
 * to, another harness beside it, a thousand drills behind it. What it says and how it ends is true,
 * and the host is as it was. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/hierarchy.h"
#include "tests/drill/host_picture.h"
#include "tests/drill/program.h"
#include "tests/unit/runner.h"

#define SCENARIO "tests/drill/scenarios/killed.json"
#define TOY      "tests/drill/scenarios/toy.json"

struct place {
	char dir[300], state[320], runs[320], root[320];
};

static void place_set_up(struct place *t)
{
	(void)snprintf(t->dir, sizeof(t->dir), "%s", test_dir());
	(void)snprintf(t->state, sizeof(t->state), "%s/state", t->dir);
	(void)snprintf(t->runs, sizeof(t->runs), "%s/runs", t->dir);
	(void)snprintf(t->root, sizeof(t->root), "root=%s", test_busybox_root());
}

#define RUN_ARGS(t, scenario)                                                                      \
	"run", scenario, "--quiet", "--state", (t)->state, "--runs", (t)->runs, "--var", (t)->root

static void collect(const struct place *t)
{
	struct program p;
	PROGRAM(&p, "gc", "--state", t->state);
	ck_assert_msg(p.exit == 0, "gc: %s", buf_str(&p.err));
	program_free(&p);
}

static void whole_run(const struct place *t, const char *scenario)
{
	struct program p;
	PROGRAM(&p, RUN_ARGS(t, scenario));
	ck_assert_msg(p.exit == 0, "%s\n%s", buf_str(&p.out), buf_str(&p.err));
	program_free(&p);
}

/* A small file system at `dir`, in a mount namespace that ends with this test. */
static void small_disk(const char *dir, const char *with)
{
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	(void)mkdir(dir, 0755);
	ck_assert_int_eq(mount("small", dir, "tmpfs", 0, with), 0);
}

/* From no room for the image to room for some of the drills. */
START_TEST(no_room)
{
	static const char *const sizes[] = { "size=256k", "size=1900k", "size=2100k",
					     "size=2200k" };
	TEST_NEEDS_ROOT();
	struct place t;
	struct program p;
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf after = { 0 };
	place_set_up(&t);
	small_disk(t.state, sizes[_i]);
	(void)snprintf(t.runs, sizeof(t.runs), "%s/runs", t.state);
	collect(&t);
	host_picture(&before, "/nonexistent");
	PROGRAM(&p, RUN_ARGS(&t, TOY));
	ck_assert_msg(p.exit == 69 || p.exit == 70, "exit %d with %s: %s", p.exit, sizes[_i],
		      buf_str(&p.err));
	ck_assert_msg(strstr(buf_str(&p.err), "No space left") != NULL, "%s", buf_str(&p.err));
	program_free(&p);
	collect(&t);
	host_picture(&after, "/nonexistent");
	host_same(&before, &after, sizes[_i]);
}
END_TEST

START_TEST(read_only_folders)
{
	TEST_NEEDS_ROOT();
	struct place t;
	struct program p;
	place_set_up(&t);
	small_disk(_i == 0 ? t.state : t.runs, "size=64k");
	ck_assert_int_eq(
		mount(NULL, _i == 0 ? t.state : t.runs, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	PROGRAM(&p, RUN_ARGS(&t, TOY));
	program_expect(&p, 69, "Read-only file system");
	ck_assert_ptr_nonnull(strstr(buf_str(&p.err), _i == 0 ? "--state" : "--runs"));
	program_free(&p);
}
END_TEST

/* However many there are: it ends as it should or says what it lacks. */
START_TEST(few_descriptors)
{
	static const rlim_t limits[] = { 8, 10, 13, 16, 20, 24, 32, 48, 64, 96 };
	TEST_NEEDS_ROOT();
	struct place t;
	struct program p;
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf after = { 0 };
	place_set_up(&t);
	whole_run(&t, SCENARIO);
	host_picture(&before, t.state);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		char few[40];
		(void)snprintf(few, sizeof(few), "with %lu descriptors", (unsigned long)limits[i]);
		program_lives(&(struct program_life){ .descriptors = limits[i] });
		PROGRAM(&p, RUN_ARGS(&t, SCENARIO));
		program_lives(NULL);
		ck_assert_msg(p.exit == 0 ||
				      strstr(buf_str(&p.err), "Too many open files") != NULL ||
				      strstr(buf_str(&p.out), "Too many open files") != NULL,
			      "%s: exit %d\n%s\n%s", few, p.exit, buf_str(&p.out), buf_str(&p.err));
		program_free(&p);
		collect(&t);
		host_picture(&after, t.state);
		host_same(&before, &after, few);
	}
}
END_TEST

/* What is printed ends in an error that is not swallowed; the run's folder has it all the same. */
START_TEST(nobody_reads)
{
	static const char *const outputs[] = { "", "/dev/full" };
	TEST_NEEDS_ROOT();
	struct place t;
	struct program p;
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf after = { 0 };
	place_set_up(&t);
	whole_run(&t, SCENARIO);
	host_picture(&before, t.state);
	program_lives(&(struct program_life){ .output = outputs[_i] });
	PROGRAM(&p, RUN_ARGS(&t, SCENARIO));
	program_lives(NULL);
	program_expect(&p, 70, "write the report");
	program_free(&p);
	host_picture(&after, t.state);
	host_same(&before, &after, "after a run that could not print");
	PROGRAM(&p, "report", "last", "--runs", t.runs);
	program_expect(&p, 0, "passed");
	program_free(&p);
}
END_TEST

START_TEST(two_at_once)
{
	TEST_NEEDS_ROOT();
	struct place t;
	int status;
	pid_t pids[2];
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf after = { 0 };
	place_set_up(&t);
	whole_run(&t, SCENARIO);
	host_picture(&before, t.state);
	const char *const args[] = { RUN_ARGS(&t, SCENARIO), NULL };
	for (int i = 0; i < 2; i++)
		pids[i] = program_start(args);
	/* One that collects meanwhile takes nothing from them. */
	for (int i = 0; i < 5; i++)
		collect(&t);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "ended with %x",
			      (unsigned)status);
	}
	host_picture(&after, t.state);
	host_same(&before, &after, "after two runs at once");
}
END_TEST

/* Its session's terminal is hung up in the midst of a drill. */
START_TEST(terminal_gone)
{
	TEST_NEEDS_ROOT();
	struct place t;
	int status;
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf after = { 0 };
	place_set_up(&t);
	whole_run(&t, SCENARIO);
	host_picture(&before, t.state);
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_eq(grantpt(terminal) | unlockpt(terminal), 0);
	program_lives(&(struct program_life){ .terminal = ptsname(terminal) });
	const char *const args[] = { RUN_ARGS(&t, SCENARIO), NULL };
	pid_t pid = program_start(args);
	program_lives(NULL);
	struct timespec wait = { 0, 300 * 1000 * 1000 };
	(void)nanosleep(&wait, NULL);
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
	(void)close(terminal);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	/* 70: it could not even print. */
	ck_assert_msg(WIFEXITED(status) && (WEXITSTATUS(status) == 2 || WEXITSTATUS(status) == 70),
		      "ended with %x", (unsigned)status);
	host_picture(&after, t.state);
	host_same(&before, &after, "after its terminal was gone");
}
END_TEST

/* A group below ours that can limit memory; NULL: none can be made. */
static char *memory_group(void)
{
	const struct hierarchy *h = hierarchies_v1(hierarchies_own(), "memory");
	if (h == NULL)
		return NULL;
	char *dir = mem_printf("%s/%s/backout-tests-%d", h->mount, h->group, (int)getpid());
	ck_assert_int_eq(mkdir(dir, 0755), 0);
	return dir;
}

static void write_to(const char *dir, const char *file, const char *text)
{
	GUARD(mem) char *path = mem_printf("%s/%s", dir, file);
	GUARD(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "open %s", path);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* The kernel takes the harness for want of memory: as SIGKILL at a moment that nobody chose. */
START_TEST(no_memory)
{
	static const char *const limits[] = { "1500000", "2500000", "4000000" };
	TEST_NEEDS_ROOT();
	struct place t;
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf after = { 0 };
	place_set_up(&t);
	whole_run(&t, SCENARIO);
	GUARD(mem) char *dir = memory_group();
	if (dir == NULL) {
		TEST_SKIP("no v1 hierarchy that limits memory");
	}
	host_picture(&before, t.state);
	bool taken = false;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		int status;
		write_to(dir, "memory.limit_in_bytes", limits[i]);
		program_lives(&(struct program_life){ .group = dir });
		const char *const args[] = { RUN_ARGS(&t, SCENARIO), NULL };
		pid_t pid = program_start(args);
		program_lives(NULL);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		taken |= WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
		host_settle();
		collect(&t);
		host_picture(&after, t.state);
		host_same(&before, &after, limits[i]);
	}
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_msg(taken, "memory sufficed each time: limit it more");
}
END_TEST

/* What the kernel keeps of namespaces; "-1": it does not tell. */
static long slab(const char *name)
{
	struct err ignored = { 0 };
	GUARD_BUF struct buf text = { 0 };
	if (io_read_file(AT_FDCWD, "/proc/slabinfo", 1 << 20, &text, &ignored) < 0)
		return -1;
	GUARD(mem) char *line = mem_printf("\n%s ", name);
	const char *at = strstr(buf_str(&text), line);
	return at != NULL ? strtol(at + strlen(line), NULL, 10) : -1;
}

/* RUNS of three drills with two nodes each; a namespace left by each run would be seen. */
START_TEST(many_in_a_row)
{
	static const char *const slabs[] = { "net_namespace", "pid_namespace", "mnt_cache" };
	enum { SLABS = sizeof(slabs) / sizeof(slabs[0]), SETTLE_S = 2 };
	TEST_NEEDS_ROOT();
	struct place t;
	long had[SLABS];
	const char *asked = getenv("HARDSHIP_RUNS");
	long runs = asked != NULL ? strtol(asked, NULL, 10) : 8;
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf after = { 0 };
	place_set_up(&t);
	for (int i = 0; i < 3; i++) /* the kernel's own caches fill */
		whole_run(&t, SCENARIO);
	(void)sleep(SETTLE_S); /* namespaces are freed by a worker of the kernel */
	host_picture(&before, t.state);
	for (size_t i = 0; i < SLABS; i++)
		had[i] = slab(slabs[i]);
	for (long i = 0; i < runs; i++)
		whole_run(&t, SCENARIO);
	(void)sleep(SETTLE_S);
	host_picture(&after, t.state);
	host_same(&before, &after, "after many drills");
	for (size_t i = 0; i < SLABS; i++) {
		long has = slab(slabs[i]);
		(void)printf("%ld drills: %s %ld, before %ld\n", runs * 3, slabs[i], has, had[i]);
		/* Slabs count what others make, and hold on to some: less than one a run is none.
		 */
		ck_assert_int_lt(has - had[i], runs * 3 + 64);
	}
}
END_TEST

Suite *suite_hardship(void)
{
	Suite *s = suite_create("hardship");
	TCase *c = tcase_create("hardship");
	tcase_set_timeout(c, 60 * 60);
	tcase_add_loop_test(c, no_room, 0, 4);
	tcase_add_loop_test(c, read_only_folders, 0, 2);
	tcase_add_test(c, few_descriptors);
	tcase_add_loop_test(c, nobody_reads, 0, 2);
	tcase_add_test(c, two_at_once);
	tcase_add_test(c, terminal_gone);
	tcase_add_test(c, no_memory);
	suite_add_tcase(s, c);
	c = tcase_create("many");
	tcase_set_timeout(c, 60 * 60);
	tcase_add_test(c, many_in_a_row);
	suite_add_tcase(s, c);
	return s;
}
