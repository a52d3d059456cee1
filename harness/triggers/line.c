/* SPDX-License-Identifier: MIT */
/* Strikes when the step has printed a line. The step runs on meanwhile: what it does behind that
 * line, it may have done already. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/mem.h"
#include "harness/triggers/trigger.h"

enum { DETAIL_MAX = 320 };

struct line_params {
	const char *pattern;
	uint64_t nth;
};

static const struct param line_params[] = {
	{ .name = "pattern",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct line_params, pattern),
	  .help = "only lines that match as a whole, as in the shell's case: * ? [...]" },
	{ .name = "nth",
	  .type = PARAM_UINT,
	  .offset = offsetof(struct line_params, nth),
	  .def = "1",
	  .min = 1,
	  .help = "which of these lines within the step, of its output and its errors together" },
	{ 0 },
};

struct trigger {
	struct trigger_env env;
	const struct line_params *params; /* they outlive the trigger */
	uint64_t seen;
	bool armed, entered;
};

static int line_create(struct trigger **ret, const struct trigger_env *env, const void *params,
		       struct err *e)
{
	(void)e;
	struct trigger *t = mem_alloc(sizeof(*t));
	t->env = *env;
	t->params = params;
	t->armed = true;
	*ret = t;
	return 0;
}

static int line_enter(struct trigger *t, struct err *e)
{
	(void)e;
	t->seen = 0;
	t->entered = true;
	return 0;
}

static void line_line(struct trigger *t, const char *text)
{
	char detail[DETAIL_MAX];
	const char *pattern = t->params->pattern;
	if (!t->armed || !t->entered || (pattern != NULL && fnmatch(pattern, text, 0) != 0))
		return;
	t->seen++;
	if (t->seen < t->params->nth)
		return;
	t->armed = false;
	(void)snprintf(detail, sizeof(detail), "line %llu%s%.60s: %.200s",
		       (unsigned long long)t->seen, pattern != NULL ? " like " : "",
		       pattern != NULL ? pattern : "", text);
	struct strike_site site = { .detail = detail, .node = t->env.node };
	trigger_fire(&t->env, &site);
}

static void line_leave(struct trigger *t)
{
	t->entered = false;
}

static void line_destroy(struct trigger *t)
{
	free(t);
}

const struct trigger_kind trigger_line = {
	.kind = { .name = "line",
		  .help = "when the step has printed a line; inexact, for it runs on meanwhile",
		  .params = line_params,
		  .shorthand = "pattern",
		  .size = sizeof(struct line_params),
		  .exact = false },
	.create = line_create,
	.enter = line_enter,
	.line = line_line,
	.leave = line_leave,
	.destroy = line_destroy,
};
