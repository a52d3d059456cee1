/* SPDX-License-Identifier: MIT */
/* Roots that somebody else has made: a tar, or a file system in a file. */
#include "harness/sandbox/image_foreign.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/disk.h"
#include "harness/sandbox/image_internal.h"

enum { SUPERBLOCK_MAX = 2048 /* bytes from a file system's beginning that are looked at */ };

int image_open_source(const char *path, struct err *e)
{
	struct stat st;
	/* Not blocking on a pipe that somebody has put there. */
	GUARD(fd) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s' is no plain file", path);
	return take_fd(&fd);
}

void image_say_left_out(const struct unpack_count *c)
{
	const struct {
		unsigned count;
		const char *what;
	} rows[] = {
		{ c->devices, "device nodes (a node makes its own /dev)" },
		{ c->sockets, "sockets" },
		{ c->xattrs, "extended attributes that this file system has not" },
		{ c->acls, "access control lists" },
	};
	/* Not by stdio: our buffers are copies of the harness's. */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].count > 0)
			(void)dprintf(STDOUT_FILENO, "left out: %u %s\n", rows[i].count,
				      rows[i].what);
}

int image_make_tree(const struct image_slot *s, struct err *e)
{
	GUARD(mem) char *tree = mem_printf("%s/tree", s->scratch);
	if (io_mkdirs(tree, 0755, e) < 0)
		return -1;
	/* Whatever our umask: the archive may not name its root. */
	if (chmod(tree, 0755) < 0)
		return ERR(e, errno, "make '%s'", tree);
	int fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : ERR(e, errno, "open '%s'", tree);
}

int image_build_in_job(const struct image_slot *s, const struct image_recipe *r,
		       const struct image_progress_to *to, struct image *ret, struct err *e)
{
	const struct image_progress p = { to->fn, to->arg };
	int found = image_slot_find(s, ret, e);
	if (found != 0)
		return found < 0 ? -1 : 0;
	GUARD(mem) char *tree = mem_printf("%s/tree", s->scratch);
	const struct image_about about = { r->kind, r->text, tree };
	const struct job j = {
		.fn = r->fn,
		.arg = r->arg,
		.clone_flags = CLONE_NEWNS,
		.stdin_fd = -1,
	};
	GUARD_BUF struct buf tail = { 0 };
	if (job_run(&j, &p, &tail, e) < 0)
		return -1;
	if (!r->published)
		return image_slot_publish(s, &about, &p, ret, e);
	found = image_slot_find(s, ret, e);
	if (found == 0)
		return ERR(e, 0, "the image %s is not where it was stored", s->key);
	return found < 0 ? -1 : 0;
}

/* ---- tar ---- */

struct filesystem;
struct source {
	const struct image_slot *slot;
	const char *path, *recipe;
	const struct filesystem *fs; /* NULL: a tar */
	int fd;
};

static int tar_job(void *arg, struct err *e)
{
	const struct source *t = arg;
	struct unpack_count count = { UNPACK_BYTES_MAX, UNPACK_ENTRIES_MAX, 0, 0, 0, 0 };
	GUARD(fd) int tree = image_make_tree(t->slot, e);
	if (tree < 0)
		return -1;
	const struct unpack u = {
		.root_fd = tree, .tar_fd = t->fd, .shown = t->path, .count = &count
	};
	if (unpack_tar(&u, e) < 0)
		return -1;
	image_say_left_out(&count);
	return 0;
}

/* ---- file systems ---- */

struct filesystem {
	const char *name;
	/* What they say of themselves, so that a file that was cut short is not mounted. */
	size_t magic_at;
	uint32_t magic;
	uint64_t (*size)(const unsigned char *superblock);
};

static uint64_t squashfs_size(const unsigned char *b)
{
	uint64_t bytes;
	memcpy(&bytes, b + 40, sizeof(bytes));
	return le64toh(bytes);
}

static uint64_t erofs_size(const unsigned char *b)
{
	uint32_t blocks;
	memcpy(&blocks, b + 1024 + 36, sizeof(blocks));
	unsigned bits = b[1024 + 12];
	return bits < 32 ? (uint64_t)le32toh(blocks) << bits : UINT64_MAX;
}

static const struct filesystem filesystems[] = {
	[IMAGE_FS_EROFS] = { "erofs", 1024, 0xe0f5e1e2, erofs_size },
	[IMAGE_FS_SQUASHFS] = { "squashfs", 0, 0x73717368, squashfs_size },
};

static int check_superblock(const struct source *s, struct err *e)
{
	unsigned char b[SUPERBLOCK_MAX] = { 0 };
	struct stat st;
	uint32_t magic;
	if (pread(s->fd, b, sizeof(b), 0) < 0 || fstat(s->fd, &st) < 0)
		return ERR(e, errno, "read '%s'", s->path);
	memcpy(&magic, b + s->fs->magic_at, sizeof(magic));
	if (le32toh(magic) != s->fs->magic)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s' is no %s file system", s->path,
			      s->fs->name);
	uint64_t size = s->fs->size(b);
	if (size > (uint64_t)st.st_size)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "'%s' is cut short: its %s has %llu bytes, the file %llu", s->path,
			      s->fs->name, (unsigned long long)size,
			      (unsigned long long)st.st_size);
	return 0;
}

static int mount_source(const struct source *s, const char *where, struct err *e)
{
	char device[DISK_DEVICE_MAX];
	GUARD(fd) int fd = disk_attach(s->path, false, device, e);
	if (fd < 0)
		return -1;
	if (mount(device, where, s->fs->name, MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL) ==
	    0)
		return 0;
	if (errno == ENODEV)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0,
			      "this kernel has no %s (modprobe %s); a tar as root does without it",
			      s->fs->name, s->fs->name);
	return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "mount '%s' as %s", s->path, s->fs->name);
}

/* Mounted, and written as an image of ours: it may go away or change after that. */
static int fs_job(void *arg, struct err *e)
{
	const struct source *s = arg;
	GUARD(mem) char *tree = mem_printf("%s/tree", s->slot->scratch);
	const struct image_about about = { s->fs->name, s->recipe, tree };
	const struct image_progress p = { NULL, NULL };
	struct image unused = { 0 };
	if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		return ERR(e, errno, "make the mounts private");
	if (io_mkdirs(tree, 0700, e) < 0 || mount_source(s, tree, e) < 0)
		return -1;
	int ret = image_slot_publish(s->slot, &about, &p, &unused, e);
	image_free(&unused);
	return umount2(tree, MNT_DETACH) < 0 && ret == 0 ? ERR(e, errno, "unmount '%s'", tree)
							 : ret;
}

/* ---- both ---- */

static int from_file(struct owner *o, struct source *s, const struct image_progress_to *to,
		     struct image *ret, struct err *e)
{
	struct image_slot slot;
	char content[HASH_TEXT], key[HASH_TEXT];
	const char *kind = s->fs != NULL ? s->fs->name : "tar";
	GUARD(fd) int fd = image_open_source(s->path, e);
	s->fd = fd;
	if (fd < 0 || (s->fs != NULL && check_superblock(s, e) < 0) ||
	    hash_fd(fd, s->path, content, e) < 0)
		return -1;
	GUARD(mem) char *full = mem_printf("format %d: %s %s", FOREIGN_FORMAT, kind, content);
	GUARD(mem) char *text = mem_printf("%s %s", kind, s->path);
	hash_text(full, strlen(full), key);
	if (image_slot_open(o, key, &slot, e) < 0)
		return -1;
	s->slot = &slot;
	s->recipe = text;
	const struct image_recipe r = { kind, text, s->fs != NULL ? fs_job : tar_job, s,
					s->fs != NULL };
	int result = image_build_in_job(&slot, &r, to, ret, e);
	image_slot_close(&slot);
	return result;
}

int image_tar(struct owner *o, const char *path, const struct image_progress_to *to,
	      struct image *ret, struct err *e)
{
	struct source s = { .path = path };
	return from_file(o, &s, to, ret, e);
}

int image_filesystem(struct owner *o, const struct image_fs_file *file,
		     const struct image_progress_to *to, struct image *ret, struct err *e)
{
	struct source s = { .path = file->path, .fs = &filesystems[file->fs] };
	return from_file(o, &s, to, ret, e);
}
