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
#include "harness/sandbox/image_internal.h"

/* The content has to be what its name says, and what its description says. */
static int check(const char *erofs, const char *meta, const char *digest, struct buf *text,
		 struct err *e)
{
	char found[HASH_TEXT];
	struct json_doc *doc = NULL;
	if (hash_file(erofs, found, e) < 0 ||
	    io_read_file(AT_FDCWD, meta, IMAGE_META_MAX, text, e) < 0 ||
	    json_parse(&doc, meta, buf_str(text), text->len, e) < 0)
		return -1;
	bool same = strcmp(found, digest) == 0 &&
		    strcmp(json_get_string(json_root(doc), "digest", ""), digest) == 0;
	json_doc_free(doc);
	if (!same)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "the image '%s' has content %s: it was damaged on the way", erofs,
			      found);
	return 0;
}

static int store(const struct image_slot *s, const char *erofs, const struct buf *meta,
		 struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/%s.erofs", s->dir, s->key);
	GUARD(mem) char *about = mem_printf("%s/%s.json", s->dir, s->key);
	GUARD(fd) int fd = open(erofs, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return ERR(e, errno, "write '%s' to disk", erofs);
	if (rename(erofs, path) < 0)
		return ERR(e, errno, "rename '%s' to '%s'", erofs, path);
	return io_write_file(AT_FDCWD, about, buf_str(meta), meta->len, 0644, e);
}

int image_import(struct owner *o, const char *erofs, const char *meta, const char *digest,
		 struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	struct image there = { 0 };
	struct image_slot s;
	if (strlen(digest) != HASH_TEXT - 1 || strspn(digest, "0123456789abcdef") != HASH_TEXT - 1)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s' is no image's digest", digest);
	int found = image_find(owner_state_dir(o), digest, &there, e);
	image_free(&there);
	if (found != 0)
		return found;
	if (check(erofs, meta, digest, &text, e) < 0)
		return -1;
	/* Under its content's digest, not its recipe's key: what is built here by that recipe may
	 * differ, and other runs name that. */
	if (image_slot_open(o, digest, &s, e) < 0)
		return -1;
	int result = store(&s, erofs, &text, e);
	image_slot_close(&s);
	return result;
}
