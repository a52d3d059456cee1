/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/hierarchy.h"
#include "tests/unit/runner.h"
#include "tests/unit/sandbox_fixture.h"

static bool no_v1(void)
{
	return hierarchy_v1("memory") == NULL || hierarchy_v1("pids") == NULL ||
	       hierarchy_v1("cpu") == NULL;
}

START_TEST(mode_agrees_with_what_is_mounted)
{
	const char *name = cgroup_mode_name(cgroup_mode());
	struct err e = { 0 };
	GUARD_BUF struct buf mounts = { 0 };
	MUST(io_read_file(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &mounts, &e));
	bool v2 = strstr(buf_str(&mounts), " - cgroup2 ") != NULL;
	ck_assert_int_eq(v2, strcmp(name, "hybrid") == 0 || strcmp(name, "v2") == 0);
	for (const char *const *c = (const char *const[]){ "memory", "pids", "cpu", NULL };
	     *c != NULL; c++)
		ck_assert_int_eq(cgroup_unsupported(*c) == NULL,
				 hierarchy_v1(*c) != NULL && geteuid() == 0);
	ck_assert_ptr_nonnull(cgroup_unsupported("network"));
}
END_TEST

/* What the kernel holds, read by ourselves. */
static long long held(const char *controller, const char *tag, const char *file)
{
	const struct hierarchy *h = hierarchy_v1(controller);
	char command[1200], text[64] = "";
	(void)snprintf(command, sizeof(command), "cat '%s/%s/%s'-web-*/%s", h->mount, h->group, tag,
		       file);
	FILE *f = popen(command, "re");
	ck_assert_ptr_nonnull(f);
	(void)!fgets(text, sizeof(text), f);
	ck_assert_msg(pclose(f) == 0, "%s", command);
	return atoll(text);
}

START_TEST(limits_are_set_and_groups_go)
{
	struct bench b;
	struct err e = { 0 };
	struct node_cgroup *c = NULL;
	const struct cgroup_limits limits = { .memory = (32 << 20) + 5, .pids = 7, .cpu = 12.5 };
	TEST_NEEDS_ROOT();
	if (no_v1())
		TEST_SKIP("no v1 hierarchies");
	bench_open(&b);
	MUST(cgroup_node_create(&c, b.owner, "web", &limits, &e));
	const char *tag = owner_tag(b.owner);
	ck_assert_int_eq(held("memory", tag, "memory.limit_in_bytes"), 32 << 20);
	ck_assert_int_eq(held("pids", tag, "pids.max"), 7);
	ck_assert_int_eq(held("cpu", tag, "cpu.cfs_quota_us"), 12500);
	ck_assert_uint_eq(bench_groups(tag), 3);
	uint64_t peak, failures;
	ck_assert(cgroup_node_memory(c, &peak, &failures));
	ck_assert_uint_eq(failures, 0);
	ck_assert_uint_eq(cgroup_node_destroy(c, &e), 0);
	ck_assert_uint_eq(bench_groups(tag), 0);
	bench_close(&b);
}
END_TEST

START_TEST(equal_names_get_groups_of_their_own)
{
	struct bench b;
	struct err e = { 0 };
	struct node_cgroup *c[2] = { NULL, NULL };
	const struct cgroup_limits limits = { .pids = 7 };
	TEST_NEEDS_ROOT();
	if (no_v1())
		TEST_SKIP("no v1 hierarchies");
	bench_open(&b);
	MUST(cgroup_node_create(&c[0], b.owner, "web", &limits, &e));
	MUST(cgroup_node_create(&c[1], b.owner, "web", &limits, &e));
	ck_assert_uint_eq(bench_groups(owner_tag(b.owner)), 4);
	ck_assert_uint_eq(cgroup_node_destroy(c[0], &e), 0);
	ck_assert_uint_eq(bench_groups(owner_tag(b.owner)), 2);
	ck_assert_uint_eq(cgroup_node_destroy(c[1], &e), 0);
	bench_close(&b);
}
END_TEST

/* Where a process is, by its own /proc file. */
static bool is_in(pid_t pid, const char *part)
{
	struct err e = { 0 };
	GUARD(mem) char *path = mem_printf("/proc/%d/cgroup", (int)pid);
	GUARD_BUF struct buf text = { 0 };
	MUST(io_read_file(AT_FDCWD, path, 1 << 16, &text, &e));
	return strstr(buf_str(&text), part) != NULL;
}

START_TEST(members_are_killed_not_moved)
{
	struct bench b;
	struct err e = { 0 };
	struct node_cgroup *c = NULL;
	const struct cgroup_limits limits = { .memory = 32 << 20, .pids = 7, .cpu = 50 };
	TEST_NEEDS_ROOT();
	if (no_v1())
		TEST_SKIP("no v1 hierarchies");
	bench_open(&b);
	MUST(cgroup_node_create(&c, b.owner, "web", &limits, &e));
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			(void)pause();
	MUST(cgroup_node_attach(c, pid, &e));
	ck_assert(is_in(pid, owner_tag(b.owner)));
	ck_assert_uint_eq(cgroup_node_destroy(c, &e), 0);
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	bench_close(&b);
}
END_TEST

static const struct {
	struct cgroup_limits limits;
	int exit;
	const char *says;
} refused[] = {
	{ { .memory = 100 }, EXIT_BAD_SCENARIO, "less than a page" },
	{ { .memory = 32 << 20, .cpu = 0.5 }, EXIT_BAD_SCENARIO, "1%" },
	{ { .memory = 32 << 20, .pids = UINT64_MAX / 2 }, EXIT_HARNESS, "backout-" },
};

START_TEST(a_refused_limit_leaves_nothing)
{
	struct bench b;
	struct err e = { 0 };
	struct node_cgroup *c = NULL;
	TEST_NEEDS_ROOT();
	if (no_v1())
		TEST_SKIP("no v1 hierarchies");
	bench_open(&b);
	ck_assert_int_eq(cgroup_node_create(&c, b.owner, "web", &refused[_i].limits, &e), -1);
	ck_assert_int_eq(e.exit, refused[_i].exit);
	ck_assert_msg(strstr(e.why, refused[_i].says) != NULL, "%s", e.why);
	ck_assert_ptr_null(c);
	ck_assert_uint_eq(bench_groups(owner_tag(b.owner)), 0);
	bench_close(&b);
}
END_TEST

Suite *suite_cgroup(void);
Suite *suite_cgroup(void)
{
	Suite *s = suite_create("cgroup");
	TCase *t = tcase_create("cgroup");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, mode_agrees_with_what_is_mounted);
	tcase_add_test(t, limits_are_set_and_groups_go);
	tcase_add_test(t, equal_names_get_groups_of_their_own);
	tcase_add_test(t, members_are_killed_not_moved);
	tcase_add_loop_test(t, a_refused_limit_leaves_nothing, 0,
			    sizeof(refused) / sizeof(refused[0]));
	suite_add_tcase(s, t);
	return s;
}
