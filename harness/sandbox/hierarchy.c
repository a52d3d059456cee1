/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/hierarchy.h"

#include <fcntl.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"

enum { PROC_TEXT_MAX = 4 << 20 }; /* bytes of mountinfo */

const char *cgroup_mode_name(enum cgroup_mode m)
{
	static const char *const names[] = { [CGROUP_NONE] = "none",
					     [CGROUP_V1] = "v1",
					     [CGROUP_HYBRID] = "hybrid",
					     [CGROUP_V2] = "v2" };
	return names[m];
}

/* "4:memory:/a/b": the path of the line that names exactly the same controllers; v2's is "". */
static char *group_of(const char *text, const char *controllers)
{
	for (const char *line = text; line != NULL && *line != '\0';) {
		const char *name = strchr(line, ':');
		const char *path = name != NULL ? strchr(name + 1, ':') : NULL;
		const char *end = strchrnul(line, '\n');
		if (path == NULL || path > end)
			return NULL;
		size_t len = (size_t)(path - name - 1);
		if (len == strlen(controllers) && strncmp(name + 1, controllers, len) == 0)
			return strndup(path + 1, (size_t)(end - path - 1));
		line = *end == '\n' ? end + 1 : NULL;
	}
	return NULL;
}

bool hierarchy_lists(const char *list, const char *word)
{
	size_t len = strlen(word);
	for (const char *p = list; p != NULL && *p != '\0';) {
		size_t part = strcspn(p, ", \n");
		if (part == len && strncmp(p, word, len) == 0)
			return true;
		p += part;
		p += strspn(p, ", \n");
	}
	return false;
}

/* In a container the mount may show only a part of the tree: `root` is what it shows. */
static char *below_root(const char *group, const char *root)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(group, root, len) != 0 || (group[len] != '/' && group[len] != '\0') ||
	    strncmp(group, "/..", 3) == 0)
		return NULL;
	group += len;
	while (*group == '/')
		group++;
	return mem_strdup(group);
}

static void row_free(struct hierarchy *h)
{
	free(h->mount);
	free(h->group);
	free(h->controllers);
}

/* A mount hides what was mounted at its place and below before. */
static void hide(struct hierarchies *h, const char *mount)
{
	size_t len = strcmp(mount, "/") == 0 ? 0 : strlen(mount), kept = 0;
	for (size_t i = 0; i < h->count; i++) {
		const char *old = h->rows[i].mount;
		if (strncmp(old, mount, len) == 0 && (old[len] == '/' || old[len] == '\0'))
			row_free(&h->rows[i]);
		else
			h->rows[kept++] = h->rows[i];
	}
	h->count = kept;
}

/* The super options are "rw,cpu,cpuacct" or "rw,xattr,name=systemd". */
static const char *controllers_of(const char *options)
{
	static const char *const not_names[] = { "xattr,", "noprefix,", "clone_children," };
	const char *names = strchr(options, ',');
	if (names == NULL)
		return NULL;
	names++;
	for (size_t i = 0; i < sizeof(not_names) / sizeof(not_names[0]); i++)
		if (strncmp(names, not_names[i], strlen(not_names[i])) == 0)
			names += strlen(not_names[i]);
	return names;
}

/* 36 25 0:33 ROOT MOUNT OPTIONS [optional...] - TYPE SOURCE SUPEROPTIONS */
static void read_mount(struct hierarchies *h, const char *line, const char *cgroup)
{
	const char *tail = strstr(line, " - ");
	char root[1024], mount[1024], type[64], options[512];
	if (tail == NULL || sscanf(line, "%*s %*s %*s %1023s %1023s", root, mount) != 2 ||
	    sscanf(tail + 3, "%63s %*s %511s", type, options) != 2)
		return;
	hide(h, mount);
	bool v2 = strcmp(type, "cgroup2") == 0;
	if ((!v2 && strcmp(type, "cgroup") != 0) || h->count == HIERARCHIES_MAX)
		return;
	const char *controllers = v2 ? "" : controllers_of(options);
	GUARD(mem) char *group = controllers != NULL ? group_of(cgroup, controllers) : NULL;
	char *below = group != NULL ? below_root(group, root) : NULL;
	if (below == NULL && !v2)
		return;
	h->rows[h->count++] =
		(struct hierarchy){ mem_strdup(mount), below, mem_strdup(controllers), v2 };
}

void hierarchies_parse(struct hierarchies *ret, const char *mountinfo, const char *cgroup)
{
	*ret = (struct hierarchies){ 0 };
	while (*mountinfo != '\0') {
		const char *end = strchrnul(mountinfo, '\n');
		GUARD(mem) char *line = strndup(mountinfo, (size_t)(end - mountinfo));
		if (line != NULL)
			read_mount(ret, line, cgroup);
		mountinfo = *end == '\n' ? end + 1 : end;
	}
}

void hierarchies_free(struct hierarchies *h)
{
	for (size_t i = 0; i < h->count; i++)
		row_free(&h->rows[i]);
	h->count = 0;
}

void hierarchies_keep_v2(struct hierarchies *h)
{
	size_t kept = 0;
	for (size_t i = 0; i < h->count; i++) {
		if (h->rows[i].v2)
			h->rows[kept++] = h->rows[i];
		else
			row_free(&h->rows[i]);
	}
	h->count = kept;
}

int hierarchies_of(struct hierarchies *ret, const char *pid, struct err *e)
{
	GUARD(mem) char *path = mem_printf("/proc/%s/cgroup", pid);
	GUARD_BUF struct buf cgroup = { 0 };
	GUARD_BUF struct buf mounts = { 0 };
	if (io_read_file(AT_FDCWD, path, PROC_TEXT_MAX, &cgroup, e) < 0 ||
	    io_read_file(AT_FDCWD, "/proc/self/mountinfo", PROC_TEXT_MAX, &mounts, e) < 0)
		return -1;
	hierarchies_parse(ret, buf_str(&mounts), buf_str(&cgroup));
	return 0;
}

enum cgroup_mode hierarchies_mode(const struct hierarchies *h)
{
	bool v1 = false, v2 = false;
	for (size_t i = 0; i < h->count; i++) {
		v2 = v2 || h->rows[i].v2;
		/* A named one has no controllers: systemd keeps its books there. */
		v1 = v1 || (!h->rows[i].v2 && strncmp(h->rows[i].controllers, "name=", 5) != 0);
	}
	if (v1)
		return v2 ? CGROUP_HYBRID : CGROUP_V1;
	return v2 ? CGROUP_V2 : CGROUP_NONE;
}

const struct hierarchy *hierarchies_v1(const struct hierarchies *h, const char *controller)
{
	for (size_t i = 0; i < h->count; i++)
		if (!h->rows[i].v2 && hierarchy_lists(h->rows[i].controllers, controller))
			return &h->rows[i];
	return NULL;
}

const struct hierarchy *hierarchies_v2(const struct hierarchies *h)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->rows[i].v2)
			return &h->rows[i];
	return NULL;
}

const struct hierarchies *hierarchies_own(void)
{
	static struct hierarchies own;
	static bool read;
	struct err ignored = { 0 };
	if (!read && hierarchies_of(&own, "self", &ignored) < 0)
		own.count = 0;
	read = true;
	return &own;
}
