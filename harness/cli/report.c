/* SPDX-License-Identifier: MIT */
/* `backout report RUN`: judge a run folder anew and report it. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/guard.h"
#include "harness/base/log.h"
#include "harness/cli/options.h"
#include "harness/cli/run_report.h"
#include "harness/cli/settings.h"

extern const struct command command_report;

static int write_report(const char *dir, const struct report_format *format, struct err *e)
{
	struct run *run;
	if (run_load(&run, dir, e) < 0)
		return -1;
	struct run_report report;
	run_report_make(&report, run_view(run));
	int result = format->write(stdout, &report.input, settings_colour(stdout), e);
	run_report_free(&report);
	run_free(run);
	return result;
}

static int report_run(int argc, char **argv)
{
	struct err e = { 0 };
	const char *runs = NULL, *name = "text";
	struct arguments args;
	const struct option_row rows[] = {
		{ "format", OPTION_TEXT, &name, "NAME", "text (default), json, junit" },
		OPTION_ROW_RUNS(runs),
		{ 0 },
	};
	OPTIONS_OR_RETURN(&command_report, rows, argc, argv, &args, &e);
	const struct report_format *format;
	GUARD(mem) char *dir = NULL;
	int result = options_need(&command_report, &args, 1, 1, &e);
	if (result == 0)
		result = run_report_format(name, &format, &e);
	if (result == 0)
		result = settings_find_run(settings_runs(runs), args.items[0], &dir, &e);
	options_free(&args);
	if (result == 0)
		result = write_report(dir, format, &e);
	return result < 0 ? log_err(&e) : EXIT_OK;
}

const struct command command_report = {
	.name = "report",
	.help = "report a run again (RUN: path, name, its beginning, or `last`)",
	.usage = "RUN [--format NAME] [--runs DIR]",
	.run = report_run,
};
