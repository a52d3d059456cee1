/* SPDX-License-Identifier: MIT */
/*
 * Injector process.kill: a signal to the step's program, to it and all its descendants, to a
 * program by its name, or to all of a systemd unit. The victim's end is watched from before the
 * signal on, so that it is known what the signal did.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/base/mutate.h"
#include "harness/model/state.h"
#include "harness/sandbox/exitwatch.h"
#include "harness/sandbox/process.h"
#include "injectors/injector.h"

#define STOP_POLL      (NS_PER_MS / 5)
#define STOPPED_POLL   (5 * NS_PER_MS)
#define STOP_WAIT_MAX  (50 * NS_PER_MS) /* for one process to stop */
#define GO_ON_WAIT_MAX NS_PER_S         /* for a process to go on after SIGCONT */
#define DIE_WAIT_MAX   (10 * NS_PER_S)  /* for a killed tree to be gone */

enum {
	TREE_MAX = 1024,      /* processes */
	TREE_ROUNDS_MAX = 64, /* looks at the tree until nothing new is in it */
	STATUS_MAX = 8 << 10, /* bytes of /proc/PID/status */
};

enum kill_target { KILL_RUNNER, KILL_TREE, KILL_PROGRAM, KILL_UNIT };
static const char *const kill_targets[] = { "runner", "tree", "program", "unit", NULL };

struct process_kill {
	int target;
	const char *program, *unit;
	int signal;
};

static const struct param process_kill_params[] = {
	{ .name = "target",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct process_kill, target),
	  .names = kill_targets,
	  .def = "runner",
	  .help = "runner: the step's own program; tree: it and all its descendants; program: the "
		  "one held at this point that runs or is about to start \"program\", else the "
		  "oldest that runs it; unit: all processes of the node's systemd unit \"unit\"" },
	{ .name = "program",
	  .type = PARAM_PATH,
	  .offset = offsetof(struct process_kill, program),
	  .help = "path or pattern of the program; implies target program" },
	{ .name = "unit",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct process_kill, unit),
	  .help = "as \"nginx.service\"; implies target unit" },
	{ .name = "signal",
	  .type = PARAM_SIGNAL,
	  .offset = offsetof(struct process_kill, signal),
	  .def = "KILL",
	  .help = "which signal" },
	{ 0 },
};

struct victim {
	pid_t pid;
	uint64_t start;
};

struct injection {
	struct inject_env env;
	enum kill_target target;
	char *program, *unit;
	int signal;
	struct exit_watch *watch; /* on the first victim */
	struct loop_src *timer;   /* a stopped tree: looks whether the first victim has stopped */
	bool ignored;             /* the first victim ignores this signal */
	struct victim *victims;
	size_t count;
};

static const char *process_kill_check(const void *params)
{
	const struct process_kill *p = params;
	if (p->target == KILL_PROGRAM && p->program == NULL)
		return "target \"program\" needs \"program\": the path of what to kill";
	if (p->target == KILL_TREE && p->program != NULL)
		return "target \"tree\" is the step's program with its descendants: leave out "
		       "\"program\"";
	if (p->target == KILL_UNIT && p->unit == NULL)
		return "target \"unit\" needs \"unit\": the name of what to kill";
	if (p->unit != NULL && (p->program != NULL || p->target == KILL_TREE))
		return "\"unit\" names all processes of a unit: leave out \"program\" and other "
		       "targets";
	return NULL;
}

static void process_kill_destroy(struct injection *i)
{
	if (i == NULL)
		return;
	exit_watch_destroy(i->watch);
	loop_remove(i->timer);
	free(i->victims);
	free(i->program);
	free(i->unit);
	free(i);
}

static int process_kill_create(struct injection **ret, const struct inject_env *env,
			       const void *params, struct err *e)
{
	const struct process_kill *p = params;
	(void)e;
	struct injection *i = mem_alloc(sizeof(*i));
	i->env = *env;
	i->target = p->unit != NULL      ? KILL_UNIT
		    : p->program != NULL ? KILL_PROGRAM
					 : (enum kill_target)p->target;
	i->unit = p->unit != NULL ? mem_strdup(p->unit) : NULL;
	i->program = p->program != NULL ? mem_strdup(p->program) : NULL;
	i->signal = p->signal;
	*ret = i;
	return 0;
}

static bool is_live(pid_t pid, struct process *ret)
{
	return pid > 0 && process_read(pid, ret) && ret->state != 'Z' && ret->state != 'X';
}

/* A unit's processes are those of its control group: the oldest of them is its main one, or as good
 * as that. */
static pid_t oldest_of_unit(const struct injection *i, const struct strike_target *t)
{
	GUARD(mem) pid_t *pids = mem_array(TREE_MAX, sizeof(*pids));
	size_t n = cgroup_node_members(node_cgroup(t->node), i->unit, pids, TREE_MAX);
	struct process oldest = { 0 }, p;
	for (size_t k = 0; k < n; k++)
		if (is_live(pids[k], &p) && (oldest.pid == 0 || p.start < oldest.start))
			oldest = p;
	return oldest.pid;
}

static pid_t pick(const struct injection *i, const struct strike_target *t)
{
	if (i->target == KILL_UNIT)
		return oldest_of_unit(i, t);
	if (i->target != KILL_PROGRAM)
		return t->runner;
	if (t->stopped != 0 && t->program != NULL && state_path_match(i->program, t->program))
		return t->stopped;
	/* Held in a call, it is the program; held before its exec, it is one no more. */
	struct process p;
	if (t->call != NULL && process_read(t->stopped, &p) && state_path_match(i->program, p.exe))
		return t->stopped;
	return process_oldest(t->node, i->program, t->call == NULL ? t->stopped : 0);
}

static int nothing_to_kill(const struct injection *i, const struct strike_target *t, struct err *e)
{
	if (i->target == KILL_PROGRAM)
		return ERR(e, 0, "nothing to kill: no process of node %s runs %s",
			   node_name(t->node), i->program);
	if (i->target == KILL_UNIT && !node_has_systemd(t->node))
		return ERR(e, 0,
			   "nothing to kill: node %s has no units, its \"init\" is not "
			   "\"systemd\"",
			   node_name(t->node));
	if (i->target == KILL_UNIT)
		return ERR(e, 0, "nothing to kill: unit %s of node %s has no process", i->unit,
			   node_name(t->node));
	return ERR(e, 0, "nothing to kill: the step's program does not run at this point");
}

static bool add_victim(struct injection *i, const struct process *p)
{
	for (size_t n = 0; n < i->count; n++) {
		if (i->victims[n].pid == p->pid && i->victims[n].start == p->start)
			return false;
	}
	i->victims = mem_grow(i->victims, i->count + 1, sizeof(*i->victims));
	i->victims[i->count++] = (struct victim){ .pid = p->pid, .start = p->start };
	return true;
}

/* A process that cannot stop (state D: it waits in the kernel, perhaps held by a watch) cannot
 * make children either: with a signal pending, fork(2) starts anew. */
static void wait_stopped(const struct victim *v)
{
	int64_t deadline = clock_now() + STOP_WAIT_MAX;
	const struct timespec pause = { 0, STOP_POLL };
	struct process p;
	while (process_read(v->pid, &p) && p.start == v->start &&
	       strchr("TtZXD", p.state) == NULL && clock_now() < deadline)
		(void)nanosleep(&pause, NULL);
}

static size_t all_of(const struct injection *i, const struct strike_target *t, pid_t *pids)
{
	return i->target == KILL_UNIT
		       ? cgroup_node_members(node_cgroup(t->node), i->unit, pids, TREE_MAX)
		       : process_tree(t->node, t->runner, pids, TREE_MAX);
}

/* Stops the tree from its root on (of a unit: whoever is in it), until a look finds nobody new. */
static int stop_tree(struct injection *i, const struct strike_target *t, struct err *e)
{
	GUARD(mem) pid_t *pids = mem_array(TREE_MAX, sizeof(*pids));
	for (int round = 0; round < TREE_ROUNDS_MAX; round++) {
		size_t n = all_of(i, t, pids);
		size_t before = i->count;
		if (n >= TREE_MAX)
			return ERR(e, 0, "the %s has %d processes or more",
				   i->target == KILL_UNIT ? "unit" : "step", TREE_MAX);
		for (size_t k = 0; k < n; k++) {
			struct process p;
			struct err gone = { 0 };
			if (is_live(pids[k], &p) && add_victim(i, &p))
				(void)process_signal(p.pid, p.start, SIGSTOP, &gone);
		}
		if (i->count == before)
			return 0;
		for (size_t k = before; k < i->count; k++)
			wait_stopped(&i->victims[k]);
	}
	return ERR(e, 0, "the %s makes processes faster than they can be stopped",
		   i->target == KILL_UNIT ? "unit" : "step");
}

static bool ignores(pid_t pid, int signo)
{
	GUARD_BUF struct buf text = { 0 };
	struct err unused = { 0 };
	char path[32];
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (signo > 64 || io_read_file(AT_FDCWD, path, STATUS_MAX, &text, &unused) < 0)
		return false;
	const char *line = strstr(buf_str(&text), "\nSigIgn:");
	if (line == NULL)
		return false;
	unsigned long long mask = strtoull(line + strlen("\nSigIgn:"), NULL, 16);
	return (mask >> (signo - 1) & 1) != 0;
}

static void tell_felt(struct injection *i, const char *what)
{
	GUARD(mem)
	char *text = mem_printf("pid %d %s SIG%s", (int)i->victims[0].pid, what,
				param_signal_name(i->signal));
	i->env.felt(i->env.arg, text);
}

static void on_victim(void *arg, pid_t pid, enum exit_what what, int value)
{
	struct injection *i = arg;
	(void)pid;
	if (what == EXITWATCH_EXITED && WIFSIGNALED(value) && WTERMSIG(value) == i->signal)
		tell_felt(i, "was reaped, killed by");
	else if (what == EXITWATCH_SIGNAL && value == i->signal && !i->ignored)
		tell_felt(i, "got");
}

static void let_go(const struct injection *i)
{
	struct err gone = { 0 };
	for (size_t n = 0; n < i->count; n++)
		(void)process_signal(i->victims[n].pid, i->victims[n].start, SIGCONT, &gone);
}

static int send_all(struct injection *i, struct err *e)
{
	/* The first counts; others may have ended meanwhile. */
	if (process_signal(i->victims[0].pid, i->victims[0].start, i->signal, e) < 0)
		return -1;
	for (size_t n = 1; n < i->count; n++) {
		struct err gone = { 0 };
		(void)process_signal(i->victims[n].pid, i->victims[n].start, i->signal, &gone);
	}
	return 0;
}

static int strike_victims(struct injection *i, struct err *e)
{
	const struct victim *first = &i->victims[0];
	i->ignored = ignores(first->pid, i->signal);
	if (i->ignored && i->signal != SIGKILL && i->signal != SIGSTOP) {
		GUARD(mem)
		char *text = mem_printf("pid %d ignores SIG%s", (int)first->pid,
					param_signal_name(i->signal));
		i->env.notice(i->env.arg, text);
	}
	/* Before the signal: a watch that comes later would miss it. */
	if (exit_watch_create(&i->watch, i->env.loop, first->pid, on_victim, i, e) < 0)
		return -1;
	return send_all(i, e);
}

static bool still_stopped(const struct victim *v)
{
	struct process p;
	return process_read(v->pid, &p) && p.start == v->start &&
	       (p.state == 'T' || p.state == 't');
}

static void look_whether_stopped(void *arg)
{
	struct injection *i = arg;
	if (!still_stopped(&i->victims[0]))
		return;
	loop_remove(i->timer);
	i->timer = NULL;
	tell_felt(i, "is stopped by");
}

/* Stopping the tree was the strike: a second SIGSTOP is never delivered. It is felt once the
 * first process stands, which one that waits in the kernel does not do yet. */
static int strike_by_stopping(struct injection *i, struct err *e)
{
	return loop_add_timer(i->env.loop, 0, STOPPED_POLL, look_whether_stopped, i, &i->timer, e);
}

static int process_kill_strike(struct injection *i, const struct strike_target *target,
			       char detail[INJECT_DETAIL_MAX], struct err *e)
{
	struct process p;
	if (!is_live(pick(i, target), &p))
		return nothing_to_kill(i, target, e);
	(void)add_victim(i, &p);
	bool stopping = i->target == KILL_TREE || i->target == KILL_UNIT;
	if (stopping) {
		/* The tree is found from its root on; of a unit the first has been found above. */
		i->count = 0;
		if (i->target == KILL_UNIT) {
			struct err gone = { 0 };
			(void)add_victim(i, &p);
			(void)process_signal(p.pid, p.start, SIGSTOP, &gone);
		}
		if (stop_tree(i, target, e) < 0) {
			let_go(i);
			return -1;
		}
		if (i->count == 0 || i->victims[0].pid != p.pid)
			return nothing_to_kill(i, target, e);
	}
	bool struck = stopping && i->signal == SIGSTOP;
	int done = struck ? strike_by_stopping(i, e) : strike_victims(i, e);
	if (stopping && (done < 0 || (i->signal != SIGKILL && i->signal != SIGSTOP)))
		let_go(i);
	if (done < 0)
		return -1;
	(void)snprintf(detail, INJECT_DETAIL_MAX, "SIG%s sent to pid %d (%.120s)%s",
		       param_signal_name(i->signal), (int)p.pid, p.exe,
		       i->count == 1            ? ""
		       : i->target == KILL_UNIT ? " and the unit's other processes"
						: " and its descendants");
	return 0;
}

static bool is_stop_signal(int signo)
{
	return signo == SIGSTOP || signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU;
}

/* What is killed stays killed; what is stopped goes on. */
static int process_kill_undo(struct injection *i, struct err *e)
{
	(void)e;
	if (!is_stop_signal(i->signal) || MUTANT(undo_noop))
		return 0;
	exit_watch_destroy(i->watch);
	i->watch = NULL;
	loop_remove(i->timer);
	i->timer = NULL;
	let_go(i);
	return 0;
}

static bool is_gone(const struct victim *v)
{
	struct process p;
	return !process_read(v->pid, &p) || p.start != v->start || strchr("ZX", p.state) != NULL;
}

/* A killed tree dies piece by piece, and what still dies holds its locks: the rollback would meet
 * a race that we made. The first has its own watch. */
static int wait_gone(const struct injection *i, struct err *e)
{
	const struct timespec pause = { 0, STOP_POLL };
	int64_t deadline = clock_now() + DIE_WAIT_MAX;
	for (size_t n = 1; n < i->count; n++) {
		while (!is_gone(&i->victims[n]) && clock_now() < deadline)
			(void)nanosleep(&pause, NULL);
		if (!is_gone(&i->victims[n]))
			return ERR(e, 0, "pid %d got SIGKILL and is still there",
				   (int)i->victims[n].pid);
	}
	return 0;
}

static int process_kill_verify(struct injection *i, char detail[INJECT_DETAIL_MAX], struct err *e)
{
	const struct timespec pause = { 0, STOP_POLL };
	if (i->signal == SIGKILL && wait_gone(i, e) < 0)
		return -1;
	if (!is_stop_signal(i->signal)) {
		(void)snprintf(detail, INJECT_DETAIL_MAX, "SIG%s leaves nothing to undo",
			       param_signal_name(i->signal));
		return 0;
	}
	int64_t deadline = clock_now() + GO_ON_WAIT_MAX;
	for (size_t n = 0; n < i->count; n++) {
		while (still_stopped(&i->victims[n]) && clock_now() < deadline)
			(void)nanosleep(&pause, NULL);
		if (still_stopped(&i->victims[n]))
			return ERR(e, 0, "pid %d is still stopped", (int)i->victims[n].pid);
	}
	(void)snprintf(detail, INJECT_DETAIL_MAX, "%zu process(es) go on, or are gone", i->count);
	return 0;
}

const struct injector injector_process_kill = {
	.kind = { .name = "process.kill",
		  .help = "send a signal to the step's program, to its whole tree, to a program or "
			  "to a "
			  "systemd unit",
		  .applied = "the signal was sent to a live process",
		  .felt = "the process was reaped by that very signal, or got it and lives on "
			  "without ignoring it",
		  .params = process_kill_params,
		  .size = sizeof(struct process_kill),
		  .exact = true,
		  .check = process_kill_check },
	.create = process_kill_create,
	.strike = process_kill_strike,
	.undo = process_kill_undo,
	.verify = process_kill_verify,
	.destroy = process_kill_destroy,
};
