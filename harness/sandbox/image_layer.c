/* SPDX-License-Identifier: MIT */
/*
 * A root with a scenario's files and set-up work in it. All of the work is done in a child with
 * a mount namespace of its own, which ends with everything that it mounted.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/image_internal.h"
#include "harness/sandbox/node.h"

enum {
	SETUP_OUTPUT_MAX = 1 << 20, /* bytes of one command's output */
	SETUP_SHOWN_MAX = 400,      /* bytes of it in an error */
	SETUP_PROCESSES_MAX = 4096,
	SETUP_KILL_TRIES = 200, /* each 10 ms */
	STAMP_DEPTH_MAX = 256,  /* folders below each other */
	LAYER_FORMAT = 3,       /* part of every key: bump when a layer's content changes */
};
static const int64_t setup_timeout = 600 * NS_PER_S; /* of one command */

struct layer {
	struct owner *owner;
	const struct image *base;
	const struct image_file *files;
	size_t file_count;
	const char *const *setup;
	size_t setup_count;
	const struct image_slot *slot;
	struct timespec begun; /* by the clock that gives files their times */
};

static void print_line(void *arg, const char *line)
{
	(void)arg;
	/* Not by stdio: our buffers are copies of the harness's. */
	(void)dprintf(STDOUT_FILENO, "%s\n", line);
}

static int run_command(struct node *n, const char *command, struct err *e)
{
	const char *const argv[] = { "sh", "-ec", command, NULL };
	const struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1 };
	GUARD_BUF struct buf out = { 0 };
	int status = node_run(n, &spec, setup_timeout, &out, SETUP_OUTPUT_MAX, e);
	while (out.len > 0 && out.data[out.len - 1] == '\n')
		out.data[--out.len] = '\0';
	const char *said = buf_str(&out);
	if (out.len > 0)
		print_line(NULL, said);
	if (status < 0)
		return err_prefix(e, "set-up command '%s'", command);
	if (status == 0)
		return 0;
	if (out.len > SETUP_SHOWN_MAX)
		said += out.len - SETUP_SHOWN_MAX;
	bool exited = WIFEXITED(status);
	return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "set-up command '%s' failed (%s %d)%s%s", command,
		      exited ? "exit" : "signal", exited ? WEXITSTATUS(status) : WTERMSIG(status),
		      out.len > 0 ? ": " : ", without a word", said);
}

/* Daemons that a set-up command started must not write while the image is made. */
static int end_processes(struct node *n, struct err *e)
{
	GUARD(mem) pid_t *pids = mem_array(SETUP_PROCESSES_MAX, sizeof(*pids));
	for (int i = 0; i < SETUP_KILL_TRIES; i++) {
		int count = node_processes(n, pids, SETUP_PROCESSES_MAX, e);
		if (count <= 0)
			return count;
		for (int j = 0; j < count; j++)
			(void)kill(pids[j], SIGKILL);
		(void)usleep(10 * 1000);
	}
	return ERR(e, 0, "processes of the set-up commands do not end");
}

/* The node's root without what is mounted on it, at `tree` in our own mount namespace. */
static int show_root(struct node *n, const char *tree, struct err *e)
{
	GUARD(mem) char *theirs_path = mem_printf("/proc/%d/ns/mnt", (int)node_init_pid(n));
	GUARD(fd) int ours = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	GUARD(fd) int theirs = open(theirs_path, O_RDONLY | O_CLOEXEC);
	/* setns(2) moves us to the root of what it enters, and sources may be relative paths. */
	GUARD(fd) int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ours < 0 || theirs < 0 || here < 0)
		return ERR(e, errno, "open the mount namespaces");
	if (setns(theirs, CLONE_NEWNS) < 0)
		return ERR(e, errno, "enter the node's mount namespace");
	GUARD(fd) int root = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	int cause = errno;
	if (setns(ours, CLONE_NEWNS) < 0 || fchdir(here) < 0)
		return ERR(e, errno, "leave the node's mount namespace");
	if (root < 0)
		return ERR(e, cause, "take the node's root");
	if (move_mount(root, "", AT_FDCWD, tree, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return ERR(e, errno, "mount the node's root on '%s'", tree);
	return 0;
}

/* `tree`: the root without what the node mounts on it. */
static int fill(struct layer *l, struct node *n, const char *tree, struct err *e)
{
	if (image_files_apply(node_root_fd(n), l->files, l->file_count, e) < 0 ||
	    image_settle_times(tree, &l->begun, e) < 0)
		return -1;
	for (size_t i = 0; i < l->setup_count; i++) {
		GUARD(mem) char *line = mem_printf("set-up: %s", l->setup[i]);
		print_line(NULL, line);
		if (run_command(n, l->setup[i], e) < 0)
			return -1;
	}
	return end_processes(n, e);
}

static char *recipe_text(const struct layer *l)
{
	return mem_printf("%s%s + %zu files, %zu commands", l->base->is_dir ? "folder " : "image ",
			  l->base->is_dir ? l->base->path : l->base->key, l->file_count,
			  l->setup_count);
}

static int layer_in_node(struct layer *l, struct node *n, struct err *e)
{
	GUARD(mem) char *tree = mem_printf("%s/tree", l->slot->scratch);
	GUARD(mem) char *recipe = recipe_text(l);
	const struct image_progress p = { print_line, NULL };
	const struct image_about about = { "layer", recipe, tree };
	struct image unused = { 0 };
	if (io_mkdirs(tree, 0700, e) < 0 || show_root(n, tree, e) < 0)
		return -1;
	int ret = fill(l, n, tree, e);
	if (ret == 0)
		ret = image_slot_publish(l->slot, &about, &p, &unused, e);
	image_free(&unused);
	if (umount2(tree, MNT_DETACH) < 0 && ret == 0)
		ret = ERR(e, errno, "unmount '%s'", tree);
	return ret;
}

static int layer_job(void *arg, struct err *e)
{
	struct layer *l = arg;
	if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		return ERR(e, errno, "make the mounts private");
	GUARD(mem) char *work = mem_printf("%s/node", l->slot->scratch);
	const struct node_spec spec = {
		.name = "image",
		.root_kind = image_node_root(l->base),
		.root_path = l->base->path,
		.mask = l->base->mask,
		.work_dir = work,
	};
	struct loop *loop = NULL;
	struct node *n = NULL;
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &l->begun);
	if (io_mkdirs(work, 0700, e) < 0 || loop_create(&loop, e) < 0)
		return -1;
	int ret = node_create(&n, loop, l->owner, &spec, e);
	if (ret == 0)
		ret = layer_in_node(l, n, e);
	if (node_destroy(n, e) > 0)
		ret = -1;
	loop_destroy(loop);
	return ret;
}

/* ---- the key ---- */

/* A folder may have changed since the last layer was made of it: names, metadata and times tell.
 * What is mounted in it is no part of it, and neither is what its mask hides. */
struct stamp {
	struct hash *h;
	dev_t dev;
};

static bool hidden_in(int mask, const char *name)
{
	struct stat st;
	char c;
	if (mask < 0 || fstatat(mask, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (!S_ISDIR(st.st_mode))
		return true;
	GUARD(fd) int fd = openat(mask, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && fgetxattr(fd, "trusted.overlay.opaque", &c, 1) == 1;
}

static int stamp_dir(const struct stamp *s, int at, const char *name, int mask_at, int depth,
		     struct err *e);

static int stamp_entry(const struct stamp *s, DIR *dir, const char *name, int mask, int depth,
		       struct err *e)
{
	struct stat st;
	if (hidden_in(mask, name))
		return 0;
	if (fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "look at '%s' in the root", name);
	hash_add(s->h, name, strlen(name) + 1);
	if (st.st_dev != s->dev)
		return 0;
	const int64_t facts[] = { (int64_t)st.st_ino, st.st_size, st.st_mode, st.st_ctim.tv_sec,
				  st.st_ctim.tv_nsec };
	hash_add(s->h, facts, sizeof(facts));
	return S_ISDIR(st.st_mode) ? stamp_dir(s, dirfd(dir), name, mask, depth + 1, e) : 0;
}

static int stamp_dir(const struct stamp *s, int at, const char *name, int mask_at, int depth,
		     struct err *e)
{
	GUARD(fd) int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	GUARD(fd)
	int mask = mask_at < 0 ? -1 : openat(mask_at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	GUARD(dir) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (dir == NULL)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "read the folder '%s' of the root", name);
	(void)take_fd(&fd);
	if (depth > STAMP_DEPTH_MAX)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0, "the root is more than %d folders deep",
			      STAMP_DEPTH_MAX);
	struct dirent *d;
	while ((d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
		    stamp_entry(s, dir, d->d_name, mask, depth, e) < 0)
			return -1;
	return 0;
}

int image_stamp_dir(const struct image *folder, struct hash *h, struct err *e)
{
	GUARD(fd) int root = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	GUARD(fd)
	int mask =
		folder->mask == NULL ? -1 : open(folder->mask, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	if (root < 0 || fstat(root, &st) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "open the root '%s'", folder->path);
	const struct stamp s = { h, st.st_dev };
	return stamp_dir(&s, root, ".", mask, 0, e);
}

static int layer_key(const struct layer *l, char key[HASH_TEXT], struct err *e)
{
	struct hash *h = hash_begin();
	char head[128];
	int len = snprintf(head, sizeof(head), "format %d: layer on %s, %zu files", LAYER_FORMAT,
			   l->base->digest, l->file_count);
	hash_add(h, head, (size_t)len + 1);
	int ret = image_files_hash(l->files, l->file_count, h, e);
	for (size_t i = 0; i < l->setup_count; i++)
		hash_add(h, l->setup[i], strlen(l->setup[i]) + 1);
	if (ret == 0 && l->base->is_dir)
		ret = image_stamp_dir(l->base, h, e);
	hash_text_of(h, key);
	hash_free(h);
	return ret;
}

static void copy_image(const struct image *from, struct image *to)
{
	*to = *from;
	to->path = mem_strdup(from->path);
	to->mask = from->mask != NULL ? mem_strdup(from->mask) : NULL;
}

int image_layer(struct owner *o, const struct image *base, const struct image_file *files,
		size_t file_count, const char *const *setup, size_t setup_count,
		image_progress_fn progress, void *arg, struct image *ret, struct err *e)
{
	struct image_slot s;
	struct layer l = {
		.owner = o,
		.base = base,
		.files = files,
		.file_count = file_count,
		.setup = setup,
		.setup_count = setup_count,
		.slot = &s,
	};
	char key[HASH_TEXT];
	if (file_count == 0 && setup_count == 0) {
		copy_image(base, ret);
		return 0;
	}
	if (layer_key(&l, key, e) < 0 || image_slot_open(o, key, &s, e) < 0)
		return -1;
	int result = image_slot_find(&s, ret, e);
	if (result == 0) {
		const struct job j = {
			.fn = layer_job,
			.arg = &l,
			.clone_flags = CLONE_NEWNS,
			.stdin_fd = -1,
		};
		const struct image_progress p = { progress, arg };
		GUARD_BUF struct buf tail = { 0 };
		result = job_run(&j, &p, &tail, e);
		if (result == 0 && image_slot_find(&s, ret, e) == 0)
			result = ERR(e, 0, "the layer %s is not where it was stored", key);
	}
	image_slot_close(&s);
	return result < 0 || err_is_set(e) ? -1 : 0;
}
