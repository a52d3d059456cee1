/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/model/state.h"

enum {
	STAT_MAX = 4096,      /* bytes of /proc/PID/stat */
	PROCESSES_MAX = 8192, /* of one node */
	FIELD_START = 22,     /* of /proc/PID/stat */
};

/* PID (NAME) STATE PPID ...: the name may hold anything, also ')' and spaces. */
static bool read_stat(pid_t pid, struct process *ret)
{
	char path[64];
	struct err ignored = { 0 };
	GUARD_BUF struct buf text = { 0 };
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (io_read_file(AT_FDCWD, path, STAT_MAX, &text, &ignored) < 0)
		return false;
	const char *p = strrchr(buf_str(&text), ')');
	int parent;
	if (p == NULL || sscanf(p, ") %c %d", &ret->state, &parent) != 2)
		return false;
	ret->pid = pid;
	ret->parent = (pid_t)parent;
	for (int field = 2; p != NULL && field < FIELD_START; field++) {
		p = strchr(p, ' ');
		if (p != NULL)
			p++;
	}
	if (p == NULL)
		return false;
	ret->start = strtoull(p, NULL, 10);
	return true;
}

bool process_read(pid_t host_pid, struct process *ret)
{
	static const char gone[] = " (deleted)";
	const size_t tail = sizeof(gone) - 1;
	char path[64];
	if (!read_stat(host_pid, ret))
		return false;
	ret->deleted = false;
	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)host_pid);
	ssize_t len = readlink(path, ret->exe, sizeof(ret->exe) - 1);
	ret->exe[len > 0 ? len : 0] = '\0';
	if (len > (ssize_t)tail && strcmp(ret->exe + len - tail, gone) == 0) {
		ret->exe[(size_t)len - tail] = '\0';
		ret->deleted = true;
	}
	return true;
}

struct family {
	pid_t pid, parent;
	bool in;
};

static struct family *read_family(const struct node *n, size_t *count)
{
	struct err ignored = { 0 };
	pid_t *pids = mem_array(PROCESSES_MAX, sizeof(*pids));
	int got = node_processes(n, pids, PROCESSES_MAX, &ignored);
	size_t seen = got > 0 ? (size_t)got : 0;
	if (seen > PROCESSES_MAX)
		seen = PROCESSES_MAX;
	struct family *f = mem_array(seen, sizeof(*f));
	*count = 0;
	for (size_t i = 0; i < seen; i++) {
		struct process p;
		if (!read_stat(pids[i], &p))
			continue;
		f[(*count)++] = (struct family){ p.pid, p.parent, false };
	}
	free(pids);
	return f;
}

size_t process_tree(const struct node *n, pid_t root, pid_t *ret, size_t max)
{
	size_t count, len = 0;
	struct family *f = read_family(n, &count);
	for (size_t i = 0; i < count && len < max; i++)
		if (f[i].pid == root) {
			f[i].in = true;
			ret[len++] = root;
		}
	/* Breadth first: what has been found is the queue. */
	for (size_t at = 0; at < len; at++)
		for (size_t i = 0; i < count && len < max; i++)
			if (!f[i].in && f[i].parent == ret[at]) {
				f[i].in = true;
				ret[len++] = f[i].pid;
			}
	free(f);
	return len;
}

pid_t process_oldest(const struct node *n, const char *exe, pid_t except)
{
	struct err ignored = { 0 };
	pid_t *pids = mem_array(PROCESSES_MAX, sizeof(*pids));
	int count = node_processes(n, pids, PROCESSES_MAX, &ignored);
	struct process *p = mem_alloc(sizeof(*p));
	pid_t oldest = 0;
	uint64_t start = 0;
	for (int i = 0; i < count && i < PROCESSES_MAX; i++) {
		if (pids[i] == except || !process_read(pids[i], p) ||
		    !state_path_match(exe, p->exe))
			continue;
		/* Ticks are coarse: of two started in one, take the lower pid inside the node. */
		if (oldest == 0 || p->start < start ||
		    (p->start == start && node_inside_pid(p->pid) < node_inside_pid(oldest))) {
			oldest = p->pid;
			start = p->start;
		}
	}
	free(p);
	free(pids);
	return oldest;
}

int process_signal(pid_t host_pid, uint64_t start, int signo, struct err *e)
{
	GUARD(fd) int fd = (int)syscall(SYS_pidfd_open, host_pid, 0);
	if (fd < 0)
		return ERR(e, errno, "process %d", (int)host_pid);
	/* Looked at behind the pidfd: if it is the right one now, the pidfd is the right one's. */
	struct process p;
	if (!read_stat(host_pid, &p) || p.start != start)
		return ERR(e, ESRCH, "process %d has ended", (int)host_pid);
	if (syscall(SYS_pidfd_send_signal, fd, signo, NULL, 0) < 0)
		return ERR(e, errno, "send signal %d to process %d", signo, (int)host_pid);
	return 0;
}
