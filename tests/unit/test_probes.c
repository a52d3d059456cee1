/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/probes/probe.h"
#include "tests/unit/lab.h"
#include "tests/unit/runner.h"

enum { PORT = 8080, LONG_MS = 10000, SHORT_MS = 150 };

static const struct probe_kind *kind(const char *name)
{
	for (size_t i = 0; probe_kinds[i] != NULL; i++) {
		if (strcmp(probe_kinds[i]->kind.name, name) == 0)
			return probe_kinds[i];
	}
	ck_abort_msg("no probe %s", name);
}

struct asked {
	bool done, in_start;
	unsigned times;
	struct probe_result result;
};

static void on_done(void *arg, const struct probe_result *r)
{
	struct asked *a = arg;
	ck_assert_msg(!a->in_start, "answered inside start()");
	a->result = *r;
	a->times++;
	a->done = true;
}

/* Decoded strings live in the documents. */
struct decoded {
	struct arena *arena;
	struct json_doc *params, *expect;
};

/* The parameters as a scenario would write them, "http://web/" and {"status": 404}. */
static const void *decode(struct decoded *d, const struct probe_kind *k, const char *params,
			  const char *expect)
{
	struct err e = { 0 };
	d->arena = arena_create();
	void *out = arena_alloc(d->arena, k->kind.size);
	MUST(json_parse(&d->params, "params", params, strlen(params), &e));
	MUST(json_parse(&d->expect, "expect", expect, strlen(expect), &e));
	struct param_ctx c = { .arena = d->arena, .doc = d->params, .dir = "." };
	MUST(param_decode(&c, k->kind.params, k->kind.shorthand, json_root(d->params), out, NULL,
			  &e));
	c.doc = d->expect;
	MUST(param_decode(&c, k->kind.expect, NULL, json_root(d->expect), out, NULL, &e));
	return out;
}

static void decoded_free(struct decoded *d)
{
	json_doc_free(d->params);
	json_doc_free(d->expect);
	arena_destroy(d->arena);
}

struct question {
	const char *kind, *params, *expect;
	int timeout_ms;
};

/* Asked from node 0. */
static struct probe_result ask(struct lab *lab, const struct question *q)
{
	struct err e = { 0 };
	struct asked a = { .in_start = true };
	struct probe_call *call = NULL;
	struct decoded d;
	const struct probe_kind *k = kind(q->kind);
	struct probe_env env = { .loop = lab->loop, .node = lab->node[0], .net = lab->net };
	const void *params = decode(&d, k, q->params, q->expect != NULL ? q->expect : "{}");
	int64_t before = clock_now();
	MUST(k->start(&call, &env, params, q->timeout_ms * NS_PER_MS, on_done, &a, &e));
	a.in_start = false;
	lab_run(lab, &a.done, 20 * NS_PER_S);
	ck_assert_int_ge(a.result.started, before);
	ck_assert_int_ge(a.result.ended, a.result.started);
	lab_run(lab, NULL, 5 * NS_PER_MS); /* nothing more may come */
	k->end(call);
	ck_assert_uint_eq(a.times, 1);
	decoded_free(&d);
	return a.result;
}

static void check(const struct probe_result *r, bool ok, const char *detail, const char *what)
{
	ck_assert_msg(r->ok == ok, "%s: %s", what, r->detail);
	ck_assert_msg(strstr(r->detail, detail) != NULL, "%s: \"%s\", not \"%s\"", what, r->detail,
		      detail);
}

/* A server of a few canned bytes in node 1. */
struct canned {
	struct lab *lab;
	int listener, peer;
	struct loop_src *src[2];
	const char *bytes;
	size_t len;
	bool keep_open;
};

static void on_request(void *arg, uint32_t events)
{
	struct canned *c = arg;
	char request[1024];
	(void)events;
	ssize_t n = recv(c->peer, request, sizeof(request) - 1, 0);
	if (n > 0 && c->len > 0 && memmem(request, (size_t)n, "\r\n\r\n", 4) != NULL) {
		request[n] = '\0';
		ck_assert_msg(strstr(request, "\r\nConnection: close\r\n") != NULL, "%s", request);
		(void)send(c->peer, c->bytes, c->len, MSG_NOSIGNAL);
	}
	if (n > 0 && c->keep_open)
		return;
	loop_remove(c->src[1]);
	c->src[1] = NULL;
	guard_fd(&c->peer);
	c->peer = -1;
}

static void on_connection(void *arg, uint32_t events)
{
	struct canned *c = arg;
	struct err e = { 0 };
	(void)events;
	c->peer = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(c->peer, 0);
	MUST(loop_add_fd(c->lab->loop, c->peer, EPOLLIN, on_request, c, &c->src[1], &e));
}

static void canned_begin(struct canned *c, struct lab *lab)
{
	struct err e = { 0 };
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(PORT),
				  .sin_addr = { lab_addr(lab->link[1]) } };
	*c = (struct canned){ .lab = lab, .peer = -1 };
	c->listener = network_socket(node_netns_fd(lab->node[1]), AF_INET, SOCK_STREAM, &e);
	MUST(c->listener);
	ck_assert_int_eq(bind(c->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(c->listener, 4), 0);
	MUST(loop_add_fd(lab->loop, c->listener, EPOLLIN, on_connection, c, &c->src[0], &e));
}

static void canned_end(struct canned *c)
{
	loop_remove(c->src[0]);
	loop_remove(c->src[1]);
	guard_fd(&c->peer);
	guard_fd(&c->listener);
}

START_TEST(http_judges_what_the_server_says)
{
	TEST_NEEDS_ROOT();
	static const struct {
		const char *answer, *expect;
		bool keep_open, ok;
		const char *detail;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", NULL, true, true, "HTTP 200" },
		{ "HTTP/1.0 200 OK\r\n\r\nhi", NULL, false, true, "HTTP 200" },
		{ "HTTP/1.1 503 no\r\nContent-Length: 0\r\n\r\n", NULL, true, false,
		  "HTTP 503, want 200" },
		{ "HTTP/1.1 404 no\r\nContent-Length: 0\r\n\r\n", "{\"status\":404}", true, true,
		  "HTTP 404" },
		{ "HTTP/1.1 204 none\r\n\r\n", "{\"status\":204}", true, true, "HTTP 204" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nold world", "{\"body\":\"d w\"}",
		  true, true, "HTTP 200" },
		{ "HTTP/1.1 200 OK\r\nX: new\r\nContent-Length: 9\r\n\r\nold world",
		  "{\"body\":\"new\"}", true, false, "HTTP 200, but its body lacks \"new\"" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nold\r\n6\r\n worl"
		  "d\r\n0\r\n\r\n",
		  "{\"body\":\"old world\"}", true, true, "HTTP 200" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", NULL, true, false,
		  "not an HTTP answer: a chunk has no size" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nold", NULL, false, false,
		  "answer cut short after" },
		{ "SSH-2.0-OpenSSH\r\n", NULL, true, false, "not an HTTP answer: no HTTP status" },
		{ "HTTP/1.1 2000 OK\r\n\r\n", NULL, true, false, "no HTTP status line" },
		{ "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", NULL, true, false, "no name" },
		{ "", NULL, false, false, "closed without an answer" },
	};
	struct lab lab;
	struct canned c;
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	canned_begin(&c, &lab);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c.bytes = cases[i].answer;
		c.len = strlen(cases[i].answer);
		c.keep_open = cases[i].keep_open;
		struct question q = { "http", "\"http://n1:8080/x\"", cases[i].expect, LONG_MS };
		struct probe_result r = ask(&lab, &q);
		check(&r, cases[i].ok, cases[i].detail, cases[i].answer);
	}
	canned_end(&c);
	lab_end(&lab);
}
END_TEST

START_TEST(http_reads_at_most_64_kib)
{
	TEST_NEEDS_ROOT();
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n";
	struct lab lab;
	struct canned c;
	GUARD_BUF struct buf b = { 0 };
	buf_puts(&b, head);
	while (b.len < 80000)
		buf_puts(&b, "abcdefgh");
	buf_puts(&b, "needle");
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	canned_begin(&c, &lab);
	c.bytes = b.data;
	c.len = b.len;
	c.keep_open = true;
	struct question q = { "http", "\"http://n1:8080\"", NULL, LONG_MS };
	struct probe_result r = ask(&lab, &q);
	check(&r, true, "HTTP 200", "long answer");
	q.expect = "{\"body\":\"needle\"}";
	r = ask(&lab, &q);
	check(&r, false, "the first 64 KiB of its body lacks", "long answer, late text");
	memset(b.data + sizeof(head) - 3, 'x', b.len - sizeof(head)); /* the headers never end */
	r = ask(&lab, &q);
	check(&r, false, "headers are longer", "endless headers");
	canned_end(&c);
	lab_end(&lab);
}
END_TEST

START_TEST(refusals_and_timeouts_are_answers)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	struct canned c;
	struct probe_result r;
	static const struct question refused[] = {
		{ "http", "\"http://10.9.0.2:81/\"", NULL, LONG_MS },
		{ "http", "\"http://localhost/\"", NULL, LONG_MS },
		{ "tcp", "\"n1:81\"", NULL, LONG_MS },
		{ "tcp", "{\"address\":\"127.0.0.1:81\"}", NULL, LONG_MS },
	};
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		r = ask(&lab, &refused[i]);
		check(&r, false, "connection refused", refused[i].params);
	}
	canned_begin(&c, &lab);
	c.keep_open = true; /* and says nothing */
	r = ask(&lab, &(struct question){ "http", "\"http://n1:8080/\"", NULL, SHORT_MS });
	check(&r, false, "timed out after 150 ms (waiting for the answer)", "silent server");
	ck_assert_int_ge(r.ended - r.started, SHORT_MS * NS_PER_MS);
	r = ask(&lab, &(struct question){ "tcp", "\"n1:8080\"", NULL, LONG_MS });
	check(&r, true, "connected", "tcp");
	MUST(link_prepare_cut(lab.link[1], &e));
	MUST(link_set_up(lab.link[1], false, &e));
	r = ask(&lab, &(struct question){ "http", "\"http://n1:8080/\"", NULL, SHORT_MS });
	check(&r, false, "timed out after 150 ms (connecting)", "cut link, http");
	r = ask(&lab, &(struct question){ "tcp", "\"n1:8080\"", NULL, SHORT_MS });
	check(&r, false, "timed out after 150 ms (connecting)", "cut link, tcp");
	canned_end(&c);
	lab_end(&lab);
}
END_TEST

START_TEST(http_reads_a_real_server)
{
	TEST_NEEDS_ROOT();
	struct err e = { 0 };
	struct lab lab;
	struct proc *server = NULL;
	static const char *const argv[] = { "httpd", "-f", "-p", "80", "-h", "/srv", NULL };
	struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	lab_write(&lab, 1, "/srv/index.html", "hello from the node\n");
	MUST(node_spawn(lab.node[1], &spec, NULL, NULL, &server, &e));
	struct question up = { "tcp", "\"n1:80\"", NULL, LONG_MS };
	int64_t give_up = clock_now() + 20 * NS_PER_S;
	while (!ask(&lab, &up).ok)
		ck_assert_int_lt(clock_now(), give_up);
	struct probe_result r =
		ask(&lab, &(struct question){ "http", "\"http://n1/\"",
					      "{\"body\":\"from the node\"}", LONG_MS });
	check(&r, true, "HTTP 200", "httpd");
	r = ask(&lab, &(struct question){ "http", "\"http://n1/none\"", NULL, LONG_MS });
	check(&r, false, "HTTP 404, want 200", "httpd");
	proc_free(server);
	lab_end(&lab);
}
END_TEST

START_TEST(unknown_hosts_are_errors)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	static const struct {
		const char *kind, *params;
	} cases[] = {
		{ "http", "\"http://nowhere/\"" },
		{ "tcp", "\"nowhere:80\"" },
	};
	lab_begin(&lab, 1);
	struct probe_env env = { .loop = lab.loop, .node = lab.node[0] };
	for (size_t i = 0; i < 2; i++) {
		struct err e = { 0 };
		struct asked a = { 0 };
		struct probe_call *call = NULL;
		struct decoded d;
		const struct probe_kind *k = kind(cases[i].kind);
		const void *p = decode(&d, k, cases[i].params, "{}");
		ck_assert_int_eq(k->start(&call, &env, p, NS_PER_S, on_done, &a, &e), -1);
		ck_assert_ptr_null(call);
		ck_assert_int_eq(e.exit, EXIT_BAD_SCENARIO);
		ck_assert_ptr_nonnull(strstr(e.why, "'nowhere'"));
		decoded_free(&d);
	}
	lab_end(&lab);
}
END_TEST

START_TEST(run_judges_exit_code_and_output)
{
	TEST_NEEDS_ROOT();
	static const struct {
		const char *run, *expect;
		bool ok;
		const char *detail;
	} cases[] = {
		{ "\"true\"", NULL, true, "exit 0" },
		{ "\"echo fine; echo more\"", NULL, true, "exit 0: fine" },
		{ "\"echo broken >&2; exit 3\"", NULL, false, "exit 3, want 0: broken" },
		{ "\"exit 3\"", "{\"exit\":3}", true, "exit 3" },
		{ "\"false; echo not here\"", NULL, false, "exit 1, want 0" },
		{ "\"true\"", "{\"stdout\":\"\"}", true, "exit 0" },
		{ "\"echo x\"", "{\"stdout\":\"\"}", false, "stdout is not \"\": x" },
		{ "\"echo noise >&2\"", "{\"stdout\":\"\"}", true, "exit 0" },
		{ "\"echo a; echo b\"", "{\"stdout\":\"a\\nb\"}", true, "exit 0: a" },
		{ "\"printf 'a\\\\n\\\\n'\"", "{\"stdout\":\"a\"}", false, "stdout is not" },
		{ "\"no-such-program\"", NULL, false, "exit 127" },
		{ "\"kill -TERM $$\"", NULL, false, "killed by SIGTERM" },
		{ "\"sleep 60 & echo bg\"", "{\"stdout\":\"bg\"}", true, "exit 0: bg" },
		{ "\"yes | head -c 200000\"", "{\"stdout\":\"y\"}", false,
		  "printed more than 64 KiB: y" },
		{ "\"yes | head -c 60000; yes >&2 & sleep 1; kill $!\"", NULL, true, "exit 0: y" },
	};
	struct lab lab;
	lab_begin(&lab, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct question q = { "run", cases[i].run, cases[i].expect, LONG_MS };
		struct probe_result r = ask(&lab, &q);
		check(&r, cases[i].ok, cases[i].detail, cases[i].run);
	}
	lab_end(&lab);
}
END_TEST

static int processes(struct lab *lab)
{
	struct err e = { 0 };
	pid_t pids[16];
	int n = node_processes(lab->node[0], pids, 16, &e);
	MUST(n);
	return n;
}

START_TEST(run_kills_what_takes_too_long)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	lab_begin(&lab, 1);
	struct question q = { "run", "\"echo x; sleep 61 | sleep 62\"", NULL, SHORT_MS };
	struct probe_result r = ask(&lab, &q);
	check(&r, false, "timed out after 150 ms (running)", "sleep");
	int64_t give_up = clock_now() + 10 * NS_PER_S;
	while (processes(&lab) > 0 && clock_now() < give_up)
		lab_run(&lab, NULL, 5 * NS_PER_MS);
	ck_assert_int_eq(processes(&lab), 0);
	lab_end(&lab);
}
END_TEST

START_TEST(run_without_a_shell_is_an_answer)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	lab_begin(&lab, 1);
	ck_assert_int_eq(lab_sh(&lab, 0, "rm /bin/sh", NULL), 0);
	struct probe_result r = ask(&lab, &(struct question){ "run", "\"true\"", NULL, LONG_MS });
	check(&r, false, "cannot start: ", "no shell");
	lab_end(&lab);
}
END_TEST

START_TEST(an_ended_call_says_nothing_more)
{
	TEST_NEEDS_ROOT();
	static const struct question cases[] = {
		{ "run", "\"sleep 60\"", NULL, SHORT_MS },
		{ "http", "\"http://n1:8080/\"", NULL, SHORT_MS },
		{ "tcp", "\"n1:8080\"", NULL, SHORT_MS },
	};
	struct lab lab;
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	struct probe_env env = { .loop = lab.loop, .node = lab.node[0], .net = lab.net };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = { 0 };
		struct asked a = { 0 };
		struct probe_call *call = NULL;
		struct decoded d;
		const struct probe_kind *k = kind(cases[i].kind);
		const void *p = decode(&d, k, cases[i].params, "{}");
		MUST(k->start(&call, &env, p, SHORT_MS * NS_PER_MS, on_done, &a, &e));
		k->end(call);
		k->end(NULL);
		lab_run(&lab, NULL, 2 * SHORT_MS * NS_PER_MS);
		ck_assert_uint_eq(a.times, 0);
		decoded_free(&d);
	}
	ck_assert_int_eq(processes(&lab), 0);
	lab_end(&lab);
}
END_TEST

START_TEST(addresses_are_checked_beforehand)
{
	static const struct {
		const char *kind, *params, *complaint; /* NULL: fine */
	} cases[] = {
		{ "http", "\"http://web/\"", NULL },
		{ "http", "\"http://10.0.0.1:8080/a?b=c\"", NULL },
		{ "http", "\"http://web?x\"", NULL },
		{ "http", "\"https://web/\"", "https:// is not offered" },
		{ "http", "\"web\"", "begins with http://" },
		{ "http", "\"http://\"", "host is missing" },
		{ "http", "\"http://web:0/\"", "port must be a number from 1" },
		{ "http", "\"http://web:99999999999999999999/\"", "port must be a number from 1" },
		{ "http", "\"http://web:x/\"", "port must be a number" },
		{ "http", "\"http://me@web/\"", "host must be" },
		{ "http", "\"http://web/a b\"", "no spaces" },
		{ "http", "\"http://web/\\r\\nX: y\"", "no spaces" },
		{ "http", "\"http://web/#top\"", "fragment" },
		{ "tcp", "\"web:22\"", NULL },
		{ "tcp", "\"web\"", "port is missing" },
		{ "tcp", "\":22\"", "host is missing" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct decoded d;
		const struct probe_kind *k = kind(cases[i].kind);
		const char *got = k->kind.check(decode(&d, k, cases[i].params, "{}"));
		if (cases[i].complaint == NULL)
			ck_assert_msg(got == NULL, "%s: %s", cases[i].params, got);
		else
			ck_assert_msg(got != NULL && strstr(got, cases[i].complaint) != NULL,
				      "%s: %s", cases[i].params, got != NULL ? got : "accepted");
		decoded_free(&d);
	}
}
END_TEST

Suite *suite_probes(void);
Suite *suite_probes(void)
{
	const TTest *const tests[] = {
		http_judges_what_the_server_says,  http_reads_at_most_64_kib,
		refusals_and_timeouts_are_answers, http_reads_a_real_server,
		unknown_hosts_are_errors,          run_judges_exit_code_and_output,
		run_kills_what_takes_too_long,     run_without_a_shell_is_an_answer,
		an_ended_call_says_nothing_more,   addresses_are_checked_beforehand,
	};
	Suite *s = suite_create("probes");
	TCase *t = tcase_create("probes");
	tcase_set_timeout(t, 60);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(t, tests[i]);
	suite_add_tcase(s, t);
	return s;
}
