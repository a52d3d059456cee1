/* SPDX-License-Identifier: MIT */
#include "harness/probes/answer.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "harness/base/clock.h"
#include "harness/base/mutate.h"

static void hand_over(struct asking *a)
{
	loop_remove(a->timer);
	a->timer = NULL;
	a->done(a->arg, &a->result); /* may free `a` */
}

static void on_timer(void *arg)
{
	struct asking *a = arg;
	if (!a->answered)
		a->late(a->call);
	else if (!a->starting)
		hand_over(a);
}

int asking_begin(struct asking *a, struct err *e)
{
	assert(a->timeout_ns > 0);
	a->starting = true;
	a->result = (struct probe_result){ .started = clock_now() };
	return loop_add_timer(a->loop, a->timeout_ns, 0, on_timer, a, &a->timer, e);
}

int asking_started(struct asking *a, struct err *e)
{
	a->starting = false;
	if (!a->answered)
		return 0;
	loop_remove(a->timer);
	a->timer = NULL;
	return loop_add_timer(a->loop, 0, 0, on_timer, a, &a->timer, e);
}

void asking_answer(struct asking *a, bool ok, const char *fmt, ...)
{
	if (a->answered)
		return;
	a->answered = true;
	a->stop(a->call);
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(a->result.detail, sizeof(a->result.detail), fmt, args);
	va_end(args);
	a->result.ok = ok || MUTANT(probe_blind);
	a->result.ended = clock_now();
	if (!a->starting)
		hand_over(a);
}

void asking_end(struct asking *a)
{
	a->answered = true;
	loop_remove(a->timer);
	a->timer = NULL;
	a->stop(a->call);
}

const char *asking_first_line(const char *text, char *buf, size_t size)
{
	size_t i = 0;
	for (; i + 1 < size && text[i] != '\0' && text[i] != '\n' && text[i] != '\r'; i++)
		buf[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	buf[i] = '\0';
	return buf;
}
