/* SPDX-License-Identifier: MIT */
/*
 * A root as a file system of its own: made once by the file system's own tool, filled through the
 * kernel, cached, and copied for each node. All of it in a child with a mount namespace of its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/disk.h"
#include "harness/sandbox/image_internal.h"
#include "harness/sandbox/node.h"

enum {
	DISK_FORMAT = 1,  /* part of every key: bump when mkfs or the copy changes */
	WALK_FDS = 16,    /* descriptors of a walk */
	FILE_BLOCK = 4096 /* bytes that the smallest file takes */
};

struct disk_job {
	const struct image *base;
	enum disk_fs fs;
	uint64_t size;
	const struct image_slot *slot;
	const char *image; /* being made */
};

static int run_tool(const char *const *argv, struct err *e)
{
	int status;
	pid_t pid = fork();
	if (pid < 0)
		return ERR(e, errno, "start %s", argv[0]);
	if (pid == 0) {
		(void)execvp(argv[0], (char *const *)argv);
		(void)dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
		_exit(EXIT_UNAVAILABLE);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return ERR(e, errno, "wait for %s", argv[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct {
	uint64_t bytes, entries;
} weight; /* of the tree: nftw() takes no argument */

static int weigh(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)path;
	(void)type;
	(void)at;
	weight.entries++;
	if (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode))
		weight.bytes += ((uint64_t)st->st_size + FILE_BLOCK - 1) / FILE_BLOCK * FILE_BLOCK;
	return 0;
}

static int too_small(const struct disk_job *j, const char *tree, struct err *e)
{
	weight.bytes = weight.entries = 0;
	if (nftw(tree, weigh, WALK_FDS, FTW_PHYS) < 0)
		return ERR(e, errno, "look through the root");
	uint64_t enough = disk_size_for(j->fs, weight.bytes, weight.entries);
	if (enough <= j->size) /* an estimate: then it was too low */
		enough = j->size + j->size / 4;
	return ERR_AS(e, EXIT_BAD_SCENARIO, ENOSPC,
		      "disk: %lluMiB are too small for its root, which has %llu MiB in %llu "
		      "entries; write %lluMiB or more",
		      (unsigned long long)(j->size >> 20), (unsigned long long)(weight.bytes >> 20),
		      (unsigned long long)weight.entries, (unsigned long long)(enough >> 20));
}

static int show_base(const struct image *base, const char *where, struct err *e)
{
	char device[DISK_DEVICE_MAX];
	if (base->is_dir && mount(base->path, where, "none", MS_BIND, NULL) < 0)
		return ERR(e, errno, "bind root folder '%s'", base->path);
	if (base->is_dir && base->mask != NULL) {
		/* As an upper, for a lower may not lie in another one. Nothing is written to it. */
		GUARD(mem) char *work = mem_printf("%s-work", base->mask);
		GUARD(mem)
		char *layers =
			mem_printf("lowerdir=%s,upperdir=%s,workdir=%s", where, base->mask, work);
		if (io_mkdirs(work, 0700, e) < 0)
			return -1;
		if (mount("overlay", where, "overlay", MS_RDONLY | MS_NOATIME, layers) < 0)
			return ERR(e, errno, "mount the host's root without what is hidden of it");
	}
	if (base->is_dir)
		return 0;
	if (mount(base->path, where, "erofs", MS_RDONLY, NULL) == 0)
		return 0;
	GUARD(fd) int fd = disk_attach(base->path, false, device, e);
	if (fd < 0)
		return -1;
	return mount(device, where, "erofs", MS_RDONLY, NULL) < 0
		       ? ERR(e, errno, "mount image '%s'", base->path)
		       : 0;
}

/* A full file system, or another failure? */
static int copy_failed(const struct disk_job *j, const char *from, const char *to, struct err *e)
{
	GUARD(mem) char *probe = mem_printf("%s/.backout-room", to);
	GUARD(mem) char *data = mem_alloc(1 << 20);
	struct err ignored = { 0 };
	if (io_write_file(AT_FDCWD, probe, data, 1 << 20, 0600, &ignored) < 0 &&
	    ignored.code == ENOSPC)
		return too_small(j, from, e);
	return ERR_AS(e, EXIT_UNAVAILABLE, 0,
		      "copy the root to its disk (the lines above say why)");
}

static int fill(const struct disk_job *j, const char *from, const char *to, struct err *e)
{
	GUARD(mem) char *all = mem_printf("%s/.", from);
	const char *const argv[] = { "cp", "-a", "--", all, to, NULL };
	if (show_base(j->base, from, e) < 0 || disk_mount(j->fs, j->image, to, NULL, e) < 0)
		return -1;
	int code = run_tool(argv, e);
	int result = code == 0 ? 0 : copy_failed(j, from, to, e);
	/* Writes it all back: the image is whole when this returns. */
	if (umount(to) < 0 && result == 0)
		return ERR(e, errno, "unmount '%s'", to);
	return result;
}

static int make_image(const struct disk_job *j, struct err *e)
{
	GUARD(fd) int fd = open(j->image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || ftruncate(fd, (off_t)j->size) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "make '%s'", j->image);
	const char *const *argv = disk_mkfs(j->fs, j->image);
	if (run_tool(argv, e) != 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0,
			      "%s could not make a file system (package %s)", argv[0],
			      disk_package(j->fs));
	return 0;
}

static int disk_job(void *arg, struct err *e)
{
	const struct disk_job *j = arg;
	GUARD(mem) char *from = mem_printf("%s/from", j->slot->scratch);
	GUARD(mem) char *to = mem_printf("%s/to", j->slot->scratch);
	if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		return ERR(e, errno, "make the mounts private");
	if (io_mkdirs(from, 0700, e) < 0 || io_mkdirs(to, 0700, e) < 0 || make_image(j, e) < 0)
		return -1;
	return fill(j, from, to, e);
}

/* What is in it and how it was made; not its bytes, which hold ids that are drawn by chance. */
static int disk_key(const struct image *base, enum disk_fs fs, uint64_t size, char key[HASH_TEXT],
		    struct err *e)
{
	struct hash *h = hash_begin();
	char head[160];
	int len = snprintf(head, sizeof(head), "format %d: %s of %llu on %s", DISK_FORMAT,
			   disk_fs_names[fs], (unsigned long long)size, base->digest);
	hash_add(h, head, (size_t)len + 1);
	int ret = base->is_dir ? image_stamp_dir(base, h, e) : 0;
	hash_text_of(h, key);
	hash_free(h);
	return ret;
}

static int build(struct image_slot *s, struct disk_job *j, const struct image_progress *p,
		 struct image *ret, struct err *e)
{
	const struct job job = {
		.fn = disk_job,
		.arg = j,
		.clone_flags = CLONE_NEWNS,
		.stdin_fd = -1,
	};
	GUARD(mem)
	char *recipe = mem_printf("%s, %llu MiB, of %s %s", disk_fs_names[j->fs],
				  (unsigned long long)(j->size >> 20),
				  j->base->is_dir ? "folder" : "image",
				  j->base->is_dir ? j->base->path : j->base->key);
	const struct image_about about = { "disk", recipe, NULL };
	GUARD_BUF struct buf tail = { 0 };
	GUARD_BUF struct buf no_packages = { 0 };
	if (job_run(&job, p, &tail, e) < 0)
		return e->exit == EXIT_BAD_SCENARIO
			       ? -1
			       : err_prefix(e, "%.*s", (int)tail.len, buf_str(&tail));
	/* Mounted without barriers, it has reached no disk of the host yet. */
	GUARD(fd) int fd = open(j->image, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return ERR(e, errno, "write '%s' to disk", j->image);
	return image_slot_store(s, j->image, &about, &no_packages, ret, e);
}

int image_disk(struct owner *o, const struct image *base, const struct image_disk_spec *spec,
	       const struct image_progress_to *to, struct image *ret, struct err *e)
{
	struct image_slot s;
	char key[HASH_TEXT];
	if (disk_key(base, spec->fs, spec->size, key, e) < 0 || image_slot_open(o, key, &s, e) < 0)
		return -1;
	s.suffix = disk_fs_names[spec->fs];
	GUARD(mem) char *image = mem_printf("%s/image", s.scratch);
	struct disk_job j = { base, spec->fs, spec->size, &s, image };
	const struct image_progress p = { to->fn, to->arg };
	int result = image_slot_find(&s, ret, e);
	if (result == 0)
		result = build(&s, &j, &p, ret, e);
	image_slot_close(&s);
	if (result < 0)
		return -1;
	ret->on_disk = true;
	ret->fs = spec->fs;
	memcpy(ret->digest, key, HASH_TEXT);
	return 0;
}
