/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/capture_delta.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
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
static bool touches_lists(const char *path)
{
	static const char *const starts[] = { "/bin", "/sbin", "/lib" };
	size_t len = strlen(CAPTURE_LISTS);
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (strncmp(path, starts[i], strlen(starts[i])) == 0 &&
		    strchr(path + 1, '/') == NULL)
			return true;
	return strncmp(path, CAPTURE_LISTS, len) == 0 && path[len] == '/';
}

static void hide_below(struct delta *d, const char *path)
{
	GUARD_BUF struct buf prefix = { 0 };
	buf_puts(&prefix, path);
	buf_putc(&prefix, '/');
	path_list_add(&d->hidden, DT_DIR, buf_str(&prefix));
	d->owners_moved |= strncmp(CAPTURE_LISTS "/", prefix.data, prefix.len) == 0;
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

static int see_upper(void *arg, const struct tree_entry *at, struct err *e)
{
	struct scan *s = arg;
	unsigned char type = (unsigned char)IFTODT(at->st.st_mode);
	if (is_covered(at->path))
		return 0;
	s->d->owners_moved |= touches_lists(at->path);
	if (S_ISCHR(at->st.st_mode) && at->st.st_rdev == 0)
		type = DT_WHT;
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

static void copy_line(struct capture *c, const struct base_line *l,
		      const struct dpkg_owners *owners)
{
	if (owners == NULL || l->is_dir) {
		buf_add(&c->out, l->text, l->len);
		return;
	}
	const char *owner = dpkg_owner(owners, l->path);
	buf_add(&c->out, l->text, l->owner != 0 ? l->owner : l->len - 2);
	if (owner != NULL)
		state_line_str(&c->out, "@owner", owner);
	state_line_end(&c->out);
}

int delta_copy_until(struct delta *d, struct capture *c, const struct dpkg_owners *owners,
		     const char *path, struct err *e)
{
	for (; d->next < d->base->count; d->next++) {
		const struct base_line *l = &d->base->lines[d->next];
		int order = path == NULL ? -1 : strcmp(l->path, path);
		if (order >= 0) {
			d->next += order == 0;
			return 0;
		}
		if (is_hidden(d, l->path))
			continue;
		copy_line(c, l, d->owners_moved ? owners : NULL);
		if (capture_line(c, e) < 0)
			return -1;
	}
	return 0;
}
