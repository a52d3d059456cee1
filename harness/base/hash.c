/* SPDX-License-Identifier: MIT */
#include "harness/base/hash.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <xxhash.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"

enum { HASH_CHUNK = 64 * 1024 };

/* XXH3's state asks for more alignment than malloc gives, so it is the library's to allocate. */
struct hash {
	XXH3_state_t *state;
};

static void to_text(XXH128_hash_t v, char ret[HASH_TEXT])
{
	(void)snprintf(ret, HASH_TEXT, "%016llx%016llx", (unsigned long long)v.high64,
		       (unsigned long long)v.low64);
}

struct hash *hash_begin(void)
{
	struct hash *h = mem_alloc(sizeof(*h));
	h->state = XXH3_createState();
	if (h->state == NULL)
		(void)mem_grow(NULL, (size_t)-1,
			       2); /* ends the process, as all lack of memory does */
	hash_reset(h);
	return h;
}

void hash_reset(struct hash *h)
{
	(void)XXH3_128bits_reset(h->state);
}

void hash_add(struct hash *h, const void *data, size_t len)
{
	(void)XXH3_128bits_update(h->state, data, len);
}

void hash_text_of(const struct hash *h, char ret[HASH_TEXT])
{
	to_text(XXH3_128bits_digest(h->state), ret);
}

void hash_free(struct hash *h)
{
	if (h == NULL)
		return;
	(void)XXH3_freeState(h->state);
	free(h);
}

void hash_text(const void *data, size_t len, char ret[HASH_TEXT])
{
	to_text(XXH3_128bits(data, len), ret);
}

int hash_fd(int fd, const char *name, char ret[HASH_TEXT], struct err *e)
{
	GUARD(mem) char *chunk = mem_alloc(HASH_CHUNK);
	struct hash *h = hash_begin();
	ssize_t n;
	for (;;) {
		n = read(fd, chunk, HASH_CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		hash_add(h, chunk, (size_t)n);
	}
	if (n < 0)
		(void)ERR(e, errno, "read '%s'", name);
	else
		hash_text_of(h, ret);
	hash_free(h);
	return n < 0 ? -1 : 0;
}

int hash_file(const char *path, char ret[HASH_TEXT], struct err *e)
{
	GUARD(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ERR(e, errno, "open '%s'", path);
	return hash_fd(fd, path, ret, e);
}
