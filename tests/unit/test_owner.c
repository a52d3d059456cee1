/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/owner.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/hierarchy.h"
#include "harness/sandbox/node_private.h"
#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"

struct told {
	unsigned groups, loops, folders;
};

static void tell(void *arg, const char *kind, const char *name, const char *tag)
{
	struct told *t = arg;
	ck_assert_ptr_nonnull(strstr(name, strcmp(kind, "loop") == 0 ? "/dev/loop" : tag));
	t->groups += strcmp(kind, "cgroup") == 0;
	t->loops += strcmp(kind, "loop") == 0;
	t->folders += strcmp(kind, "folder") == 0;
}

/* The tag of the owner that a child made there; the child waits to be killed. */
static pid_t owner_in_child(const char *state, char tag[128], void (*more)(struct owner *o))
{
	int pair[2];
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct err e = { 0 };
		struct owner *o;
		if (owner_create(&o, state, &e) < 0)
			_exit(1);
		if (more != NULL)
			more(o);
		(void)!write(pair[1], owner_tag(o), strlen(owner_tag(o)));
		for (;;)
			(void)pause();
	}
	(void)close(pair[1]);
	ssize_t n = read(pair[0], tag, 127);
	ck_assert_int_gt(n, 0);
	tag[n] = '\0';
	(void)close(pair[0]);
	return pid;
}

static void end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static bool exists(const char *state, const char *tag, const char *rest)
{
	GUARD(mem) char *path = mem_printf("%s/owners/%s%s", state, tag, rest);
	return access(path, F_OK) == 0;
}

START_TEST(makes_and_removes_its_folder)
{
	struct err e = { 0 };
	struct owner *o = NULL;
	char tag[128], state[300];
	(void)snprintf(state, sizeof(state), "%s/deep/state", test_dir());
	MUST(owner_create(&o, state, &e));
	(void)snprintf(tag, sizeof(tag), "%s", owner_tag(o));
	char pid[32];
	(void)snprintf(pid, sizeof(pid), "backout-%d-", (int)getpid());
	ck_assert_ptr_eq(strstr(tag, pid), tag);
	ck_assert(exists(state, tag, "/lock") && exists(state, tag, "/objects"));
	ck_assert_int_eq(access(owner_work_dir(o), W_OK), 0);
	GUARD(mem) char *file = mem_printf("%s/file", owner_work_dir(o));
	MUST(io_write_file(AT_FDCWD, file, "x", 1, 0644, &e));
	ck_assert_uint_eq(owner_destroy(o, &e), 0);
	ck_assert(!exists(state, tag, ""));
	ck_assert_uint_eq(owner_destroy(NULL, &e), 0);
}
END_TEST

START_TEST(unwritable_state_folder_is_unavailable)
{
	struct err e = { 0 };
	struct owner *o = NULL;
	ck_assert_int_eq(owner_create(&o, "/proc/no/state", &e), -1);
	ck_assert_int_eq(e.exit, EXIT_UNAVAILABLE);
	ck_assert_ptr_null(o);
}
END_TEST

START_TEST(second_owner_of_a_process_leaves_the_first_alone)
{
	struct err e = { 0 };
	struct owner *o = NULL, *second = NULL;
	const char *state = test_dir();
	MUST(owner_create(&o, state, &e));
	ck_assert_int_eq(owner_create(&second, state, &e), -1);
	err_clear(&e);
	ck_assert_int_eq(access(owner_work_dir(o), W_OK), 0);
	ck_assert_uint_eq(owner_destroy(o, &e), 0);
}
END_TEST

START_TEST(forked_child_removes_nothing_and_keeps_it_alive)
{
	struct err e = { 0 };
	struct owner *o = NULL;
	const char *state = test_dir();
	MUST(owner_create(&o, state, &e));
	pid_t pid = fork();
	if (pid == 0)
		_exit((int)owner_destroy(o, &e));
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(access(owner_work_dir(o), W_OK), 0);
	pid = fork();
	if (pid == 0)
		_exit(owner_collect(state, NULL, NULL, &e)); /* must not take us for dead */
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(access(owner_work_dir(o), W_OK), 0);
	ck_assert_uint_eq(owner_destroy(o, &e), 0);
}
END_TEST

START_TEST(collects_the_dead_and_only_them)
{
	struct err e = { 0 };
	struct told told = { 0 };
	char dead[128], alive[128], foreign[400];
	char state[300];
	(void)snprintf(state, sizeof(state), "%s", test_dir());
	pid_t first = owner_in_child(state, dead, NULL);
	pid_t second = owner_in_child(state, alive, NULL);
	end(first);
	(void)snprintf(foreign, sizeof(foreign), "%s/owners/somebody", state);
	ck_assert_int_eq(mkdir(foreign, 0755), 0);
	ck_assert_int_eq(owner_collect(state, tell, &told, &e), 1);
	ck_assert_uint_eq(told.folders, 1);
	ck_assert(!exists(state, dead, "") && exists(state, alive, "/work"));
	ck_assert_int_eq(access(foreign, F_OK), 0);
	end(second);
	ck_assert_int_eq(owner_collect(state, NULL, NULL, &e), 1);
	ck_assert_int_eq(owner_collect(state, NULL, NULL, &e), 0);
	ck_assert_int_eq(owner_collect("/nonexistent/state", NULL, NULL, &e), 0);
}
END_TEST

static void own_group(char ret[600], const char *tag, const char *name)
{
	const struct hierarchy *h = hierarchies_v1(hierarchies_own(), "pids");
	(void)snprintf(ret, 600, "%s/%s/%s-%s", h->mount, h->group, tag, name);
}

static void make_group(struct owner *o, const char *tag, const char *name)
{
	struct err e = { 0 };
	char path[600];
	own_group(path, tag, name);
	if (owner_register(o, "cgroup", path, &e) < 0 || mkdir(path, 0755) < 0)
		_exit(1);
}

/* Ours with a member and a group below; a foreign one that the file names all the same; one that
 * was released; and a line cut short. */
static void make_groups(struct owner *o)
{
	struct err e = { 0 };
	char path[600], below[640];
	make_group(o, owner_tag(o), "a");
	own_group(path, owner_tag(o), "a");
	(void)snprintf(below, sizeof(below), "%s/below/deeper", path);
	if (io_mkdirs(below, 0755, &e) < 0)
		_exit(1);
	int pair[2];
	char none;
	if (pipe2(pair, O_CLOEXEC) < 0)
		_exit(1);
	pid_t pid = fork();
	if (pid == 0) {
		(void)strcat(below, "/cgroup.procs");
		(void)io_write_knob(AT_FDCWD, below, "0", &e);
		(void)execlp("sleep", "sleep", "60", NULL); /* so that it has not the lock */
		_exit(1);
	}
	(void)close(pair[1]);
	(void)!read(pair[0], &none, 1); /* ends with the exec */
	make_group(o, "foreign", owner_tag(o));
	make_group(o, owner_tag(o), "kept");
	own_group(path, owner_tag(o), "kept");
	if (owner_release(o, "cgroup", path, &e) < 0)
		_exit(1);
	GUARD(mem) char *objects = mem_printf("%s/../objects", owner_work_dir(o));
	GUARD(fd) int fd = open(objects, O_WRONLY | O_APPEND | O_CLOEXEC);
	GUARD(mem) char *cut = mem_printf("+cgroup %sX", path);
	(void)!write(fd, cut, strlen(cut));
}

START_TEST(collects_groups_that_carry_the_tag)
{
	struct err e = { 0 };
	struct told told = { 0 };
	char tag[128], state[300], foreign[600], kept[600];
	TEST_NEEDS_ROOT();
	if (hierarchies_v1(hierarchies_own(), "pids") == NULL)
		TEST_SKIP("no v1 pids hierarchy");
	(void)snprintf(state, sizeof(state), "%s", test_dir());
	pid_t pid = owner_in_child(state, tag, make_groups);
	end(pid);
	ck_assert_uint_eq(bench_groups(tag), 3);
	int n = owner_collect(state, tell, &told, &e);
	ck_assert_msg(n == 2, "%d: %s", n, e.why);
	ck_assert_uint_eq(told.groups, 1);
	own_group(foreign, "foreign", tag);
	own_group(kept, tag, "kept");
	ck_assert_int_eq(rmdir(foreign), 0); /* both still stood */
	ck_assert_int_eq(rmdir(kept), 0);
	ck_assert_uint_eq(bench_groups(tag), 0);
}
END_TEST

static char loop_image[400], loop_other[400];

/* One device on a file below the state folder, one on a file elsewhere; both without autoclear's
 * help: a second descriptor of this process is all that keeps them. */
static void make_loops(struct owner *o)
{
	struct err e = { 0 };
	const char *const files[] = { loop_image, loop_other };
	for (size_t i = 0; i < 2; i++) {
		char device[32];
		if (disk_attach(files[i], false, device, &e) < 0 ||
		    owner_register(o, "loop", device, &e) < 0)
			_exit(1);
	}
}

START_TEST(detaches_only_loops_on_our_files)
{
	struct err e = { 0 };
	struct told told = { 0 };
	struct owner *o = NULL;
	TEST_NEEDS_ROOT();
	if (access("/dev/loop-control", W_OK) != 0)
		TEST_SKIP("no loop devices");
	char state[300];
	(void)snprintf(state, sizeof(state), "%s", test_dir());
	(void)snprintf(loop_image, sizeof(loop_image), "%s/image", state);
	(void)snprintf(loop_other, sizeof(loop_other), "%s/image", test_dir());
	static const char zeros[65536];
	MUST(io_write_file(AT_FDCWD, loop_image, zeros, sizeof(zeros), 0644, &e));
	MUST(io_write_file(AT_FDCWD, loop_other, zeros, sizeof(zeros), 0644, &e));
	/* The devices live on in us: the dead owner is a copy of its folder without a lock. */
	MUST(owner_create(&o, state, &e));
	make_loops(o);
	GUARD(mem) char *old = mem_printf("%s/owners/%s", state, owner_tag(o));
	GUARD(mem) char *dead = mem_printf("%s/owners/backout-1-1", state);
	GUARD(mem) char *lock = mem_printf("%s/lock", dead);
	ck_assert_int_eq(rename(old, dead), 0);
	ck_assert_int_eq(unlink(lock), 0);
	MUST(owner_collect(state, tell, &told, &e));
	ck_assert_uint_eq(told.loops, 1);
	(void)owner_destroy(o, &e);
}
END_TEST

Suite *suite_owner(void);
Suite *suite_owner(void)
{
	Suite *s = suite_create("owner");
	TCase *t = tcase_create("owner");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, makes_and_removes_its_folder);
	tcase_add_test(t, unwritable_state_folder_is_unavailable);
	tcase_add_test(t, second_owner_of_a_process_leaves_the_first_alone);
	tcase_add_test(t, forked_child_removes_nothing_and_keeps_it_alive);
	tcase_add_test(t, collects_the_dead_and_only_them);
	tcase_add_test(t, collects_groups_that_carry_the_tag);
	tcase_add_test(t, detaches_only_loops_on_our_files);
	suite_add_tcase(s, t);
	return s;
}
