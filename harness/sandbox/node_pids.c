/* SPDX-License-Identifier: MIT */
/* Which processes of this host are a node's, and what their pids are inside. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/sandbox/node_private.h"
#include "harness/sandbox/process.h"

enum {
	STATUS_MAX = 16 * 1024, /* bytes of /proc/PID/status */
	PIDNS_DEPTH_MAX = 32,   /* the kernel's own limit of nested PID namespaces */
};

/* From linux/nsfs.h of Linux 6.11: a pid of that namespace, as the caller's has it. */
#ifndef NS_GET_PID_FROM_PIDNS
#define NS_GET_PID_FROM_PIDNS _IOR(NSIO, 0x6, int)
#endif

static bool same_ns(int fd, const char *link)
{
	struct stat st;
	char text[64];
	if (fstat(fd, &st) < 0)
		return false;
	(void)snprintf(text, sizeof(text), "pid:[%llu]", (unsigned long long)st.st_ino);
	return strcmp(text, link) == 0;
}

/* The namespace at `path` lies somewhere below the node's. */
static bool is_below(const char *path, const char *pidns)
{
	GUARD(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i < PIDNS_DEPTH_MAX; i++) {
		int parent = ioctl(fd, NS_GET_PARENT);
		(void)close(fd);
		fd = parent;
		if (fd >= 0 && same_ns(fd, pidns))
			return true;
	}
	return false;
}

static bool in_node(const struct node *n, const char *pid, const char *own_ns)
{
	char path[300], link[64];
	(void)snprintf(path, sizeof(path), "/proc/%s/ns/pid", pid);
	ssize_t len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		return false; /* gone, or a zombie in its last moments */
	link[len] = '\0';
	if (strcmp(link, n->pidns) == 0)
		return true;
	return strcmp(link, own_ns) != 0 && is_below(path, n->pidns);
}

struct found {
	const struct node *node;
	char own_ns[64];
	pid_t *pids;
	size_t count, max;
};

static void take(struct found *f, const char *pid)
{
	if (!in_node(f->node, pid, f->own_ns))
		return;
	pid_t number = (pid_t)strtol(pid, NULL, 10);
	if (number == f->node->server)
		return;
	if (f->count < f->max)
		f->pids[f->count] = number;
	f->count++;
}

static bool is_pid(const char *name)
{
	return name[0] >= '1' && name[0] <= '9';
}

/* The node's own procfs lists it and what is below it, and nothing of the host. False: the kernel
 * does not translate. */
static bool look_inside(struct found *f)
{
	const struct node *n = f->node;
	int fd = openat(n->proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	GUARD(dir) DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	if (d == NULL)
		return false;
	for (struct dirent *de; (de = readdir(d)) != NULL;) {
		char outside[16];
		if (!is_pid(de->d_name))
			continue;
		int pid = ioctl(n->pidns_fd, NS_GET_PID_FROM_PIDNS, strtol(de->d_name, NULL, 10));
		if (pid < 0 && (errno == ENOTTY || errno == EINVAL))
			return false;
		if (pid <= 0)
			continue; /* gone since then */
		(void)snprintf(outside, sizeof(outside), "%d", pid);
		take(f, outside);
	}
	return true;
}

static int look_outside(struct found *f, struct err *e)
{
	GUARD(dir) DIR *d = opendir("/proc");
	if (d == NULL)
		return ERR(e, errno, "open '/proc'");
	f->count = 0;
	for (struct dirent *de; (de = readdir(d)) != NULL;)
		if (is_pid(de->d_name))
			take(f, de->d_name);
	return 0;
}

int node_processes(const struct node *n, pid_t *pids, size_t max, struct err *e)
{
	struct found f = { .node = n, .pids = pids, .max = max };
	if (!n->alive)
		return 0;
	ssize_t len = readlink("/proc/self/ns/pid", f.own_ns, sizeof(f.own_ns) - 1);
	if (len < 0)
		return ERR(e, errno, "read '/proc/self/ns/pid'");
	f.own_ns[len] = '\0';
	if (!look_inside(&f) && look_outside(&f, e) < 0)
		return -1;
	return (int)f.count;
}

/* "NSpid: 4711 12 3": as seen from us, from the node, from a namespace below it. */
pid_t node_inside_pid(pid_t host_pid)
{
	char path[64];
	struct err ignored = { 0 };
	GUARD_BUF struct buf text = { 0 };
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)host_pid);
	if (io_read_file(AT_FDCWD, path, STATUS_MAX, &text, &ignored) < 0)
		return 0;
	const char *p = strstr(buf_str(&text), "\nNSpid:");
	int outside, inside;
	if (p == NULL || sscanf(p, "\nNSpid: %d%*[\t]%d", &outside, &inside) != 2)
		return 0;
	return inside;
}

pid_t node_host_pid(const struct node *n, pid_t inside)
{
	enum { PIDS_MAX = 4096 };
	pid_t pids[PIDS_MAX];
	struct err ignored = { 0 };
	if (inside == 1)
		return n->init;
	int count = node_processes(n, pids, PIDS_MAX, &ignored);
	for (int i = 0; i < count && i < PIDS_MAX; i++)
		if (node_inside_pid(pids[i]) == inside)
			return pids[i];
	return 0;
}

static const struct proc *ancestor(struct node *n, pid_t host_pid)
{
	/* A child says who it is before it execs, so what is known of it is in the socket by now.
	 */
	struct pollfd in = { .fd = n->sock, .events = POLLIN };
	while (n->alive && poll(&in, 1, 0) > 0)
		node_on_message(n, EPOLLIN);
	struct process at = { .pid = host_pid };
	while (at.pid > 0 && at.pid != node_init_pid(n)) {
		for (const struct proc *p = n->procs; p != NULL; p = p->next)
			if (p->running && p->pid == at.pid)
				return p;
		pid_t parent = process_read(at.pid, &at) ? at.parent : 0;
		at.pid = parent;
	}
	return NULL;
}

bool node_is_apart(struct node *n, pid_t host_pid)
{
	const struct proc *p = ancestor(n, host_pid);
	return p != NULL && p->apart;
}

pid_t node_spawned_pid(struct node *n, pid_t host_pid)
{
	const struct proc *p = ancestor(n, host_pid);
	return p != NULL ? p->pid : 0;
}
