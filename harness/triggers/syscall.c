/* SPDX-License-Identifier: MIT */
/*
 * Strikes when the step's program, or one that it started, is about to make a system call that
 * changes something; the call is held meanwhile. Where processes run side by side, the order in
 * which they come is theirs: `path` and `program` narrow the count to what repeats.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/model/state.h"
#include "harness/sandbox/callwatch.h"
#include "harness/triggers/trigger.h"

enum { DETAIL_MAX = 640, CALL_TEXT_MAX = 400 };

struct syscall_params {
	int call;
	const char *path, *program, *argument;
	uint64_t nth;
};

static const struct param syscall_params[] = {
	{ .name = "call",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct syscall_params, call),
	  .names = call_family_names,
	  .def = "any",
	  .help = "which calls, with all their forms (rename: renameat and renameat2, too); any: "
		  "all that change state but write" },
	{ .name = "path",
	  .type = PARAM_PATH,
	  .offset = offsetof(struct syscall_params, path),
	  .help = "only calls on this path, absolute in the node, links not resolved; a pattern "
		  "with * ** ?; of two paths either counts" },
	{ .name = "program",
	  .type = PARAM_PATH,
	  .offset = offsetof(struct syscall_params, program),
	  .help = "only calls by this program, links resolved; a pattern with * ** ?" },
	{ .name = "argument",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct syscall_params, argument),
	  .help = "only calls with this number as an argument (0 to 5): \"2=0\", or with these "
		  "bits "
		  "set in it: \"1&0x200\"" },
	{ .name = "nth",
	  .type = PARAM_UINT,
	  .offset = offsetof(struct syscall_params, nth),
	  .def = "1",
	  .min = 1,
	  .help = "which of these calls within the step; what probes and services do does not "
		  "count" },
	{ 0 },
};

/* What an argument has to be: all bits of `value` set, or the very number. */
struct argument {
	bool given, bits;
	size_t which;
	uint64_t value;
};

/* "2=0" or "1&0x200"; false: neither. NULL: not given. */
static bool argument_parse(const char *text, struct argument *ret)
{
	char *end;
	*ret = (struct argument){ 0 };
	if (text == NULL)
		return true;
	if (text[0] < '0' || text[0] >= '0' + CALL_ARGS || strchr("=&", text[1]) == NULL ||
	    text[1] == '\0' || text[2] < '0' || text[2] > '9')
		return false;
	errno = 0;
	ret->value = strtoull(text + 2, &end, 0);
	ret->given = true;
	ret->bits = text[1] == '&';
	ret->which = (size_t)(text[0] - '0');
	return errno == 0 && *end == '\0';
}

static bool argument_holds(const struct argument *a, const struct call_stop *c)
{
	if (!a->given)
		return true;
	uint64_t is = call_stop_arg(c, a->which);
	return a->bits ? (is & a->value) == a->value : is == a->value;
}

static const char *syscall_check(const void *params)
{
	const struct syscall_params *p = params;
	struct argument unused;
	return argument_parse(p->argument, &unused)
		       ? NULL
		       : "argument: write its place and its value, \"2=0\", or bits that are set "
			 "in it, \"1&0x200\"";
}

struct trigger {
	struct trigger_env env;
	const struct syscall_params *params; /* they outlive the trigger */
	struct argument argument;
	uint64_t seen;
	bool armed, entered;
	struct filter *filter;
	struct call_watch *watch;
	struct call_answer *lasting; /* what every later call is told; the injector's */
};

static bool matches(const struct trigger *t, struct call_stop *c)
{
	const struct syscall_params *p = t->params;
	if (!argument_holds(&t->argument, c))
		return false;
	if (p->program != NULL && !state_path_match(p->program, call_stop_program(c)))
		return false;
	for (size_t i = 0; p->path != NULL && i < CALL_PATHS_MAX; i++) {
		const char *path = call_stop_path(c, i);
		if (path != NULL && state_path_match(p->path, path))
			return true;
	}
	return p->path == NULL;
}

static void strike(struct trigger *t, struct call_stop *c)
{
	char text[CALL_TEXT_MAX], detail[DETAIL_MAX];
	pid_t pid = call_stop_pid(c);
	t->armed = false;
	call_stop_text(c, text, sizeof(text));
	(void)snprintf(detail, sizeof(detail), "call %llu of %s: %s by %.150s (pid %d)",
		       (unsigned long long)t->seen, call_family_names[t->params->call], text,
		       call_stop_program(c), (int)node_inside_pid(pid));
	struct strike_site site = {
		.detail = detail, .node = t->env.node, .stopped = pid, .call = c
	};
	trigger_fire(&t->env, &site);
	struct call_answer *given = call_stop_given(c);
	if (given != NULL && given->always)
		t->lasting = given;
	else
		call_watch_tell(t->watch, false);
}

static bool on_call(void *arg, struct call_stop *c)
{
	struct trigger *t = arg;
	if ((!t->armed && t->lasting == NULL) || !matches(t, c))
		return false;
	if (!t->armed) {
		call_stop_answer(c, t->lasting);
		return false;
	}
	t->seen++;
	if (t->seen < t->params->nth)
		return false;
	strike(t, c);
	return true;
}

static void syscall_destroy(struct trigger *t)
{
	if (t == NULL)
		return;
	call_watch_destroy(t->watch);
	filter_destroy(t->filter);
	free(t);
}

static int syscall_create(struct trigger **ret, const struct trigger_env *env, const void *params,
			  struct err *e)
{
	struct trigger *t = mem_alloc(sizeof(*t));
	t->env = *env;
	t->params = params;
	t->armed = true;
	(void)argument_parse(t->params->argument, &t->argument); /* checked with the plan */
	t->watch = call_watch_create(env->loop, on_call, t);
	if (filter_create(&t->filter, (enum call_family)t->params->call, e) < 0) {
		syscall_destroy(t);
		return -1;
	}
	*ret = t;
	return 0;
}

static int syscall_enter(struct trigger *t, struct err *e)
{
	(void)e;
	t->seen = 0;
	t->entered = true;
	call_watch_tell(t->watch, t->armed);
	return 0;
}

static const struct filter *syscall_filter(struct trigger *t)
{
	bool needed = t->entered && (t->armed || t->lasting != NULL);
	return needed ? t->filter : NULL;
}

static int syscall_started(struct trigger *t, struct proc *step, struct err *e)
{
	bool killable;
	int listener = proc_take_listener(step, &killable);
	if (listener < 0)
		return 0;
	if (!killable)
		t->env.notice(t->env.arg,
			      "this kernel (before 5.19) makes a held call start anew at every "
			      "signal; it is then counted again");
	return call_watch_add(t->watch, listener, e);
}

/* Programs that outlive the step have the filter still: their calls go on untold. */
static void syscall_leave(struct trigger *t)
{
	t->entered = false;
	t->lasting = NULL;
	call_watch_tell(t->watch, false);
}

const struct trigger_kind trigger_syscall = {
	.kind = { .name = "syscall",
		  .help = "when the step is about to make a system call that changes state; exact",
		  .params = syscall_params,
		  .shorthand = "call",
		  .size = sizeof(struct syscall_params),
		  .exact = true,
		  .holds_call = true,
		  .check = syscall_check },
	.create = syscall_create,
	.enter = syscall_enter,
	.filter = syscall_filter,
	.started = syscall_started,
	.leave = syscall_leave,
	.destroy = syscall_destroy,
};
