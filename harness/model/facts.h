/* SPDX-License-Identifier: MIT */
/*
 * A journal as plain facts: what happened, once each, and what about the record itself cannot
 * be. The verdict's rows read these and never a journal line.
 */
#ifndef BACKOUT_MODEL_FACTS_H
#define BACKOUT_MODEL_FACTS_H

#include "harness/base/mem.h"
#include "harness/model/role.h"
#include "harness/model/verdict.h"

enum { PROBLEMS_MAX = 8 }; /* that are kept as text; all are counted */

/* Sentences about what a record shows to be our own fault. */
struct problems {
	const char *text[PROBLEMS_MAX];
	size_t count;
};

struct facts {
	const char *who; /* "control-a", "the knock-out"; "" for the drill itself */
	const struct record *record;
	const struct journal *journal;
	enum drill_role role;
	const struct fault_plan *fault; /* NULL in a control */
	const struct plan *plan;
	bool sealed;
	const struct event *first[EVENT_KIND_COUNT];
	size_t count[EVENT_KIND_COUNT];
	bool cut_short; /* ended before the workflow did, and says why */
	bool patch_ok, goal_ok, rolled_back, healthy;
	bool patched_steady;          /* no steady probe was failing when P was captured */
	size_t again;                 /* index of the last rollback.again; 0: none */
	const struct event *back_end; /* the last rollback.end */
	int64_t strike, patch_begin, detected, rollback_begin, rollback_end, healthy_since; /* -1 */
	const struct event *applied, *felt; /* of this drill's fault */
	const struct event *failed_step;    /* first rollback step that failed and may not */
	struct problems problems;
};

/* Never fails: what is wrong with the journal becomes `problems`. */
void facts_read(struct arena *arena, const struct plan *plan, const struct fault_plan *fault,
		const struct record *record, struct facts *ret);

/* First event of that kind that names the fault; NULL: none. */
const struct event *facts_of_fault(const struct facts *f, enum event_kind k, const char *fault);
/* The step that had begun last when `ev` was journalled; NULL: none. */
const struct event *facts_step_at(const struct facts *f, const struct event *ev);
/* The journal says that this fingerprint was taken; NULL: it does not. */
const struct event *facts_captured(const struct journal *j, const char *node, enum state_phase ph);
/* The rollback that this drill ran, or would have run. */
const struct rollback_plan *facts_rollback(const struct facts *f);

/* A string field, or "?" */
const char *facts_text(const struct event *ev, const char *key);
bool facts_bool(const struct event *ev, const char *key); /* false for NULL, too */

/* The nodes whose state counts: the plan's `on`, or all. */
size_t facts_node_count(const struct plan *plan);
const char *facts_node(const struct plan *plan, size_t i);

/* In facts_order.c: what cannot be (out of order, missing, too many). Appends to f->problems. */
void facts_check(struct arena *arena, struct facts *f);
void facts_problem(struct arena *arena, struct facts *f, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
