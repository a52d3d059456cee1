/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/orphans.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/hierarchy.h"
#include "harness/sandbox/process.h"

enum {
	DEPTH_MAX = 16,       /* levels below where the search begins */
	STATUS_MAX = 1 << 16, /* bytes of /proc/PID/status */
	MEMBERS_MAX = 1 << 20,
	TAG_MAX = 64,
};

/* The kernel's first PID namespace has this inode, on all hosts: it sees every process. */
#define FIRST_PID_NAMESPACE 0xEFFFFFFCU

struct orphan {
	char *path;
	char tag[TAG_MAX];          /* "backout-PID-STARTTIME" */
	unsigned long owner, maker; /* maker: 0, the name does not tell */
	unsigned long long start;
	bool alive;
};

struct orphans {
	size_t count;
	struct orphan *items;
};

static void orphans_free(struct orphans *o)
{
	for (size_t i = 0; i < o->count; i++)
		free(o->items[i].path);
	free(o->items);
}

/* A number without sign or leading blank, and then `end`; NULL: it is not there. */
static const char *number(const char *text, char end, unsigned long long *ret)
{
	char *stop;
	if (*text < '1' || *text > '9')
		return NULL;
	errno = 0;
	*ret = strtoull(text, &stop, 10);
	return errno == 0 && *stop == end ? stop + 1 : NULL;
}

static bool parse_name(const char *name, struct orphan *ret)
{
	static const char prefix[] = "backout-";
	unsigned long long owner, maker;
	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return false;
	const char *p = number(name + sizeof(prefix) - 1, '-', &owner);
	if (p == NULL || (p = number(p, '-', &ret->start)) == NULL || *p == '\0')
		return false;
	size_t len = (size_t)(p - 1 - name);
	if (len >= sizeof(ret->tag) || owner > INT_MAX)
		return false;
	(void)snprintf(ret->tag, sizeof(ret->tag), "%.*s", (int)len, name);
	ret->owner = (unsigned long)owner;
	const char *last = strrchr(p - 1, '-');
	ret->maker = number(last + 1, '.', &maker) != NULL ? (unsigned long)maker : 0;
	return true;
}

/* What has our name is not looked into. */
static void search(struct orphans *o, int parent, const char *path, unsigned depth)
{
	GUARD(fd) int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	GUARD(dir) DIR *d = fd >= 0 ? fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0)) : NULL;
	if (d == NULL)
		return; /* gone meanwhile */
	for (struct dirent *de; (de = readdir(d)) != NULL;) {
		struct orphan one = { 0 };
		if (de->d_type != DT_DIR || de->d_name[0] == '.')
			continue;
		GUARD(mem) char *below = mem_printf("%s/%s", path, de->d_name);
		if (parse_name(de->d_name, &one)) {
			o->items = mem_grow(o->items, o->count + 1, sizeof(*o->items));
			one.path = take_ptr(&below);
			o->items[o->count++] = one;
		} else if (depth < DEPTH_MAX) {
			search(o, AT_FDCWD, below, depth + 1);
		}
	}
}

/* Beginning with our group's parent, or with our group. */
static void search_hierarchies(struct orphans *o, bool siblings)
{
	const struct hierarchies *own = hierarchies_own();
	for (size_t i = 0; i < own->count; i++) {
		const struct hierarchy *h = &own->rows[i];
		if (h->group == NULL)
			continue;
		GUARD(mem) char *from = mem_printf("%s/%s", h->mount, h->group);
		char *last = strrchr(from, '/');
		if (h->group[0] == '\0' || siblings)
			*last = '\0';
		search(o, AT_FDCWD, from, 0);
	}
}

/* Start times are told by each time namespace's own clock. */
static bool same_clock(pid_t pid)
{
	struct stat ours, its;
	GUARD(mem) char *path = mem_printf("/proc/%d/ns/time", (int)pid);
	if (stat("/proc/self/ns/time", &ours) < 0)
		return true; /* before Linux 5.6 */
	return stat(path, &its) == 0 && ours.st_ino == its.st_ino;
}

/* NSpid has the process's number in our PID namespace, and in each one below. */
static void spare(struct orphans *o, pid_t pid)
{
	struct process p;
	struct err ignored = { 0 };
	GUARD_BUF struct buf text = { 0 };
	GUARD(mem) char *path = mem_printf("/proc/%d/status", (int)pid);
	if (!process_read(pid, &p) || io_read_file(AT_FDCWD, path, STATUS_MAX, &text, &ignored) < 0)
		return;
	const char *at = strstr(buf_str(&text), "\nNSpid:");
	if (at == NULL)
		return;
	for (char *end = (char *)at + strlen("\nNSpid:"); *end == '\t';) {
		unsigned long n = strtoul(end, &end, 10);
		for (size_t i = 0; i < o->count; i++) {
			struct orphan *one = &o->items[i];
			if (n == one->maker ||
			    (n == one->owner && (p.start == one->start || !same_clock(pid))))
				one->alive = true;
		}
	}
}

/* After the search: a group that is of a living process was made by one that is listed here. */
static int spare_living(struct orphans *o, struct err *e)
{
	GUARD(dir) DIR *d = opendir("/proc");
	if (d == NULL)
		return ERR(e, errno, "open '/proc'");
	for (struct dirent *de; (de = readdir(d)) != NULL;)
		if (de->d_name[0] >= '1' && de->d_name[0] <= '9')
			spare(o, (pid_t)strtol(de->d_name, NULL, 10));
	return 0;
}

static bool sees_all(void)
{
	struct stat st;
	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == FIRST_PID_NAMESPACE;
}

/* It, or a group in it, has a process, or cannot be read. */
static bool is_used(const char *path, unsigned depth)
{
	GUARD(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	GUARD(dir) DIR *d = fd >= 0 ? fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0)) : NULL;
	GUARD_BUF struct buf members = { 0 };
	struct err ignored = { 0 };
	if (d == NULL || depth > DEPTH_MAX)
		return errno != ENOENT;
	if (io_read_file(fd, "cgroup.procs", MEMBERS_MAX, &members, &ignored) < 0 ||
	    members.len > 0)
		return true;
	for (struct dirent *de; (de = readdir(d)) != NULL;) {
		GUARD(mem) char *below = mem_printf("%s/%s", path, de->d_name);
		if (de->d_type == DT_DIR && de->d_name[0] != '.' && is_used(below, depth + 1))
			return true;
	}
	return false;
}

/* By rmdir(2) alone, which no group with a process lets happen: a name is too little to kill by. */
static bool drop(const char *path)
{
	GUARD(dir) DIR *d = opendir(path);
	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
		GUARD(mem) char *below = mem_printf("%s/%s", path, de->d_name);
		if (de->d_type == DT_DIR && de->d_name[0] != '.' && !drop(below))
			return false;
	}
	return rmdir(path) == 0 || errno == ENOENT;
}

static bool is_cgroup(const char *path)
{
	struct statfs fs;
	return statfs(path, &fs) == 0 &&
	       (fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC);
}

int orphans_collect(const char *state_dir, owner_report_fn report, owner_report_fn left, void *arg,
		    struct err *e)
{
	struct orphans o = { 0 };
	int removed = 0, result = 0;
	search_hierarchies(&o, sees_all());
	if (o.count > 0 && spare_living(&o, e) < 0)
		result = -1;
	for (size_t i = 0; result == 0 && i < o.count; i++) {
		const struct orphan *one = &o.items[i];
		GUARD(mem) char *folder = mem_printf("%s/owners/%s", state_dir, one->tag);
		if (one->alive || access(folder, F_OK) == 0 || !is_cgroup(one->path))
			continue;
		bool gone = !is_used(one->path, 0) && drop(one->path);
		owner_report_fn say = gone ? report : left;
		removed += gone;
		if (say != NULL)
			say(arg, "cgroup", one->path, one->tag);
	}
	orphans_free(&o);
	return result < 0 ? -1 : removed;
}
