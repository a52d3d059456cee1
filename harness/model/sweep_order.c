/* SPDX-License-Identifier: MIT */
#include "harness/model/sweep_order.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/hash.h"
#include "harness/base/mem.h"

enum { SEED_DIGITS = 15 }; /* hexadecimal, of the seed's hash: no sign in 64 bits */

static uint64_t number_of(const char *seed)
{
	char digest[HASH_TEXT];
	hash_text(seed, strlen(seed), digest);
	digest[SEED_DIGITS] = '\0';
	return strtoull(digest, NULL, 16);
}

static size_t reversed(size_t i, unsigned bits)
{
	size_t r = 0;
	for (unsigned b = 0; b < bits; b++)
		r |= (i >> b & 1) << (bits - 1 - b);
	return r;
}

/* Counting with the bits reversed is van der Corput's sequence: each number falls into the widest
 * gap that those before it left. What lies beyond `count` is passed over. */
void sweep_order(size_t *order, size_t count, const char *seed)
{
	unsigned bits = 0;
	size_t filled = 0;
	if (count == 0)
		return;
	size_t offset = (size_t)(number_of(seed) % count);
	while (((size_t)1 << bits) < count)
		bits++;
	for (size_t i = 0; filled < count; i++) {
		size_t at = reversed(i, bits);
		if (at < count)
			order[filled++] = (at + offset) % count;
	}
}

static bool seen_before(const size_t *order, size_t until, const size_t *group)
{
	for (size_t i = 0; i < until; i++)
		if (group[order[i]] == group[order[until]])
			return true;
	return false;
}

void sweep_order_each(size_t *order, size_t count, const size_t *group)
{
	GUARD(mem) size_t *rest = mem_array(count + 1, sizeof(*rest));
	size_t front = 0, left = 0;
	/* order[0..front) are the first of their groups, so the search stays as short as these. */
	for (size_t i = 0; i < count; i++) {
		size_t cls = order[i];
		order[front] = cls;
		if (seen_before(order, front, group))
			rest[left++] = cls;
		else
			front++;
	}
	memcpy(order + front, rest, left * sizeof(*rest));
}

/* Digits alone: strtoul() would take blanks, signs and what wraps. */
static bool read_number(const char **text, unsigned *ret)
{
	size_t digits = strspn(*text, "0123456789");
	unsigned value = 0;
	if (digits == 0 || digits > 5)
		return false;
	for (size_t i = 0; i < digits; i++)
		value = value * 10 + (unsigned)((*text)[i] - '0');
	*text += digits;
	*ret = value;
	return true;
}

int sweep_shard_parse(const char *text, struct sweep_shard *ret, struct err *e)
{
	struct sweep_shard s = { 0, 0 };
	const char *p = text;
	bool good =
		read_number(&p, &s.index) && *p++ == '/' && read_number(&p, &s.total) && *p == '\0';
	if (!good || s.index < 1 || s.index > s.total || s.total > SWEEP_SHARDS_MAX)
		return ERR_AS(
			e, EXIT_USAGE_ERROR, 0,
			"'%s' is no shard: write I/N, the I-th of N, from 1/N to N/N (N up to "
			"%d)",
			text, SWEEP_SHARDS_MAX);
	*ret = s;
	return 0;
}

bool sweep_shard_has(const struct sweep_shard *s, size_t cls)
{
	return cls % s->total == s->index - 1;
}
