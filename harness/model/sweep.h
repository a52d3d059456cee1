/* SPDX-License-Identifier: MIT */
/*
 * A sweep: drills at every point of a workflow. Points that leave the same state form a class
 * and are drilled once; failing classes are grouped by what is wrong. Plain values, filled by
 * the engine, read by reports.
 */
#ifndef BACKOUT_MODEL_SWEEP_H
#define BACKOUT_MODEL_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/mem.h"
#include "harness/model/verdict.h"

/* id, name, what it means */
/* clang-format off */
#define SWEEP_HOW(X)                                                                            \
	X(BRANCH, "branch", "rollback and checks ran from the state kept at the point")          \
	X(RERUN, "re-run", "the whole workflow ran again up to the point")
enum sweep_how {
#define X(id, name, help) SWEEP_##id,
	SWEEP_HOW(X)
#undef X
	SWEEP_HOW_COUNT
};
/* clang-format on */
extern const char *const sweep_how_names[];

struct sweep_point {
	const char *key;  /* within its step: see harness/sandbox/pointwatch.h */
	const char *step; /* its name */
	bool in_rollback;
	bool unstable; /* not at this place in the second recording */
	size_t cls;    /* index of its class */
};

struct sweep_class {
	size_t first;  /* index of its first point */
	size_t points; /* how many */
	enum sweep_how how;
	const char *why;       /* why so */
	const char *label;     /* folder of its drill below the run's; NULL: not drilled */
	const struct verdict *verdict; /* NULL: not drilled (yet) */
	/* Outcome of the same strike made again from the start of the workflow, to confirm a finding
	 * of a branch; OUTCOME_COUNT: not done. */
	enum outcome confirmed;
};

/* Failing classes with the same thing wrong. */
struct sweep_group {
	enum outcome outcome;
	const char *what; /* one line: the failing probe or step, or the residue in short */
	const size_t *classes; /* indices, in the order of their first points */
	size_t class_count;
	size_t points; /* in all of them */
};

struct sweep {
	const char *strike;  /* as asked: "kill", "errno:ENOSPC" */
	const char *kinds;   /* "calls" */
	const char *section; /* "patch", "rollback", "both" */
	const struct sweep_point *points; /* in the order of the recording */
	size_t point_count;
	const struct sweep_class *classes; /* by their first points */
	size_t class_count;
	const struct sweep_group *groups; /* worst first, then by first point */
	size_t group_count;
	bool reduced;         /* false: --no-reduce, every point is a class of its own */
	bool complete;        /* every class is drilled, and a strike behind the last point struck
				 nothing */
	const char *cut;      /* why it is not complete: budget, interrupted, shard, disk full;
				 NULL */
	int64_t took;         /* ns, of the drills */
	unsigned jobs;
	const char *const *notes; /* sentences a reader should know */
	size_t note_count;
};

/* Fills groups from points and classes: the same outcome, the same failing step or probe, the
 * same set of visible residue (kind, key, node, how it differs). Only classes that failed
 * (verdict not `pass`, exit code of the outcome 1 or above). Lives in `arena`. */
void sweep_group_all(struct arena *arena, struct sweep *s);

#endif
