/* SPDX-License-Identifier: MIT */
/* A merge of two sorted texts. Lines that are the same are never parsed. */
#include "harness/model/state.h"

#include <string.h>

#include "harness/base/mem.h"
#include "harness/model/state_line.h"

enum { DESCRIBE_MAX = 6 }; /* attributes that describe an entry which is on one side alone */

/* One side of the merge. The entry is that of the current line, once it has been needed. */
struct side {
	const char *what;
	const char *line, *end; /* the current line, and behind the text */
	size_t len;             /* without the newline */
	unsigned number;
	const char *last; /* the line before */
	size_t last_len;
	bool parsed;
	struct state_entry *entry;
};

struct merge {
	struct arena *arena;
	const char *node;
	struct side before, after;
	struct changes *ret;
	struct err *e;
};

static bool at_end(const struct side *s)
{
	return s->line == s->end;
}

static void measure(struct side *s)
{
	const char *nl = at_end(s) ? NULL : memchr(s->line, '\n', (size_t)(s->end - s->line));
	s->len = nl != NULL ? (size_t)(nl - s->line) : (size_t)(s->end - s->line);
	s->parsed = false;
	s->number++;
}

static void step(struct side *s)
{
	s->last = s->line;
	s->last_len = s->len;
	s->line += s->len < (size_t)(s->end - s->line) ? s->len + 1 : s->len;
	measure(s);
}

static int bad(struct merge *m, const struct side *s, const char *why)
{
	return ERR(m->e, 0, "fingerprint '%s' of node '%s', line %u: %s", s->what, m->node,
		   s->number, why);
}

static int need_entry(struct merge *m, struct side *s)
{
	struct state_entry last;
	if (s->parsed || at_end(s))
		return 0;
	if (!state_line_read(m->arena, s->line, s->len, s->entry))
		return bad(m, s, "not an entry of a fingerprint");
	if (s->last != NULL) {
		if (!state_line_key(m->arena, s->last, s->last_len, &last))
			return bad(m, s, "the line before is not an entry of a fingerprint");
		if (state_order(last.kind, last.key, s->entry->kind, s->entry->key) >= 0)
			return bad(m, s, "not sorted by kind and key");
	}
	s->parsed = true;
	return 0;
}

static const char *attr_value(const struct state_entry *en, const char *name)
{
	for (size_t i = 0; i < en->attr_count; i++)
		if (strcmp(en->attrs[i].name, name) == 0)
			return en->attrs[i].value;
	return NULL;
}

static struct change *add(struct merge *m, const struct state_entry *en, enum change_what what,
			  size_t attr_max)
{
	struct changes *c = m->ret;
	if (c->count == c->room) {
		c->room = c->room > 0 ? c->room * 2 : 16;
		struct change *items = arena_alloc(m->arena, c->room * sizeof(*items));
		if (c->count > 0)
			memcpy(items, c->items, c->count * sizeof(*items));
		c->items = items;
	}
	struct change *ch = &c->items[c->count++];
	*ch = (struct change){ .kind = en->kind,
			       .what = what,
			       .node = m->node,
			       .key = en->key,
			       .owner = attr_value(en, "@owner") };
	ch->attrs = arena_alloc(m->arena, attr_max * sizeof(*ch->attrs));
	return ch;
}

static void add_one_sided(struct merge *m, const struct state_entry *en, enum change_what what)
{
	struct change *ch = add(m, en, what, DESCRIBE_MAX);
	for (size_t i = 0; i < en->attr_count && ch->attr_count < DESCRIBE_MAX; i++) {
		const struct state_attr *a = &en->attrs[i];
		if (a->name[0] == '@')
			continue;
		ch->attrs[ch->attr_count++] = (struct change_attr){
			.name = a->name,
			.before = what == CHANGE_REMOVED ? a->value : NULL,
			.after = what == CHANGE_ADDED ? a->value : NULL,
		};
	}
}

/* Attributes that differ, in the order of `before`, then what `after` has more. */
static void compare_entries(struct merge *m)
{
	const struct state_entry *b = m->before.entry, *a = m->after.entry;
	struct change_attr diff[2 * STATE_ATTRS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < b->attr_count; i++) {
		const char *now = attr_value(a, b->attrs[i].name);
		if (b->attrs[i].name[0] != '@' &&
		    (now == NULL || strcmp(now, b->attrs[i].value) != 0))
			diff[n++] = (struct change_attr){ .name = b->attrs[i].name,
							  .before = b->attrs[i].value,
							  .after = now };
	}
	for (size_t i = 0; i < a->attr_count; i++)
		if (a->attrs[i].name[0] != '@' && attr_value(b, a->attrs[i].name) == NULL)
			diff[n++] = (struct change_attr){ .name = a->attrs[i].name,
							  .after = a->attrs[i].value };
	if (n == 0)
		return;
	struct change *ch = add(m, b, CHANGE_CHANGED, n);
	memcpy(ch->attrs, diff, n * sizeof(diff[0]));
	ch->attr_count = n;
	if (ch->owner == NULL)
		ch->owner = attr_value(a, "@owner");
}

static bool same_line(const struct side *a, const struct side *b)
{
	return !at_end(a) && !at_end(b) && a->len == b->len &&
	       memcmp(a->line, b->line, a->len) == 0;
}

/* Both sides stand at lines that differ, or one is at its end. */
static int step_different(struct merge *m)
{
	struct side *b = &m->before, *a = &m->after;
	if (need_entry(m, b) < 0 || need_entry(m, a) < 0)
		return -1;
	int order = at_end(a)   ? -1
		    : at_end(b) ? 1
				: state_order(b->entry->kind, b->entry->key, a->entry->kind,
					      a->entry->key);
	if (order < 0) {
		add_one_sided(m, b->entry, CHANGE_REMOVED);
		step(b);
	} else if (order > 0) {
		add_one_sided(m, a->entry, CHANGE_ADDED);
		step(a);
	} else {
		compare_entries(m);
		step(b);
		step(a);
	}
	return 0;
}

int state_diff(struct arena *arena, const char *node, struct state_text before,
	       struct state_text after, struct changes *ret, struct err *e)
{
	struct state_entry entries[2];
	struct merge m = {
		.arena = arena,
		.node = arena_strdup(arena, node),
		.ret = ret,
		.e = e,
		.before = { .what = "before",
			    .line = before.data,
			    .end = before.data + before.len,
			    .entry = &entries[0] },
		.after = { .what = "after",
			   .line = after.data,
			   .end = after.data + after.len,
			   .entry = &entries[1] },
	};
	if (before.data == NULL || after.data == NULL)
		return ERR(e, 0, "the fingerprint of node '%s' is missing", node);
	measure(&m.before);
	measure(&m.after);
	while (!at_end(&m.before) || !at_end(&m.after)) {
		if (same_line(&m.before, &m.after)) {
			step(&m.before);
			step(&m.after);
		} else if (step_different(&m) < 0) {
			return -1;
		}
	}
	return 0;
}

static const char *copy_text(struct arena *arena, const char *text)
{
	return text != NULL ? arena_strdup(arena, text) : NULL;
}

struct changes state_changes_copy(struct arena *arena, const struct changes *c)
{
	struct changes ret = { .count = c->count, .room = c->count };
	ret.items = arena_alloc(arena, c->count * sizeof(*ret.items));
	for (size_t i = 0; i < c->count; i++) {
		const struct change *from = &c->items[i];
		struct change *to = &ret.items[i];
		*to = *from;
		to->node = copy_text(arena, from->node);
		to->key = copy_text(arena, from->key);
		to->owner = copy_text(arena, from->owner);
		to->hidden_by = copy_text(arena, from->hidden_by);
		to->hidden_why = copy_text(arena, from->hidden_why);
		to->attrs = arena_alloc(arena, from->attr_count * sizeof(*to->attrs));
		for (size_t k = 0; k < from->attr_count; k++)
			to->attrs[k] = (struct change_attr){
				.name = copy_text(arena, from->attrs[k].name),
				.before = copy_text(arena, from->attrs[k].before),
				.after = copy_text(arena, from->attrs[k].after),
			};
	}
	return ret;
}
