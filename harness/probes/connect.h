/* SPDX-License-Identifier: MIT */
/*
 * Reaching a TCP port from inside a node, without blocking. A host is an IPv4 address, an
 * IPv6 one in brackets, "localhost", a node of the scenario (web), or a node's link (web.front);
 * there is no resolver.
 */
#ifndef BACKOUT_PROBES_CONNECT_H
#define BACKOUT_PROBES_CONNECT_H

#include <netinet/in.h>
#include <stddef.h>

#include "harness/probes/answer.h"

enum { HOST_NAME_MAX_BYTES = 64 };

struct host_port {
	char host[HOST_NAME_MAX_BYTES + 1];
	in_port_t port; /* host byte order */
};

/* "host:port", or "host" alone where default_port is not 0; `len` bytes of text. Returns NULL, or
 * a static sentence that says what to write instead. */
const char *host_port_parse(const char *text, size_t len, in_port_t default_port,
			    struct host_port *ret);

struct connecting {
	struct asking *asking;
	int fd;               /* -1: none; closed by connecting_end() */
	struct loop_src *src; /* free for the next owner of fd once connected() was called */
	void (*connected)(void *call);
};

/* Answers "no" by itself when the world refuses. An unknown host is an error (exit 65). */
int connecting_begin(struct connecting *c, const struct probe_env *env, const struct host_port *to,
		     struct err *e);
void connecting_end(struct connecting *c);

#endif
