/* SPDX-License-Identifier: MIT */
/*
 * The folder that one invocation leaves, and what it says:
 *
 *	runs/20261123T120000-nginx-upgrade-4f2a/
 *	  run.json       format, version, seed, rollback, chosen faults
 *	  scenario.json  the effective scenario: includes merged, variables given
 *	  plan.json      the resolved plan      host.json  kernel, cgroup mode, versions
 *	  control-a/ control-b/ drills/FAULT/ knockouts/FAULT/   one folder a drill; the latter two
 *	                 with fault.json, the fault as text (plan_add_fault); maybe kept/ (kept.h)
 *	  drills/rollback-twice/   of a sweep: a clean run whose rollback runs twice
 *
 * Verdicts are never read back: they are judged anew from the journals.
 */
#ifndef BACKOUT_ENGINE_RUN_FOLDER_H
#define BACKOUT_ENGINE_RUN_FOLDER_H

#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/model/plan.h"
#include "harness/model/role.h"
#include "harness/model/sweep.h"
#include "harness/model/verdict.h"

/* The letter of the control whose rollback runs twice: it lies in drills/rollback-twice. */
#define CONTROL_TWICE 't'

#define FAULT_FILE "fault.json"

struct run_item {
	const char *label; /* folder below the run's: "drills/dpkg-killed" */
	enum drill_role role;
	const struct fault_plan *fault; /* NULL: a control */
	struct verdict verdict;         /* knock-outs have none: all zero */
	const struct journal *journal;
	bool kept; /* kept.h */
};

enum { RUN_DRILLS_MAX = 1 << 20 }; /* folders below drills/ that are looked at */

struct run_view {
	const struct plan *plan;
	const char *id; /* the folder's own name */
	const char *dir;
	const struct run_item *items; /* controls, then each drill followed by its knock-out */
	size_t count;
	struct verdict_run controls;
	const struct sweep *sweep; /* NULL: it was no sweep */
	int exit;                  /* of the run */
};

struct run;
/* Reads and judges. Exit 65 when it is not a run folder. Drills of faults that the scenario does
 * not have come last, sorted by their folders' names. */
int run_load(struct run **ret, const char *dir, struct err *e);
/* The same, but only the controls and the drill (with its knock-out) of that label ("drills/x"),
 * slug ("x") or fault's name. Exit 64 when there is none such. `*ret_index` is the drill's. */
int run_load_drill(struct run **ret, const char *dir, const char *drill, int *ret_index,
		   struct err *e);
void run_free(struct run *r); /* NULL-safe */
const struct run_view *run_view(const struct run *r);

/* Bookkeeping shared with the running side: the drill folder's label. */
char *run_label(enum drill_role role, const struct fault_plan *fault, char letter);

/* --- while the run is being made (engine/run.c) --- */

/* The fault as text, for those who read or repeat the drill of this folder. */
int fault_file_write(const char *dir, const struct fault_plan *fault, bool sync, struct err *e);
/* Takes the plan over; the folder must exist. */
struct run *run_new(struct plan_doc *plan, const char *dir);
/* Read the folder of a drill that has just ended and judge it (and, for a knock-out, the drill it
 * belongs to once more). The item's index, or -1. */
int run_add(struct run *r, enum drill_role role, const struct fault_plan *fault, char letter,
	    struct err *e);
/* What its two controls say, read on first use; they have to be there. */
int run_controls(struct run *r, const struct judged_controls **ret, struct err *e);
/* What is kept of a drill goes, unless it did not pass and it is `wanted`. */
int run_settle_kept(struct run *r, int index, bool wanted, struct err *e);
/* What the folder of an item holds; NULL once it is forgotten. */
const struct record *run_record(const struct run *r, int index);
/* A workflow that fails by itself, or an oracle that is blind, makes every drill worthless. */
bool run_worth_drilling(const struct run *r);
bool run_has_control(const struct run *r, char letter);
bool run_has_knockout(const struct run *r, int drill);
struct plan_doc *run_doc(struct run *r);
/* Where values live that are to go with the run. */
struct arena *run_arena(struct run *r);
/* Give back a judged item's journal: a sweep has thousands. Its verdict stays. */
void run_forget(struct run *r, int index);
void run_set_sweep(struct run *r, const struct sweep *s);
/* A/A noise and the run's exit code, from what is there. */
int run_conclude(struct run *r, struct err *e);

#endif
