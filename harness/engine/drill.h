/* SPDX-License-Identifier: MIT */
/*
 * One drill: nodes up, patch, strike, rollback, health, fingerprints, teardown, seal. It runs in
 * a process of its own and leaves a folder; what it means is judged from that folder alone.
 */
#ifndef BACKOUT_ENGINE_DRILL_H
#define BACKOUT_ENGINE_DRILL_H

#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/model/plan.h"
#include "harness/model/role.h"
#include "harness/model/state_delta.h"
#include "harness/sandbox/image.h"
#include "harness/sandbox/owner.h"

struct record_spec; /* recorder.h */
struct branch_spec; /* branch.h */
/* Where a drill can be made to stand still, and go no further. */
enum drill_stop_at { DRILL_STOP_STRIKE, DRILL_STOP_ROLLBACK_END };

struct drill;

/* `fn` is called in the drill's process, with its nodes up: right after the fault was applied, all
 * that the struck step runs being held, dead or stopped; or behind the rollback (where nothing
 * called for one, at the drill's end). No probe asks anything meanwhile. The teardown follows. */
struct drill_stop {
	enum drill_stop_at at;
	int (*fn)(void *arg, struct drill *d, struct err *e);
	void *arg;
};

struct drill_spec {
	const struct plan *plan;
	const struct fault_plan *fault; /* NULL: a control */
	enum drill_role role;
	const char *name; /* "control-a", the fault's slug */
	const char *dir;  /* existing empty folder for journal, logs, fingerprints */
	struct owner *owner;
	const struct image *roots; /* one a node of the plan */
	const char *seed;
	const char *host_json;            /* what host.json holds */
	int live_fd;                      /* journal lines are copied there; -1: none */
	const struct record_spec *record; /* NULL: record no points */
	const struct branch_spec *branch; /* NULL: from the start of the workflow */
	const struct drill_stop *stop;    /* NULL: it goes to its end */
	bool rollback_twice;              /* a rollback that came to its end runs once more */
	bool keep;                        /* what the nodes have written stays in `dir`: kept.h */
	bool patch_again;                 /* behind all that is judged the patch runs once more */
	/* One a node of the plan: what its fingerprints are told from (file: as seen from `dir`);
	 * without a text they are whole. NULL: all are. */
	const struct state_base *base_states;
	/* What it leaves is not forced to the disk, one drill of thousands: a death of the harness
	 * loses nothing by that, a host that loses power the drills of its last seconds. */
	bool unsynced;
};

/* Runs in the calling process, which ends up in a network namespace of its own: fork first.
 * 0: the journal is sealed, whatever it says; -1: it could not be written. Needs root. */
int drill_run(const struct drill_spec *spec, struct err *e);

#endif
