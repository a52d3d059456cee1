/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/node.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/baseline.h"
#include "harness/sandbox/node_private.h"

enum {
	BUILD_MS_MAX = 30 * 1000, /* until init says that it is ready */
	DEATH_MS_MAX = 10 * 1000, /* until a killed init is gone */
	NAME_MAX_LEN = 63,        /* a host name's limit */
	ANSWER_MS_MAX = 2000,     /* until init has answered */
};

#define NO_ROOT "/proc/0/root" /* of a node that is down: never there */

static int check_spec(const struct node_spec *spec, struct err *e)
{
	size_t len = strlen(spec->name);
	if (len == 0 || len > NAME_MAX_LEN || strchr(spec->name, '/') != NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "'%s' is no host name (1 to %d bytes, no '/')", spec->name,
			      NAME_MAX_LEN);
	struct stat st;
	if (stat(spec->root_path, &st) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "root '%s'", spec->root_path);
	bool want_dir = spec->root_kind == NODE_ROOT_DIR || spec->root_kind == NODE_ROOT_COPY;
	if (want_dir != (S_ISDIR(st.st_mode) != 0))
		return ERR_AS(e, EXIT_UNAVAILABLE, 0, "root '%s' is %s", spec->root_path,
			      want_dir ? "no folder" : "a folder, not an image");
	return 0;
}

/* All namespaces at once but the cgroup one: see own_cgroups() in node_init.c. */
static int start_init(struct node *n, struct err *e)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return ERR(e, errno, "socketpair");
	n->sock = pair[0];
	GUARD(fd) int theirs = pair[1];
	const int on = 1;
	if (setsockopt(n->sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return ERR(e, errno, "ask for credentials");
	const enum baseline kind = n->spec.may_mount ? BASELINE_MOUNTS : BASELINE_PLAIN;
	const struct sock_fprog *refused = baseline_program(kind, e), *system = refused;
	if (refused != NULL && n->spec.systemd && !n->spec.may_mount)
		system = baseline_program(BASELINE_SYSTEM, e);
	if (refused == NULL || system == NULL)
		return -1;
	GUARD(fd) int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (self < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "pidfd_open (Linux 5.3)");
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC |
			 CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&n->pidfd,
		.exit_signal = SIGCHLD,
	};
	bool v2;
	const int group = cgroup_node_dir(n->cgroup, CGROUP_NODE, &v2);
	if (group >= 0 && v2) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)group;
	}
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno,
			      "make the node's namespaces (needs root)");
	if (pid == 0)
		node_init_main(
			&(struct init_task){ &n->spec, n->before, refused, system, theirs, self });
	n->init = (pid_t)pid;
	return 0;
}

static int wait_ready(struct node *n, struct err *e)
{
	struct pollfd p = { .fd = n->sock, .events = POLLIN };
	int got;
	do
		got = poll(&p, 1, BUILD_MS_MAX);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		return ERR(e, ETIMEDOUT, "the node was not built within %d ms", BUILD_MS_MAX);
	/* An init that ended without reading MSG_GO resets the connection: that is told once, and
	 * what it had to say follows. */
	ssize_t len = node_receive_ready(n);
	if (len < 0 && errno == ECONNRESET)
		len = node_receive_ready(n);
	if (len != (ssize_t)sizeof(n->ready))
		return ERR(e, 0, "the node's init died while building it");
	if (err_is_set(&n->ready.err)) {
		if (!err_is_set(e))
			*e = n->ready.err;
		return -1;
	}
	return 0;
}

/* Through /proc/PID: its pid cannot have passed to another, for we have not reaped it. */
static int open_views(struct node *n, struct err *e)
{
	const struct {
		int *fd;
		const char *name;
		int flags;
	} views[] = {
		{ &n->root_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC },
		{ &n->proc_fd, "root/proc", O_PATH | O_DIRECTORY | O_CLOEXEC },
		{ &n->netns_fd, "ns/net", O_RDONLY | O_CLOEXEC },
		{ &n->pidns_fd, "ns/pid", O_RDONLY | O_CLOEXEC },
	};
	char path[64];
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)n->init, views[i].name);
		*views[i].fd = open(path, views[i].flags);
		if (*views[i].fd < 0)
			return ERR(e, errno, "open '%s'", path);
	}
	ssize_t len = readlink(path, n->pidns, sizeof(n->pidns) - 1); /* the last one: ns/pid */
	if (len < 0)
		return ERR(e, errno, "read '%s'", path);
	n->pidns[len] = '\0';
	free(n->root_path);
	n->root_path = mem_printf("/proc/%d/root", (int)n->init);
	return 0;
}

static void on_init_end(void *arg, pid_t pid, int status, bool gone)
{
	struct node *n = arg;
	(void)pid;
	if (!gone)
		return;
	n->end_status = status;
	n->child_src = NULL; /* the loop has removed it */
	n->init = 0;
	n->alive = false;
	node_procs_die(n);
}

/* Was it the limits? Then that is the reason, not what came of it. */
static int too_little(struct node *n, struct err *e)
{
	struct cgroup_use use;
	cgroup_node_use(n->cgroup, &use);
	if (n->spec.limits.memory == 0 || use.memory_kills == UINT64_MAX || use.memory_kills == 0)
		return -1;
	err_clear(e);
	return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
		      "limits.memory, %" PRIu64 " bytes, is less than the node itself needs: the "
		      "kernel killed its init for it",
		      n->spec.limits.memory);
}

static int bring_up(struct node *n, struct err *e)
{
	if (start_init(n, e) < 0 || cgroup_node_attach(n->cgroup, n->init, e) < 0)
		return too_little(n, e);
	struct msg go = { .kind = MSG_GO };
	/* A failed send means that init died: wait_ready() has its reason. */
	(void)send(n->sock, &go, sizeof(go), MSG_NOSIGNAL);
	if (wait_ready(n, e) < 0)
		return too_little(n, e);
	if (open_views(n, e) < 0)
		return -1;
	if (loop_add_fd(n->loop, n->sock, EPOLLIN, node_on_message, n, &n->sock_src, e) < 0 ||
	    loop_add_child(n->loop, n->init, on_init_end, n, &n->child_src, e) < 0)
		return -1;
	n->alive = true;
	return 0;
}

int node_create(struct node **ret, struct loop *loop, struct owner *owner,
		const struct node_spec *spec, struct err *e)
{
	if (check_spec(spec, e) < 0 || node_root_make(spec, e) < 0)
		return err_prefix(e, "node '%s'", spec->name);
	struct node *n = mem_alloc(sizeof(*n));
	n->loop = loop;
	n->spec = *spec;
	n->spec.name = mem_strdup(spec->name);
	n->spec.work_dir = mem_strdup(spec->work_dir);
	n->spec.root_path = mem_strdup(spec->root_path);
	n->spec.mounted = spec->mounted != NULL ? mem_strdup(spec->mounted) : NULL;
	n->root_path = mem_strdup(NO_ROOT);
	n->pidfd = n->sock = n->root_fd = n->proc_fd = n->netns_fd = n->pidns_fd = -1;
	struct cgroup_limits limits = spec->limits;
	limits.io_of = spec->work_dir;
	limits.managed = spec->systemd;
	n->spec.limits.cpus = NULL; /* the caller's */
	if (cgroup_node_create(&n->cgroup, owner, spec->name, &limits, e) < 0 ||
	    bring_up(n, e) < 0) {
		struct err ignored = { 0 };
		(void)err_prefix(e, "node '%s'", spec->name);
		(void)node_destroy(n, &ignored);
		node_root_remove(spec->work_dir);
		return -1;
	}
	n->spec.from = NULL; /* taken; a boot begins with what is written */
	*ret = n;
	return 0;
}

/* Its death is that of the whole PID namespace: it can be waited for only when all are gone. */
static int end_init(struct node *n, struct err *e)
{
	loop_remove(n->child_src);
	n->child_src = NULL;
	if (n->init == 0)
		return 0;
	/* All at once, also what is frozen; without a tree the kernel takes the rest of the PID
	 * namespace down with init. */
	struct err ignored = { 0 };
	(void)cgroup_node_kill(n->cgroup, CGROUP_NODE, &ignored);
	if (syscall(SYS_pidfd_send_signal, n->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return ERR(e, errno, "kill the init of node '%s'", n->spec.name);
	struct pollfd p = { .fd = n->pidfd, .events = POLLIN };
	int got;
	do
		got = poll(&p, 1, DEATH_MS_MAX);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return ERR(e, ETIMEDOUT,
			   "the processes of node '%s' (init is %d) do not die: is one frozen, or "
			   "held by a debugger?",
			   n->spec.name, (int)n->init);
	siginfo_t info;
	if (waitid(P_PIDFD, (id_t)n->pidfd, &info, WEXITED | __WALL) < 0 && errno != ECHILD)
		return ERR(e, errno, "wait for the init of node '%s'", n->spec.name);
	n->init = 0;
	return 0;
}

/* Our views of it keep its mounts and its network alive: they go, too. A process of the host may
 * have init's number one day, so its path is forgotten. */
static void forget(struct node *n)
{
	int *fds[] = { &n->sock, &n->pidfd, &n->root_fd, &n->proc_fd, &n->netns_fd, &n->pidns_fd };
	n->alive = false;
	loop_remove(n->sock_src);
	n->sock_src = NULL;
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		guard_fd(fds[i]);
		*fds[i] = -1;
	}
	n->pidns[0] = '\0';
	n->disk_name[0] = '\0';
	free(n->root_path);
	n->root_path = mem_strdup(NO_ROOT);
}

int node_kill(struct node *n, struct err *e)
{
	if (end_init(n, e) < 0)
		return -1;
	/* What it said last, as the ends of programs before the blow, has still to be read. */
	struct pollfd in = { .fd = n->sock, .events = POLLIN };
	while (n->sock_src != NULL && poll(&in, 1, 0) > 0)
		node_on_message(n, EPOLLIN);
	forget(n);
	node_procs_die(n);
	return 0;
}

int node_boot(struct node *n, struct err *e)
{
	assert(n->init == 0);
	memcpy(n->before, n->ready.options, sizeof(n->before));
	n->ready = (struct msg_ready){ 0 };
	n->refused = 0;
	if (cgroup_node_clear(n->cgroup, e) == 0 && bring_up(n, e) == 0)
		return 0;
	struct err ignored = { 0 };
	(void)end_init(n, &ignored);
	forget(n);
	return err_prefix(e, "boot node '%s'", n->spec.name);
}

int node_answers(struct node *n, struct err *e)
{
	const struct msg ping = { .kind = MSG_PING };
	struct pollfd in = { .fd = n->sock, .events = POLLIN };
	n->answered = false;
	if (!n->alive || send(n->sock, &ping, sizeof(ping), MSG_NOSIGNAL) < 0)
		return ERR(e, 0, "node '%s' is down", n->spec.name);
	while (n->alive && !n->answered && poll(&in, 1, ANSWER_MS_MAX) > 0)
		node_on_message(n, EPOLLIN);
	return n->answered
		       ? 0
		       : ERR(e, ETIMEDOUT, "the init of node '%s' does not answer", n->spec.name);
}

/* A systemd that goes down ends what serves us a moment before itself. 0: by no signal. */
static int end_signal(const struct node *n)
{
	struct pollfd p = { .fd = n->pidfd, .events = POLLIN };
	siginfo_t info = { 0 };
	if (n->init == 0)
		return WIFSIGNALED(n->end_status) ? WTERMSIG(n->end_status) : 0;
	if (poll(&p, 1, ANSWER_MS_MAX) <= 0 ||
	    waitid(P_PIDFD, (id_t)n->pidfd, &info, WEXITED | WNOWAIT | __WALL) < 0)
		return -1;
	return info.si_code == CLD_KILLED ? info.si_status : 0;
}

/* The kernel ends a PID namespace whose program calls reboot(2) by these two. */
const char *node_end(const struct node *n)
{
	int signo = end_signal(n);
	return signo < 0         ? "the harness's own process in it was killed"
	       : signo == SIGHUP ? "it has rebooted itself"
	       : signo == SIGINT ? "it has switched itself off"
				 : "its init has ended";
}

unsigned node_refused(const struct node *n)
{
	return n->refused;
}

unsigned node_destroy(struct node *n, struct err *e)
{
	if (n == NULL)
		return 0;
	unsigned left = end_init(n, e) < 0 ? 1 : 0;
	node_procs_orphan(n);
	forget(n);
	left += cgroup_node_destroy(n->cgroup, e);
	free((char *)n->spec.name);
	free((char *)n->spec.work_dir);
	free((char *)n->spec.root_path);
	free((char *)n->spec.mounted);
	free(n->root_path);
	free(n);
	return left;
}

const char *node_name(const struct node *n)
{
	return n->spec.name;
}

const char *node_work_dir(const struct node *n)
{
	return n->spec.work_dir;
}

pid_t node_init_pid(const struct node *n)
{
	return n->init;
}

bool node_is_own(const struct node *n, pid_t host_pid)
{
	return host_pid == n->init || host_pid == n->server;
}

bool node_has_systemd(const struct node *n)
{
	return n->spec.systemd;
}

int node_root_fd(const struct node *n)
{
	return n->root_fd;
}

int node_netns_fd(const struct node *n)
{
	return n->netns_fd;
}

int node_pidns_fd(const struct node *n)
{
	return n->pidns_fd;
}

const char *node_mount_options(const struct node *n)
{
	return n->ready.options;
}

const char *node_notice(const struct node *n)
{
	return n->ready.notice[0] != '\0' ? n->ready.notice : cgroup_node_notice(n->cgroup);
}

const char *node_root_path(const struct node *n)
{
	return n->root_path;
}

struct node_cgroup *node_cgroup(const struct node *n)
{
	return n->cgroup;
}

const struct cgroup_limits *node_limits(const struct node *n)
{
	return &n->spec.limits;
}

bool node_on_disk(const struct node *n)
{
	return n->spec.root_kind == NODE_ROOT_DISK;
}

bool node_is_copy(const struct node *n)
{
	return n->spec.root_kind == NODE_ROOT_COPY;
}

bool node_alive(const struct node *n)
{
	return n->alive;
}
