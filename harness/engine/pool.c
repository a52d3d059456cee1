/* SPDX-License-Identifier: MIT */
#include "harness/engine/pool.h"

#include <signal.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"

enum { POOL_TICK_MS = 200 };

struct member {
	struct member *next;
	struct pool *pool;
	struct worker *worker;
	struct worker_hooks hooks;
	bool over;
};

struct pool {
	struct loop *loop;
	struct member *members;
	size_t running;
	void (*tick)(void *arg);
	void *arg;
	int *interrupted;
	bool wake;
};

static void on_tick(void *arg)
{
	const struct pool *p = arg;
	p->tick(p->arg);
}

static void on_signal(void *arg, int signo)
{
	struct pool *p = arg;
	bool again = *p->interrupted != 0;
	if (!again)
		*p->interrupted = signo;
	for (struct member *m = p->members; m != NULL; m = m->next)
		if (!m->over)
			worker_signal(m->worker, again ? SIGKILL : signo);
	p->wake = true;
}

static int watch(struct pool *p, struct err *e)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	int64_t every = POOL_TICK_MS * NS_PER_MS;
	struct loop_src *timer;
	if (p->tick != NULL && loop_add_timer(p->loop, every, every, on_tick, p, &timer, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (loop_on_signal(p->loop, signals[i], on_signal, p, e) < 0)
			return -1;
	return 0;
}

int pool_create(struct pool **ret, void (*tick)(void *arg), void *arg, int *interrupted,
		struct err *e)
{
	struct pool *p = mem_alloc(sizeof(*p));
	p->tick = tick;
	p->arg = arg;
	p->interrupted = interrupted;
	if (loop_create(&p->loop, e) < 0 || watch(p, e) < 0) {
		pool_destroy(p);
		return -1;
	}
	*ret = p;
	return 0;
}

static void sweep_out(struct pool *p, bool all)
{
	for (struct member **at = &p->members; *at != NULL;) {
		struct member *m = *at;
		if (!all && !m->over) {
			at = &m->next;
			continue;
		}
		*at = m->next;
		worker_free(m->worker);
		free(m);
	}
}

void pool_destroy(struct pool *p)
{
	if (p == NULL)
		return;
	sweep_out(p, true);
	loop_destroy(p->loop);
	free(p);
}

static void on_line(void *arg, const char *line, size_t len)
{
	const struct member *m = arg;
	if (m->hooks.line != NULL)
		m->hooks.line(m->hooks.arg, line, len);
}

static void on_end(void *arg, const struct err *died)
{
	struct member *m = arg;
	m->over = true;
	m->pool->running--;
	m->pool->wake = true;
	if (m->hooks.ended != NULL)
		m->hooks.ended(m->hooks.arg, died);
}

int pool_start(struct pool *p, const struct drill_spec *spec, const struct worker_hooks *hooks,
	       struct err *e)
{
	sweep_out(p, false);
	struct member *m = mem_alloc(sizeof(*m));
	m->pool = p;
	m->hooks = *hooks;
	const struct worker_hooks mine = { on_line, on_end, m };
	if (worker_start(&m->worker, p->loop, spec, &mine, e) < 0) {
		free(m);
		return -1;
	}
	m->next = p->members;
	p->members = m;
	p->running++;
	return 0;
}

size_t pool_running(const struct pool *p)
{
	return p->running;
}

struct loop *pool_loop(struct pool *p)
{
	return p->loop;
}

void pool_wake(struct pool *p)
{
	p->wake = true;
}

int pool_turn(struct pool *p, int64_t deadline, struct err *e)
{
	p->wake = false;
	int result = loop_wait(p->loop, &p->wake, deadline, e);
	sweep_out(p, false);
	return result < 0 ? -1 : 0;
}

struct alone {
	void (*line)(void *arg, const char *line, size_t len);
	void *arg;
	struct err died;
	bool over;
};

static void alone_line(void *arg, const char *line, size_t len)
{
	const struct alone *a = arg;
	if (a->line != NULL)
		a->line(a->arg, line, len);
}

static void alone_end(void *arg, const struct err *died)
{
	struct alone *a = arg;
	a->died = *died;
	a->over = true;
}

int pool_run(struct pool *p, const struct drill_spec *spec,
	     void (*line)(void *arg, const char *line, size_t len), void *arg, struct err *e)
{
	struct alone a = { .line = line, .arg = arg };
	const struct worker_hooks hooks = { alone_line, alone_end, &a };
	if (pool_start(p, spec, &hooks, e) < 0)
		return -1;
	while (!a.over)
		if (pool_turn(p, INT64_MAX, e) < 0)
			return -1;
	if (!err_is_set(&a.died))
		return 0;
	*e = a.died;
	return -1;
}
