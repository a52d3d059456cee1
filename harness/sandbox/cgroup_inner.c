/* SPDX-License-Identifier: MIT */
/* Groups that a node's own init makes below the node's, in cgroup v2. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/cgroup_private.h"
#include "harness/sandbox/objects.h"

enum {
	DEPTH_MAX = 32,         /* levels below the node's group */
	PROCS_MAX = 1 << 20,    /* bytes of a cgroup.procs file */
	CONTROLLERS_MAX = 4096, /* bytes of cgroup.subtree_control */
};

static bool is_part(const char *name)
{
	for (enum cgroup_part p = CGROUP_WORKFLOW; p < CGROUP_PARTS; p++)
		if (strcmp(cgroup_part_names[p], name) == 0)
			return true;
	return false;
}

static bool is_group(const struct dirent *de)
{
	return de->d_type == DT_DIR && strcmp(de->d_name, ".") != 0 &&
	       strcmp(de->d_name, "..") != 0;
}

static DIR *open_groups(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 ? fdopendir(fd) : NULL;
}

/* While one is on for those below it, nothing can begin in the group itself. */
static int switch_off(const struct node_cgroup *c, struct err *e)
{
	GUARD_BUF struct buf on = { 0 };
	const int dir = c->dirs[CGROUP_NODE];
	if (io_read_file(dir, "cgroup.subtree_control", CONTROLLERS_MAX, &on, e) < 0)
		return -1;
	for (const char *p = buf_str(&on); *p != '\0';) {
		char text[64];
		size_t len = strcspn(p, " \n");
		(void)snprintf(text, sizeof(text), "-%.*s", (int)len, p);
		if (len > 0 && io_write_knob(dir, "cgroup.subtree_control", text, e) < 0)
			return err_prefix(e, "control group '%s'", c->tree);
		p += len;
		p += strspn(p, " \n");
	}
	return 0;
}

/* A systemd that shuts down removes all groups that are empty, ours too. */
static int make_parts(struct node_cgroup *c, struct err *e)
{
	for (enum cgroup_part p = CGROUP_WORKFLOW; p < CGROUP_PARTS; p++) {
		GUARD(mem) char *path = mem_printf("%s/%s", c->tree, cgroup_part_names[p]);
		if (mkdir(path, 0755) < 0 && errno == EEXIST)
			continue;
		guard_fd(&c->dirs[p]);
		c->dirs[p] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (c->dirs[p] < 0)
			return ERR(e, errno, "make control group '%s'", path);
		c->killed[p] = false;
	}
	return 0;
}

int cgroup_node_clear(struct node_cgroup *c, struct err *e)
{
	if (!c->managed)
		return 0;
	GUARD(dir) DIR *d = open_groups(c->dirs[CGROUP_NODE], ".");
	if (d == NULL)
		return ERR(e, errno, "open control group '%s'", c->tree);
	for (struct dirent *de; (de = readdir(d)) != NULL;) {
		if (!is_group(de) || is_part(de->d_name))
			continue;
		GUARD(mem) char *path = mem_printf("%s/%s", c->tree, de->d_name);
		if (objects_remove_cgroup(path, e) < 0)
			return -1;
	}
	return switch_off(c, e) < 0 ? -1 : make_parts(c, e);
}

struct members {
	const char *name;
	pid_t *pids;
	size_t count, max;
};

static void add_members(struct members *m, int dir)
{
	GUARD_BUF struct buf text = { 0 };
	struct err gone = { 0 };
	if (io_read_file(dir, "cgroup.procs", PROCS_MAX, &text, &gone) < 0)
		return;
	for (const char *p = buf_str(&text); *p != '\0';) {
		char *end;
		long pid = strtol(p, &end, 10);
		if (end == p)
			return;
		if (pid > 0 && m->count < m->max)
			m->pids[m->count++] = (pid_t)pid;
		p = *end == '\n' ? end + 1 : end;
	}
}

static void search(struct members *m, int parent, const char *name, bool inside, unsigned depth)
{
	GUARD(dir) DIR *d = open_groups(parent, name);
	if (d == NULL)
		return;
	if (inside)
		add_members(m, dirfd(d));
	for (struct dirent *de; depth < DEPTH_MAX && (de = readdir(d)) != NULL;)
		if (is_group(de))
			search(m, dirfd(d), de->d_name, inside || strcmp(de->d_name, m->name) == 0,
			       depth + 1);
}

size_t cgroup_node_members(const struct node_cgroup *c, const char *name, pid_t *pids, size_t max)
{
	struct members m = { .name = name, .pids = pids, .max = max };
	if (c->managed)
		search(&m, c->dirs[CGROUP_NODE], ".", false, 0);
	return m.count;
}
