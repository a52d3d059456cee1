/* SPDX-License-Identifier: MIT */
/*
 * What probe kinds share that ask by a program in the node: its pipes, its end, and its death at
 * the deadline. A kind's own `struct probe_call` begins with a struct command.
 *
 * Starting takes as long as the node needs to confirm the exec (a few ms), and node_spawn()
 * runs the loop meanwhile; the program may even have ended by then. The timeout counts from
 * before that; but a program start held at a strike is held for this one, too.
 */
#ifndef BACKOUT_PROBES_COMMAND_H
#define BACKOUT_PROBES_COMMAND_H

#include <stdbool.h>

#include "harness/base/buf.h"
#include "harness/probes/answer.h"

enum {
	COMMAND_OUTPUT_MAX = 64 << 10, /* bytes of output that are kept; the rest is dropped */
	COMMAND_LINE_MAX = 120,        /* bytes of a first line in a detail */
};

struct command_pipe {
	int fd; /* ours, for reading; -1: none */
	struct loop_src *src;
	struct buf text;
	bool over; /* printed more than COMMAND_OUTPUT_MAX */
};

struct command {
	struct asking asking;
	struct node *node;
	struct proc *proc;
	struct command_pipe out, err;
	void (*judge)(void *call, int status); /* must answer; status as waitpid(2) gives it */
	bool ended;
};

/* Fills it; `call` is the probe_call that it is the beginning of. */
void command_init(struct command *c, const struct probe_env *env, void *call,
		  void (*judge)(void *call, int status));
/* A program that cannot start is an answer, not an error. asking's timeout, done and arg are set.
 */
int command_start(struct command *c, const char *const *argv, struct err *e);
void command_end(struct command *c); /* for end() */
/* The first line that it printed, else that of its stderr. */
const char *command_first_line(const struct command *c, char ret[COMMAND_LINE_MAX]);

#endif
