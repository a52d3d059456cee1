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
#include "harness/sandbox/link_nl.h"
#include "tests/unit/lab.h"
#include "tests/unit/runner.h"

enum { PORT = 4242, WAIT_MS = 5000, FRAME_MAX = 1514, PROC_MAX = 64 << 10 };

static struct sockaddr_in address(struct net_link *l)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(PORT),
				     .sin_addr = { link_addr(l) } };
}

static int sock(struct lab *lab, size_t node, int domain, int type)
{
	struct err e = { 0 };
	int fd = link_socket(node_netns_fd(lab->node[node]), domain, type, &e);
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
	struct net_link *l;
	GUARD_BUF struct buf out = { 0 };
	lab_begin(&lab, 1);
	lab_links(&lab, 0);
	struct link_spec again = { .name = "again",
				   .netns_fd = node_netns_fd(lab.node[0]),
				   .addr = htonl(0x0A090009),
				   .prefix = 24 };
	ck_assert_int_lt(link_attach(lab.net, &again, &l, &e), 0);
	ck_assert_msg(strstr(e.why, "again") != NULL, "%s", e.why);
	ck_assert_int_eq(e.code, EEXIST);
	ck_assert_ptr_null(switch_find(lab.net, "again"));
	ck_assert_ptr_eq(switch_find(lab.net, "n0"), lab.link[0]);
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
	suite_add_tcase(s, t);
	return s;
}
