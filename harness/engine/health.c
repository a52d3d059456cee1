/* SPDX-License-Identifier: MIT */
#include "harness/engine/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/engine/ask.h"
#include "harness/engine/drill_private.h"

enum { HEALTH_TURN_MS = 5 }; /* how often health_wait looks; finer than any sensible `every` */

struct watched {
	struct health *health;
	const struct probe_plan *plan;
	bool goal; /* asked only where the goal counts for health */
	struct loop_src *timer;
	struct probe_call *call;
	bool active;
	bool known, ok;    /* the last answer of this phase */
	bool held;         /* it has held once in this phase */
	int64_t ok_since;  /* start of the first question of the present run of good answers */
	int64_t ok_last;   /* start of the last one */
	uint64_t failures; /* consecutive */
	int64_t fail_since;
	char detail[PROBE_DETAIL_MAX];
};

struct health {
	struct drill *drill;
	enum probe_when phase;
	bool with_goal;
	int64_t phase_begin;
	struct watched *probes;
	size_t count;
	bool lost;
	bool told;   /* an answer came: whoever waits looks again */
	bool sparse; /* somebody waits for `settle`, which is shorter than every `every` */
	char why[PROBE_DETAIL_MAX + 160];
	struct err trouble; /* our own: told by the next wait */
};

static void journal_change(struct watched *w, const struct probe_result *r)
{
	struct journal_file *j = w->health->drill->journal;
	journal_put(j, EVENT_PROBE_CHANGED, F_STR("probe", w->plan->name), F_BOOL("ok", r->ok),
		    F_STR("detail", r->detail), F_INT("started", journal_time(j, r->started)));
}

static void check_loss(struct watched *w)
{
	struct health *h = w->health;
	const struct probe_plan *p = w->plan;
	if (h->phase != PROBE_DURING || h->lost || !w->held)
		return;
	bool too_many = w->failures > p->tolerate_failures;
	bool too_long = p->tolerate_for > 0 && clock_now() - w->fail_since > p->tolerate_for;
	if (!too_many && !too_long)
		return;
	h->lost = true;
	(void)snprintf(h->why, sizeof(h->why), "%s: %s (%llu failures in a row)", p->name,
		       w->detail, (unsigned long long)w->failures);
	drill_steady_lost(h->drill, h->why);
}

static void take(struct watched *w, const struct probe_result *r)
{
	if (r->started < w->health->phase_begin)
		return; /* asked before this phase began: it says nothing about it */
	if (!w->known || w->ok != r->ok)
		journal_change(w, r);
	(void)snprintf(w->detail, sizeof(w->detail), "%s", r->detail);
	if (r->ok) {
		if (!w->known || !w->ok)
			w->ok_since = r->started;
		w->ok_last = r->started;
		w->failures = 0;
		w->held = true;
	} else {
		if (w->failures == 0)
			w->fail_since = r->started;
		w->failures++;
	}
	w->known = true;
	w->ok = r->ok;
	if (!r->ok)
		check_loss(w);
}

static void answered(void *arg, const struct probe_result *r)
{
	struct watched *w = arg;
	take(w, r);
	ask_kind(w->plan)->end(w->call); /* the answer was the call's: not before it is taken */
	w->call = NULL;
	w->health->told = true;
}

static bool takes_part(const struct watched *w)
{
	if (w->goal)
		return w->health->with_goal;
	return (w->plan->when & (UINT64_C(1) << w->health->phase)) != 0;
}

/* Its answer is good, and another one's first is still to come: asked again now, it could say
 * nothing that is asked. Once all have answered, each is asked at its own pace. */
static bool may_rest(const struct watched *w)
{
	const struct health *h = w->health;
	if (!h->sparse || !w->known || !w->ok)
		return false;
	for (size_t i = 0; i < h->count; i++)
		if (takes_part(&h->probes[i]) && !h->probes[i].known)
			return true;
	return false;
}

static void ask(void *arg)
{
	struct watched *w = arg;
	struct drill *d = w->health->drill;
	if (w->call != NULL || !w->active || err_is_set(&w->health->trouble))
		return; /* slower than its interval: the next tick asks again */
	if (may_rest(w))
		return;
	struct probe_env env = ask_env(d, w->plan);
	w->active = false; /* start() may run the loop: no second question meanwhile */
	if (ask_kind(w->plan)->start(&w->call, &env, w->plan->params, w->plan->timeout, answered, w,
				     &w->health->trouble) < 0)
		loop_stop(d->loop, "a probe could not be started");
	w->active = true;
}

int health_create(struct health **ret, struct drill *d, struct err *e)
{
	(void)e;
	struct health *h = mem_alloc(sizeof(*h));
	h->drill = d;
	const size_t steady = d->plan->steady_count;
	h->count = steady + d->plan->goal_count;
	h->probes = mem_array(h->count, sizeof(*h->probes));
	for (size_t i = 0; i < h->count; i++) {
		struct watched *w = &h->probes[i];
		w->health = h;
		w->goal = i >= steady;
		w->plan = w->goal ? &d->plan->goal[i - steady] : &d->plan->steady[i];
	}
	*ret = h;
	return 0;
}

static void stop_asking(struct health *h)
{
	for (size_t i = 0; i < h->count; i++) {
		loop_remove(h->probes[i].timer);
		h->probes[i].timer = NULL;
		h->probes[i].active = false;
	}
}

void health_destroy(struct health *h)
{
	if (h == NULL)
		return;
	stop_asking(h);
	for (size_t i = 0; i < h->count; i++)
		if (h->probes[i].call != NULL)
			ask_kind(h->probes[i].plan)->end(h->probes[i].call);
	free(h->probes);
	free(h);
}

static int pause_for_answer(struct health *h, struct err *e)
{
	h->told = false;
	return ask_pause(h->drill, HEALTH_TURN_MS * NS_PER_MS, &h->told, e);
}

int health_quiet(struct health *h, struct err *e)
{
	stop_asking(h);
	for (size_t i = 0; i < h->count; i++)
		while (h->probes[i].call != NULL)
			if (pause_for_answer(h, e) < 0)
				return -1;
	return 0;
}

static int begin_phase(struct health *h, enum probe_when phase, bool with_goal, struct err *e)
{
	stop_asking(h);
	h->phase = phase;
	h->with_goal = with_goal;
	h->phase_begin = clock_now();
	h->lost = false;
	h->sparse = false;
	for (size_t i = 0; i < h->count; i++) {
		struct watched *w = &h->probes[i];
		w->known = false;
		w->ok = false;
		w->held = false;
		w->failures = 0;
		if (!takes_part(w))
			continue;
		w->active = true;
		if (loop_add_timer(h->drill->loop, 0, w->plan->every, ask, w, &w->timer, e) < 0)
			return -1;
	}
	return 0;
}

int health_phase(struct health *h, enum probe_when phase, struct err *e)
{
	return begin_phase(h, phase, false, e);
}

int health_end_phase(struct health *h, struct err *e)
{
	return begin_phase(h, PROBE_AFTER, plan_goes_forward(h->drill->plan), e);
}

int64_t health_resolution(const struct health *h)
{
	int64_t coarsest = 0;
	for (size_t i = 0; i < h->count; i++)
		if ((!h->probes[i].goal || h->with_goal) && h->probes[i].plan->every > coarsest)
			coarsest = h->probes[i].plan->every;
	return coarsest;
}

/* An interval shorter than a probe's `every` has at most one question of it in it: then a good
 * answer to the last one, not older than `every` where the interval begins, is all that can be. */
static bool covers(const struct watched *w, int64_t since, int64_t settle)
{
	int64_t every = w->plan->every;
	return settle < every ? w->ok_last > since - every : w->ok_last - since >= settle;
}

/* The start of the interval in which all hold, when it is `settle` long by now. */
static bool settled(const struct health *h, int64_t settle, int64_t *ret_since)
{
	int64_t since = h->phase_begin;
	for (size_t i = 0; i < h->count; i++) {
		const struct watched *w = &h->probes[i];
		if (!takes_part(w))
			continue;
		if (!w->known || !w->ok)
			return false;
		if (w->ok_since > since)
			since = w->ok_since;
	}
	for (size_t i = 0; i < h->count; i++)
		if (takes_part(&h->probes[i]) && !covers(&h->probes[i], since, settle))
			return false;
	*ret_since = since;
	return clock_now() - since >= settle;
}

static void name_the_bad(struct health *h)
{
	(void)snprintf(h->why, sizeof(h->why), "steady state did not hold long enough");
	for (size_t i = 0; i < h->count; i++) {
		struct watched *w = &h->probes[i];
		if (!takes_part(w) || (w->known && w->ok))
			continue;
		(void)snprintf(h->why, sizeof(h->why), "%s: %s", w->plan->name,
			       w->known ? w->detail : "no answer yet");
		return;
	}
}

int health_wait(struct health *h, int64_t settle, int64_t deadline, int64_t *ret_since,
		const char **ret_why, struct err *e)
{
	h->sparse = true;
	for (size_t i = 0; i < h->count; i++)
		if (takes_part(&h->probes[i]) && h->probes[i].plan->every <= settle)
			h->sparse = false;
	while (!settled(h, settle, ret_since)) {
		if (clock_now() >= deadline) {
			name_the_bad(h);
			*ret_why = h->why;
			return 0;
		}
		if (pause_for_answer(h, e) < 0) {
			if (err_is_set(&h->trouble))
				*e = h->trouble;
			return -1;
		}
	}
	return 1;
}

int health_goal(struct drill *d, const char **ret_probe, char *why, struct err *e)
{
	for (size_t i = 0; i < d->plan->goal_count; i++) {
		const struct probe_plan *p = &d->plan->goal[i];
		int64_t patience = p->tolerate_for;
		if (patience < (int64_t)p->tolerate_failures * p->every)
			patience = (int64_t)p->tolerate_failures * p->every;
		struct probe_result r = { 0 };
		int holds = ask_until(d, p, clock_now() + patience, NULL, &r, e);
		if (holds < 0)
			return -1;
		if (holds == 0) {
			*ret_probe = p->name;
			(void)snprintf(why, ERR_WHY_MAX, "%s: %s", p->name, r.detail);
			return 0;
		}
	}
	return 1;
}
