/* SPDX-License-Identifier: MIT */
/* Images that were built elsewhere. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/model/json.h"
#include "harness/sandbox/disk.h"
#include "harness/sandbox/image_internal.h"

/* An image on its way into the cache. */
struct arrival {
	const char *file, *meta, *digest, *suffix;
	bool disk;
};

/* The content has to be what its description says, and where its name tells of content, that. */
static int check(const struct arrival *a, struct buf *text, struct err *e)
{
	char found[HASH_TEXT];
	struct json_doc *doc = NULL;
	if (hash_file(a->file, found, e) < 0 ||
	    io_read_file(AT_FDCWD, a->meta, IMAGE_META_MAX, text, e) < 0 ||
	    json_parse(&doc, a->meta, buf_str(text), text->len, e) < 0)
		return -1;
	bool same = (a->disk || strcmp(found, a->digest) == 0) &&
		    strcmp(json_get_string(json_root(doc), "digest", ""), found) == 0;
	json_doc_free(doc);
	if (!same)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "the image '%s' has content %s: it was damaged on the way", a->file,
			      found);
	return 0;
}

static int store(const struct image_slot *s, const struct arrival *a, const struct buf *meta,
		 struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/%s.%s", s->dir, s->key, a->suffix);
	GUARD(mem) char *about = mem_printf("%s/%s.json", s->dir, s->key);
	GUARD(mem) char *sparse = mem_printf("%s/image", s->scratch);
	const char *from = a->disk ? sparse : a->file;
	/* An archive has no holes. */
	if (a->disk && disk_copy(a->file, sparse, e) < 0)
		return -1;
	GUARD(fd) int fd = open(from, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return ERR(e, errno, "write '%s' to disk", from);
	if (rename(from, path) < 0)
		return ERR(e, errno, "rename '%s' to '%s'", from, path);
	return io_write_file(AT_FDCWD, about, buf_str(meta), meta->len, 0644, e);
}

static int known_suffix(struct arrival *a, struct err *e)
{
	const char *dot = strrchr(a->file, '.');
	for (size_t i = 0; dot != NULL && image_suffixes[i] != NULL; i++) {
		if (strcmp(dot + 1, image_suffixes[i]) != 0)
			continue;
		a->suffix = image_suffixes[i];
		a->disk = i > 0;
		return 0;
	}
	return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s' is no image by its name", a->file);
}

int image_import(struct owner *o, const char *file, const char *meta, const char *digest,
		 struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	struct arrival a = { .file = file, .meta = meta, .digest = digest };
	struct image there = { 0 };
	struct image_slot s;
	if (strlen(digest) != HASH_TEXT - 1 || strspn(digest, "0123456789abcdef") != HASH_TEXT - 1)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s' is no image's digest", digest);
	int found = image_find(owner_state_dir(o), digest, &there, e);
	image_free(&there);
	if (found != 0)
		return found;
	if (known_suffix(&a, e) < 0)
		return -1;
	if (!a.disk && strcmp(a.suffix, image_suffix(NULL)) != 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0,
			      "'%s' has to be mounted, which is for root alone: run as root, or "
			      "let the bundle be written --without-images, so that roots are built "
			      "here",
			      file);
	if (check(&a, &text, e) < 0)
		return -1;
	/* An erofs under its content's digest, not its recipe's key: what is built here by that
	 * recipe may differ, and other runs name that. */
	if (image_slot_open(o, digest, &s, e) < 0)
		return -1;
	int result = store(&s, &a, &text, e);
	image_slot_close(&s);
	return result;
}
