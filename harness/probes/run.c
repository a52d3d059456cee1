/* SPDX-License-Identifier: MIT */
/*
 * Probe run: a shell command in a node, judged by its exit code and its output.
 *
 * Starting takes as long as the node needs to confirm the exec (a few ms), and node_spawn()
 * runs the loop meanwhile; the command may even have ended by then. The timeout counts from
 * before that; but a program start held at a strike is held for this command, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/probes/answer.h"
#include "harness/sandbox/process.h"

enum {
	OUTPUT_MAX = 64 << 10, /* bytes of output that are kept; the rest is read and dropped */
	READ_CHUNK = 8 << 10,  /* bytes */
	LINE_MAX_SHOWN = 120,  /* bytes of a first line in a detail */
	TREE_MAX = 256,        /* processes of one command that a time-out kills */
};

struct run_params {
	const char *run;
	uint64_t exit;
	const char *stdout_text; /* NULL: any */
};

static const struct param run_params[] = {
	{ .name = "run",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct run_params, run),
	  .required = true,
	  .help = "shell command, run by sh -ec" },
	{ 0 },
};

static const struct param run_expect[] = {
	{ .name = "exit",
	  .type = PARAM_UINT,
	  .offset = offsetof(struct run_params, exit),
	  .def = "0",
	  .max = 255,
	  .help = "its exit code" },
	{ .name = "stdout",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct run_params, stdout_text),
	  .help = "all that it prints, without the last line end; \"\" means nothing at all" },
	{ 0 },
};

struct pipe_end {
	int fd; /* ours, for reading; -1: none */
	struct loop_src *src;
	struct buf text;
	bool over; /* printed more than OUTPUT_MAX */
};

struct probe_call {
	struct asking asking;
	struct node *node;
	struct proc *proc;
	struct pipe_end out, err;
	uint64_t want_exit;
	char *want_stdout; /* NULL: any */
	bool ended;
};

static void pipe_close(struct pipe_end *p)
{
	loop_remove(p->src);
	p->src = NULL;
	guard_fd(&p->fd);
	p->fd = -1;
}

/* Reads what is there, at most about as much as a pipe holds: a writer without end must not keep
 * the loop. */
static void pipe_drain(struct pipe_end *p)
{
	char chunk[READ_CHUNK];
	for (int i = 0; i <= OUTPUT_MAX / READ_CHUNK && p->fd >= 0; i++) {
		ssize_t n = read(p->fd, chunk, sizeof(chunk));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			pipe_close(p);
			return;
		}
		size_t room = OUTPUT_MAX - p->text.len;
		p->over = p->over || (size_t)n > room;
		buf_add(&p->text, chunk, (size_t)n < room ? (size_t)n : room);
	}
}

static void on_output(void *arg, uint32_t events)
{
	(void)events;
	pipe_drain(arg);
}

static void kill_tree(struct probe_call *c)
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

static void run_stop(void *arg)
{
	struct probe_call *c = arg;
	if (c->proc != NULL && !c->ended)
		kill_tree(c);
	proc_free(c->proc);
	c->proc = NULL;
	pipe_close(&c->out);
	pipe_close(&c->err);
}

static void run_late(void *arg)
{
	struct probe_call *c = arg;
	asking_answer(&c->asking, false, "timed out after %lld ms (running)",
		      (long long)(c->asking.timeout_ns / NS_PER_MS));
}

static bool same_output(struct pipe_end *out, const char *want)
{
	const char *text = buf_str(&out->text);
	size_t len = out->text.len, want_len = strlen(want);
	if (len > 0 && text[len - 1] == '\n')
		len--;
	return len == want_len && memcmp(text, want, len) == 0;
}

static void judge(struct probe_call *c, int status)
{
	char line[LINE_MAX_SHOWN];
	(void)asking_first_line(buf_str(&c->out.text), line, sizeof(line));
	if (line[0] == '\0')
		(void)asking_first_line(buf_str(&c->err.text), line, sizeof(line));
	const char *sep = line[0] != '\0' ? ": " : "";
	if (WIFSIGNALED(status))
		asking_answer(&c->asking, false, "killed by SIG%s%s%s",
			      param_signal_name(WTERMSIG(status)), sep, line);
	else if ((uint64_t)WEXITSTATUS(status) != c->want_exit)
		asking_answer(&c->asking, false, "exit %d, want %llu%s%s", WEXITSTATUS(status),
			      (unsigned long long)c->want_exit, sep, line);
	else if (c->want_stdout != NULL && c->out.over)
		asking_answer(&c->asking, false, "exit %d, but it printed more than 64 KiB%s%s",
			      WEXITSTATUS(status), sep, line);
	else if (c->want_stdout != NULL && !same_output(&c->out, c->want_stdout))
		asking_answer(&c->asking, false, "exit %d, but stdout is not \"%.60s\"%s%s",
			      WEXITSTATUS(status), c->want_stdout, sep, line);
	else
		asking_answer(&c->asking, true, "exit %d%s%s", WEXITSTATUS(status), sep, line);
}

static void on_exit_of_command(void *arg, int status)
{
	struct probe_call *c = arg;
	c->ended = true;
	/* A child that it left in the background may still hold the pipes: no waiting for it. */
	pipe_drain(&c->out);
	pipe_drain(&c->err);
	judge(c, status);
}

/* Our end does not block, the command's does. */
static int pipe_open(struct pipe_end *p, int *ret_child, struct err *e)
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

static int pipe_watch(struct probe_call *c, struct pipe_end *p, struct err *e)
{
	if (p->fd < 0)
		return 0;
	return loop_add_fd(c->asking.loop, p->fd, EPOLLIN, on_output, p, &p->src, e);
}

static void run_end(struct probe_call *c)
{
	if (c == NULL)
		return;
	asking_end(&c->asking);
	buf_free(&c->out.text);
	buf_free(&c->err.text);
	free(c->want_stdout);
	free(c);
}

/* Pipes, watchers, command. A command that cannot start is an answer, not an error. */
static int run_begin(struct probe_call *c, const char *command, struct err *e)
{
	GUARD(fd) int out = -1;
	GUARD(fd) int err_fd = -1;
	if (pipe_open(&c->out, &out, e) < 0 || pipe_open(&c->err, &err_fd, e) < 0)
		return -1;
	if (pipe_watch(c, &c->out, e) < 0 || pipe_watch(c, &c->err, e) < 0)
		return -1;
	const char *argv[] = { "sh", "-ec", command, NULL };
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
		run_stop(c); /* ended, or timed out, while its start was being confirmed */
	return 0;
}

static int run_start(struct probe_call **ret, const struct probe_env *env, const void *params,
		     int64_t timeout_ns, probe_done_fn done, void *arg, struct err *e)
{
	const struct run_params *p = params;
	struct probe_call *c = mem_alloc(sizeof(*c));
	c->asking = (struct asking){ .loop = env->loop,
				     .timeout_ns = timeout_ns,
				     .done = done,
				     .arg = arg,
				     .stop = run_stop,
				     .late = run_late,
				     .call = c };
	c->node = env->node;
	c->out.fd = c->err.fd = -1;
	c->want_exit = p->exit;
	c->want_stdout = p->stdout_text != NULL ? mem_strdup(p->stdout_text) : NULL;
	if (asking_begin(&c->asking, e) < 0 || run_begin(c, p->run, e) < 0 ||
	    asking_started(&c->asking, e) < 0) {
		run_end(c);
		return -1;
	}
	*ret = c;
	return 0;
}

const struct probe_kind probe_run = {
	.kind = { .name = "run",
		  .help = "a shell command in a node ends as expected",
		  .params = run_params,
		  .shorthand = "run",
		  .size = sizeof(struct run_params),
		  .expect = run_expect,
		  .exact = true },
	.start = run_start,
	.end = run_end,
};
