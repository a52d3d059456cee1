/* SPDX-License-Identifier: MIT */
/* The processes that belong to a node's state at a point: those that live on when the step's are
 * gone. */
#ifndef BACKOUT_ENGINE_LIVE_SET_H
#define BACKOUT_ENGINE_LIVE_SET_H

#include <stddef.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"

struct drill;

/* Appends a line for each (executable, replaced or not, how many alike), sorted, and adds their
 * number to *count: the scenario's services, and what the workflow has left running on its own. Not
 * the step's own processes, nor what probes start. */
int live_set(struct drill *d, size_t node, struct buf *out, size_t *count, struct err *e);

#endif
