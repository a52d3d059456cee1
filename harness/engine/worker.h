/* SPDX-License-Identifier: MIT */
/* One drill in a forked process, watched through the copy of its journal. */
#ifndef BACKOUT_ENGINE_WORKER_H
#define BACKOUT_ENGINE_WORKER_H

#include <stddef.h>

#include "harness/base/err.h"
#include "harness/engine/drill.h"

/* What a live view is told; both may be NULL. A line is one of the journal, with its newline. */
struct worker_watch {
	void (*line)(void *arg, const char *line, size_t len);
	void (*tick)(void *arg); /* five times a second */
	void *arg;
};

/* Runs it to its end. SIGINT, SIGTERM and SIGHUP are passed on, and the first is stored in
 * *interrupted. The drill's process dies with this one. 0 when the process ended by itself,
 * whatever its journal says; -1 when it could not be run or died (the journal tells). */
int worker_run(const struct drill_spec *spec, const struct worker_watch *watch, int *interrupted,
	       struct err *e);

#endif
