/* SPDX-License-Identifier: MIT */
/*
 * Memory. Allocation failure ends the process with one line on stderr (exit 70): a drill's
 * process holds nothing that its death would leave behind (the kernel and `gc` collect it) and
 * its journal then reads as a killed harness. So no caller checks for NULL.
 */
#ifndef BACKOUT_BASE_MEM_H
#define BACKOUT_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);                       /* zeroed; free() */
void *mem_array(size_t count, size_t size);         /* zeroed, overflow-checked; free() */
void *mem_grow(void *p, size_t count, size_t size); /* realloc, overflow-checked */
char *mem_strdup(const char *s);                    /* free() */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* free() */

/* An arena frees everything that was taken from it at once. */
struct arena;
struct arena *arena_create(void);
void arena_destroy(struct arena *a);             /* NULL-safe */
void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned for any type */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
