/* SPDX-License-Identifier: MIT */
/*
 * Removing kernel objects that outlived their owner. Inner header of the owner: it decides what
 * is ours, this removes it.
 */
#ifndef BACKOUT_SANDBOX_OBJECTS_H
#define BACKOUT_SANDBOX_OBJECTS_H

#include "harness/base/err.h"

/* Whose object it must be for it to be removed. */
struct objects_claim {
	const char *tag;       /* "backout-PID-STARTTIME": a group's name begins with it and '-' */
	const char *state_dir; /* a loop device's file lies below it */
};

/* 1: it was there and is gone now; 0: there was none, or it is not ours (and stays); -1: it could
 * not be removed. */
int objects_remove(const struct objects_claim *claim, const char *kind, const char *name,
		   struct err *e);

/* SIGKILL to all in the control group at `path` and below, then rmdir, deepest first; tries for
 * at most two seconds. A missing one is fine (0), else 1. Needs root. */
int objects_remove_cgroup(const char *path, struct err *e);

/* SIGKILL to each process in the control group whose folder this is, not to those below it. */
void objects_kill_members(int dir);

#endif
