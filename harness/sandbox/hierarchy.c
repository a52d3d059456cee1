/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/hierarchy.h"

#include <fcntl.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"

enum {
	PROC_TEXT_MAX = 4 << 20, /* bytes of mountinfo */
	ROWS_MAX = 32,           /* more v1 hierarchies than kernels have controllers */
};

static struct {
	bool read, v2;
	size_t count;
	struct {
		struct hierarchy h;
		char *controllers; /* "cpu,cpuacct" */
	} rows[ROWS_MAX];
} table;

/* "4:memory:/a/b": the path of the line that names exactly the same controllers. */
static char *own_group(const char *text, const char *controllers)
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

static bool list_has(const char *list, const char *word)
{
	size_t len = strlen(word);
	for (const char *p = list; p != NULL; p = strchr(p, ',')) {
		if (*p == ',')
			p++;
		if (strncmp(p, word, len) == 0 && (p[len] == ',' || p[len] == '\0'))
			return true;
	}
	return false;
}

/* In a container the mount may show only a part of the tree: `root` is what it shows. */
static char *below_root(const char *group, const char *root)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(group, root, len) != 0 || (group[len] != '/' && group[len] != '\0'))
		return NULL;
	group += len;
	while (*group == '/')
		group++;
	return mem_strdup(group);
}

/* 36 25 0:33 ROOT MOUNT OPTIONS [optional...] - TYPE SOURCE SUPEROPTIONS */
static void read_mount(char *line, const char *own)
{
	char *tail = strstr(line, " - ");
	char root[1024], mount[1024], type[64], options[512];
	if (tail == NULL || sscanf(line, "%*s %*s %*s %1023s %1023s", root, mount) != 2 ||
	    sscanf(tail + 3, "%63s %*s %511s", type, options) != 2)
		return;
	if (strcmp(type, "cgroup2") == 0)
		table.v2 = true;
	if (strcmp(type, "cgroup") != 0 || table.count == ROWS_MAX)
		return;
	/* The super options are "rw,cpu,cpuacct" or "rw,xattr,name=systemd". */
	const char *names = strchr(options, ',');
	if (names == NULL)
		return;
	names++;
	static const char *const not_names[] = { "xattr,", "noprefix,", "clone_children," };
	for (size_t i = 0; i < sizeof(not_names) / sizeof(not_names[0]); i++)
		if (strncmp(names, not_names[i], strlen(not_names[i])) == 0)
			names += strlen(not_names[i]);
	char *group = own_group(own, names);
	char *below = group != NULL ? below_root(group, root) : NULL;
	free(group);
	if (below == NULL)
		return;
	table.rows[table.count].h.mount = mem_strdup(mount);
	table.rows[table.count].h.group = below;
	table.rows[table.count].controllers = mem_strdup(names);
	table.count++;
}

static void read_table(void)
{
	if (table.read)
		return;
	table.read = true; /* what cannot be read is as good as absent */
	struct err ignored = { 0 };
	GUARD_BUF struct buf own = { 0 };
	GUARD_BUF struct buf mounts = { 0 };
	if (io_read_file(AT_FDCWD, "/proc/self/cgroup", PROC_TEXT_MAX, &own, &ignored) < 0 ||
	    io_read_file(AT_FDCWD, "/proc/self/mountinfo", PROC_TEXT_MAX, &mounts, &ignored) < 0)
		return;
	char *line = mounts.data;
	while (line != NULL && *line != '\0') {
		char *end = strchr(line, '\n');
		if (end != NULL)
			*end = '\0';
		read_mount(line, buf_str(&own));
		line = end != NULL ? end + 1 : NULL;
	}
}

const struct hierarchy *hierarchy_v1(const char *controller)
{
	read_table();
	for (size_t i = 0; i < table.count; i++)
		if (list_has(table.rows[i].controllers, controller))
			return &table.rows[i].h;
	return NULL;
}

bool hierarchy_has_v1(void)
{
	read_table();
	for (size_t i = 0; i < table.count; i++)
		if (strncmp(table.rows[i].controllers, "name=", 5) != 0)
			return true;
	return false;
}

bool hierarchy_has_v2(void)
{
	read_table();
	return table.v2;
}
