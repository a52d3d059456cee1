/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/objects.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"

enum {
	CGROUP_PROCS_MAX = 1 << 20, /* bytes of a cgroup.procs file */
	CGROUP_DEPTH_MAX = 32,      /* levels below a node's group */
	RETRY_MS = 2,
	BACKING_MAX = 8192, /* bytes of a path in sysfs */
};
static const int64_t give_up_ns = 2 * NS_PER_S;

static void nap(void)
{
	(void)nanosleep(&(struct timespec){ .tv_nsec = RETRY_MS * NS_PER_MS }, NULL);
}

void objects_kill_members(int dir)
{
	struct err ignored = { 0 };
	GUARD_BUF struct buf text = { 0 };
	if (io_read_file(dir, "cgroup.procs", CGROUP_PROCS_MAX, &text, &ignored) < 0)
		return;
	const char *p = buf_str(&text);
	while (*p != '\0') {
		char *end;
		long pid = strtol(p, &end, 10);
		if (end == p)
			return;
		if (pid > 1)
			(void)kill((pid_t)pid, SIGKILL);
		p = *end == '\n' ? end + 1 : end;
	}
}

/* One attempt. errno tells why it is still there. */
static int try_remove(int parent, const char *name, unsigned depth)
{
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno == ENOENT)
		return 0;
	int why = errno;
	if (depth > CGROUP_DEPTH_MAX)
		return -1;
	GUARD(fd) int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	/* At once where the kernel can; what v1 has frozen hears nothing until it thaws. */
	struct err ignored = { 0 };
	if (io_write_knob(fd, "cgroup.kill", "1", &ignored) < 0)
		(void)io_write_knob(fd, "freezer.state", "THAWED", &ignored);
	objects_kill_members(fd);
	GUARD(dir) DIR *d = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0));
	if (d == NULL)
		return -1;
	for (struct dirent *de; (de = readdir(d)) != NULL;) {
		if (de->d_type != DT_DIR || strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		(void)try_remove(fd, de->d_name, depth + 1);
	}
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	errno = why;
	return -1;
}

int objects_remove_cgroup(const char *path, struct err *e)
{
	struct statfs fs;
	if (statfs(path, &fs) < 0)
		return errno == ENOENT ? 0 : ERR(e, errno, "look at '%s'", path);
	if (fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC)
		return 0; /* not a control group: not ours */
	int64_t deadline = clock_now() + give_up_ns;
	while (try_remove(AT_FDCWD, path, 0) < 0) {
		int why = errno;
		if (clock_now() >= deadline)
			return ERR(e, why, "remove control group '%s'", path);
		nap();
	}
	return 1;
}

/* The last name of the path is "TAG-...", and no part of it leads elsewhere. */
static bool carries_tag(const char *path, const char *tag)
{
	const char *base = strrchr(path, '/');
	size_t len = strlen(tag);
	return path[0] == '/' && base != NULL && strstr(path, "/../") == NULL &&
	       strncmp(base + 1, tag, len) == 0 && base[1 + len] == '-';
}

/* systemd's own unit: empty, it goes by itself. Were we to remove its folder first, systemd would
 * never hear that it is empty, and keep the unit for ever. */
static int end_scope(const char *path, struct err *e)
{
	int64_t deadline = clock_now() + give_up_ns;
	GUARD(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct err ignored = { 0 };
	if (fd < 0)
		return errno == ENOENT ? 0 : ERR(e, errno, "open control group '%s'", path);
	GUARD(fd) int keep = openat(fd, "keep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (io_write_knob(fd, "cgroup.kill", "1", &ignored) < 0) {
		objects_kill_members(fd);
		if (keep >= 0)
			objects_kill_members(keep);
	}
	while (access(path, F_OK) == 0) {
		if (clock_now() >= deadline)
			return objects_remove_cgroup(path, e);
		nap();
	}
	return 1;
}

static int remove_cgroup(const struct objects_claim *claim, const char *name, struct err *e)
{
	static const char scope[] = ".scope";
	size_t len = strlen(name);
	if (!carries_tag(name, claim->tag))
		return 0;
	if (len > sizeof(scope) && strcmp(name + len - (sizeof(scope) - 1), scope) == 0)
		return end_scope(name, e);
	return objects_remove_cgroup(name, e);
}

static bool backs_ours(const char *device, const char *state_dir)
{
	const char *base = strrchr(device, '/');
	if (base == NULL || strncmp(base, "/loop", 5) != 0)
		return false;
	struct err ignored = { 0 };
	GUARD_BUF struct buf text = { 0 };
	GUARD(mem) char *path = mem_printf("/sys/block%s/loop/backing_file", base);
	if (io_read_file(AT_FDCWD, path, BACKING_MAX, &text, &ignored) < 0)
		return false; /* bound to nothing */
	size_t len = strlen(state_dir);
	return strncmp(buf_str(&text), state_dir, len) == 0 && buf_str(&text)[len] == '/';
}

static int remove_loop(const struct objects_claim *claim, const char *name, struct err *e)
{
	if (!backs_ours(name, claim->state_dir))
		return 0;
	GUARD(fd) int fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENXIO ? 0 : ERR(e, errno, "open '%s'", name);
	if (ioctl(fd, LOOP_CLR_FD, 0) < 0)
		return errno == ENXIO ? 0 : ERR(e, errno, "detach '%s'", name);
	return 1;
}

static const struct {
	const char *kind;
	int (*remove)(const struct objects_claim *claim, const char *name, struct err *e);
} kinds[] = {
	{ "cgroup", remove_cgroup },
	{ "loop", remove_loop },
};

int objects_remove(const struct objects_claim *claim, const char *kind, const char *name,
		   struct err *e)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			return kinds[i].remove(claim, name, e);
	return 0; /* of another version of this program, or not ours */
}
