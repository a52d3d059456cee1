/* SPDX-License-Identifier: MIT */
/* Nodes: each with what it gives itself and what it takes over by `like`. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/model/plan_parts.h"

struct service_file {
	struct service_plan plan;
	const struct json *ready;
};

struct node_file {
	struct node_plan plan;
	const char *like;
	struct list services; /* struct service_file */
	struct node_links_file net;
};

#define IO_AT(field) (offsetof(struct limits_plan, io.field) - offsetof(struct limits_plan, io))
static const struct param io_rows[] = {
	{ .name = "read",
	  .type = PARAM_RATE,
	  .offset = IO_AT(read),
	  .min = 1,
	  .help = "bytes a second" },
	{ .name = "write",
	  .type = PARAM_RATE,
	  .offset = IO_AT(write),
	  .min = 1,
	  .help = "bytes a second; what is written back later counts with cgroup v2 alone" },
	{ 0 },
};

static const struct param limits_rows[] = {
	{ .name = "memory",
	  .type = PARAM_SIZE,
	  .offset = offsetof(struct limits_plan, memory),
	  .min = 1 << 20,
	  .help = "of all its programs together" },
	{ .name = "pids",
	  .type = PARAM_UINT,
	  .offset = offsetof(struct limits_plan, pids),
	  .min = 8,
	  .help = "processes and threads at a time" },
	{ .name = "cpu",
	  .type = PARAM_PERCENT,
	  .offset = offsetof(struct limits_plan, cpu),
	  .max = 102400,
	  .help = "of one processor" },
	{ .name = "swap",
	  .type = PARAM_SIZE,
	  .offset = offsetof(struct limits_plan, swap),
	  .help = "beside memory, which it needs; without it none where memory is limited" },
	{ .name = "cpus",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct limits_plan, cpus),
	  .help = "the processors it may run on: \"0\", \"0-2\" or \"0,3\"" },
	{ .name = "io",
	  .type = PARAM_OBJECT,
	  .offset = offsetof(struct limits_plan, io),
	  .sub = io_rows,
	  .help = "from and to the disk that its files are on" },
	{ 0 },
};

static const struct param file_rows[] = {
	{ .name = "from",
	  .type = PARAM_FILE,
	  .offset = offsetof(struct file_plan, from),
	  .help = "a file or folder on this host" },
	{ .name = "text",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct file_plan, text),
	  .help = "or the content itself" },
	{ .name = "mode",
	  .type = PARAM_MODE,
	  .offset = offsetof(struct file_plan, mode),
	  .help = "without it the source's; 0644 for text" },
	{ 0 },
};

#define PROBE_REF "{\"$ref\":\"#/$defs/probe\"}"
const struct param plan_service_rows[] = {
	{ .name = "run",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct service_plan, run),
	  .help = "shell command, run by sh -ec" },
	{ .name = "exec",
	  .type = PARAM_STRINGS,
	  .offset = offsetof(struct service_plan, exec),
	  .help = "or a program and its arguments" },
	{ .name = "ready",
	  .type = PARAM_RAW,
	  .offset = offsetof(struct service_file, ready),
	  .schema = PROBE_REF,
	  .help = "a probe; without it ready when started" },
	{ .name = "timeout",
	  .type = PARAM_DURATION,
	  .offset = offsetof(struct service_plan, timeout),
	  .min = (uint64_t)NS_PER_MS,
	  .help = "to become ready; without it defaults.timeout" },
	{ .name = "user",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct service_plan, user),
	  .help = "name or number; without it root" },
	{ .name = "cwd",
	  .type = PARAM_PATH,
	  .offset = offsetof(struct service_plan, cwd),
	  .help = "without it /" },
	{ .name = "env",
	  .type = PARAM_PAIRS,
	  .offset = offsetof(struct service_plan, env),
	  .help = "added to its environment" },
	{ 0 },
};

static const char *const init_names[] = {
#define X(id, text) text,
	NODE_INIT(X)
#undef X
		NULL,
};

const struct param plan_node_rows[] = {
	{ .name = "like",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct node_file, like),
	  .help = "another node, whose fields count where this one does not give them" },
	{ .name = "root",
	  .type = PARAM_OBJECT,
	  .offset = offsetof(struct node_plan, root),
	  .sub = plan_root_rows,
	  .help = "what its / is made of" },
	{ .name = "disk",
	  .type = PARAM_OBJECT,
	  .offset = offsetof(struct node_plan, disk),
	  .sub = plan_disk_rows,
	  .shorthand = "size",
	  .given_offset = offsetof(struct node_plan, disk.given),
	  .help = "its / is a file system of its own, which can be full and lose power; without it "
		  "an overlay" },
	{ .name = "address",
	  .type = PARAM_ADDRESSES,
	  .offset = offsetof(struct node_file, net.address),
	  .help = "on the drill's one switch; without it (and without links) no network" },
	{ .name = "rate",
	  .type = PARAM_RATE,
	  .offset = offsetof(struct node_file, net.rate),
	  .min = 1,
	  .help = "of that link, each way; without it unlimited" },
	{ .name = "links",
	  .type = PARAM_MAP,
	  .offset = offsetof(struct node_plan, links),
	  .sub = plan_link_rows,
	  .shorthand = "address",
	  .size = sizeof(struct link_plan),
	  .help = "or several, by switch: eth0, eth1, ... in this order" },
	{ .name = "routes",
	  .type = PARAM_LIST,
	  .offset = offsetof(struct node_plan, routes),
	  .sub = plan_route_rows,
	  .size = sizeof(struct route_plan),
	  .help = "to networks that it has no link to" },
	{ .name = "forward",
	  .type = PARAM_BOOL,
	  .offset = offsetof(struct node_plan, forward),
	  .help = "it is a router: packets for others go on" },
	{ .name = "limits",
	  .type = PARAM_OBJECT,
	  .offset = offsetof(struct node_plan, limits),
	  .sub = limits_rows,
	  .help = "what it may use" },
	{ .name = "init",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct node_plan, init),
	  .names = init_names,
	  .def = "minimal",
	  .help = "systemd: the root's own boots as PID 1, and the drill begins at its default "
		  "target; minimal: a process of the harness that reaps" },
	{ .name = "no_new_privs",
	  .type = PARAM_BOOL,
	  .offset = offsetof(struct node_plan, no_new_privs),
	  .help = "set-uid programs and file capabilities give nothing" },
	{ .name = "may_mount",
	  .type = PARAM_BOOL,
	  .offset = offsetof(struct node_plan, may_mount),
	  .help = "its programs may mount and enter namespaces: such a node is not kept from the "
		  "host's kernel settings" },
	{ .name = "files",
	  .type = PARAM_MAP,
	  .offset = offsetof(struct node_plan, files),
	  .sub = file_rows,
	  .shorthand = "from",
	  .size = sizeof(struct file_plan),
	  .help = "put in before set-up, by path inside" },
	{ .name = "setup",
	  .type = PARAM_STRINGS,
	  .offset = offsetof(struct node_plan, setup),
	  .help = "shell commands, run once into a cached layer" },
	{ .name = "services",
	  .type = PARAM_MAP,
	  .offset = offsetof(struct node_file, services),
	  .sub = plan_service_rows,
	  .size = sizeof(struct service_file),
	  .help = "programs started before the drill, by name" },
	{ 0 },
};

/* A field of `node`, or of the node that it is like. No cycles are left when this is called. */
static const struct json *field_of(const struct json *nodes, const struct json *node,
				   const char *name)
{
	while (node != NULL) {
		const struct json *v = json_get(node, name), *like = json_get(node, "like");
		if (v != NULL)
			return v;
		node = like != NULL ? json_get(nodes, json_string(like)) : NULL;
	}
	return NULL;
}

static int check_like(struct compile *c, const struct json *nodes, const struct json *node,
		      struct err *e)
{
	const struct json *at = node;
	const struct json *first = json_get(node, "like");
	for (size_t hops = 0; at != NULL; hops++) {
		const struct json *like = json_get(at, "like");
		if (like == NULL)
			return 0;
		if (hops > json_size(nodes))
			return json_err(e, c->ctx.doc, first,
					"like: \"%s\" leads back to itself; give one "
					"of these nodes its own fields",
					json_key(node));
		if (json_string(like) == NULL)
			return json_err(e, c->ctx.doc, like,
					"like: this is %s; write the name of a node",
					json_type_name(like));
		at = json_get(nodes, json_string(like));
		if (at == NULL)
			return json_err(e, c->ctx.doc, like, "there is no node \"%s\"; %s",
					json_string(like),
					plan_suggest(c, json_string(like), c->pd->nodes.items,
						     c->pd->nodes.count));
	}
	return 0;
}

static int check_limits(struct compile *c, const struct json *at, const struct limits_plan *l,
			struct err *e)
{
	if (l->swap > 0 && l->memory == 0)
		return json_key_err(e, c->ctx.doc, json_get(at, "swap"),
				    "swap: it is what a node may use beside \"memory\"; give that, "
				    "too");
	/* Whether the host has them all, the sandbox says. */
	if (l->cpus != NULL && (l->cpus[0] < '0' || l->cpus[0] > '9' ||
				strspn(l->cpus, "0123456789,-") != strlen(l->cpus)))
		return json_err(e, c->ctx.doc, json_get(at, "cpus"),
				"cpus: \"%s\" is no list of processors; write \"0\", \"0-2\" or "
				"\"0,3\"",
				l->cpus);
	return 0;
}

static int by_dest(const void *a, const void *b)
{
	return strcmp(((const struct file_plan *)a)->dest, ((const struct file_plan *)b)->dest);
}

static int check_file(struct compile *c, const struct json *v, struct file_plan *f, struct err *e)
{
	size_t len = strlen(f->dest);
	if (f->dest[0] != '/' || len < 2)
		return json_key_err(e, c->ctx.doc, v,
				    "files: \"%s\" is not an absolute path; begin it "
				    "with \"/\"",
				    f->dest);
	if (strstr(f->dest, "//") != NULL || strstr(f->dest, "/./") != NULL ||
	    strstr(f->dest, "/../") != NULL || f->dest[len - 1] == '/' ||
	    (len >= 3 && strcmp(f->dest + len - 3, "/..") == 0) ||
	    strcmp(f->dest + len - 2, "/.") == 0)
		return json_key_err(e, c->ctx.doc, v,
				    "files: \"%s\" goes a roundabout way; write it "
				    "without \"//\", \".\", \"..\" and a last \"/\"",
				    f->dest);
	if ((f->from != NULL) == (f->text != NULL))
		return json_err(e, c->ctx.doc, v, "files: %s; write \"from\" (a file) or \"text\"",
				f->from != NULL ? "both \"from\" and \"text\""
						: "neither \"from\" nor \"text\"");
	if (f->from != NULL && !c->options->archived && access(f->from, F_OK) < 0)
		return json_err(e, c->ctx.doc, json_string(v) != NULL ? v : json_get(v, "from"),
				"from: there is no file \"%s\"; name one relative to this file",
				f->from);
	return 0;
}

static int check_files(struct compile *c, const struct json *object, struct list *files,
		       struct err *e)
{
	struct file_plan *f = files->items;
	const struct json *v = object != NULL ? json_first(object) : NULL;
	for (size_t i = 0; i < files->count; i++, v = json_next(v)) {
		for (size_t k = 0; k < i; k++)
			if (strcmp(f[k].dest, f[i].dest) == 0)
				return json_key_err(e, c->ctx.doc, v,
						    "files: \"%s\" is here twice; remove one",
						    f[i].dest);
		if (check_file(c, v, &f[i], e) < 0)
			return -1;
	}
	if (files->count > 1)
		qsort(f, files->count, sizeof(*f), by_dest);
	return 0;
}

static int make_services(struct compile *c, const struct json *object, struct node_file *n,
			 struct err *e)
{
	const struct service_file *files = n->services.items;
	size_t count = n->services.count;
	struct service_plan *services = arena_alloc(c->ctx.arena, count * sizeof(*services) + 1);
	const struct json *v = object != NULL ? json_first(object) : NULL;
	for (size_t i = 0; i < count; i++, v = json_next(v)) {
		struct service_plan *s = &services[i];
		*s = files[i].plan;
		if (!plan_name_ok(s->name, PLAN_WORD_LETTERS, PLAN_NAME_MAX))
			return json_key_err(e, c->ctx.doc, v,
					    "\"%s\" is not a service's name; write "
					    "letters, digits, \"-\", \"_\" or \".\"",
					    s->name);
		if (plan_check_command(c, v, s->run, &s->exec, e) < 0)
			return -1;
		if (s->timeout == 0)
			s->timeout = c->timeout;
		if (files[i].ready == NULL)
			continue;
		struct probe_plan *ready = arena_alloc(c->ctx.arena, sizeof(*ready));
		if (plan_probe(c, files[i].ready, n->plan.name, ready, e) < 0)
			return -1;
		s->ready = ready;
	}
	n->plan.services = (struct list){ .items = services, .count = count };
	return 0;
}

/* Of "address" and "links" the one that the node gives itself replaces what it takes over. */
static void find_links(const struct json *nodes, const struct json *node, struct node_file *n)
{
	struct node_links_file *f = &n->net;
	const struct json *address = json_get(node, "address"), *links = json_get(node, "links");
	f->address_at = field_of(nodes, node, "address");
	f->links_at = field_of(nodes, node, "links");
	f->rate_at = field_of(nodes, node, "rate");
	f->routes_at = field_of(nodes, node, "routes");
	f->forward_at = field_of(nodes, node, "forward");
	if (address != NULL && links == NULL)
		f->links_at = NULL;
	if (links != NULL && address == NULL)
		f->address_at = NULL;
	if (f->links_at == NULL)
		n->plan.links = (struct list){ 0 };
	else if (json_get(node, "rate") == NULL)
		f->rate_at = NULL;
}

static int decode_node(struct compile *c, const struct json *nodes, const struct json *node,
		       struct node_plan *ret, struct err *e)
{
	struct node_file n = { 0 };
	for (const struct param *row = plan_node_rows; row->type != PARAM_END; row++)
		if (param_decode_row(&c->ctx, row, field_of(nodes, node, row->name), &n, e) < 0)
			return -1;
	n.plan.name = json_key(node);
	find_links(nodes, node, &n);
	const struct json *root = field_of(nodes, node, "root");
	if (root == NULL)
		return json_err(e, c->ctx.doc, node,
				"\"root\" is missing; write {\"debian\": RELEASE}, "
				"{\"dir\": FOLDER} or another kind, or \"like\" with the name of "
				"another node");
	if (plan_check_root(c, root, &n.plan.root, e) < 0 ||
	    plan_check_disk(c, field_of(nodes, node, "disk"), &n.plan.disk, e) < 0 ||
	    check_limits(c, field_of(nodes, node, "limits"), &n.plan.limits, e) < 0 ||
	    check_files(c, field_of(nodes, node, "files"), &n.plan.files, e) < 0 ||
	    plan_node_links(c, &n.net, &n.plan, e) < 0 ||
	    make_services(c, field_of(nodes, node, "services"), &n, e) < 0)
		return -1;
	c->pd->link_files[ret - c->plan->nodes] = n.net;
	*ret = n.plan;
	return 0;
}

/* Names resolve in nodes, by /etc/hosts: it knows no case, and "localhost" as the node itself. */
static int check_host_name(struct compile *c, const struct json *node, struct err *e)
{
	const char *name = json_key(node);
	if (strcasecmp(name, "localhost") == 0)
		return json_key_err(e, c->ctx.doc, node,
				    "\"%s\" is every node itself; choose another name", name);
	for (size_t i = 0; i < c->pd->nodes.count; i++)
		if (strcasecmp(name, c->pd->nodes.items[i]) == 0)
			return json_key_err(e, c->ctx.doc, node,
					    "\"%s\" and \"%s\" are one host name; choose another "
					    "for one of them",
					    c->pd->nodes.items[i], name);
	return 0;
}

static int name_nodes(struct compile *c, const struct json *nodes, struct err *e)
{
	if (json_type(nodes) != JSON_OBJECT || json_size(nodes) == 0)
		return json_err(e, c->ctx.doc, nodes,
				"nodes: this is %s; write an object with at least "
				"one node",
				json_type(nodes) == JSON_OBJECT ? "empty" : json_type_name(nodes));
	if (json_size(nodes) > PLAN_NODES_MAX)
		return json_err(e, c->ctx.doc, nodes, "nodes: %zu of them; at most %d are allowed",
				json_size(nodes), PLAN_NODES_MAX);
	c->pd->nodes.items = arena_alloc(c->ctx.arena, (json_size(nodes) + 1) * sizeof(char *));
	for (const struct json *v = json_first(nodes); v != NULL; v = json_next(v)) {
		const char *name = json_key(v);
		if (!plan_name_ok(name, PLAN_HOST_LETTERS, PLAN_NAME_MAX) || name[0] == '-')
			return json_key_err(e, c->ctx.doc, v,
					    "\"%s\" is not a node's name; write letters, "
					    "digits or \"-\", as in a host name",
					    name);
		if (check_host_name(c, v, e) < 0)
			return -1;
		if (json_type(v) != JSON_OBJECT)
			return json_err(e, c->ctx.doc, v, "%s: this is %s; write an object", name,
					json_type_name(v));
		if (param_check_keys(&c->ctx, plan_node_rows, v, NULL, e) < 0)
			return -1;
		c->pd->nodes.items[c->pd->nodes.count++] = name;
	}
	c->ctx.nodes = &c->pd->nodes;
	return 0;
}

int plan_nodes(struct compile *c, struct err *e)
{
	struct plan *p = c->plan;
	const struct json *nodes = NULL;
	if (plan_top_needed(c, "nodes", &nodes, e) < 0 || name_nodes(c, nodes, e) < 0)
		return -1;
	p->nodes = arena_alloc(c->ctx.arena, c->pd->nodes.count * sizeof(*p->nodes));
	c->pd->link_files =
		arena_alloc(c->ctx.arena, c->pd->nodes.count * sizeof(*c->pd->link_files));
	for (const struct json *v = json_first(nodes); v != NULL; v = json_next(v))
		if (check_like(c, nodes, v, e) < 0)
			return -1;
	for (const struct json *v = json_first(nodes); v != NULL; v = json_next(v)) {
		if (decode_node(c, nodes, v, &p->nodes[p->node_count], e) < 0)
			return -1;
		p->node_count++;
	}
	plan_list_disks(c);
	return plan_addresses(c, e);
}
