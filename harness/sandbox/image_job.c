/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/image_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/loop.h"

enum { JOB_EXEC_FAILED = 127 };

/* Shared with the child: its verdict needs no parsing, and a child that died leaves done false. */
struct job_shared {
	bool done;
	int ret;
	struct err e;
};

struct line_reader {
	const struct image_progress *p;
	struct buf *tail;
	struct buf line;
};

static void line_end(struct line_reader *r)
{
	if (r->line.len == 0)
		return;
	if (r->p != NULL && r->p->fn != NULL)
		r->p->fn(r->p->arg, buf_str(&r->line));
	buf_add(r->tail, r->line.data, r->line.len);
	buf_putc(r->tail, '\n');
	if (r->tail->len > JOB_TAIL_MAX) {
		size_t cut = r->tail->len - JOB_TAIL_MAX;
		memmove(r->tail->data, r->tail->data + cut, JOB_TAIL_MAX + 1);
		r->tail->len = JOB_TAIL_MAX;
	}
	buf_clear(&r->line);
}

static void line_add(struct line_reader *r, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		/* Progress bars overwrite their line: each version of it is a line here. */
		if (data[i] == '\n' || data[i] == '\r')
			line_end(r);
		else if (r->line.len < JOB_LINE_MAX && data[i] != '\0')
			buf_putc(&r->line, data[i]);
	}
}

static int read_lines(int fd, struct line_reader *r, struct err *e)
{
	char chunk[4096];
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR(e, errno, "read a build job's output");
		if (n == 0)
			break;
		line_add(r, chunk, (size_t)n);
	}
	line_end(r);
	return 0;
}

static _Noreturn void job_child(const struct job *j, const int out[2], struct job_shared *shared)
{
	loop_child_reset();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)close(out[0]);
	/* A parent that died before prctl() sends no signal any more, but it reads no pipe either.
	 */
	struct pollfd orphan = { .fd = out[1] };
	if (poll(&orphan, 1, 0) > 0 && (orphan.revents & POLLERR) != 0)
		_exit(EXIT_HARNESS);
	GUARD(fd) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (dup2(j->stdin_fd >= 0 ? j->stdin_fd : null, STDIN_FILENO) < 0 ||
	    dup2(out[1], STDOUT_FILENO) < 0 || dup2(out[1], STDERR_FILENO) < 0)
		_exit(EXIT_HARNESS);
	shared->ret = j->fn(j->arg, &shared->e);
	shared->done = true;
	_exit(EXIT_OK);
}

static int wait_for(pid_t pid, int *status, struct err *e)
{
	while (waitpid(pid, status, __WALL) < 0)
		if (errno != EINTR)
			return ERR(e, errno, "wait for a build job");
	return 0;
}

int job_run(const struct job *j, const struct image_progress *p, struct buf *tail, struct err *e)
{
	int out[2];
	if (pipe2(out, O_CLOEXEC) < 0)
		return ERR(e, errno, "make a pipe");
	GUARD(fd) int from_job = out[0];
	GUARD(fd) int to_us = out[1];
	struct job_shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return ERR(e, errno, "share a page with a build job");
	long pid = syscall(SYS_clone, SIGCHLD | j->clone_flags, 0, 0, 0, 0);
	if (pid == 0)
		job_child(j, out, shared);
	int ret = -1, status = 0;
	if (pid < 0) {
		ret = ERR(e, errno, "start a build job");
		goto out;
	}
	(void)close(take_fd(&to_us));
	struct line_reader r = { .p = p, .tail = tail };
	int read_ret = read_lines(from_job, &r, e);
	buf_free(&r.line);
	if (wait_for((pid_t)pid, &status, e) < 0 || read_ret < 0)
		goto out;
	if (!shared->done) {
		ret = ERR_AS(e, EXIT_UNAVAILABLE, 0, "a build job was killed (signal %d)",
			     WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	} else if (shared->ret < 0) {
		if (!err_is_set(e))
			*e = shared->e;
	} else {
		ret = 0;
	}
out:
	(void)munmap(shared, sizeof(*shared));
	return ret;
}

/* What a person knows it by: behind `env NAME=VALUE...`. */
static const char *tool_name(const char *const *argv)
{
	if (strcmp(argv[0], "env") != 0)
		return argv[0];
	for (argv++; *argv != NULL && strchr(*argv, '=') != NULL; argv++)
		;
	return *argv != NULL ? *argv : "env";
}

/* As PID 1 of its own namespace: with it ends all that the program started. */
static int tool_init(void *arg, struct err *e)
{
	const char *const *argv = arg;
	if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return ERR(e, errno, "set up a mount namespace for %s", argv[0]);
	pid_t pid = fork();
	if (pid < 0)
		return ERR(e, errno, "start %s", argv[0]);
	if (pid == 0) {
		(void)execvp(argv[0], (char *const *)argv);
		int cause = errno;
		(void)dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(cause));
		_exit(JOB_EXEC_FAILED);
	}
	int status = 0;
	for (;;) {
		pid_t got = waitpid(-1, &status, 0);
		if (got == pid)
			break;
		if (got < 0 && errno != EINTR)
			return ERR(e, errno, "wait for %s", argv[0]);
	}
	if (WIFSIGNALED(status))
		return ERR_AS(e, EXIT_UNAVAILABLE, 0, "%s was killed by signal %d", tool_name(argv),
			      WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0, "%s failed (exit %d)", tool_name(argv),
			      WEXITSTATUS(status));
	return 0;
}

int job_tool(const char *const *argv, const char *input, const struct image_progress *p,
	     struct err *e)
{
	GUARD(fd) int in = -1;
	if (input != NULL) {
		in = memfd_create("input", MFD_CLOEXEC);
		if (in < 0)
			return ERR(e, errno, "make the input of %s", argv[0]);
		if (io_write_all(in, input, strlen(input), e) < 0)
			return -1;
		if (lseek(in, 0, SEEK_SET) < 0)
			return ERR(e, errno, "rewind the input of %s", argv[0]);
	}
	GUARD_BUF struct buf tail = { 0 };
	const struct job j = {
		.fn = tool_init,
		.arg = (void *)argv,
		.clone_flags = CLONE_NEWPID | CLONE_NEWNS,
		.stdin_fd = in,
	};
	struct err own = { 0 };
	if (job_run(&j, p, &tail, &own) == 0)
		return 0;
	while (tail.len > 0 && tail.data[tail.len - 1] == '\n')
		tail.data[--tail.len] = '\0';
	return ERR_AS(e, own.exit, 0, "%s%s%s", own.why, tail.len > 0 ? ": " : "", buf_str(&tail));
}
