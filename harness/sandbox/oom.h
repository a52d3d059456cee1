/* SPDX-License-Identifier: MIT */
/*
 * Whom the kernel killed for a control group's memory limit, by the kernel's own log: the groups
 * themselves only count. A container may not be let read it, and the kernel leaves lines out when
 * there are many: what is not known is not named.
 */
#ifndef BACKOUT_SANDBOX_OOM_H
#define BACKOUT_SANDBOX_OOM_H

#include <stdbool.h>
#include <stddef.h>

/* At the log's end, so that what comes from now on is read; -1: no log can be read. */
int oom_open(void);
/* "name (pid 12 of the host), ..." of those killed for the limit of the group whose folder is
 * called `group`, since oom_open() or the last call. Returns how many it names. */
unsigned oom_victims(int fd, const char *group, char *ret, size_t size);

/* One line of the log as /dev/kmsg gives it; false: it tells of no kill for that group's limit. */
bool oom_line(const char *line, const char *group, char *ret, size_t size);

#endif
