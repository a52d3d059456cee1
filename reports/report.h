/* SPDX-License-Identifier: MIT */
/*
 * Reports: what a run tells a reader, one file a format, one const descriptor, one row in
 * list.h. A report sees the plan, the verdicts and the journals, nothing else: old runs can be
 * reported again.
 */
#ifndef REPORTS_REPORT_H
#define REPORTS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/model/event.h"
#include "harness/model/plan.h"
#include "harness/model/role.h"
#include "harness/model/sweep.h"
#include "harness/model/verdict.h"

struct report_item {
	const char *label; /* its folder in the run: "control-a", "drills/SLUG" */
	enum drill_role role;
	const struct fault_plan *fault; /* NULL: a control */
	const struct verdict *verdict;  /* NULL: a knock-out, which is judged with its drill */
	const struct journal *journal;  /* NULL: it could not be read */
	bool kept;                      /* what its nodes have written lies in its folder */
};

struct report_input {
	const struct plan *plan;
	const char *id;                  /* name of the run's folder */
	const char *dir;                 /* the folder as the reader can type it */
	const struct report_item *items; /* in the order in which they ran */
	size_t count;
	const struct verdict_run *controls;
	int exit; /* of the whole run */
	/* NULL: the run was no sweep. The drills of a sweep are told by it alone and are none of
	 * `items`, which has the controls (and what a scenario's own faults gave). */
	const struct sweep *sweep;
};

struct report_format {
	const char *name, *help;
	/* Writes the whole report; `colour` only where a terminal asked for it. */
	int (*write)(FILE *out, const struct report_input *in, bool colour, struct err *e);
};

extern const struct report_format *const report_formats[]; /* NULL-terminated; list.c */
const struct report_format *report_find(const char *name); /* NULL: none */

/* ---- what the formats share (report.c) ---- */

/* What hid entries (a mask, a pattern of `ignore`, "noise"), for which reason, and how many. What
 * the plan declares and hid nothing is there with count 0. `why` may be empty. */
struct report_hidden {
	const char *by, *why;
	size_t count;
};
/* Returns the count; *ret is free()d by the caller, its texts are the input's. */
size_t report_hidden(const struct report_input *in, struct report_hidden **ret);

struct report_counts {
	unsigned drills, passed, failed, inconclusive; /* drills and controls together */
};
void report_count(const struct report_input *in, struct report_counts *ret);

/* How many drills were made to shrink this one's fault, "NAME shrunk N"; *ret: the failing one of
 * them with the fewest strikes; NULL: all of them are needed. */
size_t report_shrunk(const struct report_input *in, const struct report_item *it,
		     const struct report_item **ret);

/* The run in one word, by its exit code: passed, failed, inconclusive, broken, aborted, error. */
const char *report_result(int exit);
/* The name a reader knows: the fault's, or the label of a control. */
const char *report_item_name(const struct report_item *it);
/* "+", "-" or "~" and in words: "added", "removed", "changed". */
const char *report_change_mark(enum change_what w);
const char *report_change_word(enum change_what w);
/* "size 10 -> 20, mode 0644 -> 0755" for a changed entry, "type file, size 10" for another. */
void report_change_attrs(struct buf *out, const struct change *c);
/* "owner nginx-common"; "no package owns it" for a file without one; "" for other entries. */
const char *report_change_owner(const struct change *c, char *buf, size_t size);
/* "+ web file /etc/x: type file [no package owns it]", without a newline. */
void report_change_line(struct buf *out, const struct change *c);
/* "    why       TEXT" and a newline; nothing when there is no text. */
void report_fact(struct buf *out, const char *name, const char *text);
/* Such lines for the strike, what met it, what saw it, and each finding that is not the why. */
void report_verdict_facts(struct buf *out, const struct verdict *v);
/* What to do about an outcome that is no pass; NULL: nothing to say. */
const char *report_hint(enum outcome o);
/* ns as clock_text() has it; "-" for one that does not apply (negative). */
const char *report_time(int64_t ns, char *buf, size_t size);
/* "15.4", "0.142": three digits are enough for a reader, and a slow sweep is no 0.0. */
const char *report_rate(double per_s, char *buf, size_t size);
/* Characters, not bytes: names may be UTF-8. */
int report_width(const char *text);
/* All of `b` to `out`. */
int report_put(FILE *out, const struct buf *b, struct err *e);
/* Text that came from a drill, fit for a terminal: control characters become '?'. */
void report_safe(struct buf *out, const char *text);

#endif
