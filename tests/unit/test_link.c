/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/hosts.h"
#include "harness/sandbox/link_nl.h"
#include "tests/unit/lab.h"
#include "tests/unit/runner.h"

enum { PORT = 4242, WAIT_MS = 5000, FRAME_MAX = 1514, PROC_MAX = 64 << 10 };

static struct sockaddr_in address(struct net_link *l)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(PORT),
				     .sin_addr = { lab_addr(l) } };
}

static int sock(struct lab *lab, size_t node, int domain, int type)
{
	struct err e = { 0 };
	int fd = network_socket(node_netns_fd(lab->node[node]), domain, type, &e);
	ck_assert_msg(fd >= 0, "%s", e.why);
	return fd;
}

static int bound(struct lab *lab, size_t node, int type)
{
	struct sockaddr_in at = address(lab->link[node]);
	int fd = sock(lab, node, AF_INET, type), on = 1;
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	return poll(&p, 1, ms) == 1;
}

static void send_to(struct lab *lab, int fd, size_t node)
{
	struct sockaddr_in to = address(lab->link[node]);
	(void)sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
}

static uint64_t lost(struct net_link *l)
{
	struct err e = { 0 };
	uint64_t n;
	MUST(link_lost_frames(l, &n, &e));
	return n;
}

static bool is_up(struct net_link *l)
{
	struct err e = { 0 };
	bool up;
	MUST(link_is_up(l, &up, &e));
	return up;
}

/* Sends from node 0 to node 1 over TCP; returns the time it took. */
static int64_t transfer(struct lab *lab, size_t total)
{
	static char block[16 << 10];
	struct sockaddr_in to = address(lab->link[1]);
	GUARD(fd) int server = bound(lab, 1, SOCK_STREAM);
	ck_assert_int_eq(listen(server, 1), 0);
	GUARD(fd) int out = sock(lab, 0, AF_INET, SOCK_STREAM);
	ck_assert_int_eq(connect(out, (struct sockaddr *)&to, sizeof(to)), 0);
	GUARD(fd) int in = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(in, 0);
	int64_t begin = clock_now();
	size_t sent = 0, got = 0;
	while (got < total) {
		struct pollfd p[2] = { { .fd = in, .events = POLLIN },
				       { .fd = sent < total ? out : -1, .events = POLLOUT } };
		ck_assert_msg(poll(p, 2, WAIT_MS) > 0, "stalled at %zu of %zu bytes", got, total);
		if ((p[1].revents & POLLOUT) != 0) {
			size_t want = total - sent < sizeof(block) ? total - sent : sizeof(block);
			ssize_t n = send(out, block, want, MSG_DONTWAIT);
			sent += n > 0 ? (size_t)n : 0;
		}
		if ((p[0].revents & POLLIN) != 0) {
			ssize_t n = recv(in, block, sizeof(block), MSG_DONTWAIT);
			ck_assert_int_gt(n, 0);
			got += (size_t)n;
		}
	}
	return clock_now() - begin;
}

START_TEST(bytes_are_counted_at_the_port)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	uint64_t sent[2], received[2], total = 1 << 20;
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	(void)transfer(&lab, total);
	for (size_t i = 0; i < 2; i++)
		MUST(link_bytes(lab.link[i], &sent[i], &received[i], &e));
	/* Each frame has 66 bytes of headers for 1448 of data. */
	ck_assert_uint_gt(sent[0], total);
	ck_assert_uint_lt(sent[0], total + total / 8);
	ck_assert_uint_eq(sent[0], received[1]);
	ck_assert_uint_eq(sent[1], received[0]);
	ck_assert_uint_lt(sent[1], total / 4);
	lab_end(&lab);
}
END_TEST

START_TEST(no_packet_is_larger_than_a_frame)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	char packet[64 << 10];
	size_t data = 0;
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	GUARD(fd) int tap = sock(&lab, 1, AF_PACKET, SOCK_RAW | SOCK_NONBLOCK);
	struct sockaddr_ll all = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int room = 8 << 20;
	ck_assert_int_eq(setsockopt(tap, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)), 0);
	ck_assert_int_eq(bind(tap, (struct sockaddr *)&all, sizeof(all)), 0);
	(void)transfer(&lab, 256 << 10);
	for (ssize_t n; (n = recv(tap, packet, sizeof(packet), MSG_TRUNC)) > 0;) {
		ck_assert_int_le(n, FRAME_MAX);
		ck_assert_msg(ntohs(*(uint16_t *)(void *)(packet + 12)) == ETH_P_IP,
			      "a frame that is not IPv4: neighbours are not static, or IPv6 is on");
		data += (size_t)n;
	}
	ck_assert_uint_gt(data, 256 << 10);
	lab_end(&lab);
}
END_TEST

static uint64_t kernel_rate(const char *port)
{
	struct err e = { 0 };
	struct nl_sock *sk;
	struct lnl_info info;
	uint64_t rate;
	MUST(lnl_open(&sk, &e));
	MUST(lnl_info(sk, 0, port, &info, &e));
	MUST(lnl_rate_get(sk, info.ifindex, &rate, &e));
	lnl_close(sk);
	return rate;
}

START_TEST(rate_holds_and_survives_a_cut)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	const uint64_t rate = 512 << 10;
	lab_begin(&lab, 2);
	lab_links(&lab, rate);
	for (int round = 0; round < 2; round++) {
		/* Faster than the rate allows is a defect; slower may be a busy machine. The
		 * bucket lets 16 KiB of the 384 through at once. */
		int64_t took = transfer(&lab, 384 << 10);
		ck_assert_int_gt(took, NS_PER_S / 2);
		ck_assert_uint_eq(kernel_rate("port-0"), rate);
		ck_assert_uint_eq(kernel_rate("port-1"), rate);
		MUST(link_set_up(lab.link[1], false, &e));
		MUST(link_set_up(lab.link[1], true, &e));
	}
	lab_end(&lab);
}
END_TEST

START_TEST(rates_of_any_size_are_taken)
{
	TEST_NEEDS_ROOT();
	static const uint64_t rates[] = { 1000, 64 << 10, 125000000, UINT64_C(5) << 30 };
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct lab lab;
		lab_begin(&lab, 1);
		lab_links(&lab, rates[i]);
		ck_assert_uint_eq(kernel_rate("port-0"), rates[i]);
		lab_end(&lab);
	}
}
END_TEST

static bool has_carrier(struct lab *lab, size_t node)
{
	GUARD(fd) int fd = sock(lab, node, AF_INET, SOCK_DGRAM);
	struct ifreq r = { .ifr_name = "eth0" };
	ck_assert_int_eq(ioctl(fd, SIOCGIFFLAGS, &r), 0);
	return (r.ifr_flags & IFF_RUNNING) != 0;
}

START_TEST(cut_swallows_and_counts)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	char byte;
	lab_begin(&lab, 3);
	lab_links(&lab, 0);
	int in[3], frames = 10, own = 5;
	for (size_t i = 0; i < 3; i++)
		in[i] = bound(&lab, i, SOCK_DGRAM | SOCK_NONBLOCK);
	MUST(link_prepare_cut(lab.link[1], &e));
	ck_assert(is_up(lab.link[1]));
	ck_assert(has_carrier(&lab, 1));
	ck_assert_uint_eq(lost(lab.link[1]), 0);

	MUST(link_set_up(lab.link[1], false, &e));
	ck_assert(!is_up(lab.link[1]));
	ck_assert(!has_carrier(&lab, 1));
	ck_assert_uint_eq(lost(lab.link[1]), 0);
	for (int i = 0; i < frames; i++)
		send_to(&lab, in[0], 1);
	ck_assert_uint_eq(lost(lab.link[1]), (uint64_t)frames);
	for (int i = 0; i < own; i++)
		send_to(&lab, in[1], 0);
	ck_assert_uint_eq(lost(lab.link[1]), (uint64_t)(frames + own));
	MUST(link_set_up(lab.link[1], false, &e)); /* asked again forgets nothing */
	ck_assert_uint_eq(lost(lab.link[1]), (uint64_t)(frames + own));
	ck_assert_msg(!readable(in[1], 20) && !readable(in[0], 20), "a frame passed the cut");

	/* Others are not touched. */
	ck_assert(is_up(lab.link[0]) && is_up(lab.link[2]));
	send_to(&lab, in[0], 2);
	ck_assert(readable(in[2], WAIT_MS));

	MUST(link_set_up(lab.link[1], true, &e));
	ck_assert(is_up(lab.link[1]));
	send_to(&lab, in[0], 1);
	ck_assert_msg(readable(in[1], WAIT_MS), "the first frame after the cut was lost");
	ck_assert_int_eq(recv(in[1], &byte, 1, 0), 1);
	ck_assert_msg(recv(in[1], &byte, 1, 0) < 0, "frames came back from the cut");
	send_to(&lab, in[1], 0);
	ck_assert_msg(readable(in[0], WAIT_MS), "the node's first frame after the cut was lost");
	ck_assert_uint_eq(lost(lab.link[1]), (uint64_t)(frames + own));
	for (size_t i = 0; i < 3; i++)
		(void)close(in[i]);
	lab_end(&lab);
}
END_TEST

START_TEST(first_frame_passes_after_every_cut)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	char byte;
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	GUARD(fd) int a = bound(&lab, 0, SOCK_DGRAM | SOCK_NONBLOCK);
	GUARD(fd) int b = bound(&lab, 1, SOCK_DGRAM | SOCK_NONBLOCK);
	for (int round = 0; round < 20; round++) {
		MUST(link_set_up(lab.link[1], false, &e));
		MUST(link_set_up(lab.link[1], false, &e)); /* asked twice is the same */
		ck_assert(!is_up(lab.link[1]));
		send_to(&lab, a, 1);
		MUST(link_set_up(lab.link[1], true, &e));
		MUST(link_set_up(lab.link[1], true, &e));
		ck_assert(is_up(lab.link[1]));
		ck_assert_uint_eq(lost(lab.link[1]), (uint64_t)round + 1);
		send_to(&lab, a, 1);
		ck_assert_msg(readable(b, WAIT_MS), "round %d", round);
		ck_assert_int_eq(recv(b, &byte, 1, 0), 1);
		send_to(&lab, b, 0);
		ck_assert_msg(readable(a, WAIT_MS), "round %d", round);
		ck_assert_int_eq(recv(a, &byte, 1, 0), 1);
	}
	lab_end(&lab);
}
END_TEST

/* The kernel's own view, each part of "up" broken by hand. */
START_TEST(is_up_sees_what_others_break)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	struct nl_sock *sk;
	struct lnl_info mine, other;
	static const uint8_t mac[] = { 0x02, 0x00, 10, 9, 0, 1 };
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	MUST(lnl_open(&sk, &e));
	MUST(lnl_info(sk, 0, "port-0", &mine, &e));
	MUST(lnl_info(sk, 0, "port-1", &other, &e));

	ck_assert(is_up(lab.link[0]));
	MUST(lnl_fdb_set(sk, other.ifindex, mac, &e));
	ck_assert(!is_up(lab.link[0]));
	MUST(link_set_up(lab.link[0], true, &e));
	ck_assert(is_up(lab.link[0]));
	MUST(lnl_set_up(sk, mine.ifindex, false, &e));
	ck_assert(!is_up(lab.link[0]));
	MUST(link_set_up(lab.link[0], true, &e));
	ck_assert(is_up(lab.link[0]));
	lnl_close(sk);
	lab_end(&lab);
}
END_TEST

START_TEST(mending_does_not_need_the_node)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	MUST(link_set_up(lab.link[0], false, &e));
	ck_assert_int_eq(lab_sh(&lab, 0, "ip link set eth0 down", NULL), 0);
	MUST(link_set_up(lab.link[0], true, &e));
	ck_assert_msg(is_up(lab.link[0]), "the node's own doing counts as our cut");
	/* A node that is dead, too. */
	MUST(link_set_up(lab.link[1], false, &e));
	ck_assert_uint_eq(node_destroy(lab.node[1], &e), 0);
	lab.count = 1;
	MUST(link_set_up(lab.link[1], true, &e));
	lab_end(&lab);
}
END_TEST

START_TEST(node_sees_one_quiet_interface)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	GUARD_BUF struct buf out = { 0 };
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	ck_assert_int_eq(lab_sh(&lab, 0,
				"cat /proc/net/arp; cat /proc/net/if_inet6; ip -4 addr"
				" show dev eth0; cat /sys/class/net/eth0/address",
				&out),
			 0);
	const char *text = buf_str(&out);
	ck_assert_ptr_nonnull(strstr(text, "inet 10.9.0.1/24 brd 10.9.0.255"));
	ck_assert_ptr_nonnull(strstr(text, "10.9.0.2"));
	ck_assert_ptr_nonnull(strstr(text, "0x6")); /* complete and permanent */
	ck_assert_ptr_nonnull(strstr(text, "02:00:0a:09:00:02"));
	ck_assert_msg(strstr(text, "eth0\n") == NULL || strstr(text, "fe80") == NULL, "%s", text);
	lab_end(&lab);
}
END_TEST

START_TEST(failed_attach_leaves_nothing)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	GUARD_BUF struct buf out = { 0 };
	lab_begin(&lab, 1);
	lab_links(&lab, 0);
	const struct ip ip = { { 10, 9, 0, 9 }, IP4_BYTES, 24 };
	const struct link_spec link = { "lan", &ip, 1, 0 };
	const struct host_spec again = { .name = "again",
					 .netns_fd = node_netns_fd(lab.node[0]),
					 .links = &link,
					 .link_count = 1 };
	ck_assert_int_lt(network_attach(lab.net, &again, &e), 0);
	ck_assert_msg(strstr(e.why, "again") != NULL, "%s", e.why);
	ck_assert_int_eq(e.code, EEXIST);
	ck_assert_ptr_null(network_find(lab.net, "again", NULL));
	ck_assert_ptr_eq(network_find(lab.net, "n0", NULL), lab.link[0]);
	err_clear(&e);
	MUST(io_read_file(AT_FDCWD, "/proc/thread-self/net/dev", PROC_MAX, &out, &e));
	ck_assert_ptr_null(strstr(buf_str(&out), "port-1"));
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "port-0"));
	lab_end(&lab);
}
END_TEST

/* Names of interfaces, as the test runner's own (untouched) namespace has them. */
static void host_interfaces(struct buf *names)
{
	struct err e = { 0 };
	GUARD_BUF struct buf text = { 0 };
	GUARD(mem) char *path = mem_printf("/proc/%d/net/dev", (int)getppid());
	MUST(io_read_file(AT_FDCWD, path, PROC_MAX, &text, &e));
	for (const char *s = buf_str(&text); *s != '\0';) {
		size_t len = strcspn(s, "\n");
		buf_add(names, s, strcspn(s, ":\n"));
		s += len + (s[len] == '\n');
	}
}

START_TEST(host_is_not_touched)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	GUARD_BUF struct buf before = { 0 };
	GUARD_BUF struct buf during = { 0 };
	GUARD_BUF struct buf ours = { 0 };
	host_interfaces(&before);
	lab_begin(&lab, 2);
	lab_links(&lab, 4096);
	MUST(link_set_up(lab.link[0], false, &e));
	host_interfaces(&during);
	ck_assert_str_eq(buf_str(&before), buf_str(&during));
	MUST(io_read_file(AT_FDCWD, "/proc/thread-self/net/dev", PROC_MAX, &ours, &e));
	ck_assert_ptr_nonnull(strstr(buf_str(&ours), "sw0"));
	buf_clear(&ours);
	MUST(io_read_file(AT_FDCWD, "/proc/thread-self/net/if_inet6", PROC_MAX, &ours, &e));
	ck_assert_ptr_null(strstr(buf_str(&ours), "port-"));
	lab_end(&lab);
}
END_TEST

/* Two switches; n1 is the router between n0 (front) and n2 (back), by both families. */
static void lab_routed(struct lab *lab)
{
	static const struct ip front[] = { { { 10, 9, 0, 1 }, IP4_BYTES, 24 },
					   { { 0xFD, [15] = 1 }, IP6_BYTES, 64 } };
	static const struct ip r_front[] = { { { 10, 9, 0, 254 }, IP4_BYTES, 24 },
					     { { 0xFD, [15] = 0xFE }, IP6_BYTES, 64 } };
	static const struct ip r_back[] = { { { 10, 8, 0, 254 }, IP4_BYTES, 24 },
					    { { 0xFD, 1, [15] = 0xFE }, IP6_BYTES, 64 } };
	static const struct ip back[] = { { { 10, 8, 0, 1 }, IP4_BYTES, 24 },
					  { { 0xFD, 1, [15] = 1 }, IP6_BYTES, 64 } };
	static const struct ip any4 = { .len = IP4_BYTES }, any6 = { .len = IP6_BYTES };
	const struct net_route out[] = { { any4, r_front[0] }, { any6, r_front[1] } };
	const struct net_route home[] = { { ip_network(&front[0], false), r_back[0] },
					  { any6, r_back[1] } };
	const struct link_spec links[] = { { "front", front, 2, 0 },
					   { "front", r_front, 2, 0 },
					   { "back", r_back, 2, 0 },
					   { "back", back, 2, 0 } };
	struct host_spec hosts[] = {
		{ .links = &links[0], .link_count = 1, .routes = out, .route_count = 2 },
		{ .links = &links[1], .link_count = 2, .forward = true },
		{ .links = &links[3], .link_count = 1, .routes = home, .route_count = 2 },
	};
	struct err e = { 0 };
	MUST(network_create(&lab->net, &e));
	MUST(network_add_switch(lab->net, "front", 1500, &e));
	MUST(network_add_switch(lab->net, "back", 1400, &e));
	for (size_t i = 0; i < 3; i++) {
		hosts[i].name = node_name(lab->node[i]);
		hosts[i].netns_fd = node_netns_fd(lab->node[i]);
		MUST(network_attach(lab->net, &hosts[i], &e));
	}
	MUST(network_seal(lab->net, &e));
}

static int ping(struct lab *lab, size_t node, const char *to)
{
	GUARD(mem) char *script = mem_printf("ping -c 1 -W 2 %s", to);
	return lab_sh(lab, node, script, NULL);
}

START_TEST(routed_by_both_families)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	GUARD_BUF struct buf out = { 0 };
	lab_begin(&lab, 3);
	lab_routed(&lab);
	ck_assert_int_eq(ping(&lab, 0, "10.9.0.254"), 0);
	ck_assert_int_eq(ping(&lab, 0, "fd00::fe"), 0);
	ck_assert_int_eq(ping(&lab, 0, "10.8.0.1"), 0);
	ck_assert_int_eq(ping(&lab, 0, "fd01::1"), 0);
	ck_assert_int_eq(
		lab_sh(&lab, 1, "cat /sys/class/net/eth0/mtu /sys/class/net/eth1/mtu", &out), 0);
	ck_assert_str_eq(buf_str(&out), "1500\n1400\n");
	/* Only the router goes between. */
	ck_assert_int_eq(lab_sh(&lab, 1, "cat /proc/sys/net/ipv4/ip_forward", &out), 0);
	ck_assert_int_eq(lab_sh(&lab, 0, "cat /proc/sys/net/ipv4/ip_forward", &out), 0);
	ck_assert_str_eq(buf_str(&out), "1500\n1400\n1\n0\n");
	lab_end(&lab);
}
END_TEST

START_TEST(one_of_two_links_is_cut)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	lab_begin(&lab, 3);
	lab_routed(&lab);
	struct net_link *front = network_find(lab.net, "n1", "front");
	struct net_link *back = network_find(lab.net, "n1", "back");
	ck_assert_ptr_ne(front, back);
	ck_assert_str_eq(link_name(back), "n1 on back");
	MUST(link_set_up(back, false, &e));
	ck_assert(is_up(front) && !is_up(back));
	ck_assert_int_eq(ping(&lab, 0, "fd00::fe"), 0);
	ck_assert_uint_eq(lost(front), 0);
	ck_assert_uint_eq(lost(back), 0);
	ck_assert_int_ne(ping(&lab, 2, "fd01::fe"), 0);
	ck_assert_uint_eq(lost(back), 1);
	/* Its host goes down and up meanwhile: the cut one stays cut, routes and neighbours come
	 * back. */
	MUST(network_node_down(lab.net, "n1", &e));
	MUST(node_kill(lab.node[1], &e));
	MUST(node_boot(lab.node[1], &e));
	MUST(network_node_up(lab.net, "n1", node_netns_fd(lab.node[1]), &e));
	ck_assert(is_up(front) && !is_up(back));
	MUST(link_set_up(back, true, &e));
	ck_assert_int_eq(ping(&lab, 0, "fd01::1"), 0);
	ck_assert_int_eq(ping(&lab, 2, "10.9.0.1"), 0);
	lab_end(&lab);
}
END_TEST

/* Nothing moves that no node has sent: not when links come up, nor behind a cut. */
START_TEST(ip6_is_quiet)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	static const char *const links[][2] = {
		{ "n0", "front" }, { "n1", "front" }, { "n1", "back" }, { "n2", "back" }
	};
	lab_begin(&lab, 3);
	lab_routed(&lab);
	for (int round = 0; round < 2; round++) {
		lab_run(&lab, NULL, 1500 * NS_PER_MS); /* reports come within a second */
		for (size_t i = 0; i < 4; i++) {
			uint64_t sent, received;
			struct net_link *l = network_find(lab.net, links[i][0], links[i][1]);
			MUST(link_bytes(l, &sent, &received, &e));
			ck_assert_msg(sent == 0 && received == 0, "%s: %d/%d bytes in round %d",
				      link_name(l), (int)sent, (int)received, round);
			MUST(link_set_up(l, false, &e));
			MUST(link_set_up(l, true, &e));
			ck_assert_uint_eq(lost(l), 0);
		}
	}
	lab_end(&lab);
}
END_TEST

/* Of the present network namespace. */
static unsigned interfaces(void)
{
	struct err e = { 0 };
	GUARD_BUF struct buf text = { 0 };
	unsigned lines = 0;
	MUST(io_read_file(AT_FDCWD, "/proc/self/net/dev", PROC_MAX, &text, &e));
	for (const char *p = buf_str(&text); (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	return lines - 2; /* of heading */
}

START_TEST(a_host_that_is_detached_leaves_nothing)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	lab_begin(&lab, 3);
	lab_links(&lab, 0);
	MUST(link_set_up(lab.link[1], false, &e)); /* it has a sink, then */
	ck_assert_uint_eq(interfaces(), 1 + 1 + 3 + 2);
	(void)node_destroy(lab.node[1], &e);
	lab.node[1] = NULL;
	network_detach(lab.net, "n1");
	network_detach(lab.net, "n1");
	ck_assert_ptr_null(network_find(lab.net, "n1", NULL));
	ck_assert_ptr_eq(network_find(lab.net, "n2", NULL), lab.link[2]);
	for (int i = 0; interfaces() > 1 + 1 + 2 && i < 500; i++) /* the kernel takes a moment */
		lab_run(&lab, NULL, 10 * NS_PER_MS);
	ck_assert_uint_eq(interfaces(), 1 + 1 + 2);
	ck_assert(is_up(lab.link[0]) && is_up(lab.link[2]));
	lab_end(&lab);
}
END_TEST

static bool is_that(void *arg, const char *name)
{
	return strcmp(name, arg) == 0;
}

START_TEST(names_are_those_of_the_nearest_link)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct ip ip;
	char text[IP_TEXT_MAX];
	const char *why = NULL;
	struct err e = { 0 };
	GUARD_BUF struct buf out = { 0 };
	lab_begin(&lab, 3);
	lab_routed(&lab);
	ck_assert(network_resolve(lab.net, "n0", "n1", &ip));
	ck_assert_str_eq(ip_text(&ip, text), "10.9.0.254");
	ck_assert(network_resolve(lab.net, "n2", "n1", &ip));
	ck_assert_str_eq(ip_text(&ip, text), "10.8.0.254");
	ck_assert(network_resolve(lab.net, "n2", "n1.front", &ip));
	ck_assert_str_eq(ip_text(&ip, text), "10.9.0.254");
	ck_assert(!network_resolve(lab.net, "n2", "n0.back", &ip));
	ck_assert(!network_resolve(lab.net, "n2", "n9", &ip));
	char n1[] = "n1";
	network_hosts(lab.net, "n2", is_that, n1, &out);
	ck_assert_ptr_null(strstr(buf_str(&out), "\tn1\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "fd01::fe\tn1.back\n"));
	buf_clear(&out);
	lab_write(&lab, 2, "/etc/hosts", "10.1.1.1 other # n1\n10.1.1.2 n0");
	ck_assert_int_eq(hosts_write(lab.node[2], lab.net, &why, &e), 1);
	ck_assert_int_eq(lab_sh(&lab, 2, "cat /etc/hosts", &out), 0);
	ck_assert_str_eq(buf_str(&out), "10.1.1.1 other # n1\n10.1.1.2 n0\n"
					"10.9.0.1\tn0.front\nfd00::1\tn0.front\n"
					"10.8.0.254\tn1\nfd01::fe\tn1\n"
					"10.9.0.254\tn1.front\nfd00::fe\tn1.front\n"
					"10.8.0.254\tn1.back\nfd01::fe\tn1.back\n"
					"10.8.0.1\tn2\nfd01::1\tn2\n"
					"10.8.0.1\tn2.back\nfd01::1\tn2.back\n");
	lab_end(&lab);
}
END_TEST

Suite *suite_link(void);
Suite *suite_link(void)
{
	Suite *s = suite_create("link");
	TCase *t = tcase_create("link");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, bytes_are_counted_at_the_port);
	tcase_add_test(t, no_packet_is_larger_than_a_frame);
	tcase_add_test(t, rate_holds_and_survives_a_cut);
	tcase_add_test(t, rates_of_any_size_are_taken);
	tcase_add_test(t, cut_swallows_and_counts);
	tcase_add_test(t, first_frame_passes_after_every_cut);
	tcase_add_test(t, is_up_sees_what_others_break);
	tcase_add_test(t, mending_does_not_need_the_node);
	tcase_add_test(t, node_sees_one_quiet_interface);
	tcase_add_test(t, failed_attach_leaves_nothing);
	tcase_add_test(t, host_is_not_touched);
	tcase_add_test(t, routed_by_both_families);
	tcase_add_test(t, one_of_two_links_is_cut);
	tcase_add_test(t, ip6_is_quiet);
	tcase_add_test(t, a_host_that_is_detached_leaves_nothing);
	tcase_add_test(t, names_are_those_of_the_nearest_link);
	suite_add_tcase(s, t);
	return s;
}
