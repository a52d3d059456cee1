/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/hardlinks.h"

#include <stdlib.h>

#include "harness/base/mem.h"

enum { SLOTS_MIN = 64 /* a power of two */ };

struct hardlink {
	uint64_t dev, ino;
	char *path; /* NULL: an empty slot */
};

static struct hardlink *place(struct hardlink *items, size_t slots, uint64_t dev, uint64_t ino)
{
	size_t i = (size_t)((ino * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (slots - 1);
	while (items[i].path != NULL && (items[i].ino != ino || items[i].dev != dev))
		i = (i + 1) & (slots - 1);
	return &items[i];
}

static void make_room(struct hardlinks *h)
{
	if ((h->count + 1) * 2 <= h->slots)
		return;
	size_t slots = h->slots == 0 ? SLOTS_MIN : h->slots * 2;
	struct hardlink *bigger = mem_array(slots, sizeof(*bigger));
	for (size_t i = 0; i < h->slots; i++)
		if (h->items[i].path != NULL)
			*place(bigger, slots, h->items[i].dev, h->items[i].ino) = h->items[i];
	free(h->items);
	h->items = bigger;
	h->slots = slots;
}

const char *hardlinks_first(struct hardlinks *h, const struct stat *st, const char *path)
{
	make_room(h);
	struct hardlink *at = place(h->items, h->slots, st->st_dev, st->st_ino);
	if (at->path != NULL)
		return at->path;
	*at = (struct hardlink){ st->st_dev, st->st_ino, mem_strdup(path) };
	h->count++;
	return NULL;
}

void hardlinks_free(struct hardlinks *h)
{
	for (size_t i = 0; i < h->slots; i++)
		free(h->items[i].path);
	free(h->items);
	*h = (struct hardlinks){ 0 };
}
