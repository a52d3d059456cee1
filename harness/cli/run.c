/* SPDX-License-Identifier: MIT */
/* `backout run SCENARIO`: controls, drills, knock-outs, verdicts, reports. */
#include "harness/engine/run.h"
#include "harness/base/log.h"
#include "harness/cli/live_view.h"
#include "harness/cli/options.h"
#include "harness/cli/run_report.h"
#include "harness/cli/settings.h"

extern const struct command command_run;

static int execute(const struct run_options *o, bool json, struct err *e)
{
	struct run *run = NULL;
	int interrupted = 0;
	struct run_progress progress;
	struct live_view *view = live_view_open(&progress);
	int result = run_execute(&run, o, &progress, &interrupted, e);
	live_view_close(view);
	return run_report_end(run, result, json, interrupted, e);
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
		{ "shrink", OPTION_FLAG, &o.shrink, NULL,
		  "of a failing fault with several strikes, find the fewest that still fail" },
		OPTION_ROW_KEEP(o.keep),
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
	.as_root = true,
	.makes_nodes = true,
};
