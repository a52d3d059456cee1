/* SPDX-License-Identifier: MIT */
/* `backout show RUN [DRILL]`: one drill in time, or which drills there are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/cli/options.h"
#include "harness/cli/run_report.h"
#include "harness/cli/settings.h"
#include "reports/timeline.h"

extern const struct command command_show;

/* By its folder in the run, that folder's own name, or the fault's name; a knock-out only by
 * its folder, for it shares the other two with its drill. */
static bool is_named(const struct report_item *it, const char *name)
{
	const char *slash = strrchr(it->label, '/');
	if (strcmp(it->label, name) == 0)
		return true;
	if (it->role == ROLE_KNOCKOUT)
		return false;
	return strcmp(slash != NULL ? slash + 1 : it->label, name) == 0 ||
	       (it->fault != NULL && strcmp(it->fault->name, name) == 0);
}

static int no_such(const struct report_input *in, const char *name, struct err *e)
{
	GUARD(mem) const char **labels = mem_array(in->count + 1, sizeof(*labels));
	for (size_t i = 0; i < in->count; i++)
		labels[i] = in->items[i].label;
	const char *near = json_nearest(name, labels, in->count);
	if (near != NULL)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "no drill '%s' in this run; did you mean '%s'?", name, near);
	return ERR_AS(e, EXIT_USAGE_ERROR, 0, "no drill '%s' in this run; see `backout show %s`",
		      name, in->dir);
}

static int show_drill(const struct report_input *in, const char *name, struct err *e)
{
	for (size_t i = 0; i < in->count; i++)
		if (is_named(&in->items[i], name))
			return timeline_write(stdout, &in->items[i], settings_colour(stdout), e);
	return no_such(in, name, e);
}

static void show_all(const struct report_input *in)
{
	for (size_t i = 0; i < in->count; i++) {
		const struct report_item *it = &in->items[i];
		(void)printf("%-40s  %-13s  %s\n", it->label,
			     it->verdict != NULL ? outcome_name(it->verdict->outcome) : "knock-out",
			     it->fault != NULL ? it->fault->name : "control");
	}
}

static int show(const char *dir, const char *drill, struct err *e)
{
	struct run *run;
	if (run_load(&run, dir, e) < 0)
		return -1;
	struct run_report report;
	/* A sweep's report tells of classes; here each of its drills stands for itself. */
	struct run_view view = *run_view(run);
	view.sweep = NULL;
	run_report_make(&report, &view);
	int result = 0;
	if (drill != NULL)
		result = show_drill(&report.input, drill, e);
	else
		show_all(&report.input);
	run_report_free(&report);
	run_free(run);
	return result;
}

static int show_run(int argc, char **argv)
{
	struct err e = { 0 };
	const char *runs = NULL;
	struct arguments args;
	const struct option_row rows[] = { OPTION_ROW_RUNS(runs), { 0 } };
	OPTIONS_OR_RETURN(&command_show, rows, argc, argv, &args, &e);
	GUARD(mem) char *dir = NULL;
	int result = options_need(&command_show, &args, 1, 2, &e);
	if (result == 0)
		result = settings_find_run(settings_runs(runs), args.items[0], &dir, &e);
	if (result == 0)
		result = show(dir, args.count > 1 ? args.items[1] : NULL, &e);
	options_free(&args);
	return result < 0 ? log_err(&e) : EXIT_OK;
}

const struct command command_show = {
	.name = "show",
	.help = "tell one drill of a run in time, or list its drills",
	.usage = "RUN [DRILL] [--runs DIR]",
	.run = show_run,
};
