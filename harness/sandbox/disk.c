/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"

enum {
	LOOP_TRIES = 64,     /* another program may take the free device before us */
	BUSY_TRIES = 1000,   /* until another mount of the same file system has gone */
	BUSY_WAIT_US = 2000, /* between two of them */
	OPTIONS_MAX = 8,     /* of one file system */
	MKFS_WORDS = 20,     /* of one command */
	STAT_MAX = 4096,     /* bytes of a device's figures */
};
#define MIB (UINT64_C(1) << 20)

static const struct {
	const char *package;
	const char *mkfs[MKFS_WORDS];   /* the image's name comes behind these */
	const char *options;            /* of the mount */
	const char *shown[OPTIONS_MAX]; /* what the kernel must show of them */
	uint64_t fixed;                 /* bytes that it needs for itself: its log above all */
} kinds[] = {
	/* All set up now: nothing is written behind the workload's back. A transaction is committed
	 * only when it is asked for, and a file's data does not go with its rename. */
	[DISK_EXT4] = { "e2fsprogs",
			{ "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-i", "8192", "-I",
			  "256", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0" },
			"commit=3000,noauto_da_alloc,nobarrier",
			{ "commit=3000", "noauto_da_alloc" },
			24 * MIB },
	[DISK_XFS] = { "xfsprogs", { "mkfs.xfs", "-q", "-f" }, "nouuid", { "nouuid" }, 96 * MIB },
	[DISK_BTRFS] = { "btrfs-progs",
			 { "mkfs.btrfs", "-q", "-f", "-m", "single", "-d", "single" },
			 "commit=3000,nobarrier",
			 { "commit=3000" },
			 64 * MIB },
};
static_assert(sizeof(kinds) / sizeof(kinds[0]) == DISK_FS_COUNT, "every file system has its row");

int disk_attach(const char *path, bool writable, char ret[DISK_DEVICE_MAX], struct err *e)
{
	int mode = writable ? O_RDWR : O_RDONLY;
	GUARD(fd) int file = open(path, mode | O_CLOEXEC);
	if (file < 0)
		return ERR(e, errno, "open image '%s'", path);
	GUARD(fd) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno,
			      "loop devices are needed, and /dev/loop-control cannot be opened "
			      "(modprobe loop)");
	for (int i = 0; i < LOOP_TRIES; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0)
			return ERR_AS(e, EXIT_UNAVAILABLE, errno, "no free loop device");
		(void)snprintf(ret, DISK_DEVICE_MAX, "/dev/loop%d", number);
		GUARD(fd) int fd = open(ret, mode | O_CLOEXEC);
		if (fd < 0)
			return ERR_AS(e, EXIT_UNAVAILABLE, errno, "open '%s'", ret);
		struct loop_config config = { .fd = (uint32_t)file };
		config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (writable ? 0 : LO_FLAGS_READ_ONLY);
		if (ioctl(fd, LOOP_CONFIGURE, &config) == 0)
			return take_fd(&fd);
		if (errno != EBUSY)
			return ERR_AS(e, EXIT_UNAVAILABLE, errno, "attach '%s' to '%s'", path, ret);
	}
	return ERR_AS(e, EXIT_UNAVAILABLE, EBUSY, "no free loop device in %d tries", LOOP_TRIES);
}

const char *const *disk_mkfs(enum disk_fs fs, const char *image)
{
	static const char *argv[MKFS_WORDS + 2];
	size_t n = 0;
	for (; kinds[fs].mkfs[n] != NULL; n++)
		argv[n] = kinds[fs].mkfs[n];
	argv[n++] = image;
	argv[n] = NULL;
	return argv;
}

const char *disk_package(enum disk_fs fs)
{
	return kinds[fs].package;
}

int disk_mount(enum disk_fs fs, const char *image, const char *where, char device[DISK_DEVICE_MAX],
	       struct err *e)
{
	char own[DISK_DEVICE_MAX];
	GUARD(fd) int fd = disk_attach(image, true, own, e);
	if (fd < 0)
		return -1;
	/* What bears the same id, a node's last mount, may be a moment in going. */
	for (int i = 0; mount(own, where, disk_fs_names[fs], MS_NODEV, kinds[fs].options) < 0;
	     i++) {
		int code = errno;
		if (code == ENODEV)
			return ERR_AS(e, EXIT_UNAVAILABLE, 0, "this kernel has no %s (modprobe %s)",
				      disk_fs_names[fs], disk_fs_names[fs]);
		if ((code != EBUSY && code != EEXIST) || i == BUSY_TRIES)
			return ERR_AS(e, EXIT_UNAVAILABLE, code, "mount %s image '%s' by '%s'",
				      disk_fs_names[fs], image, own);
		(void)usleep(BUSY_WAIT_US);
	}
	if (device != NULL)
		memcpy(device, own, DISK_DEVICE_MAX);
	return 0;
}

const char *disk_lacks(enum disk_fs fs, const char *options)
{
	for (size_t i = 0; kinds[fs].shown[i] != NULL; i++) {
		const char *word = kinds[fs].shown[i];
		size_t len = strlen(word);
		const char *p = strstr(options, word);
		while (p != NULL &&
		       ((p != options && p[-1] != ',') || (p[len] != ',' && p[len] != '\0')))
			p = strstr(p + 1, word);
		if (p == NULL)
			return word;
	}
	return NULL;
}

uint64_t disk_size_for(enum disk_fs fs, uint64_t bytes, uint64_t entries)
{
	/* An inode each, with the room for those that the workload adds. */
	uint64_t need = bytes + bytes / 8 + entries * 1024 + kinds[fs].fixed;
	if (need < disk_fs_least[fs])
		need = disk_fs_least[fs];
	return (need + MIB - 1) / MIB * MIB;
}

static bool read_figures(const char *device, const char *name, struct buf *ret)
{
	struct err ignored = { 0 };
	char path[128];
	(void)snprintf(path, sizeof(path), "/sys/block/%s/%s", strrchr(device, '/') + 1, name);
	return io_read_file(AT_FDCWD, path, STAT_MAX, ret, &ignored) >= 0;
}

bool disk_writes(const char *device, uint64_t *count, bool *busy)
{
	GUARD_BUF struct buf text = { 0 };
	unsigned long long writes, flying;
	if (!read_figures(device, "stat", &text) ||
	    sscanf(buf_str(&text), "%*u %*u %*u %*u %llu %*u %*u %*u %llu", &writes, &flying) != 2)
		return false;
	*count = writes;
	*busy = flying > 0;
	return true;
}

/* From a mount that is detached the kernel shows a shorter path. */
static bool same_tail(const char *a, size_t len_a, const char *b, size_t len_b)
{
	size_t len = len_a < len_b ? len_a : len_b;
	return len > 0 && memcmp(a + len_a - len, b + len_b - len, len) == 0;
}

void disk_wait_free(const char *device, const char *image)
{
	for (int i = 0; i < BUSY_TRIES; i++) {
		GUARD_BUF struct buf text = { 0 };
		if (!read_figures(device, "loop/backing_file", &text) ||
		    !same_tail(buf_str(&text), strcspn(buf_str(&text), "\n"), image, strlen(image)))
			return;
		(void)usleep(BUSY_WAIT_US);
	}
}
