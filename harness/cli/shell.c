/* SPDX-License-Identifier: MIT */
/* `backout shell RUN [DRILL]`: a shell where a drill was struck, or where its rollback ended. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/base/terminal.h"
#include "harness/cli/options.h"
#include "harness/cli/recorded.h"
#include "harness/cli/settings.h"
#include "harness/engine/shell.h"

extern const struct command command_shell;

struct request {
	const char *run, *drill;
	const char *state_dir, *runs_dir;
	struct shell_spec spec;
	bool kept;
};

static void note(void *arg, const char *line)
{
	(void)arg;
	log_note("%s", line);
}

static void begin(void *arg, const char *label, size_t index, size_t total)
{
	(void)index;
	(void)total;
	log_note("repeating %s up to %s", label, (const char *)arg);
}

static const struct {
	const char *name, *words;
} places[] = {
	[DRILL_STOP_STRIKE] = { "strike", "its strike" },
	[DRILL_STOP_ROLLBACK_END] = { "rollback-end", "the end of its rollback" },
};

static int find_place(const char *name, enum drill_stop_at *ret, struct err *e)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		*ret = (enum drill_stop_at)i;
		if (strcmp(places[i].name, name) == 0)
			return 0;
	}
	return ERR_AS(e, EXIT_USAGE_ERROR, 0,
		      "shell: --at '%s': write \"strike\" or \"rollback-end\"", name);
}

/* The exit code: the shell's, as a shell tells it. */
static int in_folder(const struct request *q, const struct replay *r, const struct session *common,
		     struct err *e)
{
	struct shell_end end;
	struct terminal_mode mode = { 0 };
	struct session s = *common;
	int interrupted = 0;
	/* Its run folder is nobody's to keep: what it leads to was made by hand. */
	GUARD(mem) char *folder = mem_printf("%s/shell", owner_work_dir(s.owner));
	s.runs_dir = folder;
	s.interrupted = &interrupted;
	if (q->spec.command == NULL)
		terminal_save(&mode, q->spec.in);
	int result = q->kept ? shell_in_kept(r, &s, &q->spec, &end, e)
			     : shell_in_replay(r, &s, &q->spec, &end, e);
	terminal_restore(&mode);
	session_close(&s);
	run_free(s.run);
	if (result < 0)
		return -1;
	if (interrupted != 0 && (q->kept || !end.reached))
		return interrupted == SIGINT ? EXIT_INTERRUPTED : EXIT_INCONCLUSIVE;
	if (!end.reached)
		return ERR_AS(e, EXIT_INCONCLUSIVE, 0,
			      "the drill did not come to %s: `backout replay` tells how it ends",
			      places[q->spec.at].words);
	return WIFEXITED(end.status) ? WEXITSTATUS(end.status) : 128 + WTERMSIG(end.status);
}

static int shell(const struct request *q, struct err *e)
{
	const struct run_progress progress = { .note = note,
					       .begin = begin,
					       .arg = (void *)places[q->spec.at].words };
	struct recorded recorded = { .run = q->run, .drill = q->drill };
	struct session common = {
		.state_dir = q->state_dir,
		.runs_dir = q->runs_dir,
		.progress = &progress,
	};
	if (q->spec.command == NULL && (isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1))
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "shell: this is no terminal; give a line with --command 'LINE'");
	if (q->spec.command == NULL && q->spec.in < 0)
		return ERR(e, 0, "the terminal cannot be opened a second time");
	if (recorded_open(&recorded, &common, e) < 0)
		return -1;
	int result = in_folder(q, recorded.replay, &common, e);
	return recorded_close(&recorded, &common, result, e);
}

static int shell_run(int argc, char **argv)
{
	struct err e = { 0 };
	const char *state = NULL, *runs = NULL, *at = NULL;
	struct request q = { 0 };
	struct arguments args;
	const struct option_row rows[] = {
		{ "at", OPTION_TEXT, &at, "PLACE", "strike (default) or rollback-end" },
		{ "kept", OPTION_FLAG, &q.kept, NULL,
		  "repeat nothing: a node in a copy of what --keep-on-fail kept of the drill" },
		{ "node", OPTION_TEXT, &q.spec.node, "NAME", "instead of the struck step's node" },
		{ "command", OPTION_TEXT, &q.spec.command, "LINE",
		  "run this by sh -ec instead of a shell on the terminal" },
		OPTION_ROW_STATE(state),
		OPTION_ROW_RUNS(runs),
		{ 0 },
	};
	OPTIONS_OR_RETURN(&command_shell, rows, argc, argv, &args, &e);
	q.state_dir = settings_state(state);
	q.runs_dir = settings_runs(runs);
	int result = options_need(&command_shell, &args, 1, 2, &e);
	/* The drill's own standard input is not ours. */
	GUARD(fd) int in = dup(STDIN_FILENO);
	if (result == 0 && q.kept && at != NULL)
		result = ERR_AS(&e, EXIT_USAGE_ERROR, 0,
				"shell: --kept shows a drill's end; leave out --at");
	if (result == 0)
		result = find_place(at != NULL ? at : places[0].name, &q.spec.at, &e);
	if (result == 0) {
		q.run = args.items[0];
		q.drill = args.count > 1 ? args.items[1] : NULL;
		q.spec.in = in;
		q.spec.out = STDOUT_FILENO;
		q.spec.err = STDERR_FILENO;
		result = shell(&q, &e);
	}
	options_free(&args);
	return result < 0 ? log_err(&e) : result;
}

const struct command command_shell = {
	.name = "shell",
	.help = "repeat a drill up to its strike or its rollback's end, and look inside",
	.usage = "RUN [DRILL] [--at strike|rollback-end | --kept] [--node NAME] [--command LINE]",
	.run = shell_run,
	.as_root = true,
	.makes_nodes = true,
};
