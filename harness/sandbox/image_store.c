/* SPDX-License-Identifier: MIT */
/* The folder STATE/images: locks, look-up, publishing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/model/json.h"
#include "harness/sandbox/capture_base.h"
#include "harness/sandbox/image_internal.h"
#include "harness/sandbox/tree_copy.h"
#include "harness/sandbox/userns.h"

void image_free(struct image *i)
{
	free(i->path);
	free(i->mask);
	free(i->mounted);
	i->path = i->mask = i->mounted = NULL;
	capture_base_close(i->lines);
	i->lines = NULL;
}

enum node_root image_node_root(const struct image *i)
{
	if (i->on_disk)
		return NODE_ROOT_DISK;
	if (!i->is_dir && !i->is_tree)
		return NODE_ROOT_IMAGE;
	return userns_kind() == USERNS_HOST ? NODE_ROOT_DIR : NODE_ROOT_COPY;
}

/* The lock file may be removed (with its image) between open and flock: then it locks nothing. */
static int lock_key(const char *path, struct err *e)
{
	for (;;) {
		GUARD(fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			return ERR_AS(e, EXIT_UNAVAILABLE, errno, "open '%s'", path);
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return ERR(e, errno, "lock '%s'", path);
		struct stat mine, now;
		if (fstat(fd, &mine) == 0 && stat(path, &now) == 0 && mine.st_ino == now.st_ino &&
		    mine.st_dev == now.st_dev)
			return take_fd(&fd);
	}
}

int image_slot_open(struct owner *o, const char *key, struct image_slot *ret, struct err *e)
{
	struct image_slot s = { .lock = -1, .suffix = image_suffix(NULL) };
	memcpy(s.key, key, HASH_TEXT);
	s.dir = mem_printf("%s/images", owner_state_dir(o));
	s.scratch = mem_printf("%s/image-%s", owner_work_dir(o), key);
	GUARD(mem) char *lock_path = mem_printf("%s/%s.lock", s.dir, key);
	if (io_mkdirs(s.dir, 0755, e) < 0 || (s.lock = lock_key(lock_path, e)) < 0 ||
	    io_remove_tree(AT_FDCWD, s.scratch, e) < 0 || io_mkdirs(s.scratch, 0755, e) < 0) {
		image_slot_close(&s);
		return -1;
	}
	*ret = s;
	return 0;
}

void image_slot_close(struct image_slot *s)
{
	/* What cannot be removed now is below the owner's folder, which reports it. */
	struct err ignored = { 0 };
	if (s->lock >= 0)
		(void)io_remove_tree(AT_FDCWD, s->scratch, &ignored);
	free(s->dir);
	free(s->scratch);
	guard_fd(&s->lock);
	memset(s, 0, sizeof(*s));
	s->lock = -1;
}

int image_meta_read(const char *dir, const char *key, struct image_info *ret,
		    char digest[HASH_TEXT], struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/%s.json", dir, key);
	GUARD_BUF struct buf text = { 0 };
	struct json_doc *doc = NULL;
	if (io_read_file(AT_FDCWD, path, IMAGE_META_MAX, &text, e) < 0 ||
	    json_parse(&doc, path, buf_str(&text), text.len, e) < 0)
		return -1;
	const struct json *root = json_root(doc);
	(void)snprintf(digest, HASH_TEXT, "%s", json_get_string(root, "digest", ""));
	if (ret != NULL) {
		(void)snprintf(ret->key, sizeof(ret->key), "%s", key);
		(void)snprintf(ret->digest, sizeof(ret->digest), "%s", digest);
		ret->kind = mem_strdup(json_get_string(root, "kind", "?"));
		ret->recipe = mem_strdup(json_get_string(root, "recipe", "?"));
		ret->size = (uint64_t)json_get_int(root, "size", 0);
		ret->built = json_get_int(root, "built", 0);
	}
	json_doc_free(doc);
	return 0;
}

int image_slot_find(const struct image_slot *s, struct image *ret, struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/%s.%s", s->dir, s->key, s->suffix);
	GUARD(mem) char *meta = mem_printf("%s/%s.json", s->dir, s->key);
	if (access(meta, F_OK) < 0 || access(path, F_OK) < 0)
		return 0;
	char digest[HASH_TEXT] = "";
	if (image_meta_read(s->dir, s->key, NULL, digest, e) < 0)
		return err_prefix(e,
				  "the cached image is unusable; remove it ('backout image rm %s')",
				  s->key);
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->key, s->key, HASH_TEXT);
	memcpy(ret->digest, digest, HASH_TEXT);
	ret->path = take_ptr(&path);
	ret->is_tree = strcmp(s->suffix, IMAGE_TREE) == 0;
	return 1;
}

/* Where this is set, mkfs.erofs writes it as the image's own time and gives it to all that is
 * newer: a day so far off (2100-01-01) leaves every file its own. */
#define IMAGE_TIME "SOURCE_DATE_EPOCH=4102444800"

/* The same tree makes the same bytes: the file system's id comes from the key, not from chance. */
static int make_erofs(const struct image_slot *s, const char *tree, const char *to,
		      const struct image_progress *p, struct err *e)
{
	const char *k = s->key;
	GUARD(mem)
	char *uuid = mem_printf("-U%.8s-%.4s-%.4s-%.4s-%.12s", k, k + 8, k + 12, k + 16, k + 20);
	/* A file system without attributes (a squashfs may be) says so, and mkfs.erofs gives up. */
	bool plain = llistxattr(tree, NULL, 0) < 0 && errno == EOPNOTSUPP;
	/* Uncompressed: it builds and reads fastest, and a capture reads all of it. */
	const char *const argv[] = { "env",
				     IMAGE_TIME,
				     "mkfs.erofs",
				     "--quiet",
				     "--preserve-mtime",
				     uuid,
				     plain ? "-x-1" : "-x2",
				     to,
				     tree,
				     NULL };
	if (job_tool(argv, NULL, p, e) < 0)
		return err_prefix(e, "make the image (package erofs-utils)");
	GUARD(fd) int fd = open(to, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return ERR(e, errno, "write '%s' to disk", to);
	return 0;
}

static void meta_text(const struct image_about *about, const char *digest, uint64_t size,
		      const struct buf *packages, struct buf *out)
{
	buf_puts(out, "{\"kind\":");
	buf_json(out, about->kind);
	buf_puts(out, ",\"recipe\":");
	buf_json(out, about->recipe);
	buf_printf(out, ",\"digest\":\"%s\",\"size\":%llu,\"packages\":{%s},\"built\":%lld}\n",
		   digest, (unsigned long long)size, buf_str(packages), (long long)time(NULL));
}

/* What was built is moved, and copied where it is only shown there (image_layer.c). */
static int keep_tree(const struct image_slot *s, const char *tree, const char *to, struct err *e)
{
	if (rename(tree, to) == 0)
		return 0;
	if (errno != EXDEV && errno != EBUSY)
		return ERR(e, errno, "rename '%s' to '%s'", tree, to);
	return mkdir(to, 0700) < 0 ? ERR(e, errno, "make folder '%s'", to)
				   : tree_copy_folder(tree, s->scratch, strrchr(to, '/') + 1, e);
}

/* `measured`: the file whose content names the image; `kept`: what goes into the cache. */
static int store(const struct image_slot *s, const char *measured, const char *kept,
		 const struct image_about *about, const struct buf *packages, struct image *ret,
		 struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/%s.%s", s->dir, s->key, s->suffix);
	GUARD(mem) char *meta = mem_printf("%s/%s.json", s->dir, s->key);
	GUARD_BUF struct buf text = { 0 };
	struct stat st;
	char digest[HASH_TEXT];
	if (hash_file(measured, digest, e) < 0)
		return -1;
	if (stat(measured, &st) < 0)
		return ERR(e, errno, "stat '%s'", measured);
	meta_text(about, digest, (uint64_t)st.st_size, packages, &text);
	/* An image without its json does not count, so the order makes the pair appear at once. */
	if (unlink(meta) < 0 && errno != ENOENT)
		return ERR(e, errno, "remove '%s'", meta);
	/* A folder with something in it is not replaced by a rename. */
	if (strcmp(s->suffix, IMAGE_TREE) == 0 && io_remove_tree(AT_FDCWD, path, e) < 0)
		return -1;
	if (rename(kept, path) < 0)
		return ERR(e, errno, "rename '%s' to '%s'", kept, path);
	if (io_write_file(AT_FDCWD, meta, text.data, text.len, 0644, e) < 0)
		return -1;
	int found = image_slot_find(s, ret, e);
	if (found == 0)
		return ERR(e, 0, "the image '%s' vanished while it was being stored", path);
	return found < 0 ? -1 : 0;
}

int image_slot_publish(const struct image_slot *s, const struct image_about *about,
		       const struct image_progress *p, struct image *ret, struct err *e)
{
	GUARD(mem) char *temp = mem_printf("%s/image.erofs", s->scratch);
	GUARD_BUF struct buf packages = { 0 };
	if (make_erofs(s, about->tree, temp, p, e) < 0 ||
	    image_packages_json(about->tree, &packages, e) < 0)
		return -1;
	if (strcmp(s->suffix, IMAGE_TREE) != 0)
		return store(s, temp, temp, about, &packages, ret, e);
	/* An erofs all the same, for its digest: one of the content, the same that root would get.
	 */
	GUARD(mem) char *kept = mem_printf("%s/kept", s->scratch);
	return keep_tree(s, about->tree, kept, e) < 0
		       ? -1
		       : store(s, temp, kept, about, &packages, ret, e);
}

int image_slot_store(const struct image_slot *s, const char *temp, const struct image_about *about,
		     const struct buf *packages, struct image *ret, struct err *e)
{
	return store(s, temp, temp, about, packages, ret, e);
}
