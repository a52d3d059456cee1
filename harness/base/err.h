/* SPDX-License-Identifier: MIT */
/*
 * Errors: a code, the place in our source, and why in the user's words. One caller-owned
 * struct travels down the call chain; the first cause wins. It lives on the stack, so it works
 * without memory and in a freshly forked child. A function that takes one returns 0 or more on
 * success and -1 on failure, and logs nothing itself.
 */
#ifndef BACKOUT_BASE_ERR_H
#define BACKOUT_BASE_ERR_H

#include <stdbool.h>

/* The exit codes of every command (sysexits.h where it has a name for the case). */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,        /* a drill failed */
	EXIT_INCONCLUSIVE = 2,  /* nothing failed, and not enough was proved */
	EXIT_BROKEN = 3,        /* the workflow fails without any fault */
	EXIT_USAGE_ERROR = 64,  /* the command line is wrong */
	EXIT_BAD_SCENARIO = 65, /* the scenario file is wrong */
	EXIT_UNAVAILABLE = 69,  /* this host lacks something that is needed */
	EXIT_HARNESS = 70,      /* a fault of the harness itself, or something left over */
	EXIT_INTERRUPTED = 130, /* SIGINT */
};

enum { ERR_WHY_MAX = 640 };

struct err {
	int code;              /* an errno value, or 0 where no system call failed */
	int exit;              /* one of enum exit_code: how the command should end */
	const char *where;     /* file:line in this source */
	char why[ERR_WHY_MAX]; /* one sentence, with the way out where there is one */
};

#define ERR_STR_(x) #x
#define ERR_STR(x)  ERR_STR_(x)
#define ERR_HERE    __FILE__ ":" ERR_STR(__LINE__)

/* Both set `e` (unless it already holds a cause) and return -1. With code != 0 the text of
 * that errno is appended to the reason. ERR ends a command with 70, ERR_AS with `exit`. */
#define ERR(e, code, ...)          err_set((e), ERR_HERE, (code), EXIT_HARNESS, __VA_ARGS__)
#define ERR_AS(e, exit, code, ...) err_set((e), ERR_HERE, (code), (exit), __VA_ARGS__)

int err_set(struct err *e, const char *where, int code, int exit, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Put "context: " in front of the reason; keeps code, exit and place. Returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

bool err_is_set(const struct err *e);
void err_clear(struct err *e);

#endif
