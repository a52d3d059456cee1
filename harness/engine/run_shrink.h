/* SPDX-License-Identifier: MIT */
/* Of a fault with several strikes whose drill fails: the fewest that still fail. Each try is a
 * drill of the run like any other, of a fault called "NAME shrunk N". */
#ifndef BACKOUT_ENGINE_RUN_SHRINK_H
#define BACKOUT_ENGINE_RUN_SHRINK_H

#include "harness/base/err.h"
#include "harness/engine/session.h"

/* Makes the drill, and its knock-out where one is asked for. Index of the item, or -1. */
typedef int (*run_drill_fn)(struct session *s, const struct fault_plan *f, struct err *e);

/* Nothing for a drill that passed, or whose fault is one strike. */
int run_shrink(struct session *s, int item, run_drill_fn drill, struct err *e);

#endif
