/* SPDX-License-Identifier: MIT */
/*
 * What every probe kind shares: the deadline, and the one way in which an answer leaves. A
 * kind's own `struct probe_call` begins with a struct asking.
 */
#ifndef BACKOUT_PROBES_ANSWER_H
#define BACKOUT_PROBES_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/probes/probe.h"

struct asking {
	struct loop *loop;
	struct loop_src *timer; /* the deadline; then the moment to hand the answer over */
	int64_t timeout_ns;
	struct probe_result result;
	probe_done_fn done;
	void *arg;
	void (*stop)(void *call); /* gives up what is still under way; may be called twice */
	void (*late)(void *call); /* the deadline has passed: must answer */
	void *call;
	bool starting; /* inside start(): answers wait for the loop */
	bool answered;
};

/* Notes the time and sets the deadline. `a` is filled but for stop, late and call. */
int asking_begin(struct asking *a, struct err *e);
/* The last thing in start(). From here on an answer is handed over at once; one that was given
 * already (the start of a program runs the loop) comes with the loop's next round. */
int asking_started(struct asking *a, struct err *e);
/* Stops what is under way and hands the answer over; then the call may already be freed. Only the
 * first answer counts. */
void asking_answer(struct asking *a, bool ok, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* For end(): no answer comes any more. */
void asking_end(struct asking *a);

/* `text` up to its first line end, printable bytes only, at most size - 1 of them. */
const char *asking_first_line(const char *text, char *buf, size_t size);

#endif
