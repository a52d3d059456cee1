/* SPDX-License-Identifier: MIT */
#include "harness/model/shrink.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

/* Alone, a single fault is most often enough; but each try is a drill, so not for many. */
enum { SINGLES_MAX = 16 };

/* Bit i: set[i] of the beginning is in. */
struct subset {
	unsigned char bits[SHRINK_SET_MAX / 8];
};

struct shrinking {
	const size_t *all; /* the set as it was given */
	size_t all_count;
	struct subset now; /* fails */
	size_t now_count;
	shrink_fails fails;
	void *arg;
	size_t budget;
	struct subset *tried; /* those that did not fail */
	size_t tried_count;
	struct shrink_result *ret;
};

static bool has(const struct subset *s, size_t i)
{
	return (s->bits[i / 8] >> (i % 8) & 1) != 0;
}

static void put(struct subset *s, size_t i, bool in)
{
	unsigned char bit = (unsigned char)(1u << (i % 8));
	s->bits[i / 8] = (unsigned char)(in ? s->bits[i / 8] | bit : s->bits[i / 8] & ~bit);
}

static size_t members(const struct shrinking *sh, const struct subset *s, size_t *ret)
{
	size_t n = 0;
	for (size_t i = 0; i < sh->all_count; i++)
		if (has(s, i))
			ret[n++] = sh->all[i];
	return n;
}

static bool over(const struct shrinking *sh)
{
	return sh->ret->broken || sh->ret->calls >= sh->budget;
}

/* True: it fails, and is what we go on with. */
static bool take(struct shrinking *sh, const struct subset *s)
{
	size_t list[SHRINK_SET_MAX];
	size_t n = members(sh, s, list);
	for (size_t i = 0; i < sh->tried_count; i++)
		if (memcmp(&sh->tried[i], s, sizeof(*s)) == 0)
			return false;
	if (n == 0 || over(sh))
		return false;
	sh->ret->calls++;
	int fails = sh->fails(sh->arg, list, n);
	sh->ret->broken = fails < 0;
	if (fails > 0) {
		sh->now = *s;
		sh->now_count = n;
		return true;
	}
	sh->tried = mem_grow(sh->tried, sh->tried_count + 1, sizeof(*sh->tried));
	sh->tried[sh->tried_count++] = *s;
	return false;
}

/* Part `k` of `parts` of what is left, alone or taken away. */
static struct subset part(const struct shrinking *sh, size_t k, size_t parts, bool alone)
{
	struct subset s = { { 0 } };
	size_t from = sh->now_count * k / parts, to = sh->now_count * (k + 1) / parts, at = 0;
	for (size_t i = 0; i < sh->all_count; i++) {
		if (!has(&sh->now, i))
			continue;
		put(&s, i, (at >= from && at < to) == alone);
		at++;
	}
	return s;
}

static bool try_parts(struct shrinking *sh, size_t parts, bool alone)
{
	for (size_t k = 0; k < parts && !over(sh); k++) {
		struct subset s = part(sh, k, parts, alone);
		if (take(sh, &s))
			return true;
	}
	return false;
}

/* The finest parts are single faults; when each of these was taken away in vain, none can go. */
static void divide(struct shrinking *sh)
{
	size_t parts = 2;
	while (sh->now_count > 1 && !over(sh)) {
		if (try_parts(sh, parts, true)) {
			parts = 2;
		} else if (parts > 2 && try_parts(sh, parts, false)) {
			parts = parts - 1;
		} else if (parts >= sh->now_count) {
			sh->ret->minimal = !over(sh);
			return;
		} else {
			parts = parts * 2 < sh->now_count ? parts * 2 : sh->now_count;
		}
		if (parts > sh->now_count)
			parts = sh->now_count;
	}
	sh->ret->minimal = sh->now_count <= 1;
}

void shrink(size_t *set, size_t *n, size_t budget, shrink_fails fails, void *arg,
	    struct shrink_result *ret)
{
	size_t left[SHRINK_SET_MAX];
	assert(*n <= SHRINK_SET_MAX);
	*ret = (struct shrink_result){ 0 };
	struct shrinking sh = { .all = set,
				.all_count = *n,
				.now_count = *n,
				.fails = fails,
				.arg = arg,
				.budget = budget,
				.ret = ret };
	for (size_t i = 0; i < *n; i++)
		put(&sh.now, i, true);
	if (*n > 1 && *n <= SINGLES_MAX)
		(void)try_parts(&sh, *n, true);
	divide(&sh);
	*n = members(&sh, &sh.now, left);
	memcpy(set, left, *n * sizeof(*set));
	free(sh.tried);
}
