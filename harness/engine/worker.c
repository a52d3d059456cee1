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
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/model/param.h"
#include "harness/sandbox/netns.h"

enum { WORKER_CHUNK = 8192, WORKER_LINE_MAX = 64 * 1024 };

struct worker {
	struct loop *loop;
	pid_t pid; /* 0: reaped */
	int fd;
	struct loop_src *src, *child;
	struct buf line;
	struct worker_hooks hooks;
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
		if (w->hooks.line != NULL)
			w->hooks.line(w->hooks.arg, data + begin, end - begin);
		begin = end;
	}
	struct buf rest = { 0 };
	if (w->line.len - begin < WORKER_LINE_MAX)
		buf_add(&rest, data + begin, w->line.len - begin);
	buf_free(&w->line);
	w->line = rest;
}

/* False: there is no more now, or never will be. */
static bool take_chunk(struct worker *w)
{
	char chunk[WORKER_CHUNK];
	ssize_t n = read(w->fd, chunk, sizeof(chunk));
	if (n > 0) {
		buf_add(&w->line, chunk, (size_t)n);
		take_lines(w);
		return true;
	}
	if (n == 0 || errno != EAGAIN) {
		loop_remove(w->src);
		w->src = NULL;
	}
	return false;
}

static void readable(void *arg, uint32_t events)
{
	(void)events;
	(void)take_chunk(arg);
}

static void ended(void *arg, pid_t pid, int status, bool gone)
{
	struct worker *w = arg;
	struct err died = { 0 };
	(void)pid;
	if (!gone)
		return;
	w->pid = 0;
	w->child = NULL;      /* the loop has removed it */
	while (take_chunk(w)) /* what is still in the pipe */
		;
	if (WIFSIGNALED(status))
		(void)ERR(&died, 0, "the drill's process was killed by SIG%s",
			  param_signal_name(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		(void)ERR(&died, 0, "the drill's process ended with %d", WEXITSTATUS(status));
	if (w->hooks.ended != NULL)
		w->hooks.ended(w->hooks.arg, &died);
}

_Noreturn static void drill_process(const struct drill_spec *spec, struct loop *outer, pid_t parent)
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
	if (netns_leave(&e) < 0 || drill_run(spec, &e) < 0)
		_exit(log_err(&e));
	exit(EXIT_OK); /* not _exit: sanitizers report at exit */
}

int worker_start(struct worker **ret, struct loop *loop, const struct drill_spec *spec,
		 const struct worker_hooks *hooks, struct err *e)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return ERR(e, errno, "pipe");
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		struct drill_spec mine = *spec;
		mine.live_fd = fds[1];
		drill_process(&mine, loop, parent);
	}
	(void)close(fds[1]);
	if (pid < 0) {
		(void)close(fds[0]);
		return ERR(e, errno, "fork");
	}
	struct worker *w = mem_alloc(sizeof(*w));
	w->loop = loop;
	w->pid = pid;
	w->fd = fds[0];
	w->hooks = *hooks;
	if (loop_add_child(loop, pid, ended, w, &w->child, e) < 0 ||
	    loop_add_fd(loop, w->fd, EPOLLIN, readable, w, &w->src, e) < 0) {
		worker_free(w);
		return -1;
	}
	*ret = w;
	return 0;
}

void worker_signal(const struct worker *w, int signo)
{
	if (w->pid > 0)
		(void)kill(w->pid, signo);
}

void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	loop_remove(w->child);
	loop_remove(w->src);
	if (w->pid > 0) {
		(void)kill(w->pid, SIGKILL);
		(void)waitpid(w->pid, NULL, 0);
	}
	(void)close(w->fd);
	buf_free(&w->line);
	free(w);
}
