/* SPDX-License-Identifier: MIT */
/* A root from a container image: its layers in order, each checked before it is used. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness/base/archive.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/image_foreign.h"
#include "harness/sandbox/rooted.h"

struct oci {
	const struct image_oci_source *source;
	const struct image_slot *slot;
	int fd; /* the layout's folder, or the archive */
	bool is_dir;
};

static void see(void *arg, const void *data, size_t len)
{
	sha256_add(arg, data, len);
}

static int check_blob(const struct layout *l, const struct layout_layer *layer, int fd,
		      struct err *e)
{
	struct stat st;
	char seen[SHA256_TEXT];
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "the image '%s': '%s' is no plain file",
			      l->shown, layer->path);
	if (layer->size >= 0 && st.st_size != layer->size)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "the image '%s': the layer '%s' has %lld bytes, its manifest says "
			      "%lld",
			      l->shown, layer->path, (long long)st.st_size, (long long)layer->size);
	if (layer->digest[0] == '\0')
		return 0;
	struct sha256 s;
	GUARD(mem) char *chunk = mem_alloc(1 << 16);
	ssize_t n;
	sha256_begin(&s);
	while ((n = read(fd, chunk, 1 << 16)) > 0)
		sha256_add(&s, chunk, (size_t)n);
	sha256_text_of(&s, seen);
	if (n < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return ERR(e, errno, "read '%s'", layer->path);
	if (strcmp(seen, layer->digest) != 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "the image '%s': the layer '%s' has not that digest, but %s",
			      l->shown, layer->path, seen);
	return 0;
}

/* Unpacked to a file of our own: what is checked is what is used, and it is read twice. */
static int unpack_layer(const struct oci *o, const struct layout *l, size_t index, struct unpack *u,
			struct err *e)
{
	const struct layout_layer *layer = &l->layers[index];
	char seen[SHA256_TEXT];
	struct sha256 s;
	GUARD(mem) char *plain = mem_printf("%s/layer.tar", o->slot->scratch);
	GUARD(mem) char *shown = mem_printf("%s: %s", l->shown, layer->path);
	GUARD(fd)
	int from = rooted_open(l->fd, layer->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, ROOTED_FOLLOW);
	if (from < 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "the image '%s': the layer '%s'",
			      l->shown, layer->path);
	if (check_blob(l, layer, from, e) < 0)
		return -1;
	GUARD(fd) int to = open(plain, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (to < 0)
		return ERR(e, errno, "make '%s'", plain);
	const struct archive_sink sink = { to, UNPACK_BYTES_MAX, see, &s };
	sha256_begin(&s);
	if (archive_unpacked(from, shown, &sink, e) < 0)
		return e->code == EFBIG ? err_prefix(e, "a layer has at most 32 GiB") : -1;
	sha256_text_of(&s, seen);
	if (strcmp(seen, layer->unpacked) != 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "'%s' unpacks to the digest %s, the configuration says %s", shown,
			      seen, layer->unpacked);
	u->tar_fd = to;
	u->shown = shown;
	(void)dprintf(STDOUT_FILENO, "layer %zu of %zu: %s\n", index + 1, l->layer_count,
		      layer->path);
	int ret = unpack_tar(u, e);
	(void)unlink(plain);
	return ret;
}

static int unpack_layers(const struct oci *o, const struct layout *l, struct err *e)
{
	struct unpack_count count = { UNPACK_BYTES_MAX, UNPACK_ENTRIES_MAX, 0, 0, 0, 0 };
	GUARD(fd) int tree = image_make_tree(o->slot, e);
	if (tree < 0)
		return -1;
	struct unpack u = { .root_fd = tree, .layer = true, .count = &count };
	for (size_t i = 0; i < l->layer_count; i++)
		if (unpack_layer(o, l, i, &u, e) < 0)
			return -1;
	image_say_left_out(&count);
	if (l->unused != NULL)
		(void)dprintf(STDOUT_FILENO,
			      "not used, for the scenario says what runs and how: %.1500s\n",
			      l->unused);
	return 0;
}

/* The archive's own files, as any tar: its links (older ones have them) stay inside. */
static int unpack_archive(const struct oci *o, struct err *e)
{
	struct unpack_count count = { UNPACK_BYTES_MAX, UNPACK_ENTRIES_MAX, 0, 0, 0, 0 };
	GUARD(mem) char *path = mem_printf("%s/layout", o->slot->scratch);
	if (io_mkdirs(path, 0700, e) < 0)
		return -1;
	GUARD(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ERR(e, errno, "open '%s'", path);
	const struct unpack u = {
		.root_fd = fd, .tar_fd = o->fd, .shown = o->source->path, .count = &count
	};
	return unpack_tar(&u, e) < 0 ? -1 : take_fd(&fd);
}

static int oci_job(void *arg, struct err *e)
{
	const struct oci *o = arg;
	GUARD(fd) int unpacked = o->is_dir ? -1 : unpack_archive(o, e);
	struct layout l = {
		.fd = o->is_dir ? o->fd : unpacked,
		.shown = o->source->path,
		.tag = o->source->tag,
	};
	int ret = -1;
	if (l.fd >= 0 && layout_choose(&l, e) == 0)
		ret = unpack_layers(o, &l, e);
	layout_free(&l);
	return ret;
}

/* A folder's image is named by its manifest; an archive's is not looked at when it is cached. */
static int content_of(const struct oci *o, char **ret, struct err *e)
{
	struct utsname host;
	char content[HASH_TEXT];
	if (o->is_dir) {
		struct layout l = { .fd = o->fd, .shown = o->source->path, .tag = o->source->tag };
		int result = layout_choose(&l, e);
		if (result == 0)
			*ret = mem_printf("manifest %s", l.identity);
		layout_free(&l);
		return result;
	}
	if (uname(&host) < 0)
		return ERR(e, errno, "uname");
	if (hash_fd(o->fd, o->source->path, content, e) < 0)
		return -1;
	const char *tag = o->source->tag;
	*ret = mem_printf("archive %s %s %s", content, host.machine, tag != NULL ? tag : "");
	return 0;
}

static int open_layout(const struct image_oci_source *source, bool *is_dir, struct err *e)
{
	int fd = open(source->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*is_dir = fd >= 0;
	if (fd >= 0)
		return fd;
	return errno == ENOTDIR ? image_open_source(source->path, e)
				: ERR_AS(e, EXIT_BAD_SCENARIO, errno, "open '%s'", source->path);
}

int image_oci(struct owner *owner, const struct image_oci_source *source,
	      const struct image_progress_to *to, struct image *ret, struct err *e)
{
	struct oci o = { .source = source, .fd = -1 };
	struct image_slot slot;
	char key[HASH_TEXT];
	GUARD(mem) char *content = NULL;
	GUARD(fd) int fd = open_layout(source, &o.is_dir, e);
	if (fd < 0)
		return -1;
	o.fd = fd;
	if (content_of(&o, &content, e) < 0)
		return -1;
	GUARD(mem) char *full = mem_printf("format %d: oci %s", FOREIGN_FORMAT, content);
	GUARD(mem)
	char *text = mem_printf("oci %s%s%s", source->path, source->tag != NULL ? " " : "",
				source->tag != NULL ? source->tag : "");
	hash_text(full, strlen(full), key);
	if (image_slot_open(owner, key, &slot, e) < 0)
		return -1;
	o.slot = &slot;
	const struct image_recipe r = { "oci", text, oci_job, &o, false };
	int result = image_build_in_job(&slot, &r, to, ret, e);
	image_slot_close(&slot);
	return result;
}
