/* SPDX-License-Identifier: MIT */
/* A picture of this host, as text: what a drill must leave as it was. */
#ifndef TESTS_DRILL_HOST_PICTURE_H
#define TESTS_DRILL_HOST_PICTURE_H

#include "harness/base/buf.h"

/* Control groups, mounts, network links and namespaces in use, processes called backout*, loop
 * devices with their files, and the file names below `dir`. Sorted within each. */
void host_picture(struct buf *ret, const char *dir);
/* Waits (bounded) until no process called backout* is left but those of `before`'s picture. */
void host_settle(void);
/* Aborts the test with the differing lines. */
void host_same(const struct buf *before, const struct buf *after, const char *when);

#endif
