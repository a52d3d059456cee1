/* SPDX-License-Identifier: MIT */
/* The strikes of a sweep: their names on the command line, and the fault that each is at a point.
 */
#ifndef BACKOUT_ENGINE_SWEEP_STRIKE_H
#define BACKOUT_ENGINE_SWEEP_STRIKE_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/model/plan.h"

/* What is left of the workflow behind the strike: decides whether a kept state can stand for it. */
enum strike_leaves {
	LEAVES_MEMORY,  /* some of the workflow lives on: state on disk is not all */
	LEAVES_WRITTEN, /* what the nodes have written, and their services */
	LEAVES_BOOTED,  /* what the node has written to disk, and it boots again */
	LEAVES_DURABLE, /* what of that was durable */
};

struct sweep_strike {
	const char *word;  /* "kill": in names of drills */
	char *inject;      /* JSON of the fault's `inject`; sweep_strike_free() */
	const char *extra; /* JSON members behind it, "" or ",..." */
	enum strike_leaves leaves;
	bool needs_call; /* strikes only where a system call is held */
};

/* Exit 64 for a text that is none, with what there is. */
int sweep_strike_parse(struct sweep_strike *ret, const char *text, const struct plan *plan,
		       struct err *e);
/* Exit 64 when there is nothing for it to strike at this kind of points. */
int sweep_strike_fits(const struct sweep_strike *s, const char *points, struct err *e);
/* Would it make a fault at all? Exit 64 with what is wrong in --strike, before anything runs. */
int sweep_strike_try(const struct sweep_strike *s, struct plan_doc *doc, const struct plan *plan,
		     struct err *e);
/* Behind it a state on disk is all there is, which a copy can stand for. */
bool sweep_strike_leaves_state(const struct sweep_strike *s);
/* Points that leave the same state, or have the same durable, are the same. */
bool sweep_strike_merges(const struct sweep_strike *s);
void sweep_strike_free(struct sweep_strike *s);

/* Where a fault strikes. */
struct strike_place {
	bool in_rollback;
	const char *step; /* name */
	const char *key;  /* of the point; an edge of the step by its key, see recorder.h */
};
/* The fault's JSON text; `name` is the whole name. */
void sweep_strike_fault(const struct sweep_strike *s, const char *name,
			const struct strike_place *at, struct buf *out);

/* Both in one drill, in this order. */
void sweep_strike_pair(const struct sweep_strike *s, const char *name,
		       const struct strike_place *first, const struct strike_place *second,
		       struct buf *out);

#endif
