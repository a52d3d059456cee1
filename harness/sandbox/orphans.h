/* SPDX-License-Identifier: MIT */
/*
 * Control groups whose owner's state folder is gone as well, so that only their name tells whose
 * they were: "backout-PID-STARTTIME-NAME-PID.N". They are looked for, by name, below our own group
 * in every hierarchy, and below its siblings (a killed harness may have been in one of those).
 *
 * A group is removed only when no process of this host is that owner, or the process that made the
 * group, by the numbers of any PID namespace. Siblings are left alone where this cannot be known:
 * in a PID namespace that does not see all of the host. And only when it is empty: nothing is
 * killed by its name. Needs root.
 */
#ifndef BACKOUT_SANDBOX_ORPHANS_H
#define BACKOUT_SANDBOX_ORPHANS_H

#include "harness/base/err.h"
#include "harness/sandbox/owner.h"

/* As owner_collect(), of which the groups in `state_dir` are left to it. `left` is told of those
 * that would be removed if they had no processes; NULL: nobody. */
int orphans_collect(const char *state_dir, owner_report_fn report, owner_report_fn left, void *arg,
		    struct err *e);

#endif
