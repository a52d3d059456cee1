/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/cgroup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libcgroup.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/hierarchy.h"
#include "harness/sandbox/objects.h"

enum {
	VALUE_MAX = 4096,        /* bytes of a knob's text */
	CPU_PERIOD_US = 100000,  /* the kernel's default period */
	CPU_QUOTA_MIN_US = 1000, /* the kernel refuses less */
};

enum controller_id { MEMORY, PIDS, CPU, CONTROLLER_COUNT };

struct knob {
	const char *file;
	bool optional; /* absent on kernels without it */
};

static const struct controller {
	const char *name;
	struct knob knobs[2]; /* written in this order */
} controllers[CONTROLLER_COUNT] = {
	/* memsw may not be lower than the limit, so it comes second. */
	[MEMORY] = { "memory",
		     { { "memory.limit_in_bytes", false },
		       { "memory.memsw.limit_in_bytes", true } } },
	[PIDS] = { "pids", { { "pids.max", false } } },
	[CPU] = { "cpu", { { "cpu.cfs_quota_us", false } } },
};

struct node_cgroup {
	struct owner *owner;
	unsigned serial; /* within this process */
	struct group {
		struct cgroup *cg; /* NULL: no group in this hierarchy */
		char *path;
	} groups[CONTROLLER_COUNT];
};

enum cgroup_mode cgroup_mode(void)
{
	if (hierarchy_has_v1())
		return hierarchy_has_v2() ? CGROUP_HYBRID : CGROUP_V1;
	return hierarchy_has_v2() ? CGROUP_V2 : CGROUP_NONE;
}

const char *cgroup_mode_name(enum cgroup_mode m)
{
	static const char *const names[] = { [CGROUP_NONE] = "none",
					     [CGROUP_V1] = "v1",
					     [CGROUP_HYBRID] = "hybrid",
					     [CGROUP_V2] = "v2" };
	return names[m];
}

static const struct controller *find(const char *what)
{
	for (size_t i = 0; i < CONTROLLER_COUNT; i++)
		if (strcmp(controllers[i].name, what) == 0)
			return &controllers[i];
	return NULL;
}

const char *cgroup_unsupported(const char *what)
{
	if (find(what) == NULL)
		return "there is no such limit";
	const struct hierarchy *h = hierarchy_v1(what);
	if (h == NULL)
		return cgroup_mode() == CGROUP_V2
			       ? "this host has control groups v2 only, and limits need the "
				 "controller's v1 hierarchy: leave the limit out"
			       : "this host has no v1 hierarchy with that controller mounted: "
				 "mount "
				 "it, or leave the limit out";
	GUARD(mem) char *own = mem_printf("%s/%s", h->mount, h->group);
	if (access(own, W_OK) != 0)
		return "the harness may not make groups below its own control group: run it as "
		       "root, with /sys/fs/cgroup writable";
	return NULL;
}

static const char *why(int code)
{
	return code == ECGOTHER ? strerror(cgroup_get_last_errno()) : cgroup_strerror(code);
}

/* The library reads /proc/mounts once a process. */
static int library(struct err *e)
{
	static bool ready;
	if (ready)
		return 0;
	int code = cgroup_init();
	if (code != 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0, "libcgroup: %s", why(code));
	ready = true;
	return 0;
}

/* The limit as the kernel will hold it, 0 for none. */
static int wanted(const struct cgroup_limits *l, enum controller_id id, uint64_t *ret,
		  struct err *e)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	*ret = 0;
	switch (id) {
	case MEMORY:
		*ret = l->memory / page * page;
		if (l->memory > 0 && *ret == 0)
			return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
				      "a memory limit of %" PRIu64 " bytes is less than a page",
				      l->memory);
		return 0;
	case PIDS:
		*ret = l->pids;
		return 0;
	default:
		*ret = (uint64_t)(l->cpu * CPU_PERIOD_US / 100);
		if (l->cpu > 0 && *ret < CPU_QUOTA_MIN_US)
			return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
				      "a cpu limit of %g%% is less than the kernel's least, 1%%",
				      l->cpu);
		return 0;
	}
}

/* By reading the file: the library could only read back every file of the group at once. */
static int read_back(const struct group *g, const char *file, uint64_t value, struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/%s", g->path, file);
	GUARD_BUF struct buf text = { 0 };
	if (io_read_file(AT_FDCWD, path, VALUE_MAX, &text, e) < 0)
		return -1;
	if (strtoull(buf_str(&text), NULL, 10) != value)
		return ERR(e, 0, "'%s' was set to %" PRIu64 " and reads %.*s", path, value,
			   (int)strcspn(buf_str(&text), "\n"), buf_str(&text));
	return 0;
}

static bool has_knob(const struct hierarchy *h, const char *file)
{
	/* The kernel has it everywhere or nowhere: the memory controller's root shows it, too. */
	GUARD(mem) char *path = mem_printf("%s/%s", h->mount, file);
	return access(path, F_OK) == 0;
}

static int make_group(struct node_cgroup *c, enum controller_id id, const char *name,
		      uint64_t value, struct err *e)
{
	const struct controller *k = &controllers[id];
	const struct hierarchy *h = hierarchy_v1(k->name);
	struct group *g = &c->groups[id];
	/* Flat, directly below our own group: a folder more would be one that nobody removes. The
	 * number keeps apart the nodes of one name that drills of one owner run side by side. */
	GUARD(mem)
	char *relative = mem_printf("%s%s%s-%s-%d.%u", h->group, h->group[0] != '\0' ? "/" : "",
				    owner_tag(c->owner), name, (int)getpid(), c->serial);
	char *path = mem_printf("%s/%s", h->mount, relative);
	if (owner_register(c->owner, "cgroup", path, e) < 0) {
		free(path);
		return -1;
	}
	g->path = path;
	g->cg = cgroup_new_cgroup(relative);
	struct cgroup_controller *cc = g->cg != NULL ? cgroup_add_controller(g->cg, k->name) : NULL;
	if (cc == NULL)
		return ERR(e, 0, "control group '%s': is the name too long?", path);
	bool set[2] = { false, false };
	for (size_t i = 0; i < 2 && value > 0 && k->knobs[i].file != NULL; i++) {
		set[i] = !k->knobs[i].optional || has_knob(h, k->knobs[i].file);
		if (set[i] && cgroup_set_value_uint64(cc, k->knobs[i].file, value) != 0)
			return ERR(e, 0, "control group '%s': %s", path, k->knobs[i].file);
	}
	/* 1: leave the files' owner alone. */
	int code = cgroup_create_cgroup(g->cg, 1);
	if (code != 0)
		return ERR(e, 0, "control group '%s': %s", path, why(code));
	for (size_t i = 0; i < 2; i++)
		if (set[i] && read_back(g, k->knobs[i].file, value, e) < 0)
			return -1;
	return 0;
}

static int make_groups(struct node_cgroup *c, const char *name, const struct cgroup_limits *limits,
		       struct err *e)
{
	for (enum controller_id id = 0; id < CONTROLLER_COUNT; id++) {
		uint64_t value;
		if (wanted(limits, id, &value, e) < 0)
			return -1;
		const char *lacking = cgroup_unsupported(controllers[id].name);
		if (lacking != NULL && value > 0)
			return ERR_AS(e, EXIT_UNAVAILABLE, 0, "limit '%s': %s",
				      controllers[id].name, lacking);
		/* Without a limit a group says nothing, but for memory's: it counts the peak. */
		if (lacking != NULL || (value == 0 && id != MEMORY))
			continue;
		if (library(e) < 0 || make_group(c, id, name, value, e) < 0)
			return -1;
	}
	return 0;
}

int cgroup_node_create(struct node_cgroup **ret, struct owner *owner, const char *name,
		       const struct cgroup_limits *limits, struct err *e)
{
	static unsigned made;
	struct node_cgroup *c = mem_alloc(sizeof(*c));
	c->owner = owner;
	c->serial = made++;
	if (make_groups(c, name, limits, e) < 0) {
		struct err ignored = { 0 };
		(void)cgroup_node_destroy(c, &ignored);
		return -1;
	}
	*ret = c;
	return 0;
}

int cgroup_node_attach(struct node_cgroup *c, pid_t pid, struct err *e)
{
	for (size_t i = 0; i < CONTROLLER_COUNT; i++) {
		if (c->groups[i].cg == NULL)
			continue;
		int code = cgroup_attach_task_pid(c->groups[i].cg, pid);
		if (code != 0)
			return ERR(e, 0, "put process %d into control group '%s': %s", (int)pid,
				   c->groups[i].path, why(code));
	}
	return 0;
}

/* Without this flag the library moves members to the parent group: an escape. With it, it says
 * that all is well even when rmdir said EBUSY. So look again: what is still there is killed and
 * removed by hand, for which the library has no call. */
static int remove_group(struct node_cgroup *c, struct group *g, struct err *e)
{
	if (g->cg != NULL)
		(void)cgroup_delete_cgroup_ext(g->cg, CGFLAG_DELETE_EMPTY_ONLY);
	if (objects_remove_cgroup(g->path, e) < 0)
		return -1;
	return owner_release(c->owner, "cgroup", g->path, e);
}

unsigned cgroup_node_destroy(struct node_cgroup *c, struct err *e)
{
	unsigned left = 0;
	if (c == NULL)
		return 0;
	for (size_t i = CONTROLLER_COUNT; i > 0; i--) {
		struct group *g = &c->groups[i - 1];
		if (g->path != NULL && remove_group(c, g, e) < 0)
			left++;
		if (g->cg != NULL)
			cgroup_free(&g->cg);
		free(g->path);
	}
	free(c);
	return left;
}

static bool read_number(const char *dir, const char *file, uint64_t *ret)
{
	struct err ignored = { 0 };
	GUARD(mem) char *path = mem_printf("%s/%s", dir, file);
	GUARD_BUF struct buf text = { 0 };
	if (io_read_file(AT_FDCWD, path, VALUE_MAX, &text, &ignored) < 0)
		return false;
	char *end;
	*ret = strtoull(buf_str(&text), &end, 10);
	return end != buf_str(&text);
}

bool cgroup_node_memory(const struct node_cgroup *c, uint64_t *peak, uint64_t *failures)
{
	const char *dir = c->groups[MEMORY].path;
	return dir != NULL && read_number(dir, "memory.max_usage_in_bytes", peak) &&
	       read_number(dir, "memory.failcnt", failures);
}
