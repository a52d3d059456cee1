/* SPDX-License-Identifier: MIT */
/* Sweeps of toys, through the program, and what their folders say. */
#ifndef TESTS_DRILL_SWEEP_TRY_H
#define TESTS_DRILL_SWEEP_TRY_H

#include <check.h>
#include <stddef.h>

#include "harness/engine/run_folder.h"
#include "tests/drill/program.h"

enum { SWEEP_TRY_ARGS = 16 };

/* Where a test sweeps. */
struct sweep_room {
	char state[320], runs[320], root[330];
};
void sweep_room_set_up(struct sweep_room *ret);

/* A sweep that has ended. */
struct sweep_try {
	int exit;
	struct json_doc *report; /* what it printed; NULL: not JSON */
	struct buf err;
	char dir[700];   /* its folder */
	struct run *run; /* read again from there */
	const struct sweep *s;
};

/* `backout sweep ARGS... --json` in that room. Aborts the test when there is no report, or when the
 * folder, read and judged again, says another outcome for any class than the sweep did. */
void sweep_try(struct sweep_try *ret, const struct sweep_room *room, const char *const *args);
#define SWEEP_TRY(ret, room, ...)                                                                  \
	sweep_try((ret), (room), (const char *const[]){ __VA_ARGS__, NULL })
/* Of a scenario in tests/drill/scenarios/. */
#define SWEEP_TOY(ret, room, name, ...)                                                            \
	SWEEP_TRY(ret, room, "tests/drill/scenarios/" name, "--var", (room)->root, __VA_ARGS__)
void sweep_try_free(struct sweep_try *t);
/* Starts one and returns at once. */
pid_t sweep_try_start(const struct sweep_room *room, const char *const *args);
/* The newest folder below the room's runs. */
void sweep_room_last(const struct sweep_room *room, char *ret, size_t len);

/* Both say the same of each point that either has: outcome, whom it blames, and what is left
 * behind, entry by entry; and the same groups. */
void sweep_same(const struct sweep_try *a, const struct sweep_try *b, const char *what);
/* Points by outcome, drilled or not. */
size_t sweep_points_of(const struct sweep_try *t, enum outcome o);
size_t sweep_classes_how(const struct sweep_try *t, enum sweep_how how);
/* Every class has a verdict, and the sweep says that it is complete. */
void sweep_is_complete(const struct sweep_try *t);

/* A test as a case of its own, to be run alone with CK_RUN_CASE. */
void sweep_add_case(Suite *s, const char *name, const TTest *test, int times);

#endif
