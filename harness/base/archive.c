/* SPDX-License-Identifier: MIT */
#include "harness/base/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"

enum { ARCHIVE_CHUNK = 256 * 1024, ARCHIVE_DEPTH_MAX = 64 };

struct archive_out {
	struct archive *tar;
	char *path, *temp;
	const char *but; /* of the tree being added */
};

static int refuse(struct archive *a, const char *path, struct err *e)
{
	const char *why = archive_error_string(a);
	return ERR(e, 0, "'%s': %s", path, why != NULL ? why : "the archive is not in order");
}

int archive_create(struct archive_out **ret, const char *path, struct err *e)
{
	struct archive_out *a = mem_alloc(sizeof(*a));
	a->path = mem_strdup(path);
	a->temp = mem_printf("%s.new-%d", path, (int)getpid());
	a->tar = archive_write_new();
	if (a->tar == NULL || archive_write_add_filter_zstd(a->tar) != ARCHIVE_OK ||
	    archive_write_set_format_pax_restricted(a->tar) != ARCHIVE_OK ||
	    archive_write_open_filename(a->tar, a->temp) != ARCHIVE_OK) {
		(void)ERR_AS(e, EXIT_UNAVAILABLE, 0, "create '%s': %s", a->temp,
			     a->tar != NULL ? archive_error_string(a->tar) : "libarchive");
		archive_discard(a);
		return -1;
	}
	*ret = a;
	return 0;
}

static int put_header(struct archive_out *a, const char *name, uint64_t size, struct err *e)
{
	struct archive_entry *entry = archive_entry_new();
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_size(entry, (la_int64_t)size);
	archive_entry_set_mtime(entry, time(NULL), 0);
	int rc = archive_write_header(a->tar, entry);
	archive_entry_free(entry);
	return rc == ARCHIVE_OK ? 0 : refuse(a->tar, a->temp, e);
}

static int put_data(struct archive_out *a, const void *data, size_t len, struct err *e)
{
	const char *p = data;
	while (len > 0) {
		la_ssize_t n = archive_write_data(a->tar, p, len);
		if (n <= 0)
			return refuse(a->tar, a->temp, e);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int archive_add_text(struct archive_out *a, const char *name, const char *text, struct err *e)
{
	size_t len = strlen(text);
	return put_header(a, name, len, e) < 0 ? -1 : put_data(a, text, len, e);
}

int archive_add_file(struct archive_out *a, const char *name, const char *from, struct err *e)
{
	struct stat st;
	GUARD(fd) int fd = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return ERR(e, errno, "open '%s'", from);
	if (!S_ISREG(st.st_mode))
		return ERR(e, 0, "'%s' is no plain file", from);
	if (put_header(a, name, (uint64_t)st.st_size, e) < 0)
		return -1;
	GUARD(mem) char *chunk = mem_alloc(ARCHIVE_CHUNK);
	for (uint64_t left = (uint64_t)st.st_size; left > 0;) {
		ssize_t n = read(fd, chunk, left < ARCHIVE_CHUNK ? (size_t)left : ARCHIVE_CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR(e, n < 0 ? errno : 0, "read '%s'%s", from,
				   n == 0 ? ": it became shorter meanwhile" : "");
		if (put_data(a, chunk, (size_t)n, e) < 0)
			return -1;
		left -= (uint64_t)n;
	}
	return 0;
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int add_tree(struct archive_out *a, const char *name, const char *from, int depth,
		    struct err *e);

static int add_entry(struct archive_out *a, const char *name, const char *from, int depth,
		     struct err *e)
{
	struct stat st;
	if (lstat(from, &st) < 0)
		return ERR(e, errno, "look at '%s'", from);
	return S_ISDIR(st.st_mode) ? add_tree(a, name, from, depth + 1, e)
				   : archive_add_file(a, name, from, e);
}

static int add_tree(struct archive_out *a, const char *name, const char *from, int depth,
		    struct err *e)
{
	struct dirent **entries = NULL;
	if (depth > ARCHIVE_DEPTH_MAX)
		return ERR(e, ELOOP, "'%s': more than %d folders below each other", from,
			   ARCHIVE_DEPTH_MAX);
	int n = scandir(from, &entries, not_dots, alphasort), result = 0;
	if (n < 0)
		return ERR(e, errno, "list '%s'", from);
	for (int i = 0; i < n; i++) {
		const char *base = entries[i]->d_name;
		bool left_out = depth == 0 && a->but != NULL && strcmp(a->but, base) == 0;
		GUARD(mem) char *path = mem_printf("%s/%s", from, base);
		GUARD(mem) char *inside = mem_printf("%s/%s", name, base);
		if (result == 0 && !left_out)
			result = add_entry(a, inside, path, depth, e);
		free(entries[i]);
	}
	free(entries);
	return result;
}

int archive_add_tree(struct archive_out *a, const char *name, const char *from, const char *but,
		     struct err *e)
{
	a->but = but;
	return add_tree(a, name, from, 0, e);
}

static void free_out(struct archive_out *a)
{
	free(a->path);
	free(a->temp);
	free(a);
}

static int sync_file(const char *path, struct err *e)
{
	GUARD(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return ERR(e, errno, "write '%s' to disk", path);
	return 0;
}

int archive_finish(struct archive_out *a, struct err *e)
{
	int result = archive_write_close(a->tar) == ARCHIVE_OK ? 0 : refuse(a->tar, a->temp, e);
	if (result == 0)
		result = sync_file(a->temp, e);
	if (result == 0 && rename(a->temp, a->path) < 0)
		result = ERR(e, errno, "rename '%s' to '%s'", a->temp, a->path);
	if (result < 0) {
		archive_discard(a);
		return -1;
	}
	(void)archive_write_free(a->tar);
	free_out(a);
	return 0;
}

void archive_discard(struct archive_out *a)
{
	if (a == NULL)
		return;
	if (a->tar != NULL)
		(void)archive_write_free(a->tar);
	(void)unlink(a->temp);
	free_out(a);
}

/* ---- reading ---- */

struct reading {
	struct archive *tar;
	const char *path;
	int dirfd;
	uint64_t entries, bytes;
};

/* Every part a name of its own: not empty, no "." and no "..". */
static bool name_is_safe(const char *name)
{
	for (const char *p = name;;) {
		size_t len = strcspn(p, "/");
		if (len == 0 || (p[0] == '.' && (len == 1 || (len == 2 && p[1] == '.'))))
			return false;
		if (p[len] == '\0')
			return true;
		p += len + 1;
	}
}

/* All folders in here are ours: nothing leads out of them. */
static int make_folders(const struct reading *r, const char *name, struct err *e)
{
	GUARD(mem) char *part = mem_strdup(name);
	for (char *slash = strchr(part, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(r->dirfd, part, 0755) < 0 && errno != EEXIST)
			return ERR(e, errno, "make the folder '%s'", part);
		*slash = '/';
	}
	return 0;
}

static int write_data(struct reading *r, int fd, struct err *e)
{
	const void *data;
	size_t len;
	la_int64_t at;
	for (;;) {
		int rc = archive_read_data_block(r->tar, &data, &len, &at);
		if (rc == ARCHIVE_EOF)
			return 0;
		if (rc != ARCHIVE_OK)
			return refuse(r->tar, r->path, e);
		r->bytes += len;
		if (r->bytes > ARCHIVE_BYTES_MAX)
			return ERR(e, EFBIG, "'%s': more than %llu bytes of files", r->path,
				   (unsigned long long)ARCHIVE_BYTES_MAX);
		if (lseek(fd, at, SEEK_SET) < 0)
			return ERR(e, errno, "lseek");
		if (io_write_all(fd, data, len, e) < 0)
			return -1;
	}
}

static int extract_file(struct reading *r, struct archive_entry *entry, const char *name,
			struct err *e)
{
	if (make_folders(r, name, e) < 0)
		return -1;
	GUARD(fd)
	int fd = openat(r->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "'%s': unpack '%s'", r->path, name);
	if (write_data(r, fd, e) < 0)
		return err_prefix(e, "unpack '%s'", name);
	/* Behind the last block there may be a hole. */
	if (archive_entry_size_is_set(entry) && ftruncate(fd, archive_entry_size(entry)) < 0)
		return ERR(e, errno, "unpack '%s'", name);
	return 0;
}

static int extract_entry(struct reading *r, struct archive_entry *entry, struct err *e)
{
	const char *name = archive_entry_pathname(entry);
	const char *shown = name != NULL ? name : "(a name that cannot be read)";
	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s' is no bundle: '%s' is no plain file",
			      r->path, shown);
	if (name == NULL || !name_is_safe(name))
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "'%s' is no bundle: '%s' would lie outside of its folder", r->path,
			      shown);
	if (++r->entries > ARCHIVE_ENTRIES_MAX)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s': more than %d files", r->path,
			      ARCHIVE_ENTRIES_MAX);
	return extract_file(r, entry, name, e);
}

static int extract_all(struct reading *r, struct err *e)
{
	struct archive_entry *entry;
	for (;;) {
		int rc = archive_read_next_header(r->tar, &entry);
		if (rc == ARCHIVE_EOF)
			return 0;
		if (rc != ARCHIVE_OK)
			return refuse(r->tar, r->path, e);
		if (extract_entry(r, entry, e) < 0)
			return -1;
	}
}

int archive_extract(const char *path, const char *dir, struct err *e)
{
	GUARD(fd) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return ERR(e, errno, "open the folder '%s'", dir);
	struct reading r = { .tar = archive_read_new(), .path = path, .dirfd = dirfd };
	int result = 0;
	if (r.tar == NULL || archive_read_support_format_tar(r.tar) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(r.tar) != ARCHIVE_OK)
		result = ERR(e, 0, "libarchive reads no .tar.zst");
	else if (archive_read_open_filename(r.tar, path, ARCHIVE_CHUNK) != ARCHIVE_OK)
		result = ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s' is no bundle: %s", path,
				archive_error_string(r.tar));
	if (result == 0)
		result = extract_all(&r, e);
	if (r.tar != NULL)
		(void)archive_read_free(r.tar);
	return result;
}

/* ---- a tar of somebody else's ---- */

struct archive_in {
	struct archive *tar;
	struct archive_entry *entry;
	char *shown;
};

static int damaged(struct archive *a, const char *shown, struct err *e)
{
	const char *why = archive_error_string(a);
	return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s' is damaged, or no tar: %s", shown,
		      why != NULL ? why : "it cannot be read");
}

/* Not "all filters": some of libarchive's start programs. */
static int support(struct archive *a, int (*format)(struct archive *), struct err *e)
{
	if (a == NULL || format(a) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_support_filter_bzip2(a) != ARCHIVE_OK ||
	    archive_read_support_filter_xz(a) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(a) != ARCHIVE_OK)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0,
			      "this libarchive lacks tar, gzip, bzip2, xz or zstd");
	return 0;
}

int archive_open(struct archive_in **ret, int fd, const char *shown, struct err *e)
{
	struct archive_in *a = mem_alloc(sizeof(*a));
	a->shown = mem_strdup(shown);
	a->tar = archive_read_new();
	int result = support(a->tar, archive_read_support_format_tar, e);
	if (result == 0 && archive_read_open_fd(a->tar, fd, ARCHIVE_CHUNK) != ARCHIVE_OK)
		result = damaged(a->tar, shown, e);
	if (result < 0)
		archive_close(a);
	else
		*ret = a;
	return result;
}

void archive_close(struct archive_in *a)
{
	if (a == NULL)
		return;
	if (a->tar != NULL)
		(void)archive_read_free(a->tar);
	free(a->shown);
	free(a);
}

/* libarchive takes the file's end for the archive's. Behind the last entry a whole one has a
 * block of zeros, which is read before it says so. */
static int at_end(struct archive_in *a, struct err *e)
{
	if (archive_filter_bytes(a->tar, 0) > archive_read_header_position(a->tar))
		return 0;
	return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s' is cut short: it has no end mark", a->shown);
}

int archive_next(struct archive_in *a, struct archive_item *ret, struct err *e)
{
	int rc = archive_read_next_header(a->tar, &a->entry);
	if (rc == ARCHIVE_EOF)
		return at_end(a, e);
	/* A warning is a name that this locale has not: its bytes are what we want. */
	if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
		return damaged(a->tar, a->shown, e);
	struct archive_entry *n = a->entry;
	const char *name = archive_entry_pathname(n), *hard = archive_entry_hardlink(n);
	const char *link = hard != NULL ? hard : archive_entry_symlink(n);
	*ret = (struct archive_item){
		.name = name != NULL ? name : archive_entry_pathname_utf8(n),
		.hard = hard != NULL || archive_entry_hardlink_utf8(n) != NULL,
		.has_acl = archive_entry_acl_types(n) != 0,
		.mode = archive_entry_mode(n),
		.uid = (uid_t)archive_entry_uid(n),
		.gid = (gid_t)archive_entry_gid(n),
		.mtime = { archive_entry_mtime(n), archive_entry_mtime_nsec(n) },
	};
	ret->link = link != NULL ? link
		    : ret->hard  ? archive_entry_hardlink_utf8(n)
				 : archive_entry_symlink_utf8(n);
	la_int64_t size = archive_entry_size(n);
	if (ret->name == NULL || size < 0 || ((ret->hard || S_ISLNK(ret->mode)) && !ret->link))
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "'%s' has an entry whose name or size cannot be read", a->shown);
	ret->size = (uint64_t)size;
	(void)archive_entry_xattr_reset(n);
	return 1;
}

int archive_data(struct archive_in *a, int fd, uint64_t max, struct err *e)
{
	const void *data;
	size_t len;
	la_int64_t at;
	for (;;) {
		int rc = archive_read_data_block(a->tar, &data, &len, &at);
		if (rc == ARCHIVE_EOF)
			break;
		if (rc != ARCHIVE_OK)
			return damaged(a->tar, a->shown, e);
		if (at < 0 || (uint64_t)at > max || len > max - (uint64_t)at)
			return ERR_AS(e, EXIT_BAD_SCENARIO, EFBIG, "'%s'", a->shown);
		if (lseek(fd, at, SEEK_SET) < 0)
			return ERR(e, errno, "lseek");
		if (io_write_all(fd, data, len, e) < 0)
			return -1;
	}
	/* Behind the last block there may be a hole. */
	if (ftruncate(fd, archive_entry_size(a->entry)) < 0)
		return ERR(e, errno, "set a file's size");
	return 0;
}

bool archive_xattr(struct archive_in *a, const char **name, const void **value, size_t *len)
{
	return archive_entry_xattr_next(a->entry, name, value, len) == ARCHIVE_OK;
}

static int pour(struct archive *a, const char *shown, const struct archive_sink *sink,
		struct err *e)
{
	struct archive_entry *entry;
	GUARD(mem) char *chunk = mem_alloc(ARCHIVE_CHUNK);
	uint64_t total = 0;
	if (archive_read_next_header(a, &entry) != ARCHIVE_OK)
		return damaged(a, shown, e);
	for (;;) {
		la_ssize_t n = archive_read_data(a, chunk, ARCHIVE_CHUNK);
		if (n == 0)
			return 0;
		if (n < 0)
			return damaged(a, shown, e);
		total += (uint64_t)n;
		if (total > sink->max)
			return ERR_AS(e, EXIT_BAD_SCENARIO, EFBIG, "'%s'", shown);
		if (sink->see != NULL)
			sink->see(sink->arg, chunk, (size_t)n);
		if (io_write_all(sink->to, chunk, (size_t)n, e) < 0)
			return -1;
	}
}

int archive_unpacked(int fd, const char *shown, const struct archive_sink *sink, struct err *e)
{
	struct archive *a = archive_read_new();
	int result = support(a, archive_read_support_format_raw, e);
	if (result == 0 && archive_read_open_fd(a, fd, ARCHIVE_CHUNK) != ARCHIVE_OK)
		result = damaged(a, shown, e);
	if (result == 0)
		result = pour(a, shown, sink, e);
	if (a != NULL)
		(void)archive_read_free(a);
	return result;
}
