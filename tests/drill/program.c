/* SPDX-License-Identifier: MIT */
#include "tests/drill/program.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/sandbox/process.h"
#include "tests/unit/runner.h"

enum { ARGS_MAX = 32, STARTED_MAX = 65536 };

static struct process started[STARTED_MAX];
static size_t started_count;

const char *program_binary(void)
{
	const char *bin = getenv("BACKOUT_BIN");
	return bin != NULL ? bin : "build/backout";
}

static struct program_life life;

void program_lives(const struct program_life *how)
{
	life = how != NULL ? *how : (struct program_life){ 0 };
}

static void join_group(void)
{
	char path[512];
	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", life.group);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(127);
}

/* Its rows in /etc are seen by this process alone. */
static void become_user(void)
{
	static const char *const files[] = { "passwd", "group", "subuid", "subgid" };
	char from[512], to[64];
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(127);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(from, sizeof(from), "%s/%s", life.etc, files[i]);
		(void)snprintf(to, sizeof(to), "/etc/%s", files[i]);
		if (access(from, F_OK) == 0 && mount(from, to, NULL, MS_BIND, NULL) < 0)
			_exit(127);
	}
	if (setgroups(0, NULL) < 0 || setresgid(PROGRAM_USER, PROGRAM_USER, PROGRAM_USER) < 0 ||
	    setresuid(PROGRAM_USER, PROGRAM_USER, PROGRAM_USER) < 0 || chdir(life.etc) < 0)
		_exit(127);
	(void)unsetenv("BACKOUT_STATE");
	(void)unsetenv("XDG_STATE_HOME");
	(void)setenv("HOME", life.etc, 1);
	if (life.path != NULL)
		(void)setenv("PATH", life.path, 1);
}

/* In the child. */
static void begin_life(void)
{
	if (life.terminal != NULL) {
		(void)setsid();
		int fd = open(life.terminal, O_RDWR);
		for (int i = 0; i < 3; i++)
			(void)dup2(fd, i);
	}
	if (life.output != NULL) {
		(void)close(STDOUT_FILENO);
		if (life.output[0] != '\0')
			(void)open(life.output, O_WRONLY);
	}
	if (life.group != NULL)
		join_group();
	if (life.etc != NULL)
		become_user();
	const struct rlimit few = { life.descriptors, life.descriptors };
	if (life.descriptors != 0)
		(void)setrlimit(RLIMIT_NOFILE, &few);
}

/* `traced`: by the caller, stopped before it begins. */
static pid_t start(const char *const *args, int out, int err, bool traced)
{
	const char *argv[ARGS_MAX + 2] = { program_binary() };
	for (size_t i = 0; args[i] != NULL && i < ARGS_MAX; i++)
		argv[i + 1] = args[i];
	pid_t pid = fork();
	if (pid == 0) {
		(void)dup2(out, STDOUT_FILENO);
		(void)dup2(err, STDERR_FILENO);
		/* The user may not be able to walk to it. */
		int self = open(argv[0], O_PATH);
		begin_life();
		if (traced && (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0))
			_exit(127);
		(void)fcntl(self, F_SETFD, FD_CLOEXEC);
		(void)execveat(self, "", (char *const *)argv, environ, AT_EMPTY_PATH);
		_exit(127);
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_uint_lt(started_count, STARTED_MAX);
	/* Not gone yet: we have not reaped it. The same process still, whatever it has exec'd. */
	ck_assert(process_read(pid, &started[started_count++]));
	return pid;
}

bool program_is_ours(const char *tag)
{
	for (size_t i = 0; i < started_count; i++) {
		char ours[64];
		int len = snprintf(ours, sizeof(ours), "%d-%llu", (int)started[i].pid,
				   (unsigned long long)started[i].start);
		if (strncmp(tag, ours, (size_t)len) == 0 && !isdigit((unsigned char)tag[len]))
			return true;
	}
	return false;
}

static pid_t start_quietly(const char *const *args, bool traced)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid = start(args, null, null, traced);
	(void)close(null);
	return pid;
}

pid_t program_start(const char *const *args)
{
	return start_quietly(args, false);
}

pid_t program_start_traced(const char *const *args)
{
	return start_quietly(args, true);
}

static void collect(struct program *p, int out, int err)
{
	struct pollfd fds[2] = { { out, POLLIN, 0 }, { err, POLLIN, 0 } };
	struct buf *const to[2] = { &p->out, &p->err };
	int open_count = 2;
	while (open_count > 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			ck_abort_msg("poll: %s", strerror(errno));
		for (int i = 0; i < 2; i++) {
			char chunk[4096];
			if (fds[i].fd < 0 || (fds[i].revents & (POLLIN | POLLHUP)) == 0)
				continue;
			ssize_t n = read(fds[i].fd, chunk, sizeof(chunk));
			if (n > 0) {
				buf_add(to[i], chunk, (size_t)n);
				continue;
			}
			fds[i].fd = -1;
			open_count--;
		}
	}
}

void program_run(struct program *p, const char *const *args)
{
	int out[2], err[2], status;
	memset(p, 0, sizeof(*p));
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
	pid_t pid = start(args, out[1], err[1], false);
	(void)close(out[1]);
	(void)close(err[1]);
	collect(p, out[0], err[0]);
	(void)close(out[0]);
	(void)close(err[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	p->exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	ck_assert_msg(p->exit != 127, "%s does not run: is it built?", program_binary());
}

void program_free(struct program *p)
{
	buf_free(&p->out);
	buf_free(&p->err);
}

struct json_doc *program_json(const struct program *p)
{
	struct json_doc *d;
	struct err e = { 0 };
	if (json_parse(&d, "stdout", buf_str(&p->out), p->out.len, &e) < 0)
		ck_abort_msg("not JSON: %s\n%s\n%s", e.why, buf_str(&p->out), buf_str(&p->err));
	return d;
}

const struct json *report_drill(const struct json_doc *report, const char *name)
{
	const struct json *list = json_get(json_root(report), "drills");
	ck_assert_ptr_nonnull(list);
	for (const struct json *d = json_first(list); d != NULL; d = json_next(d))
		if (strcmp(json_get_string(d, "name", ""), name) == 0)
			return d;
	ck_abort_msg("no drill '%s' in the report", name);
	return NULL;
}

void program_expect(const struct program *p, int exit, const char *text)
{
	ck_assert_msg(p->exit == exit && (strstr(buf_str(&p->out), text) != NULL ||
					  strstr(buf_str(&p->err), text) != NULL),
		      "exit %d instead of %d, or without \"%s\"\n%s\n%s", p->exit, exit, text,
		      buf_str(&p->out), buf_str(&p->err));
}
