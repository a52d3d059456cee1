/* SPDX-License-Identifier: MIT */
/* What counts as the same entry of residue in the groups of a sweep; the rule is in sweep.h. */
#include "harness/model/sweep.h"

#include <ctype.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"

/* mktemp(3) draws six at least; what is told by a sign in front of it may be longer. */
enum { DRAWN_LEN = 6, DRAWN_LEN_MAX = 16, DRAWN_TURNS = 2 };

/* Endings of what updaters and editors leave beside the file that they meant to replace. */
static const char *const leftovers[] = {
	".dpkg-new", ".dpkg-tmp", ".dpkg-dist", ".dpkg-old", ".dpkg-bak", ".ucf-new", ".ucf-dist",
	".ucf-old",  ".rpmnew",   ".rpmsave",   ".rpmorig",  ".bak",      ".orig",    ".old",
	".new",      ".tmp",      ".temp",      ".part",     ".swp",      ".lock",    "~",
};

/* ---- drawn names ---- */

enum sort { SORT_SMALL, SORT_CAPITAL, SORT_DIGIT };

static enum sort sort_of(char c)
{
	return isupper((unsigned char)c)   ? SORT_CAPITAL
	       : isdigit((unsigned char)c) ? SORT_DIGIT
					   : SORT_SMALL;
}

/* Words have a capital in front or digits behind; what is drawn changes all the time. */
static bool looks_drawn(const char *last, size_t len)
{
	unsigned turns = 0;
	bool capital = sort_of(last[0]) == SORT_CAPITAL;
	for (size_t i = 1; i < len; i++) {
		turns += sort_of(last[i]) != sort_of(last[i - 1]);
		capital |= sort_of(last[i]) == SORT_CAPITAL;
	}
	return capital && turns >= DRAWN_TURNS;
}

static bool is_sign(char c)
{
	return c == '.' || c == '-' || c == '_';
}

const char *sweep_plain_names(struct arena *arena, const char *text)
{
	GUARD_BUF struct buf out = { 0 };
	const char *p = text;
	while (*p != '\0') {
		size_t run = 0;
		while (isalnum((unsigned char)p[run]))
			run++;
		if (run < DRAWN_LEN || !looks_drawn(p + run - DRAWN_LEN, DRAWN_LEN)) {
			run += p[run] != '\0';
			buf_add(&out, p, run);
		} else {
			bool all = p > text && is_sign(p[-1]) && run <= DRAWN_LEN_MAX;
			buf_add(&out, p, all ? 0 : run - DRAWN_LEN);
			buf_putc(&out, '*');
		}
		p += run;
	}
	return arena_strdup(arena, buf_str(&out));
}

/* ---- where a file lies ---- */

static const char *leftover_ending(const char *path)
{
	size_t len = strlen(path);
	for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
		size_t ending = strlen(leftovers[i]);
		if (len > ending && strcmp(path + len - ending, leftovers[i]) == 0)
			return leftovers[i];
	}
	return NULL;
}

static bool is_folder(const struct change *c)
{
	for (size_t i = 0; i < c->attr_count; i++) {
		const struct change_attr *a = &c->attrs[i];
		const char *value = a->after != NULL ? a->after : a->before;
		if (strcmp(a->name, "type") == 0)
			return value != NULL && strcmp(value, "dir") == 0;
	}
	return false;
}

static bool below(const char *path, const char *folder)
{
	size_t len = strlen(folder);
	return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* How many folders of a path say where it is. */
static unsigned depth_of(const struct change *c)
{
	if (c->owner != NULL || below(c->key, "/usr"))
		return 1;
	return below(c->key, "/var") ? 3 : 2;
}

/* The first `depth` folders; a name that is no folder is none. */
static size_t folder_len(const char *path, unsigned depth, bool folder)
{
	size_t len = 0;
	while (depth-- > 0 && path[len] == '/') {
		const char *next = strchr(path + len + 1, '/');
		if (next == NULL)
			return folder ? strlen(path) : len;
		len = (size_t)(next - path);
	}
	return len;
}

static void put_place(struct arena *arena, struct buf *out, const struct change *c)
{
	const char *ending = leftover_ending(c->key);
	if (ending != NULL) {
		buf_printf(out, "*%s", ending);
		return;
	}
	size_t len = folder_len(c->key, depth_of(c), is_folder(c));
	const char *folder = len > 0 ? arena_strndup(arena, c->key, len) : "/";
	if (c->owner != NULL)
		buf_printf(out, "of %s, ", c->owner);
	buf_printf(out, "below %s", sweep_plain_names(arena, folder));
}

/* ---- how it differs ---- */

static const char *attr_word(const struct change_attr *a)
{
	if (strcmp(a->name, "size") == 0 && a->after != NULL && strcmp(a->after, "0") == 0)
		return "emptied";
	if (strcmp(a->name, "size") == 0 || strcmp(a->name, "xxh3") == 0)
		return "content";
	return a->name;
}

static bool has_word(const struct change *c, size_t until, const char *word)
{
	for (size_t i = 0; i < until; i++)
		if (strcmp(attr_word(&c->attrs[i]), word) == 0)
			return true;
	return false;
}

static void put_attrs(struct buf *out, const struct change *c)
{
	const char *sep = ": ";
	bool emptied = has_word(c, c->attr_count, "emptied");
	for (size_t i = 0; i < c->attr_count; i++) {
		const struct change_attr *a = &c->attrs[i];
		const char *word = attr_word(a);
		if (has_word(c, i, word) || (emptied && strcmp(word, "content") == 0))
			continue;
		buf_printf(out, "%s%s", sep, word);
		if (c->kind == STATE_PACKAGE && strcmp(a->name, "status") == 0)
			buf_printf(out, " %s", a->after != NULL ? a->after : "(none)");
		sep = ", ";
	}
}

const char *sweep_pattern(struct arena *arena, const struct change *c)
{
	static const char marks[] = {
		[CHANGE_ADDED] = '+', [CHANGE_REMOVED] = '-', [CHANGE_CHANGED] = '~'
	};
	GUARD_BUF struct buf out = { 0 };
	buf_printf(&out, "%c %s %s ", marks[c->what], c->node, state_kind_name(c->kind));
	if (c->kind == STATE_FILE)
		put_place(arena, &out, c);
	else
		buf_puts(&out, sweep_plain_names(arena, c->key));
	if (c->what == CHANGE_CHANGED)
		put_attrs(&out, c);
	return arena_strdup(arena, buf_str(&out));
}
