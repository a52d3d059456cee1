/* SPDX-License-Identifier: MIT */
/* Recorded runs of the toy scenarios, for the tests of what is done with one. */
#ifndef TESTS_DRILL_TOY_H
#define TESTS_DRILL_TOY_H

#include <stddef.h>

#include "harness/base/buf.h"
#include "harness/model/event.h"

#define TOY "tests/drill/scenarios/toy.json"

struct toy {
	char state[320], runs[320], root[320]; /* root: "root=PATH", for --var */
	char run[700];                         /* the recorded run's folder */
};

void toy_set_up(struct toy *t);
/* One fault's run; `rollback`: NULL for the scenario's. */
void toy_record(struct toy *t, const char *scenario, const char *fault, const char *rollback);
/* The one run so far, by its path: t->run. */
void toy_find_run(struct toy *t);

/* ---- what one drill of it says; each aborts the test where it is otherwise ---- */

/* A file of the drill whose folder is `slug`; what `ret` held is gone. */
void toy_read(const struct toy *t, const char *slug, const char *name, struct buf *ret);
/* Its journal; journal_free(). */
struct journal *toy_journal(const struct toy *t, const char *slug);
/* The first event of that kind has `part` in its `field`; NULL: there is no such event. */
void toy_says(const struct journal *j, enum event_kind kind, const char *field, const char *part);
/* `drill`: as the report has it. */
void toy_came_to(const struct json *drill, const char *fault, const char *outcome);

/* A fault that is to strike at one place of a patch, and what comes of it. */
struct toy_strike {
	const char *fault, *slug, *outcome;
	const char *hit, *felt; /* parts of what the journal says; NULL: no such event */
	const char *left;       /* what the rollback found; NULL: none ran, or it does not matter */
};
/* Runs a scenario of which some faults are not reached; `steps/rollback-1-put-back.log` has what
 * the rollback found. */
void toy_strike(const char *scenario, const struct toy_strike *want, size_t count);

#endif
