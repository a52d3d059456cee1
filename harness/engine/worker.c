/* SPDX-License-Identifier: MIT */
#include "harness/engine/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/log.h"
#include "harness/base/loop.h"
#include "harness/model/param.h"

enum { WORKER_CHUNK = 8192, WORKER_LINE_MAX = 64 * 1024, WORKER_TICK_MS = 200 };

struct worker {
	struct loop *loop;
	pid_t pid;
	int fd;
	struct loop_src *src;
	struct buf line;
	struct worker_watch watch;
	int *interrupted;
	bool done;
	int status;
};

static void take_lines(struct worker *w)
{
	size_t begin = 0;
	const char *data = buf_str(&w->line);
	for (;;) {
		const char *nl = memchr(data + begin, '\n', w->line.len - begin);
		if (nl == NULL)
			break;
		size_t end = (size_t)(nl - data) + 1;
		if (w->watch.line != NULL)
			w->watch.line(w->watch.arg, data + begin, end - begin);
		begin = end;
	}
	struct buf rest = { 0 };
	if (w->line.len - begin < WORKER_LINE_MAX)
		buf_add(&rest, data + begin, w->line.len - begin);
	buf_free(&w->line);
	w->line = rest;
}

static void readable(void *arg, uint32_t events)
{
	struct worker *w = arg;
	(void)events;
	char chunk[WORKER_CHUNK];
	ssize_t n = read(w->fd, chunk, sizeof(chunk));
	if (n > 0) {
		buf_add(&w->line, chunk, (size_t)n);
		take_lines(w);
	} else if (n == 0) {
		loop_remove(w->src);
		w->src = NULL;
	}
}

static void ended(void *arg, pid_t pid, int status, bool gone)
{
	struct worker *w = arg;
	(void)pid;
	if (!gone)
		return;
	w->status = status;
	w->done = true;
}

static void pass_on(void *arg, int signo)
{
	struct worker *w = arg;
	if (*w->interrupted == 0)
		*w->interrupted = signo;
	(void)kill(w->pid, signo);
}

static void drill_process(const struct drill_spec *spec, struct loop *outer, pid_t parent)
{
	loop_destroy(outer);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "backout-drill");
	if (getppid() != parent)
		_exit(EXIT_HARNESS); /* it died before the line above */
	/* A group of its own: the terminal's ^C reaches the parent, which passes it on once. */
	(void)setpgid(0, 0);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0)
		(void)dup2(null, STDIN_FILENO);
	struct err e = { 0 };
	if (drill_run(spec, &e) < 0)
		_exit(log_err(&e));
	exit(EXIT_OK); /* not _exit: sanitizers report at exit */
}

static void tick(void *arg)
{
	struct worker *w = arg;
	w->watch.tick(w->watch.arg);
}

static int watch(struct worker *w, struct err *e)
{
	static const int passed[] = { SIGINT, SIGTERM, SIGHUP };
	struct loop_src *child, *timer;
	int64_t every = WORKER_TICK_MS * NS_PER_MS;
	if (w->watch.tick != NULL && loop_add_timer(w->loop, every, every, tick, w, &timer, e) < 0)
		return -1;
	if (loop_add_child(w->loop, w->pid, ended, w, &child, e) < 0 ||
	    loop_add_fd(w->loop, w->fd, EPOLLIN, readable, w, &w->src, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		if (loop_on_signal(w->loop, passed[i], pass_on, w, e) < 0)
			return -1;
	if (loop_wait(w->loop, &w->done, INT64_MAX, e) < 0)
		return -1;
	while (w->src != NULL) /* what is still in the pipe: its writer is dead */
		readable(w, 0);
	if (WIFSIGNALED(w->status))
		return ERR(e, 0, "the drill's process was killed by SIG%s",
			   param_signal_name(WTERMSIG(w->status)));
	if (WEXITSTATUS(w->status) != 0)
		return ERR(e, 0, "the drill's process ended with %d", WEXITSTATUS(w->status));
	return 0;
}

int worker_run(const struct drill_spec *spec, const struct worker_watch *to, int *interrupted,
	       struct err *e)
{
	int fds[2];
	struct worker w = { .fd = -1, .watch = *to, .interrupted = interrupted };
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return ERR(e, errno, "pipe");
	if (loop_create(&w.loop, e) < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return -1;
	}
	pid_t parent = getpid();
	w.pid = fork();
	if (w.pid == 0) {
		(void)close(fds[0]);
		struct drill_spec mine = *spec;
		mine.live_fd = fds[1];
		drill_process(&mine, w.loop, parent);
	}
	(void)close(fds[1]);
	w.fd = fds[0];
	int result = w.pid < 0 ? ERR(e, errno, "fork") : watch(&w, e);
	if (w.pid > 0 && !w.done) {
		(void)kill(w.pid, SIGKILL);
		(void)waitpid(w.pid, NULL, 0);
	}
	loop_destroy(w.loop);
	(void)close(w.fd);
	buf_free(&w.line);
	return result;
}
