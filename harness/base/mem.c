/* SPDX-License-Identifier: MIT */
#include "harness/base/mem.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/err.h"

static void *must(void *p)
{
	if (p == NULL) {
		static const char text[] = "backout: out of memory\n";
		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
		_exit(EXIT_HARNESS);
	}
	return p;
}

void *mem_alloc(size_t size)
{
	return must(calloc(1, size > 0 ? size : 1));
}

void *mem_array(size_t count, size_t size)
{
	return must(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *mem_grow(void *p, size_t count, size_t size)
{
	return must(reallocarray(p, count > 0 ? count : 1, size > 0 ? size : 1));
}

char *mem_strdup(const char *s)
{
	return must(strdup(s));
}

char *mem_printf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return must(n < 0 ? NULL : s);
}

/* Bytes. An arena begins small: a sweep keeps tens of thousands, one for each line of a journal. */
enum { ARENA_CHUNK_MIN = 512, ARENA_CHUNK_MAX = 16384 };

struct chunk {
	struct chunk *next;
	size_t used, size;
	alignas(max_align_t) unsigned char data[];
};

struct arena {
	struct chunk *head;
};

struct arena *arena_create(void)
{
	return mem_alloc(sizeof(struct arena));
}

void arena_destroy(struct arena *a)
{
	if (a == NULL)
		return;
	for (struct chunk *c = a->head; c != NULL;) {
		struct chunk *next = c->next;
		free(c);
		c = next;
	}
	free(a);
}

void *arena_alloc(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	size = (size + align - 1) / align * align;
	struct chunk *c = a->head;
	if (c == NULL || c->size - c->used < size) {
		size_t room = c == NULL ? ARENA_CHUNK_MIN : c->size * 2;
		if (room > ARENA_CHUNK_MAX)
			room = ARENA_CHUNK_MAX;
		if (room < size)
			room = size;
		c = must(calloc(1, sizeof(*c) + room));
		c->size = room;
		c->next = a->head;
		a->head = c;
	}
	void *p = c->data + c->used;
	c->used += size;
	return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy = arena_alloc(a, len + 1);
	memcpy(copy, s, len);
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		must(NULL);
	char *s = arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	(void)vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}
