/* SPDX-License-Identifier: MIT */
/* Injector syscall.delay: the system call that a trigger holds goes on later. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/base/mutate.h"
#include "harness/sandbox/callwatch.h"
#include "injectors/injector.h"

enum { CALL_TEXT_MAX = 160, TIME_TEXT_MAX = 32 };

struct syscall_delay {
	int64_t by;
};

static const struct param syscall_delay_params[] = {
	{ .name = "by",
	  .type = PARAM_DURATION,
	  .offset = offsetof(struct syscall_delay, by),
	  .required = true,
	  .min = NS_PER_MS,
	  .help = "how long the call waits before it is carried out" },
	{ 0 },
};

struct injection {
	struct inject_env env;
	struct call_answer answer;
	char call[CALL_TEXT_MAX];
	int pid; /* inside the node */
};

static void answered(void *arg, bool delivered, int64_t held)
{
	struct injection *i = arg;
	char asked[TIME_TEXT_MAX], real[TIME_TEXT_MAX];
	GUARD(mem)
	char *text = mem_printf("%s of pid %d was held for %s (asked for %s)", i->call, i->pid,
				clock_text(held, real, sizeof(real)),
				clock_text(i->answer.delay, asked, sizeof(asked)));
	if (delivered && held >= i->answer.delay)
		i->env.felt(i->env.arg, text);
}

static int syscall_delay_create(struct injection **ret, const struct inject_env *env,
				const void *params, struct err *e)
{
	const struct syscall_delay *p = params;
	(void)e;
	struct injection *i = mem_alloc(sizeof(*i));
	i->env = *env;
	i->answer = (struct call_answer){ .delay = p->by, .answered = answered, .arg = i };
	*ret = i;
	return 0;
}

static int syscall_delay_strike(struct injection *i, const struct strike_target *target,
				char detail[INJECT_DETAIL_MAX], struct err *e)
{
	char asked[TIME_TEXT_MAX];
	if (target->call == NULL)
		return ERR(e, 0,
			   "no system call is held at this point: syscall.delay needs "
			   "\"syscall\" in \"at\", or \"point\" with a key that is a call");
	call_stop_text(target->call, i->call, sizeof(i->call));
	i->pid = (int)node_inside_pid(target->stopped);
	call_stop_answer(target->call, &i->answer);
	(void)snprintf(detail, INJECT_DETAIL_MAX, "%s of pid %d is held for %s", i->call, i->pid,
		       clock_text(i->answer.delay, asked, sizeof(asked)));
	return 0;
}

/* A call that is held still goes on now. */
static int syscall_delay_undo(struct injection *i, struct err *e)
{
	(void)e;
	if (!MUTANT(undo_noop))
		call_answer_end(&i->answer);
	return 0;
}

static int syscall_delay_verify(struct injection *i, char detail[INJECT_DETAIL_MAX], struct err *e)
{
	if (i->answer.waiting > 0)
		return ERR(e, 0, "%zu call(s) are still held", i->answer.waiting);
	(void)snprintf(detail, INJECT_DETAIL_MAX, "no call is held");
	return 0;
}

static void syscall_delay_destroy(struct injection *i)
{
	free(i);
}

const struct injector injector_syscall_delay = {
	.kind = { .name = "syscall.delay",
		  .help = "let the system call held by trigger syscall wait before it goes on",
		  .applied = "the call is held for that long",
		  .felt = "the kernel took the answer that late; says how late",
		  .params = syscall_delay_params,
		  .shorthand = "by",
		  .size = sizeof(struct syscall_delay),
		  .exact = true,
		  .answers_call = true },
	.create = syscall_delay_create,
	.strike = syscall_delay_strike,
	.undo = syscall_delay_undo,
	.verify = syscall_delay_verify,
	.destroy = syscall_delay_destroy,
};
