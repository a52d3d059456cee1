/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/exitwatch.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/sandbox/execwatch.h"

/* How long a process may take to stop so that it can be let go, and how often to look. */
static const int64_t DETACH_WAIT_MAX = NS_PER_S;
static const int64_t DETACH_POLL = NS_PER_MS / 20;

struct exit_watch {
	pid_t pid;
	struct loop_src *src;
	exit_watch_fn fn;
	void *arg;
	int held;       /* signal of the stop in which the process is right now; -1: it runs */
	bool own_cont;  /* our own SIGCONT is on its way to it: nobody else's business */
	unsigned depth; /* of callbacks under way: the watch may be destroyed inside */
	bool dead;
};

/* A request that fails because the process was killed meanwhile needs no answer: its end is
 * reported next. */
static void request(int what, pid_t pid, int signo)
{
	(void)ptrace((enum __ptrace_request)what, pid, NULL, (void *)(intptr_t)signo);
}

static bool is_event_stop(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP;
}

static bool is_group_stop(int status)
{
	int signo = WSTOPSIG(status);
	return is_event_stop(status) &&
	       (signo == SIGSTOP || signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU);
}

/* True when the watch is still there afterwards. */
static bool tell(struct exit_watch *w, enum exit_what what, int value)
{
	w->depth++;
	w->fn(w->arg, w->pid, what, value);
	w->depth--;
	if (w->dead && w->depth == 0) {
		free(w);
		return false;
	}
	return true;
}

static void on_status(void *arg, pid_t pid, int status, bool gone)
{
	struct exit_watch *w = arg;
	if (gone) {
		w->src = NULL; /* the loop has removed it */
		w->held = -1;
		(void)tell(w, EXITWATCH_EXITED, status);
		return;
	}
	if (!WIFSTOPPED(status))
		return;
	if (is_group_stop(status)) { /* stay stopped, as a process that nobody traces would */
		request(PTRACE_LISTEN, pid, 0);
		return;
	}
	if (is_event_stop(status)) {
		request(PTRACE_CONT, pid, 0);
		return;
	}
	if (w->own_cont && WSTOPSIG(status) == SIGCONT) {
		w->own_cont = false;
		request(PTRACE_CONT, pid, 0);
		return;
	}
	w->held = WSTOPSIG(status);
	if (!tell(w, EXITWATCH_SIGNAL, w->held) || w->dead)
		return;
	request(PTRACE_CONT, pid, w->held);
	w->held = -1;
}

/* Before Linux 6.8 a program's file is opened with the lock held that PTRACE_SEIZE takes: on a
 * start that waits for our answer we would wait for ourselves. */
static bool seize_waits_for_exec(void)
{
	struct utsname u;
	unsigned major = 0, minor = 0;
	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 8));
}

/* 1 when it was parked first. Then it stands in the stop that tells of the seizing, and goes on
 * when the loop reads that, as any process that a callback holds. */
static int seize(pid_t pid, struct err *e)
{
	int parked = seize_waits_for_exec() ? exec_watch_park(pid, e) : 0;
	if (parked < 0)
		return -1;
	int result = (int)ptrace(PTRACE_SEIZE, pid, NULL, NULL);
	int code = errno;
	if (parked > 0)
		(void)kill(pid, SIGCONT);
	if (result < 0)
		return ERR(e, code, "watch the end of process %d%s", (int)pid,
			   code == EPERM ? " (does somebody else trace it?)" : "");
	return parked;
}

int exit_watch_create(struct exit_watch **ret, struct loop *loop, pid_t host_pid, exit_watch_fn fn,
		      void *arg, struct err *e)
{
	int parked = seize(host_pid, e);
	if (parked < 0)
		return -1;
	struct exit_watch *w = mem_alloc(sizeof(*w));
	w->pid = host_pid;
	w->fn = fn;
	w->arg = arg;
	w->held = -1;
	w->own_cont = parked > 0;
	if (loop_add_child(loop, host_pid, on_status, w, &w->src, e) < 0) {
		exit_watch_destroy(w);
		return -1;
	}
	*ret = w;
	return 0;
}

/* Only a stopped process can be let go. One that ends instead has been waited for here. */
static void detach(struct exit_watch *w)
{
	int64_t deadline = clock_now() + DETACH_WAIT_MAX;
	int status;
	if (w->held >= 0) {
		request(PTRACE_DETACH, w->pid, w->held);
		return;
	}
	request(PTRACE_INTERRUPT, w->pid, 0);
	while (clock_now() < deadline) {
		pid_t got = waitpid(w->pid, &status, WNOHANG | __WALL);
		if (got < 0 || (got == w->pid && !WIFSTOPPED(status)))
			return;
		if (got == w->pid) {
			int signo = is_event_stop(status) ? 0 : WSTOPSIG(status);
			request(PTRACE_DETACH, w->pid, signo);
			return;
		}
		struct timespec ts = { 0, DETACH_POLL };
		(void)nanosleep(&ts, NULL);
	}
}

void exit_watch_destroy(struct exit_watch *w)
{
	if (w == NULL || w->dead)
		return;
	if (w->src != NULL) {
		loop_remove(w->src);
		w->src = NULL;
		detach(w);
	}
	w->dead = true;
	if (w->depth == 0)
		free(w);
}
