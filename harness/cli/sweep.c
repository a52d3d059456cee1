/* SPDX-License-Identifier: MIT */
/* `backout sweep SCENARIO`: the same strike at every point of the workflow. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/cli/options.h"
#include "harness/cli/run_report.h"
#include "harness/cli/settings.h"
#include "harness/cli/sweep_plans.h"
#include "harness/cli/sweep_view.h"
#include "harness/engine/sweep.h"

extern const struct command command_sweep;

enum { JOBS_MAX = 1024 };

/* An option that is one of few words. */
static int one_of(const char *option, const char *value, const char *const *words, struct err *e)
{
	GUARD_BUF struct buf list = { 0 };
	for (size_t i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], value) == 0)
			return 0;
		buf_printf(&list, "%s%s", i > 0 ? ", " : "", words[i]);
	}
	return ERR_AS(e, EXIT_USAGE_ERROR, 0, "--%s: '%s' is none; write one of %s", option, value,
		      buf_str(&list));
}

/* As given; NULL: not. */
struct words {
	const char *strike, *points, *in, *jobs, *budget, *shard, *resume;
};

/* What is swept is the resumed sweep's own: nothing that says it anew is passed over. */
static int check_resumed(const struct sweep_options *o, const struct words *t, struct err *e)
{
	const struct {
		const char *name;
		bool given;
	} fixed[] = {
		{ "strike", t->strike != NULL },
		{ "points", t->points != NULL },
		{ "in", t->in != NULL },
		{ "pairs", o->ask.pairs },
		{ "retry-patch", o->ask.retry_patch },
		{ "shard", t->shard != NULL },
		{ "no-reduce", o->ask.no_reduce },
		{ "no-branch", o->ask.no_branch },
		{ "rollback", o->run.rollback != NULL },
		{ "var", o->run.vars->count > 0 },
		{ "seed", o->run.seed != NULL },
	};
	for (size_t i = 0; t->resume != NULL && i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (fixed[i].given)
			return ERR_AS(e, EXIT_USAGE_ERROR, 0,
				      "sweep: --resume goes on with what that sweep was asked; "
				      "leave --%s out",
				      fixed[i].name);
	return 0;
}

static int check(struct sweep_options *o, const struct words *t, struct err *e)
{
	static const char *const points[] = { "calls", "programs", "steps", "lines", NULL };
	static const char *const in[] = { "patch", "rollback", "both", NULL };
	struct err sub = { 0 };
	uint64_t jobs = 0;
	o->ask.strike = t->strike != NULL ? t->strike : "kill";
	o->ask.points = t->points != NULL ? t->points : points[0];
	o->ask.in = t->in != NULL ? t->in : in[0];
	if (check_resumed(o, t, e) < 0)
		return -1;
	if (one_of("points", o->ask.points, points, e) < 0 || one_of("in", o->ask.in, in, e) < 0)
		return -1;
	if (t->jobs != NULL &&
	    options_count(&command_sweep, "jobs", t->jobs, JOBS_MAX, &jobs, e) < 0)
		return -1;
	o->jobs = (unsigned)jobs;
	if (t->shard != NULL && sweep_shard_parse(t->shard, &o->ask.shard, e) < 0)
		return -1;
	if (t->budget != NULL &&
	    (param_parse_duration(t->budget, &o->budget, &sub) < 0 || o->budget <= 0))
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "--budget: '%s' is no duration; write one such as 90s or 10m",
			      t->budget);
	return 0;
}

static int execute(const struct sweep_options *o, bool json, struct err *e)
{
	struct run *run = NULL;
	int interrupted = 0;
	int result = sweep_view_execute(&run, o, &interrupted, e);
	return run_report_end(run, result, json, interrupted, e);
}

static int execute_any(const struct sweep_options *o, bool json, struct err *e)
{
	bool several = o->resume == NULL && sweep_plans_asked(o->run.rollback);
	return several ? sweep_plans_run(o, json, e) : execute(o, json, e);
}

static int sweep_run(int argc, char **argv)
{
	struct err e = { 0 };
	const char *state = NULL, *runs = NULL;
	struct words words = { 0 };
	struct sweep_options o = { 0 };
	struct pairs vars = { 0 };
	bool json = false, quiet = false;
	struct arguments args;
	const struct option_row rows[] = {
		{ "strike", OPTION_TEXT, &words.strike, "WHAT",
		  "kill (default), crash, power, errno:E, delay:D, or a fault of the scenario" },
		{ "points", OPTION_TEXT, &words.points, "KIND",
		  "calls (default): every call that changes state, and program starts; programs; "
		  "steps; lines that it prints" },
		{ "in", OPTION_TEXT, &words.in, "WHERE", "patch (default), rollback, both" },
		{ "pairs", OPTION_FLAG, &o.ask.pairs, NULL,
		  "then also strike the rollback that follows a strike in the patch" },
		{ "retry-patch", OPTION_FLAG, &o.ask.retry_patch, NULL,
		  "run the patch once more where its rollback came back" },
		{ "jobs", OPTION_TEXT, &words.jobs, "N", "drills side by side (the processors)" },
		{ "budget", OPTION_TEXT, &words.budget, "TIME",
		  "stop after so long, spread over the workflow; --resume goes on" },
		{ "shard", OPTION_TEXT, &words.shard, "I/N", "this part of N only" },
		{ "resume", OPTION_TEXT, &words.resume, "RUN", "go on with an interrupted sweep" },
		{ "no-reduce", OPTION_FLAG, &o.ask.no_reduce, NULL,
		  "drill every point, also where others leave the same state" },
		{ "no-branch", OPTION_FLAG, &o.ask.no_branch, NULL,
		  "run every drill from the start of the workflow" },
		{ "rollback", OPTION_TEXT, &o.run.rollback, "NAME[,NAME...]|all",
		  "back out by this plan of the scenario; several are compared" },
		{ "var", OPTION_PAIRS, &vars, "NAME=VALUE", "give a variable of the scenario" },
		{ "seed", OPTION_TEXT, &o.run.seed, "TEXT",
		  "instead of one that is drawn and recorded" },
		OPTION_ROW_KEEP(o.run.keep),
		{ "json", OPTION_FLAG, &json, NULL, "the report on stdout as JSON" },
		{ "quiet", OPTION_FLAG, &quiet, NULL, "no notes" },
		OPTION_ROW_STATE(state),
		OPTION_ROW_RUNS(runs),
		{ 0 },
	};
	OPTIONS_OR_RETURN(&command_sweep, rows, argc, argv, &args, &e);
	log_set_quiet(quiet);
	o.run.state_dir = settings_state(state);
	o.run.runs_dir = settings_runs(runs);
	o.run.vars = &vars;
	GUARD(mem) char *dir = NULL;
	int result = check(&o, &words, &e);
	if (result == 0 && words.resume != NULL) {
		result = options_need(&command_sweep, &args, 0, 0, &e);
		if (result == 0)
			result = settings_find_run(o.run.runs_dir, words.resume, &dir, &e);
		o.resume = dir;
	} else if (result == 0) {
		result = options_need(&command_sweep, &args, 1, 1, &e);
	}
	if (result == 0) {
		o.run.scenario = words.resume == NULL ? args.items[0] : NULL;
		result = execute_any(&o, json, &e);
	}
	options_free(&args);
	options_free_pairs(&vars);
	return result < 0 ? log_err(&e) : result;
}

const struct command command_sweep = {
	.name = "sweep",
	.help = "strike a workflow at every point, and judge the rollback from each",
	.usage = "SCENARIO [--strike WHAT] [--points KIND] [--in WHERE] [--budget TIME] "
		 "[--jobs N] | --resume RUN",
	.run = sweep_run,
	.as_root = true,
	.makes_nodes = true,
};
