/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets. TCP's are asked for by sock_diag(7), for /proc/net/tcp goes through the table
 * of all connections of the host, which costs milliseconds when it is empty; where the kernel does
 * not answer, /proc is read all the same.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/capture_internal.h"

enum {
	TCP_LISTEN_STATE = 0x0a, /* TCP_LISTEN */
	UDP_BOUND_STATE = 0x07,  /* TCP_CLOSE: bound to no peer */
	UNIX_ACCEPTS = 0x10000,  /* __SO_ACCEPTCON */
	TCP_TABLES = 2,          /* rows of the list of tables */
	ANSWER_MAX = 64 * 1024,  /* bytes of one message of the kernel */
};

/* A socket stays in the namespace in which it was made. In the wrong one we could not go on. */
static int socket_in(int netns)
{
	GUARD(fd) int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own < 0 || setns(netns, CLONE_NEWNET) < 0)
		return -1;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int saved_errno = errno;
	if (setns(own, CLONE_NEWNET) < 0)
		abort();
	errno = saved_errno;
	return fd;
}

static void add_tcp(const struct inet_diag_msg *m, struct tally *t)
{
	char address[INET6_ADDRSTRLEN] = "?";
	bool six = m->idiag_family == AF_INET6;
	(void)inet_ntop(m->idiag_family, m->id.idiag_src, address, sizeof(address));
	tally_add(t, mem_printf(six ? "tcp6 [%s]:%u" : "tcp %s:%u", address,
				ntohs(m->id.idiag_sport)));
}

/* 1: the last message was read; 0: more are to come; -1: the kernel does not answer this. */
static int read_answer(const char *data, size_t len, struct tally *t)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)data;
	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR || (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
			return -1;
		if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY)
			add_tcp(NLMSG_DATA(h), t);
	}
	return 0;
}

static int ask_family(int fd, unsigned char family, struct tally *t)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 r;
	} request = {
		.h = { .nlmsg_len = sizeof(request),
		       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.r = { .sdiag_family = family,
		       .sdiag_protocol = IPPROTO_TCP,
		       .idiag_states = 1U << TCP_LISTEN_STATE },
	};
	if (send(fd, &request, sizeof(request), 0) != (ssize_t)sizeof(request))
		return -1;
	GUARD(mem) char *data = mem_alloc(ANSWER_MAX);
	int done = 0;
	while (done == 0) {
		ssize_t n = recv(fd, data, ANSWER_MAX, 0);
		if (n < 0 && errno == EINTR)
			continue;
		done = n > 0 ? read_answer(data, (size_t)n, t) : -1;
	}
	return done;
}

/* All TCP listeners are in the tally, or the kernel does not tell them so. */
static bool ask_tcp(const struct node *n, struct tally *t)
{
	GUARD(fd) int fd = socket_in(node_netns_fd(n));
	if (fd >= 0 && ask_family(fd, AF_INET, t) > 0 && ask_family(fd, AF_INET6, t) > 0)
		return true;
	tally_free(t);
	return false;
}

/* The kernel prints each 32-bit word as a number of this machine. */
static void address_text(const char *hex, char ret[INET6_ADDRSTRLEN])
{
	uint32_t words[4] = { 0 };
	size_t count = strlen(hex) / 8;
	for (size_t i = 0; i < count && i < 4; i++) {
		char word[9];
		memcpy(word, hex + i * 8, 8);
		word[8] = '\0';
		words[i] = (uint32_t)strtoul(word, NULL, 16);
	}
	(void)inet_ntop(count == 4 ? AF_INET6 : AF_INET, words, ret, INET6_ADDRSTRLEN);
}

static void inet_line(const char *table, unsigned wanted, const char *line, struct tally *t)
{
	char hex[33], address[INET6_ADDRSTRLEN] = "?";
	unsigned port, state;
	if (sscanf(line, " %*u: %32[0-9A-F]:%X %*[0-9A-F]:%*X %X", hex, &port, &state) != 3 ||
	    state != wanted)
		return;
	address_text(hex, address);
	tally_add(t, strchr(address, ':') != NULL ? mem_printf("%s [%s]:%u", table, address, port)
						  : mem_printf("%s %s:%u", table, address, port));
}

static void unix_line(const char *table, unsigned wanted, const char *line, struct tally *t)
{
	unsigned flags;
	int at = 0;
	if (sscanf(line, "%*s %*x %*x %X %*x %*x %*u%n", &flags, &at) != 1 || at == 0 ||
	    (flags & wanted) == 0 || line[at] != ' ')
		return;
	tally_add(t, mem_printf("%s %s", table, line + at + 1));
}

int capture_listen(struct capture *c, struct err *e)
{
	static const struct {
		const char *table, *file;
		void (*line)(const char *table, unsigned wanted, const char *line, struct tally *t);
		unsigned wanted;
	} tables[] = {
		{ "tcp", "net/tcp", inet_line, TCP_LISTEN_STATE },
		{ "tcp6", "net/tcp6", inet_line, TCP_LISTEN_STATE },
		{ "udp", "net/udp", inet_line, UDP_BOUND_STATE },
		{ "udp6", "net/udp6", inet_line, UDP_BOUND_STATE },
		{ "unix", "net/unix", unix_line, UNIX_ACCEPTS },
	};
	struct tally t = { 0 };
	GUARD_BUF struct buf text = { 0 };
	int ret = 0;
	for (size_t i = ask_tcp(c->node, &t) ? TCP_TABLES : 0;
	     ret >= 0 && i < sizeof(tables) / sizeof(tables[0]); i++) {
		ret = capture_read_proc(node_init_pid(c->node), tables[i].file, &text, e);
		for (char *line = text.data; ret > 0 && line != NULL && *line != '\0';) {
			char *end = strchrnul(line, '\n');
			char *next = end + (*end == '\n');
			*end = '\0';
			tables[i].line(tables[i].table, tables[i].wanted, line, &t);
			line = next;
		}
	}
	ret = ret < 0 ? -1 : tally_write(&t, c, STATE_LISTEN, e);
	tally_free(&t);
	return ret;
}
