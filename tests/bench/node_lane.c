/* SPDX-License-Identifier: MIT */
/* Lanes: processes that make nodes one after the other. Each has a network of its own, so that the
 * switch is the same for all makers, and a memory group of its own, so that all it takes is counted
 * in one place. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/hierarchy.h"
#include "tests/bench/node.h"

enum { MTU = 1500, PEAKS = 3, NUMBER_MAX = 64 };

enum order { ROUNDS, PEAK };
struct said {
	int result;
	uint64_t peak;
	struct err err; /* its `where` is text of this program, the same in a fork */
};
struct lane {
	const struct maker *maker;
	char *mark;
	pid_t pid;
	int sock;
	int64_t *took; /* shared with the process */
};

/* ---- in the process ---- */

/* A lane hears the bench's end by its socket: none may hold another's. */
int fork_keeps(int fd)
{
	int kept = dup2(fd, STDERR_FILENO + 1);
	(void)close_range(STDERR_FILENO + 2, ~0U, 0);
	return kept;
}

static int once(const struct maker *m, struct site *s, struct err *e)
{
	int result = m->script != NULL ? peer_once(s, m->script, e) : m->once(s, e);
	s->serial++;
	return result;
}

static int read_number(const char *dir, const char *file, uint64_t *ret, struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	GUARD(mem) char *path = mem_printf("%s/%s", dir, file);
	if (io_read_file(AT_FDCWD, path, NUMBER_MAX, &text, e) < 0)
		return -1;
	*ret = strtoull(buf_str(&text), NULL, 10);
	return 0;
}

/* The most of some; the kernel counts in steps of 256 KiB a processor. */
static int peak(const struct maker *m, struct site *s, uint64_t *ret, struct err *e)
{
	const struct hierarchy *memory = hierarchies_v1(hierarchies_own(), "memory");
	*ret = 0;
	if (memory == NULL)
		return 0;
	GUARD(mem) char *dir = mem_printf("%s/%s", memory->mount, s->mark);
	GUARD(mem) char *knob = mem_printf("%s/memory.max_usage_in_bytes", dir);
	for (int i = 0; i < PEAKS; i++) {
		uint64_t before, most;
		if (io_write_knob(AT_FDCWD, knob, "0", e) < 0 ||
		    read_number(dir, "memory.usage_in_bytes", &before, e) < 0 ||
		    once(m, s, e) < 0 ||
		    read_number(dir, "memory.max_usage_in_bytes", &most, e) < 0)
			return -1;
		if (most - before > *ret)
			*ret = most - before;
	}
	return 0;
}

static int join_memory_group(const char *mark, struct err *e)
{
	const struct hierarchy *memory = hierarchies_v1(hierarchies_own(), "memory");
	if (memory == NULL)
		return 0;
	GUARD(mem) char *dir = mem_printf("%s/%s", memory->mount, mark);
	GUARD(mem) char *procs = mem_printf("%s/cgroup.procs", dir);
	if (mkdir(dir, 0755) < 0)
		return ERR(e, errno, "make control group '%s'", dir);
	return io_write_knob(AT_FDCWD, procs, "0", e);
}

static int begin(const struct maker *m, struct site *s, struct err *e)
{
	if (mkdir(s->dir, 0700) < 0)
		return ERR(e, errno, "mkdir '%s'", s->dir);
	if (join_memory_group(s->mark, e) < 0 || network_create(&s->net, e) < 0 ||
	    network_add_switch(s->net, "bench", MTU, e) < 0)
		return -1;
	return m->script != NULL ? peer_begin(s, m->no_v2, e) : m->begin(s, e);
}

static void obey(const struct maker *m, struct site *s, const size_t order[2], struct said *said,
		 int64_t *took)
{
	if (order[0] == PEAK) {
		said->result = peak(m, s, &said->peak, &said->err);
		return;
	}
	for (size_t i = 0; said->result == 0 && i < order[1]; i++) {
		int64_t start = clock_now();
		said->result = once(m, s, &said->err);
		took[i] = clock_now() - start;
	}
}

_Noreturn static void process(const struct maker *m, struct site *s, int sock, int64_t *took)
{
	struct said said = { 0 };
	size_t order[2];
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setsid(); /* the terminal's ^C is the bench's alone */
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGTERM, SIG_DFL);
	said.result = begin(m, s, &said.err);
	while (send(sock, &said, sizeof(said), MSG_NOSIGNAL) == (ssize_t)sizeof(said) &&
	       said.result == 0 && recv(sock, order, sizeof(order), 0) == (ssize_t)sizeof(order)) {
		said = (struct said){ 0 };
		obey(m, s, order, &said, took);
	}
	struct err e = { 0 };
	if (s->owner != NULL && owner_destroy(s->owner, &e) > 0)
		(void)fprintf(stderr, "bench: %s: %s\n", m->name, e.why);
	_exit(said.result == 0 ? 0 : 1);
}

/* ---- in the bench ---- */

static int hear(struct lane *l, struct said *said, struct err *e)
{
	*said = (struct said){ 0 };
	ssize_t n;
	do
		n = recv(l->sock, said, sizeof(*said), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*said))
		return ERR(e, 0, "its process has died");
	if (said->result < 0)
		*e = said->err;
	return said->result;
}

int lane_start(struct lane **ret, const struct maker *m, const struct site *base, unsigned number,
	       struct err *e)
{
	struct site s = *base;
	struct said said;
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return ERR(e, errno, "socketpair");
	struct lane *l = mem_alloc(sizeof(*l));
	l->maker = m;
	l->mark = s.mark = mem_printf("%s-%u", base->mark, number);
	s.dir = mem_printf("%s/%u", base->dir, number);
	l->took = mmap(NULL, ROUNDS_MAX * sizeof(int64_t), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	l->sock = pair[0];
	(void)fflush(stdout);
	l->pid = l->took != MAP_FAILED ? fork() : -1;
	if (l->pid == 0)
		process(m, &s, fork_keeps(pair[1]), l->took);
	int code = errno;
	free(s.dir);
	(void)close(pair[1]);
	if (l->pid > 0 && hear(l, &said, e) == 0) {
		*ret = l;
		return 0;
	}
	if (l->pid < 0)
		(void)ERR(e, code, "fork");
	lane_end(l);
	return -1;
}

void lane_go(struct lane *l, size_t count)
{
	const size_t order[2] = { ROUNDS, count < ROUNDS_MAX ? count : ROUNDS_MAX };
	(void)!send(l->sock, order, sizeof(order), MSG_NOSIGNAL); /* of a dead one hear() tells */
}

int lane_wait(struct lane *l, const int64_t **ret, struct err *e)
{
	struct said said;
	*ret = l->took;
	return hear(l, &said, e);
}

int lane_peak(struct lane *l, uint64_t *ret, struct err *e)
{
	const size_t order[2] = { PEAK, 0 };
	struct said said;
	(void)!send(l->sock, order, sizeof(order), MSG_NOSIGNAL);
	if (hear(l, &said, e) < 0)
		return -1;
	*ret = said.peak;
	return 0;
}

void lane_end(struct lane *l)
{
	if (l == NULL)
		return;
	(void)close(l->sock);
	if (l->pid > 0)
		while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
			;
	if (l->took != MAP_FAILED)
		(void)munmap(l->took, ROUNDS_MAX * sizeof(int64_t));
	left_remove(l->mark); /* the memory group; runtimes have made more of its name */
	free(l->mark);
	free(l);
}
