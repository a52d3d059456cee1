/* SPDX-License-Identifier: MIT */
/* The extended attributes of one name in a folder: of a link itself, not of what it points to. */
#ifndef BACKOUT_SANDBOX_XATTRS_H
#define BACKOUT_SANDBOX_XATTRS_H

#include <stddef.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"

/* Values in the order of the names' bytes. -1 ends it. */
typedef int (*xattr_fn)(void *arg, const char *name, const struct buf *value, struct err *e);
/* A file system without attributes has none; a file that is gone, too. `name` may be ".". */
int xattrs_each(int dirfd, const char *name, xattr_fn fn, void *arg, struct err *e);
int xattrs_set(int dirfd, const char *name, const char *attr, const struct buf *value,
	       struct err *e);

#endif
