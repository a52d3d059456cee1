/* SPDX-License-Identifier: MIT */
/*
 * Which drills of a sweep come first, and which shard has which: pure, so that every machine that
 * sweeps the same recording with the same seed comes to the same answer.
 */
#ifndef BACKOUT_MODEL_SWEEP_ORDER_H
#define BACKOUT_MODEL_SWEEP_ORDER_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/base/err.h"

/* Fills order[0..count) with a permutation of 0..count-1 of which every beginning is spread over
 * the whole: halves before quarters before eighths, from a place that the seed chooses. So a
 * sweep that is cut by its budget has looked everywhere. */
void sweep_order(size_t *order, size_t count, const char *seed);
/* Then, so that none is missed by a small budget: the first class of each step comes to the
 * front. `group` has count elements, by class: equal numbers are the same step. All else keeps
 * its order. */
void sweep_order_each(size_t *order, size_t count, const size_t *group);

/* --shard I/N: 1/1 up to SWEEP_SHARDS_MAX. Exit 64 for any other text. */
enum { SWEEP_SHARDS_MAX = 10000 };
struct sweep_shard {
	unsigned index, total; /* 1 <= index <= total */
};
int sweep_shard_parse(const char *text, struct sweep_shard *ret, struct err *e);
/* Of each class exactly one shard says yes. Neighbours go to different ones, so that each shard
 * is spread over the recording, too. */
bool sweep_shard_has(const struct sweep_shard *s, size_t cls);

#endif
