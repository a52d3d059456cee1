/* SPDX-License-Identifier: MIT */
/* Limits as the files of control groups hold them: one table for both versions. Inner header of
 * cgroup*.c. */
#ifndef BACKOUT_SANDBOX_CGROUP_LIMITS_H
#define BACKOUT_SANDBOX_CGROUP_LIMITS_H

#include "harness/base/err.h"
#include "harness/sandbox/cgroup.h"
#include "harness/sandbox/hierarchy.h"

enum { KNOBS_MAX = 2, KNOB_TEXT_MAX = 1200 };

struct knob {
	const char *file;
	char value[KNOB_TEXT_MAX];
	bool optional; /* kernels may lack it, and then it is left out */
};

enum controller_id { MEMORY, PIDS, CPU, CPUSET, IO, CONTROLLER_COUNT };

/* What one controller is asked for, in the order of writing; count 0: nothing. */
struct knobs {
	size_t count;
	struct knob items[KNOBS_MAX];
};

/* "memory" of v2, "blkio" of v1. */
const char *cgroup_controller_name(enum controller_id id, bool v2);
/* `parent`: the folder of the group below which the new one goes; not read where nothing is
 * asked for. */
int cgroup_knobs(enum controller_id id, const struct cgroup_limits *l, bool v2, const char *parent,
		 struct knobs *ret, struct err *e);
/* Does the group at `dir` hold it? By reading the file. */
int cgroup_knob_held(const char *dir, const struct knob *k, struct err *e);
/* "0-2,5" in the kernel's own writing; -1: not a list of processors. */
int cgroup_cpus(const char *text, char *ret, size_t size);
/* "253:0", the whole disk below the file system that `path` is on; exit 69 where none backs it. */
int cgroup_disk_of(const char *path, char ret[32], struct err *e);

#endif
