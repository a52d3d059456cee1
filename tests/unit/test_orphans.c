/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/orphans.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/hierarchy.h"
#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"

/* A sibling of our own group, where that has one; else below it. */
static void place(const struct hierarchy *h, char ret[600])
{
	(void)snprintf(ret, 600, "%s/%s", h->mount, h->group);
	*strrchr(ret, '/') = '\0';
	(void)snprintf(ret + strlen(ret), 600 - strlen(ret), "/orphans-test-%d", (int)getpid());
}

/* In each hierarchy, or of what is there how many stand. */
static unsigned each(const char *name, int (*fn)(const char *path, mode_t mode))
{
	const struct hierarchies *own = hierarchies_own();
	unsigned count = 0;
	for (size_t i = 0; i < own->count; i++) {
		char path[600];
		if (own->rows[i].group == NULL)
			continue;
		place(&own->rows[i], path);
		(void)snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%s", name);
		count += fn(path, 0755) == 0;
	}
	return count;
}

static int stands(const char *path, mode_t mode)
{
	(void)mode;
	return access(path, F_OK);
}

static int drop(const char *path, mode_t mode)
{
	(void)mode;
	return rmdir(path);
}

static unsigned make(const char *tag, const char *rest)
{
	GUARD(mem) char *name = mem_printf("%s-%s", tag, rest);
	GUARD(mem) char *below = mem_printf("%s/workflow", name);
	(void)each("", mkdir);
	unsigned count = each(name, mkdir);
	ck_assert_uint_gt(count, 0);
	ck_assert_uint_eq(each(below, mkdir), count);
	return count;
}

static unsigned there(const char *tag, const char *rest)
{
	GUARD(mem) char *name = mem_printf("%s-%s", tag, rest);
	return each(name, stands);
}

static unsigned remove_groups(const char *tag, const char *rest)
{
	GUARD(mem) char *name = mem_printf("%s-%s", tag, rest);
	GUARD(mem) char *below = mem_printf("%s/workflow", name);
	(void)each(below, drop);
	return each(name, drop);
}

static void own(const char *state, int tell_to)
{
	struct err e = { 0 };
	struct owner *o;
	if (owner_create(&o, state, &e) < 0)
		_exit(1);
	(void)!write(tell_to, owner_tag(o), strlen(owner_tag(o)));
	for (;;)
		(void)pause();
}

/* As the first of a PID namespace, which ends with this process. */
static void own_apart(const char *state, int tell_to)
{
	if (unshare(CLONE_NEWPID) < 0)
		_exit(1);
	pid_t pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		own(state, tell_to);
	}
	(void)close(tell_to);
	(void)waitpid(pid, NULL, 0);
	_exit(1);
}

/* A process that is an owner; with `apart`, by its child in a PID namespace. */
static pid_t owner(const char *state, bool apart, char tag[128])
{
	int pair[2];
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0)
		(apart ? own_apart : own)(state, pair[1]);
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

static const char *our_tag; /* what else stands on this host may well go */
static unsigned told, left;

static void tell(void *arg, const char *kind, const char *name, const char *tag)
{
	(void)arg;
	ck_assert_str_eq(kind, "cgroup");
	ck_assert_ptr_nonnull(strstr(name, tag));
	told += strcmp(tag, our_tag) == 0;
}

static void tell_left(void *arg, const char *kind, const char *name, const char *tag)
{
	(void)arg, (void)kind, (void)name;
	left += strcmp(tag, our_tag) == 0;
}

START_TEST(groups_without_a_state_folder)
{
	struct err e = { 0 };
	char state[300], dead[128], alive[128], inside[128], known[128], text[64];
	TEST_NEEDS_ROOT();
	if (cgroup_unsupported("freeze") != NULL)
		TEST_SKIP(cgroup_unsupported("freeze"));
	(void)snprintf(state, sizeof(state), "%s", test_dir());
	pid_t first = owner(state, false, dead), second = owner(state, false, known);
	pid_t third = owner(state, false, alive), fourth = owner(state, true, inside);
	ck_assert_ptr_eq(strstr(inside, "backout-1-"), inside);
	(void)snprintf(text, sizeof(text), "node-%d.0", (int)third);
	const unsigned count = make(dead, "web-9999999.3") + make(dead, "a");
	const unsigned one = make(alive, "web-9999999.3"), nested = make(inside, "web");
	(void)make(dead, text); /* made by one that lives */
	(void)make(known, "a"); /* its state folder is there */
	(void)make("backout-x", "a");
	(void)make("not-backout-1-1", "a");
	end(first);
	end(second);
	GUARD(mem) char *folder = mem_printf("%s/owners/%s", state, dead);
	MUST(io_remove_tree(AT_FDCWD, folder, &e));

	our_tag = dead;
	ck_assert_msg(orphans_collect(state, tell, NULL, NULL, &e) >= (int)count, "%s", e.why);
	ck_assert_uint_eq(told, count);
	ck_assert_uint_eq(there(dead, "web-9999999.3") + there(dead, "a"), 0);
	ck_assert_uint_eq(remove_groups(alive, "web-9999999.3"), one);
	ck_assert_uint_eq(remove_groups(inside, "web"), nested);
	ck_assert_uint_eq(remove_groups(dead, text), one);
	ck_assert_uint_eq(remove_groups(known, "a"), one);
	ck_assert_uint_eq(remove_groups("backout-x", "a"), one);
	ck_assert_uint_eq(remove_groups("not-backout-1-1", "a"), one);
	ck_assert_uint_gt(each("", drop), 0);
	end(third);
	end(fourth);
}
END_TEST

static pid_t enters;

static int enter(const char *path, mode_t mode)
{
	struct err e = { 0 };
	char pid[32];
	(void)mode;
	(void)snprintf(pid, sizeof(pid), "%d", (int)enters);
	GUARD(mem) char *procs = mem_printf("%s/cgroup.procs", path);
	GUARD(fd) int fd = open(procs, O_WRONLY | O_CLOEXEC);
	return fd < 0 || io_write_all(fd, pid, strlen(pid), &e) < 0 ? -1 : 0;
}

/* Whatever the name says: a group that has a process is left, and so are all in it. */
START_TEST(what_lives_is_left)
{
	struct err e = { 0 };
	char state[300], dead[128];
	TEST_NEEDS_ROOT();
	if (cgroup_unsupported("freeze") != NULL)
		TEST_SKIP(cgroup_unsupported("freeze"));
	(void)snprintf(state, sizeof(state), "%s", test_dir());
	end(owner(state, false, dead));
	GUARD(mem) char *folder = mem_printf("%s/owners/%s", state, dead);
	MUST(io_remove_tree(AT_FDCWD, folder, &e));
	const unsigned count = make(dead, "web-9999999.3");
	/* The kernel tells folders in an order of its own: some come before the one in use. */
	static const char *const others[] = { "a", "b", "c", "d", "e", "f" };
	GUARD(mem) char *below = mem_printf("%s-web-9999999.3/workflow", dead);
	for (size_t i = 0; i < 6; i++) {
		GUARD(mem) char *beside = mem_printf("%s-web-9999999.3/%s", dead, others[i]);
		ck_assert_uint_eq(each(beside, mkdir), count);
	}
	enters = fork();
	if (enters == 0)
		for (;;)
			(void)pause();
	const unsigned entered = each(below, enter);
	ck_assert_uint_gt(entered, 0);

	our_tag = dead;
	told = left = 0;
	ck_assert_msg(orphans_collect(state, tell, tell_left, NULL, &e) >= 0, "%s", e.why);
	ck_assert_uint_eq(left, entered);
	ck_assert_uint_eq(told, count - entered);
	for (size_t i = 0; i < 6; i++) {
		GUARD(mem) char *beside = mem_printf("%s-web-9999999.3/%s", dead, others[i]);
		ck_assert_uint_eq(each(beside, stands), entered);
	}
	ck_assert_int_eq(waitpid(enters, NULL, WNOHANG), 0);
	end(enters);
	left = 0;
	MUST(orphans_collect(state, tell, tell_left, NULL, &e));
	ck_assert_uint_eq(left, 0);
	ck_assert_uint_eq(told, count);
	ck_assert_uint_gt(each("", drop), 0);
}
END_TEST

Suite *suite_orphans(void);
Suite *suite_orphans(void)
{
	Suite *s = suite_create("orphans");
	TCase *t = tcase_create("orphans");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, groups_without_a_state_folder);
	tcase_add_test(t, what_lives_is_left);
	suite_add_tcase(s, t);
	return s;
}
