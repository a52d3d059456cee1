/* SPDX-License-Identifier: MIT */
/* The harness's side of a node's systemd: its start, and its default target. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/node_private.h"

enum {
	ASK_MS = 10,      /* between two questions, until there is somebody to answer */
	LIST_MAX = 65536, /* bytes of failed units, or of jobs */
	UNIT_MAX = 128,   /* bytes of a unit's name that is told */
	JOBS_MS_MAX = 2000,
};

int node_start_system(struct node *n, struct err *e)
{
	const struct msg boot = { .kind = MSG_BOOT };
	if (!n->alive || send(n->sock, &boot, sizeof(boot), MSG_NOSIGNAL) < 0)
		return ERR(e, 0, "node '%s' is down", n->spec.name);
	return 0;
}

static int systemctl(struct node *n, const char *const *argv, int64_t until, struct buf *out,
		     struct err *e)
{
	const struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	int64_t left = until - clock_now();
	buf_clear(out);
	return node_run(n, &spec, left > NS_PER_MS ? left : NS_PER_MS, out, LIST_MAX, e);
}

/* 1: the transaction of the start is done. What it says is the first word of its output. */
static int is_up(struct node *n, int64_t until, struct buf *said, struct err *e)
{
	static const char *const ask[] = { "systemctl", "is-system-running", "--wait", NULL };
	static const char *const up[] = { "running\n", "degraded\n" };
	struct err why = { 0 };
	if (systemctl(n, ask, until, said, &why) < 0) {
		if (why.code != ETIMEDOUT)
			*e = why;
		return why.code == ETIMEDOUT ? 0 : -1;
	}
	for (size_t i = 0; i < sizeof(up) / sizeof(up[0]); i++)
		if (strcmp(buf_str(said), up[i]) == 0)
			return 1;
	return 0;
}

/* With the first of the jobs that it waits for, when it answers at all. */
static int too_late(struct node *n, int64_t timeout_ns, struct buf *said, struct err *e)
{
	static const char *const jobs[] = { "systemctl", "list-jobs", "--no-legend", "--no-pager",
					    NULL };
	struct err ignored = { 0 };
	char job[UNIT_MAX] = "an answer";
	if (systemctl(n, jobs, clock_now() + JOBS_MS_MAX * NS_PER_MS, said, &ignored) == 0)
		(void)sscanf(buf_str(said), "%*s %127s", job);
	return ERR(e, ETIMEDOUT,
		   "systemd of node '%s' has not reached its default target within %lld ms: it "
		   "waits for %s",
		   n->spec.name, (long long)(timeout_ns / NS_PER_MS), job);
}

int node_system_wait(struct node *n, int64_t timeout_ns, struct buf *failed, struct err *e)
{
	static const char *const list[] = { "systemctl", "list-units",  "--state=failed",
					    "--plain",   "--no-legend", "--no-pager",
					    NULL };
	const int64_t until = clock_now() + timeout_ns;
	const bool never = false;
	GUARD_BUF struct buf said = { 0 };
	int up;
	while ((up = is_up(n, until, &said, e)) == 0) {
		if (clock_now() >= until)
			return too_late(n, timeout_ns, &said, e);
		if (loop_wait(n->loop, &never, clock_now() + ASK_MS * NS_PER_MS, e) < 0)
			return -1;
	}
	if (up < 0 || systemctl(n, list, until, &said, e) < 0)
		return -1;
	for (const char *p = buf_str(&said); *p != '\0';) {
		size_t line = strcspn(p, "\n"), name = strcspn(p, " \n");
		buf_add(failed, p, name);
		buf_putc(failed, '\n');
		p += line + (p[line] == '\n');
	}
	/* Its own mounts are part of what every such node has. */
	char pid[16];
	(void)snprintf(pid, sizeof(pid), "%d", (int)n->init);
	return node_count_mounts(pid, &n->ready.mounts, e);
}
