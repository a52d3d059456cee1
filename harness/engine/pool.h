/* SPDX-License-Identifier: MIT */
/*
 * Drills side by side: one loop over their processes, and the signals that end all of them.
 * SIGINT, SIGTERM and SIGHUP are passed on once, for the drills to end in good order; a second
 * one kills their processes, which takes all that they made with them.
 */
#ifndef BACKOUT_ENGINE_POOL_H
#define BACKOUT_ENGINE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/loop.h"
#include "harness/engine/worker.h"

struct pool;

/* `tick` (may be NULL) is called five times a second. The first signal that came is stored in
 * *interrupted, which stays the caller's. */
int pool_create(struct pool **ret, void (*tick)(void *arg), void *arg, int *interrupted,
		struct err *e);
void pool_destroy(struct pool *p); /* NULL-safe; kills what runs */
/* Not from inside a hook. `spec` is needed until it returns; what it points to until the end. */
int pool_start(struct pool *p, const struct drill_spec *spec, const struct worker_hooks *hooks,
	       struct err *e);
size_t pool_running(const struct pool *p);
struct loop *pool_loop(struct pool *p);
/* Something for the caller to look at has come: for its own callbacks on the pool's loop. */
void pool_wake(struct pool *p);
/* Until a drill has ended, pool_wake(), a signal, or `deadline`. */
int pool_turn(struct pool *p, int64_t deadline, struct err *e);
/* One drill alone, to its end. -1 when it could not be run, or died. */
int pool_run(struct pool *p, const struct drill_spec *spec,
	     void (*line)(void *arg, const char *line, size_t len), void *arg, struct err *e);

#endif
