/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/cgroup_base.h"
#include "harness/sandbox/cgroup_private.h"
#include "harness/sandbox/objects.h"
#include "harness/sandbox/oom.h"

enum { LIST_MAX = 4096 }; /* bytes of cgroup.controllers */

const char *const cgroup_part_names[CGROUP_PARTS] = { "", "workflow", "services", "probes" };

enum cgroup_mode cgroup_mode(void)
{
	return hierarchies_mode(hierarchies_own());
}

/* ---- what this host can ---- */

static const struct {
	const char *what;
	enum controller_id id;
} limits_known[] = { { "memory", MEMORY }, { "swap", MEMORY }, { "pids", PIDS },
		     { "cpu", CPU },       { "cpus", CPUSET }, { "io", IO } };

/* Of the root of what is mounted: what it has not got, no group below it has. */
static bool offered_v2(const struct hierarchies *h, enum controller_id id)
{
	const struct hierarchy *v2 = hierarchies_v2(h);
	struct err ignored = { 0 };
	if (v2 == NULL)
		return false;
	GUARD(mem) char *path = mem_printf("%s/cgroup.controllers", v2->mount);
	GUARD_BUF struct buf text = { 0 };
	return io_read_file(AT_FDCWD, path, LIST_MAX, &text, &ignored) == 0 &&
	       hierarchy_lists(buf_str(&text), cgroup_controller_name(id, true));
}

static const char *not_writable(const struct hierarchy *h)
{
	GUARD(mem) char *own = mem_printf("%s/%s", h->mount, h->group != NULL ? h->group : "");
	return access(own, W_OK) == 0
		       ? NULL
		       : "the harness may not make control groups: run it as root, with "
			 "/sys/fs/cgroup writable (a container: --privileged)";
}

static const char *no_swap(const struct hierarchy *v1)
{
	GUARD(mem)
	char *path = mem_printf("%s/memory.memsw.limit_in_bytes", v1 != NULL ? v1->mount : "");
	return (v1 != NULL ? access(path, F_OK) : access("/proc/swaps", F_OK)) == 0
		       ? NULL
		       : "this kernel does not account for swap (CONFIG_SWAP, and swapaccount=1 "
			 "for v1)";
}

static const char *no_tree(const struct hierarchies *h)
{
	const struct hierarchy *tree = hierarchies_v2(h);
	if (tree == NULL)
		tree = hierarchies_v1(h, "freezer");
	return tree == NULL ? "neither cgroup v2 nor v1's freezer is mounted" : not_writable(tree);
}

const char *cgroup_unsupported(const char *what)
{
	const struct hierarchies *h = hierarchies_own();
	if (strcmp(what, "freeze") == 0)
		return no_tree(h);
	size_t i = 0, count = sizeof(limits_known) / sizeof(limits_known[0]);
	while (i < count && strcmp(limits_known[i].what, what) != 0)
		i++;
	if (i == count)
		return "there is no such limit";
	enum controller_id id = limits_known[i].id;
	const struct hierarchy *v1 = hierarchies_v1(h, cgroup_controller_name(id, false));
	if (v1 == NULL && !offered_v2(h, id))
		return hierarchies_v2(h) != NULL
			       ? "no hierarchy has that controller: v2's cgroup.controllers does "
				 "not "
				 "name it, and v1's is not mounted"
			       : "this host has no hierarchy with that controller mounted";
	const char *why = not_writable(v1 != NULL ? v1 : hierarchies_v2(h));
	return why == NULL && strcmp(what, "swap") == 0 ? no_swap(v1) : why;
}

/* ---- the tree ---- */

static int open_part(struct node_cgroup *c, enum cgroup_part part, struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/%s", c->tree, cgroup_part_names[part]);
	if (c->tree_v2 && mkdir(path, 0755) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "make control group '%s'", path);
	if (!c->tree_v2) {
		GUARD(mem)
		char *name = part == CGROUP_NODE
				     ? mem_strdup(c->name)
				     : mem_printf("%s/%s", c->name, cgroup_part_names[part]);
		if (v1_group_make(&c->freezer[part], "freezer", name, &(struct knobs){ 0 }, e) < 0)
			return -1;
	}
	c->dirs[part] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return c->dirs[part] < 0 ? ERR(e, errno, "open control group '%s'", path) : 0;
}

/* Flat, right below the base: a folder more would be one that nobody removes. The number keeps
 * apart the nodes of one name that drills of one owner run side by side. */
static void name_below(struct node_cgroup *c, const struct hierarchy *h, const char *name)
{
	free(c->name);
	c->name = mem_printf("%s%s%s-%s-%d.%u", h->group, h->group[0] != '\0' ? "/" : "",
			     owner_tag(c->owner), name, (int)getpid(), c->serial);
}

static int make_tree(struct node_cgroup *c, const struct cgroup_base *base, const char *name,
		     struct err *e)
{
	const struct hierarchy *h = hierarchies_v2(&base->at);
	c->tree_v2 = h != NULL && h->group != NULL;
	if (!c->tree_v2)
		h = hierarchies_v1(&base->at, "freezer");
	if (h == NULL)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0,
			      "neither cgroup v2 nor v1's freezer is mounted");
	name_below(c, h, name);
	GUARD(mem) char *path = mem_printf("%s/%s", h->mount, c->name);
	if (owner_register(c->owner, "cgroup", path, e) < 0)
		return -1;
	c->tree = take_ptr(&path);
	for (enum cgroup_part part = 0; part < CGROUP_PARTS; part++)
		if ((part != CGROUP_PROBES || c->managed) && open_part(c, part, e) < 0)
			return -1;
	return 0;
}

/* ---- the limits ---- */

/* `dir`: a group that shows the controller's files. */
static int drop_absent(struct knobs *k, const char *dir, struct err *e)
{
	size_t kept = 0;
	for (size_t i = 0; i < k->count; i++) {
		GUARD(mem) char *path = mem_printf("%s/%s", dir, k->items[i].file);
		if (access(path, F_OK) < 0 && k->items[i].optional)
			continue;
		if (access(path, F_OK) < 0)
			return ERR_AS(e, EXIT_UNAVAILABLE, 0, "this kernel has no %s",
				      k->items[i].file);
		if (kept < i)
			k->items[kept] = k->items[i];
		kept++;
	}
	k->count = kept;
	return 0;
}

static int limit_v1(struct node_cgroup *c, enum controller_id id, const struct hierarchy *h,
		    struct knobs *knobs, struct err *e)
{
	char *path = mem_printf("%s/%s", h->mount, c->name);
	/* The kernel has a file everywhere or nowhere: the root shows memory's, too. */
	if ((id == MEMORY && drop_absent(knobs, h->mount, e) < 0) ||
	    owner_register(c->owner, "cgroup", path, e) < 0) {
		free(path);
		return -1;
	}
	c->of[id].path = path;
	return v1_group_make(&c->of[id].v1, cgroup_controller_name(id, false), c->name, knobs, e);
}

static int limit_v2(struct node_cgroup *c, enum controller_id id, const struct cgroup_base *base,
		    struct knobs *knobs, struct err *e)
{
	const char *name = cgroup_controller_name(id, true);
	GUARD_BUF struct buf on = { 0 };
	if (io_read_file(c->dirs[CGROUP_NODE], "cgroup.controllers", LIST_MAX, &on, e) < 0)
		return -1;
	if (!hierarchy_lists(buf_str(&on), name))
		return knobs->count == 0
			       ? 0
			       : ERR_AS(e, EXIT_UNAVAILABLE, 0, "controller '%s' of cgroup v2: %s",
					name,
					base->why[0] != '\0' ? base->why : "it is not offered");
	c->of[id].path = mem_strdup(c->tree);
	if (drop_absent(knobs, c->tree, e) < 0)
		return -1;
	for (size_t i = 0; i < knobs->count; i++)
		if (io_write_knob(c->dirs[CGROUP_NODE], knobs->items[i].file, knobs->items[i].value,
				  e) < 0)
			return err_prefix(e, "control group '%s'", c->tree);
	return 0;
}

static int make_limit(struct node_cgroup *c, enum controller_id id, const struct cgroup_base *base,
		      const struct cgroup_limits *limits, const char *name, struct err *e)
{
	const struct hierarchy *h = hierarchies_v1(&base->at, cgroup_controller_name(id, false));
	const bool v2 = h == NULL;
	if (v2 && c->tree_v2)
		h = hierarchies_v2(&base->at);
	GUARD(mem)
	char *parent = h != NULL ? mem_printf("%s/%s", h->mount, h->group) : mem_strdup("/");
	struct knobs knobs;
	if (cgroup_knobs(id, limits, v2, parent, &knobs, e) < 0)
		return -1;
	/* Without a limit a v1 group says nothing, but for memory's: it counts the peak. */
	if (knobs.count == 0 && (h == NULL || (!v2 && id != MEMORY)))
		return 0;
	if (h == NULL)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0, "this host cannot limit it: %s",
			      "no hierarchy with that controller is mounted");
	if (!v2)
		name_below(c, h, name);
	if ((v2 ? limit_v2(c, id, base, &knobs, e) : limit_v1(c, id, h, &knobs, e)) < 0)
		return -1;
	for (size_t i = 0; i < knobs.count; i++)
		if (cgroup_knob_held(c->of[id].path, &knobs.items[i], e) < 0)
			return -1;
	return 0;
}

static bool any_limit(const struct cgroup_limits *l)
{
	return l->memory > 0 || l->swap > 0 || l->pids > 0 || l->cpu > 0 || l->cpus != NULL ||
	       l->io_read > 0 || l->io_write > 0;
}

static int make_groups(struct node_cgroup *c, const struct cgroup_limits *limits, const char *name,
		       struct err *e)
{
	const struct cgroup_base *base;
	if (cgroup_base(&base, c->owner, e) < 0)
		return -1;
	struct err no_tree = { 0 };
	if (make_tree(c, base, name, &no_tree) < 0) {
		if (hierarchies_mode(&base->at) != CGROUP_V1) {
			*e = no_tree;
			return -1;
		}
		c->notice = mem_strdup(no_tree.why); /* limits are possible all the same */
	}
	if (c->managed && !c->tree_v2)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0,
			      "a node's systemd needs cgroup v2 mounted on this host, beside v1 or "
			      "alone: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified");
	for (enum controller_id id = 0; id < CONTROLLER_COUNT; id++)
		if (make_limit(c, id, base, limits, name, e) < 0)
			return err_prefix(e, "limit by controller '%s'",
					  cgroup_controller_name(id, true));
	c->memory_limit = limits->memory;
	if (limits->memory > 0)
		c->kernel_log = oom_open();
	if (c->tree_v2 && c->of[MEMORY].path != NULL && c->of[MEMORY].v1 == NULL) {
		c->peak = openat(c->dirs[CGROUP_NODE], "memory.peak", O_RDWR | O_CLOEXEC);
		if (c->peak < 0)
			c->peak = openat(c->dirs[CGROUP_NODE], "memory.peak", O_RDONLY | O_CLOEXEC);
	}
	return 0;
}

static struct node_cgroup *blank(struct owner *owner)
{
	static unsigned made;
	struct node_cgroup *c = mem_alloc(sizeof(*c));
	c->owner = owner;
	c->serial = made++;
	c->peak = c->kernel_log = -1;
	for (size_t i = 0; i < CGROUP_PARTS; i++)
		c->dirs[i] = -1;
	return c;
}

int cgroup_node_create(struct node_cgroup **ret, struct owner *owner, const char *name,
		       const struct cgroup_limits *limits, struct err *e)
{
	struct node_cgroup *c = blank(owner);
	struct err why = { 0 };
	c->managed = limits->managed;
	if (make_groups(c, limits, name, &why) == 0) {
		*ret = c;
		return 0;
	}
	struct err left = { 0 };
	if (cgroup_node_destroy(c, &left) > 0 || any_limit(limits) || limits->managed) {
		*e = why;
		return -1;
	}
	*ret = blank(owner);
	(*ret)->notice = mem_printf("no control groups: %s", why.why);
	return 0;
}

const char *cgroup_node_notice(const struct node_cgroup *c)
{
	return c != NULL ? c->notice : NULL;
}

int cgroup_node_dir(const struct node_cgroup *c, enum cgroup_part part, bool *v2)
{
	/* Linux 6.13 and later compare a child's group with the parent's count of kills, and so
	 * kill whatever is cloned into a group that was killed before. Joining one is fine. */
	*v2 = c->tree_v2 && !c->killed[part] && !c->killed[CGROUP_NODE];
	return c->dirs[part];
}

int cgroup_node_attach(struct node_cgroup *c, pid_t pid, struct err *e)
{
	if (c->freezer[CGROUP_NODE] != NULL && v1_group_attach(c->freezer[CGROUP_NODE], pid, e) < 0)
		return -1;
	char number[16];
	(void)snprintf(number, sizeof(number), "%d", (int)pid);
	if (c->tree_v2 && c->killed[CGROUP_NODE] &&
	    io_write_knob(c->dirs[CGROUP_NODE], "cgroup.procs", number, e) < 0)
		return -1;
	for (size_t i = 0; i < CONTROLLER_COUNT; i++)
		if (c->of[i].v1 != NULL && v1_group_attach(c->of[i].v1, pid, e) < 0)
			return -1;
	return 0;
}

/* What is still there is killed and removed by hand, for which the library has no call. */
static unsigned remove_group(struct node_cgroup *c, const char *path, struct err *e)
{
	return objects_remove_cgroup(path, e) < 0 || owner_release(c->owner, "cgroup", path, e) < 0;
}

unsigned cgroup_node_destroy(struct node_cgroup *c, struct err *e)
{
	unsigned left = 0;
	if (c == NULL)
		return 0;
	guard_fd(&c->peak);
	guard_fd(&c->kernel_log);
	for (size_t i = CONTROLLER_COUNT; i > 0; i--) {
		v1_group_remove(c->of[i - 1].v1);
		if (c->of[i - 1].path != NULL &&
		    (c->tree == NULL || strcmp(c->of[i - 1].path, c->tree) != 0))
			left += remove_group(c, c->of[i - 1].path, e);
		free(c->of[i - 1].path);
	}
	for (size_t i = CGROUP_PARTS; i > 0; i--) {
		guard_fd(&c->dirs[i - 1]);
		v1_group_remove(c->freezer[i - 1]);
	}
	if (c->tree != NULL)
		left += remove_group(c, c->tree, e);
	free(c->tree);
	free(c->name);
	free(c->notice);
	free(c);
	return left;
}
