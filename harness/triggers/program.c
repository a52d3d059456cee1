/* SPDX-License-Identifier: MIT */
/* Strikes when a program is about to start on the step's node; the process is held meanwhile. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/mem.h"
#include "harness/model/state.h"
#include "harness/sandbox/execwatch.h"
#include "harness/triggers/trigger.h"

enum { DETAIL_MAX = 240 };

struct program_params {
	const char *path;
	uint64_t nth;
};

static const struct param program_params[] = {
	{ .name = "path",
	  .type = PARAM_PATH,
	  .offset = offsetof(struct program_params, path),
	  .required = true,
	  .help = "the program's file, links resolved; a pattern with * ** ?" },
	{ .name = "nth",
	  .type = PARAM_UINT,
	  .offset = offsetof(struct program_params, nth),
	  .def = "1",
	  .min = 1,
	  .help = "which of its starts within the step; those of probes and services do not "
		  "count" },
	{ 0 },
};

struct trigger {
	struct trigger_env env;
	const char *path; /* the parameters outlive the trigger */
	uint64_t nth, seen;
	bool armed;
	struct exec_watch *watch;
};

static int program_create(struct trigger **ret, const struct trigger_env *env, const void *params,
			  struct err *e)
{
	const struct program_params *p = params;
	(void)e;
	struct trigger *t = mem_alloc(sizeof(*t));
	t->env = *env;
	t->path = p->path;
	t->nth = p->nth;
	t->armed = true;
	*ret = t;
	return 0;
}

static void program_leave(struct trigger *t)
{
	exec_watch_destroy(t->watch);
	t->watch = NULL;
}

static void on_start(void *arg, const struct exec_event *ev)
{
	struct trigger *t = arg;
	char detail[DETAIL_MAX];
	if (!t->armed || !state_path_match(t->path, ev->path))
		return;
	/* What a probe or a service starts would shift the count from run to run. */
	if (node_is_apart(t->env.node, ev->pid))
		return;
	t->seen++;
	if (t->seen < t->nth)
		return;
	t->armed = false;
	program_leave(t); /* the held process stays until we return */
	pid_t inside = node_inside_pid(ev->pid);
	(void)snprintf(detail, sizeof(detail), "start %llu of %s (pid %d)",
		       (unsigned long long)t->seen, ev->path, (int)inside);
	struct strike_site site = {
		.detail = detail, .node = t->env.node, .stopped = ev->pid, .program = ev->path
	};
	trigger_fire(&t->env, &site);
}

static int program_enter(struct trigger *t, struct err *e)
{
	if (!t->armed)
		return 0;
	t->seen = 0;
	return exec_watch_create(&t->watch, t->env.loop, t->env.node, on_start, t, e);
}

static void program_destroy(struct trigger *t)
{
	if (t == NULL)
		return;
	program_leave(t);
	free(t);
}

const struct trigger_kind trigger_program = {
	.kind = { .name = "program",
		  .help = "when a program is about to start; exact",
		  .params = program_params,
		  .shorthand = "path",
		  .size = sizeof(struct program_params),
		  .exact = true },
	.create = program_create,
	.enter = program_enter,
	.leave = program_leave,
	.destroy = program_destroy,
};
