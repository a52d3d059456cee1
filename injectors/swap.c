/* SPDX-License-Identifier: MIT */
#include "injectors/swap.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "harness/base/guard.h"
#include "harness/base/hash.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "injectors/walk.h"

enum { COPY_CHUNK = 64 << 10 /* bytes */ };

struct side {
	mode_t mode; /* 0: there is no such file */
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
	char hash[HASH_TEXT]; /* regular files: of the content; links: of the target */
	char *copy;           /* on this host; NULL: not copied */
};

struct item {
	char *path; /* inside the node */
	bool plain; /* no hard links, no extended attributes */
	struct side side[SWAP_SIDES];
};

struct swap {
	const struct node *node;
	char *folder, *deb, *dir;
	struct item *items;
	size_t count, cap;
	uint64_t copied; /* bytes */
	enum swap_side scanning;
	const char *deb_copy;
	struct timespec folder_mtime;
	size_t hint; /* where the last look-up ended: both scans go the same way */
};

static bool differs(const struct item *i)
{
	const struct side *a = &i->side[SWAP_ORIGINAL], *b = &i->side[SWAP_ALTERED];
	if (a->mode == 0 || b->mode == 0)
		return a->mode != b->mode;
	return a->mode != b->mode || a->uid != b->uid || a->gid != b->gid ||
	       strcmp(a->hash, b->hash) != 0;
}

static struct item *find_item(struct swap *s, const char *path)
{
	for (size_t k = 0; k < s->count; k++) {
		size_t i = (s->hint + k) % s->count;
		if (strcmp(s->items[i].path, path) == 0) {
			s->hint = i + 1;
			return &s->items[i];
		}
	}
	return NULL;
}

static struct item *add_item(struct swap *s, const char *path)
{
	if (s->count == s->cap) {
		s->cap = s->cap == 0 ? 64 : s->cap * 2;
		s->items = mem_grow(s->items, s->cap, sizeof(*s->items));
	}
	struct item *i = &s->items[s->count++];
	*i = (struct item){ .path = mem_strdup(path), .plain = true };
	return i;
}

static int copy_all(int in, int out, uint64_t *total, struct err *e)
{
	char chunk[COPY_CHUNK];
	for (;;) {
		ssize_t n = read(in, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR(e, errno, "read a file of a node");
		if (n == 0)
			return 0;
		if (total != NULL && (*total += (uint64_t)n) > SWAP_COPY_MAX)
			return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
				      "the index's folder is larger than %d MiB",
				      SWAP_COPY_MAX >> 20);
		if (io_write_all(out, chunk, (size_t)n, e) < 0)
			return -1;
	}
}

static int save_copy(struct swap *s, struct item *i, int fd, struct err *e)
{
	static const char *const suffix[] = { "original", "altered" };
	GUARD(mem)
	char *copy = mem_printf("%s/%zu.%s", s->dir, (size_t)(i - s->items), suffix[s->scanning]);
	GUARD(fd) int out = open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0)
		return ERR(e, errno, "create %s", copy);
	if (lseek(fd, 0, SEEK_SET) < 0 || copy_all(fd, out, &s->copied, e) < 0)
		return ERR(e, errno, "copy %s to %s", i->path, copy);
	i->side[s->scanning].copy = take_ptr(&copy);
	return 0;
}

static bool is_other_package(const struct swap *s, const char *path)
{
	size_t len = strlen(path);
	return len > 4 && strcmp(path + len - 4, ".deb") == 0 && strcmp(path, s->deb) != 0;
}

static int scan_regular(struct swap *s, struct item *i, const struct tree_entry *w, struct err *e)
{
	struct side *side = &i->side[s->scanning];
	GUARD(fd) int fd = openat(w->dirfd, w->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return ERR(e, errno, "open %s", w->path);
	if (hash_fd(fd, w->path, side->hash, e) < 0)
		return -1;
	i->plain = i->plain && w->st.st_nlink == 1 && flistxattr(fd, NULL, 0) <= 0;
	bool wanted = s->scanning == SWAP_ORIGINAL ? !is_other_package(s, w->path) : differs(i);
	return wanted ? save_copy(s, i, fd, e) : 0;
}

static int scan_link(struct side *side, const struct tree_entry *w, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(w->dirfd, w->name, target, sizeof(target));
	if (n < 0)
		return ERR(e, errno, "read the link %s", w->path);
	hash_text(target, (size_t)n, side->hash);
	return 0;
}

static int scan_entry(void *arg, const struct tree_entry *w, struct err *e)
{
	struct swap *s = arg;
	struct item *i = s->scanning == SWAP_ORIGINAL ? NULL : find_item(s, w->path);
	if (i == NULL)
		i = add_item(s, w->path);
	if (s->count > SWAP_FILES_MAX)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "%s: more than %d files", s->folder,
			      SWAP_FILES_MAX);
	struct side *side = &i->side[s->scanning];
	side->mode = w->st.st_mode;
	side->uid = w->st.st_uid;
	side->gid = w->st.st_gid;
	side->mtime = w->st.st_mtim;
	if (S_ISREG(w->st.st_mode))
		return scan_regular(s, i, w, e);
	return S_ISLNK(w->st.st_mode) ? scan_link(side, w, e) : 0;
}

static int scan_folder(struct swap *s, struct err *e)
{
	const struct tree_visitor v = { .enter = scan_entry, .arg = s };
	return walk_tree(s->node, s->folder, &v, e);
}

/* Copies a saved file into the node under another name and renames it. */
static int write_file(const struct swap *s, const struct item *i, const struct side *to,
		      const struct timespec *mtime, struct err *e)
{
	static const char temp[] = ".backout-swap";
	const char *name;
	GUARD(fd) int dir = walk_open_parent(s->node, i->path, &name, e);
	if (dir < 0)
		return -1;
	GUARD(fd) int in = open(to->copy, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return ERR(e, errno, "open %s", to->copy);
	(void)unlinkat(dir, temp, 0);
	GUARD(fd) int out = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return ERR(e, errno, "create a file beside %s", i->path);
	const struct timespec times[2] = { *mtime, *mtime };
	if (copy_all(in, out, NULL, e) < 0 || fchown(out, to->uid, to->gid) < 0 ||
	    fchmod(out, to->mode & 07777) < 0 || futimens(out, times) < 0 ||
	    renameat(dir, temp, dir, name) < 0) {
		int code = errno;
		(void)unlinkat(dir, temp, 0);
		return ERR(e, code, "replace %s in node %s", i->path, node_name(s->node));
	}
	return 0;
}

static int remove_file(const struct swap *s, const struct item *i, struct err *e)
{
	const char *name;
	GUARD(fd) int dir = walk_open_parent(s->node, i->path, &name, e);
	if (dir < 0)
		return -1;
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return ERR(e, errno, "remove %s in node %s", i->path, node_name(s->node));
	return 0;
}

static int apply(struct swap *s, enum swap_side side, int seconds_newer, struct err *e)
{
	for (size_t n = 0; n < s->count; n++) {
		const struct item *i = &s->items[n];
		const struct side *to = &i->side[side];
		if (!differs(i))
			continue;
		struct timespec mtime = i->side[SWAP_ORIGINAL].mtime;
		if (i->side[SWAP_ORIGINAL].mode == 0)
			mtime = to->mtime;
		mtime.tv_sec += seconds_newer;
		if ((to->mode == 0 ? remove_file(s, i, e) : write_file(s, i, to, &mtime, e)) < 0)
			return -1;
	}
	return 0;
}

int swap_apply(struct swap *s, enum swap_side side, struct err *e)
{
	return apply(s, side, side == SWAP_ALTERED ? 1 : 2, e);
}

static int verify_item(const struct swap *s, const struct item *i, const struct side *want,
		       struct err *e)
{
	GUARD(fd) int fd = walk_open(s->node, i->path, O_RDONLY | O_NOFOLLOW);
	if (want->mode == 0) {
		if (fd < 0 && errno == ENOENT)
			return 0;
		return ERR(e, 0, "%s is there, and should not be", i->path);
	}
	struct stat st;
	char hash[HASH_TEXT];
	if (fd < 0 || fstat(fd, &st) < 0)
		return ERR(e, errno, "open %s", i->path);
	if (hash_fd(fd, i->path, hash, e) < 0)
		return -1;
	if (strcmp(hash, want->hash) != 0)
		return ERR(e, 0, "%s does not hold what it should", i->path);
	if (st.st_mode != want->mode || st.st_uid != want->uid || st.st_gid != want->gid)
		return ERR(e, 0, "%s has another mode or owner than it should", i->path);
	return 0;
}

int swap_verify(struct swap *s, enum swap_side side, struct err *e)
{
	for (size_t n = 0; n < s->count; n++) {
		const struct item *i = &s->items[n];
		if (differs(i) && verify_item(s, i, &i->side[side], e) < 0)
			return -1;
	}
	return 0;
}

/* Only plain files may differ. */
static int refuse_others(const struct swap *s, struct err *e)
{
	for (size_t n = 0; n < s->count; n++) {
		const struct item *i = &s->items[n];
		const struct side *a = &i->side[SWAP_ORIGINAL], *b = &i->side[SWAP_ALTERED];
		if (!differs(i))
			continue;
		if ((a->mode != 0 && !S_ISREG(a->mode)) || (b->mode != 0 && !S_ISREG(b->mode)))
			return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
				      "'reindex' changes %s, which is no regular file", i->path);
		if (!i->plain)
			return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
				      "%s has hard links or extended attributes", i->path);
		if (a->mode != 0 && a->copy == NULL)
			return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
				      "'reindex' changes %s, another package", i->path);
	}
	return 0;
}

/* A rename changes a folder's times; 'reindex' may have written a file anew with the same bytes. */
static int restore_times(const struct swap *s, struct err *e)
{
	for (size_t n = 0; n <= s->count; n++) {
		const struct item *i = n < s->count ? &s->items[n] : NULL;
		mode_t mode = i != NULL ? i->side[SWAP_ORIGINAL].mode : S_IFDIR;
		if (!S_ISDIR(mode) && !S_ISREG(mode))
			continue;
		const char *path = i != NULL ? i->path : s->folder;
		struct timespec t = i != NULL ? i->side[SWAP_ORIGINAL].mtime : s->folder_mtime;
		const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, t };
		int flags = i != NULL ? O_RDONLY | O_NOFOLLOW : O_RDONLY;
		GUARD(fd) int fd = walk_open(s->node, path, flags);
		if (fd < 0 || futimens(fd, times) < 0)
			return ERR(e, errno, "restore the times of %s", path);
	}
	return 0;
}

static char *make_dir(const char *work_dir, struct err *e)
{
	GUARD(mem) char *dir = mem_printf("%s/swap-XXXXXX", work_dir);
	if (mkdtemp(dir) == NULL) {
		(void)ERR(e, errno, "make a folder in %s", work_dir);
		return NULL;
	}
	return take_ptr(&dir);
}

static int scan_original(struct swap *s, struct err *e)
{
	struct stat st;
	GUARD(fd) int fd = walk_open(s->node, s->folder, O_RDONLY | O_DIRECTORY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "open the folder %s in node %s",
			      s->folder, node_name(s->node));
	s->folder_mtime = st.st_mtim;
	if (scan_folder(s, e) < 0)
		return -1;
	const struct item *deb = find_item(s, s->deb);
	if (deb == NULL || deb->side[SWAP_ORIGINAL].copy == NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "%s is not below the folder %s", s->deb,
			      s->folder);
	s->deb_copy = deb->side[SWAP_ORIGINAL].copy;
	return 0;
}

int swap_begin(struct swap **ret, const struct node *n, const char *folder, const char *deb,
	       const char *work_dir, struct err *e)
{
	struct swap *s = mem_alloc(sizeof(*s));
	size_t len = strlen(folder);
	while (len > 1 && folder[len - 1] == '/')
		len--;
	s->node = n;
	s->folder = mem_printf("%.*s", (int)len, folder);
	s->deb = mem_strdup(deb);
	s->dir = make_dir(work_dir, e);
	if (s->dir == NULL || scan_original(s, e) < 0) {
		swap_free(s);
		return -1;
	}
	*ret = s;
	return 0;
}

int swap_put(struct swap *s, const char *path, const char *from, struct err *e)
{
	struct item *i = find_item(s, path);
	assert(i != NULL);
	struct side to = i->side[SWAP_ORIGINAL];
	GUARD(mem) char *copy = mem_strdup(from);
	to.copy = copy;
	struct timespec mtime = to.mtime;
	mtime.tv_sec++;
	return write_file(s, i, &to, &mtime, e);
}

int swap_prepared(struct swap *s, struct err *e)
{
	s->scanning = SWAP_ALTERED;
	if (scan_folder(s, e) < 0 || refuse_others(s, e) < 0)
		return -1;
	if (apply(s, SWAP_ORIGINAL, 0, e) < 0 || restore_times(s, e) < 0)
		return -1;
	return swap_verify(s, SWAP_ORIGINAL, e);
}

size_t swap_changed(const struct swap *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->count; i++)
		n += differs(&s->items[i]);
	return n;
}

const char *swap_dir(const struct swap *s)
{
	return s->dir;
}

const char *swap_deb_copy(const struct swap *s)
{
	return s->deb_copy;
}

void swap_free(struct swap *s)
{
	if (s == NULL)
		return;
	struct err unused = { 0 };
	if (s->dir != NULL)
		(void)io_remove_tree(AT_FDCWD, s->dir, &unused);
	for (size_t i = 0; i < s->count; i++) {
		free(s->items[i].path);
		free(s->items[i].side[SWAP_ORIGINAL].copy);
		free(s->items[i].side[SWAP_ALTERED].copy);
	}
	free(s->items);
	free(s->folder);
	free(s->deb);
	free(s->dir);
	free(s);
}

char *swap_index_folder(const struct node *n, const char *deb)
{
	static const char *const index[] = { "dists", "Packages", "Release" };
	const char *slash = strrchr(deb, '/');
	size_t own = slash != NULL && slash != deb ? (size_t)(slash - deb) : 0;
	for (size_t len = own; len > 0;) {
		for (size_t i = 0; i < sizeof(index) / sizeof(index[0]); i++) {
			GUARD(mem) char *path = mem_printf("%.*s/%s", (int)len, deb, index[i]);
			GUARD(fd) int fd = walk_open(n, path, O_PATH);
			if (fd >= 0)
				return mem_printf("%.*s", (int)len, deb);
		}
		while (len > 0 && deb[--len] != '/')
			;
	}
	return own > 0 ? mem_printf("%.*s", (int)own, deb) : mem_strdup("/");
}
