/* SPDX-License-Identifier: MIT */
#include "tests/drill/killer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/base/mem.h"
#include "tests/drill/program.h"
#include "tests/unit/runner.h"

enum { TASKS_MAX = 64, ROWS_MAX = 8192, SYSCALL_STOP = SIGTRAP | 0x80 };

/* A process that is followed. Its first stop and its parent's word come in either order. */
struct task {
	pid_t pid;                      /* 0: a free row */
	char who[KILLER_WHO];           /* "": its parent has not told yet */
	bool stopped, followed, inside; /* inside: between a call's entry and its end */
	unsigned children;
};

struct killer {
	struct task tasks[TASKS_MAX];
	struct kill_calls calls;
	const struct kill_point *at; /* NULL: only counts */
	bool all, fired;
	pid_t program;
	int status;
};

static const unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
				     PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
				     PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

static struct task *task_of(struct killer *k, pid_t pid)
{
	struct task *gap = NULL;
	for (size_t i = 0; i < TASKS_MAX; i++) {
		if (k->tasks[i].pid == pid)
			return &k->tasks[i];
		if (k->tasks[i].pid == 0 && gap == NULL)
			gap = &k->tasks[i];
	}
	ck_assert_ptr_nonnull(gap);
	*gap = (struct task){ .pid = pid };
	return gap;
}

/* The row of this process and call; made when it is the first. */
static struct kill_point *row_of(struct kill_calls *c, const char *who, int nr)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->rows[i].nr == nr && strcmp(c->rows[i].who, who) == 0)
			return &c->rows[i];
	ck_assert_uint_lt(c->count, ROWS_MAX);
	struct kill_point *p = &c->rows[c->count++];
	*p = (struct kill_point){ .nr = nr };
	(void)snprintf(p->who, sizeof(p->who), "%s", who);
	return p;
}

static bool in_our_namespace(pid_t pid)
{
	char path[64];
	struct stat ours, its;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	return stat("/proc/self/ns/pid", &ours) == 0 && stat(path, &its) == 0 &&
	       ours.st_ino == its.st_ino;
}

static void let_go(struct task *t)
{
	(void)ptrace(PTRACE_DETACH, t->pid, NULL, NULL);
	t->pid = 0;
}

static void go_on(struct task *t, int signo)
{
	(void)ptrace(PTRACE_SYSCALL, t->pid, NULL, (long)signo);
}

static void begin(struct task *t)
{
	if (!in_our_namespace(t->pid)) {
		let_go(t);
		return;
	}
	t->followed = true;
	go_on(t, 0);
}

static void strike(struct killer *k, struct task *t)
{
	k->fired = true;
	for (size_t i = 0; k->all && i < TASKS_MAX; i++)
		if (k->tasks[i].pid != 0 && k->tasks[i].followed)
			(void)kill(k->tasks[i].pid, SIGKILL);
	(void)kill(t->pid, SIGKILL);
}

static void on_call(struct killer *k, struct task *t)
{
	struct __ptrace_syscall_info info;
	t->inside = !t->inside;
	if (t->inside && !k->fired &&
	    ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof(info), &info) > 0) {
		struct kill_point *p = row_of(&k->calls, t->who, (int)info.entry.nr);
		p->nth++;
		if (k->at != NULL && k->at->nr == p->nr && k->at->nth == p->nth &&
		    strcmp(k->at->who, p->who) == 0) {
			strike(k, t);
			return;
		}
	}
	go_on(t, 0);
}

static void on_child(struct killer *k, struct task *parent)
{
	unsigned long pid = 0;
	(void)ptrace(PTRACE_GETEVENTMSG, parent->pid, NULL, &pid);
	struct task *child = task_of(k, (pid_t)pid);
	int len =
		snprintf(child->who, sizeof(child->who), "%s.%u", parent->who, ++parent->children);
	ck_assert_int_lt(len, (int)sizeof(child->who));
	if (child->stopped)
		begin(child);
	go_on(parent, 0);
}

static void on_stop(struct killer *k, struct task *t, int status)
{
	int event = status >> 16, signo = WSTOPSIG(status);
	if (!t->followed) { /* its very first */
		t->stopped = true;
		if (t->who[0] != '\0')
			begin(t);
	} else if (event == PTRACE_EVENT_EXEC) {
		if (t->pid == k->program)
			go_on(t, 0); /* the program itself begins */
		else
			let_go(t);
	} else if (event != 0) {
		on_child(k, t);
	} else if (signo == SYSCALL_STOP) {
		on_call(k, t);
	} else {
		go_on(t, signo);
	}
}

static void follow(struct killer *k, const char *const *args)
{
	int status;
	k->calls.rows = mem_array(ROWS_MAX, sizeof(*k->calls.rows));
	k->program = program_start_traced(args);
	struct task *t = task_of(k, k->program);
	*t = (struct task){ .pid = k->program, .who = "0", .followed = true };
	ck_assert_int_eq(waitpid(k->program, &status, 0), k->program);
	ck_assert(WIFSTOPPED(status));
	ck_assert_int_eq(ptrace(PTRACE_SETOPTIONS, k->program, NULL, options), 0);
	go_on(t, 0);
	for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR;) {
		if (pid < 0)
			continue;
		t = task_of(k, pid);
		if (WIFSTOPPED(status)) {
			on_stop(k, t, status);
			continue;
		}
		if (pid == k->program)
			k->status = status;
		t->pid = 0;
	}
}

int killer_record(const char *const *args, struct kill_calls *ret)
{
	struct killer k = { 0 };
	follow(&k, args);
	*ret = k.calls;
	return WIFEXITED(k.status) ? WEXITSTATUS(k.status) : 128 + WTERMSIG(k.status);
}

void killer_common(struct kill_calls *a, const struct kill_calls *b)
{
	size_t kept = 0;
	for (size_t i = 0; i < a->count; i++) {
		for (size_t j = 0; j < b->count; j++) {
			if (a->rows[i].nr != b->rows[j].nr ||
			    strcmp(a->rows[i].who, b->rows[j].who) != 0)
				continue;
			a->rows[kept] = a->rows[i];
			if (b->rows[j].nth < a->rows[kept].nth)
				a->rows[kept].nth = b->rows[j].nth;
			kept++;
			break;
		}
	}
	a->count = kept;
}

void killer_free(struct kill_calls *c)
{
	free(c->rows);
	*c = (struct kill_calls){ 0 };
}

bool killer_strike(const char *const *args, const struct kill_point *at, bool all)
{
	struct killer k = { .at = at, .all = all };
	follow(&k, args);
	killer_free(&k.calls);
	return k.fired;
}
