/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/link_nl.h"

#include <assert.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>

/* tbf's bucket: at least this, and at least a fiftieth of a second of the rate, so that a late
 * timer tick costs no throughput. Its queue drops beyond TBF_LIMIT. In bytes. */
enum { TBF_BURST_MIN = 16 << 10, TBF_BURST_PART = 50, TBF_LIMIT = 256 << 10 };
static const uint64_t TBF_BURST_MAX = UINT32_MAX / 2;

int lnl_open(struct nl_sock **ret, struct err *e)
{
	struct nl_sock *sk = nl_socket_alloc();
	if (sk == NULL)
		return ERR(e, 0, "no memory for a netlink socket");
	int rc = nl_connect(sk, NETLINK_ROUTE);
	if (rc < 0) {
		nl_socket_free(sk);
		return ERR(e, 0, "open a route netlink socket: %s", nl_geterror(rc));
	}
	*ret = sk;
	return 0;
}

void lnl_close(struct nl_sock *sk)
{
	if (sk != NULL)
		nl_socket_free(sk);
}

struct answer {
	bool done;
	int code; /* the kernel's own errno: libnl's numbers are coarser */
};

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *arg)
{
	struct answer *a = arg;
	(void)from;
	a->code = -err->error;
	a->done = true;
	return NL_STOP;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	struct answer *a = arg;
	(void)msg;
	a->done = true;
	return NL_STOP;
}

typedef int (*answer_fn)(struct nl_msg *msg, void *arg);

/* Sends and reads until the acknowledgement; `fn` (may be NULL) sees what comes before it.
 * Returns 0, an errno, or -1 when the socket itself failed. Frees the message. */
static int ask(struct nl_sock *sk, struct nl_msg *msg, answer_fn fn, void *arg)
{
	struct answer a = { 0 };
	int rc = nl_send_auto(sk, msg);
	nlmsg_free(msg);
	if (rc < 0)
		return -1;
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	if (cb == NULL)
		return -1;
	(void)nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, &a);
	(void)nl_cb_err(cb, NL_CB_CUSTOM, on_error, &a);
	if (fn != NULL)
		(void)nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, fn, arg);
	rc = 0;
	while (!a.done && rc >= 0)
		rc = nl_recvmsgs(sk, cb);
	nl_cb_put(cb);
	return a.done ? a.code : -1;
}

static int told(struct nl_sock *sk, struct nl_msg *msg, const char *what, struct err *e)
{
	int code = ask(sk, msg, NULL, NULL);
	if (code != 0)
		return ERR(e, code > 0 ? code : 0, "%s", what);
	return 0;
}

/* Messages here are far below a page, so that no nla_put can fail for want of room. */
static struct nl_msg *message(int type, int flags, const void *head, size_t head_len)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK | flags);
	if (msg == NULL || nlmsg_append(msg, (void *)head, head_len, NLMSG_ALIGNTO) < 0)
		abort(); /* out of memory, as in mem.h */
	return msg;
}

static struct nl_msg *link_message(int type, int flags, const struct ifinfomsg *head)
{
	return message(type, flags, head, sizeof(*head));
}

static struct nlattr *nest(struct nl_msg *msg, int type)
{
	struct nlattr *at = nla_nest_start(msg, type);
	if (at == NULL)
		abort();
	return at;
}

static int on_link(struct nl_msg *msg, void *arg)
{
	struct lnl_info *info = arg;
	const struct ifinfomsg *head = nlmsg_data(nlmsg_hdr(msg));
	struct nlattr *tb[IFLA_MAX + 1], *in[IFLA_INFO_MAX + 1], *port[IFLA_BRPORT_MAX + 1];
	if (nlmsg_parse(nlmsg_hdr(msg), sizeof(*head), tb, IFLA_MAX, NULL) < 0)
		return NL_SKIP;
	info->ifindex = head->ifi_index;
	info->flags = head->ifi_flags;
	if (tb[IFLA_OPERSTATE] != NULL)
		info->operstate = nla_get_u8(tb[IFLA_OPERSTATE]);
	if (tb[IFLA_GSO_MAX_SEGS] != NULL)
		info->gso_segs = nla_get_u32(tb[IFLA_GSO_MAX_SEGS]);
	if (tb[IFLA_STATS64] != NULL) {
		struct rtnl_link_stats64 st = { 0 };
		(void)nla_memcpy(&st, tb[IFLA_STATS64], sizeof(st));
		info->rx_bytes = st.rx_bytes;
		info->tx_bytes = st.tx_bytes;
		info->tx_packets = st.tx_packets;
		info->tx_dropped = st.tx_dropped;
	}
	if (tb[IFLA_LINKINFO] == NULL ||
	    nla_parse_nested(in, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) < 0 ||
	    in[IFLA_INFO_SLAVE_DATA] == NULL ||
	    nla_parse_nested(port, IFLA_BRPORT_MAX, in[IFLA_INFO_SLAVE_DATA], NULL) < 0)
		return NL_OK;
	if (port[IFLA_BRPORT_STATE] != NULL)
		info->port_state = nla_get_u8(port[IFLA_BRPORT_STATE]);
	return NL_OK;
}

int lnl_info(struct nl_sock *sk, int ifindex, const char *name, struct lnl_info *ret, struct err *e)
{
	struct ifinfomsg head = { .ifi_index = name == NULL ? ifindex : 0 };
	struct nl_msg *msg = link_message(RTM_GETLINK, 0, &head);
	if (name != NULL)
		(void)nla_put_string(msg, IFLA_IFNAME, name);
	struct lnl_info info = { .port_state = -1 };
	int code = ask(sk, msg, on_link, &info);
	if (code != 0 && name != NULL)
		return ERR(e, code > 0 ? code : 0, "read the interface '%s'", name);
	if (code != 0)
		return ERR(e, code > 0 ? code : 0, "read the interface %d", ifindex);
	*ret = info;
	return 0;
}

int lnl_bridge(struct nl_sock *sk, const char *name, int *ret_ifindex, struct err *e)
{
	struct ifinfomsg head = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct nl_msg *msg = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head);
	(void)nla_put_string(msg, IFLA_IFNAME, name);
	struct nlattr *info = nest(msg, IFLA_LINKINFO);
	(void)nla_put_string(msg, IFLA_INFO_KIND, "bridge");
	struct nlattr *data = nest(msg, IFLA_INFO_DATA);
	(void)nla_put_u32(msg, IFLA_BR_STP_STATE, 0);
	(void)nla_put_u32(msg, IFLA_BR_FORWARD_DELAY, 0);
	(void)nla_put_u32(msg, IFLA_BR_AGEING_TIME, 0);
	(void)nla_put_u8(msg, IFLA_BR_MCAST_SNOOPING, 0);
	(void)nla_nest_end(msg, data);
	(void)nla_nest_end(msg, info);
	if (told(sk, msg, "make the switch (is CONFIG_BRIDGE in this kernel?)", e) < 0)
		return -1;
	struct lnl_info got;
	if (lnl_info(sk, 0, name, &got, e) < 0)
		return -1;
	*ret_ifindex = got.ifindex;
	return 0;
}

static void put_end(struct nl_msg *msg, const struct lnl_end *end)
{
	(void)nla_put_string(msg, IFLA_IFNAME, end->name);
	if (end->mac != NULL)
		(void)nla_put(msg, IFLA_ADDRESS, MAC_BYTES, end->mac);
	if (end->mtu != 0)
		(void)nla_put_u32(msg, IFLA_MTU, end->mtu);
}

int lnl_veth(struct nl_sock *sk, const struct lnl_end *end, const struct lnl_end *peer,
	     int peer_netns, struct err *e)
{
	struct ifinfomsg head = { 0 };
	struct nl_msg *msg = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head);
	put_end(msg, end);
	struct nlattr *info = nest(msg, IFLA_LINKINFO);
	(void)nla_put_string(msg, IFLA_INFO_KIND, "veth");
	struct nlattr *data = nest(msg, IFLA_INFO_DATA);
	struct nlattr *other = nest(msg, VETH_INFO_PEER);
	if (nlmsg_append(msg, &head, sizeof(head), NLMSG_ALIGNTO) < 0)
		abort();
	put_end(msg, peer);
	(void)nla_put_u32(msg, IFLA_GSO_MAX_SEGS, 1);
	if (peer_netns >= 0)
		(void)nla_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)peer_netns);
	(void)nla_nest_end(msg, other);
	(void)nla_nest_end(msg, data);
	(void)nla_nest_end(msg, info);
	return told(sk, msg, "make a veth pair (is CONFIG_VETH in this kernel?)", e);
}

int lnl_set_up(struct nl_sock *sk, int ifindex, bool up, struct err *e)
{
	struct ifinfomsg head = { .ifi_index = ifindex,
				  .ifi_flags = up ? IFF_UP : 0,
				  .ifi_change = IFF_UP };
	return told(sk, link_message(RTM_NEWLINK, 0, &head),
		    up ? "set an interface up" : "set an interface down", e);
}

void lnl_delete(struct nl_sock *sk, int ifindex)
{
	struct ifinfomsg head = { .ifi_index = ifindex };
	(void)ask(sk, link_message(RTM_DELLINK, 0, &head), NULL, NULL);
}

int lnl_enslave(struct nl_sock *sk, int ifindex, int bridge, enum lnl_port kind, struct err *e)
{
	struct ifinfomsg head = { .ifi_index = ifindex };
	struct nl_msg *msg = link_message(RTM_NEWLINK, 0, &head);
	(void)nla_put_u32(msg, IFLA_MASTER, (uint32_t)bridge);
	if (told(sk, msg, "plug a port into the switch", e) < 0)
		return -1;

	msg = link_message(RTM_NEWLINK, 0, &head);
	struct nlattr *info = nest(msg, IFLA_LINKINFO);
	(void)nla_put_string(msg, IFLA_INFO_SLAVE_KIND, "bridge");
	struct nlattr *data = nest(msg, IFLA_INFO_SLAVE_DATA);
	(void)nla_put_u8(msg, IFLA_BRPORT_LEARNING, 0);
	(void)nla_put_u8(msg, IFLA_BRPORT_UNICAST_FLOOD, 0);
	if (kind == LNL_PORT_SINK) {
		(void)nla_put_u8(msg, IFLA_BRPORT_MCAST_FLOOD, 0);
		(void)nla_put_u8(msg, IFLA_BRPORT_BCAST_FLOOD, 0);
	}
	(void)nla_nest_end(msg, data);
	(void)nla_nest_end(msg, info);
	return told(sk, msg, "turn a port's learning and flooding off", e);
}

int lnl_port_forward(struct nl_sock *sk, int ifindex, struct err *e)
{
	struct ifinfomsg head = { .ifi_family = AF_BRIDGE, .ifi_index = ifindex };
	struct nl_msg *msg = link_message(RTM_SETLINK, 0, &head);
	struct nlattr *port = nest(msg, IFLA_PROTINFO | NLA_F_NESTED);
	(void)nla_put_u8(msg, IFLA_BRPORT_STATE, BR_STATE_FORWARDING);
	(void)nla_nest_end(msg, port);
	return told(sk, msg, "let a port of the switch forward", e);
}

int lnl_fdb_set(struct nl_sock *sk, int port, const uint8_t *mac, struct err *e)
{
	/* NOARP is a static entry; PERMANENT would mean the bridge's own address. */
	struct ndmsg head = { .ndm_family = AF_BRIDGE,
			      .ndm_ifindex = port,
			      .ndm_state = NUD_NOARP,
			      .ndm_flags = NTF_MASTER };
	struct nl_msg *msg =
		message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof(head));
	(void)nla_put(msg, NDA_LLADDR, MAC_BYTES, mac);
	return told(sk, msg, "set a forwarding entry of the switch", e);
}

static int on_fdb(struct nl_msg *msg, void *arg)
{
	const struct ndmsg *head = nlmsg_data(nlmsg_hdr(msg));
	*(int *)arg = head->ndm_ifindex;
	return NL_OK;
}

int lnl_fdb_get(struct nl_sock *sk, int bridge, const uint8_t *mac, int *ret_port, struct err *e)
{
	struct ndmsg head = { .ndm_family = AF_BRIDGE };
	struct nl_msg *msg = message(RTM_GETNEIGH, 0, &head, sizeof(head));
	(void)nla_put(msg, NDA_LLADDR, MAC_BYTES, mac);
	(void)nla_put_u32(msg, NDA_MASTER, (uint32_t)bridge);
	int port = 0;
	int code = ask(sk, msg, on_fdb, &port);
	if (code != 0 && code != ENOENT)
		return ERR(e, code > 0 ? code : 0, "read a forwarding entry of the switch");
	*ret_port = port;
	return 0;
}

int lnl_no_arp(struct nl_sock *sk, int ifindex, struct err *e)
{
	struct ifinfomsg head = { .ifi_index = ifindex,
				  .ifi_flags = IFF_NOARP,
				  .ifi_change = IFF_NOARP };
	return told(sk, link_message(RTM_NEWLINK, 0, &head),
		    "turn an interface's address resolution off", e);
}

static unsigned char family(const struct ip *a)
{
	return a->len == IP4_BYTES ? AF_INET : AF_INET6;
}

int lnl_address(struct nl_sock *sk, int ifindex, const struct ip *a, struct err *e)
{
	struct ifaddrmsg head = { .ifa_family = family(a),
				  .ifa_prefixlen = a->prefix,
				  .ifa_index = (uint32_t)ifindex };
	struct nl_msg *msg = message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
	(void)nla_put(msg, IFA_LOCAL, a->len, a->bytes);
	(void)nla_put(msg, IFA_ADDRESS, a->len, a->bytes);
	if (a->len == IP6_BYTES)
		(void)nla_put_u32(msg, IFA_FLAGS, IFA_F_NODAD);
	else if (a->prefix < 31)
		(void)nla_put(msg, IFA_BROADCAST, a->len, ip_network(a, true).bytes);
	return told(sk, msg, "give a node its address", e);
}

int lnl_neighbour(struct nl_sock *sk, int ifindex, const struct ip *a, const uint8_t *mac,
		  struct err *e)
{
	struct ndmsg head = { .ndm_family = family(a),
			      .ndm_ifindex = ifindex,
			      .ndm_state = NUD_PERMANENT };
	struct nl_msg *msg =
		message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof(head));
	(void)nla_put(msg, NDA_DST, a->len, a->bytes);
	(void)nla_put(msg, NDA_LLADDR, MAC_BYTES, mac);
	return told(sk, msg, "tell a node its neighbour", e);
}

int lnl_route(struct nl_sock *sk, const struct ip *to, const struct ip *via, struct err *e)
{
	struct rtmsg head = { .rtm_family = family(via),
			      .rtm_dst_len = to->prefix,
			      .rtm_table = RT_TABLE_MAIN,
			      .rtm_protocol = RTPROT_STATIC,
			      .rtm_scope = RT_SCOPE_UNIVERSE,
			      .rtm_type = RTN_UNICAST };
	struct nl_msg *msg = message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
	if (to->prefix > 0)
		(void)nla_put(msg, RTA_DST, to->len, to->bytes);
	(void)nla_put(msg, RTA_GATEWAY, via->len, via->bytes);
	return told(sk, msg, "give a node a route", e);
}

int lnl_rate(struct nl_sock *sk, int ifindex, uint64_t rate, struct err *e)
{
	assert(rate > 0);
	uint64_t burst = rate / TBF_BURST_PART;
	if (burst < TBF_BURST_MIN)
		burst = TBF_BURST_MIN;
	if (burst > TBF_BURST_MAX)
		burst = TBF_BURST_MAX;
	/* With a link layer named the kernel computes times itself and wants no rate table. */
	struct tc_tbf_qopt opt = {
		.rate = { .linklayer = TC_LINKLAYER_ETHERNET,
			  .rate = rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX },
		.limit = burst > TBF_LIMIT ? (uint32_t)burst : TBF_LIMIT,
	};
	struct tcmsg head = { .tcm_ifindex = ifindex,
			      .tcm_parent = TC_H_ROOT,
			      .tcm_handle = TC_H_MAKE(1U << 16, 0) };
	struct nl_msg *msg =
		message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof(head));
	(void)nla_put_string(msg, TCA_KIND, "tbf");
	struct nlattr *data = nest(msg, TCA_OPTIONS);
	(void)nla_put(msg, TCA_TBF_PARMS, sizeof(opt), &opt);
	(void)nla_put_u32(msg, TCA_TBF_BURST, (uint32_t)burst);
	if (rate >= UINT32_MAX)
		(void)nla_put_u64(msg, TCA_TBF_RATE64, rate);
	(void)nla_nest_end(msg, data);
	if (told(sk, msg, "limit a link's rate (is CONFIG_NET_SCH_TBF in this kernel?)", e) < 0)
		return -1;
	uint64_t got;
	if (lnl_rate_get(sk, ifindex, &got, e) < 0)
		return -1;
	if (got != rate)
		return ERR(e, 0, "asked for a rate of %llu bytes per second, the kernel holds %llu",
			   (unsigned long long)rate, (unsigned long long)got);
	return 0;
}

static int on_qdisc(struct nl_msg *msg, void *arg)
{
	const struct tcmsg *head = nlmsg_data(nlmsg_hdr(msg));
	struct nlattr *tb[TCA_MAX + 1], *opt[TCA_TBF_MAX + 1];
	if (head->tcm_parent != TC_H_ROOT ||
	    nlmsg_parse(nlmsg_hdr(msg), sizeof(*head), tb, TCA_MAX, NULL) < 0 ||
	    tb[TCA_KIND] == NULL || strcmp(nla_get_string(tb[TCA_KIND]), "tbf") != 0 ||
	    tb[TCA_OPTIONS] == NULL ||
	    nla_parse_nested(opt, TCA_TBF_MAX, tb[TCA_OPTIONS], NULL) < 0 ||
	    opt[TCA_TBF_PARMS] == NULL)
		return NL_OK;
	struct tc_tbf_qopt qopt = { 0 };
	(void)nla_memcpy(&qopt, opt[TCA_TBF_PARMS], sizeof(qopt));
	uint64_t *rate = arg;
	*rate = opt[TCA_TBF_RATE64] != NULL ? nla_get_u64(opt[TCA_TBF_RATE64]) : qopt.rate.rate;
	return NL_OK;
}

int lnl_rate_get(struct nl_sock *sk, int ifindex, uint64_t *ret, struct err *e)
{
	struct tcmsg head = { .tcm_ifindex = ifindex, .tcm_parent = TC_H_ROOT };
	uint64_t rate = 0;
	/* Without ECHO the kernel tells the answer only to those who subscribed to changes. */
	struct nl_msg *msg = message(RTM_GETQDISC, NLM_F_ECHO, &head, sizeof(head));
	int code = ask(sk, msg, on_qdisc, &rate);
	/* An interface without a queue of its own has no qdisc to name. */
	if (code != 0 && code != ENOENT)
		return ERR(e, code > 0 ? code : 0, "read the rate of a link");
	*ret = rate;
	return 0;
}
