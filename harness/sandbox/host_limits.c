/* SPDX-License-Identifier: MIT */
/* Tries what control groups do for nodes. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/io.h"
#include "harness/sandbox/cgroup.h"
#include "harness/sandbox/cgroup_base.h"
#include "harness/sandbox/host_tests.h"

/* A real group with the limit, made and removed as a node's would be. */
static int try_limit(const struct host_test *t, const char *what,
		     const struct cgroup_limits *limits, struct err *e)
{
	const char *why = cgroup_unsupported(what);
	if (why != NULL)
		return LACKS(e, 0, "%s", why);
	if (host_need_state(t, e) < 0)
		return -1;
	struct node_cgroup *group = NULL;
	int result = cgroup_node_create(&group, t->owner, "doctor", limits, e);
	if (cgroup_node_destroy(group, e) > 0)
		result = -1;
	if (result == 0)
		SAY(t, "set and read back (cgroup %s%s)", cgroup_mode_name(cgroup_mode()),
		    cgroup_base_systemd() ? ", a scope of systemd's" : "");
	return result;
}

int host_test_CGROUP_MEMORY(const struct host_test *t, struct err *e)
{
	return try_limit(t, "memory", &(struct cgroup_limits){ .memory = 64 << 20 }, e);
}

int host_test_CGROUP_PIDS(const struct host_test *t, struct err *e)
{
	return try_limit(t, "pids", &(struct cgroup_limits){ .pids = 64 }, e);
}

int host_test_CGROUP_CPU(const struct host_test *t, struct err *e)
{
	return try_limit(t, "cpu", &(struct cgroup_limits){ .cpu = 50 }, e);
}

int host_test_CGROUP_SWAP(const struct host_test *t, struct err *e)
{
	const struct cgroup_limits limits = { .memory = 64 << 20, .swap = 64 << 20 };
	return try_limit(t, "swap", &limits, e);
}

int host_test_CGROUP_CPUS(const struct host_test *t, struct err *e)
{
	return try_limit(t, "cpus", &(struct cgroup_limits){ .cpus = "0" }, e);
}

int host_test_CGROUP_IO(const struct host_test *t, struct err *e)
{
	if (host_need_state(t, e) < 0)
		return -1;
	const struct cgroup_limits limits = { .io_read = 64 << 20,
					      .io_write = 64 << 20,
					      .io_of = owner_work_dir(t->owner) };
	return try_limit(t, "io", &limits, e);
}

/* A process is frozen in a group below the node's, and killed with all of the node's. */
static int freeze_one(struct node_cgroup *c, struct err *e)
{
	bool v2;
	int dir = cgroup_node_dir(c, CGROUP_WORKFLOW, &v2), status = 0;
	if (dir < 0)
		return LACKS(e, 0, "%s", cgroup_node_notice(c));
	pid_t pid = fork();
	if (pid < 0)
		return LACKS(e, errno, "fork");
	if (pid == 0)
		for (;;)
			(void)pause();
	char number[16];
	(void)snprintf(number, sizeof(number), "%d", (int)pid);
	int result = io_write_knob(dir, "cgroup.procs", number, e);
	if (result == 0)
		result = cgroup_node_freeze(c, CGROUP_WORKFLOW, true, e);
	if (result < 0 || cgroup_node_kill(c, CGROUP_NODE, e) < 0) {
		(void)kill(pid, SIGKILL);
		result = -1;
	}
	(void)cgroup_node_freeze(c, CGROUP_WORKFLOW, false, e);
	(void)waitpid(pid, &status, 0);
	return result;
}

int host_test_CGROUP_INNER(const struct host_test *t, struct err *e)
{
	const struct cgroup_limits managed = { .managed = true };
	if (try_limit(t, "freeze", &managed, e) < 0)
		return -1;
	SAY(t, "groups made in a v2 tree (cgroup %s)", cgroup_mode_name(cgroup_mode()));
	return 0;
}

int host_test_CGROUP_FREEZE(const struct host_test *t, struct err *e)
{
	const char *why = cgroup_unsupported("freeze");
	if (why != NULL)
		return LACKS(e, 0, "%s", why);
	if (host_need_state(t, e) < 0)
		return -1;
	struct node_cgroup *group = NULL;
	int result =
		cgroup_node_create(&group, t->owner, "doctor", &(struct cgroup_limits){ 0 }, e);
	if (result == 0)
		result = freeze_one(group, e);
	if (cgroup_node_destroy(group, e) > 0)
		result = -1;
	if (result == 0)
		SAY(t, "frozen and killed by cgroup %s",
		    hierarchies_v2(hierarchies_own()) != NULL ? "v2" : "v1");
	return result;
}
