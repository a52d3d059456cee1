/* SPDX-License-Identifier: MIT */
/* What the files of the verdict share; nobody else includes this. */
#ifndef BACKOUT_MODEL_JUDGE_H
#define BACKOUT_MODEL_JUDGE_H

#include "harness/model/facts.h"

/* One comparison over all nodes whose state counts. */
struct compared {
	struct changes changes;
	size_t visible; /* after masks */
	bool complete;  /* both states of every node were there */
};

struct judge {
	struct arena *arena;
	const struct plan *plan;
	const struct fault_plan *fault; /* NULL: a control */
	struct facts drill, control_a, control_b, knockout;
	bool has_control, has_control_b, has_knockout;
	bool forward;            /* the rollback ends at P: P stands where B stands here */
	struct compared residue; /* B -> after */
	struct compared drift;   /* the control's P -> patched, noise hidden */
	struct compared blind;   /* the control's B -> P */
	struct compared noise;   /* the control's P -> the other control's P */
	struct compared knocked; /* the knock-out's B -> after */
	struct timing timing;
};

/* Masked comparison of one phase of one record with one of another. A fingerprint that a journal
 * names and that is missing, or has another digest, is an error. */
int judge_compare(struct judge *j, const struct facts *a, enum state_phase pa,
		  const struct facts *b, enum state_phase pb, struct compared *ret, struct err *e);
/* Where the rollback has to end: phase `end` of `f` against `f`'s own B; of one that goes forward
 * against the control's P, what the controls' P differ in hidden. */
int judge_arrival(struct judge *j, const struct facts *f, enum state_phase end,
		  struct compared *ret, struct err *e);
/* "3 entries: added file /a, changed file /b ..., 1 more"; the visible ones. */
const char *judge_list(struct arena *arena, const struct compared *c);
/* The control's patched state would be judged equal to B. */
bool judge_blind(const struct facts *control, const struct compared *b_to_p);

/* One row of the table: the evidence, or NULL when it does not hold. */
typedef const char *(*judge_row)(const struct judge *j);
struct judge_table_row {
	enum outcome outcome;
	judge_row drill, control; /* NULL: not a row for it */
};
extern const struct judge_table_row judge_table[OUTCOME_COUNT];

/* Fills culprit and timed_out, in verdict_culprit.c. The outcome is decided. */
void judge_culprit(const struct judge *j, struct verdict *v);

#endif
