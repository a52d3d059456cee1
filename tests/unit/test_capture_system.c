/* SPDX-License-Identifier: MIT */
/* Processes, the numbers that pid files hold, sockets. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "tests/unit/capture_fixture.h"
#include "tests/unit/runner.h"

START_TEST(processes)
{
	TEST_NEEDS_ROOT();
	struct bench b;
	bench_open(&b);
	struct node *n = bench_node(&b, "n", NULL);
	GUARD_BUF struct buf line = { 0 };
	ck_assert_int_eq(bench_sh(n,
				  "cp /bin/busybox /srv/daemon; ln -s daemon /srv/sleep;"
				  "for i in 1 2; do /srv/sleep 1000 & done; echo $! >/run/s.pid;"
				  "(sleep 0 & exec /bin/sleep 999) & sleep 0.3",
				  NULL),
			 0);
	capture_line_of(n, "{\"kind\":\"process\",\"key\":\"/srv/", &line);
	ck_assert_str_eq(buf_str(&line), "{\"kind\":\"process\",\"key\":\"/srv/daemon uid=0 "
					 "/srv/sleep 1000\",\"n\":2}");
	capture_line_of(n, F("/run/s.pid"), &line);
	ck_assert_ptr_nonnull(strstr(buf_str(&line), OWN ",\"pid\":\"live:/srv/daemon\"}"));
	capture_line_of(n, "{\"kind\":\"process\",\"key\":\"zombie", &line);
	ck_assert_str_eq(buf_str(&line), "{\"kind\":\"process\",\"key\":\"zombie sleep\",\"n\":1}");
	/* The program is replaced under the running daemon, as an upgrade does. */
	ck_assert_int_eq(bench_sh(n, "cp /srv/daemon /srv/t; mv /srv/t /srv/daemon", NULL), 0);
	capture_line_of(n, "{\"kind\":\"process\",\"key\":\"/srv/", &line);
	ck_assert_str_eq(buf_str(&line),
			 "{\"kind\":\"process\",\"key\":\"/srv/daemon (deleted) uid=0 "
			 "/srv/sleep 1000\",\"n\":2}");
	ck_assert_int_eq(bench_sh(n, "kill -9 $(cat /run/s.pid); sleep 0.1", NULL), 0);
	capture_line_of(n, F("/run/s.pid"), &line);
	ck_assert_ptr_nonnull(strstr(buf_str(&line), OWN ",\"pid\":\"stale\"}"));
	bench_close_with(&b, n);
}
END_TEST

/* Sockets in the node's network, held by a child of ours that is no process of the node. */
static const struct {
	int family, type;
	const char *address;
	unsigned port;
	const char *line;
} sockets[] = {
	{ AF_INET, SOCK_STREAM, "127.0.0.1", 80, "tcp 127.0.0.1:80\",\"n\":1" },
	{ AF_INET, SOCK_STREAM, "0.0.0.0", 65535, "tcp 0.0.0.0:65535\",\"n\":2" },
	{ AF_INET, SOCK_STREAM, "0.0.0.0", 65535, "tcp 0.0.0.0:65535\",\"n\":2" },
	{ AF_INET6, SOCK_STREAM, "::1", 81, "tcp6 [::1]:81\",\"n\":1" },
	{ AF_INET, SOCK_DGRAM, "127.0.0.2", 53, "udp 127.0.0.2:53\",\"n\":1" },
	{ AF_INET6, SOCK_DGRAM, "::", 54, "udp6 [::]:54\",\"n\":1" },
	{ AF_UNIX, SOCK_STREAM, "", 0, "unix @drill name\",\"n\":1" },
};

static int open_socket(size_t i)
{
	struct sockaddr_storage a = { .ss_family = (sa_family_t)sockets[i].family };
	struct sockaddr_in *in = (void *)&a;
	struct sockaddr_in6 *in6 = (void *)&a;
	struct sockaddr_un *un = (void *)&a;
	socklen_t len = sockets[i].family == AF_INET ? sizeof(*in) : sizeof(*in6);
	int one = 1, fd = socket(sockets[i].family, sockets[i].type | SOCK_CLOEXEC, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (sockets[i].family == AF_UNIX) {
		static const char name[] = "drill name";
		memcpy(un->sun_path + 1, name, sizeof(name) - 1);
		len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(name));
	} else if (sockets[i].family == AF_INET) {
		in->sin_port = htons((uint16_t)sockets[i].port);
		(void)inet_pton(AF_INET, sockets[i].address, &in->sin_addr);
	} else {
		in6->sin6_port = htons((uint16_t)sockets[i].port);
		(void)inet_pton(AF_INET6, sockets[i].address, &in6->sin6_addr);
	}
	return bind(fd, (struct sockaddr *)&a, len);
}

START_TEST(listening)
{
	TEST_NEEDS_ROOT();
	struct bench b;
	bench_open(&b);
	struct node *n = bench_node(&b, "n", NULL);
	GUARD_BUF struct buf line = { 0 };
	int ready[2];
	char byte;
	ck_assert_int_eq(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (setns(node_netns_fd(n), CLONE_NEWNET) < 0)
			_exit(1);
		for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++)
			if (open_socket(i) < 0)
				_exit(2);
		for (int fd = 3; fd < 256; fd++)
			(void)listen(fd, 1);
		(void)!write(ready[1], "r", 1);
		(void)pause();
		_exit(0);
	}
	(void)close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
		GUARD(mem)
		char *want = mem_printf("{\"kind\":\"listen\",\"key\":\"%s}", sockets[i].line);
		capture_line_of(n, want, &line);
		ck_assert_str_eq(buf_str(&line), want);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	capture_line_of(n, "{\"kind\":\"listen\"", &line);
	ck_assert_uint_eq(line.len, 0);
	bench_close_with(&b, n);
}
END_TEST

Suite *suite_capture_system(void);
Suite *suite_capture_system(void)
{
	Suite *s = suite_create("capture_system");
	TCase *t = tcase_create("capture_system");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, processes);
	tcase_add_test(t, listening);
	suite_add_tcase(s, t);
	return s;
}
