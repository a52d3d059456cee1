/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/callwatch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/base/mutate.h"
#include "harness/sandbox/callpath.h"
#include "harness/sandbox/process.h"

/* Newer than the headers. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

#define STAY_MAX (STAY_MS * NS_PER_MS)

enum {
	ANEW_MAX = 64,          /* calls that are still to be made anew */
	STAY_MS = 2,            /* on one listener, before the loop's other sources are looked at */
	STATUS_MAX = 16 * 1024, /* bytes of /proc/PID/status */
	/* Of the kernel alone, but told to it here: once the signals are dealt with, the call is
	 * made anew, and where they end the process, it never is. */
	ERESTARTNOINTR = 513,
};

/* What the kernel writes may be longer than our headers know. */
union notification {
	struct seccomp_notif n;
	char space[512];
};

struct listener {
	struct listener *next;
	struct call_watch *watch;
	int fd;
	struct loop_src *src;
};

/* A call that was told and then given up for a signal: it comes again. */
struct anew {
	pid_t task; /* 0: a free row */
	int nr;
	uint64_t at, args[CALL_ARGS];
};

struct call_watch {
	struct loop *loop;
	call_fn fn;
	void *arg;
	bool tells;
	unsigned depth; /* of callbacks under way */
	struct listener *listeners;
	struct call_stop *held;
	struct anew anew[ANEW_MAX];
	size_t next_anew;
};

struct call_stop {
	struct call_stop *next; /* of those that are held for a delay */
	struct call_watch *watch;
	int fd; /* of its listener */
	uint64_t id;
	pid_t task; /* thread */
	const struct call_row *row;
	int nr;
	uint64_t at; /* the caller's instruction */
	uint64_t args[CALL_ARGS];
	bool again;
	bool path_read[CALL_PATHS_MAX];
	char *path[CALL_PATHS_MAX];
	struct process *caller; /* read when asked for */
	struct call_answer *answer;
	struct loop_src *timer;
	int64_t since;
};

/* ---- what a held call is ---- */

const struct call_row *call_stop_row(const struct call_stop *c)
{
	return c->row;
}

uint64_t call_stop_arg(const struct call_stop *c, size_t which)
{
	return c->args[which];
}

pid_t call_stop_task(const struct call_stop *c)
{
	return c->task;
}

bool call_stop_again(const struct call_stop *c)
{
	return c->again;
}

const char *call_stop_path(struct call_stop *c, size_t which)
{
	assert(which < CALL_PATHS_MAX);
	if (!c->path_read[which])
		c->path[which] = callpath_read(c->task, c->row, c->args, (unsigned)which);
	c->path_read[which] = true;
	return c->path[which];
}

const char *call_stop_program(struct call_stop *c)
{
	if (c->caller == NULL) {
		c->caller = mem_alloc(sizeof(*c->caller));
		if (!process_read(c->task, c->caller))
			c->caller->exe[0] = '\0';
	}
	return c->caller->exe;
}

/* A field of /proc/TASK/status in this base; false: the task is gone. */
static bool status_field(const struct buf *status, const char *name, int base, uint64_t *ret)
{
	const char *line = strstr(buf_str(status), name);
	if (line == NULL)
		return false;
	*ret = strtoull(line + strlen(name), NULL, base);
	return true;
}

static bool read_status(pid_t task, struct buf *ret)
{
	char path[64];
	struct err ignored = { 0 };
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)task);
	return io_read_file(AT_FDCWD, path, STATUS_MAX, ret, &ignored) >= 0;
}

pid_t call_stop_pid(const struct call_stop *c)
{
	GUARD_BUF struct buf status = { 0 };
	uint64_t pid;
	if (!read_status(c->task, &status) || !status_field(&status, "\nTgid:", 10, &pid))
		return 0;
	return (pid_t)pid;
}

void call_stop_text(struct call_stop *c, char *ret, size_t size)
{
	const char *first = call_stop_path(c, 0), *second = call_stop_path(c, 1);
	(void)snprintf(ret, size, "%s(%s%s%s)", c->row->name, first != NULL ? first : "",
		       second != NULL ? ", " : "", second != NULL ? second : "");
}

/* ---- answers ---- */

enum signals { SIGNALS_NONE, SIGNALS_PENDING, SIGNALS_DEADLY };

/* What waits for the task. A signal that ends a whole process is turned into SIGKILL for each of
 * its threads at once, so that this is seen as soon as kill(2) has returned. */
static enum signals look_at_signals(pid_t task)
{
	GUARD_BUF struct buf status = { 0 };
	uint64_t own, shared, blocked, threads;
	if (!read_status(task, &status) || !status_field(&status, "\nSigPnd:", 16, &own) ||
	    !status_field(&status, "\nShdPnd:", 16, &shared) ||
	    !status_field(&status, "\nSigBlk:", 16, &blocked) ||
	    !status_field(&status, "\nThreads:", 10, &threads))
		return SIGNALS_DEADLY;
	const uint64_t deadly = UINT64_C(1) << (SIGKILL - 1);
	if (((own | shared) & deadly) != 0)
		return MUTANT(killed_goes_on) ? SIGNALS_NONE : SIGNALS_DEADLY;
	/* One that any thread may take is not surely this one's. */
	if (threads == 1)
		own |= shared;
	return (own & ~blocked) != 0 ? SIGNALS_PENDING : SIGNALS_NONE;
}

static bool send_answer(int fd, uint64_t id, int error)
{
	struct seccomp_notif_resp r = { .id = id, .error = -error };
	if (error == 0)
		r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	return ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r) == 0; /* else ENOENT: the caller is gone */
}

/* The oldest row goes: its caller never made the call again. */
static void expect_anew(const struct call_stop *c)
{
	struct anew *a = &c->watch->anew[c->watch->next_anew];
	c->watch->next_anew = (c->watch->next_anew + 1) % ANEW_MAX;
	*a = (struct anew){ .task = c->task, .nr = c->nr, .at = c->at };
	memcpy(a->args, c->args, sizeof(a->args));
}

static bool take_anew(const struct call_stop *c)
{
	for (size_t i = 0; i < ANEW_MAX; i++) {
		struct anew *a = &c->watch->anew[i];
		if (a->task != c->task || a->nr != c->nr || a->at != c->at ||
		    memcmp(a->args, c->args, sizeof(a->args)) != 0)
			continue;
		a->task = 0;
		return true;
	}
	return false;
}

static void stop_free(struct call_stop *c)
{
	for (size_t i = 0; i < CALL_PATHS_MAX; i++)
		free(c->path[i]);
	free(c->caller);
	free(c);
}

/* `touched`: the caller may have been sent a signal since it was held. */
static void finish(struct call_stop *c, bool touched)
{
	struct call_answer *a = c->answer;
	enum signals pending = touched || a != NULL ? look_at_signals(c->task) : SIGNALS_NONE;
	bool delivered = false;
	if (pending == SIGNALS_PENDING && a == NULL) {
		(void)send_answer(c->fd, c->id, ERESTARTNOINTR);
		expect_anew(c);
	} else if (pending != SIGNALS_DEADLY) {
		delivered = send_answer(c->fd, c->id, a != NULL && !a->over ? a->error : 0);
		if (!delivered)
			expect_anew(c); /* before Linux 5.19 any signal takes it away */
	}
	if (a != NULL && a->answered != NULL && !a->over)
		a->answered(a->arg, delivered, clock_now() - c->since);
	stop_free(c);
}

static void release(struct call_stop *c)
{
	struct call_stop **at = &c->watch->held;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->answer->waiting--;
	loop_remove(c->timer);
	finish(c, true);
}

static void on_time(void *arg)
{
	release(arg);
}

void call_stop_answer(struct call_stop *c, struct call_answer *a)
{
	c->answer = a;
}

struct call_answer *call_stop_given(const struct call_stop *c)
{
	return c->answer;
}

void call_answer_end(struct call_answer *a)
{
	a->over = true;
	while (a->waiting > 0) {
		struct call_stop *c = a->watch->held;
		while (c->answer != a)
			c = c->next;
		release(c);
	}
}

/* True: it waits for its time. */
static bool hold(struct call_stop *c)
{
	struct call_answer *a = c->answer;
	struct err ignored = { 0 };
	if (a == NULL || a->over || a->delay == 0)
		return false;
	int64_t left = c->since + a->delay - clock_now();
	if (loop_add_timer(c->watch->loop, left > 0 ? left : 0, 0, on_time, c, &c->timer,
			   &ignored) < 0)
		return false; /* its time that was too short is seen by `answered` */
	a->watch = c->watch;
	a->waiting++;
	c->next = c->watch->held;
	c->watch->held = c;
	return true;
}

/* ---- the listener ---- */

/* An openat2(2) has its flags in memory; what goes to a pipe or a socket changes no file. */
static bool is_change(struct call_stop *c)
{
	uint64_t flags;
	if (c->row == NULL)
		return false;
	if (c->row->how != CALL_ARG_NONE &&
	    callpath_open_flags(c->task, c->args[c->row->how], &flags))
		return call_open_changes(flags);
	if (c->row->family == CALL_WRITE || c->row->family == CALL_COPY)
		return callpath_keeps(c->task, (int)c->args[c->row->file[0].at]);
	return true;
}

static void tell(struct listener *l, const struct seccomp_notif *n)
{
	struct call_watch *w = l->watch;
	struct call_stop *c = mem_alloc(sizeof(*c));
	c->watch = w;
	c->fd = l->fd;
	c->id = n->id;
	c->task = (pid_t)n->pid;
	c->since = clock_now();
	memcpy(c->args, n->data.args, sizeof(c->args));
	c->nr = n->data.nr;
	c->at = n->data.instruction_pointer;
	c->again = take_anew(c);
	c->row = call_row_of(c->nr, c->args);
	bool touched = false;
	if (is_change(c)) {
		w->depth++;
		touched = w->fn(w->arg, c);
		w->depth--;
	}
	if (!hold(c))
		finish(c, touched);
}

static void listener_end(struct listener *l)
{
	struct listener **at = &l->watch->listeners;
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	loop_remove(l->src);
	(void)close(l->fd);
	free(l);
}

static void serve(struct listener *l)
{
	union notification in = { 0 };
	if (ioctl(l->fd, SECCOMP_IOCTL_NOTIF_RECV, &in.n) < 0)
		return; /* ENOENT: killed in between */
	if (l->watch->tells)
		tell(l, &in.n);
	else
		(void)send_answer(l->fd, in.n.id, 0);
}

/* Receiving blocks when nothing is there, so it is asked for each time. Between two calls it stays
 * a moment on the listener itself, for a wake-up through epoll forgets on which processor the
 * caller runs; whatever else the loop has to do ends that. */
static void on_listener(void *arg, uint32_t events)
{
	struct listener *l = arg;
	struct pollfd p[] = { { .fd = l->fd, .events = POLLIN },
			      { .fd = loop_ready_fd(l->watch->loop), .events = POLLIN } };
	int64_t until = clock_now() + STAY_MAX;
	(void)events;
	for (int wait = 0; poll(p, 2, wait) > 0 && (p[0].revents & POLLIN) != 0; wait = STAY_MS) {
		serve(l);
		if (clock_now() >= until || loop_stopped(l->watch->loop))
			return;
	}
	if ((p[0].revents & (POLLIN | POLLHUP)) == POLLHUP && l->watch->depth == 0)
		listener_end(l); /* the last of its processes has ended */
}

/* ---- the watch ---- */

struct call_watch *call_watch_create(struct loop *loop, call_fn fn, void *arg)
{
	struct call_watch *w = mem_alloc(sizeof(*w));
	*w = (struct call_watch){ .loop = loop, .fn = fn, .arg = arg, .tells = true };
	return w;
}

static int check_sizes(struct err *e)
{
	struct seccomp_notif_sizes sizes;
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "seccomp user notification (Linux 5.5)");
	if (sizes.seccomp_notif > sizeof(union notification) ||
	    sizes.seccomp_notif_resp > sizeof(struct seccomp_notif_resp))
		return ERR_AS(e, EXIT_UNAVAILABLE, 0,
			      "this kernel's notifications of system calls are too long for us");
	return 0;
}

int call_watch_add(struct call_watch *w, int listener, struct err *e)
{
	GUARD(fd) int fd = listener;
	if (check_sizes(e) < 0)
		return -1;
	/* Both sides on one processor: eight microseconds a call instead of fifty. Only a matter of
	 * speed, and absent before Linux 6.6. */
	(void)ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	struct listener *l = mem_alloc(sizeof(*l));
	l->watch = w;
	l->fd = fd;
	if (loop_add_fd(w->loop, fd, EPOLLIN, on_listener, l, &l->src, e) < 0) {
		free(l);
		return -1;
	}
	l->next = w->listeners;
	w->listeners = l;
	(void)take_fd(&fd);
	return 0;
}

void call_watch_tell(struct call_watch *w, bool on)
{
	w->tells = on;
}

void call_watch_destroy(struct call_watch *w)
{
	if (w == NULL)
		return;
	assert(w->depth == 0);
	while (w->held != NULL)
		release(w->held);
	while (w->listeners != NULL)
		listener_end(w->listeners);
	free(w);
}
