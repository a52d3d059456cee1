/* SPDX-License-Identifier: MIT */
/* `backout bundle RUN [DRILL]`: a drill and all that its replay needs, as one file. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/guard.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/cli/options.h"
#include "harness/cli/settings.h"
#include "harness/engine/bundle.h"

extern const struct command command_bundle;

struct request {
	const char *run, *drill, *file; /* drill, file: NULL for the default */
	const char *state_dir, *runs_dir;
	bool without_images;
};

static void note(void *arg, const char *line)
{
	(void)arg;
	log_note("%s", line);
}

static int bundle(const struct request *q, struct err *e)
{
	const struct bundle_note to = { note, NULL };
	struct replay *r = NULL;
	GUARD(mem) char *dir = NULL;
	if (settings_find_run(q->runs_dir, q->run, &dir, e) < 0 ||
	    replay_open(&r, dir, q->drill, e) < 0)
		return -1;
	GUARD(mem)
	char *file = q->file != NULL ? mem_strdup(q->file)
				     : mem_printf("%s-%s.tar.zst", replay_view(r)->id,
						  replay_recorded(r)->fault->slug);
	int result = bundle_write(r, file, q->state_dir, !q->without_images, &to, e);
	if (result == 0)
		(void)printf("%s\n", file);
	replay_close(r);
	return result;
}

static int bundle_run(int argc, char **argv)
{
	struct err e = { 0 };
	const char *state = NULL, *runs = NULL;
	struct request q = { 0 };
	struct arguments args;
	const struct option_row rows[] = {
		{ "output", OPTION_TEXT, &q.file, "FILE",
		  "instead of RUN-DRILL.tar.zst in this folder", 'o' },
		{ "without-images", OPTION_FLAG, &q.without_images, NULL,
		  "leave the root images out: much smaller, for machines that have them" },
		OPTION_ROW_STATE(state),
		OPTION_ROW_RUNS(runs),
		{ 0 },
	};
	OPTIONS_OR_RETURN(&command_bundle, rows, argc, argv, &args, &e);
	q.state_dir = settings_state(state);
	q.runs_dir = settings_runs(runs);
	int result = options_need(&command_bundle, &args, 1, 2, &e);
	if (result == 0) {
		q.run = args.items[0];
		q.drill = args.count > 1 ? args.items[1] : NULL;
		result = bundle(&q, &e);
	}
	options_free(&args);
	return result < 0 ? log_err(&e) : EXIT_OK;
}

const struct command command_bundle = {
	.name = "bundle",
	.help = "pack a drill with all that a replay elsewhere needs",
	.usage = "RUN [DRILL] [-o FILE] [--without-images]",
	.run = bundle_run,
	.as_root = true,
};
