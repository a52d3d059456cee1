/* SPDX-License-Identifier: MIT */
/* Probe http: GET a page over plain HTTP/1.1, look at the status and at the body. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "harness/base/clock.h"
#include "harness/probes/connect.h"
#include "harness/probes/http_answer.h"
#include "harness/probes/probe.h"

enum { HTTP_PORT = 80, URL_MAX = 2048 /* bytes */, READ_CHUNK = 8 << 10 /* bytes */ };

struct http_params {
	const char *url;
	uint64_t status;
	const char *body; /* NULL: any */
};

static const struct param http_params[] = {
	{ .name = "url",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct http_params, url),
	  .required = true,
	  .help = "\"http://HOST[:PORT]/PATH\"; the host is a node or an IPv4 address" },
	{ 0 },
};

static const struct param http_expect[] = {
	{ .name = "status",
	  .type = PARAM_UINT,
	  .offset = offsetof(struct http_params, status),
	  .def = "200",
	  .min = 100,
	  .max = 999,
	  .help = "status code of the answer" },
	{ .name = "body",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct http_params, body),
	  .help = "text that the first 64 KiB of the answer must contain" },
	{ 0 },
};

enum http_phase { PHASE_CONNECTING, PHASE_SENDING, PHASE_WAITING };
static const char *const phase_text[] = { "connecting", "sending", "waiting for the answer" };

struct probe_call {
	struct asking asking;
	struct connecting connecting;
	struct loop_src *src;
	enum http_phase phase;
	struct buf request, answer;
	size_t sent;
	uint64_t want_status;
	char *want_body; /* NULL: any */
};

struct url {
	struct host_port to;
	const char *authority; /* "host:port" as written */
	size_t authority_len;
	const char *path; /* "" means "/" */
};

static const char *url_parse(const char *text, struct url *ret)
{
	static const char scheme[] = "http://";
	if (strncmp(text, "https://", 8) == 0)
		return "https:// is not offered: probe plain http://, or use a run probe";
	if (strncmp(text, scheme, sizeof(scheme) - 1) != 0)
		return "a URL begins with http://, for example \"http://web/\"";
	if (strlen(text) > URL_MAX)
		return "a URL is at most 2048 bytes long";
	ret->authority = text + sizeof(scheme) - 1;
	ret->authority_len = strcspn(ret->authority, "/?#");
	ret->path = ret->authority + ret->authority_len;
	for (const char *p = ret->path; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~')
			return "a URL holds no spaces and only ASCII: write %20 and the like";
		if (*p == '#')
			return "leave out the URL's #fragment: it is never sent";
	}
	return host_port_parse(ret->authority, ret->authority_len, HTTP_PORT, &ret->to);
}

static const char *http_check(const void *params)
{
	const struct http_params *p = params;
	struct url url;
	return url_parse(p->url, &url);
}

static void http_stop(void *arg)
{
	struct probe_call *c = arg;
	loop_remove(c->src);
	c->src = NULL;
	connecting_end(&c->connecting);
}

static void http_late(void *arg)
{
	struct probe_call *c = arg;
	asking_answer(&c->asking, false, "timed out after %lld ms (%s)",
		      (long long)(c->asking.timeout_ns / NS_PER_MS), phase_text[c->phase]);
}

static void judge(struct probe_call *c, const struct http_answer *a, bool is_long)
{
	if (a->status != c->want_status)
		asking_answer(&c->asking, false, "HTTP %u, want %llu", a->status,
			      (unsigned long long)c->want_status);
	else if (c->want_body != NULL &&
		 (a->body.len == 0 ||
		  memmem(a->body.data, a->body.len, c->want_body, strlen(c->want_body)) == NULL))
		asking_answer(&c->asking, false, "HTTP %u, but %s lacks \"%.80s\"", a->status,
			      is_long ? "the first 64 KiB of its body" : "its body", c->want_body);
	else
		asking_answer(&c->asking, true, "HTTP %u", a->status);
}

static void on_bytes(struct probe_call *c, bool closed)
{
	struct http_answer a = { 0 };
	enum http_progress p = http_answer_parse(&a, buf_str(&c->answer), c->answer.len, closed);
	if (p == HTTP_WHOLE || p == HTTP_LONG)
		judge(c, &a, p == HTTP_LONG);
	else if (p == HTTP_GARBAGE)
		asking_answer(&c->asking, false, "not an HTTP answer: %s", a.why);
	else if (p == HTTP_CUT)
		asking_answer(&c->asking, false, "%s after %zu bytes",
			      c->answer.len == 0 ? "closed without an answer" : "answer cut short",
			      c->answer.len);
	http_answer_free(&a);
}

static void on_readable(struct probe_call *c)
{
	char chunk[READ_CHUNK];
	ssize_t n = recv(c->connecting.fd, chunk, sizeof(chunk), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		asking_answer(&c->asking, false, "%s (%s)", strerror(errno), phase_text[c->phase]);
		return;
	}
	size_t room = HTTP_ANSWER_MAX - c->answer.len;
	buf_add(&c->answer, chunk, (size_t)n < room ? (size_t)n : room);
	on_bytes(c, n == 0); /* may free c */
}

static int http_watch(struct probe_call *c, uint32_t events, loop_fd_fn fn, struct err *e)
{
	loop_remove(c->src);
	c->src = NULL;
	return loop_add_fd(c->asking.loop, c->connecting.fd, events, fn, c, &c->src, e);
}

static void on_readable_event(void *arg, uint32_t events)
{
	(void)events;
	on_readable(arg);
}

static void on_writable(void *arg, uint32_t events)
{
	struct probe_call *c = arg;
	struct err e = { 0 };
	(void)events;
	ssize_t n = send(c->connecting.fd, buf_str(&c->request) + c->sent, c->request.len - c->sent,
			 MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		asking_answer(&c->asking, false, "%s (sending)", strerror(errno));
		return;
	}
	c->sent += (size_t)n;
	if (c->sent < c->request.len)
		return;
	c->phase = PHASE_WAITING;
	if (http_watch(c, EPOLLIN, on_readable_event, &e) < 0)
		asking_answer(&c->asking, false, "probe: %s", e.why);
}

static void http_connected(void *arg)
{
	struct probe_call *c = arg;
	struct err e = { 0 };
	c->phase = PHASE_SENDING;
	if (http_watch(c, EPOLLOUT, on_writable, &e) < 0)
		asking_answer(&c->asking, false, "probe: %s", e.why);
}

static void http_end(struct probe_call *c)
{
	if (c == NULL)
		return;
	asking_end(&c->asking);
	buf_free(&c->request);
	buf_free(&c->answer);
	free(c->want_body);
	free(c);
}

static int http_start(struct probe_call **ret, const struct probe_env *env, const void *params,
		      int64_t timeout_ns, probe_done_fn done, void *arg, struct err *e)
{
	const struct http_params *p = params;
	struct url url;
	const char *wrong = url_parse(p->url, &url);
	if (wrong != NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "http %s: %s", p->url, wrong);
	struct probe_call *c = mem_alloc(sizeof(*c));
	c->asking = (struct asking){ .loop = env->loop,
				     .timeout_ns = timeout_ns,
				     .done = done,
				     .arg = arg,
				     .stop = http_stop,
				     .late = http_late,
				     .call = c };
	c->connecting =
		(struct connecting){ .asking = &c->asking, .fd = -1, .connected = http_connected };
	c->want_status = p->status;
	c->want_body = p->body != NULL ? mem_strdup(p->body) : NULL;
	buf_printf(&c->request,
		   "GET %s%s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: backout\r\nAccept: */*\r\n"
		   "Connection: close\r\n\r\n",
		   *url.path == '/' ? "" : "/", url.path, (int)url.authority_len, url.authority);
	if (asking_begin(&c->asking, e) < 0 ||
	    connecting_begin(&c->connecting, env, &url.to, e) < 0 ||
	    asking_started(&c->asking, e) < 0) {
		http_end(c);
		return -1;
	}
	*ret = c;
	return 0;
}

const struct probe_kind probe_http = {
	.kind = { .name = "http",
		  .help = "a page answers over plain HTTP/1.1",
		  .params = http_params,
		  .shorthand = "url",
		  .size = sizeof(struct http_params),
		  .expect = http_expect,
		  .exact = true,
		  .check = http_check },
	.start = http_start,
	.end = http_end,
};
