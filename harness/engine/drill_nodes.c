/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/ask.h"
#include "harness/engine/branch.h"
#include "harness/engine/drill_private.h"
#include "harness/engine/roots.h"
#include "harness/engine/step_use.h"
#include "harness/sandbox/hosts.h"

enum { SERVICE_PAUSE_MS = 20, SERVICE_ENV_MAX = 64 };

struct drill_node *drill_node(struct drill *d, const char *name)
{
	for (size_t i = 0; i < d->plan->node_count; i++)
		if (strcmp(d->nodes[i].plan->name, name) == 0)
			return &d->nodes[i];
	return NULL;
}

static int node_up(struct drill *d, size_t i, struct err *e)
{
	struct drill_node *at = &d->nodes[i];
	const struct image *root = &d->spec->roots[i];
	const struct limits_plan *limits = &at->plan->limits;
	int64_t begin = clock_now();
	at->base_dir = mem_printf("%s/%s-%s", owner_work_dir(d->spec->owner), d->spec->name,
				  at->plan->name);
	at->work_dir = mem_printf("%s/node", at->base_dir);
	if (io_mkdirs(at->work_dir, 0700, e) < 0)
		return -1;

	GUARD(mem) char *from = NULL;
	if (d->spec->branch != NULL)
		from = mem_printf("%s/%s", d->spec->branch->dir, at->plan->name);
	struct node_spec spec = {
		.name = at->plan->name,
		.from = from,
		.work_dir = at->work_dir,
		.limits = { .memory = limits->memory,
			    .swap = limits->swap,
			    .pids = limits->pids,
			    .cpu = limits->cpu,
			    .cpus = limits->cpus,
			    .io_read = limits->io.read,
			    .io_write = limits->io.write },
		.may_mount = at->plan->may_mount,
		.systemd = at->plan->init == INIT_SYSTEMD,
		.no_new_privs = at->plan->no_new_privs,
	};
	roots_into(root, &spec);
	if (node_create(&at->node, d->loop, d->spec->owner, &spec, e) < 0)
		return -1;
	at->cache = capture_cache_create();
	journal_put(d->journal, EVENT_NODE_UP, F_STR("node", at->plan->name),
		    F_STR("root", root->digest), F_STR("mount", node_mount_options(at->node)),
		    F_INT("took", clock_now() - begin));
	if (node_notice(at->node) != NULL)
		journal_put(d->journal, EVENT_NOTICE, F_STR("what", node_notice(at->node)));
	return 0;
}

static void links_told(struct drill *d, const struct node_plan *n)
{
	const struct link_plan *l = n->links.items;
	char text[IP_TEXT_MAX];
	for (size_t i = 0; i < n->links.count; i++) {
		const struct ip *ips = l[i].addresses.items;
		GUARD_BUF struct buf all = { 0 };
		for (size_t k = 0; k < l[i].addresses.count; k++)
			buf_printf(&all, "%s%s", k > 0 ? ", " : "", ip_prefix_text(&ips[k], text));
		journal_put(d->journal, EVENT_LINK_UP, F_STR("node", n->name),
			    F_STR("switch", l[i].on), F_STR("address", buf_str(&all)),
			    F_INT("rate", l[i].rate));
	}
}

static int links_up(struct drill *d, size_t i, struct err *e)
{
	const struct drill_node *at = &d->nodes[i];
	const struct link_plan *l = at->plan->links.items;
	const struct route_plan *r = at->plan->routes.items;
	struct link_spec links[PLAN_SWITCHES_MAX];
	if (at->plan->links.count == 0)
		return 0;
	GUARD(mem) struct net_route *routes = mem_array(at->plan->routes.count, sizeof(*routes));
	for (size_t k = 0; k < at->plan->routes.count; k++)
		routes[k] = (struct net_route){ r[k].to, r[k].via };
	for (size_t k = 0; k < at->plan->links.count; k++)
		links[k] = (struct link_spec){ l[k].on, l[k].addresses.items, l[k].addresses.count,
					       l[k].rate };
	const struct host_spec spec = {
		.name = at->plan->name,
		.netns_fd = node_netns_fd(at->node),
		.forward = at->plan->forward,
		.links = links,
		.link_count = at->plan->links.count,
		.routes = routes,
		.route_count = at->plan->routes.count,
	};
	if (network_attach(d->net, &spec, e) < 0)
		return -1;
	links_told(d, at->plan);
	return 0;
}

static int switches_up(struct drill *d, struct err *e)
{
	const struct switch_plan *s = d->plan->switches.items;
	if (network_create(&d->net, e) < 0)
		return -1;
	for (size_t i = 0; i < d->plan->switches.count; i++)
		if (network_add_switch(d->net, s[i].name, (uint32_t)s[i].mtu, e) < 0)
			return -1;
	return 0;
}

/* A branch's nodes begin with a state that has the names, or what the workflow made of them. */
static int names_up(struct drill *d, struct err *e)
{
	for (size_t i = 0; d->spec->branch == NULL && i < d->plan->node_count; i++) {
		const struct drill_node *at = &d->nodes[i];
		const char *why = NULL;
		int rc = at->plan->links.count > 0 ? hosts_write(at->node, d->net, &why, e) : 1;
		if (rc < 0)
			return err_prefix(e, "names for node '%s'", at->plan->name);
		if (rc == 1)
			continue;
		GUARD(mem) char *text = mem_printf("node %s: %s", at->plan->name, why);
		journal_put(d->journal, EVENT_NOTICE, F_STR("what", text));
	}
	return 0;
}

int drill_nodes_up(struct drill *d, struct err *e)
{
	bool links = false;
	for (size_t i = 0; i < d->plan->node_count; i++)
		links = links || d->nodes[i].plan->links.count > 0;
	/* Before the nodes: the switches' namespace is this process's own. */
	if (links && switches_up(d, e) < 0)
		return -1;
	for (size_t i = 0; i < d->plan->node_count; i++)
		if (node_up(d, i, e) < 0)
			return -1;
	for (size_t i = 0; links && i < d->plan->node_count; i++)
		if (links_up(d, i, e) < 0)
			return -1;
	if (!links)
		return 0;
	return network_seal(d->net, e) < 0 ? -1 : names_up(d, e);
}

static void service_ended(void *arg, int status)
{
	struct drill_service *s = arg;
	s->ended = true;
	s->status = status;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return; /* it went into the background, as daemons do */
	journal_put(s->drill->journal, EVENT_SERVICE_ENDED, F_STR("node", s->at->plan->name),
		    F_STR("service", s->plan->name),
		    F_INT("exit", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
		    F_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
}

static int service_spawn(struct drill_service *s, struct output **ret_out, struct err *e)
{
	struct drill *d = s->drill;
	char again[16] = "";
	if (s->starts++ > 0)
		(void)snprintf(again, sizeof(again), "-%u", s->starts);
	GUARD(mem)
	char *log = mem_printf("%s/steps/service-%s-%s%s.log", d->spec->dir, s->at->plan->name,
			       s->plan->name, again);
	GUARD(fd) int out = -1;
	if (output_open(d->outputs, log, ret_out, &out, e) < 0)
		return -1;
	struct drill_command command = { s->plan->run, &s->plan->exec, &s->plan->env };
	struct spawn_spec spec = {
		.cwd = s->plan->cwd,
		.user = s->plan->user,
		.out_fd = out,
		.err_fd = -1,
		.apart = true,
		.service = true,
	};
	return drill_spawn(s->at->node, &command, &spec, service_ended, s, &s->proc, e);
}

/* Before the drill it is the scenario's failure; after a crash of its node, one of the workflow. */
static int service_failed(struct drill_service *s, const char *why)
{
	enum event_kind kind = s->starts > 1 ? EVENT_SERVICE_DOWN : EVENT_SERVICE_FAILED;
	journal_put(s->drill->journal, kind, F_STR("node", s->at->plan->name),
		    F_STR("service", s->plan->name), F_STR("why", why));
	return 0;
}

/* Ready: its probe holds; without a probe, a daemon's parent has left with 0 or it just runs. */
int drill_service_up(struct drill_service *s, struct err *e)
{
	struct drill *d = s->drill;
	int64_t begin = clock_now();
	struct output *out = NULL;
	struct err why = { 0 };
	char line[256];
	if (service_spawn(s, &out, &why) < 0)
		return loop_stopped(d->loop) ? ERR(e, 0, "%s", why.why)
					     : service_failed(s, why.why);
	int64_t deadline = begin + s->plan->timeout;
	struct probe_result r = { .ok = s->plan->ready == NULL, .detail = "not ready" };
	for (;;) {
		if (s->plan->ready != NULL && ask_once(d, s->plan->ready, &r, e) < 0)
			return -1;
		bool dead = s->ended && !(WIFEXITED(s->status) && WEXITSTATUS(s->status) == 0);
		if (dead) {
			output_drain(out);
			GUARD(mem)
			char *text = mem_printf("ended with %s %d before it was ready: %s",
						WIFEXITED(s->status) ? "exit" : "signal",
						WIFEXITED(s->status) ? WEXITSTATUS(s->status)
								     : WTERMSIG(s->status),
						output_last_line(out, line, sizeof(line)));
			return service_failed(s, text);
		}
		if (r.ok)
			break;
		if (clock_now() >= deadline) {
			GUARD(mem) char *text = mem_printf("not ready in time: %s", r.detail);
			return service_failed(s, text);
		}
		if (ask_pause(d, SERVICE_PAUSE_MS * NS_PER_MS, &s->ended, e) < 0)
			return -1;
	}
	journal_put(d->journal, EVENT_SERVICE_READY, F_STR("node", s->at->plan->name),
		    F_STR("service", s->plan->name), F_INT("took", clock_now() - begin));
	return 1;
}

void drill_services_list(struct drill *d)
{
	size_t total = 0;
	for (size_t i = 0; i < d->plan->node_count; i++)
		total += d->nodes[i].plan->services.count;
	d->services = mem_array(total, sizeof(*d->services));
	for (size_t i = 0; i < d->plan->node_count; i++) {
		const struct service_plan *plans = d->nodes[i].plan->services.items;
		for (size_t k = 0; k < d->nodes[i].plan->services.count; k++) {
			struct drill_service *s = &d->services[d->service_count++];
			s->drill = d;
			s->at = &d->nodes[i];
			s->plan = &plans[k];
		}
	}
}

int drill_services_up(struct drill *d, struct err *e)
{
	drill_services_list(d);
	int up = drill_systems_up(d, e);
	for (size_t i = 0; up == 1 && i < d->service_count; i++)
		up = drill_service_up(&d->services[i], e);
	return up;
}

static void left_over(struct drill *d, const struct err *why)
{
	d->leftovers++;
	journal_put(d->journal, EVENT_LEFTOVER, F_STR("what", why->why));
}

void drill_nodes_down(struct drill *d)
{
	for (size_t i = 0; i < d->service_count; i++)
		proc_free(d->services[i].proc);
	free(d->services);
	d->services = NULL;
	d->service_count = 0;
	for (size_t i = 0; i < d->plan->node_count; i++) {
		struct drill_node *at = &d->nodes[i];
		struct err e = { 0 };
		char killed[ERR_WHY_MAX];
		if (at->node != NULL && step_killed(at->node, killed, sizeof(killed)))
			journal_put(d->journal, EVENT_NOTICE, F_STR("what", killed));
		if (node_destroy(at->node, &e) > 0)
			left_over(d, &e);
		err_clear(&e);
		if (at->base_dir != NULL && io_remove_tree(AT_FDCWD, at->base_dir, &e) < 0)
			left_over(d, &e);
		capture_cache_destroy(at->cache);
		free(at->work_dir);
		free(at->base_dir);
	}
	network_destroy(d->net);
	d->net = NULL;
}
