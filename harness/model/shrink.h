/* SPDX-License-Identifier: MIT */
/*
 * Shrinking: of faults that fail together, the few that still do. Zeller's and Hildebrandt's
 * delta debugging, behind a try of each alone; deterministic, and no subset is tried twice.
 */
#ifndef BACKOUT_MODEL_SHRINK_H
#define BACKOUT_MODEL_SHRINK_H

#include <stdbool.h>
#include <stddef.h>

enum { SHRINK_SET_MAX = 256 };

/* Does this subset (ascending indices into the caller's faults) still fail? 1: yes, 0: no, -1:
 * could not be tried, which ends the shrinking. */
typedef int (*shrink_fails)(void *arg, const size_t *subset, size_t n);

struct shrink_result {
	size_t calls; /* of `fails` */
	/* None of those left can be spared: every one was left out, and then it did not fail. False
	 * when the budget or a -1 ended it before; the set still is one that fails. */
	bool minimal;
	bool broken; /* `fails` said -1 */
};

/* Shrinks set[0..*n) in place; it must be ascending, at most SHRINK_SET_MAX, and known to fail as
 * a whole (this is not tried again). `budget`: calls of `fails` at most. */
void shrink(size_t *set, size_t *n, size_t budget, shrink_fails fails, void *arg,
	    struct shrink_result *ret);

#endif
