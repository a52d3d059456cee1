/* SPDX-License-Identifier: MIT */
/*
 * The one way to make a drill of a run: its folder with the fault as text, what its process is
 * told, its place in the run and its verdict.
 */
#ifndef BACKOUT_ENGINE_ONE_DRILL_H
#define BACKOUT_ENGINE_ONE_DRILL_H

#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/engine/drill.h"
#include "harness/engine/session.h"

/* Which drill of a run. */
struct drill_id {
	enum drill_role role;
	const struct fault_plan *fault; /* NULL: a control */
	char letter;                    /* a control's: 'a' or 'b' */
};

struct one_drill {
	struct drill_id id;
	char *label; /* its folder below the run's */
	char *dir, *name;
	struct drill_spec spec; /* for a worker; the caller may add to it */
};

/* Makes the folder, with fault.json. On success one_drill_free(); on failure nothing to free. */
int one_drill_make(struct one_drill *ret, const struct session *s, struct drill_id id,
		   struct err *e);
/* The same in a folder of that name below the run's. */
int one_drill_make_as(struct one_drill *ret, const struct session *s, struct drill_id id,
		      const char *label, struct err *e);
void one_drill_free(struct one_drill *d);
/* Runs it alone, here and now, judges it and tells the progress. Index of the item, or -1. */
int one_drill_run(struct session *s, struct one_drill *d, struct err *e);

/* All three for a drill as it is. Index of the item, or -1. */
int one_drill(struct session *s, struct drill_id id, struct err *e);
/* Does its verdict still need a counter-proof that a knock-out can give? */
bool one_drill_needs_knockout(const struct session *s, int index);
/* The drill of this fault with its knock-out, where its verdict asks for one: that is final then,
 * and of a drill that has passed nothing is kept. Index of the drill's item, or -1. */
int one_drill_proved(struct session *s, const struct fault_plan *fault, struct err *e);

#endif
