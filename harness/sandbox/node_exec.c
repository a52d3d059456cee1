/* SPDX-License-Identifier: MIT */
/* From a fork of a node's init to a program: session, descriptors, user, folder, environment,
 * exec. Reads the node's own passwd and group files: the C library's lookups would load modules
 * from the node into a copy of the harness. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/node_private.h"
#include "harness/sandbox/userns.h"

enum {
	GROUPS_MAX = 256,
	EXIT_NOT_STARTED = 127, /* as a shell says it */
};

struct words {
	const char *cwd, *user;
	char **argv, **env;
};

struct who {
	uid_t uid;
	gid_t gid;
	char name[64], home[256];
};

_Noreturn static void fail(int pipe_fd, enum spawn_stage stage, int code)
{
	struct spawn_failure f = { stage, code };
	/* A socket, and so not write(2), which the filter may hold. */
	(void)!send(pipe_fd, &f, sizeof(f), MSG_NOSIGNAL);
	_exit(EXIT_NOT_STARTED);
}

/* The kernel adds our credentials, translated for the one who reads them. */
static int tell(int sock, const struct msg *m, int fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msg copy = *m;
	struct iovec iov = { &copy, sizeof(copy) };
	struct msghdr h = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	ssize_t n;
	do
		n = sendmsg(sock, &h, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

/* Our pidfd, and our pid as the harness sees it; right even when we are gone by then. */
static int say_started(const struct msg_spawn *m, int sock)
{
	GUARD(fd) int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	const struct msg started = { .kind = MSG_STARTED, .id = m->id };
	return pidfd < 0 ? -1 : tell(sock, &started, pidfd);
}

/* While we still have root's privileges. From here to the exec nothing may change a file. */
static int put_filter_on(const struct msg_spawn *m, int program_fd, int sock)
{
	bool killable;
	GUARD(fd) int listener = filter_install(program_fd, &killable);
	const struct msg filtered = { .kind = MSG_FILTERED, .id = m->id, .value = killable };
	return listener < 0 ? -1 : tell(sock, &filtered, listener);
}

/* v1 has no clone into a group. */
static int join_group(const struct msg_spawn *m, int dir)
{
	struct err ignored = { 0 };
	if (!m->has_fd[SPAWN_GROUP] || m->group_v2)
		return 0;
	return io_write_knob(dir, "cgroup.procs", "0", &ignored);
}

static const char *next_word(const char **p, const char *end)
{
	const char *word = *p;
	const char *nul = word < end ? memchr(word, '\0', (size_t)(end - word)) : NULL;
	if (nul == NULL)
		return NULL;
	*p = nul + 1;
	return word;
}

static int unpack(const struct msg_spawn *m, size_t len, struct words *w)
{
	const char *p = m->text, *stop = m->text + len;
	w->cwd = next_word(&p, stop);
	w->user = next_word(&p, stop);
	if (w->user == NULL || m->argc == 0 || m->argc + m->envc > SPAWN_WORDS_MAX)
		return -1;
	w->argv = mem_array(m->argc + 1, sizeof(char *));
	w->env = mem_array(m->envc + 1, sizeof(char *));
	for (size_t i = 0; i < (size_t)m->argc + m->envc; i++) {
		const char *word = next_word(&p, stop);
		if (word == NULL)
			return -1;
		char **slot = i < m->argc ? &w->argv[i] : &w->env[i - m->argc];
		*slot = mem_strdup(word);
	}
	return 0;
}

static int descriptors(const struct msg_spawn *m, const int fds[SPAWN_FDS])
{
	/* 0 to 2 are the node's /dev/null in init, and so in us; all others close at the exec. */
	if (m->has_fd[0] && dup2(fds[0], STDOUT_FILENO) < 0)
		return -1;
	if (m->has_fd[1] && dup2(fds[1], STDERR_FILENO) < 0)
		return -1;
	if (!m->has_fd[1] && dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
		return -1;
	if (m->terminal &&
	    (dup2(fds[0], STDIN_FILENO) < 0 || ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0))
		return -1;
	return 0;
}

static void take_passwd(const struct passwd *pw, struct who *ret)
{
	ret->uid = pw->pw_uid;
	ret->gid = pw->pw_gid;
	(void)snprintf(ret->name, sizeof(ret->name), "%s", pw->pw_name);
	(void)snprintf(ret->home, sizeof(ret->home), "%s", pw->pw_dir);
}

/* A number needs no entry: its group is then the same number, its home the root folder. */
static int look_up(const char *user, struct who *ret)
{
	char *end;
	unsigned long number = strtoul(user, &end, 10);
	bool numeric = *user != '\0' && *end == '\0' && number < (uid_t)-1;
	FILE *f = fopen("/etc/passwd", "re");
	if (f != NULL) {
		for (struct passwd *pw; (pw = fgetpwent(f)) != NULL;) {
			if (strcmp(pw->pw_name, user) != 0 && !(numeric && pw->pw_uid == number))
				continue;
			take_passwd(pw, ret);
			(void)fclose(f);
			return 0;
		}
		(void)fclose(f);
	}
	if (!numeric && strcmp(user, "root") != 0)
		return -1;
	ret->uid = numeric ? (uid_t)number : 0;
	ret->gid = numeric ? (gid_t)number : 0;
	(void)snprintf(ret->home, sizeof(ret->home), "%s", ret->uid == 0 ? "/root" : "/");
	return 0;
}

static size_t groups_of(const struct who *w, gid_t ret[GROUPS_MAX])
{
	size_t n = 0;
	ret[n++] = w->gid;
	FILE *f = w->name[0] != '\0' ? fopen("/etc/group", "re") : NULL;
	if (f == NULL)
		return n;
	for (struct group *g; n < GROUPS_MAX && (g = fgetgrent(f)) != NULL;)
		for (char **member = g->gr_mem; *member != NULL; member++)
			if (g->gr_gid != w->gid && strcmp(*member, w->name) == 0) {
				ret[n++] = g->gr_gid;
				break;
			}
	(void)fclose(f);
	return n;
}

static int become(const char *user, struct who *w)
{
	if (look_up(user[0] != '\0' ? user : "root", w) < 0) {
		errno = ENOENT;
		return -1;
	}
	gid_t groups[GROUPS_MAX];
	size_t n = groups_of(w, groups);
	/* Root of a user namespace with one id has the group it has. */
	bool fixed = w->uid == 0 && userns_kind() == USERNS_ONE;
	return (!fixed && setgroups(n, groups) < 0) || setresgid(w->gid, w->gid, w->gid) < 0 ||
			       setresuid(w->uid, w->uid, w->uid) < 0
		       ? -1
		       : 0;
}

static void environment(const struct who *w, char *const *extra)
{
	static const char path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	(void)clearenv();
	(void)setenv("PATH", path, 1);
	(void)setenv("HOME", w->home, 1);
	(void)setenv("TERM", "dumb", 1);
	(void)setenv("LANG", "C.UTF-8", 1);
	for (; *extra != NULL; extra++)
		if (strchr(*extra, '=') != NULL)
			(void)putenv(*extra); /* the same name again replaces */
}

void node_exec_child(const struct msg_spawn *m, size_t len, const int fds[SPAWN_FDS], int sock)
{
	struct words w;
	struct who who = { 0 };
	int pipe_fd = fds[SPAWN_FDS - 1];
	/* Init, whose fork we are, has default dispositions already. */
	sigset_t none;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setsid();
	if (join_group(m, fds[SPAWN_GROUP]) < 0 || say_started(m, sock) < 0 ||
	    unpack(m, len, &w) < 0 || descriptors(m, fds) < 0)
		fail(pipe_fd, STAGE_IO, errno);
	(void)umask(022);
	if (m->has_fd[SPAWN_FILTER] && put_filter_on(m, fds[SPAWN_FILTER], sock) < 0)
		fail(pipe_fd, STAGE_FILTER, errno);
	if (become(w.user, &who) < 0)
		fail(pipe_fd, STAGE_USER, errno);
	if (chdir(w.cwd[0] != '\0' ? w.cwd : "/") < 0)
		fail(pipe_fd, STAGE_CWD, errno);
	environment(&who, w.env);
	(void)execvp(w.argv[0], w.argv);
	fail(pipe_fd, STAGE_EXEC, errno);
}
