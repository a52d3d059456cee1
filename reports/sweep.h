/* SPDX-License-Identifier: MIT */
/* A sweep's part of each format. All do nothing but what is said when the run was no sweep. */
#ifndef REPORTS_SWEEP_H
#define REPORTS_SWEEP_H

#include <stdbool.h>

#include "reports/report.h"

/* For a person: what was struck and how, each group of failures with its evidence, then what
 * passed. A few screens, however many points there are. */
void sweep_text(struct buf *b, const struct report_input *in, bool colour);
/* "308 points in 154 classes, 3 groups of failures at 29 points", without a newline. */
void sweep_text_sum(struct buf *b, const struct sweep *s);

/* The member `sweep`; null when there is none. */
void sweep_json(struct buf *b, const struct report_input *in);

/* How many test cases the sweep is, and of which sort; adds to what is there. */
struct sweep_cases {
	unsigned tests, failures, errors, skipped;
};
void sweep_junit_count(const struct report_input *in, struct sweep_cases *ret);
void sweep_junit(struct buf *b, const struct report_input *in);

#endif
