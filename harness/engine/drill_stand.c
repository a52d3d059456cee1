/* SPDX-License-Identifier: MIT */
/* A drill that stands still, for somebody to look at it. */
#include <signal.h>

#include "harness/engine/drill_private.h"
#include "harness/engine/health.h"
#include "harness/sandbox/process.h"

enum { TREE_MAX = 1024, ROUNDS_MAX = 8 };

/* What the strike has left alive of the step must not go on: its shell would run the next command,
 * a package manager would tidy up. Once more while there are new ones: they fork. */
static void stop_tree(struct drill *d, pid_t runner)
{
	const struct drill_node *at = d->step != NULL ? drill_node(d, d->step->node) : NULL;
	size_t before = 0;
	for (int round = 0; at != NULL && runner != 0 && round < ROUNDS_MAX; round++) {
		pid_t pids[TREE_MAX];
		size_t n = process_tree(at->node, runner, pids, TREE_MAX);
		for (size_t i = 0; i < n; i++) {
			struct process p;
			struct err gone = { 0 };
			if (process_read(pids[i], &p))
				(void)process_signal(pids[i], p.start, SIGSTOP, &gone);
		}
		if (n == before)
			return;
		before = n;
	}
}

void drill_stand(struct drill *d, enum drill_stop_at at, pid_t runner)
{
	const struct drill_stop *stop = d->spec->stop;
	struct err e = { 0 };
	if (stop == NULL || stop->at != at || d->stopped)
		return;
	stop_tree(d, runner);
	int result = health_quiet(d->health, &e);
	if (result == 0)
		result = stop->fn(stop->arg, d, &e);
	if (d->stopped)
		return; /* by a signal meanwhile */
	journal_put(d->journal, EVENT_STOPPED, F_STR("why", result < 0 ? e.why : "to be looked at"),
		    F_INT("signal", 0));
	d->stopped = true;
	loop_stop(d->loop, "the drill stood still, and goes no further");
}
