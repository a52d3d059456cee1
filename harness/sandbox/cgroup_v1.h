/* SPDX-License-Identifier: MIT */
/* One group of a v1 hierarchy, by libcgroup (named in cgroup_v1.c alone): one library object per
 * controller, for one with several carries one name for all. Inner header of cgroup.c. */
#ifndef BACKOUT_SANDBOX_CGROUP_V1_H
#define BACKOUT_SANDBOX_CGROUP_V1_H

#include "harness/base/err.h"
#include "harness/sandbox/cgroup_limits.h"

struct v1_group;
/* `relative`: below the hierarchy's mount; `path`: the same, whole. The knobs are not read back.
 * After a failure there may be a folder: the caller removes it. */
int v1_group_make(struct v1_group **ret, const char *controller, const char *relative,
		  const struct knobs *knobs, struct err *e);
int v1_group_attach(struct v1_group *g, pid_t pid, struct err *e);
/* rmdir, if it is empty; the object is gone either way. NULL-safe. */
void v1_group_remove(struct v1_group *g);

#endif
