/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/capture_base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/base/mutate.h"
#include "harness/model/state.h"
#include "harness/model/state_line.h"
#include "harness/sandbox/capture_delta.h"
#include "harness/sandbox/upper.h"

enum {
	FORMAT = 2,         /* counted up when lines of one kind of file look different */
	HEAD_MAX = 256,     /* bytes of the first line */
	TEXT_MAX = 1 << 30, /* bytes of a fingerprint */
};

/* A build with a defect of its own must not leave it to the others. */
static int format(void)
{
	return FORMAT * 1000 + (int)BACKOUT_MUTANT;
}

bool capture_in_memory(const char *path)
{
	for (const struct upper_memory *m = upper_memory; m->name != NULL; m++) {
		size_t len = strlen(m->path);
		if (strncmp(path, m->path, len) == 0 && (path[len] == '/' || path[len] == '\0'))
			return true;
	}
	return false;
}

/* ---- writing ---- */

/* Of the files alone, without those that are in no image. They stand first. */
static int keep_lines(const struct buf *text, struct buf *ret, struct err *e)
{
	struct arena *arena = arena_create();
	struct state_entry entry;
	int result = 0;
	const char *at = buf_str(text);
	while (result == 0 && *at != '\0') {
		size_t len = (size_t)(strchrnul(at, '\n') - at);
		if (!state_line_key(arena, at, len, &entry))
			result = ERR(e, 0, "a line of a fingerprint cannot be read back");
		else if (entry.kind == STATE_FILE && !capture_in_memory(entry.key))
			buf_add(ret, at, len + 1);
		at += len + (at[len] == '\n');
	}
	arena_destroy(arena);
	return result;
}

/* The first line for what stands behind it, of which `owners` bytes are dpkg's owners. */
static void put_head(const char *digest, size_t owners, struct state_text rest, struct buf *ret)
{
	char hash[HASH_TEXT];
	hash_text(rest.data, rest.len, hash);
	buf_printf(ret, "{\"format\":%d,\"owners\":%zu,\"image\":\"%s\",\"xxh3\":\"%s\"}\n",
		   format(), owners, digest, hash);
}

static int put_owners(const struct node *n, struct buf *ret, struct err *e)
{
	struct dpkg_owners *owners;
	if (dpkg_owners_read(node_root_fd(n), &owners, e) < 0)
		return -1;
	dpkg_owners_save(owners, ret);
	dpkg_owners_free(owners);
	return 0;
}

int capture_base_write(struct node *n, const char *image_digest, const char *path, struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	GUARD_BUF struct buf rest = { 0 };
	GUARD_BUF struct buf file = { 0 };
	GUARD(fd) int fd = memfd_create("fingerprint", MFD_CLOEXEC);
	struct capture_result ignored;
	const struct capture_spec spec = { .fd = fd };
	char name[64];
	if (fd < 0)
		return ERR(e, errno, "memfd_create");
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (capture_state(n, &spec, &ignored, e) < 0 ||
	    io_read_file(AT_FDCWD, name, TEXT_MAX, &text, e) < 0 || put_owners(n, &rest, e) < 0)
		return -1;
	size_t owners = rest.len;
	if (keep_lines(&text, &rest, e) < 0)
		return -1;
	put_head(image_digest, owners, (struct state_text){ buf_str(&rest), rest.len }, &file);
	buf_add(&file, buf_str(&rest), rest.len);
	return io_write_file(AT_FDCWD, path, file.data, file.len, 0644, e);
}

/* ---- reading ---- */

static const char *attr_of(const struct state_entry *entry, const char *name)
{
	for (size_t i = 0; i < entry->attr_count; i++)
		if (strcmp(entry->attrs[i].name, name) == 0)
			return entry->attrs[i].value;
	return NULL;
}

/* Where dpkg's lists are names in no link: they are read from there. */
static bool hides_lists(const struct state_entry *entry, const char *type)
{
	static const char *const folders[] = { "/var", "/var/lib", "/var/lib/dpkg", DPKG_LISTS };
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (strcmp(entry->key, folders[i]) == 0)
			return strcmp(type, "dir") != 0;
	return strncmp(entry->key, DPKG_LISTS "/", strlen(DPKG_LISTS) + 1) == 0 &&
	       strcmp(type, "link") == 0;
}

static bool index_line(struct capture_base *b, const char *line, size_t len)
{
	struct state_entry entry;
	if (!state_line_read(b->arena, line, len, &entry) || entry.kind != STATE_FILE)
		return false;
	const char *type = attr_of(&entry, "type");
	const char *owner = memmem(line, len, ",\"@owner\":", 10);
	if (type == NULL)
		return false;
	b->odd_lists |= hides_lists(&entry, type);
	b->lines[b->count++] = (struct base_line){
		.path = entry.key,
		.text = line,
		.len = (uint32_t)len + 1,
		.owner = (uint32_t)(owner != NULL ? owner - line : 0),
		.hash = dpkg_owners_hash(b->owners, entry.key),
		.is_dir = strcmp(type, "dir") == 0,
		.is_file = strcmp(type, "file") == 0,
		.moves = attr_of(&entry, "links") != NULL || attr_of(&entry, "pid") != NULL,
	};
	return true;
}

static bool index_lines(struct capture_base *b, const char *text, size_t len)
{
	size_t count = 0;
	for (const char *c = text; (c = memchr(c, '\n', (size_t)(text + len - c))) != NULL; c++)
		count++;
	b->lines = mem_array(count + 1, sizeof(*b->lines));
	const char *end = text + len;
	for (const char *at = text; at < end;) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		if (stop == NULL || !index_line(b, at, (size_t)(stop - at)))
			return false;
		at = stop + 1;
	}
	return true;
}

static bool read_all(struct capture_base *b, const char *digest)
{
	GUARD_BUF struct buf want = { 0 };
	const char *stop = memchr(b->map, '\n', b->size < HEAD_MAX ? b->size : HEAD_MAX);
	char line[HEAD_MAX];
	size_t owners;
	int version;
	if (stop == NULL)
		return false;
	/* A copy: sscanf(3) looks for the end of its text, and a map has none. */
	(void)snprintf(line, sizeof(line), "%.*s", (int)(stop - b->map), b->map);
	if (sscanf(line, "{\"format\":%d,\"owners\":%zu,", &version, &owners) != 2)
		return false;
	const char *rest = stop + 1;
	size_t head = (size_t)(rest - b->map), len = b->size - head;
	put_head(digest, owners, (struct state_text){ rest, len }, &want);
	return want.len == head && memcmp(want.data, b->map, head) == 0 && owners <= len &&
	       dpkg_owners_load(rest, owners, &b->owners) == 0 &&
	       index_lines(b, rest + owners, len - owners);
}

int capture_base_open(struct capture_base **ret, const char *path, const char *image_digest,
		      struct err *e)
{
	struct stat st;
	GUARD(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return ERR(e, errno, "open '%s'", path);
	if (st.st_size == 0)
		return 0;
	void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return ERR(e, errno, "map '%s'", path);
	struct capture_base *b = mem_alloc(sizeof(*b));
	b->map = map;
	b->size = (size_t)st.st_size;
	b->arena = arena_create();
	if (!read_all(b, image_digest)) {
		capture_base_close(b);
		return 0;
	}
	*ret = b;
	return 1;
}

static int by_path(const void *path, const void *line)
{
	return strcmp(path, ((const struct base_line *)line)->path);
}

bool capture_base_has(const struct capture_base *b, const char *path)
{
	return bsearch(path, b->lines, b->count, sizeof(*b->lines), by_path) != NULL;
}

void capture_base_close(struct capture_base *b)
{
	if (b == NULL)
		return;
	(void)munmap((void *)b->map, b->size);
	arena_destroy(b->arena);
	dpkg_owners_free(b->owners);
	free(b->lines);
	free(b);
}
