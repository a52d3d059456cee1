/* SPDX-License-Identifier: MIT */
/* One row a command: command_NAME in NAME.c. */
#ifndef BACKOUT_CLI_COMMANDS_H
#define BACKOUT_CLI_COMMANDS_H

/* clang-format off */
#define COMMANDS(X)                                                                        \
	X(bundle) X(check) X(doctor) X(gc) X(image) X(list) X(replay) X(report) X(run)     \
	X(schema) X(shell) X(show) X(sweep)
/* clang-format on */

#endif
