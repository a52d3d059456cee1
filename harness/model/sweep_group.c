/* SPDX-License-Identifier: MIT */
/*
 * Failing classes by what is wrong. Each class gets a signature (outcome, culprit, patterns of
 * what it left); equal signatures are a group. All arrays are sized before they are filled, for
 * an arena does not grow what it gave.
 */
#include "harness/model/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"

enum { WHAT_PATTERNS = 2 }; /* that a group's line names */

/* One failing class on its way into a group. */
struct member {
	size_t cls;
	const struct verdict *verdict;
	const char **patterns; /* sorted, each once */
	size_t pattern_count;
	const char *blame; /* who or what, if nothing left tells it */
	uint64_t mark;     /* of all that makes a group; different ones are different groups */
	size_t group;
};

/* Each pattern met so far, once. */
struct known {
	const char **patterns;
	size_t count;
};

/* One visible entry of one class. */
struct seen {
	const struct change *change;
	size_t member, points;
};

/* What a verdict shows as left, too little or different: the residue of a rollback, or how the
 * patched state drifted where none was called for. */
static void lists_of(const struct verdict *v, const struct changes *ret[2])
{
	ret[0] = &v->residue;
	ret[1] = &v->drift;
}

static size_t visible_of(const struct verdict *v)
{
	const struct changes *lists[2];
	size_t count = 0;
	lists_of(v, lists);
	for (int l = 0; l < 2; l++)
		for (size_t i = 0; i < lists[l]->count; i++)
			count += lists[l]->items[i].hidden_by == NULL;
	return count;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The one copy of a pattern: a bad rollback has the same few at thousands of points. */
static const char *intern(struct arena *arena, struct known *k, const char *text)
{
	for (size_t i = 0; i < k->count; i++)
		if (strcmp(k->patterns[i], text) == 0)
			return k->patterns[i];
	k->patterns = mem_grow(k->patterns, k->count + 1, sizeof(*k->patterns));
	k->patterns[k->count] = arena_strdup(arena, text);
	return k->patterns[k->count++];
}

static bool has_pattern(const struct member *m, const char *interned)
{
	for (size_t i = 0; i < m->pattern_count; i++)
		if (m->patterns[i] == interned)
			return true;
	return false;
}

static void find_patterns(struct arena *arena, struct known *k, struct member *m)
{
	const struct changes *lists[2];
	GUARD(mem) const char **found = NULL;
	struct arena *scratch = arena_create();
	lists_of(m->verdict, lists);
	for (int l = 0; l < 2; l++) {
		for (size_t i = 0; i < lists[l]->count; i++) {
			const struct change *c = &lists[l]->items[i];
			if (c->hidden_by != NULL)
				continue;
			const char *p = intern(arena, k, sweep_pattern(scratch, c));
			if (has_pattern(m, p))
				continue;
			found = mem_grow(found, m->pattern_count + 1, sizeof(*found));
			found[m->pattern_count++] = p;
			m->patterns = found;
		}
	}
	arena_destroy(scratch);
	if (m->pattern_count == 0)
		return;
	qsort(found, m->pattern_count, sizeof(*found), compare_texts);
	m->patterns = arena_alloc(arena, m->pattern_count * sizeof(*m->patterns));
	memcpy(m->patterns, found, m->pattern_count * sizeof(*m->patterns));
}

/* A reason without what differs from drill to drill: numbers, and names that were drawn. */
static const char *plain_reason(struct arena *arena, const char *why)
{
	GUARD_BUF struct buf out = { 0 };
	if (why == NULL)
		return "";
	for (const char *p = sweep_plain_names(arena, why); *p != '\0';) {
		size_t digits = strspn(p, "0123456789");
		if (digits > 0)
			buf_putc(&out, 'N');
		else
			buf_putc(&out, *p);
		p += digits > 0 ? digits : 1;
	}
	return arena_strdup(arena, buf_str(&out));
}

static const char *blame_of(struct arena *arena, const struct member *m)
{
	const struct verdict *v = m->verdict;
	const char *name = v->culprit;
	if (v->unexpected)
		return arena_printf(arena, "%s, which `expect` excludes", outcome_name(v->outcome));
	if (name == NULL)
		return m->pattern_count > 0 ? "" : plain_reason(arena, v->why);
	switch (v->outcome) {
	case OUTCOME_STUCK:
		return arena_printf(arena, "rollback step '%s' %s", name,
				    v->timed_out ? "does not end in time" : "fails");
	case OUTCOME_LATE:
		return arena_printf(arena, "over the target of the %s", name);
	default:
		return arena_printf(arena, "probe '%s' does not hold", name);
	}
}

/* FNV-1a: thousands of groups are compared by this first. */
static uint64_t mark_of(const struct member *m)
{
	uint64_t mark = UINT64_C(14695981039346656037) ^ (uint64_t)m->verdict->outcome;
	for (const char *p = m->blame; *p != '\0'; p++)
		mark = (mark ^ (unsigned char)*p) * UINT64_C(1099511628211);
	for (size_t i = 0; i < m->pattern_count; i++)
		mark = (mark ^ (uintptr_t)m->patterns[i]) * UINT64_C(1099511628211);
	return mark;
}

static bool same_group(const struct member *a, const struct member *b)
{
	if (a->mark != b->mark || a->verdict->outcome != b->verdict->outcome ||
	    a->pattern_count != b->pattern_count || strcmp(a->blame, b->blame) != 0)
		return false;
	/* There is one copy of each. */
	return a->pattern_count == 0 ||
	       memcmp(a->patterns, b->patterns, a->pattern_count * sizeof(*a->patterns)) == 0;
}

static const char *what_of(struct arena *arena, const struct member *m)
{
	GUARD_BUF struct buf out = { 0 };
	buf_puts(&out, m->blame);
	for (size_t i = 0; i < m->pattern_count && i < WHAT_PATTERNS; i++)
		buf_printf(&out, "%s%s", out.len > 0 ? "; " : "", m->patterns[i]);
	if (m->pattern_count > WHAT_PATTERNS)
		buf_printf(&out, "; and %zu more sorts of residue",
			   m->pattern_count - WHAT_PATTERNS);
	return arena_strdup(arena, buf_str(&out));
}

/* ---- entries of a group, each once ---- */

static int compare_seen(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	int order = strcmp(x->change->node, y->change->node);
	if (order == 0)
		order = state_order(x->change->kind, x->change->key, y->change->kind,
				    y->change->key);
	if (order == 0)
		order = (int)x->change->what - (int)y->change->what;
	return order != 0 ? order : (x->member < y->member ? -1 : x->member > y->member);
}

static bool same_entry(const struct change *a, const struct change *b)
{
	return a->what == b->what && a->kind == b->kind && strcmp(a->node, b->node) == 0 &&
	       strcmp(a->key, b->key) == 0;
}

static size_t add_seen(struct seen *list, size_t count, const struct member *m, size_t member,
		       size_t points)
{
	const struct changes *lists[2];
	lists_of(m->verdict, lists);
	for (int l = 0; l < 2; l++)
		for (size_t i = 0; i < lists[l]->count; i++)
			if (lists[l]->items[i].hidden_by == NULL)
				list[count++] =
					(struct seen){ &lists[l]->items[i], member, points };
	return count;
}

static void find_entries(struct arena *arena, const struct sweep *s, struct sweep_group *g)
{
	size_t room = 0, count = 0, unique = 0;
	for (size_t i = 0; i < g->class_count; i++)
		room += visible_of(s->classes[g->classes[i]].verdict);
	GUARD(mem) struct seen *list = mem_array(room + 1, sizeof(*list));
	for (size_t i = 0; i < g->class_count; i++) {
		const struct sweep_class *c = &s->classes[g->classes[i]];
		const struct member m = { .verdict = c->verdict };
		count = add_seen(list, count, &m, i, c->points);
	}
	qsort(list, count, sizeof(*list), compare_seen);
	for (size_t i = 0; i < count; i++)
		unique += i == 0 || !same_entry(list[i].change, list[i - 1].change);
	struct sweep_entry *entries = arena_alloc(arena, (unique + 1) * sizeof(*entries));
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || !same_entry(list[i].change, list[i - 1].change))
			entries[g->entry_count++] =
				(struct sweep_entry){ .change = list[i].change };
		entries[g->entry_count - 1].classes++;
		entries[g->entry_count - 1].points += list[i].points;
	}
	g->entries = entries;
}

/* ---- groups ---- */

static size_t find_members(struct arena *arena, const struct sweep *s, struct member *members)
{
	struct known known = { NULL, 0 };
	size_t count = 0;
	for (size_t i = 0; i < s->class_count; i++) {
		const struct verdict *v = s->classes[i].verdict;
		if (v == NULL || v->pass)
			continue;
		struct member *m = &members[count++];
		*m = (struct member){ .cls = i, .verdict = v };
		find_patterns(arena, &known, m);
		m->blame = blame_of(arena, m);
		m->mark = mark_of(m);
	}
	free(known.patterns);
	return count;
}

/* Numbers the groups in the order of their first classes. Returns how many. */
static size_t assign(struct member *members, size_t count, size_t *heads)
{
	size_t groups = 0;
	for (size_t i = 0; i < count; i++) {
		size_t g = 0;
		while (g < groups && !same_group(&members[heads[g]], &members[i]))
			g++;
		if (g == groups)
			heads[groups++] = i;
		members[i].group = g;
	}
	return groups;
}

static void begin_group(struct arena *arena, const struct member *first, size_t room,
			struct sweep_group *g)
{
	*g = (struct sweep_group){
		.outcome = first->verdict->outcome,
		.what = what_of(arena, first),
		.patterns = first->patterns,
		.pattern_count = first->pattern_count,
		.classes = arena_alloc(arena, room * sizeof(*g->classes)),
	};
}

/* Members come in the order of their classes, so each group's are in order, too. */
static void fill_groups(struct arena *arena, const struct sweep *s, const struct member *members,
			size_t count, struct sweep_group *groups)
{
	GUARD(mem) size_t *room = mem_array(count + 1, sizeof(*room));
	for (size_t i = 0; i < count; i++)
		room[members[i].group]++;
	for (size_t i = 0; i < count; i++) {
		const struct member *m = &members[i];
		struct sweep_group *g = &groups[m->group];
		if (g->classes == NULL)
			begin_group(arena, m, room[m->group], g);
		/* The array is ours until the groups are handed out. */
		((size_t *)g->classes)[g->class_count++] = m->cls;
		g->points += s->classes[m->cls].points;
	}
}

/* Worse codes first: a harness that fails, a workflow that fails, a drill, too little proof. */
static int rank_of(enum outcome o)
{
	static const int order[] = { EXIT_HARNESS, EXIT_BROKEN, EXIT_FAILED, EXIT_OK,
				     EXIT_INCONCLUSIVE };
	int rank = 0, last = (int)(sizeof(order) / sizeof(order[0]));
	while (rank < last && order[rank] != outcome_exit(o))
		rank++;
	return rank;
}

/* Exit 0 is here for what passed and was not expected: a failure, too. */
static int compare_groups(const void *a, const void *b)
{
	const struct sweep_group *x = a, *y = b;
	int order = rank_of(x->outcome) - rank_of(y->outcome);
	if (order == 0)
		order = (int)x->outcome - (int)y->outcome;
	if (order == 0)
		order = x->classes[0] < y->classes[0] ? -1 : x->classes[0] > y->classes[0];
	return order;
}

void sweep_group_all(struct arena *arena, struct sweep *s)
{
	GUARD(mem) struct member *members = mem_array(s->class_count + 1, sizeof(*members));
	GUARD(mem) size_t *heads = mem_array(s->class_count + 1, sizeof(*heads));
	size_t count = find_members(arena, s, members);
	size_t group_count = assign(members, count, heads);
	struct sweep_group *groups = arena_alloc(arena, (group_count + 1) * sizeof(*groups));
	fill_groups(arena, s, members, count, groups);
	for (size_t g = 0; g < group_count; g++)
		find_entries(arena, s, &groups[g]);
	qsort(groups, group_count, sizeof(*groups), compare_groups);
	s->groups = groups;
	s->group_count = group_count;
}
