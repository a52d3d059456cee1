/* SPDX-License-Identifier: MIT */
/* Where this process stands in the control group hierarchies: read once, from /proc/self. */
#ifndef BACKOUT_SANDBOX_HIERARCHY_H
#define BACKOUT_SANDBOX_HIERARCHY_H

#include <stdbool.h>

struct hierarchy {
	char *mount; /* "/sys/fs/cgroup/memory" */
	char *group; /* our own group below it, no slash at its ends; "": the mount itself */
};

/* The v1 hierarchy with this controller; NULL: there is none, or we stand outside of what is
 * mounted. */
const struct hierarchy *hierarchy_v1(const char *controller);
bool hierarchy_has_v1(void); /* any v1 controller at all */
bool hierarchy_has_v2(void);

#endif
