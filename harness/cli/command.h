/* SPDX-License-Identifier: MIT */
/* A command of the program: one file, one const descriptor, one row in commands.h. */
#ifndef BACKOUT_CLI_COMMAND_H
#define BACKOUT_CLI_COMMAND_H

#include <stdbool.h>

struct command {
	const char *name;
	const char *help;  /* one line */
	const char *usage; /* behind "backout NAME ": "FILE... [--var NAME=VALUE]" */
	/* argv[0] is the command's name. Returns one of enum exit_code. */
	int (*run)(int argc, char **argv);
	bool as_root;     /* of a user namespace, for an ordinary user: userns.h */
	bool makes_nodes; /* it leaves its own file first: ownfile.h */
};

extern const struct command *const commands[]; /* NULL-terminated; commands.c */

#endif
