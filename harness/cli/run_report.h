/* SPDX-License-Identifier: MIT */
/* A run as the engine has it, turned into what the reports see. */
#ifndef BACKOUT_CLI_RUN_REPORT_H
#define BACKOUT_CLI_RUN_REPORT_H

#include "harness/engine/run_folder.h"
#include "reports/report.h"

struct run_report {
	struct report_input input;
	struct report_item *items;
};

/* Borrows all from `view`, which must outlive it; run_report_free(). */
void run_report_make(struct run_report *ret, const struct run_view *view);
void run_report_free(struct run_report *r);

/* Every format as a file of the run's folder; the one named (NULL: none) on stdout, too. */
int run_report_publish(const struct run_view *view, const char *format, struct err *e);

/* The end of a command that has run: publishes, frees `run` (may be NULL) and returns the exit
 * code. -1: `result` was, or the report could not be written. */
int run_report_end(struct run *run, int result, bool json, int interrupted, struct err *e);

/* The format by name, or exit 64 with the nearest. */
int run_report_format(const char *name, const struct report_format **ret, struct err *e);

#endif
