/* SPDX-License-Identifier: MIT */
/* The outcomes of a drill and the exit code of each: DESIGN's verdict table, one row a line, in
 * the table's order (first match wins). */
#ifndef BACKOUT_MODEL_OUTCOME_H
#define BACKOUT_MODEL_OUTCOME_H

#include <stdint.h>

/* clang-format off */
#define OUTCOMES(X)                                                     \
	X(HARNESS_ERROR, "harness_error", 70, "the harness itself failed or left something over") \
	X(ABORTED, "aborted", 2, "stopped before its end")               \
	X(BROKEN, "broken", 3, "the workflow fails without any fault")   \
	X(VACUOUS, "vacuous", 2, "the patched state would be judged equal to B: the oracle is blind") \
	X(NOT_REACHED, "not_reached", 2, "the fault was not applied, or not felt") \
	X(TOLERATED, "tolerated", 0, "no rollback called for; the patch took effect all the same") \
	X(DRIFTED, "drifted", 1, "no rollback called for, yet the patch is not what a clean one gives") \
	X(STUCK, "stuck", 1, "a rollback step failed or timed out")      \
	X(DEGRADED, "degraded", 1, "not healthy again by give_up")       \
	X(RESIDUE, "residue", 1, "healthy, but not back in the state that the rollback is to end in")           \
	X(LATE, "late", 1, "back, but over the window or the recovery target") \
	X(RESTORED, "restored", 0, "back in time; without rollback it would not be") \
	X(HARMLESS, "harmless", 0, "back in time; it would be without rollback, too") \
	X(UNPROVEN, "unproven", 2, "back in time; the knock-out did not strike or was not run")

enum outcome {
#define X(id, name, exit, help) OUTCOME_##id,
	OUTCOMES(X)
#undef X
	OUTCOME_COUNT
};
/* clang-format on */

#define OUTCOME_BIT(o) (UINT64_C(1) << (o))

const char *outcome_name(enum outcome o);
const char *outcome_help(enum outcome o);
int outcome_exit(enum outcome o);
int outcome_from_name(const char *name); /* -1: unknown */

#endif
