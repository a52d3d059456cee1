/* SPDX-License-Identifier: MIT */
/*
 * What a workflow changes in a node that is in none of its files: mounts and what lies on them,
 * the host's name, addresses and routes, settings below /proc/sys and /sys. No copy of a state
 * carries it and no name of a state tells it, so a point behind such a change stands for itself
 * alone and is drilled from the start.
 */
#ifndef BACKOUT_ENGINE_OUTSIDE_H
#define BACKOUT_ENGINE_OUTSIDE_H

#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/base/hash.h"
#include "harness/sandbox/node.h"
#include "harness/sandbox/upper.h"

/* Of one node; all zero in the beginning. */
struct outside {
	char net[HASH_TEXT]; /* addresses and routes at the first look */
	bool looked;
	const char *why; /* a constant text; NULL: nothing yet */
};

/* At each point, before its call is made; the answer is in o->why and stays. */
int outside_look(struct outside *o, const struct node *n, const struct upper_size *size,
		 struct err *e);
/* The call of this point is made now. */
void outside_pass(struct outside *o, const char *key);

#endif
