/* SPDX-License-Identifier: MIT */
/* A picture of this host, as text: what a drill must leave as it was. */
#ifndef TESTS_DRILL_HOST_PICTURE_H
#define TESTS_DRILL_HOST_PICTURE_H

#include "harness/base/buf.h"

/* Control groups, mounts, network links, processes of our program, loop devices on files below
 * `dir`, and the file names below it. Sorted. What carries the tag of a harness that this test
 * did not start is left out: somebody else may be drilling on this host. */
void host_picture(struct buf *ret, const char *dir);
/* Waits (bounded) until no process of our program is left. */
void host_settle(void);
/* Aborts the test with the differing lines. */
void host_same(const struct buf *before, const struct buf *after, const char *when);

#endif
