/* SPDX-License-Identifier: MIT */
/*
 * A node's control groups, below what cgroup_base.h says is ours to write in. A group is named
 * TAG-NAME-PID.N, so that nodes of one name in drills side by side have groups of their own.
 *
 *	the tree    where the node's processes are: its init, and below it the groups "workflow" and
 *	            "services". In v2 wherever that is mounted, also without controllers; else in
 *	            v1's freezer. Freezing, and killing all of a group at once
 *	the limits  on a controller's v1 hierarchy where it has one, by libcgroup (cgroup_v1.c),
 *else on the tree's v2 group. Those are written as files: libcgroup 2 and 3 switch controllers on
 *from the root of the mount down, where systemd is the one writer
 *
 * Memory is always counted where a controller does, the others where they are limited. Needs root.
 */
#ifndef BACKOUT_SANDBOX_CGROUP_H
#define BACKOUT_SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/sandbox/hierarchy.h"
#include "harness/sandbox/owner.h"

struct cgroup_limits {
	uint64_t memory;            /* bytes; 0: none */
	uint64_t pids;              /* 0: none */
	double cpu;                 /* percent of one processor; 0: none */
	uint64_t swap;              /* bytes beside memory, which has to be limited, too */
	const char *cpus;           /* processors it may run on, "0-2,5"; NULL: all */
	uint64_t io_read, io_write; /* bytes per second; 0: none */
	const char *io_of;          /* a path on the disk that io is limited on */
	bool managed;               /* the node's own init makes groups in its v2 tree, which has
				       to be there: nothing of ours sits in its root then */
};

enum cgroup_mode cgroup_mode(void);
/* NULL when this host can set `what` ("memory", "swap", "pids", "cpu", "cpus", "io"), or do it
 * ("freeze"); else the reason. Looks, and changes nothing. */
const char *cgroup_unsupported(const char *what);

enum cgroup_part {
	CGROUP_NODE,
	CGROUP_WORKFLOW,
	CGROUP_SERVICES,
	CGROUP_PROBES, /* of managed ones alone: else probes are in CGROUP_NODE itself */
	CGROUP_PARTS
};

struct node_cgroup;
/* Makes the groups, sets the limits and reads them back. Nothing is left on failure (exit 65: no
 * node could live with that limit; 69: this host cannot set it). Where no group can be made and no
 * limit is asked for, an object that does nothing: cgroup_node_notice() says why. */
int cgroup_node_create(struct node_cgroup **ret, struct owner *owner, const char *name,
		       const struct cgroup_limits *limits, struct err *e);
const char *cgroup_node_notice(const struct node_cgroup *c); /* NULL: nothing to say */
/* The folder of that group in the tree, -1: there is no tree. The object's, do not close. `v2`: fit
 * for CLONE_INTO_CGROUP; else a process writes "0" into its cgroup.procs. */
int cgroup_node_dir(const struct node_cgroup *c, enum cgroup_part part, bool *v2);
/* Into all groups but a v2 tree's, where it has begun. */
int cgroup_node_attach(struct node_cgroup *c, pid_t pid, struct err *e);
/* Between two lives: the groups that the node's own init made are removed, those of ours that it
 * removed are made again, and no controller is on for those below; its next init finds the tree as
 * the first one did. */
int cgroup_node_clear(struct node_cgroup *c, struct err *e);
/* The pids (in the harness's namespace) of all in the group of this name, wherever it lies in the
 * node's v2 tree, and in those below it; 0: there is no such group, or nothing in it. */
size_t cgroup_node_members(const struct node_cgroup *c, const char *name, pid_t *pids, size_t max);
/* Returns how many groups could not be removed (retries for a second: dying tasks). NULL-safe. */
unsigned cgroup_node_destroy(struct node_cgroup *c, struct err *e);

/* Waits until all of them stand (or go on): two seconds at most (ETIMEDOUT, and they go on). Frozen
 * ones of v1 ignore SIGKILL; those of v2 die. */
int cgroup_node_freeze(const struct node_cgroup *c, enum cgroup_part part, bool frozen,
		       struct err *e);
/* SIGKILL to all in it, at once: no fork escapes. CGROUP_NODE's are init and all below it. */
int cgroup_node_kill(struct node_cgroup *c, enum cgroup_part part, struct err *e);

/* What the node has used; UINT64_MAX where this host does not count it. */
struct cgroup_use {
	uint64_t memory_peak;         /* bytes, since the last cgroup_node_anew() */
	uint64_t memory_hits;         /* times the limit was hit; v1 may not count it */
	uint64_t memory_kills;        /* processes killed for it */
	uint64_t cpu;                 /* ns of processor time */
	uint64_t io_read, io_written; /* bytes, from and to disks */
};
void cgroup_node_use(const struct node_cgroup *c, struct cgroup_use *ret);
/* Those killed for the node's own limit of memory since the last call, or since its making: how
 * many, and what is known of them ("tail (pid 12 of the host)", else "a process"). 0: none, or it
 * has no such limit. */
unsigned cgroup_node_killed(struct node_cgroup *c, char *ret, size_t size);
/* The peak begins anew; false: this kernel cannot (v2 before Linux 6.12). */
bool cgroup_node_anew(struct node_cgroup *c);

#endif
