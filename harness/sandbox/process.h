/* SPDX-License-Identifier: MIT */
/* Reading processes from /proc by host pid: who, what, whose child. */
#ifndef BACKOUT_SANDBOX_PROCESS_H
#define BACKOUT_SANDBOX_PROCESS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/sandbox/node.h"

struct process {
	pid_t pid, parent;
	uint64_t start;     /* ticks since boot: tells two holders of one pid apart */
	char state;         /* as in /proc/PID/stat: R S D T Z ... */
	char exe[PATH_MAX]; /* inside the node, without " (deleted)"; "" for a zombie */
	bool deleted;
};

/* false when it is gone. */
bool process_read(pid_t host_pid, struct process *ret);
/* All descendants of `root` (and itself) by parentage; returns the count (at most max). */
size_t process_tree(const struct node *n, pid_t root, pid_t *ret, size_t max);
/* The oldest process of the node that runs `exe` (path inside; pattern as in state_path_match)
 * and is not about to start another program (`except`); 0: none. */
pid_t process_oldest(const struct node *n, const char *exe, pid_t except);
/* pidfd_open + pidfd_send_signal: never the wrong process. */
int process_signal(pid_t host_pid, uint64_t start, int signo, struct err *e);

#endif
