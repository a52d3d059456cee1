/* SPDX-License-Identifier: MIT */
#include "harness/engine/drill.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/branch.h"
#include "harness/engine/drill_private.h"
#include "harness/engine/health.h"
#include "harness/engine/kept.h"
#include "harness/engine/recorder.h"
#include "harness/engine/strike.h"

/* How a phase of the drill ended. Negative: stopped, or our own trouble (in err). */
enum { DRILL_END = 0, DRILL_GO_ON = 1 };

void drill_journal_begin(struct drill *d)
{
	const struct drill_spec *s = d->spec;
	char started[32];
	time_t now = time(NULL);
	struct tm tm;
	(void)strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	journal_put(d->journal, EVENT_DRILL_BEGIN, F_INT("format", JOURNAL_FORMAT),
		    F_STR("version", BACKOUT_VERSION), F_STR("role", drill_role_name(s->role)),
		    F_STR("name", s->name),
		    F_STR("fault", s->fault != NULL ? s->fault->name : NULL),
		    F_STR("seed", s->seed), F_STR("scenario", d->plan->digest),
		    F_STR("rollback", d->plan->rollbacks[d->plan->rollback].name),
		    F_JSON("host", s->host_json), F_STR("started", started));
}

static int prepare(struct drill *d, struct err *e)
{
	if (drill_nodes_up(d, e) < 0)
		return -1;
	int up = drill_services_up(d, e);
	if (up <= 0)
		return up;
	if (health_phase(d->health, PROBE_BEFORE, e) < 0)
		return -1;
	const char *why = NULL;
	int64_t since;
	int steady = health_wait(d->health, d->plan->window.settle,
				 clock_now() + d->plan->window.give_up, &since, &why, e);
	if (steady < 0)
		return -1;
	journal_put(d->journal, EVENT_STEADY_BEFORE, F_BOOL("ok", steady == 1),
		    F_STR("why", steady == 1 ? NULL : why));
	if (steady == 0)
		return DRILL_END;
	if (health_quiet(d->health, e) < 0 || drill_capture(d, PHASE_BEFORE, e) < 0)
		return -1;
	if (strike_create(&d->strike, d, e) < 0 || recorder_create(&d->recorder, d, e) < 0)
		return -1;
	return DRILL_GO_ON;
}

void drill_detect(struct drill *d, enum rollback_when by, const char *why)
{
	static const char *const names[] = {
#define X(id, name) name,
		ROLLBACK_WHEN(X)
#undef X
	};
	d->troubles += by != WHEN_STEP_FAILED; /* which is counted already */
	if (d->detected || (d->plan->rollback_when & (UINT64_C(1) << by)) == 0)
		return;
	d->detected = true;
	journal_put(d->journal, EVENT_DETECTED, F_STR("by", names[by]), F_STR("why", why));
}

void drill_steady_lost(struct drill *d, const char *why)
{
	/* During a rollback it is what the rollback is there to mend. */
	if (d->patching)
		drill_detect(d, WHEN_STEADY_LOST, why);
}

/* A workflow that is held for copies would fail its probes by that alone. */
static int watch_health(struct drill *d, struct err *e)
{
	const struct record_spec *r = d->spec->record;
	if (r != NULL && r->offer_fd >= 0)
		return health_quiet(d->health, e);
	return health_phase(d->health, PROBE_DURING, e);
}

/* The patch, its goal, and whether steady state holds behind it. */
static int patch(struct drill *d, struct err *e)
{
	char why[ERR_WHY_MAX] = "";
	if (watch_health(d, e) < 0)
		return -1;
	journal_put(d->journal, EVENT_PATCH_BEGIN);
	d->patching = true;
	/* A detected loss stops the patch behind the step that runs: no harm is added to it. */
	int ok = drill_steps(d, false, &d->detected, why, e);
	d->patching = false;
	if (ok < 0)
		return -1;
	strike_moment(d->strike, STRIKE_PATCH_END);
	journal_put(d->journal, EVENT_PATCH_END, F_BOOL("ok", ok == STEPS_OK),
		    F_STR("why", ok == STEPS_OK ? NULL : why));
	if (ok == STEPS_FAILED)
		drill_detect(d, WHEN_STEP_FAILED, why);
	if (d->detected)
		return DRILL_GO_ON;

	const char *probe = NULL;
	int goal = health_goal(d, &probe, why, e);
	if (goal < 0)
		return -1;
	journal_put(d->journal, EVENT_GOAL, F_BOOL("ok", goal == 1), F_STR("probe", probe),
		    F_STR("why", goal == 1 ? NULL : why));
	if (goal == 0)
		drill_detect(d, WHEN_GOAL_MISSED, why);
	return DRILL_GO_ON;
}

/* How long a patched system may take to hold steady state before that counts as lost. */
int64_t drill_patience(const struct plan *p)
{
	int64_t most = 0;
	for (size_t i = 0; i < p->steady_count; i++) {
		int64_t slack = p->steady[i].tolerate_for + p->steady[i].timeout;
		if (slack > most)
			most = slack;
	}
	for (size_t i = 0; plan_goes_forward(p) && i < p->goal_count; i++) {
		int64_t slack = p->goal[i].tolerate_for + p->goal[i].timeout;
		if (slack > most)
			most = slack;
	}
	return 2 * p->window.settle + most;
}

void drill_journal_healthy(struct drill *d, int64_t since)
{
	journal_put(d->journal, EVENT_HEALTHY, F_INT("since", journal_time(d->journal, since)),
		    F_INT("settle", d->plan->window.settle),
		    F_INT("resolution", health_resolution(d->health)));
}

/* Controls, and drills whose fault strikes the rollback itself, back out a patch that worked. */
static bool backs_out_clean(const struct drill *d)
{
	return d->spec->role == ROLE_CONTROL ||
	       (d->spec->fault != NULL && d->spec->fault->in_rollback);
}

/* Nothing has called for a rollback so far: does the patched system hold? */
static int patched(struct drill *d, struct err *e)
{
	int64_t since;
	const char *why = NULL;
	if (health_phase(d->health, PROBE_AFTER, e) < 0)
		return -1;
	int holds = health_wait(d->health, d->plan->window.settle,
				clock_now() + drill_patience(d->plan), &since, &why, e);
	if (holds < 0)
		return -1;
	if (holds == 0) {
		drill_detect(d, WHEN_STEADY_LOST, why);
		if (d->detected)
			return DRILL_GO_ON;
	}
	bool clean = backs_out_clean(d);
	if (!clean) {
		if (holds == 0)
			journal_put(d->journal, EVENT_NOT_HEALTHY, F_STR("why", why),
				    F_INT("waited", drill_patience(d->plan)));
		strike_moment(d->strike, STRIKE_DRILL_END);
		journal_put(d->journal, EVENT_NO_ROLLBACK, F_STR("why", "nothing called for it"));
		if (holds == 1)
			drill_journal_healthy(d, since);
	}
	if (health_quiet(d->health, e) < 0 || drill_capture(d, PHASE_PATCHED, e) < 0)
		return -1;
	return clean ? DRILL_GO_ON : DRILL_END;
}

/* Its steps, to the end or to the first that fails. */
static int rollback_steps(struct drill *d, char *why, struct err *e)
{
	int ok = drill_steps(d, true, NULL, why, e);
	if (ok < 0)
		return -1;
	journal_put(d->journal, EVENT_ROLLBACK_END, F_BOOL("ok", ok == STEPS_OK),
		    F_STR("why", ok == STEPS_OK ? NULL : why));
	strike_moment(d->strike, STRIKE_ROLLBACK_END);
	return ok;
}

int drill_roll_back_again(struct drill *d, const char *why, struct err *e)
{
	char again[ERR_WHY_MAX] = "";
	journal_put(d->journal, EVENT_ROLLBACK_AGAIN, F_STR("why", why),
		    F_BOOL("asked", d->spec->rollback_twice));
	return rollback_steps(d, again, e) < 0 ? -1 : 0;
}

int drill_roll_back(struct drill *d, struct err *e)
{
	char why[ERR_WHY_MAX] = "";
	strike_moment(d->strike, STRIKE_ROLLBACK);
	if (d->spec->role == ROLE_KNOCKOUT) {
		strike_moment(d->strike, STRIKE_DRILL_END);
		journal_put(d->journal, EVENT_ROLLBACK_SKIPPED, F_STR("why", "the knock-out"));
		return 0;
	}
	if (watch_health(d, e) < 0)
		return -1;
	journal_put(d->journal, EVENT_ROLLBACK_BEGIN,
		    F_STR("rollback", d->plan->rollbacks[d->plan->rollback].name),
		    F_BOOL("clean", !d->detected));
	int ok = rollback_steps(d, why, e);
	if (ok == STEPS_FAILED && strike_calls_again(d->strike))
		return drill_roll_back_again(d, why, e);
	if (ok == STEPS_OK && d->spec->rollback_twice)
		return drill_roll_back_again(d, "asked for: can a whole rollback be run again?", e);
	return ok < 0 ? -1 : 0;
}

int drill_recover(struct drill *d, struct err *e)
{
	int64_t since, begin = clock_now();
	const char *why = NULL;
	if (health_end_phase(d->health, e) < 0)
		return -1;
	int healthy = health_wait(d->health, d->plan->window.settle,
				  begin + d->plan->window.give_up, &since, &why, e);
	if (healthy < 0)
		return -1;
	if (healthy == 1)
		drill_journal_healthy(d, since);
	else
		journal_put(d->journal, EVENT_NOT_HEALTHY, F_STR("why", why),
			    F_INT("waited", clock_now() - begin));
	strike_moment(d->strike, STRIKE_DRILL_END);
	if (health_quiet(d->health, e) < 0)
		return -1;
	return drill_capture(d, PHASE_AFTER, e);
}

/* Who has backed a patch out will try it again. */
static int patch_again(struct drill *d, struct err *e)
{
	char why[ERR_WHY_MAX] = "";
	const char *probe = NULL;
	d->retrying = true;
	int good = drill_steps(d, false, NULL, why, e);
	d->retrying = false;
	if (good == STEPS_OK)
		good = health_goal(d, &probe, why, e);
	if (good < 0)
		return -1;
	journal_put(d->journal, EVENT_PATCH_AGAIN, F_BOOL("ok", good == 1),
		    F_STR("why", good == 1 ? NULL : why));
	return 0;
}

static int play(struct drill *d, struct err *e)
{
	if (d->spec->branch != NULL)
		return branch_play(d, e);
	int next = prepare(d, e);
	if (next <= 0)
		return next;
	if (patch(d, e) < 0)
		return -1;
	if (!d->detected) {
		next = patched(d, e);
		if (next == DRILL_END)
			drill_stand(d, DRILL_STOP_ROLLBACK_END, 0);
		if (next <= 0)
			return next;
	}
	if (drill_roll_back(d, e) < 0)
		return -1;
	drill_stand(d, DRILL_STOP_ROLLBACK_END, 0);
	if (drill_recover(d, e) < 0)
		return -1;
	return d->spec->patch_again ? patch_again(d, e) : 0;
}

static void stop_signal(void *arg, int signo)
{
	struct drill *d = arg;
	char why[64];
	(void)snprintf(why, sizeof(why), "stopped by SIG%s", param_signal_name(signo));
	if (!d->stopped)
		journal_put(d->journal, EVENT_STOPPED, F_STR("why", why), F_INT("signal", signo));
	d->stopped = true;
	loop_stop(d->loop, why);
}

static int set_up(struct drill *d, struct err *e)
{
	static const int stops[] = { SIGINT, SIGTERM, SIGHUP };
	GUARD(mem) char *journal = mem_printf("%s/journal.jsonl", d->spec->dir);
	GUARD(mem) char *steps = mem_printf("%s/steps", d->spec->dir);
	if (io_mkdirs(steps, 0755, e) < 0 || loop_create(&d->loop, e) < 0)
		return -1;
	if (journal_create(&d->journal, journal, d->spec->live_fd, e) < 0)
		return -1;
	if (d->spec->branch != NULL)
		journal_pause(d->journal); /* until its past stands in it */
	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
		if (loop_on_signal(d->loop, stops[i], stop_signal, d, e) < 0)
			return -1;
	d->outputs = output_set_create(d->loop);
	d->nodes = mem_array(d->plan->node_count, sizeof(*d->nodes));
	for (size_t i = 0; i < d->plan->node_count; i++)
		d->nodes[i].plan = &d->plan->nodes[i];
	return health_create(&d->health, d, e);
}

static int seal(struct drill *d, struct err *e)
{
	struct rusage use;
	(void)getrusage(RUSAGE_SELF, &use);
	journal_put(d->journal, EVENT_SEALED, F_INT("events", journal_events(d->journal)),
		    F_INT("peak_rss", (int64_t)use.ru_maxrss * 1024));
	struct journal_file *j = d->journal;
	d->journal = NULL;
	return journal_close(j, !d->spec->unsynced, e);
}

static int tear_down(struct drill *d, struct err *e)
{
	int64_t begin = clock_now();
	loop_resume(d->loop);
	strike_moment(d->strike, STRIKE_DRILL_END);
	health_destroy(d->health);
	strike_destroy(d->strike);
	recorder_destroy(d->recorder);
	drill_nodes_down(d);
	output_set_destroy(d->outputs);
	journal_put(d->journal, EVENT_TEARDOWN, F_INT("took", clock_now() - begin),
		    F_INT("leftovers", d->leftovers));
	return seal(d, e);
}

int drill_run(const struct drill_spec *spec, struct err *e)
{
	struct drill d = { .spec = spec, .plan = spec->plan };
	int result = set_up(&d, e);
	if (result == 0) {
		struct err trouble = { 0 };
		drill_journal_begin(&d);
		if ((play(&d, &trouble) < 0 || recorder_end(d.recorder, &trouble) < 0) &&
		    !d.stopped)
			journal_put(d.journal, EVENT_HARNESS_ERROR, F_STR("why", trouble.why),
				    F_STR("where", trouble.where));
		if (spec->keep && !d.stopped)
			kept_take(&d);
		result = tear_down(&d, e);
	}
	free(d.nodes);
	loop_destroy(d.loop);
	return result;
}
