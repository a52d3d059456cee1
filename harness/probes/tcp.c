/* SPDX-License-Identifier: MIT */
/* Probe tcp: a connection to a port succeeds. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/probes/connect.h"
#include "harness/probes/probe.h"

struct tcp_params {
	const char *address;
};

static const struct param tcp_params[] = {
	{ .name = "address",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct tcp_params, address),
	  .required = true,
	  .help = "\"node:port\" or \"1.2.3.4:port\"" },
	{ 0 },
};

static const struct param tcp_expect[] = { { 0 } };

struct probe_call {
	struct asking asking;
	struct connecting connecting;
};

static const char *tcp_check(const void *params)
{
	const struct tcp_params *p = params;
	struct host_port to;
	return host_port_parse(p->address, strlen(p->address), 0, &to);
}

static void tcp_stop(void *arg)
{
	struct probe_call *c = arg;
	connecting_end(&c->connecting);
}

static void tcp_late(void *arg)
{
	struct probe_call *c = arg;
	asking_answer(&c->asking, false, "timed out after %lld ms (connecting)",
		      (long long)(c->asking.timeout_ns / NS_PER_MS));
}

static void tcp_connected(void *arg)
{
	struct probe_call *c = arg;
	asking_answer(&c->asking, true, "connected");
}

static void tcp_end(struct probe_call *c)
{
	if (c == NULL)
		return;
	asking_end(&c->asking);
	free(c);
}

static int tcp_start(struct probe_call **ret, const struct probe_env *env, const void *params,
		     int64_t timeout_ns, probe_done_fn done, void *arg, struct err *e)
{
	const struct tcp_params *p = params;
	struct host_port to;
	const char *wrong = host_port_parse(p->address, strlen(p->address), 0, &to);
	if (wrong != NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "tcp %s: %s", p->address, wrong);
	struct probe_call *c = mem_alloc(sizeof(*c));
	c->asking = (struct asking){ .loop = env->loop,
				     .timeout_ns = timeout_ns,
				     .done = done,
				     .arg = arg,
				     .stop = tcp_stop,
				     .late = tcp_late,
				     .call = c };
	c->connecting =
		(struct connecting){ .asking = &c->asking, .fd = -1, .connected = tcp_connected };
	if (asking_begin(&c->asking, e) < 0 || connecting_begin(&c->connecting, env, &to, e) < 0 ||
	    asking_started(&c->asking, e) < 0) {
		tcp_end(c);
		return -1;
	}
	*ret = c;
	return 0;
}

const struct probe_kind probe_tcp = {
	.kind = { .name = "tcp",
		  .help = "a TCP connection to a port succeeds",
		  .params = tcp_params,
		  .shorthand = "address",
		  .size = sizeof(struct tcp_params),
		  .expect = tcp_expect,
		  .exact = true,
		  .check = tcp_check },
	.start = tcp_start,
	.end = tcp_end,
};
