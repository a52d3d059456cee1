/* SPDX-License-Identifier: MIT */
/*
 * A run: controls, drills and the knock-outs that their verdicts ask for, one after another,
 * each in a process of its own; judged as they end.
 */
#ifndef BACKOUT_ENGINE_RUN_H
#define BACKOUT_ENGINE_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/base/err.h"
#include "harness/engine/session.h"

struct run_options {
	const char *scenario;
	const char *state_dir, *runs_dir;
	const char *rollback;     /* NULL: the scenario's */
	const struct pairs *vars; /* NULL: none */
	const char *fault;        /* only the fault of this name or slug; NULL: all */
	const char *seed;         /* NULL: drawn and recorded */
	bool shrink;              /* of a failing fault's strikes find the fewest that still fail */
	bool keep;                /* what the nodes of drills that did not pass have written */
	const char *dir;          /* of the run; NULL: a new one below runs_dir */
};

/* Needs root. On success (whatever the verdicts) *ret belongs to the caller: run_free().
 * `*interrupted` gets the number of the signal that ended it early, or 0. */
int run_execute(struct run **ret, const struct run_options *o, const struct run_progress *p,
		int *interrupted, struct err *e);

#endif
