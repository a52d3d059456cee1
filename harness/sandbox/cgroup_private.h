/* SPDX-License-Identifier: MIT */
/* What cgroup.c and cgroup_use.c share. */
#ifndef BACKOUT_SANDBOX_CGROUP_PRIVATE_H
#define BACKOUT_SANDBOX_CGROUP_PRIVATE_H

#include "harness/sandbox/cgroup.h"
#include "harness/sandbox/cgroup_limits.h"
#include "harness/sandbox/cgroup_v1.h"

struct node_cgroup {
	struct owner *owner;
	unsigned serial; /* within this process */
	char *name;      /* of its groups, below the base */
	char *notice;
	bool tree_v2, managed;
	bool killed[CGROUP_PARTS]; /* see cgroup_node_dir() */
	char *tree;                /* NULL: there is none */
	int dirs[CGROUP_PARTS];
	struct v1_group *freezer[CGROUP_PARTS];
	struct {
		struct v1_group *v1; /* NULL: none, or it is the tree's */
		char *path;          /* NULL: none */
	} of[CONTROLLER_COUNT];
	int kernel_log;        /* -1: memory is not limited, or the log cannot be read */
	uint64_t memory_limit; /* bytes; 0: none */
	uint64_t memory_kills; /* that were told */
	int peak;              /* memory.peak of v2: it begins anew for this descriptor alone; -1 */
};

extern const char *const cgroup_part_names[CGROUP_PARTS]; /* folders; of the node: "" */

#endif
