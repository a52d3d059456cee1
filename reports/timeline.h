/* SPDX-License-Identifier: MIT */
/* One drill told in time: lanes, then every event with its time. */
#ifndef REPORTS_TIMELINE_H
#define REPORTS_TIMELINE_H

#include <stdbool.h>
#include <stdio.h>

#include "harness/base/err.h"
#include "reports/report.h"

/* The item must have a journal. */
int timeline_write(FILE *out, const struct report_item *it, bool colour, struct err *e);

/* An event in words, without its time: "patch step install begins on web". Appends to `out`. */
struct buf;
void timeline_words(struct buf *out, const struct event *ev);

#endif
