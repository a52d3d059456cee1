/* SPDX-License-Identifier: MIT */
/* `backout gc`: collect what killed harnesses left on this host. */
#include <stdio.h>

#include "harness/base/log.h"
#include "harness/cli/options.h"
#include "harness/cli/settings.h"
#include "harness/sandbox/orphans.h"
#include "harness/sandbox/owner.h"

extern const struct command command_gc;

static void told(void *arg, const char *kind, const char *name, const char *tag)
{
	(void)arg;
	(void)printf("removed %s %s (left by %s)\n", kind, name, tag);
}

static void told_left(void *arg, const char *kind, const char *name, const char *tag)
{
	(void)arg;
	(void)printf("left %s %s: it has processes, and %s is not there any more; end them\n", kind,
		     name, tag);
}

static int gc_run(int argc, char **argv)
{
	struct err e = { 0 };
	const char *state = NULL;
	struct arguments args;
	const struct option_row rows[] = { OPTION_ROW_STATE(state), { 0 } };
	OPTIONS_OR_RETURN(&command_gc, rows, argc, argv, &args, &e);
	int result = options_need(&command_gc, &args, 0, 0, &e);
	options_free(&args);
	if (result < 0)
		return log_err(&e);
	int count = owner_collect(settings_state(state), told, NULL, &e);
	int orphans =
		count < 0 ? -1 : orphans_collect(settings_state(state), told, told_left, NULL, &e);
	if (orphans < 0)
		return log_err(&e);
	count += orphans;
	if (count == 0)
		(void)printf("nothing to do\n");
	else
		(void)printf("%d object%s removed\n", count, count == 1 ? "" : "s");
	return EXIT_OK;
}

const struct command command_gc = {
	.name = "gc",
	.help = "collect what killed runs left on this host",
	.usage = "[--state DIR]",
	.run = gc_run,
	.as_root = true,
};
