/* SPDX-License-Identifier: MIT */
/* `backout run SCENARIO`: controls, drills, knock-outs, verdicts, reports. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/cli/options.h"
#include "harness/cli/run_report.h"
#include "harness/cli/settings.h"
#include "harness/engine/run.h"
#include "reports/live.h"

extern const struct command command_run;

/* The live view, and which drill it shows. */
struct view {
	struct live *live;
	char *label; /* of the drill under way */
};

static void note(void *arg, const char *line)
{
	const struct view *v = arg;
	live_say(v->live, line);
}

static void begin(void *arg, const char *label, size_t index, size_t total)
{
	struct view *v = arg;
	GUARD(mem) char *name = mem_printf("[%zu/%zu] %s", index, total, label);
	free(v->label);
	v->label = mem_strdup(label);
	live_begin(v->live, name);
}

static void line(void *arg, const char *text, size_t len)
{
	const struct view *v = arg;
	live_line(v->live, text, len);
}

static void tick(void *arg)
{
	const struct view *v = arg;
	live_tick(v->live);
}

static void end(void *arg, const struct run_item *item)
{
	const struct view *v = arg;
	if (strcmp(v->label, item->label) == 0) {
		live_verdict(v->live, item->role == ROLE_KNOCKOUT ? NULL : &item->verdict);
		return;
	}
	/* A drill that waited for its counter-proof. */
	GUARD(mem)
	char *text = mem_printf("%s: %s, %s", item->label, outcome_name(item->verdict.outcome),
				item->verdict.why);
	live_say(v->live, text);
}

/* Every format as a file of the run's folder. */
static int write_reports(const struct run_view *view, const struct report_input *input,
			 struct err *e)
{
	static const struct {
		const char *format, *file;
	} files[] = {
		{ "text", "report.txt" },
		{ "json", "verdict.json" },
		{ "junit", "report.xml" },
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		GUARD(mem) char *path = mem_printf("%s/%s", view->dir, files[i].file);
		GUARD(file) FILE *f = fopen(path, "we");
		if (f == NULL)
			return ERR(e, errno, "create '%s'", path);
		if (report_find(files[i].format)->write(f, input, false, e) < 0)
			return -1;
		if (fflush(f) != 0)
			return ERR(e, errno, "write '%s'", path);
	}
	return 0;
}

static int conclude(const struct run *run, bool json, struct err *e)
{
	const struct run_view *view = run_view(run);
	struct run_report report;
	run_report_make(&report, view);
	int result = write_reports(view, &report.input, e);
	if (result == 0)
		result = report_find(json ? "json" : "text")
				 ->write(stdout, &report.input, settings_colour(stdout), e);
	run_report_free(&report);
	return result < 0 ? -1 : view->exit;
}

static int execute(const struct run_options *o, bool json, struct err *e)
{
	struct run *run = NULL;
	int interrupted = 0;
	struct view view = {
		live_create(stderr, isatty(STDERR_FILENO) == 1, settings_colour(stderr)), NULL
	};
	struct run_progress progress = { note, begin, line, tick, end, &view };
	int result = run_execute(&run, o, &progress, &interrupted, e);
	live_destroy(view.live);
	free(view.label);
	if (result == 0)
		result = conclude(run, json, e);
	run_free(run);
	if (result >= 0 && interrupted == SIGINT)
		return EXIT_INTERRUPTED;
	return result;
}

static int run_run(int argc, char **argv)
{
	struct err e = { 0 };
	const char *state = NULL, *runs = NULL;
	struct run_options o = { 0 };
	struct pairs vars = { 0 };
	bool json = false, quiet = false;
	struct arguments args;
	const struct option_row rows[] = {
		{ "rollback", OPTION_TEXT, &o.rollback, "NAME",
		  "back out by this plan of the scenario" },
		{ "fault", OPTION_TEXT, &o.fault, "NAME", "only the fault of this name" },
		{ "var", OPTION_PAIRS, &vars, "NAME=VALUE", "give a variable of the scenario" },
		{ "seed", OPTION_TEXT, &o.seed, "TEXT",
		  "instead of one that is drawn and recorded" },
		{ "json", OPTION_FLAG, &json, NULL, "the report on stdout as JSON" },
		{ "quiet", OPTION_FLAG, &quiet, NULL, "no notes" },
		OPTION_ROW_STATE(state),
		OPTION_ROW_RUNS(runs),
		{ 0 },
	};
	OPTIONS_OR_RETURN(&command_run, rows, argc, argv, &args, &e);
	log_set_quiet(quiet);
	o.state_dir = settings_state(state);
	o.runs_dir = settings_runs(runs);
	o.vars = &vars;
	int result = options_need(&command_run, &args, 1, 1, &e);
	if (result == 0) {
		o.scenario = args.items[0];
		result = execute(&o, json, &e);
	}
	options_free(&args);
	options_free_pairs(&vars);
	return result < 0 ? log_err(&e) : result;
}

const struct command command_run = {
	.name = "run",
	.help = "run a scenario's controls and drills, and judge them",
	.usage = "SCENARIO [--fault NAME] [--rollback NAME] [--var NAME=VALUE] [--json]",
	.run = run_run,
};
