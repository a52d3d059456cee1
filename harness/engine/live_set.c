/* SPDX-License-Identifier: MIT */
#include "harness/engine/live_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/engine/drill_private.h"
#include "harness/sandbox/process.h"

enum { LIVE_MAX = 4096 }; /* processes of one node */

static bool is_service(const struct drill *d, pid_t spawned)
{
	for (size_t i = 0; i < d->service_count; i++)
		if (d->services[i].proc != NULL && proc_pid(d->services[i].proc) == spawned)
			return true;
	return false;
}

/* 0: nobody's child any more; a daemon, that is. */
static bool belongs(struct drill *d, size_t node, pid_t pid)
{
	pid_t spawned = node_spawned_pid(d->nodes[node].node, pid);
	return spawned == 0 || (spawned != d->runner && is_service(d, spawned));
}

/* A fork of the node's init on its way to become a program: it has not said yet whose it is. */
static bool is_ours(pid_t pid)
{
	char path[64];
	struct stat theirs, ours;
	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return stat(path, &theirs) == 0 && stat("/proc/self/exe", &ours) == 0 &&
	       theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int live_set(struct drill *d, size_t node, struct buf *out, size_t *count, struct err *e)
{
	GUARD(mem) pid_t *pids = mem_array(LIVE_MAX, sizeof(*pids));
	int n = node_processes(d->nodes[node].node, pids, LIVE_MAX, e);
	if (n < 0)
		return -1;
	if (n > LIVE_MAX)
		return ERR(e, 0, "node '%s' has more than %d processes", d->nodes[node].plan->name,
			   LIVE_MAX);
	char **lines = mem_array((size_t)n + 1, sizeof(char *));
	size_t found = 0;
	for (int i = 0; i < n; i++) {
		struct process p;
		if (!belongs(d, node, pids[i]) || is_ours(pids[i]) || !process_read(pids[i], &p) ||
		    p.state == 'Z' || p.exe[0] == '\0')
			continue;
		lines[found++] = mem_printf("%s%s", p.exe, p.deleted ? " (deleted)" : "");
	}
	if (found > 1)
		qsort(lines, found, sizeof(*lines), by_text);
	for (size_t i = 0; i < found; i++) {
		buf_printf(out, "%s\n", lines[i]);
		free(lines[i]);
	}
	free(lines);
	*count += found;
	return 0;
}
