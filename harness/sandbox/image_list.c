/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/image_internal.h"
#include "harness/sandbox/userns.h"

/* "KEY.json" -> KEY; false for any other name. */
static bool key_of(const char *name, char key[HASH_TEXT])
{
	if (strlen(name) != HASH_TEXT - 1 + strlen(".json") ||
	    strcmp(name + HASH_TEXT - 1, ".json") != 0 ||
	    strspn(name, "0123456789abcdef") != HASH_TEXT - 1)
		return false;
	memcpy(key, name, HASH_TEXT - 1);
	key[HASH_TEXT - 1] = '\0';
	return true;
}

static int by_age(const void *a, const void *b)
{
	const struct image_info *x = a, *y = b;
	if (x->built != y->built)
		return x->built < y->built ? -1 : 1;
	return strcmp(x->key, y->key);
}

int image_list(const char *state_dir, struct image_info **ret, struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/images", state_dir);
	GUARD(dir) DIR *dir = opendir(path);
	*ret = NULL;
	if (dir == NULL)
		return errno == ENOENT ? 0 : ERR(e, errno, "open '%s'", path);
	struct image_info *list = NULL;
	int count = 0;
	struct dirent *d;
	while ((d = readdir(dir)) != NULL) {
		char key[HASH_TEXT], digest[HASH_TEXT];
		if (!key_of(d->d_name, key))
			continue;
		list = mem_grow(list, (size_t)count + 1, sizeof(*list));
		memset(&list[count], 0, sizeof(list[count]));
		if (image_meta_read(path, key, &list[count], digest, e) < 0) {
			image_list_free(list, count);
			return -1;
		}
		count++;
	}
	if (count > 1)
		qsort(list, (size_t)count, sizeof(*list), by_age);
	*ret = list;
	return count;
}

void image_list_free(struct image_info *list, int count)
{
	for (int i = 0; i < count; i++) {
		free(list[i].kind);
		free(list[i].recipe);
	}
	free(list);
}

const char *const image_suffixes[] = {
	"erofs",
#define X(id, name, least) name,
	DISK_FS(X)
#undef X
		NULL,
};

const char *image_suffix(const struct image *i)
{
	if (i != NULL && i->on_disk)
		return disk_fs_names[i->fs];
	return userns_kind() == USERNS_HOST ? image_suffixes[0] : IMAGE_TREE;
}

static bool is_there(const char *state_dir, const char *key, const char *suffix, char **ret)
{
	GUARD(mem) char *path = mem_printf("%s/images/%s.%s", state_dir, key, suffix);
	if (access(path, F_OK) < 0)
		return false;
	*ret = take_ptr(&path);
	return true;
}

/* Is this the image with that digest? A disk's is its key. */
static bool is_image(const char *state_dir, const struct image_info *info, const char *digest,
		     struct image *ret)
{
	memset(ret, 0, sizeof(*ret));
	const char *usual = image_suffix(NULL);
	if (strcmp(info->digest, digest) == 0 &&
	    is_there(state_dir, info->key, usual, &ret->path)) {
		ret->is_tree = strcmp(usual, IMAGE_TREE) == 0;
		return true;
	}
	for (int fs = 0; strcmp(info->key, digest) == 0 && fs < DISK_FS_COUNT; fs++) {
		if (!is_there(state_dir, info->key, disk_fs_names[fs], &ret->path))
			continue;
		ret->on_disk = true;
		ret->fs = (enum disk_fs)fs;
		return true;
	}
	return false;
}

int image_find(const char *state_dir, const char *digest, struct image *ret, struct err *e)
{
	struct image_info *list = NULL;
	int count = image_list(state_dir, &list, e), found = 0;
	for (int i = 0; i < count && found == 0; i++) {
		found = is_image(state_dir, &list[i], digest, ret);
		if (found == 0)
			continue;
		memcpy(ret->key, list[i].key, HASH_TEXT);
		(void)snprintf(ret->digest, sizeof(ret->digest), "%s", digest);
	}
	image_list_free(list, count);
	return count < 0 ? -1 : found;
}

/* The json first: from then on the image is absent. A builder at work keeps its lock file. */
static int remove_one(int dirfd, const char *key, struct err *e)
{
	static const char *const suffixes[] = { ".json",  ".erofs", ".ext4", ".xfs",
						".btrfs", ".lines", ".lock" };
	GUARD(mem) char *tree = mem_printf("%s." IMAGE_TREE, key);
	GUARD(mem) char *lock_name = mem_printf("%s.lock", key);
	GUARD(fd) int lock = openat(dirfd, lock_name, O_RDWR | O_CLOEXEC);
	if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "image %s is being built", key);
	GUARD(mem) char *json = mem_printf("%s%s", key, suffixes[0]);
	if (unlinkat(dirfd, json, 0) < 0 && errno != ENOENT)
		return ERR(e, errno, "remove '%s'", json);
	if (io_remove_tree(dirfd, tree, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		GUARD(mem) char *name = mem_printf("%s%s", key, suffixes[i]);
		if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
			return ERR(e, errno, "remove '%s'", name);
	}
	return 0;
}

/* How many keys begin with `prefix`; the last of them in *ret. */
static int matches(const struct image_info *list, int count, const char *prefix, const char **ret)
{
	int found = 0;
	for (int i = 0; i < count; i++) {
		if (strncmp(list[i].key, prefix, strlen(prefix)) == 0) {
			*ret = list[i].key;
			found++;
		}
	}
	return found;
}

int image_remove(const char *state_dir, const char *key, struct err *e)
{
	struct image_info *list = NULL;
	int count = image_list(state_dir, &list, e);
	if (count < 0)
		return -1;
	GUARD(mem) char *path = mem_printf("%s/images", state_dir);
	GUARD(fd) int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *one = NULL;
	int removed = 0;
	bool all = strcmp(key, "all") == 0;
	int found = all || key[0] == '\0' ? 0 : matches(list, count, key, &one);
	if (!all && found != 1) {
		removed = found == 0
				  ? ERR_AS(e, EXIT_USAGE_ERROR, 0, "no image has the key '%s'", key)
				  : ERR_AS(e, EXIT_USAGE_ERROR, 0,
					   "'%s' begins the keys of %d images: give more digits",
					   key, found);
	} else if (!all) {
		removed = remove_one(dirfd, one, e) < 0 ? -1 : 1;
	}
	for (int i = 0; all && removed >= 0 && i < count; i++)
		removed = remove_one(dirfd, list[i].key, e) < 0 ? -1 : removed + 1;
	image_list_free(list, count);
	return removed;
}
