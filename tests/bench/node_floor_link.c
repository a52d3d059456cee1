/* SPDX-License-Identifier: MIT */
/* The floor's part of netlink: each message is sent, none is answered. */
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/node.h"

enum {
	FIRST_PORT = 1000, /* interface numbers that are told, not asked for */
	ETH = 2,
};

struct request {
	union {
		struct nlmsghdr head;
		char room[512];
	};
};

static void *begin(struct request *r, int type, int flags, size_t len)
{
	memset(r, 0, sizeof(*r));
	r->head.nlmsg_type = (uint16_t)type;
	r->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	r->head.nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
	return NLMSG_DATA(&r->head);
}

static void *more(struct request *r, size_t len)
{
	void *at = r->room + NLMSG_ALIGN(r->head.nlmsg_len);
	r->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->head.nlmsg_len) + len);
	return at;
}

static struct rtattr *put(struct request *r, int type, const void *data, size_t len)
{
	struct rtattr *at = more(r, RTA_LENGTH(len));
	at->rta_type = (uint16_t)type;
	at->rta_len = (uint16_t)RTA_LENGTH(len);
	if (len > 0)
		memcpy(RTA_DATA(at), data, len);
	return at;
}

static void put_u8(struct request *r, int type, uint8_t value)
{
	(void)put(r, type, &value, sizeof(value));
}

static void put_u32(struct request *r, int type, uint32_t value)
{
	(void)put(r, type, &value, sizeof(value));
}

static void end(struct request *r, struct rtattr *nest)
{
	nest->rta_len = (uint16_t)(r->room + r->head.nlmsg_len - (char *)nest);
}

static void tell(int sock, const struct request *r)
{
	(void)!send(sock, r->room, r->head.nlmsg_len, 0);
}

static void pair(int sock, int port, int netns_fd, const uint8_t mac[2][6])
{
	struct request r;
	char name[IFNAMSIZ];
	struct ifinfomsg *info = begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*info));
	info->ifi_index = port;
	(void)snprintf(name, sizeof(name), "port-%d", port);
	(void)put(&r, IFLA_IFNAME, name, strlen(name) + 1);
	(void)put(&r, IFLA_ADDRESS, mac[0], 6);
	put_u32(&r, IFLA_MTU, 1500);
	struct rtattr *kind = put(&r, IFLA_LINKINFO, NULL, 0);
	(void)put(&r, IFLA_INFO_KIND, "veth", 5);
	struct rtattr *data = put(&r, IFLA_INFO_DATA, NULL, 0);
	struct rtattr *peer = put(&r, VETH_INFO_PEER, NULL, 0);
	struct ifinfomsg *theirs = more(&r, sizeof(*theirs));
	theirs->ifi_index = ETH;
	(void)put(&r, IFLA_IFNAME, "eth0", 5);
	(void)put(&r, IFLA_ADDRESS, mac[1], 6);
	put_u32(&r, IFLA_MTU, 1500);
	put_u32(&r, IFLA_GSO_MAX_SEGS, 1);
	put_u32(&r, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	end(&r, peer);
	end(&r, data);
	end(&r, kind);
	tell(sock, &r);
}

static void port_of(int sock, int port, int bridge)
{
	struct request r;
	struct ifinfomsg *info = begin(&r, RTM_NEWLINK, 0, sizeof(*info));
	info->ifi_index = port;
	put_u32(&r, IFLA_MASTER, (uint32_t)bridge);
	tell(sock, &r);
	info = begin(&r, RTM_NEWLINK, 0, sizeof(*info));
	info->ifi_index = port;
	struct rtattr *kind = put(&r, IFLA_LINKINFO, NULL, 0);
	(void)put(&r, IFLA_INFO_SLAVE_KIND, "bridge", 7);
	struct rtattr *data = put(&r, IFLA_INFO_SLAVE_DATA, NULL, 0);
	put_u8(&r, IFLA_BRPORT_LEARNING, 0);
	put_u8(&r, IFLA_BRPORT_UNICAST_FLOOD, 0);
	end(&r, data);
	end(&r, kind);
	tell(sock, &r);
}

static void up(int sock, int index)
{
	struct request r;
	struct ifinfomsg *info = begin(&r, RTM_NEWLINK, 0, sizeof(*info));
	info->ifi_index = index;
	info->ifi_flags = info->ifi_change = IFF_UP;
	tell(sock, &r);
}

static void address(int sock, unsigned serial)
{
	struct request r;
	const uint8_t ip[4] = { 10, 0, (uint8_t)(serial / 250 % 250), (uint8_t)(1 + serial % 250) };
	const uint8_t all[4] = { 10, 0, 255, 255 };
	struct ifaddrmsg *a = begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*a));
	a->ifa_family = AF_INET;
	a->ifa_prefixlen = 16;
	a->ifa_index = ETH;
	(void)put(&r, IFA_LOCAL, ip, sizeof(ip));
	(void)put(&r, IFA_ADDRESS, ip, sizeof(ip));
	(void)put(&r, IFA_BROADCAST, all, sizeof(all));
	tell(sock, &r);
}

static void entry(int sock, int port, const uint8_t *mac)
{
	struct request r;
	struct ndmsg *n = begin(&r, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*n));
	n->ndm_family = AF_BRIDGE;
	n->ndm_ifindex = port;
	n->ndm_state = NUD_NOARP;
	n->ndm_flags = NTF_MASTER;
	(void)put(&r, NDA_LLADDR, mac, 6);
	tell(sock, &r);
}

int floor_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

void floor_link(int inside, int netns_fd, int bridge, unsigned serial)
{
	const int port = FIRST_PORT + (int)serial;
	const uint8_t mac[2][6] = { { 2, 0xFF, 0, 0, (uint8_t)(serial >> 8), (uint8_t)serial },
				    { 2, 0, 0, 0, (uint8_t)(serial >> 8), (uint8_t)serial } };
	int sock = floor_socket();
	pair(sock, port, netns_fd, mac);
	port_of(sock, port, bridge);
	address(inside, serial);
	up(inside, ETH);
	up(sock, port);
	entry(sock, port, mac[1]);
	(void)close(sock);
}
