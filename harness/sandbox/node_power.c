/* SPDX-License-Identifier: MIT */
/*
 * A power cut: of what a node has written, only that survives which its file system had handed to
 * its disk. The disk is a file behind a loop device, so what was handed over is in that file's
 * pages: a plain copy of them, made while nothing runs, is the disk at that moment.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/base/mutate.h"
#include "harness/sandbox/disk.h"
#include "harness/sandbox/node_private.h"
#include "harness/sandbox/process.h"

enum {
	PROCESSES_MAX = 4096,
	STOP_ROUNDS = 64, /* looks at the processes, until nothing new is among them */
	COPY_TRIES = 16,  /* until no write came in between */
};
static const int64_t stop_wait_max = 50 * NS_PER_MS; /* for one process to stop */
static const int64_t stop_poll = NS_PER_MS / 5;

static void nap(void)
{
	(void)nanosleep(&(struct timespec){ .tv_nsec = stop_poll }, NULL);
}

/* One that waits in the kernel, perhaps held by a watch, cannot write either. */
static void wait_stopped(const struct process *seen)
{
	int64_t deadline = clock_now() + stop_wait_max;
	struct process p;
	while (process_read(seen->pid, &p) && p.start == seen->start &&
	       strchr("TtZXD", p.state) == NULL && clock_now() < deadline)
		nap();
}

static void signal_each(const pid_t *pids, int count, int signo)
{
	struct err ignored = { 0 };
	for (int i = 0; i < count; i++) {
		struct process p;
		if (process_read(pids[i], &p))
			(void)process_signal(p.pid, p.start, signo, &ignored);
	}
}

static void let_go_on(const struct node *n)
{
	GUARD(mem) pid_t *pids = mem_array(PROCESSES_MAX, sizeof(*pids));
	struct err ignored = { 0 };
	int count = node_processes(n, pids, PROCESSES_MAX, &ignored);
	signal_each(pids, count < PROCESSES_MAX ? count : PROCESSES_MAX, SIGCONT);
}

/* Until a look finds the very processes of the last one. It is they that count, not how many: one
 * may end while another begins. Looks list them in one order. */
static int stop_all(const struct node *n, struct err *e)
{
	GUARD(mem) pid_t *now = mem_array(PROCESSES_MAX, sizeof(*now));
	GUARD(mem) pid_t *before = mem_array(PROCESSES_MAX, sizeof(*before));
	int count_before = -1;
	for (int round = 0; round < STOP_ROUNDS; round++) {
		int count = node_processes(n, now, PROCESSES_MAX, e);
		if (count < 0)
			return -1;
		if (count > PROCESSES_MAX)
			return ERR(e, 0, "the node has more than %d processes", PROCESSES_MAX);
		if (count == count_before && memcmp(now, before, (size_t)count * sizeof(*now)) == 0)
			return 0;
		count_before = count;
		memcpy(before, now, (size_t)count * sizeof(*now));
		signal_each(now, count, SIGSTOP);
		for (int i = 0; i < count; i++) {
			struct process p;
			if (process_read(now[i], &p))
				wait_stopped(&p);
		}
	}
	return ERR(e, 0, "the node makes processes faster than they can be stopped");
}

/* The kernel's own writeback goes on: a copy counts when no write came while it was made. */
static int copy_still(const struct node *n, const char *from, const char *to, struct node_cut *ret,
		      struct err *e)
{
	if (MUTANT(power_synced)) {
		GUARD(fd) int root = openat(n->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)syncfs(root);
	}
	for (ret->tries = 1;; ret->tries++) {
		uint64_t before = 0, after = 1;
		bool busy_before = true, busy_after = true;
		int64_t begin = clock_now();
		bool known = disk_writes(n->ready.device, &before, &busy_before);
		if (disk_copy(from, to, e) < 0)
			return -1;
		known = known && disk_writes(n->ready.device, &after, &busy_after);
		ret->took = clock_now() - begin;
		ret->steady = known && !busy_before && !busy_after && before == after;
		if (ret->steady || ret->tries == COPY_TRIES)
			return 0;
		if (unlink(to) < 0)
			return ERR(e, errno, "remove '%s'", to);
	}
}

int node_disk_copy(const struct node *n, const char *to, struct err *e)
{
	GUARD(mem) char *disk = mem_printf("%s/" NODE_DISK, n->spec.work_dir);
	GUARD(fd) int root = openat(n->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct node_cut cut = { 0 };
	if (root < 0)
		return ERR(e, errno, "open the root of node '%s'", n->spec.name);
	int result = stop_all(n, e);
	if (result == 0 && syncfs(root) < 0)
		result = ERR(e, errno, "write the disk of node '%s' back", n->spec.name);
	if (result == 0)
		result = copy_still(n, disk, to, &cut, e);
	let_go_on(n);
	if (result == 0 && !cut.steady) {
		(void)unlink(to);
		return ERR(e, EBUSY, "the disk of node '%s' is written to all the time",
			   n->spec.name);
	}
	return result;
}

int node_disk_name(struct node *n, char ret[HASH_TEXT], struct err *e)
{
	GUARD(mem) char *disk = mem_printf("%s/" NODE_DISK, n->spec.work_dir);
	for (int tries = 0; tries < COPY_TRIES; tries++) {
		uint64_t before, after;
		bool busy;
		if (!disk_writes(n->ready.device, &before, &busy))
			return 0;
		if (!busy && n->disk_name[0] != '\0' && before == n->disk_named) {
			memcpy(ret, n->disk_name, HASH_TEXT);
			return 1;
		}
		n->disk_name[0] = '\0';
		if (disk_name(disk, ret, e) < 0)
			return -1;
		if (busy || !disk_writes(n->ready.device, &after, &busy) || busy || before != after)
			continue;
		memcpy(n->disk_name, ret, HASH_TEXT);
		n->disk_named = after;
		return 1;
	}
	return 0;
}

int node_power_cut(struct node *n, struct node_cut *ret, struct err *e)
{
	GUARD(mem) char *disk = mem_printf("%s/" NODE_DISK, n->spec.work_dir);
	GUARD(mem) char *cut = mem_printf("%s/" NODE_DISK ".cut", n->spec.work_dir);
	*ret = (struct node_cut){ 0 };
	if (!node_on_disk(n) || !n->alive)
		return ERR(e, 0, "node '%s' %s", n->spec.name,
			   n->alive ? "has no disk of its own" : "is down");
	if (stop_all(n, e) < 0 || copy_still(n, disk, cut, ret, e) < 0 || node_kill(n, e) < 0) {
		if (n->alive)
			let_go_on(n);
		(void)unlink(cut);
		return -1;
	}
	/* Its unmounting has written the rest back: into the file that is dropped now. */
	disk_wait_free(n->ready.device, disk);
	if (disk_differ(disk, cut, &ret->lost, e) < 0 || rename(cut, disk) < 0)
		return ERR(e, errno, "replace the disk of node '%s'", n->spec.name);
	return 0;
}
