/* SPDX-License-Identifier: MIT */
/*
 * Processes of the harness live in nodes: init, and each program until its exec. /proc shows root
 * there what files they run from (exe, map_files), and lets it open them: so none of these may be a
 * file of the host. Program, C library and loader become memory of the process, in place; an exec
 * of a copy would do, too, but load all libraries a second time. Init does without the others.
 */
#ifndef BACKOUT_SANDBOX_OWNFILE_H
#define BACKOUT_SANDBOX_OWNFILE_H

#include "harness/base/err.h"

/* Once, in a process of one thread, before any node is made; forks have it from there. Its exe is
 * then an empty sealed file in memory. -1: not on this system; all goes on from the files. */
int ownfile_leave(struct err *e);

/* In a node's init, with /proc, before anything of the node runs: all else that is mapped from
 * files and the harness's environment are gone. From here on the C library alone, _exit() and
 * _Fork(). */
int ownfile_drop(struct err *e);

#endif
