/* SPDX-License-Identifier: MIT */
/* Slugs of faults: each given once, however many there are. */
#include <stdlib.h>
#include <string.h>

#include "harness/model/plan_parts.h"

enum { SLUGS_FIRST = 64 }; /* places; a power of two */

static uint32_t hash_of(const char *s)
{
	uint32_t h = 2166136261U; /* FNV-1a */
	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 16777619U;
	return h;
}

/* Its place, or the free one where it belongs. */
static struct slug *place_of(const struct slugs *set, const char *text)
{
	size_t i = hash_of(text) & (set->cap - 1);
	while (set->items[i].text != NULL && strcmp(set->items[i].text, text) != 0)
		i = (i + 1) & (set->cap - 1);
	return &set->items[i];
}

static void make_room(struct slugs *set)
{
	if (set->count < set->cap / 2)
		return;
	struct slugs more = { .count = set->count,
			      .cap = set->cap > 0 ? 2 * set->cap : SLUGS_FIRST };
	more.items = mem_array(more.cap, sizeof(*more.items));
	for (size_t i = 0; i < set->cap; i++)
		if (set->items[i].text != NULL)
			*place_of(&more, set->items[i].text) = set->items[i];
	free(set->items);
	*set = more;
}

static struct slug *put(struct slugs *set, const char *text)
{
	struct slug *at = place_of(set, text);
	*at = (struct slug){ .text = text, .next = 2 };
	set->count++;
	return at;
}

const char *plan_take_slug(struct plan_doc *pd, const char *slug)
{
	make_room(&pd->slugs);
	if (place_of(&pd->slugs, slug)->text != NULL)
		return NULL;
	return put(&pd->slugs, arena_strdup(pd->arena, slug))->text;
}

const char *plan_unique_slug(struct compile *c, const char *name)
{
	struct slugs *set = &c->pd->slugs;
	const char *base = plan_slug(c, name), *slug = base;
	make_room(set);
	struct slug *taken = place_of(set, base);
	while (place_of(set, slug)->text != NULL)
		slug = arena_printf(c->ctx.arena, "%s-%u", base, taken->next++);
	return put(set, slug)->text;
}
