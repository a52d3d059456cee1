/* SPDX-License-Identifier: MIT */
/* Several rollback plans side by side. */
#ifndef REPORTS_COMPARE_H
#define REPORTS_COMPARE_H

#include <stdbool.h>
#include <stdio.h>

#include "harness/base/err.h"
#include "harness/model/sweep_plan.h"

/* A table, and the command that replays the worst finding of each plan. */
int compare_text(FILE *out, const struct sweep_plan_row *rows, size_t count, bool colour,
		 struct err *e);
/* {"format":1,"best":NAME or null,"plans":[{rollback, to, dir, points, drilled, passed, complete,
 * cut, groups, outcomes {OUTCOME: points}, recovery {classes, p50_ns, p95_ns, max_ns}, replay}]} */
int compare_json(FILE *out, const struct sweep_plan_row *rows, size_t count, struct err *e);

#endif
