/* SPDX-License-Identifier: MIT */
/* What the sweep_*.c files share; nobody else includes this. */
#ifndef BACKOUT_ENGINE_SWEEP_PRIVATE_H
#define BACKOUT_ENGINE_SWEEP_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/engine/one_drill.h"
#include "harness/engine/recorder.h"
#include "harness/engine/session.h"
#include "harness/engine/sweep.h"
#include "harness/engine/sweep_points.h"
#include "harness/engine/sweep_strike.h"
#include "harness/model/state_delta.h"

enum {
	SWEEP_NOTES_MAX = 64,
	SWEEP_KEPT_MAX = 20, /* drills whose nodes' states are kept */
};

/* Points that are drilled together. */
struct swept {
	size_t first, points;
	enum sweep_how how;
	const char *why;
	const struct fault_plan *fault;
	int item;   /* of the run; -1: not drilled yet */
	int again;  /* the same strike from the start of the workflow; -1: not made */
	int second; /* of a pair, its second strike alone; -1: not made */
	int retry;  /* the same strike, and then the patch once more; -1: not made */
	enum sweep_second alone;
	bool skip; /* another shard's */
	bool busy; /* its drill runs, or waits to */
};

/* What a drill of a class tries. */
enum sweep_try { TRY_CLASS, TRY_AGAIN, TRY_SECOND, TRY_PATCH, TRY_COUNT };

struct sweeping {
	struct session s;
	const struct sweep_options *o;
	struct sweep_ask ask;
	const struct sweep_watch *watch;
	struct sweep_strike strike;
	struct arena *arena; /* handed to the run in the end */
	struct point_list list;
	struct swept *classes;
	size_t class_count;
	size_t singles;            /* the first so many classes; pairs come behind */
	size_t spoilt;             /* singles without pairs behind them, for they fail alone */
	bool pairs_told;           /* that there are too many */
	struct record_spec behind; /* what a drill records of its rollback, for pairs */
	size_t *order;             /* of the classes, as they are drilled */
	unsigned jobs;
	int64_t began, until; /* of the drills; CLOCK_MONOTONIC */
	int64_t took;         /* as published; ns */
	int64_t before;       /* that earlier parts of this sweep took; ns */
	const char *cut;
	const char **notes;
	size_t note_count;
	unsigned passes;
	size_t unknown;           /* points of later recordings that are not in the list */
	struct state_base *bases; /* one a node: control-a's B, which fingerprints are told from */
	struct sweep_job *work;
	size_t active; /* jobs that run */
	bool placed;   /* the place of work is a mount of ours */
};

/* sweep.c */
struct record_spec sweep_record(const struct sweeping *w); /* as asked; offers nothing */
void sweep_tell(struct sweeping *w);                       /* how it stands, to the live view */
void sweep_say(struct sweeping *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* True: no drill is begun any more; says why in w->cut. */
bool sweep_over(struct sweeping *w);

/* sweep_classes.c: the points, their classes, and how each of these is drilled. */
int sweep_classify(struct sweeping *w, struct err *e);
/* Numbers the classes of these points from 0; how many. */
size_t sweep_merge(struct sweeping *w, struct point_list *l);
/* The class's fault, made on first use. TRY_AGAIN: the one that confirms a finding. */
const struct fault_plan *sweep_fault(struct sweeping *w, size_t cls, enum sweep_try t,
				     struct err *e);
/* How that fault is called, its words apart by `sep`: '-' gives its slug. */
char *sweep_name(const struct sweeping *w, size_t cls, enum sweep_try t, char sep);
/* Where the class has the item of such a drill. */
int *sweep_slot(struct swept *c, enum sweep_try t);
/* The item that the class is judged by; -1: not drilled. */
int sweep_item(const struct sweeping *w, size_t cls);

/* sweep_pairs.c: a strike in the patch, then one in the rollback that follows. */
/* Lists them behind all classes drilled so far that pass; nothing unless asked for. */
int sweep_pairs_list(struct sweeping *w, struct err *e);
/* Of a failing pair: does its second strike alone fail as well? `drill` (may be NULL) makes that
 * drill where no class has. */
int sweep_pairs_shrink(struct sweeping *w, size_t cls,
		       int (*drill)(struct sweeping *w, size_t cls, struct err *e), struct err *e);

/* sweep_states.c */
void sweep_base_states(struct sweeping *w);

/* sweep_jobs.c: drills of classes side by side. */
struct branch_copy {
	char *dir; /* goes with the job */
	const char *from, *from_dir;
	struct point at;
	int64_t t;
};
int sweep_start_branch(struct sweeping *w, size_t cls, const struct branch_copy *copy,
		       struct err *e);
int sweep_start_rerun(struct sweeping *w, size_t cls, enum sweep_try t, struct err *e);
/* The knock-outs that drills of an earlier part of this sweep still ask for. */
int sweep_start_knockouts(struct sweeping *w, struct err *e);
/* Takes in the jobs that have ended, and begins their knock-outs. */
int sweep_reap(struct sweeping *w, struct err *e);
void sweep_say_kept(struct sweeping *w); /* of how many drills the nodes' states are kept */
void sweep_drop_jobs(struct sweeping *w);

/* sweep_pass.c: one clean run from which the states of these classes are kept, and their drills. */
int sweep_pass(struct sweeping *w, const size_t *classes, size_t count, struct err *e);
/* sweep_place.c: the owner's place of work moves into memory where there is enough, out of the
 * host's sight. */
int sweep_place(struct sweeping *w, struct err *e);
void sweep_leave_place(struct sweeping *w);
/* False: another copy could fill it. */
bool sweep_place_has_room(const struct sweeping *w, uint64_t bytes);

/* sweep_folder.c: from and to the run folder. */
/* What its drills have left goes to the disk, at once. */
int sweep_sync(const struct sweeping *w, struct err *e);
int sweep_write(const struct sweeping *w, struct err *e);
void sweep_ask_json(const struct sweep_ask *ask, struct buf *out);
/* What an earlier part of this sweep has drilled. */
int sweep_resume(struct sweeping *w, struct err *e);
/* The drills of classes from `from` on that the run has. */
void sweep_find_items(struct sweeping *w, size_t from);
/* The values for reports, into the run. */
int sweep_publish(struct sweeping *w, struct err *e);

#endif
