/* SPDX-License-Identifier: MIT */
/* Several rollback plans of one patch, each swept at the same points: one row a plan. */
#ifndef BACKOUT_MODEL_SWEEP_PLAN_H
#define BACKOUT_MODEL_SWEEP_PLAN_H

#include "harness/model/sweep.h"

struct sweep_plan_row {
	const char *rollback; /* the plan's name */
	int to;               /* enum rollback_to: where it ends */
	const char *dir;      /* its run folder, as the reader can type it */
	size_t points, drilled, passed;
	size_t points_of[OUTCOME_COUNT]; /* passed or not */
	size_t groups;                   /* of points that did not pass */
	struct sweep_times recovery;
	bool complete;
	const char *cut;   /* why it is not complete; NULL */
	const char *worst; /* label of the first drill of the first group; NULL: none */
};

/* Borrows its texts. */
void sweep_plan_row(struct sweep_plan_row *ret, const struct rollback_plan *rollback,
		    const char *dir, const struct sweep *s);
/* The plan that passes at the greatest share of the points drilled; of several the one whose
 * recovery is shortest at 95 %, then the first. `count`: none drilled anything. */
size_t sweep_plan_best(const struct sweep_plan_row *rows, size_t count);

#endif
