/* SPDX-License-Identifier: MIT */
#include "harness/probes/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "harness/base/guard.h"

enum { PORT_MAX = 65535 };

static const char *parse_port(const char *text, size_t len, in_port_t *ret)
{
	unsigned long port = 0;
	for (size_t i = 0; i < len && port <= PORT_MAX; i++) {
		if (text[i] < '0' || text[i] > '9')
			return "the port must be a number: \"web:80\"";
		port = port * 10 + (unsigned long)(text[i] - '0');
	}
	if (len == 0 || port == 0 || port > PORT_MAX)
		return "the port must be a number from 1 to 65535: \"web:80\"";
	*ret = (in_port_t)port;
	return NULL;
}

static const char *parse_host(const char *text, size_t len, bool bracketed)
{
	const char *no = bracketed ? "/?#@[]\\" : "/?#@[]\\:";
	if (len == 0)
		return "the host is missing: write the name of a node, or an address";
	if (len > HOST_NAME_MAX_BYTES)
		return "the host is too long: at most 64 bytes";
	for (size_t i = 0; i < len; i++)
		if (strchr(no, text[i]) != NULL || text[i] <= ' ' || text[i] > '~')
			return "the host must be the name of a node, or an address (IPv6 in "
			       "brackets: \"[fd00::2]:80\")";
	return NULL;
}

const char *host_port_parse(const char *text, size_t len, in_port_t default_port,
			    struct host_port *ret)
{
	struct ip ip;
	bool bracketed = len > 0 && text[0] == '[';
	const char *host = text + bracketed;
	const char *end = memchr(host, bracketed ? ']' : ':', len - bracketed);
	size_t host_len = end != NULL ? (size_t)(end - host) : len - bracketed;
	const char *wrong = parse_host(host, host_len, bracketed);
	if (wrong != NULL)
		return wrong;
	memcpy(ret->host, host, host_len);
	ret->host[host_len] = '\0';
	if (bracketed && (end == NULL || !ip_parse(ret->host, &ip) || ip.len != IP6_BYTES))
		return "what is in brackets must be an IPv6 address: \"[fd00::2]:80\"";
	const char *rest = host + host_len + bracketed, *stop = text + len;
	if (rest < stop)
		return *rest == ':' ? parse_port(rest + 1, (size_t)(stop - rest) - 1, &ret->port)
				    : "behind the host comes a port: \"[fd00::2]:80\"";
	if (default_port == 0)
		return "the port is missing: \"web:80\"";
	ret->port = default_port;
	return NULL;
}

static int resolve(const struct probe_env *env, const char *host, struct ip *ret, struct err *e)
{
	if (ip_parse(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, ret) ||
	    (env->net != NULL && network_resolve(env->net, node_name(env->node), host, ret)))
		return 0;
	return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
		      "'%s' is neither an address nor a node with an \"address\"", host);
}

static socklen_t socket_address(const struct ip *ip, in_port_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in sa4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 sa6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	if (ip->len == IP4_BYTES) {
		memcpy(&sa4.sin_addr, ip->bytes, IP4_BYTES);
		memcpy(ret, &sa4, sizeof(sa4));
		return sizeof(sa4);
	}
	memcpy(&sa6.sin6_addr, ip->bytes, IP6_BYTES);
	memcpy(ret, &sa6, sizeof(sa6));
	return sizeof(sa6);
}

static void refuse(struct connecting *c, int code)
{
	const char *why = code == ECONNREFUSED ? "connection refused" : strerror(code);
	asking_answer(c->asking, false, "%s", why);
}

static void on_ready(void *arg, uint32_t events)
{
	struct connecting *c = arg;
	(void)events;
	int code = 0;
	socklen_t size = sizeof(code);
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
		code = errno;
	loop_remove(c->src);
	c->src = NULL;
	if (code != 0)
		refuse(c, code);
	else
		c->connected(c->asking->call);
}

int connecting_begin(struct connecting *c, const struct probe_env *env, const struct host_port *to,
		     struct err *e)
{
	struct sockaddr_storage sa = { 0 };
	struct ip ip;
	if (resolve(env, to->host, &ip, e) < 0)
		return -1;
	socklen_t size = socket_address(&ip, to->port, &sa);
	if (!node_alive(env->node)) {
		asking_answer(c->asking, false, "node %s is down", node_name(env->node));
		return 0;
	}
	c->fd = network_socket(node_netns_fd(env->node), sa.ss_family,
			       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, e);
	if (c->fd < 0)
		return -1;
	/* A connection made at once also reports itself as writable. */
	if (connect(c->fd, (const struct sockaddr *)&sa, size) < 0 && errno != EINPROGRESS) {
		refuse(c, errno);
		return 0;
	}
	return loop_add_fd(env->loop, c->fd, EPOLLOUT, on_ready, c, &c->src, e);
}

void connecting_end(struct connecting *c)
{
	loop_remove(c->src);
	c->src = NULL;
	guard_fd(&c->fd);
	c->fd = -1;
}
