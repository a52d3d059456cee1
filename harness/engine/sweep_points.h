/* SPDX-License-Identifier: MIT */
/* What two recordings say: the points of a workflow, which of them repeat, and which leave the
 * same state. */
#ifndef BACKOUT_ENGINE_SWEEP_POINTS_H
#define BACKOUT_ENGINE_SWEEP_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/hash.h"
#include "harness/base/mem.h"

struct point {
	uint64_t hash; /* point_hash() */
	const char *key, *detail, *step;
	size_t step_index;
	bool in_rollback;
	bool unstable; /* met in one of the two recordings only */
	char state[HASH_TEXT];
	const char
		*outside; /* what the workflow has changed that is in no state (outside.h); NULL */
	size_t live;      /* processes that would live on without the step */
	size_t cls;
	/* Of a pair: the class whose strike comes first, and the how-manieth point this is of the
	 * rollback behind it, from 1. */
	size_t after;
	size_t nth;
};

#define POINT_ALONE ((size_t)-1) /* `after` of a point that is no pair's */

struct point_list {
	struct point *items; /* those of the first recording in its order, then those of the second
				alone */
	size_t count;
};

/* Reads DIR/points.jsonl of both; texts live in `arena`, items are free()d. */
int point_list_read(struct point_list *ret, struct arena *arena, const char *dir_a,
		    const char *dir_b, struct err *e);
/* Hashes of what DIR/points.jsonl lists and `list` does not: how many. */
int point_list_unknown(const struct point_list *list, const char *dir, size_t *ret, struct err *e);
/* Appends what DIR/points.jsonl lists, behind a strike of class `after`; nothing where there is no
 * such file. At most `max` of them. */
int point_list_behind(struct point_list *l, struct arena *arena, const char *dir, size_t after,
		      size_t max, struct err *e);
void point_list_free(struct point_list *l); /* NULL-safe */

/* No process is held at it: a step's edge, or a line that it has printed. */
bool point_is_loose(const struct point *p);
/* Numbers each point's class and returns how many there are. `merge`: points of one section with
 * the same state (and, where a failing step is not the end of the workflow, of the same step) are
 * one; unstable ones and edges of steps never, nor those behind a change that is in no state. */
size_t point_classes(struct point_list *l, bool merge,
		     bool (*by_step)(void *arg, const struct point *p), void *arg);

#endif
