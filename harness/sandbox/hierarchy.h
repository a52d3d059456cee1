/* SPDX-License-Identifier: MIT */
/*
 * Where a process stands in the control group hierarchies. The layout is a pure function of two
 * texts: a mountinfo and a /proc/PID/cgroup.
 */
#ifndef BACKOUT_SANDBOX_HIERARCHY_H
#define BACKOUT_SANDBOX_HIERARCHY_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/base/err.h"

enum { HIERARCHIES_MAX = 32 }; /* more than kernels have controllers */

enum cgroup_mode { CGROUP_NONE, CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };
const char *cgroup_mode_name(enum cgroup_mode m); /* "none" "v1" "hybrid" "v2" */

struct hierarchy {
	char *mount;       /* "/sys/fs/cgroup/memory" */
	char *group;       /* the process's below it, no slash at its ends; "": the mount itself;
			      NULL (v2 alone): it stands outside of what is mounted */
	char *controllers; /* v1: "cpu,cpuacct" or "name=systemd"; v2: "" */
	bool v2;
};

struct hierarchies {
	size_t count;
	struct hierarchy rows[HIERARCHIES_MAX];
};

/* Those that are mounted, not hidden below a later mount, and (v1) show the process's group. */
void hierarchies_parse(struct hierarchies *ret, const char *mountinfo, const char *cgroup);
void hierarchies_free(struct hierarchies *h);
void hierarchies_keep_v2(struct hierarchies *h); /* frees the others */
/* The same from /proc, of that process ("self" or its number). */
int hierarchies_of(struct hierarchies *ret, const char *pid, struct err *e);
enum cgroup_mode hierarchies_mode(const struct hierarchies *h);
/* NULL: there is none. */
const struct hierarchy *hierarchies_v1(const struct hierarchies *h, const char *controller);
const struct hierarchy *hierarchies_v2(const struct hierarchies *h);

/* Of this process, read once: what cannot be read is as good as absent. */
const struct hierarchies *hierarchies_own(void);
/* "a,b" or "a b" has this word. */
bool hierarchy_lists(const char *list, const char *word);

#endif
