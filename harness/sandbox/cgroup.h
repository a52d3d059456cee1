/* SPDX-License-Identifier: MIT */
/*
 * A node's control group, by libcgroup (named in cgroup.c alone), under the harness's own group
 * in every v1 hierarchy it needs: memory always (it counts the peak), pids and cpu when limited.
 * One libcgroup object per controller. A group is named TAG-NAME-PID.N, so that nodes of one name
 * in drills side by side have groups of their own.
 * Limits on a pure v2 host are not offered here: cgroup_supports() says so. Needs root.
 */
#ifndef BACKOUT_SANDBOX_CGROUP_H
#define BACKOUT_SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/sandbox/owner.h"

struct cgroup_limits {
	uint64_t memory; /* bytes; 0: none */
	uint64_t pids;   /* 0: none */
	double cpu;      /* percent of one processor; 0: none */
};

enum cgroup_mode { CGROUP_NONE, CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };
enum cgroup_mode cgroup_mode(void);
const char *cgroup_mode_name(enum cgroup_mode m); /* "none" "v1" "hybrid" "v2" */
/* NULL when this host can set `what` ("memory", "pids", "cpu"); else the reason. */
const char *cgroup_unsupported(const char *what);

struct node_cgroup;
/* Makes the groups, sets the limits and reads them back. Nothing is left on failure. On a host
 * without v1 controllers and with no limit asked for, an empty object that does nothing. */
int cgroup_node_create(struct node_cgroup **ret, struct owner *owner, const char *name,
		       const struct cgroup_limits *limits, struct err *e);
int cgroup_node_attach(struct node_cgroup *c, pid_t pid, struct err *e);
/* Returns how many groups could not be removed (retries for a second: dying tasks). NULL-safe. */
unsigned cgroup_node_destroy(struct node_cgroup *c, struct err *e);
/* Peak memory in bytes, times the limit was hit; false where the kernel does not tell. */
bool cgroup_node_memory(const struct node_cgroup *c, uint64_t *peak, uint64_t *failures);

#endif
