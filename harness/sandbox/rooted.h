/* SPDX-License-Identifier: MIT */
/* Opening files below a root that is not ours, so that no link in it leads out of it. */
#ifndef BACKOUT_SANDBOX_ROOTED_H
#define BACKOUT_SANDBOX_ROOTED_H

#include <stddef.h>
#include <stdint.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"

enum rooted_links {
	ROOTED_FOLLOW, /* links are resolved as a process inside would see them */
	ROOTED_REFUSE, /* a link on the way is ELOOP; the last name may be one (with O_PATH) */
};
/* openat2(2); `path` with or without its leading slash. Returns -1 with errno. */
int rooted_open(int root_fd, const char *path, int flags, enum rooted_links links);
/* Whole file, links followed inside the root. 0: absent, or a
 * folder; 1: read; -1. */
int rooted_read(int root_fd, const char *path, size_t max, struct buf *ret, struct err *e);

#endif
