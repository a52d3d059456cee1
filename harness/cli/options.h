/* SPDX-License-Identifier: MIT */
/*
 * Command lines from tables: a row names an option, its argument, its help and where the value
 * goes. One parser and one help text are made from the rows. `--name VALUE` and `--name=VALUE`
 * are the same; `--` ends the options; options may stand between the other arguments.
 */
#ifndef BACKOUT_CLI_OPTIONS_H
#define BACKOUT_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "harness/base/err.h"
#include "harness/cli/command.h"
#include "harness/model/param.h"

/* An option row that several commands share; `v` is a bool. */
#define OPTION_ROW_KEEP(v)                                                                         \
	{                                                                                          \
		"keep-on-fail", OPTION_FLAG, &(v), NULL,                                           \
			"keep what the nodes had written in drills that do not pass (shell "       \
			"--kept)"                                                                  \
	}

enum option_type {
	OPTION_END,
	OPTION_FLAG,  /* bool * */
	OPTION_TEXT,  /* const char **: points into argv */
	OPTION_PAIRS, /* struct pairs *: NAME=VALUE, may be repeated; options_free_pairs() */
};

struct option_row {
	const char *name; /* without the dashes */
	enum option_type type;
	void *value;
	const char *arg; /* how help calls its argument; NULL for flags */
	const char *help;
	char letter; /* `-o` for it as well; 0: none */
};

struct arguments {
	const char **items; /* into argv; free() */
	size_t count;
};

enum options_result { OPTIONS_ERROR = -1, OPTIONS_RUN = 0, OPTIONS_HELPED = 1 };

/* Fills the rows' values and `args` (what is no option). `--help` prints the command's help on
 * stdout and returns OPTIONS_HELPED. Errors are of exit 64 and say what to write instead. */
enum options_result options_parse(const struct command *c, const struct option_row *rows, int argc,
				  char **argv, struct arguments *args, struct err *e);
#define OPTIONS_ANY SIZE_MAX
/* Between min and max (OPTIONS_ANY: no limit) arguments, else an error with the usage. */
int options_need(const struct command *c, const struct arguments *args, size_t min, size_t max,
		 struct err *e);
/* The value of an option that takes a number, 1 to `max`. */
int options_count(const struct command *c, const char *option, const char *text, uint64_t max,
		  uint64_t *ret, struct err *e);
void options_free(struct arguments *args);
void options_free_pairs(struct pairs *pairs);

/* The start of every command: parse, or leave with the right exit code. */
#define OPTIONS_OR_RETURN(c, rows, argc, argv, args, e)                                            \
	do {                                                                                       \
		enum options_result got_ = options_parse(c, rows, argc, argv, args, e);            \
		if (got_ != OPTIONS_RUN)                                                           \
			return got_ == OPTIONS_HELPED ? EXIT_OK : log_err(e);                      \
	} while (0)

#endif
