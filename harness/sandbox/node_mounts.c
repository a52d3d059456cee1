/* SPDX-License-Identifier: MIT */
/* The node's root, built by its init in a mount namespace of its own: nothing of it shows on
 * the host, and all of it goes with the last process. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/node_private.h"
#include "harness/sandbox/tree_copy.h"
#include "harness/sandbox/upper.h"
#include "harness/sandbox/userns.h"

enum {
	MOUNTINFO_MAX = 1 << 20, /* bytes */
	BUSY_TRIES = 1000,       /* until the root's last mount has gone */
	BUSY_WAIT_US = 2000,     /* between two of them */
};

/* Straight from the file since Linux 6.12; ENOTBLK before. Autoclear ends the loop device with
 * its mount, or with our descriptor when we die in between: nobody needs to know of it. */
int node_mount_image(const char *path, const char *where, struct err *e)
{
	const unsigned long flags = MS_RDONLY | MS_NODEV;
	if (mount(path, where, "erofs", flags, NULL) == 0)
		return 0;
	if (errno == ENODEV)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0,
			      "this kernel has no erofs (modprobe erofs); a folder as root does "
			      "without it");
	if (errno != ENOTBLK)
		return ERR(e, errno, "mount image '%s'", path);
	char device[DISK_DEVICE_MAX];
	GUARD(fd) int fd = disk_attach(path, false, device, e);
	if (fd < 0)
		return -1;
	if (mount(device, where, "erofs", flags, NULL) < 0)
		return ERR(e, errno, "mount image '%s' by '%s'", path, device);
	return 0;
}

static int mount_lower(const struct node_spec *spec, struct err *e)
{
	bool image = spec->root_kind == NODE_ROOT_IMAGE;
	const char *folder = image ? spec->mounted : spec->root_path;
	if (folder == NULL)
		return node_mount_image(spec->root_path, "lower", e);
	/* Bound to a fixed name, so that no odd byte of the path gets into the mount options. */
	if (mount(folder, "lower", "none", MS_BIND, NULL) < 0)
		return ERR(e, errno, "bind root folder '%s'", folder);
	return 0;
}

/* The merged root shows the upper's own mode and owner: give a new one the lower's. */
static int like_lower(bool fresh, bool *one_fs, struct err *e)
{
	struct stat st, upper;
	if (stat("lower", &st) < 0 || stat("upper", &upper) < 0)
		return ERR(e, errno, "look at the root");
	*one_fs = st.st_dev == upper.st_dev;
	if (!S_ISDIR(st.st_mode))
		return ERR(e, ENOTDIR, "the root");
	if (!fresh)
		return 0;
	if (chown("upper", st.st_uid, st.st_gid) < 0 || chmod("upper", st.st_mode & 07777) < 0)
		return ERR(e, errno, "prepare the upper folder");
	return 0;
}

static bool has_option(const char *options, const char *word)
{
	size_t len = strlen(word);
	for (const char *p = strstr(options, word); p != NULL; p = strstr(p + 1, word))
		if ((p == options || p[-1] == ',') && (p[len] == ',' || p[len] == '\0'))
			return true;
	return false;
}

/* dpkg's own undo fails on an overlay without index (stale file handle); without redirects
 * rename(2) refuses a folder of the image (EXDEV), which no disk does. A node that boots again has
 * the upper and the work folder that it had: the index lies in the latter. The kernel gives neither
 * to a second mount, and the first may be a moment in going. */
static int mount_overlay(const char *before)
{
	char options[160];
	/* With a new upper the kernel says uuid=on of its own accord, and later not any more. */
	(void)snprintf(options, sizeof(options),
		       "lowerdir=lower,upperdir=upper,workdir=work,index=on,xino=on,metacopy=off,"
		       "redirect_dir=on%s",
		       has_option(before, "uuid=on") ? ",uuid=on" : "");
	int rc;
	for (int i = 0;; i++) {
		/* Over the lower itself: no folder more. */
		rc = mount("overlay", "lower", "overlay", MS_NODEV, options);
		if (rc == 0 || errno != EBUSY || i == BUSY_TRIES)
			return rc;
		(void)usleep(BUSY_WAIT_US);
	}
}

/* What hides parts of the lower is the upper's first content. No layer of its own: the kernel takes
 * no lower that lies in another one, and the host's / has all. */
static int put_mask(const char *mask, struct err *e)
{
	GUARD(fd) int from = open(mask, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	GUARD(fd) int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0 || here < 0)
		return ERR(e, errno, "open '%s'", mask);
	struct tree_copy *copy = tree_copy_create(here);
	int ret = tree_copy_below(copy, from, "upper", '\0', e);
	tree_copy_destroy(copy);
	return ret;
}

static int stack_overlay(const struct node_spec *spec, const char *before, bool *one_fs,
			 struct err *e)
{
	bool first = spec->from == NULL && before[0] == '\0';
	if (spec->mask != NULL && first && put_mask(spec->mask, e) < 0)
		return -1;
	if (mount_lower(spec, e) < 0 || like_lower(spec->from == NULL, one_fs, e) < 0)
		return -1;
	if (mount_overlay(before) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno,
			      "mount an overlay with index=on,xino=on in '%s' (its file system "
			      "must be a real one, not an overlay itself)",
			      spec->work_dir);
	return 0;
}

/* What the file system's mount keeps back stays so: a user namespace may not take it off. */
static int bind_copy(struct err *e)
{
	struct statvfs fs;
	if (mount("upper", "lower", "none", MS_BIND, NULL) < 0 || statvfs("lower", &fs) < 0)
		return ERR(e, errno, "bind the copy of the root");
	const unsigned long kept = fs.f_flag & (ST_NOSUID | ST_NOEXEC | ST_RDONLY);
	if (mount("none", "lower", "none", MS_REMOUNT | MS_BIND | MS_NODEV | kept, NULL) < 0)
		return ERR(e, errno, "bind the copy of the root without devices");
	return 0;
}

static int pivot(struct err *e)
{
	if (chdir("lower") < 0)
		return ERR(e, errno, "enter the new root");
	/* Both names the same: the old root ends on top of the new one, and goes. */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "pivot_root (not from an initramfs)");
	return 0;
}

/* Only when all is mounted: the kernel gives a user namespace no /proc and no /sys where it can
 * see none already. */
static int detach_old(struct err *e)
{
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return ERR(e, errno, "detach the old root");
	return 0;
}

static const struct {
	const char *path;
	unsigned major, minor;
} devices[] = {
	{ "/dev/null", 1, 3 },   { "/dev/zero", 1, 5 },    { "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};
enum { DEVICE_COUNT = sizeof(devices) / sizeof(devices[0]) };

/* In a user namespace nobody makes devices: the host's own ones are bound, taken while they can
 * still be reached. */
struct devices {
	int fds[DEVICE_COUNT];
	bool taken;
};

static int take_devices(struct devices *d, struct err *e)
{
	for (size_t i = 0; i < DEVICE_COUNT; i++) {
		d->fds[i] =
			open_tree(AT_FDCWD, devices[i].path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		if (d->fds[i] < 0)
			return ERR_AS(e, EXIT_UNAVAILABLE, errno, "take the host's '%s'",
				      devices[i].path);
		d->taken = true;
	}
	return 0;
}

/* *one_fs: both layers of an overlay lie on one file system. *ret_from: the folder that the node
 * begins with; -1: none. */
static int mount_root(const struct init_task *task, struct msg_ready *ready, bool *one_fs,
		      int *ret_from, struct devices *hosts, struct err *e)
{
	const struct node_spec *spec = task->spec;
	if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		return ERR(e, errno, "make the mounts private");
	if (spec->from != NULL) {
		*ret_from = open(spec->from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (*ret_from < 0)
			return ERR(e, errno, "open '%s'", spec->from);
	}
	if (chdir(spec->work_dir) < 0)
		return ERR(e, errno, "work folder '%s'", spec->work_dir);
	*one_fs = false;
	if (userns_kind() != USERNS_HOST && take_devices(hosts, e) < 0)
		return -1;
	int made = spec->root_kind == NODE_ROOT_DISK
			   ? disk_mount(spec->root_fs, NODE_DISK, "lower", ready->device, e)
		   : spec->root_kind == NODE_ROOT_COPY
			   ? bind_copy(e)
			   : stack_overlay(spec, task->before, one_fs, e);
	return made < 0 ? -1 : pivot(e);
}

struct tmp_mount {
	const char *where, *type;
	unsigned long flags;
	const char *options;
};
static const struct tmp_mount mounts[] = {
	{ "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL },
	{ "/sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL },
	{ "/dev", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m" },
	{ "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
	  "newinstance,ptmxmode=0666,mode=0620,gid=5" },
	{ "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777" },
	{ "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755" },
	{ "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777" },
};

static const struct {
	const char *path, *target;
} links[] = {
	{ "/dev/ptmx", "pts/ptmx" },          { "/dev/fd", "/proc/self/fd" },
	{ "/dev/stdin", "/proc/self/fd/0" },  { "/dev/stdout", "/proc/self/fd/1" },
	{ "/dev/stderr", "/proc/self/fd/2" },
};

static int link_devices(struct err *e)
{
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i].target, links[i].path) < 0)
			return ERR(e, errno, "link '%s' in the node", links[i].path);
	return 0;
}

static int bind_devices(const struct devices *hosts, struct err *e)
{
	for (size_t i = 0; i < DEVICE_COUNT; i++)
		if (mknod(devices[i].path, S_IFREG | 0666, 0) < 0 ||
		    move_mount(hosts->fds[i], "", AT_FDCWD, devices[i].path,
			       MOVE_MOUNT_F_EMPTY_PATH) < 0)
			return ERR_AS(e, EXIT_UNAVAILABLE, errno, "bind device '%s' in the node",
				      devices[i].path);
	return 0;
}

/* No mount of a node opens devices: who makes the node of a disk has a name and nothing behind it.
 * Only these few are bound, file by file, from a memory file system that does, and that goes. It
 * lies for a moment where /dev/shm will. */
static int make_devices(struct err *e)
{
	static const char stage[] = "/dev/shm";
	if (mkdir(stage, 0755) < 0 ||
	    mount("tmpfs", stage, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k") < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "mount tmpfs for devices in the node");
	for (size_t i = 0; i < DEVICE_COUNT; i++) {
		const char *path = devices[i].path;
		char made[64];
		(void)snprintf(made, sizeof(made), "%s%s", stage, strrchr(path, '/'));
		if (mknod(made, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)) < 0 ||
		    chmod(made, 0666) < 0 || mknod(path, S_IFREG | 0666, 0) < 0 ||
		    mount(made, path, "none", MS_BIND, NULL) < 0)
			return ERR_AS(e, EXIT_UNAVAILABLE, errno, "make device '%s' in the node",
				      path);
	}
	if (umount2(stage, MNT_DETACH) < 0)
		return ERR(e, errno, "detach the devices' file system");
	return 0;
}

/* devpts gives its terminals to group tty, which not every user namespace has. */
static const char *mount_options(const struct tmp_mount *m)
{
	bool alone = strcmp(m->where, "/dev/pts") == 0 && userns_kind() == USERNS_ONE;
	return alone ? "newinstance,ptmxmode=0666,mode=0620" : m->options;
}

static int mount_all(const struct devices *hosts, struct err *e)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		const struct tmp_mount *m = &mounts[i];
		if (strcmp(m->where, "/dev/pts") == 0 &&
		    ((hosts->taken ? bind_devices(hosts, e) : make_devices(e)) < 0 ||
		     link_devices(e) < 0))
			return -1;
		if (mkdir(m->where, 0755) < 0 && errno != EEXIST)
			return ERR(e, errno, "make folder '%s' in the node", m->where);
		if (mount(m->type, m->where, m->type, m->flags, mount_options(m)) < 0)
			return ERR_AS(e, EXIT_UNAVAILABLE, errno, "mount %s on '%s' in the node",
				      m->type, m->where);
	}
	return 0;
}

size_t node_own_mounts(const struct node *n)
{
	return n->ready.mounts;
}

/* Those below /proc, /sys and /dev are what confines a node; how many there are hangs on the
 * kernel, so it is their count that tells of others. */
bool node_own_mount(const char *point)
{
	static const char *const below[] = { "/proc/", "/sys/", "/dev/" };
	bool own = strcmp(point, "/") == 0 || strcmp(point, "/run/lock") == 0; /* systemd's */
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
		own |= strcmp(point, mounts[i].where) == 0;
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++)
		own |= strncmp(point, below[i], strlen(below[i])) == 0;
	return own;
}

int node_count_mounts(const char *pid, size_t *ret, struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	GUARD(mem) char *path = mem_printf("/proc/%s/mountinfo", pid);
	if (io_read_file(AT_FDCWD, path, MOUNTINFO_MAX, &text, e) < 0)
		return -1;
	*ret = 0;
	for (const char *p = buf_str(&text); (p = strchr(p, '\n')) != NULL; p++)
		(*ret)++;
	return 0;
}

static int fill_fresh(struct err *e)
{
	if (mkdir("/run/lock", 0755) < 0 || chmod("/run/lock", 01777) < 0)
		return ERR(e, errno, "make folder '/run/lock' in the node");
	return 0;
}

static int fill_from(int from, struct err *e)
{
	GUARD(fd) int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return ERR(e, errno, "open the node's root");
	struct tree_copy *copy = tree_copy_create(root);
	int ret = 0;
	for (size_t i = 0; ret == 0 && upper_memory[i].name != NULL; i++) {
		const char *to = upper_memory[i].path + 1;
		GUARD(fd)
		int fd = openat(from, upper_memory[i].name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			ret = ERR(e, errno, "open the '%s' to begin with", upper_memory[i].name);
		else if (tree_copy_below(copy, fd, to, '\0', e) < 0 ||
			 tree_copy_self(copy, fd, to, e) < 0)
			ret = -1;
	}
	tree_copy_destroy(copy);
	return ret;
}

/* The kernel does not show an option that is its own default. */
static bool default_on(const char *parameter)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "/sys/module/overlay/parameters/%s", parameter);
	GUARD(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = 'N';
	return fd >= 0 && read(fd, &c, 1) == 1 && c == 'Y';
}

/* Of the topmost mount on / : its own options, its type, and those of the file system. */
struct root_line {
	char own[128], type[32], *super;
};

static bool read_root(char *text, struct root_line *ret)
{
	bool found = false;
	/* ID PARENT DEV ROOT MOUNT OPTIONS [optional...] - TYPE SOURCE SUPEROPTIONS */
	for (char *line = text; line != NULL && *line != '\0';) {
		char *end = strchrnul(line, '\n');
		char *next = *end == '\n' ? end + 1 : NULL;
		*end = '\0';
		struct root_line r;
		char where[8];
		int skipped = 0;
		char *tail = strstr(line, " - ");
		if (tail != NULL && sscanf(line, "%*s %*s %*s %*s %7s %127s", where, r.own) == 2 &&
		    strcmp(where, "/") == 0 &&
		    sscanf(tail, " - %31s %*s %n", r.type, &skipped) == 1 && skipped > 0) {
			r.super = tail + skipped;
			*ret = r;
			found = true;
		}
		line = next;
	}
	return found;
}

/* With both layers on one file system inode numbers are unique without xino, and the kernel drops
 * it as useless: that is fine. */
static const char *overlay_lacks(const char *o, bool one_fs)
{
	if (!has_option(o, "index=on") && (has_option(o, "index=off") || !default_on("index")))
		return "index=on";
	if (!has_option(o, "redirect_dir=on"))
		return "redirect_dir=on";
	return !has_option(o, "xino=on") && !one_fs ? "xino=on" : NULL;
}

/* Mount options that the kernel dropped are dropped silently: ask it what it made of ours. */
static int read_back(const struct node_spec *spec, struct msg_ready *ready, bool one_fs,
		     struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	struct root_line r;
	const enum node_root kind = spec->root_kind;
	if (io_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, e) < 0)
		return -1;
	const char *want = kind == NODE_ROOT_DISK ? disk_fs_names[spec->root_fs] : "overlay";
	if (!read_root(text.data, &r) || (kind != NODE_ROOT_COPY && strcmp(r.type, want) != 0))
		return ERR(e, 0, "the node's root is not mounted as asked");
	bool overlay = kind != NODE_ROOT_COPY && kind != NODE_ROOT_DISK;
	(void)snprintf(ready->options, sizeof(ready->options), "%s%s%s", overlay ? "" : r.type,
		       overlay ? "" : ": ", r.super);
	const char *lacking = overlay                  ? overlay_lacks(r.super, one_fs)
			      : kind == NODE_ROOT_DISK ? disk_lacks(spec->root_fs, r.super)
						       : NULL;
	if (!has_option(r.own, "rw") || !has_option(r.super, "rw"))
		lacking = "rw";
	if (lacking != NULL)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0,
			      "the kernel did not mount the node's root as asked: %s is missing "
			      "(it says '%s'); put the state folder on another file system",
			      lacking, r.super);
	return 0;
}

static int try_write(struct err *e)
{
	static const char path[] = "/.backout-write-check";
	GUARD(fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "write to the node's root");
	bool ok = write(fd, "x", 1) == 1;
	int code = errno;
	if (unlink(path) < 0)
		return ERR(e, errno, "remove '%s' in the node", path);
	return ok ? 0 : ERR_AS(e, EXIT_UNAVAILABLE, code, "write to the node's root");
}

int node_mounts(const struct init_task *task, struct msg_ready *ready, struct err *e)
{
	bool one_fs = false, again = task->before[0] != '\0';
	struct devices hosts = { .taken = false };
	GUARD(fd) int from = -1;
	if (mount_root(task, ready, &one_fs, &from, &hosts, e) < 0 || mount_all(&hosts, e) < 0 ||
	    detach_old(e) < 0 || (from < 0 ? fill_fresh(e) : fill_from(from, e)) < 0 ||
	    read_back(task->spec, ready, one_fs, e) < 0)
		return -1;
	/* A host boots on a full disk, too. */
	return again ? 0 : try_write(e);
}
