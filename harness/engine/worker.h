/* SPDX-License-Identifier: MIT */
/* One drill in a forked process, watched through the copy of its journal. */
#ifndef BACKOUT_ENGINE_WORKER_H
#define BACKOUT_ENGINE_WORKER_H

#include <stddef.h>

#include "harness/base/err.h"
#include "harness/base/loop.h"
#include "harness/engine/drill.h"

/* Called inside the loop; may be NULL. */
struct worker_hooks {
	void (*line)(void *arg, const char *line,
		     size_t len); /* of the journal, with its newline */
	/* Its process is reaped. `died` is unset when it ended by itself, whatever its journal
	 * says. The last call. */
	void (*ended)(void *arg, const struct err *died);
	void *arg;
};

struct worker;

/* Forks: not from inside a callback of any loop. The drill's process dies with this one. */
int worker_start(struct worker **ret, struct loop *loop, const struct drill_spec *spec,
		 const struct worker_hooks *hooks, struct err *e);
void worker_signal(const struct worker *w, int signo);
void worker_free(struct worker *w); /* NULL-safe; one that runs is killed, and reaped */

#endif
