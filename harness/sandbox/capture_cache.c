/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/sandbox/capture_internal.h"

enum { CACHE_SLOTS_MIN = 1024 /* a power of two */, HASH_BYTES = (HASH_TEXT - 1) / 2 };

struct slot {
	uint64_t dev, ino, size;
	int64_t ctime; /* ns; with ino 0: an empty slot */
	unsigned char hash[HASH_BYTES];
};

struct capture_cache {
	struct slot *slots;
	size_t used, mask;
};

struct capture_cache *capture_cache_create(void)
{
	struct capture_cache *c = mem_alloc(sizeof(*c));
	c->slots = mem_array(CACHE_SLOTS_MIN, sizeof(*c->slots));
	c->mask = CACHE_SLOTS_MIN - 1;
	return c;
}

void capture_cache_destroy(struct capture_cache *c)
{
	if (c == NULL)
		return;
	free(c->slots);
	free(c);
}

static struct slot slot_of(const struct stat *st)
{
	return (struct slot){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.ctime = st->st_ctim.tv_sec * NS_PER_S + st->st_ctim.tv_nsec,
	};
}

/* Where the inode is, or the empty slot where it would be. One entry an inode: an older state of
 * it is of no use any more. */
static struct slot *place(struct slot *slots, size_t mask, const struct slot *s)
{
	size_t i = (size_t)((s->ino ^ (s->dev << 32)) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & mask;
	while (slots[i].ino != 0 && (slots[i].ino != s->ino || slots[i].dev != s->dev))
		i = (i + 1) & mask;
	return &slots[i];
}

static void to_text(const unsigned char *bytes, char ret[HASH_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < HASH_BYTES; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[HASH_TEXT - 1] = '\0';
}

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

bool capture_cache_find(const struct capture_cache *cache, const struct stat *st,
			char ret[HASH_TEXT])
{
	struct slot want = slot_of(st);
	const struct slot *s = place(cache->slots, cache->mask, &want);
	if (want.ino == 0 || s->ino == 0 || s->size != want.size || s->ctime != want.ctime)
		return false;
	to_text(s->hash, ret);
	return true;
}

static void make_room(struct capture_cache *c)
{
	if ((c->used + 1) * 4 < (c->mask + 1) * 3)
		return;
	size_t mask = (c->mask + 1) * 2 - 1;
	struct slot *slots = mem_array(mask + 1, sizeof(*slots));
	for (size_t i = 0; i <= c->mask; i++)
		if (c->slots[i].ino != 0)
			*place(slots, mask, &c->slots[i]) = c->slots[i];
	free(c->slots);
	c->slots = slots;
	c->mask = mask;
}

void capture_cache_put(struct capture_cache *cache, const struct stat *st,
		       const char hash[HASH_TEXT])
{
	struct slot s = slot_of(st);
	if (s.ino == 0)
		return;
	for (size_t i = 0; i < HASH_BYTES; i++)
		s.hash[i] = (unsigned char)(digit(hash[2 * i]) << 4 | digit(hash[2 * i + 1]));
	make_room(cache);
	struct slot *to = place(cache->slots, cache->mask, &s);
	cache->used += to->ino == 0;
	*to = s;
}

void capture_cache_add(struct capture_cache *cache, const struct stat *st, int64_t now,
		       const char hash[HASH_TEXT])
{
	if (slot_of(st).ctime <= now - CAPTURE_RACY_S * NS_PER_S)
		capture_cache_put(cache, st, hash);
}
