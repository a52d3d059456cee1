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

const char *host_port_parse(const char *text, size_t len, in_port_t default_port,
			    struct host_port *ret)
{
	const char *colon = memchr(text, ':', len);
	size_t host_len = colon != NULL ? (size_t)(colon - text) : len;
	if (host_len == 0)
		return "the host is missing: write the name of a node, or an IPv4 address";
	if (host_len > HOST_NAME_MAX_BYTES)
		return "the host is too long: at most 64 bytes";
	for (size_t i = 0; i < host_len; i++) {
		if (strchr("/?#@[]\\", text[i]) != NULL || text[i] <= ' ' || text[i] > '~')
			return "the host must be the name of a node, or an IPv4 address";
	}
	memcpy(ret->host, text, host_len);
	ret->host[host_len] = '\0';
	if (colon != NULL)
		return parse_port(colon + 1, len - host_len - 1, &ret->port);
	if (default_port == 0)
		return "the port is missing: \"web:80\"";
	ret->port = default_port;
	return NULL;
}

static int resolve(const struct probe_env *env, const char *host, struct in_addr *ret,
		   struct err *e)
{
	if (inet_pton(AF_INET, host, ret) == 1)
		return 0;
	if (strcmp(host, "localhost") == 0) {
		ret->s_addr = htonl(INADDR_LOOPBACK);
		return 0;
	}
	struct net_link *link = env->net != NULL ? switch_find(env->net, host) : NULL;
	if (link == NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "'%s' is neither an IPv4 address nor a node with an \"address\"",
			      host);
	ret->s_addr = link_addr(link);
	return 0;
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
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(to->port) };
	if (resolve(env, to->host, &sa.sin_addr, e) < 0)
		return -1;
	if (!node_alive(env->node)) {
		asking_answer(c->asking, false, "node %s is down", node_name(env->node));
		return 0;
	}
	c->fd = link_socket(node_netns_fd(env->node), AF_INET,
			    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, e);
	if (c->fd < 0)
		return -1;
	/* A connection made at once also reports itself as writable. */
	if (connect(c->fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 && errno != EINPROGRESS) {
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
