/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/userns.h"

#define NET "/proc/sys/net/"

struct knob {
	const char *path, *value;
};

int netns_own(struct err *e)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ERR(e, errno, "open the own network namespace");
	return fd;
}

int netns_enter(int fd, struct err *e)
{
	if (setns(fd, CLONE_NEWNET) < 0)
		return ERR(e, errno, "enter a node's network namespace");
	return 0;
}

/* In the wrong namespace every later request would hit somebody else's interfaces. */
void netns_return(int fd)
{
	int saved_errno = errno;
	if (setns(fd, CLONE_NEWNET) < 0)
		abort();
	errno = saved_errno;
}

int netns_leave(struct err *e)
{
	if (userns_kind() == USERNS_HOST || unshare(CLONE_NEWNET) == 0)
		return 0;
	return ERR_AS(e, EXIT_UNAVAILABLE, errno, "a network namespace of its own for the drill");
}

/* `absent_ok`: a kernel without IPv6 has none of these. */
static int write_knobs(const struct knob *knobs, bool absent_ok, struct err *e)
{
	for (; knobs->path != NULL; knobs++) {
		struct err why = { 0 };
		if (io_write_knob(AT_FDCWD, knobs->path, knobs->value, &why) == 0 ||
		    (absent_ok && why.code == ENOENT))
			continue;
		return err_set(e, why.where, 0, why.exit, "%s", why.why);
	}
	return 0;
}

int netns_no_ip6(struct err *e)
{
	static const struct knob knobs[] = {
		{ NET "ipv6/conf/all/disable_ipv6", "1" },
		{ NET "ipv6/conf/default/disable_ipv6", "1" },
		{ 0 },
	};
	return write_knobs(knobs, true, e);
}

int netns_prepare(const struct netns_spec *spec, struct err *e)
{
	/* A new namespace has the host's own IPv4 settings. */
	const struct knob ip4[] = {
		{ NET "ipv4/ip_forward", spec->forward ? "1" : "0" },
		{ NET "ipv4/conf/all/send_redirects", "0" },
		{ NET "ipv4/conf/default/send_redirects", "0" },
		{ NET "ipv4/conf/all/rp_filter", "0" },
		{ NET "ipv4/conf/default/rp_filter", "0" },
		{ 0 },
	};
	/* Packets are forwarded where `all` says so; an interface that says so, too, would join the
	 * groups of routers, and tell. */
	const struct knob ip6[] = {
		{ NET "ipv6/conf/all/forwarding", spec->forward ? "1" : "0" },
		{ NET "ipv6/conf/default/forwarding", "0" },
		{ NET "ipv6/conf/default/disable_ipv6", "1" },
		{ NET "ipv6/conf/default/addr_gen_mode", "1" },
		{ NET "ipv6/conf/default/accept_ra", "0" },
		{ NET "ipv6/conf/default/autoconf", "0" },
		{ NET "ipv6/conf/default/router_solicitations", "0" },
		{ NET "ipv6/conf/default/accept_dad", "0" },
		{ NET "ipv6/conf/default/dad_transmits", "0" },
		{ 0 },
	};
	if (write_knobs(ip4, false, e) < 0)
		return -1;
	return spec->ip6 ? write_knobs(ip6, false, e) : netns_no_ip6(e);
}

int netns_ip6(int netns_fd, const char *interface, struct err *e)
{
	GUARD(mem) char *path = mem_printf(NET "ipv6/conf/%s/disable_ipv6", interface);
	const struct knob knobs[] = { { path, "0" }, { 0 } };
	GUARD(fd) int own = netns_own(e);
	if (own < 0 || netns_enter(netns_fd, e) < 0)
		return -1;
	int rc = write_knobs(knobs, false, e);
	netns_return(own);
	return rc;
}
