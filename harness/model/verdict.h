/* SPDX-License-Identifier: MIT */
/*
 * The verdict: a pure function of the plan and the sealed journals (with the fingerprints that
 * they name). Its rows are DESIGN's table in outcome.h, in order; the first that holds is the
 * outcome, all that hold are listed with their evidence.
 */
#ifndef BACKOUT_MODEL_VERDICT_H
#define BACKOUT_MODEL_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/model/event.h"
#include "harness/model/plan.h"
#include "harness/model/state.h"

enum state_phase { PHASE_BEFORE, PHASE_PATCHED, PHASE_AFTER, PHASE_COUNT };
extern const char *const state_phase_names[]; /* "before", "patched", "after" */

/* One node's fingerprints of one drill. */
struct record_state {
	const char *node;
	struct state_text phase[PHASE_COUNT];
};

/* One drill folder, read into memory. */
struct record {
	const struct journal *journal;
	const struct record_state *states;
	size_t state_count;
};

struct judge_input {
	const struct plan *plan;
	const struct fault_plan *fault; /* NULL: the drill is a control */
	const struct record *drill;
	const struct record *control_a, *control_b; /* b may be NULL for a single control */
	const struct record *knockout;              /* NULL: not run */
	/* What verdict_read_controls() has found out of these two controls; NULL: it is found out
	 * anew. */
	const struct judged_controls *controls;
};

/* Times in ns; -1: does not apply. All counted from the drill's own journal. */
struct timing {
	int64_t window;    /* first patch step -> healthy */
	int64_t recovery;  /* strike -> healthy; for a control: rollback's begin -> healthy */
	int64_t detection; /* strike -> detected */
	int64_t decision;  /* detected -> rollback's begin */
	int64_t rollback;  /* rollback's begin -> its end */
	int64_t healing;   /* rollback's end -> healthy */
};

struct finding {
	enum outcome outcome; /* the row that holds */
	const char *evidence; /* one sentence */
};

enum { FINDINGS_MAX = 24 };

struct verdict {
	enum outcome outcome; /* a control that passes has RESTORED, "clean rollback returns to B";
			       * it does not count as a run's restored drill */
	bool pass;            /* outcome within the fault's expect (or the control's rules); never
			       * where no rollback was judged: rows 1 to 5 and 14 */
	bool unexpected;      /* a passing outcome that `expect` excludes */
	const char *why;      /* the evidence of the deciding row */
	/* Who the deciding row blames, by name alone, so that two drills can be compared: the step
	 * (stuck), the probe (degraded, drifted), "window" or "recovery" (late). NULL: none named.
	 */
	const char *culprit;
	bool timed_out; /* the culprit is a step that did not end in time */
	struct finding findings[FINDINGS_MAX];
	size_t finding_count;
	bool unstable; /* not felt, and the patch failed all the same */
	struct timing timing;
	const char *strike;     /* what struck, where: one line; NULL: nothing */
	const char *felt;       /* evidence */
	const char *detected;   /* by what and why; NULL */
	bool forward;           /* the rollback ends at P: P stands where B stands below */
	struct changes residue; /* B -> after (rows 10..14), hidden ones included and marked */
	size_t residue_visible;
	struct changes drift; /* the control's P -> patched (rows 6, 7) */
	size_t drift_visible;
};

struct verdict_run {
	enum outcome outcome; /* VACUOUS, or the worst of the controls; RESTORED: they pass */
	int exit;             /* of the controls alone; the run's: verdict_run_exit() */
	struct changes noise; /* what visibly differs between the two controls, in any phase;
				 an entry is there once */
	bool vacuous;
};

/* Judge one drill. Everything in *ret lives in `arena`; nothing refers to the journals. -1 only
 * when a record cannot be read: a fingerprint named in a journal is missing, malformed, or has
 * not the digest that the journal names (the hash of its whole text). */
int verdict_judge(struct arena *arena, const struct judge_input *in, struct verdict *ret,
		  struct err *e);
/* What is the same in the judgement of every drill of a run. `b` may be NULL. It lives in `arena`
 * and refers to the records. -1 as verdict_judge(). */
int verdict_read_controls(struct arena *arena, const struct plan *plan, const struct record *a,
			  const struct record *b, const struct judged_controls **ret,
			  struct err *e);
/* A/A noise of the two controls and blindness of the oracle (row 4). */
int verdict_controls(struct arena *arena, const struct plan *plan, const struct record *a,
		     const struct record *b, struct verdict_run *ret, struct err *e);
/* Of a knock-out that is being made, whose fingerprints are there: how many entries visibly differ
 * from where the rollback has to end. */
int verdict_visible(struct arena *arena, const struct judged_controls *controls,
		    const struct record *knockout, size_t *ret, struct err *e);
/* Does this drill's verdict so far (judged without a knock-out) ask for one? That is row 14; a
 * fault inside a rollback is proved by the control and asks for none. */
bool verdict_needs_knockout(const struct verdict *v);
/* Not passed, and not for want of a judgement, such as of a point not come to. */
bool verdict_failed(const struct verdict *v);
/* Of two exit codes the one that a command which saw both ends with: 70 > 3 > 1 > 2 > 0. */
int verdict_worse_exit(int a, int b);
/* Exit code of a run from its parts: 70 > 3 > 1 > 2 > 0; no drill that passes as `restored`: 2.
 * A drill that passes counts 0 whatever its outcome; a passing outcome outside `expect` counts 1.
 */
int verdict_run_exit(const struct verdict *controls, size_t control_count,
		     const struct verdict *drills, size_t drill_count, bool vacuous);

#endif
