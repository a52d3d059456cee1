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
extern const char *const sweep_how_names[]; /* by enum sweep_how */
extern const char *const sweep_how_helps[];

struct sweep_point {
	const char *key;  /* within its step: see harness/sandbox/pointwatch.h */
	const char *step; /* its name */
	bool in_rollback;
	bool unstable; /* not at this place in the second recording */
	size_t cls;    /* index of its class */
	bool pair;     /* it is struck behind another strike: */
	size_t after;  /* index of the class whose strike came first, in the patch */
};

/* Of a pair that fails: what its second strike gives alone. The first alone passes. */
enum sweep_second { SECOND_UNTRIED, SECOND_PASSES, SECOND_FAILS };

struct sweep_class {
	size_t first;  /* index of its first point */
	size_t points; /* how many */
	enum sweep_how how;
	const char *why;               /* why so */
	const char *label;             /* folder of its drill below the run's; NULL: not drilled */
	const struct verdict *verdict; /* NULL: not drilled (yet) */
	bool kept;                     /* what its nodes have written lies in the folder */
	/* Outcome of the same strike made again from the start of the workflow, to confirm a
	 * finding of a branch; OUTCOME_COUNT: not done. */
	enum outcome confirmed;
	enum sweep_second second; /* of a pair */
	const char *second_label; /* folder of that drill, where it was made for this; NULL */
};

/* What is left behind, over a group: an entry, and at how much of the group it is. */
struct sweep_entry {
	const struct change *change; /* of the first class that has it */
	size_t classes, points;
};

/* Failing classes with the same thing wrong. */
struct sweep_group {
	enum outcome outcome;
	const char *what; /* one line, without counts, times and drawn names: the failing probe or
			     step, or the patterns of the residue in short */
	const char *const *patterns; /* of the residue, sorted: see sweep_pattern() */
	size_t pattern_count;
	const struct sweep_entry *entries; /* the residue of all its classes, sorted by node, kind
					      and key, each entry once */
	size_t entry_count;
	const size_t *classes; /* indices, in the order of their first points */
	size_t class_count;
	size_t points; /* in all of them */
};

/* The patch, run once more behind a strike and its rollback: no row of the verdict table, but what
 * an operator does next. */
struct sweep_retry {
	size_t cls;
	const char *label; /* folder of that drill */
	bool tried;        /* false: this drill did not come back, so there was nothing to try */
	bool ok;           /* its steps did, and its goal holds */
	const char *why;   /* not ok, or not tried; NULL */
};

struct sweep {
	const char *strike;               /* as asked: "kill", "errno:ENOSPC" */
	const char *kinds;                /* "calls" */
	const char *section;              /* "patch", "rollback", "both" */
	const struct sweep_point *points; /* in the order of the recording */
	size_t point_count;
	const struct sweep_class *classes; /* by their first points */
	size_t class_count;
	const struct sweep_group *groups; /* worst first, then by first point */
	size_t group_count;
	const struct sweep_retry *retries;
	size_t retry_count; /* 0: not asked for, or nothing to try it behind */
	bool pairs;         /* pairs were asked for */
	size_t spoilt;      /* classes behind which none were made, for they fail alone */
	bool reduced;       /* false: --no-reduce, every point is a class of its own */
	bool complete;      /* every class is drilled, and a strike behind the last point struck
			       nothing */
	const char *cut;    /* why it is not complete: budget, interrupted, shard, disk full;
			       NULL */
	int64_t took;       /* ns, of the drills */
	unsigned jobs;
	unsigned cores;           /* that the host offers; 0: unknown */
	const char *const *notes; /* sentences a reader should know */
	size_t note_count;
};

/* Fills groups from points and classes: the same outcome, the same failing step or probe
 * (verdict.culprit; where there is none and nothing is left behind, the same `why`, numbers and
 * drawn names apart), the same set of patterns of visible residue. Every class that was drilled
 * and did not pass is in exactly one group. Worst: by exit code (70, 3, 1, 2), then in the order
 * of the verdict table. Lives in `arena` and refers to the verdicts. */
void sweep_group_all(struct arena *arena, struct sweep *s);

/*
 * What counts as "the same" entry of residue, so that one defect that meets each of a package's
 * files at another point reads as one. A line: "+" too much, "-" too little or "~" different;
 * node; kind; and then
 *
 *	*.dpkg-new              a file whose name ends in what updaters leave, wherever it lies
 *	of demo, below /etc     another file that a package owns: the package, the first folder
 *	below /usr              a file that no package owns: for /usr that folder alone, below /var
 *	                        the first three, elsewhere the first two; a folder is below itself
 *	KEY                     anything that is no file; what mktemp(3) draws in it becomes `*`
 *
 * and for "~" which attributes differ: `content` (size or hash; `emptied` when nothing is left),
 * others by their names. Values do not count but for a package's status.
 */
const char *sweep_pattern(struct arena *arena, const struct change *c);

/* `text` with what looks as if mktemp(3) had drawn it replaced by `*`: "/tmp/tmp.aB3dEf" becomes
 * "/tmp/tmp.*". That is the last six letters and digits of a name (or all behind a dot, a dash or
 * an underscore) when capitals, small letters and digits change places there twice or more. */
const char *sweep_plain_names(struct arena *arena, const char *text);

/* Sums over what was drilled. */
struct sweep_counts {
	size_t points, classes;               /* drilled */
	size_t failed_points, failed_classes; /* of these, not passed */
	size_t passed_points[OUTCOME_COUNT], passed_classes[OUTCOME_COUNT];
	size_t points_of[OUTCOME_COUNT]; /* passed or not */
	size_t unstable;                 /* points, drilled or not */
	size_t pairs, pairs_drilled;     /* of the points */
};
void sweep_count(const struct sweep *s, struct sweep_counts *ret);

/* Recovery over the drilled classes that became healthy: the nearest rank. ns; -1: none did. */
struct sweep_times {
	size_t count;
	int64_t p50, p95, max;
};
void sweep_recovery(const struct sweep *s, struct sweep_times *ret);

/* How many classes and points are drilled in one way for one reason. */
struct sweep_way {
	enum sweep_how how;
	const char *why; /* NULL: no reason given */
	size_t classes, points;
};
/* In the order of the first class; the array lives in `arena`. */
size_t sweep_ways(struct arena *arena, const struct sweep *s, const struct sweep_way **ret);

/* For each class the index of the group that holds it; group_count: none. ret[class_count]. */
void sweep_groups_of(const struct sweep *s, size_t *ret);

/* Points drilled per second of the sweep, of one processor at that; 0: no time has passed. */
double sweep_rate(const struct sweep *s, bool per_core);

/* Of the retries alone: EXIT_FAILED when one of them was tried and failed. */
int sweep_retry_exit(const struct sweep *s);

/* While a sweep goes on, for a live view. */
struct sweep_progress {
	size_t points_done, points_total; /* a drilled class counts with all its points */
	size_t drills_done, drills_total;
	size_t failing_points, failing_drills;
	size_t failing_groups; /* of these; 0: not told, for grouping is for the end */
	int64_t started;       /* CLOCK_MONOTONIC, ns */
	int64_t now;           /* likewise, when all this was so */
	unsigned jobs;
};

#endif
