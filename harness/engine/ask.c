/* SPDX-License-Identifier: MIT */
#include "harness/engine/ask.h"

#include "harness/base/clock.h"
#include "harness/engine/drill_private.h"

const struct probe_kind *ask_kind(const struct probe_plan *p)
{
	/* `kind` is the first member of its descriptor (see kind.h). */
	return (const struct probe_kind *)p->kind;
}

struct probe_env ask_env(struct drill *d, const struct probe_plan *p)
{
	struct drill_node *at = drill_node(d, p->node);
	return (struct probe_env){ .loop = d->loop,
				   .node = at != NULL ? at->node : NULL,
				   .net = d->net };
}

struct answer {
	bool done;
	struct probe_result result;
};

static void answered(void *arg, const struct probe_result *r)
{
	struct answer *a = arg;
	a->result = *r;
	a->done = true;
}

int ask_once(struct drill *d, const struct probe_plan *p, struct probe_result *ret, struct err *e)
{
	struct answer a = { 0 };
	struct probe_call *call = NULL;
	struct probe_env env = ask_env(d, p);
	if (ask_kind(p)->start(&call, &env, p->params, p->timeout, answered, &a, e) < 0)
		return -1;
	int got = loop_wait(d->loop, &a.done, INT64_MAX, e);
	ask_kind(p)->end(call);
	*ret = a.result;
	return got < 0 ? -1 : 0;
}

int ask_pause(struct drill *d, int64_t ns, const bool *done, struct err *e)
{
	static const bool never = false;
	return loop_wait(d->loop, done != NULL ? done : &never, clock_now() + ns, e) < 0 ? -1 : 0;
}

int ask_until(struct drill *d, const struct probe_plan *p, int64_t deadline, const bool *give_up,
	      struct probe_result *ret, struct err *e)
{
	for (;;) {
		if (ask_once(d, p, ret, e) < 0)
			return -1;
		if (ret->ok)
			return 1;
		if (clock_now() >= deadline || (give_up != NULL && *give_up))
			return 0;
		if (ask_pause(d, p->every, give_up, e) < 0)
			return -1;
	}
}
