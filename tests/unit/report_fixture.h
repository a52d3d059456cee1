/* SPDX-License-Identifier: MIT */
/* A run made by hand, with one drill of each sort that a report has to tell apart. */
#ifndef TESTS_UNIT_REPORT_FIXTURE_H
#define TESTS_UNIT_REPORT_FIXTURE_H

#include "reports/report.h"

struct fixture {
	struct report_input input;
	struct report_item items[7];
	struct verdict verdicts[7];
	struct verdict_run controls;
	struct journal *journal; /* of the drills; sealed */
	struct journal *torn;    /* of the one that was killed */
};

/* Items in order: control-a, control-b, restored, its knock-out, residue, not_reached, aborted. */
void fixture_make(struct fixture *f);
void fixture_free(struct fixture *f);

#endif
