/* SPDX-License-Identifier: MIT */
/*
 * A sweep: clean runs list every point of the workflow, then the same strike is drilled at each
 * of them, or once for all points that leave the same state. It leaves a run folder:
 *
 *	run.json          with "sweep": what was asked
 *	control-a/ -b/    the recordings: points.jsonl in each
 *	recordings/N/     clean runs from which states were kept, pass by pass
 *	drills/SLUG/      one a class, named after the strike and its first point: kill-p00012
 *	drills/rollback-twice/  a clean run whose rollback runs twice, where rollbacks are struck
 *	knockouts/SLUG/   their counter-proofs
 */
#ifndef BACKOUT_ENGINE_SWEEP_H
#define BACKOUT_ENGINE_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/engine/run.h"
#include "harness/model/sweep.h"
#include "harness/model/sweep_order.h"

/* What is swept; stored in run.json, and taken from there when a sweep goes on. Texts as on the
 * command line. */
struct sweep_ask {
	const char *strike;       /* kill, crash, power, errno:E, delay:D, or the name of a fault */
	const char *points;       /* calls, programs, steps */
	const char *in;           /* patch, rollback, both */
	bool no_reduce;           /* every point is drilled */
	bool no_branch;           /* every drill from the start of the workflow */
	bool pairs;               /* strike the rollback, too, that follows a strike in the patch */
	bool retry_patch;         /* run the patch again where its rollback came back */
	struct sweep_shard shard; /* total 0: all of it */
};

struct sweep_options {
	struct run_options run; /* `fault` is not used */
	struct sweep_ask ask;
	unsigned jobs;      /* drills side by side; 0: as many as processors */
	int64_t budget;     /* ns for the drills; 0: none */
	const char *resume; /* an interrupted sweep's folder, which goes on; NULL: a new one */
};

/* What a live view is told besides the run's own progress; `now` may be called often. */
struct sweep_watch {
	const struct run_progress *run;
	void (*progress)(void *arg, const struct sweep_progress *p);
	void *arg;
};

/* As run_execute(). The view has `sweep` set. */
int sweep_execute(struct run **ret, const struct sweep_options *o, const struct sweep_watch *w,
		  int *interrupted, struct err *e);

#endif
