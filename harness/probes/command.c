/* SPDX-License-Identifier: MIT */
#include "harness/probes/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/sandbox/process.h"

enum {
	READ_CHUNK = 8 << 10, /* bytes */
	TREE_MAX = 256,       /* processes of one command that a time-out kills */
};

static void pipe_close(struct command_pipe *p)
{
	loop_remove(p->src);
	p->src = NULL;
	guard_fd(&p->fd);
	p->fd = -1;
}

/* Reads what is there, at most about as much as a pipe holds: a writer without end must not keep
 * the loop. */
static void pipe_drain(struct command_pipe *p)
{
	char chunk[READ_CHUNK];
	for (int i = 0; i <= COMMAND_OUTPUT_MAX / READ_CHUNK && p->fd >= 0; i++) {
		ssize_t n = read(p->fd, chunk, sizeof(chunk));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			pipe_close(p);
			return;
		}
		size_t room = COMMAND_OUTPUT_MAX - p->text.len;
		p->over = p->over || (size_t)n > room;
		buf_add(&p->text, chunk, (size_t)n < room ? (size_t)n : room);
	}
}

static void on_output(void *arg, uint32_t events)
{
	(void)events;
	pipe_drain(arg);
}

static void kill_tree(struct command *c)
{
	pid_t pids[TREE_MAX];
	size_t n = process_tree(c->node, proc_pid(c->proc), pids, TREE_MAX);
	struct err unused = { 0 };
	for (size_t i = 0; i < n; i++) {
		struct process p;
		if (process_read(pids[i], &p))
			(void)process_signal(p.pid, p.start, SIGKILL, &unused);
	}
}

static void command_stop(void *arg)
{
	struct command *c = arg;
	if (c->proc != NULL && !c->ended)
		kill_tree(c);
	proc_free(c->proc);
	c->proc = NULL;
	pipe_close(&c->out);
	pipe_close(&c->err);
}

static void command_late(void *arg)
{
	struct command *c = arg;
	asking_answer(&c->asking, false, "timed out after %lld ms (running)",
		      (long long)(c->asking.timeout_ns / NS_PER_MS));
}

static void on_exit_of_command(void *arg, int status)
{
	struct command *c = arg;
	c->ended = true;
	/* A child that it left in the background may still hold the pipes: no waiting for it. */
	pipe_drain(&c->out);
	pipe_drain(&c->err);
	c->judge(c, status);
}

/* Our end does not block, the command's does. */
static int pipe_open(struct command_pipe *p, int *ret_child, struct err *e)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return ERR(e, errno, "make a pipe for a probe");
	p->fd = fds[0];
	*ret_child = fds[1];
	if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
		return ERR(e, errno, "make a pipe for a probe");
	return 0;
}

static int pipe_watch(struct command *c, struct command_pipe *p, struct err *e)
{
	if (p->fd < 0)
		return 0;
	return loop_add_fd(c->asking.loop, p->fd, EPOLLIN, on_output, p, &p->src, e);
}

void command_end(struct command *c)
{
	asking_end(&c->asking);
	buf_free(&c->out.text);
	buf_free(&c->err.text);
}

/* Pipes, watchers, program. */
static int begin(struct command *c, const char *const *argv, struct err *e)
{
	GUARD(fd) int out = -1;
	GUARD(fd) int err_fd = -1;
	if (pipe_open(&c->out, &out, e) < 0 || pipe_open(&c->err, &err_fd, e) < 0)
		return -1;
	if (pipe_watch(c, &c->out, e) < 0 || pipe_watch(c, &c->err, e) < 0)
		return -1;
	struct spawn_spec spec = { .argv = argv, .out_fd = out, .err_fd = err_fd, .apart = true };
	struct err why = { 0 };
	struct proc *proc = NULL;
	if (node_spawn(c->node, &spec, on_exit_of_command, c, &proc, &why) < 0) {
		if (loop_stopped(c->asking.loop)) {
			*e = why;
			return -1;
		}
		asking_answer(&c->asking, false, "cannot start: %.200s", why.why);
		return 0;
	}
	c->proc = proc;
	if (c->asking.answered)
		command_stop(c); /* ended, or timed out, while its start was being confirmed */
	return 0;
}

void command_init(struct command *c, const struct probe_env *env, void *call,
		  void (*judge)(void *call, int status))
{
	*c = (struct command){ .asking = { .loop = env->loop,
					   .stop = command_stop,
					   .late = command_late,
					   .call = call },
			       .node = env->node,
			       .judge = judge };
	c->out.fd = c->err.fd = -1;
}

int command_start(struct command *c, const char *const *argv, struct err *e)
{
	return asking_begin(&c->asking, e) < 0 || begin(c, argv, e) < 0 ||
			       asking_started(&c->asking, e) < 0
		       ? -1
		       : 0;
}

const char *command_first_line(const struct command *c, char ret[COMMAND_LINE_MAX])
{
	(void)asking_first_line(buf_str(&c->out.text), ret, COMMAND_LINE_MAX);
	if (ret[0] == '\0')
		(void)asking_first_line(buf_str(&c->err.text), ret, COMMAND_LINE_MAX);
	return ret;
}
