/* SPDX-License-Identifier: MIT */
/* Recorded runs of the toy scenarios, for the tests of what is done with one. */
#ifndef TESTS_DRILL_TOY_H
#define TESTS_DRILL_TOY_H

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

#endif
