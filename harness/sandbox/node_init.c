/* SPDX-License-Identifier: MIT */
/*
 * PID 1 of a node: a fork of the harness that execs nothing. It builds the node, reaps whatever
 * is orphaned, starts programs on request, and ends when the harness ends; then the kernel kills
 * the rest of its PID namespace. It never returns into the harness's code. Where systemd is to be
 * PID 1, a fork of it does all that but the building: node_systemd.c.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/confine.h"
#include "harness/sandbox/node_private.h"
#include "harness/sandbox/ownfile.h"

enum {
	SOCK_FD = 3,
	HARNESS_FD = 4,
	FIRST_FREE_FD = 5,
	SCRATCH_FD = 64, /* above the fixed ones */
};

/* Programs that the harness asked for and that have not ended: pid inside -> id. */
struct started {
	pid_t pid;
	uint32_t id;
};
struct init {
	int signals;
	struct started *started;
	size_t count;
	struct msg_spawn *request; /* SPAWN_TEXT_MAX behind it */
	int word;                  /* what PID 1 waits for to become systemd; -1: it is us */
};

_Noreturn static void end(int code)
{
	_exit(code);
}

/* Everything inherited goes but our socket and the harness's pidfd, which move to fixed places. */
static int keep_only(const struct init_task *task, struct err *e)
{
	int sock = fcntl(task->sock, F_DUPFD_CLOEXEC, SCRATCH_FD);
	int harness = fcntl(task->harness_pidfd, F_DUPFD_CLOEXEC, SCRATCH_FD);
	if (sock < 0 || harness < 0)
		return ERR(e, errno == EINVAL ? EMFILE : errno,
			   "move descriptors"); /* above the limit */
	if (dup3(sock, SOCK_FD, O_CLOEXEC) < 0 || dup3(harness, HARNESS_FD, O_CLOEXEC) < 0)
		return ERR(e, errno, "move descriptors");
	if (close_range(FIRST_FREE_FD, ~0U, 0) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "close_range (Linux 5.9)");
	return 0;
}

static bool harness_lives(void)
{
	struct pollfd p = { .fd = HARNESS_FD, .events = POLLIN };
	return poll(&p, 1, 0) == 0;
}

static int loopback_up(struct err *e)
{
	GUARD(fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_name = "lo" };
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return ERR(e, errno, "look at the node's lo");
	r.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &r) < 0)
		return ERR(e, errno, "set the node's lo up");
	return 0;
}

static int null_stdio(struct err *e)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return ERR(e, errno, "open /dev/null in the node");
	for (int i = 0; i <= STDERR_FILENO; i++)
		if (fd != i && dup2(fd, i) < 0)
			return ERR(e, errno, "move descriptors");
	if (fd > STDERR_FILENO)
		(void)close(fd);
	return 0;
}

/* The harness puts us into our control groups while we mount. Only then may the cgroup namespace
 * be made, by unshare: its root is the group that one is in at that moment; had clone3 made it,
 * the node would see the harness's groups as its own and could move into them. */
static int own_cgroups(struct msg_ready *ready, struct err *e)
{
	struct msg m;
	ssize_t n;
	do
		n = recv(SOCK_FD, &m, sizeof(m), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(m) || m.kind != MSG_GO)
		return ERR(e, 0, "the harness went away");
	if (unshare(CLONE_NEWCGROUP) == 0)
		return 0;
	if (errno != EINVAL)
		return ERR(e, errno, "unshare the cgroup namespace");
	(void)snprintf(ready->notice, sizeof(ready->notice),
		       "no cgroup namespace (the kernel lacks CONFIG_CGROUPS)");
	return 0;
}

/* Five digits from the first on: in names they are then told from versions and counters. Of use to
 * keys of points alone, which say what they could not tell apart. */
static void large_pids(void)
{
	struct err ignored = { 0 };
	char text[16];
	(void)snprintf(text, sizeof(text), "%d", NODE_PIDS_FROM - 1);
	(void)io_write_knob(AT_FDCWD, "/proc/sys/kernel/ns_last_pid", text, &ignored);
}

static int build(const struct init_task *task, int *ret_word, struct msg_ready *ready,
		 struct err *e)
{
	/* Asked for before the look at the harness: it cannot die unnoticed in between. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return ERR(e, errno, "ask for the parent-death signal");
	if (!harness_lives())
		end(1);
	/* By it one could enter the harness's namespaces; the socket's end says as much. */
	(void)close(HARNESS_FD);
	(void)prctl(PR_SET_NAME, "backout-init");
	(void)setsid(); /* the terminal's ^C is the harness's alone */
	(void)umask(022);
	if (confine_limits(e) < 0 || node_mounts(task, ready, e) < 0)
		return -1;
	if (sethostname(task->spec->name, strlen(task->spec->name)) < 0)
		return ERR(e, errno, "set the host name '%s'", task->spec->name);
	large_pids();
	if (loopback_up(e) < 0 || null_stdio(e) < 0)
		return -1;
	if (confine_mounts(e) < 0 || own_cgroups(ready, e) < 0)
		return -1;
	if (task->spec->systemd && node_systemd_prepare(task, e) < 0)
		return -1;
	if (node_count_mounts("self", &ready->mounts, e) < 0 || ownfile_drop(e) < 0)
		return -1;
	if (task->spec->systemd && node_systemd_fork(task, ret_word, e) < 0)
		return -1;
	return confine_process(task->refused, task->spec->no_new_privs, e);
}

static void tell(enum msg_kind kind, uint32_t id, int value)
{
	struct msg m = { .kind = kind, .id = id, .value = value };
	ssize_t n;
	do
		n = send(SOCK_FD, &m, sizeof(m), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		end(1); /* nobody to talk to */
}

static void close_fds(const int fds[SPAWN_FDS])
{
	for (size_t i = 0; i < SPAWN_FDS; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

/* A child like fork's; where the kernel can, it begins in its control group. */
static pid_t fork_into(const struct msg_spawn *m, int group)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)group,
	};
	if (!m->has_fd[SPAWN_GROUP] || !m->group_v2)
		return _Fork(); /* without the handlers of libraries that are gone */
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static void spawn(struct init *in, size_t len, const int fds[SPAWN_FDS])
{
	const struct msg_spawn *m = in->request;
	pid_t pid = fork_into(m, fds[SPAWN_GROUP]);
	if (pid == 0)
		node_exec_child(m, len, fds, SOCK_FD);
	if (pid < 0) {
		tell(MSG_FORK_FAILED, m->id, errno);
		return;
	}
	in->started = mem_grow(in->started, in->count + 1, sizeof(*in->started));
	in->started[in->count++] = (struct started){ pid, m->id };
}

/* The descriptors stand in the order out, err, filter, group (only those asked for), pipe. */
static void take_fds(const struct msghdr *h, const struct msg_spawn *m, int fds[SPAWN_FDS])
{
	struct cmsghdr *c = CMSG_FIRSTHDR(h);
	if (c == NULL || c->cmsg_type != SCM_RIGHTS)
		return;
	const int *got = (const int *)CMSG_DATA(c);
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int), used = 0;
	for (size_t i = 0; i < SPAWN_FDS && used < n; i++)
		if (i == SPAWN_FDS - 1 || m->has_fd[i])
			fds[i] = got[used++];
}

static void handle_request(struct init *in)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * SPAWN_FDS)];
	} control;
	struct iovec iov = { in->request, sizeof(*in->request) + SPAWN_TEXT_MAX };
	struct msghdr h = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(SOCK_FD, &h, MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0)
		end(0); /* the harness is gone, and so are we and all that runs here */
	int fds[SPAWN_FDS] = { -1, -1, -1, -1, -1 };
	if (in->request->kind == MSG_PING) {
		tell(MSG_PONG, 0, 0);
	} else if (in->request->kind == MSG_BOOT) {
		(void)!write(in->word, "", 1);
	} else if ((size_t)n >= sizeof(*in->request)) {
		take_fds(&h, in->request, fds);
		spawn(in, (size_t)n - sizeof(*in->request), fds);
	}
	close_fds(fds);
}

static void reap(struct init *in)
{
	struct signalfd_siginfo info;
	(void)!read(in->signals, &info, sizeof(info));
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG | __WALL);
		if (pid <= 0)
			return;
		for (size_t i = 0; i < in->count; i++) {
			if (in->started[i].pid != pid)
				continue;
			uint32_t id = in->started[i].id;
			in->started[i] = in->started[--in->count];
			tell(MSG_EXITED, id, status);
			break;
		}
	}
}

_Noreturn static void serve(struct init *in)
{
	struct pollfd p[] = { { .fd = SOCK_FD, .events = POLLIN },
			      { .fd = in->signals, .events = POLLIN } };
	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents != 0)
			reap(in);
		if (p[0].revents != 0)
			handle_request(in);
	}
}

static int serve_ready(struct init *in, struct err *e)
{
	sigset_t set;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	in->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (in->signals < 0)
		return ERR(e, errno, "signalfd");
	in->request = mem_alloc(sizeof(*in->request) + SPAWN_TEXT_MAX);
	return 0;
}

void node_init_main(const struct init_task *task)
{
	struct msg_ready ready = { .kind = MSG_READY };
	struct init in = { .signals = -1, .word = -1 };
	int sock = task->sock;
	loop_child_reset();
	int built = keep_only(task, &ready.err);
	if (built == 0) {
		sock = SOCK_FD;
		built = build(task, &in.word, &ready, &ready.err);
	}
	if (built == 0)
		built = serve_ready(&in, &ready.err);
	if (send(sock, &ready, sizeof(ready), MSG_NOSIGNAL) < 0 || built < 0)
		end(1);
	serve(&in);
}
