/* SPDX-License-Identifier: MIT */
/* Nodes that live and do nothing, in networks as large as a drill's may be: what a host is like
 * that has so many. And what is left of all when it is over. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/hierarchy.h"
#include "harness/sandbox/objects.h"
#include "tests/bench/node.h"

enum { PER_NETWORK = 60, NETWORKS_MAX = 64, MTU = 1500, MOUNTS_MAX = 64 << 20, DEPTH_MAX = 8 };

struct crowd {
	size_t count;
	struct {
		pid_t pid;
		int sock;
	} of[NETWORKS_MAX];
};

/* ---- one network of them, in a process of its own ---- */

static int up(struct site *s, struct node **nodes, unsigned count, struct err *e)
{
	if (network_create(&s->net, e) < 0 || network_add_switch(s->net, "bench", MTU, e) < 0 ||
	    ours_begin(s, e) < 0)
		return -1;
	for (unsigned i = 0; i < count; i++)
		if (ours_up(s, i + 1, &nodes[i], e) < 0)
			return -1;
	return 0;
}

_Noreturn static void process(struct site *s, unsigned count, int sock)
{
	struct node *nodes[PER_NETWORK] = { NULL };
	struct err e = { 0 }, left = { 0 };
	char byte;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setsid(); /* the terminal's ^C is the bench's alone */
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGTERM, SIG_DFL);
	int result = up(s, nodes, count, &e);
	(void)!send(sock, &e, sizeof(e), MSG_NOSIGNAL);
	if (result == 0)
		(void)recv(sock, &byte, 1, 0); /* its end */
	unsigned over = 0;
	for (unsigned i = 0; i < count; i++)
		over += node_destroy(nodes[i], &left);
	network_destroy(s->net);
	over += owner_destroy(s->owner, &left);
	if (over > 0)
		(void)fprintf(stderr, "bench: %s\n", left.why);
	_exit(over > 0);
}

int crowd_start(struct crowd **ret, const struct site *base, unsigned count, struct err *e)
{
	struct crowd *c = mem_alloc(sizeof(*c));
	(void)fflush(stdout);
	while (count > 0 && c->count < NETWORKS_MAX) {
		unsigned part = count < PER_NETWORK ? count : PER_NETWORK;
		int pair[2];
		struct site s = *base;
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			break;
		pid_t pid = fork();
		if (pid == 0)
			process(&s, part, fork_keeps(pair[1]));
		(void)close(pair[1]);
		c->of[c->count].pid = pid;
		c->of[c->count++].sock = pair[0];
		count -= part;
	}
	if (count > 0)
		(void)ERR(e, errno, "%u nodes more than can be made", count);
	for (size_t i = 0; i < c->count; i++) {
		struct err one = { 0 };
		ssize_t n;
		do
			n = recv(c->of[i].sock, &one, sizeof(one), 0);
		while (n < 0 && errno == EINTR);
		if (n != (ssize_t)sizeof(one))
			(void)ERR(e, 0, "a process with live nodes has died");
		else if (err_is_set(&one) && !err_is_set(e))
			*e = one;
	}
	if (err_is_set(e)) {
		struct err ignored = { 0 };
		(void)crowd_end(c, &ignored);
		return -1;
	}
	*ret = c;
	return 0;
}

int crowd_end(struct crowd *c, struct err *e)
{
	int result = 0;
	for (size_t i = 0; c != NULL && i < c->count; i++)
		(void)close(c->of[i].sock);
	for (size_t i = 0; c != NULL && i < c->count; i++) {
		int status = -1;
		while (waitpid(c->of[i].pid, &status, 0) < 0 && errno == EINTR)
			;
		if (status != 0)
			result = ERR(e, 0, "live nodes did not go: status %#x", (unsigned)status);
	}
	free(c);
	return result;
}

/* ---- what is left ---- */

static void note(struct buf *ret, unsigned *count, const char *what, const char *name)
{
	buf_printf(ret, "  left over: %s %s\n", what, name);
	(*count)++;
}

/* "bench12-3" is not in "bench12-34". */
static bool carries(const char *name, const char *mark)
{
	const char *at = strstr(name, mark);
	return at != NULL && !isdigit((unsigned char)at[strlen(mark)]);
}

/* What is found is noted, or (`count` NULL) removed, with what lives in it. */
static void groups(const char *dir, const char *mark, unsigned depth, unsigned *count,
		   struct buf *ret)
{
	GUARD(dir) DIR *d = opendir(dir);
	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
		struct err ignored = { 0 };
		if (de->d_type != DT_DIR || de->d_name[0] == '.')
			continue;
		GUARD(mem) char *path = mem_printf("%s/%s", dir, de->d_name);
		if (!carries(de->d_name, mark) && depth < DEPTH_MAX)
			groups(path, mark, depth + 1, count, ret);
		else if (carries(de->d_name, mark) && count != NULL)
			note(ret, count, "control group", path);
		else if (carries(de->d_name, mark))
			(void)objects_remove_cgroup(path, &ignored);
	}
}

static void namespaces(const char *mark, unsigned *count, struct buf *ret)
{
	static const char dir[] = "/run/netns"; /* of ip(8) */
	GUARD(dir) DIR *d = opendir(dir);
	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
		GUARD(mem) char *path = mem_printf("%s/%s", dir, de->d_name);
		if (carries(de->d_name, mark) && count != NULL)
			note(ret, count, "network namespace", path);
		else if (carries(de->d_name, mark) && umount2(path, MNT_DETACH) == 0)
			(void)unlink(path);
	}
}

void left_remove(const char *mark)
{
	const struct hierarchies *h = hierarchies_own();
	for (size_t i = 0; i < h->count; i++)
		groups(h->rows[i].mount, mark, 0, NULL, NULL);
	namespaces(mark, NULL, NULL);
}

static void left_mounts(const char *file, const char *mark, unsigned *count, struct buf *ret)
{
	struct err ignored = { 0 };
	GUARD_BUF struct buf text = { 0 };
	if (io_read_file(AT_FDCWD, file, MOUNTS_MAX, &text, &ignored) < 0)
		return;
	for (char *line, *rest = text.data; (line = strsep(&rest, "\n")) != NULL;)
		if (carries(line, mark))
			note(ret, count, "mount", line);
}

unsigned left_over(const char *mark, struct buf *ret)
{
	const struct hierarchies *h = hierarchies_own();
	unsigned count = 0;
	pid_t pid;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		;
	if (pid == 0)
		note(ret, &count, "process", "of the bench");
	for (size_t i = 0; i < h->count; i++)
		groups(h->rows[i].mount, mark, 0, &count, ret);
	left_mounts("/proc/self/mountinfo", mark, &count, ret);
	namespaces(mark, &count, ret);
	return count;
}

unsigned host_interfaces(void)
{
	unsigned count = 0;
	GUARD(dir) DIR *d = opendir("/sys/class/net");
	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;)
		count += de->d_name[0] != '.';
	return count;
}
