/* SPDX-License-Identifier: MIT */
#include "harness/model/state_delta.h"

#include <stdio.h>
#include <string.h>

#include "harness/model/json.h"
#include "harness/model/state_line.h"

static const char head[] = "{\"delta_of\":";
enum {
	HEAD_LEN = sizeof(head) - 1,
	ARENA_LINES = 4096 /* keys read before memory is given back */
};

struct reading {
	const char *at, *end; /* not yet passed */
	struct arena *arena;
	size_t keys;
};

static struct reading reading_of(struct state_text t)
{
	return (struct reading){ t.data, t.data + t.len, arena_create(), 0 };
}

/* Length of the line at `p` without its newline. */
static size_t line_len(const char *p, const char *end)
{
	const char *stop = memchr(p, '\n', (size_t)(end - p));
	return (size_t)((stop != NULL ? stop : end) - p);
}

/* The key is valid until the next one of this text is read. */
static int key_at(struct reading *r, const char *p, struct state_entry *ret, struct err *e)
{
	if (++r->keys % ARENA_LINES == 0) {
		arena_destroy(r->arena);
		r->arena = arena_create();
	}
	if (!state_line_key(r->arena, p, line_len(p, r->end), ret))
		return ERR(e, 0, "a fingerprint's line cannot be read: %.*s",
			   (int)(line_len(p, r->end) < 80 ? line_len(p, r->end) : 80), p);
	return 0;
}

static int order_of(const struct state_entry *a, const struct state_entry *b)
{
	return state_order(a->kind, a->key, b->kind, b->key);
}

/* ---- writing ---- */

static void put_removed(const struct state_entry *entry, struct buf *ret)
{
	buf_putc(ret, '-');
	state_line_begin(ret, entry->kind, entry->key);
	buf_putc(ret, '\n');
}

static size_t put_added(const char *p, const char *end, struct buf *ret)
{
	size_t len = line_len(p, end);
	buf_putc(ret, '+');
	buf_add(ret, p, len);
	buf_putc(ret, '\n');
	return len + 1;
}

/* One step of the merge, where the lines are not the same. */
static int put_difference(struct reading *a, struct reading *b, struct buf *ret, struct err *e)
{
	struct state_entry old, new;
	bool has_old = a->at < a->end, has_new = b->at < b->end;
	if ((has_old && key_at(a, a->at, &old, e) < 0) ||
	    (has_new && key_at(b, b->at, &new, e) < 0))
		return -1;
	int order = !has_old ? 1 : !has_new ? -1 : order_of(&old, &new);
	if (order <= 0) {
		put_removed(&old, ret);
		a->at += line_len(a->at, a->end) + 1;
	}
	if (order >= 0)
		b->at += put_added(b->at, b->end, ret);
	return 0;
}

static bool whole_lines(struct state_text t)
{
	return t.len == 0 || t.data[t.len - 1] == '\n';
}

int state_delta_write(const struct state_base *base, struct state_text now, struct buf *ret,
		      struct err *e)
{
	if (!whole_lines(base->text) || !whole_lines(now))
		return ERR(e, 0, "a fingerprint does not end with a line's end");
	struct reading a = reading_of(base->text), b = reading_of(now);
	int result = 0;
	buf_puts(ret, head);
	buf_json(ret, base->file);
	buf_printf(ret, ",\"digest\":\"%s\"}\n", base->digest);
	while (result == 0 && (a.at < a.end || b.at < b.end)) {
		size_t x = line_len(a.at, a.end), y = line_len(b.at, b.end);
		if (x == y && a.at < a.end && b.at < b.end && memcmp(a.at, b.at, x) == 0) {
			a.at += x + 1;
			b.at += y + 1;
			continue;
		}
		result = put_difference(&a, &b, ret, e);
	}
	arena_destroy(a.arena);
	arena_destroy(b.arena);
	return result;
}

/* ---- reading ---- */

bool state_is_delta(struct state_text t)
{
	return t.len > HEAD_LEN && memcmp(t.data, head, HEAD_LEN) == 0;
}

int state_delta_base(struct state_text delta, char **ret_file, char ret_digest[HASH_TEXT],
		     struct err *e)
{
	struct json_doc *doc = NULL;
	size_t len = line_len(delta.data, delta.data + delta.len);
	if (json_parse(&doc, "a fingerprint's first line", delta.data, len, e) < 0)
		return -1;
	const char *file = json_get_string(json_root(doc), "delta_of", "");
	(void)snprintf(ret_digest, HASH_TEXT, "%s", json_get_string(json_root(doc), "digest", ""));
	*ret_file = mem_strdup(file);
	json_doc_free(doc);
	return 0;
}

/* The first line of the base that is not before `want`, by halving what is left of it. */
static int find_line(struct reading *base, const struct state_entry *want, const char **ret,
		     bool *ret_same, struct err *e)
{
	const char *low = base->at, *high = base->end;
	*ret_same = false;
	while (low < high) {
		const char *p = low + (high - low) / 2;
		while (p > low && p[-1] != '\n')
			p--;
		struct state_entry here;
		if (key_at(base, p, &here, e) < 0)
			return -1;
		int order = order_of(&here, want);
		if (order == 0)
			*ret_same = true;
		if (order < 0)
			low = p + line_len(p, base->end) + 1;
		else
			high = p;
	}
	*ret = low;
	return 0;
}

static int apply_line(struct reading *base, struct reading *delta, struct buf *ret, struct err *e)
{
	char sign = *delta->at++;
	struct state_entry want;
	const char *at;
	bool same;
	if (sign != '+' && sign != '-')
		return ERR(e, 0, "a line begins with neither + nor -");
	if (key_at(delta, delta->at, &want, e) < 0 || find_line(base, &want, &at, &same, e) < 0)
		return -1;
	if (same != (sign == '-'))
		return ERR(e, 0, "%s of the text that it is told from",
			   same ? "it adds a line" : "it removes what is no line");
	buf_add(ret, base->at, (size_t)(at - base->at));
	base->at = sign == '-' ? at + line_len(at, base->end) + 1 : at;
	size_t len = line_len(delta->at, delta->end);
	if (sign == '+') {
		buf_add(ret, delta->at, len);
		buf_putc(ret, '\n');
	}
	delta->at += len + 1;
	return 0;
}

int state_delta_expand(struct state_text base, struct state_text delta, struct buf *ret,
		       struct err *e)
{
	if (!whole_lines(base) || !whole_lines(delta) || !state_is_delta(delta))
		return ERR(e, 0, "a fingerprint is cut off");
	struct reading a = reading_of(base), b = reading_of(delta);
	int result = 0;
	b.at += line_len(b.at, b.end) + 1;
	while (result == 0 && b.at < b.end)
		result = apply_line(&a, &b, ret, e);
	if (result == 0)
		buf_add(ret, a.at, (size_t)(a.end - a.at));
	arena_destroy(a.arena);
	arena_destroy(b.arena);
	return result;
}
