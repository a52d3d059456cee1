/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/capture_delta.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/base/tree.h"
#include "harness/sandbox/upper_internal.h"
#include "harness/sandbox/xattrs.h"

/* ---- what the upper folder says ---- */

struct folder_marks {
	bool opaque, redirect;
};

static int read_mark(void *arg, const char *name, const struct buf *value, struct err *e)
{
	struct folder_marks *m = arg;
	(void)e;
	m->opaque |= strcmp(name, "trusted.overlay.opaque") == 0 && value->len == 1 &&
		     value->data[0] == 'y';
	m->redirect |= strcmp(name, "trusted.overlay.redirect") == 0;
	return 0;
}

struct scan {
	struct delta *d;
	bool redirected;
};

/* Links of the root that a merged /usr leads through count when paths are compared with lists. */
static bool moves_owners(const char *path)
{
	static const char *const starts[] = { "/bin", "/sbin", "/lib" };
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (strncmp(path, starts[i], strlen(starts[i])) == 0 &&
		    strchr(path + 1, '/') == NULL)
			return true;
	return false;
}

static void note_list(struct delta *d, unsigned char type, const char *path)
{
	size_t len = strlen(DPKG_LISTS);
	if (strncmp(path, DPKG_LISTS, len) != 0 || path[len] != '/')
		return;
	if (strchr(path + len + 1, '/') == NULL && dpkg_is_list(path + len + 1))
		path_list_add(&d->lists, type, path + len + 1);
}

static void hide_below(struct delta *d, const char *path)
{
	GUARD_BUF struct buf prefix = { 0 };
	buf_puts(&prefix, path);
	buf_putc(&prefix, '/');
	path_list_add(&d->hidden, DT_DIR, buf_str(&prefix));
	d->owners_moved |= strncmp(DPKG_LISTS "/", prefix.data, prefix.len) == 0;
}

/* The kernel's own file systems lie over these; what is below them in the upper does not show. */
static bool is_covered(const char *path)
{
	static const char *const covers[] = { "/proc", "/sys", "/dev", "/run", "/tmp" };
	size_t len = strcspn(path + 1, "/") + 1;
	for (size_t i = 0; i < sizeof(covers) / sizeof(covers[0]); i++)
		if (strlen(covers[i]) == len && strncmp(path, covers[i], len) == 0)
			return true;
	return false;
}

static bool below_deep(const char *path)
{
	const char *slash = strrchr(path, '/');
	GUARD(mem) char *folder = mem_printf("%.*s", (int)(slash - path), path);
	return path_is_deep(folder);
}

static int see_upper(void *arg, const struct tree_entry *at, struct err *e)
{
	struct scan *s = arg;
	unsigned char type = (unsigned char)IFTODT(at->st.st_mode);
	if (is_covered(at->path) || below_deep(at->path))
		return 0;
	s->d->owners_moved |= moves_owners(at->path);
	if (S_ISCHR(at->st.st_mode) && at->st.st_rdev == 0)
		type = DT_WHT;
	note_list(s->d, type, at->path);
	path_list_add(&s->d->paths, type, at->path);
	if (type != DT_DIR) {
		hide_below(s->d, at->path);
		return 0;
	}
	struct folder_marks marks = { 0 };
	if (xattrs_each(at->dirfd, at->name, read_mark, &marks, e) < 0)
		return -1;
	s->redirected |= marks.redirect;
	if (marks.opaque)
		hide_below(s->d, at->path);
	return 0;
}

static int scan_upper(struct delta *d, const struct node *n, struct err *e)
{
	struct scan s = { .d = d };
	const struct tree_visitor v = { .enter = see_upper, .arg = &s };
	int fd = upper_open(n, "upper", e);
	if (fd < 0 || tree_walk(fd, "", &v, e) < 0)
		return -1;
	return s.redirected ? 0 : 1;
}

static int mounts_changed(const struct node *n, struct err *e)
{
	struct upper_mounts m;
	if (upper_mounts(n, &m, e) < 0)
		return -1;
	buf_free(&m.others);
	return m.changed;
}

/* Folders inside of hidden ones go: then the last one not after a path decides about it. */
static void flatten(struct path_list *hidden)
{
	size_t kept = 0;
	path_list_sort(hidden);
	for (size_t i = 0; i < hidden->count; i++) {
		const char *this = hidden->text + hidden->items[i] + 1;
		const char *last = kept > 0 ? hidden->text + hidden->items[kept - 1] + 1 : NULL;
		if (last == NULL || strncmp(this, last, strlen(last)) != 0)
			hidden->items[kept++] = hidden->items[i];
	}
	hidden->count = kept;
}

int delta_open(struct delta *d, const struct capture_base *base, const struct node *n,
	       struct err *e)
{
	*d = (struct delta){ .base = base, .owners_moved = base->odd_lists };
	int changed = mounts_changed(n, e);
	if (changed != 0)
		return changed < 0 ? -1 : 0;
	if (path_list_read(node_root_fd(n), PATHS_MEMORY, &d->paths, e) < 0)
		return -1;
	int ret = scan_upper(d, n, e);
	if (ret <= 0)
		return ret;
	path_list_add(&d->paths, DT_DIR, "/");
	for (size_t i = 0; i < base->count; i++)
		if (base->lines[i].moves)
			path_list_add(&d->paths, base->lines[i].is_file ? DT_REG : DT_UNKNOWN,
				      base->lines[i].path);
	path_list_sort(&d->paths);
	flatten(&d->hidden);
	return 1;
}

void delta_close(struct delta *d)
{
	path_list_free(&d->paths);
	path_list_free(&d->hidden);
	path_list_free(&d->lists);
}

int delta_owners(const struct delta *d, const struct node *n, struct dpkg_owners **ret,
		 struct err *e)
{
	*ret = NULL;
	if (d->owners_moved)
		return dpkg_owners_read(node_root_fd(n), ret, e);
	if (d->lists.count == 0)
		return 0;
	const char **files = mem_array(d->lists.count, sizeof(*files));
	for (size_t i = 0; i < d->lists.count; i++)
		files[i] = d->lists.text + d->lists.items[i] + 1;
	int result =
		dpkg_owners_patch(d->base->owners, node_root_fd(n), files, d->lists.count, ret, e);
	free(files);
	return result;
}

/* ---- merging ---- */

static bool is_hidden(struct delta *d, const char *path)
{
	const struct path_list *h = &d->hidden;
	while (d->next_hidden + 1 < h->count &&
	       strcmp(h->text + h->items[d->next_hidden + 1] + 1, path) <= 0)
		d->next_hidden++;
	if (h->count == 0)
		return false;
	const char *prefix = h->text + h->items[d->next_hidden] + 1;
	return strncmp(path, prefix, strlen(prefix)) == 0;
}

/* With the owner it has now. */
static void copy_line(struct capture *c, const struct base_line *l,
		      const struct dpkg_owners *owners)
{
	const char *owner = l->is_dir ? NULL : dpkg_owner(owners, l->path);
	buf_add(&c->out, l->text, l->owner != 0 ? l->owner : l->len - 2);
	if (owner != NULL)
		state_line_str(&c->out, "@owner", owner);
	state_line_end(&c->out);
}

/* The line is in the node as it is in the image. */
static bool is_same(const struct delta *d, const struct base_line *l,
		    const struct dpkg_owners *owners)
{
	return owners == NULL || l->is_dir ||
	       (!d->owners_moved && !dpkg_owners_moved(owners, l->hash));
}

/* The first line, from the next on, that does not stand before `path`. */
static size_t find_line(const struct delta *d, const char *path)
{
	size_t lo = d->next, hi = d->base->count;
	while (path != NULL && lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (strcmp(d->base->lines[mid].path, path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return path != NULL ? lo : hi;
}

/* Lines that stand one behind the other in the image's text are copied at once. */
static int copy_run(struct capture *c, const struct base_line *first, size_t count, struct err *e)
{
	if (count == 0)
		return 0;
	const struct base_line *last = first + count - 1;
	buf_add(&c->out, first->text, (size_t)(last->text + last->len - first->text));
	c->entries += count - 1;
	return capture_line(c, e);
}

int delta_copy_until(struct delta *d, struct capture *c, const struct dpkg_owners *owners,
		     const char *path, struct err *e)
{
	const struct base_line *lines = d->base->lines;
	size_t end = find_line(d, path), run = d->next;
	for (size_t i = d->next; i < end; i++) {
		bool hidden = is_hidden(d, lines[i].path);
		if (!hidden && is_same(d, &lines[i], owners))
			continue;
		if (copy_run(c, &lines[run], i - run, e) < 0)
			return -1;
		run = i + 1;
		if (hidden)
			continue;
		copy_line(c, &lines[i], owners);
		if (capture_line(c, e) < 0)
			return -1;
	}
	d->next =
		end + (path != NULL && end < d->base->count && strcmp(lines[end].path, path) == 0);
	return copy_run(c, &lines[run], end - run, e);
}
