/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/engine/ask.h"
#include "harness/engine/drill_private.h"
#include "harness/engine/recorder.h"
#include "harness/engine/step_use.h"
#include "harness/engine/strike.h"
#include "harness/sandbox/process.h"

enum { STEP_TERM_GRACE_S = 2, STEP_TREE_MAX = 1024, STEP_SLUG = 48 };

struct run {
	bool done;
	int status;
};

static void ended(void *arg, int status)
{
	struct run *r = arg;
	r->status = status;
	r->done = true;
}

static const char *section_of(const struct drill *d, bool in_rollback)
{
	return in_rollback ? "rollback" : d->retrying ? "patch again" : "patch";
}

static char *log_path(const struct drill *d, bool in_rollback, size_t index)
{
	const struct step_plan *step = plan_step(d->plan, in_rollback, index);
	char slug[STEP_SLUG];
	size_t n = 0;
	for (const char *s = step->name; *s != '\0' && n < sizeof(slug) - 1; s++)
		slug[n++] = isalnum((unsigned char)*s) ? *s : '-';
	slug[n] = '\0';
	return mem_printf("%s/steps/%s-%zu-%s.log", d->spec->dir,
			  in_rollback   ? "rollback"
			  : d->retrying ? "patch-again"
					: "patch",
			  index + 1, slug);
}

/* A step over its time is ended with all that it started: TERM, and KILL two seconds later. */
static int end_tree(struct drill *d, struct run *run, struct err *e)
{
	static const int signals[] = { SIGTERM, SIGKILL };
	for (size_t k = 0; k < 2 && !run->done; k++) {
		pid_t pids[STEP_TREE_MAX];
		struct drill_node *at = drill_node(d, d->step->node);
		size_t n = process_tree(at->node, d->runner, pids, STEP_TREE_MAX);
		for (size_t i = 0; i < n; i++) {
			struct process p;
			struct err gone = { 0 };
			if (process_read(pids[i], &p))
				(void)process_signal(pids[i], p.start, signals[k], &gone);
		}
		if (loop_wait(d->loop, &run->done, clock_now() + STEP_TERM_GRACE_S * NS_PER_S, e) <
		    0)
			return -1;
	}
	return 0;
}

static void describe(const struct step_plan *step, const struct run *run, bool timed_out,
		     const char *last, char *why)
{
	char took[32];
	const char *sep = last[0] != '\0' ? ": " : "";
	if (timed_out)
		(void)snprintf(why, ERR_WHY_MAX, "step '%s' timed out after %s%s%s", step->name,
			       clock_text(step->timeout, took, sizeof(took)), sep, last);
	else if (WIFSIGNALED(run->status))
		(void)snprintf(why, ERR_WHY_MAX, "step '%s' was killed by SIG%s%s%s", step->name,
			       param_signal_name(WTERMSIG(run->status)), sep, last);
	else
		(void)snprintf(why, ERR_WHY_MAX, "step '%s' exited %d%s%s", step->name,
			       WEXITSTATUS(run->status), sep, last);
}

int drill_spawn(struct node *n, const struct drill_command *c, struct spawn_spec *spec,
		proc_exit_fn fn, void *arg, struct proc **ret, struct err *e)
{
	const char *shell[] = { "/bin/sh", "-ec", c->run, NULL };
	GUARD(mem) const char **env = mem_array(c->env->count + 1, sizeof(*env));
	for (size_t i = 0; i < c->env->count; i++)
		env[i] = mem_printf("%s=%s", c->env->items[i].key, c->env->items[i].value);
	spec->argv = c->run != NULL ? shell : c->exec->items;
	spec->env = env;
	int result = node_spawn(n, spec, fn, arg, ret, e);
	for (size_t i = 0; i < c->env->count; i++)
		free((char *)env[i]);
	return result;
}

/* `filter`: what holds its calls; NULL: nothing does. */
static int spawn(struct drill *d, const struct filter *filter, int out_fd, struct run *run,
		 struct proc **ret, struct err *e)
{
	const struct step_plan *step = d->step;
	struct drill_command command = { step->run, &step->exec, &step->env };
	struct spawn_spec spec = {
		.cwd = step->cwd,
		.user = step->user,
		.out_fd = out_fd,
		.err_fd = -1,
		.filter = filter,
	};
	return drill_spawn(drill_node(d, step->node)->node, &command, &spec, ended, run, ret, e);
}

struct step_end {
	bool ok, timed_out, started;
	struct run run;
	struct output *out;
	int64_t began;
	struct step_before before;
};

static int wait_for(struct drill *d, const struct step_plan *step, struct step_end *end,
		    struct err *e)
{
	/* The time for which we hold the workflow ourselves is not the step's. */
	int64_t until = clock_now() + step->timeout, held = recorder_held(d->recorder), more;
	int got = loop_wait(d->loop, &end->run.done, until, e);
	while (got == 0 && (more = recorder_held(d->recorder) - held) > 0) {
		held += more;
		until += more;
		got = loop_wait(d->loop, &end->run.done, until, e);
	}
	if (got == 0) {
		end->timed_out = true;
		got = end_tree(d, &end->run, e);
	}
	return got < 0 ? -1 : 0;
}

static void on_line(void *arg, const char *text)
{
	const struct drill *d = arg;
	strike_line(d->strike, text);
	recorder_line(d->recorder, text);
}

/* 0 with *end and `why` filled in; -1: stopped, or our own trouble. */
static int run_step(struct drill *d, bool in_rollback, size_t index, struct step_end *end,
		    char *why, struct err *e)
{
	const struct step_plan *step = plan_step(d->plan, in_rollback, index);
	GUARD(mem) char *log = log_path(d, in_rollback, index);
	GUARD(fd) int out_fd = -1;
	if (output_open(d->outputs, log, &end->out, &out_fd, e) < 0)
		return -1;
	d->step = step;
	d->runner = 0;
	if ((!d->retrying && strike_enter(d->strike, in_rollback, (int)index, e) < 0) ||
	    recorder_enter(d->recorder, in_rollback, index, e) < 0)
		return -1;
	output_lines(end->out, on_line, d);

	/* A step has one filter; nothing strikes where a recorder looks on. */
	const bool recorded = recorder_records(d->recorder, in_rollback);
	const struct filter *filter =
		recorded ? recorder_filter(d->recorder) : strike_filter(d->strike);
	struct proc *proc = NULL;
	struct err start = { 0 };
	int result = 0;
	d->starting = true;
	int spawned = spawn(d, filter, out_fd, &end->run, &proc, &start);
	d->starting = false;
	if (spawned < 0) {
		strike_spawned(d->strike);
		if (loop_stopped(d->loop)) {
			*e = start;
			result = -1;
		}
		(void)snprintf(why, ERR_WHY_MAX, "step '%s' did not start: %.500s", step->name,
			       start.why);
	} else {
		end->started = true;
		d->runner = proc_pid(proc);
		result = recorded ? recorder_started(d->recorder, proc, e)
				  : strike_started(d->strike, proc, e);
		strike_spawned(d->strike);
		guard_fd(&out_fd);
		out_fd = -1;
		if (result == 0)
			result = wait_for(d, step, end, e);
	}
	d->runner = 0;
	end->ok = end->started && !end->timed_out && end->run.done && WIFEXITED(end->run.status) &&
		  WEXITSTATUS(end->run.status) == 0;
	d->troubles += !end->ok;
	output_drain(end->out); /* its last lines count for the trigger as well */
	output_lines(end->out, NULL, NULL);
	if (result == 0)
		result = strike_leave(d->strike, e);
	if (recorder_leave(d->recorder, e) < 0)
		result = -1;
	d->step = NULL;
	proc_free(proc);
	char last[256];
	if (end->started && !end->ok)
		describe(step, &end->run, end->timed_out,
			 output_last_line(end->out, last, sizeof(last)), why);
	return result;
}

/* Says, too, what the node's limit did: a step that failed may well have failed of that. */
static void journal_end(struct drill *d, bool in_rollback, size_t index, const struct step_end *end,
			char *why)
{
	const struct step_plan *step = plan_step(d->plan, in_rollback, index);
	int status = end->run.status;
	bool exited = end->started && end->run.done && WIFEXITED(status);
	struct step_use use;
	step_used(drill_node(d, step->node)->node, &end->before, &use);
	size_t len = end->ok ? 0 : strlen(why);
	if (use.killed != NULL && len > 0)
		(void)snprintf(why + len, ERR_WHY_MAX - len, "; %s", use.killed);
	drill_nodes_look(d);
	journal_put(d->journal, EVENT_STEP_END, F_STR("section", section_of(d, in_rollback)),
		    F_STR("step", step->name), F_INT("index", index), F_STR("node", step->node),
		    F_BOOL("ok", end->ok), F_INT("exit", exited ? WEXITSTATUS(status) : -1),
		    F_INT("signal", end->run.done && WIFSIGNALED(status) ? WTERMSIG(status) : 0),
		    F_BOOL("timed_out", end->timed_out), F_BOOL("may_fail", step->may_fail),
		    F_STR("why", end->ok ? NULL : why), F_INT("took", clock_now() - end->began),
		    F_INT("log_bytes", end->out != NULL ? output_bytes(end->out) : 0),
		    F_INT("log_dropped", end->out != NULL ? output_dropped(end->out) : 0),
		    F_JSON("memory_peak", use.memory_peak), F_JSON("cpu", use.cpu),
		    F_JSON("io_read", use.io_read), F_JSON("io_written", use.io_written));
	if (use.killed != NULL)
		journal_put(d->journal, EVENT_NOTICE, F_STR("what", use.killed));
}

int drill_steps(struct drill *d, bool in_rollback, const bool *stop_early, char *why, struct err *e)
{
	const struct rollback_plan *r = &d->plan->rollbacks[d->plan->rollback];
	const struct step_plan *steps = in_rollback ? r->steps : d->plan->patch;
	size_t count = in_rollback ? r->step_count : d->plan->patch_count;
	for (size_t i = 0; i < count; i++) {
		if (stop_early != NULL && *stop_early) {
			(void)snprintf(why, ERR_WHY_MAX, "stopped before step '%s'", steps[i].name);
			return STEPS_FAILED;
		}
		journal_put(d->journal, EVENT_STEP_BEGIN,
			    F_STR("section", section_of(d, in_rollback)),
			    F_STR("step", steps[i].name), F_INT("index", i),
			    F_STR("node", steps[i].node));
		struct step_end end = { .began = clock_now() };
		step_uses(drill_node(d, steps[i].node)->node, &end.before);
		int result = run_step(d, in_rollback, i, &end, why, e);
		journal_end(d, in_rollback, i, &end, why);
		if (result < 0)
			return -1;
		if (!end.ok && !steps[i].may_fail)
			return STEPS_FAILED;
	}
	return STEPS_OK;
}
