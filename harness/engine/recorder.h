/* SPDX-License-Identifier: MIT */
/*
 * The recorder of a clean run: every point that the workflow meets goes to points.jsonl in the
 * drill's folder, with a name for the state that the nodes have at it. It can also offer points
 * to its parent, which may ask for a copy of that state (see offer.h). A NULL recorder does
 * nothing.
 */
#ifndef BACKOUT_ENGINE_RECORDER_H
#define BACKOUT_ENGINE_RECORDER_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/base/err.h"
#include "harness/sandbox/filter.h"
#include "harness/sandbox/node.h"

#define POINTS_FILE "points.jsonl"
#define PREFIX_FILE "journal.prefix"
enum { PREFIX_MAX = 64 << 20 }; /* bytes of it */

/* The keys of a step's edges. */
#define POINT_STEP_STARTS "step starts"
#define POINT_STEP_ENDS   "step ends"
/* Behind it the how-manieth line of the step. */
#define POINT_LINE "line "

struct drill;
struct recorder;

/* What to record; kinds 0: nothing. */
struct record_spec {
	unsigned kinds; /* enum point_kinds */
	bool steps;     /* the start and the end of each step are points */
	bool lines;     /* what it prints, line by line; it runs on meanwhile */
	bool in_patch, in_rollback;
	bool power;   /* the state is what the power's loss would leave of the step's node */
	int offer_fd; /* the wanted points are offered there; -1: none are */
	/* Names the states of, and offers, only points whose key is among these hashes
	 * (point_hash()), sorted; NULL: names all, and offers none. */
	const uint64_t *wanted;
	size_t wanted_count;
};

/* Names a point among all of a workflow. */
uint64_t point_hash(bool in_rollback, size_t step, const char *key);
void point_hashes_sort(uint64_t *hashes, size_t count);
bool point_hashes_have(const uint64_t *sorted, size_t count, uint64_t hash);

int recorder_create(struct recorder **ret, struct drill *d, struct err *e);
void recorder_destroy(struct recorder *r); /* NULL-safe */
/* Are steps of this section recorded? Those of the other may be watched for a strike. */
bool recorder_records(const struct recorder *r, bool in_rollback);
/* Around each step, in this order. */
int recorder_enter(struct recorder *r, bool in_rollback, size_t index, struct err *e);
const struct filter *recorder_filter(struct recorder *r);
int recorder_started(struct recorder *r, struct proc *step, struct err *e);
int recorder_leave(struct recorder *r, struct err *e);
/* The step has printed a line. */
void recorder_line(struct recorder *r, const char *text);
/* How long the workflow has been held for copies, ns: a step's time does not count it. */
int64_t recorder_held(const struct recorder *r);
/* The drill's workflow is over: closes the list and journals it. */
int recorder_end(struct recorder *r, struct err *e);

#endif
