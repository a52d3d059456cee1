/* SPDX-License-Identifier: MIT */
#include "harness/base/loop.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"

enum { LOOP_BATCH = 32, LOOP_SIGNALS_MAX = 8 };

enum src_kind { SRC_FD, SRC_TIMER, SRC_CHILD };

struct loop_src {
	struct loop *loop;
	struct loop_src *next, *prev;
	enum src_kind kind;
	int fd;    /* FD: the caller's; TIMER: ours; CHILD: -1 */
	bool dead; /* removed while its batch was being handled: freed behind the batch */
	pid_t pid;
	int64_t every;
	union {
		loop_fd_fn fd;
		loop_timer_fn timer;
		loop_child_fn child;
	} fn;
	void *arg;
};

struct loop {
	int epoll_fd, signal_fd;
	sigset_t mask, old_mask;
	struct loop_src *live, *dead;
	unsigned depth; /* of nested loop_wait() */
	bool stopped;
	char why[128];
	struct {
		int signo;
		loop_signal_fn fn;
		void *arg;
	} on_signal[LOOP_SIGNALS_MAX];
	size_t signal_count;
};

static int signals_refresh(struct loop *l, struct err *e)
{
	if (sigprocmask(SIG_BLOCK, &l->mask, NULL) < 0)
		return ERR(e, errno, "block signals");
	int fd = signalfd(l->signal_fd, &l->mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return ERR(e, errno, "signalfd");
	l->signal_fd = fd;
	return 0;
}

int loop_create(struct loop **ret, struct err *e)
{
	struct loop *l = mem_alloc(sizeof(*l));
	l->epoll_fd = -1;
	l->signal_fd = -1;
	(void)sigemptyset(&l->mask);
	(void)sigaddset(&l->mask, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, NULL, &l->old_mask);

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		(void)ERR(e, errno, "epoll_create1");
		goto fail;
	}
	if (signals_refresh(l, e) < 0)
		goto fail;
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->signal_fd, &ev) < 0) {
		(void)ERR(e, errno, "epoll_ctl");
		goto fail;
	}
	*ret = l;
	return 0;
fail:
	loop_destroy(l);
	return -1;
}

static void free_list(struct loop_src *s)
{
	while (s != NULL) {
		struct loop_src *next = s->next;
		if (s->kind == SRC_TIMER && s->fd >= 0)
			(void)close(s->fd);
		free(s);
		s = next;
	}
}

void loop_destroy(struct loop *l)
{
	if (l == NULL)
		return;
	assert(l->depth == 0);
	free_list(l->live);
	free_list(l->dead);
	if (l->signal_fd >= 0)
		(void)close(l->signal_fd);
	if (l->epoll_fd >= 0)
		(void)close(l->epoll_fd);
	(void)sigprocmask(SIG_SETMASK, &l->old_mask, NULL);
	free(l);
}

static struct loop_src *src_new(struct loop *l, enum src_kind kind, int fd, void *arg)
{
	struct loop_src *s = mem_alloc(sizeof(*s));
	s->loop = l;
	s->kind = kind;
	s->fd = fd;
	s->arg = arg;
	s->next = l->live;
	if (l->live != NULL)
		l->live->prev = s;
	l->live = s;
	return s;
}

void loop_remove(struct loop_src *s)
{
	if (s == NULL || s->dead)
		return;
	struct loop *l = s->loop;
	if (s->fd >= 0)
		(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
	if (s->kind == SRC_TIMER) {
		(void)close(s->fd);
		s->fd = -1;
	}
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		l->live = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	/* A batch of events that is being handled may still point here. */
	s->dead = true;
	s->prev = NULL;
	s->next = l->dead;
	l->dead = s;
}

int loop_add_fd(struct loop *l, int fd, uint32_t epoll_events, loop_fd_fn fn, void *arg,
		struct loop_src **ret, struct err *e)
{
	struct loop_src *s = src_new(l, SRC_FD, fd, arg);
	s->fn.fd = fn;
	struct epoll_event ev = { .events = epoll_events, .data.ptr = s };
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		(void)ERR(e, errno, "watch descriptor %d", fd);
		s->fd = -1;
		loop_remove(s);
		return -1;
	}
	*ret = s;
	return 0;
}

int loop_add_timer(struct loop *l, int64_t first_ns, int64_t every_ns, loop_timer_fn fn, void *arg,
		   struct loop_src **ret, struct err *e)
{
	assert(first_ns >= 0);
	assert(every_ns >= 0);
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd < 0)
		return ERR(e, errno, "timerfd_create");
	if (first_ns == 0)
		first_ns = 1; /* zero would disarm it */
	struct itimerspec when = {
		.it_value = { first_ns / NS_PER_S, first_ns % NS_PER_S },
		.it_interval = { every_ns / NS_PER_S, every_ns % NS_PER_S },
	};
	struct loop_src *s = src_new(l, SRC_TIMER, fd, arg);
	s->fn.timer = fn;
	s->every = every_ns;
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };
	if (timerfd_settime(fd, 0, &when, NULL) < 0 ||
	    epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		(void)ERR(e, errno, "arm a timer");
		loop_remove(s);
		return -1;
	}
	*ret = s;
	return 0;
}

int loop_add_child(struct loop *l, pid_t pid, loop_child_fn fn, void *arg, struct loop_src **ret,
		   struct err *e)
{
	struct loop_src *s = src_new(l, SRC_CHILD, -1, arg);
	s->fn.child = fn;
	s->pid = pid;
	*ret = s;
	/* It may have ended before it was watched: have a look at the next turn. */
	if (raise(SIGCHLD) != 0)
		return ERR(e, errno, "raise SIGCHLD");
	return 0;
}

int loop_on_signal(struct loop *l, int signo, loop_signal_fn fn, void *arg, struct err *e)
{
	assert(signo != SIGCHLD);
	assert(l->signal_count < LOOP_SIGNALS_MAX);
	(void)sigaddset(&l->mask, signo);
	if (signals_refresh(l, e) < 0)
		return -1;
	l->on_signal[l->signal_count].signo = signo;
	l->on_signal[l->signal_count].fn = fn;
	l->on_signal[l->signal_count].arg = arg;
	l->signal_count++;
	return 0;
}

static void reap_children(struct loop *l)
{
	/* Callbacks change the list: after each one start from its head again. A round that finds
	 * nothing ends it. */
	bool found = true;
	while (found) {
		found = false;
		for (struct loop_src *s = l->live; s != NULL; s = s->next) {
			int status;
			if (s->kind != SRC_CHILD)
				continue;
			pid_t got = waitpid(s->pid, &status, WNOHANG | __WALL);
			if (got == 0 || (got < 0 && errno != ECHILD))
				continue;
			bool gone = got < 0 || WIFEXITED(status) || WIFSIGNALED(status);
			if (got < 0)
				status = LOOP_STATUS_LOST;
			loop_child_fn fn = s->fn.child;
			void *arg = s->arg;
			pid_t pid = s->pid;
			if (gone)
				loop_remove(s);
			fn(arg, pid, status, gone);
			found = true;
			break;
		}
	}
}

static void handle_signals(struct loop *l)
{
	struct signalfd_siginfo info;
	bool child = false;
	while (read(l->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			child = true;
		for (size_t i = 0; i < l->signal_count; i++)
			if ((uint32_t)l->on_signal[i].signo == info.ssi_signo)
				l->on_signal[i].fn(l->on_signal[i].arg, l->on_signal[i].signo);
	}
	if (child)
		reap_children(l);
}

static void dispatch(struct loop *l, const struct epoll_event *ev)
{
	struct loop_src *s = ev->data.ptr;
	if (s == NULL) {
		handle_signals(l);
		return;
	}
	if (s->dead)
		return;
	if (s->kind == SRC_FD) {
		s->fn.fd(s->arg, ev->events);
		return;
	}
	uint64_t ticks;
	if (read(s->fd, &ticks, sizeof(ticks)) == (ssize_t)sizeof(ticks))
		s->fn.timer(s->arg);
}

static int poll_timeout_ms(int64_t deadline)
{
	if (deadline == INT64_MAX)
		return -1;
	int64_t left = deadline - clock_now();
	if (left <= 0)
		return 0;
	int64_t ms = (left + NS_PER_MS - 1) / NS_PER_MS;
	return ms > 3600 * 1000 ? 3600 * 1000 : (int)ms;
}

static int turn(struct loop *l, const bool *done, int64_t deadline, struct err *e)
{
	struct epoll_event batch[LOOP_BATCH];
	/* One event at a time when nested, so that an outer batch never holds what an inner turn
	 * has handled; a batch elsewhere. */
	int n = epoll_wait(l->epoll_fd, batch, l->depth > 1 ? 1 : LOOP_BATCH,
			   poll_timeout_ms(deadline));
	if (n < 0 && errno != EINTR)
		return ERR(e, errno, "epoll_wait");
	for (int i = 0; i < n; i++) {
		dispatch(l, &batch[i]);
		/* What is left of the batch is level-triggered and comes again. */
		if (*done || l->stopped)
			break;
	}
	return 0;
}

int loop_wait(struct loop *l, const bool *done, int64_t deadline, struct err *e)
{
	int result = 0;
	l->depth++;
	for (;;) {
		if (l->stopped) {
			result = ERR_AS(e, EXIT_INCONCLUSIVE, 0, "%s", l->why);
			e->code = ECANCELED;
			break;
		}
		if (*done) {
			result = 1;
			break;
		}
		if (deadline != INT64_MAX && clock_now() >= deadline)
			break;
		if (turn(l, done, deadline, e) < 0) {
			result = -1;
			break;
		}
	}
	l->depth--;
	if (l->depth == 0) {
		free_list(l->dead);
		l->dead = NULL;
	}
	return result;
}

void loop_stop(struct loop *l, const char *why)
{
	if (l->stopped)
		return;
	l->stopped = true;
	(void)snprintf(l->why, sizeof(l->why), "%s", why);
}

bool loop_stopped(const struct loop *l)
{
	return l->stopped;
}

int loop_ready_fd(const struct loop *l)
{
	return l->epoll_fd;
}

void loop_resume(struct loop *l)
{
	l->stopped = false;
}

void loop_child_reset(void)
{
	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL); /* KILL and STOP refuse, and that is fine */
	sigset_t none;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}
