/* SPDX-License-Identifier: MIT */
/* Images as files: copied and compared by what they hold. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/disk.h"

enum {
	CHUNK = 1 << 20, /* bytes read at once */
	BLOCK = 4096,    /* bytes that are skipped when zero, and compared as one */
};

static bool is_zero(const char *block, size_t len)
{
	return block[0] == 0 && memcmp(block, block + 1, len - 1) == 0;
}

static int put(int to, const char *data, size_t len, off_t at, struct err *e)
{
	while (len > 0) {
		ssize_t n = pwrite(to, data, len, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_AS(e, EXIT_UNAVAILABLE, errno, "write a copy of a node's disk");
		data += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Runs of blocks that are not zero. */
static int put_data(int to, const char *data, size_t len, off_t at, struct err *e)
{
	for (size_t i = 0, n; i < len; i += n) {
		size_t run = len - i < BLOCK ? len - i : BLOCK;
		bool zero = is_zero(data + i, run);
		for (n = run; i + n < len; n += run) {
			run = len - i - n < BLOCK ? len - i - n : BLOCK;
			if (is_zero(data + i + n, run) != zero)
				break;
		}
		if (!zero && put(to, data + i, n, at + (off_t)i, e) < 0)
			return -1;
	}
	return 0;
}

static ssize_t get(int fd, char *data, size_t len, off_t at)
{
	size_t got = 0;
	while (got < len) {
		ssize_t n = pread(fd, data + got, len - got, at + (off_t)got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* From `at` on: where data begins, and its length up to the next hole or a chunk's end; 0: none.
 * Where the file system does not say, all is data: what is wrong with it, reading tells. */
static size_t next_data(int fd, off_t *at, off_t size)
{
	off_t data = lseek(fd, *at, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		return 0;
	if (data < 0)
		data = *at;
	off_t hole = lseek(fd, data, SEEK_HOLE);
	if (hole < 0 || hole > size)
		hole = size;
	*at = data;
	return hole - data < CHUNK ? (size_t)(hole - data) : CHUNK;
}

static int copy_data(int from, int to, off_t size, struct err *e)
{
	GUARD(mem) char *chunk = mem_alloc(CHUNK);
	off_t at = 0;
	for (size_t len; at < size && (len = next_data(from, &at, size)) > 0; at += (off_t)len) {
		ssize_t n = get(from, chunk, len, at);
		if (n < 0)
			return ERR(e, errno, "read a node's disk");
		if (put_data(to, chunk, (size_t)n, at, e) < 0)
			return -1;
	}
	return 0;
}

static int copy_all(int from, int to, const struct stat *st, const char *name, struct err *e)
{
	struct statvfs fs;
	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	/* It may grow to its full size, and a host that is full would look like a broken disk. */
	if (fstatvfs(to, &fs) == 0 && fs.f_bavail * fs.f_frsize < (uint64_t)st->st_size)
		return ERR_AS(e, EXIT_UNAVAILABLE, ENOSPC, "%lld MiB for the disk in '%s'",
			      (long long)(st->st_size >> 20), name);
	if (ftruncate(to, st->st_size) < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "make '%s'", name);
	return copy_data(from, to, st->st_size, e);
}

int disk_copy(const char *from, const char *to, struct err *e)
{
	struct stat st;
	GUARD(fd) int in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0 || fstat(in, &st) < 0)
		return ERR(e, errno, "open '%s'", from);
	GUARD(fd) int out = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno, "make '%s'", to);
	if (copy_all(in, out, &st, to, e) == 0)
		return 0;
	(void)unlink(to);
	return -1;
}

/* Blocks of zeros and holes are the same; where each of the others lies counts. */
static void add_data(struct hash *h, const char *data, size_t len, off_t at)
{
	for (size_t i = 0; i < len; i += BLOCK) {
		const size_t n = len - i < BLOCK ? len - i : BLOCK;
		const off_t where = at + (off_t)i;
		if (is_zero(data + i, n))
			continue;
		hash_add(h, &where, sizeof(where));
		hash_add(h, data + i, n);
	}
}

int disk_name(const char *image, char ret[HASH_TEXT], struct err *e)
{
	struct stat st;
	GUARD(mem) char *chunk = mem_alloc(CHUNK);
	GUARD(fd) int fd = open(image, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return ERR(e, errno, "open '%s'", image);
	struct hash *h = hash_begin();
	off_t at = 0;
	ssize_t n = 0;
	for (size_t len; at < st.st_size && (len = next_data(fd, &at, st.st_size)) > 0;
	     at += (off_t)len) {
		n = get(fd, chunk, len, at);
		if (n < 0)
			break;
		add_data(h, chunk, (size_t)n, at);
	}
	hash_text_of(h, ret);
	hash_free(h);
	return n < 0 ? ERR(e, errno, "read '%s'", image) : 0;
}

static int count_chunk(const int fds[2], char *chunks, size_t len, off_t at, uint64_t *ret)
{
	char *a = chunks, *b = chunks + CHUNK;
	if (get(fds[0], a, len, at) != (ssize_t)len || get(fds[1], b, len, at) != (ssize_t)len)
		return -1;
	for (size_t i = 0; i < len; i += BLOCK) {
		size_t n = len - i < BLOCK ? len - i : BLOCK;
		*ret += memcmp(a + i, b + i, n) != 0 ? n : 0;
	}
	return 0;
}

/* What is a hole in both need not be read. */
int disk_differ(const char *a, const char *b, uint64_t *ret, struct err *e)
{
	struct stat st;
	GUARD(mem) char *chunks = mem_alloc(2 * CHUNK);
	GUARD(fd) int one = open(a, O_RDONLY | O_CLOEXEC);
	GUARD(fd) int two = open(b, O_RDONLY | O_CLOEXEC);
	if (one < 0 || two < 0 || fstat(one, &st) < 0)
		return ERR(e, errno, "open '%s' and '%s'", a, b);
	const int fds[] = { one, two };
	*ret = 0;
	for (off_t at = 0; at < st.st_size;) {
		off_t x = at, y = at;
		size_t len_x = next_data(one, &x, st.st_size),
		       len_y = next_data(two, &y, st.st_size);
		if (len_x == 0 && len_y == 0)
			break;
		off_t from = len_x == 0 || (len_y > 0 && y < x) ? y : x;
		from -= from % BLOCK;
		size_t len = st.st_size - from < CHUNK ? (size_t)(st.st_size - from) : CHUNK;
		if (count_chunk(fds, chunks, len, from, ret) < 0)
			return ERR(e, errno, "compare '%s' with '%s'", a, b);
		at = from + (off_t)len;
	}
	return 0;
}
