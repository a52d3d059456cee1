/* SPDX-License-Identifier: MIT */
/* `backout check FILE...`: is the scenario right? Needs no root and touches nothing. */
#include <stdio.h>

#include "harness/base/log.h"
#include "harness/cli/options.h"
#include "harness/engine/catalog.h"
#include "harness/model/plan.h"

extern const struct command command_check;

static void count(const char *what, size_t n, const char *sep)
{
	(void)printf("%s%zu %s%s", sep, n, what, n == 1 ? "" : "s");
}

static int check_file(const char *file, const struct plan_options *options)
{
	struct err e = { 0 };
	struct plan_doc *doc = NULL;
	if (plan_load(&doc, file, catalog_get(), options, &e) < 0) {
		/* As compilers write it, so that editors can jump there. */
		(void)fprintf(stderr, "%s\n", e.why);
		return e.exit;
	}
	const struct plan *p = plan_get(doc);
	(void)printf("%s: ok", file);
	count("node", p->node_count, " (");
	count("patch step", p->patch_count, ", ");
	count("rollback", p->rollback_count, ", ");
	count("probe", p->steady_count + p->goal_count, ", ");
	count("fault", p->fault_count, ", ");
	(void)printf(")\n");
	plan_free(doc);
	return EXIT_OK;
}

static int check_run(int argc, char **argv)
{
	struct err e = { 0 };
	struct pairs vars = { 0 };
	const char *rollback = NULL;
	struct arguments args;
	const struct option_row rows[] = {
		{ "var", OPTION_PAIRS, &vars, "NAME=VALUE", "set a variable of the scenario" },
		{ "rollback", OPTION_TEXT, &rollback, "NAME", "another of the named rollbacks" },
		{ 0 },
	};
	int exit = EXIT_OK;
	OPTIONS_OR_RETURN(&command_check, rows, argc, argv, &args, &e);
	if (options_need(&command_check, &args, 1, OPTIONS_ANY, &e) < 0)
		exit = log_err(&e);
	const struct plan_options options = { .rollback = rollback, .vars = &vars };
	for (size_t i = 0; i < args.count; i++) {
		int one = check_file(args.items[i], &options);
		exit = one != EXIT_OK ? one : exit;
	}
	options_free(&args);
	options_free_pairs(&vars);
	return exit;
}

const struct command command_check = {
	.name = "check",
	.help = "say whether scenario files are right (needs no root)",
	.usage = "FILE... [--var NAME=VALUE]... [--rollback NAME]",
	.run = check_run,
};
