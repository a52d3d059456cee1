/* SPDX-License-Identifier: MIT */
/*
 * What is ours on this host. A harness process that makes drills holds one owner: a folder
 * STATE/owners/backout-PID-STARTTIME/ with
 *	lock     held by flock(2) for the process's life: it is alive while locked
 *	objects  one line per kernel object that outlives processes, written before the object is
 *	         made: "+cgroup /sys/fs/cgroup/memory/backout-....", "+loop /dev/loop3", and the
 *	         same with "-" once it is gone. Not fsynced: a file's pages outlive the death of a
 *	         process, and what they name does not outlive the kernel that holds them
 *	work/    uppers, sockets, temporary trees of its drills
 * owner_collect() removes what dead owners left. What does not carry an owner's tag is never
 * touched. Needs root.
 *
 * A forked drill process shares its parent's owner: it may register objects, and as long as it
 * lives the folder counts as alive, for the lock belongs to the shared open file.
 */
#ifndef BACKOUT_SANDBOX_OWNER_H
#define BACKOUT_SANDBOX_OWNER_H

#include <stddef.h>

#include "harness/base/err.h"

struct owner;

/* `state_dir` is made when missing (exit 69 when it cannot be written). */
int owner_create(struct owner **ret, const char *state_dir, struct err *e);
/* Removes what is still registered and its folder; returns the count of objects that could not be
 * removed (then the folder stays for owner_collect). NULL-safe. Only the process that created it
 * removes anything: a forked child's call just frees memory. */
unsigned owner_destroy(struct owner *o, struct err *e);
const char *owner_tag(const struct owner *o); /* "backout-PID-STARTTIME" */
const char *owner_state_dir(const struct owner *o);
const char *owner_work_dir(const struct owner *o); /* absolute */

/* Before making an object; after it is gone again. `kind`: "cgroup" or "loop". */
int owner_register(struct owner *o, const char *kind, const char *name, struct err *e);
int owner_release(struct owner *o, const char *kind, const char *name, struct err *e);

typedef void (*owner_report_fn)(void *arg, const char *kind, const char *name, const char *tag);
/* Collect what dead owners left under this state folder; `report` (may be NULL) is told each
 * object that it removes, and the folder itself as "folder". Returns how many were removed, or -1
 * (what could be removed is removed all the same). Never touches a live owner's. */
int owner_collect(const char *state_dir, owner_report_fn report, void *arg, struct err *e);

#endif
