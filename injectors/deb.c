/* SPDX-License-Identifier: MIT */
#include "injectors/deb.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/io.h"

#define AR_MAGIC "!<arch>\n"
enum {
	AR_MAGIC_LEN = 8,
	AR_HEADER_LEN = 60,
	AR_NAME_LEN = 16,
	AR_SIZE_AT = 48,
	AR_SIZE_LEN = 10,
	TAR_BLOCK = 512,
	TAR_NAME_LEN = 100,
	TAR_SIZE_AT = 124,
	TAR_SIZE_LEN = 12,
	TAR_SUM_AT = 148,
	TAR_TYPE_AT = 156,
	FLIP_BYTES = 16,
	COPY_CHUNK = 64 << 10, /* bytes */
};

/* All or nothing: 1, 0 at the very end of the file, -1. */
static int read_at(int fd, void *buf, size_t len, off_t at, struct err *e)
{
	size_t have = 0;
	while (have < len) {
		ssize_t n = pread(fd, (char *)buf + have, len - have, at + (off_t)have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR(e, errno, "read a package");
		if (n == 0 && have == 0)
			return 0;
		if (n == 0)
			return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "the package ends too early");
		have += (size_t)n;
	}
	return 1;
}

static int copy_range(int in, off_t at, uint64_t len, int out, struct err *e)
{
	char chunk[COPY_CHUNK];
	while (len > 0) {
		size_t want = len < sizeof(chunk) ? (size_t)len : sizeof(chunk);
		int got = read_at(in, chunk, want, at, e);
		if (got < 0)
			return -1;
		if (got == 0)
			return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "the package ends too early");
		if (io_write_all(out, chunk, want, e) < 0)
			return -1;
		at += (off_t)want;
		len -= want;
	}
	return 0;
}

/* A number of a fixed-width text field, ended by a blank or NUL. */
static bool field_number(const char *text, size_t len, unsigned base, uint64_t *ret)
{
	size_t i = 0, digits = 0;
	*ret = 0;
	while (i < len && text[i] == ' ')
		i++;
	for (; i < len && text[i] >= '0' && text[i] < (char)('0' + base); i++, digits++)
		*ret = *ret * base + (uint64_t)(text[i] - '0');
	return digits > 0 && (i == len || text[i] == ' ' || text[i] == '\0');
}

/* ---- ar ---- */

struct ar_member {
	char header[AR_HEADER_LEN];
	uint64_t size;
	off_t body;
};

static uint64_t ar_padded(uint64_t size)
{
	return size + size % 2;
}

static int ar_read(int fd, off_t at, struct ar_member *ret, struct err *e)
{
	int got = read_at(fd, ret->header, AR_HEADER_LEN, at, e);
	if (got <= 0)
		return got;
	if (memcmp(ret->header + AR_HEADER_LEN - 2, "`\n", 2) != 0 ||
	    !field_number(ret->header + AR_SIZE_AT, AR_SIZE_LEN, 10, &ret->size))
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "not a Debian package: a broken ar header");
	ret->body = at + AR_HEADER_LEN;
	return 1;
}

static int ar_write_replacement(const struct ar_member *old, const char *name, int tar, int out,
				struct err *e)
{
	struct stat st;
	char header[AR_HEADER_LEN];
	char text[AR_NAME_LEN + 1];
	if (fstat(tar, &st) < 0)
		return ERR(e, errno, "stat a tar archive");
	memcpy(header, old->header, sizeof(header));
	(void)snprintf(text, sizeof(text), "%-*s", AR_NAME_LEN, name);
	memcpy(header, text, AR_NAME_LEN);
	(void)snprintf(text, sizeof(text), "%-*lld", AR_SIZE_LEN, (long long)st.st_size);
	memcpy(header + AR_SIZE_AT, text, AR_SIZE_LEN);
	if (io_write_all(out, header, sizeof(header), e) < 0 ||
	    copy_range(tar, 0, (uint64_t)st.st_size, out, e) < 0)
		return -1;
	return st.st_size % 2 != 0 ? io_write_all(out, "\n", 1, e) : 0;
}

int deb_replace(int deb, enum deb_part part, int tar, int out, struct err *e)
{
	static const char *const prefix[] = { "control.tar", "data.tar" };
	char magic[AR_MAGIC_LEN];
	int replaced = 0;
	if (read_at(deb, magic, sizeof(magic), 0, e) < 0)
		return -1;
	if (memcmp(magic, AR_MAGIC, AR_MAGIC_LEN) != 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "not a Debian package: no ar archive");
	if (io_write_all(out, magic, sizeof(magic), e) < 0)
		return -1;
	off_t at = AR_MAGIC_LEN;
	for (;;) {
		struct ar_member m;
		int got = ar_read(deb, at, &m, e);
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		bool this_one = strncmp(m.header, prefix[part], strlen(prefix[part])) == 0;
		int done = this_one
				   ? ar_write_replacement(&m, prefix[part], tar, out, e)
				   : copy_range(deb, at, AR_HEADER_LEN + ar_padded(m.size), out, e);
		if (done < 0)
			return -1;
		replaced += this_one;
		at = m.body + (off_t)ar_padded(m.size);
	}
	if (replaced != 1)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "not a Debian package: %d members %s*",
			      replaced, prefix[part]);
	return 0;
}

/* ---- tar ---- */

struct tar_entry {
	char header[TAR_BLOCK];
	uint64_t size;
	off_t body;
	off_t next; /* where the next header stands */
};

/* 1, 0 at the archive's end (an empty block or the end of the file), -1. */
static int tar_read(int fd, off_t at, struct tar_entry *ret, struct err *e)
{
	int got = read_at(fd, ret->header, TAR_BLOCK, at, e);
	if (got <= 0 || ret->header[0] == '\0')
		return got < 0 ? -1 : 0;
	if (!field_number(ret->header + TAR_SIZE_AT, TAR_SIZE_LEN, 8, &ret->size))
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "the package's tar archive is broken, or holds a file above 8 GiB");
	ret->body = at + TAR_BLOCK;
	ret->next = ret->body + (off_t)((ret->size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK);
	return 1;
}

static bool tar_is_file(const struct tar_entry *t)
{
	char type = t->header[TAR_TYPE_AT];
	return type == '0' || type == '\0';
}

static void tar_name(const struct tar_entry *t, char ret[DEB_NAME_MAX])
{
	memcpy(ret, t->header, TAR_NAME_LEN);
	ret[TAR_NAME_LEN] = '\0';
}

static void tar_checksum(char header[TAR_BLOCK])
{
	unsigned sum = 0;
	memset(header + TAR_SUM_AT, ' ', 8);
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)header[i];
	(void)snprintf(header + TAR_SUM_AT, 8, "%06o", sum); /* then the blank that is there */
}

static int tar_write_script(int out, const char *script, const char *text, struct err *e)
{
	static const char zero[TAR_BLOCK];
	char header[TAR_BLOCK] = { 0 };
	size_t len = strlen(text);
	(void)snprintf(header, TAR_NAME_LEN, "./%s", script);
	(void)snprintf(header + 100, 8, "%07o", 0755); /* mode */
	(void)snprintf(header + 108, 8, "%07o", 0);    /* uid */
	(void)snprintf(header + 116, 8, "%07o", 0);    /* gid */
	(void)snprintf(header + TAR_SIZE_AT, TAR_SIZE_LEN, "%011o", (unsigned)len);
	(void)snprintf(header + 136, 12, "%011o", 0); /* mtime: the same package every time */
	header[TAR_TYPE_AT] = '0';
	memcpy(header + 257,
	       "ustar\0"
	       "00",
	       8);
	(void)snprintf(header + 265, 32, "root");
	(void)snprintf(header + 297, 32, "root");
	tar_checksum(header);
	if (io_write_all(out, header, sizeof(header), e) < 0 || io_write_all(out, text, len, e) < 0)
		return -1;
	return io_write_all(out, zero, (TAR_BLOCK - len % TAR_BLOCK) % TAR_BLOCK, e);
}

int deb_set_script(int tar, const char *script, const char *text, int out, struct err *e)
{
	static const char end[2 * TAR_BLOCK];
	off_t at = 0;
	for (;;) {
		struct tar_entry t;
		char name[DEB_NAME_MAX];
		int got = tar_read(tar, at, &t, e);
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		tar_name(&t, name);
		const char *base = strncmp(name, "./", 2) == 0 ? name + 2 : name;
		bool dropped = tar_is_file(&t) && strcmp(base, script) == 0;
		if (!dropped && copy_range(tar, at, (uint64_t)(t.next - at), out, e) < 0)
			return -1;
		at = t.next;
	}
	if (at == 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "the package's control archive is empty");
	if (tar_write_script(out, script, text, e) < 0)
		return -1;
	return io_write_all(out, end, sizeof(end), e);
}

int deb_cut_data(int tar, char name[DEB_NAME_MAX], struct err *e)
{
	uint64_t largest = 0;
	off_t cut = 0, at = 0;
	for (;;) {
		struct tar_entry t;
		int got = tar_read(tar, at, &t, e);
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		if (tar_is_file(&t) && t.size > largest) {
			largest = t.size;
			cut = t.body + (off_t)(t.size / 2);
			tar_name(&t, name);
		}
		at = t.next;
	}
	if (largest == 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "the package holds no file to cut");
	if (ftruncate(tar, cut) < 0)
		return ERR(e, errno, "cut a package's data");
	return 0;
}

int deb_copy(int deb, int out, struct err *e)
{
	struct stat st;
	if (fstat(deb, &st) < 0)
		return ERR(e, errno, "stat a package");
	return copy_range(deb, 0, (uint64_t)st.st_size, out, e);
}

int deb_flip(int fd, struct err *e)
{
	struct stat st;
	unsigned char bytes[FLIP_BYTES];
	if (fstat(fd, &st) < 0)
		return ERR(e, errno, "stat a package");
	if (st.st_size < 2 * FLIP_BYTES)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "the package is too small to be one");
	off_t at = st.st_size / 2 - FLIP_BYTES / 2;
	if (read_at(fd, bytes, sizeof(bytes), at, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)~bytes[i];
	if (pwrite(fd, bytes, sizeof(bytes), at) != (ssize_t)sizeof(bytes))
		return ERR(e, errno, "damage a package");
	return 0;
}
