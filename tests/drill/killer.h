/* SPDX-License-Identifier: MIT */
/*
 * Kills the program at a chosen system call, by ptrace: a tool that shares nothing with what it
 * tests. Followed are the program and those of its forks that stay in this PID namespace and do
 * not exec; a node's processes are not.
 */
#ifndef TESTS_DRILL_KILLER_H
#define TESTS_DRILL_KILLER_H

#include <stdbool.h>
#include <stddef.h>

enum { KILLER_WHO = 40 };

/* The nth entry (from 1) into this call by one process. */
struct kill_point {
	char who[KILLER_WHO]; /* "0" the program, "0.2" its second child, ... */
	int nr;
	unsigned nth;
};

/* How often each process made each call: nth is the count. */
struct kill_calls {
	struct kill_point *rows;
	size_t count;
};

/* Runs the program with these arguments to its end; returns its exit code, or 128 + signal. */
int killer_record(const char *const *args, struct kill_calls *ret);
/* What both have, with the smaller counts: `a` gets it. */
void killer_common(struct kill_calls *a, const struct kill_calls *b);
void killer_free(struct kill_calls *c);

/* SIGKILL before that call is made: to the process that makes it or, with `all`, to every process
 * of the program at once. True: it came to that. Returns once all that it followed are gone. */
bool killer_strike(const char *const *args, const struct kill_point *at, bool all);

#endif
