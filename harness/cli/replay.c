/* SPDX-License-Identifier: MIT */
/* `backout replay RUN [DRILL]`: a drill once more, and whether it ends as it did. */
#include <signal.h>
#include <stdio.h>

#include "harness/base/log.h"
#include "harness/cli/live_view.h"
#include "harness/cli/options.h"
#include "harness/cli/recorded.h"
#include "harness/cli/run_report.h"
#include "harness/cli/settings.h"

extern const struct command command_replay;

enum { TIMES_MAX = 10000 };

struct request {
	const char *run, *drill; /* drill: NULL, the first that failed */
	const char *state_dir, *runs_dir;
	uint64_t times;
	bool json, keep;
};

/* What came of the replays so far. */
struct tally {
	uint64_t done, same;
	unsigned other[OUTCOME_COUNT];
	int exit, interrupted;
};

/* The report of the one that is worth reading: a replay that ended otherwise, or the last. */
static int tell_one(const struct request *q, const struct run_view *view, const struct verdict *now,
		    enum outcome recorded, struct tally *t, struct err *e)
{
	bool same = now->outcome == recorded;
	bool first_other = !same && t->same + 1 == t->done;
	bool last = t->done == q->times || t->interrupted != 0;
	FILE *out = q->json ? stderr : stdout;
	bool report = first_other || (last && t->same == t->done);
	const char *format = q->json ? "json" : "text";
	if (run_report_publish(view, report ? format : NULL, e) < 0)
		return -1;
	(void)fprintf(out, "%s", report && !q->json ? "\n" : "");
	if (q->times > 1)
		(void)fprintf(out, "replay %llu of %llu: ", (unsigned long long)t->done,
			      (unsigned long long)q->times);
	if (same)
		(void)fprintf(out, "same as recorded: %s\n", outcome_name(recorded));
	else
		(void)fprintf(out, "DIFFERENT: recorded %s, now %s (%s)\n", outcome_name(recorded),
			      outcome_name(now->outcome), view->dir);
	(void)fflush(out);
	return 0;
}

static int replay_and_tell(const struct request *q, const struct replay *r, struct session *s,
			   struct tally *t, struct err *e)
{
	enum outcome recorded = replay_recorded(r)->verdict.outcome;
	struct run_progress progress;
	struct live_view *live = live_view_open(&progress);
	s->progress = &progress;
	int index = replay_once(r, s, e);
	live_view_close(live);
	if (index < 0)
		return -1;
	const struct run_view *view = run_view(s->run);
	const struct verdict *now = &view->items[index].verdict;
	bool same = now->outcome == recorded;
	t->done++;
	t->same += same;
	t->other[now->outcome] += !same;
	t->exit = verdict_worse_exit(t->exit, view->exit);
	if (!same)
		t->exit = verdict_worse_exit(t->exit, EXIT_INCONCLUSIVE);
	return tell_one(q, view, now, recorded, t, e);
}

static void tell_all(const struct request *q, const struct replay *r, const struct tally *t)
{
	FILE *out = q->json ? stderr : stdout;
	if (q->times == 1)
		return;
	(void)fprintf(out, "%llu of %llu the same as recorded: %s", (unsigned long long)t->same,
		      (unsigned long long)t->done,
		      outcome_name(replay_recorded(r)->verdict.outcome));
	for (unsigned o = 0; o < OUTCOME_COUNT; o++)
		if (t->other[o] > 0)
			(void)fprintf(out, "; DIFFERENT: %u %s", t->other[o],
				      outcome_name((enum outcome)o));
	(void)fprintf(out, "\n");
}

static int replay_all(const struct request *q, const struct replay *r, const struct session *common,
		      struct err *e)
{
	struct tally t = { 0 };
	int result = 0;
	while (result == 0 && t.done < q->times && t.interrupted == 0) {
		struct session s = *common;
		s.interrupted = &t.interrupted;
		result = replay_and_tell(q, r, &s, &t, e);
		session_close(&s);
		run_free(s.run);
	}
	if (result < 0)
		return -1;
	tell_all(q, r, &t);
	return t.interrupted == SIGINT ? EXIT_INTERRUPTED : t.exit;
}

static int replay(const struct request *q, struct err *e)
{
	static const struct run_progress silent;
	struct recorded recorded = { .run = q->run, .drill = q->drill };
	struct session common = {
		.state_dir = q->state_dir,
		.runs_dir = q->runs_dir,
		.progress = &silent,
		.keep = q->keep,
	};
	if (recorded_open(&recorded, &common, e) < 0)
		return -1;
	int result = replay_all(q, recorded.replay, &common, e);
	return recorded_close(&recorded, &common, result, e);
}

static int replay_run(int argc, char **argv)
{
	struct err e = { 0 };
	const char *state = NULL, *runs = NULL, *times = NULL;
	struct request q = { .times = 1 };
	bool quiet = false;
	struct arguments args;
	const struct option_row rows[] = {
		{ "times", OPTION_TEXT, &times, "N", "repeat it so often, and count" },
		OPTION_ROW_KEEP(q.keep),
		{ "json", OPTION_FLAG, &q.json, NULL, "the report on stdout as JSON" },
		{ "quiet", OPTION_FLAG, &quiet, NULL, "no notes" },
		OPTION_ROW_STATE(state),
		OPTION_ROW_RUNS(runs),
		{ 0 },
	};
	OPTIONS_OR_RETURN(&command_replay, rows, argc, argv, &args, &e);
	log_set_quiet(quiet);
	q.state_dir = settings_state(state);
	q.runs_dir = settings_runs(runs);
	int result = options_need(&command_replay, &args, 1, 2, &e);
	if (result == 0 && times != NULL)
		result = options_count(&command_replay, "times", times, TIMES_MAX, &q.times, &e);
	if (result == 0) {
		q.run = args.items[0];
		q.drill = args.count > 1 ? args.items[1] : NULL;
		result = replay(&q, &e);
	}
	options_free(&args);
	return result < 0 ? log_err(&e) : result;
}

const struct command command_replay = {
	.name = "replay",
	.help = "repeat a drill of a run from its folder, and compare the outcomes",
	.usage = "RUN [DRILL] [--times N] [--json]   (RUN may be a bundle's file)",
	.run = replay_run,
	.as_root = true,
	.makes_nodes = true,
};
