/* SPDX-License-Identifier: MIT */
/* Of a fault with several strikes whose drill fails: the fewest that still fail. Each try is a
 * drill of the run like any other, of a fault called "NAME shrunk N". */
#ifndef BACKOUT_ENGINE_RUN_SHRINK_H
#define BACKOUT_ENGINE_RUN_SHRINK_H

#include "harness/base/err.h"
#include "harness/engine/session.h"

/* Nothing for a drill that passed, or whose fault is one strike. */
int run_shrink(struct session *s, int item, struct err *e);

#endif
