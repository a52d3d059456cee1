/* SPDX-License-Identifier: MIT */
/* The person's terminal, joined to another one as long as a program runs there. */
#ifndef BACKOUT_BASE_TERMINAL_H
#define BACKOUT_BASE_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

#include "harness/base/err.h"
#include "harness/base/loop.h"

/* How a terminal was before somebody else got it. */
struct terminal_mode {
	int fd;
	bool set;
	struct termios mode;
	pid_t foreground;
};
void terminal_save(struct terminal_mode *m, int fd);
void terminal_restore(const struct terminal_mode *m);

struct terminal_ends {
	int in, out; /* the person's; `in` is a terminal */
	int master;  /* of the other one; does not block */
};

/* Passes on all that either says, and the window's size, until *done; then what is still to be
 * read. `in` is raw meanwhile and this process in its foreground, so that every key reaches the
 * program there. */
int terminal_join(struct loop *loop, const struct terminal_ends *t, const bool *done,
		  struct err *e);

#endif
