/* SPDX-License-Identifier: MIT */
/* `backout sweep --rollback A,B` and `--rollback all`: several plans of one scenario, each swept at
 * the same points into a run folder of its own below RUN/plans, and a table of them. */
#ifndef BACKOUT_CLI_SWEEP_PLANS_H
#define BACKOUT_CLI_SWEEP_PLANS_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/base/err.h"
#include "harness/engine/sweep.h"

/* More than one plan. */
bool sweep_plans_asked(const char *rollback);
/* Returns the exit code: 0 when one of the plans passes at every point that was drilled, else that
 * of the best; a harness error, a broken workflow and an interruption come first. -1: our trouble.
 */
int sweep_plans_run(const struct sweep_options *o, bool json, struct err *e);

#endif
