/* SPDX-License-Identifier: MIT */
/* What the upper_*.c files share. No other file includes this. */
#ifndef BACKOUT_SANDBOX_UPPER_INTERNAL_H
#define BACKOUT_SANDBOX_UPPER_INTERNAL_H

#include <stddef.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/sandbox/upper.h"

#define UPPER_INDEX "index"
enum { UPPER_INDEX_TEMPORARY = '#' /* so begin the names of what the kernel works on in there */ };

/* Each part of the written state: its name in a copy, and its open folder, which stays ours. */
typedef int (*upper_fn)(void *arg, const char *name, int fd, struct err *e);
int upper_each(const struct node *n, upper_fn fn, void *arg, struct err *e);

/* A folder below the work folder of a node that is on no disk: a descriptor, the caller's. */
int upper_open(const struct node *n, const char *below, struct err *e);

struct upper_mounts {
	size_t count;
	struct buf others; /* mount points that are not every node's, a line each; buf_free() */
	bool changed;      /* there are others, or one of every node's is gone */
};
int upper_mounts(const struct node *n, struct upper_mounts *ret, struct err *e);

#endif
