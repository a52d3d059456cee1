/* SPDX-License-Identifier: MIT */
/* A program in a node, run to its end with its output collected. */
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/node_private.h"
#include "harness/sandbox/process.h"

enum {
	KILLED_TREE_MAX = 1024, /* descendants killed at a time-out */
	READ_CHUNK = 16 * 1024,
};

struct run {
	int fd;
	struct buf *out;
	size_t max;
	struct loop_src *src;
	bool done;
	int status;
};

static bool drain(struct run *r)
{
	char chunk[READ_CHUNK];
	ssize_t n = read(r->fd, chunk, sizeof(chunk));
	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return n < 0 && errno != EAGAIN ? false : n > 0;
	size_t room = r->max - r->out->len; /* what is beyond is read and dropped */
	buf_add(r->out, chunk, (size_t)n < room ? (size_t)n : room);
	return true;
}

static void on_output(void *arg, uint32_t events)
{
	struct run *r = arg;
	if (drain(r) || (events & EPOLLHUP) == 0)
		return;
	loop_remove(r->src);
	r->src = NULL;
}

static void on_exit_status(void *arg, int status)
{
	struct run *r = arg;
	r->status = status;
	r->done = true;
}

static void kill_tree(struct node *n, const struct proc *p)
{
	pid_t *pids = mem_array(KILLED_TREE_MAX, sizeof(*pids));
	size_t count = process_tree(n, p->pid, pids, KILLED_TREE_MAX);
	struct err ignored = { 0 };
	(void)proc_signal(p, SIGKILL, &ignored);
	for (size_t i = 0; i < count; i++) {
		struct process info;
		if (pids[i] != p->pid && process_read(pids[i], &info))
			(void)process_signal(info.pid, info.start, SIGKILL, &ignored);
	}
	free(pids);
}

static int run_to_end(struct node *n, const struct spawn_spec *spec, int64_t timeout_ns,
		      struct run *r, struct err *e)
{
	struct proc *p;
	int64_t deadline = clock_now() + timeout_ns;
	if (node_spawn(n, spec, on_exit_status, r, &p, e) < 0)
		return -1;
	int got = loop_wait(n->loop, &r->done, deadline, e);
	if (got <= 0)
		kill_tree(n, p);
	proc_free(p);
	if (got == 0)
		return ERR(e, ETIMEDOUT, "node '%s': %s did not end within %lld ms", node_name(n),
			   spec->argv[0], (long long)(timeout_ns / NS_PER_MS));
	return got;
}

int node_run(struct node *n, const struct spawn_spec *spec, int64_t timeout_ns, struct buf *out,
	     size_t max, struct err *e)
{
	struct run r = { .out = out, .fd = -1 };
	struct spawn_spec own = *spec;
	own.apart = true;
	if (out == NULL)
		return run_to_end(n, &own, timeout_ns, &r, e) < 0 ? -1 : r.status;
	int pair[2];
	if (pipe2(pair, O_CLOEXEC) < 0)
		return ERR(e, errno, "pipe");
	GUARD(fd) int ours = pair[0];
	GUARD(fd) int theirs = pair[1];
	if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
		return ERR(e, errno, "pipe");
	r.fd = ours;
	r.max = out->len + max;
	if (loop_add_fd(n->loop, ours, EPOLLIN, on_output, &r, &r.src, e) < 0)
		return -1;
	own.out_fd = theirs;
	own.err_fd = -1;
	int got = run_to_end(n, &own, timeout_ns, &r, e);
	loop_remove(r.src);
	while (drain(&r))
		;
	return got < 0 ? -1 : r.status;
}
