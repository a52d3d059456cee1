/* SPDX-License-Identifier: MIT */
/* What the capture_*.c files share. No other file includes this. */
#ifndef BACKOUT_SANDBOX_CAPTURE_INTERNAL_H
#define BACKOUT_SANDBOX_CAPTURE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/base/hash.h"
#include "harness/sandbox/capture.h"

struct capture {
	struct node *node;
	struct capture_cache *cache;        /* may be NULL */
	const struct capture_base *base;    /* may be NULL */
	int64_t started;                    /* CLOCK_REALTIME, ns: as ctime counts */
	struct buf out;                     /* not yet written */
	const struct state_base *told_from; /* NULL: written as it comes; else all is kept */
	int fd;
	struct hash *digest; /* of what was written */
	size_t entries;
};
/* After each line: counts it and writes when enough has gathered. */
int capture_line(struct capture *c, struct err *e);

/* The parts, in the order of the kinds. */
int capture_files(struct capture *c, struct err *e);
int capture_packages(struct capture *c, struct err *e);
int capture_listen(struct capture *c, struct err *e);
int capture_processes(struct capture *c, struct err *e);
int capture_mounts(struct capture *c, struct err *e);

/* Of /proc/PID. 1: read; 0: the process or the table is gone. */
int capture_read_proc(pid_t pid, const char *name, struct buf *ret, struct err *e);

/* All paths of a tree, sorted by their bytes: "/a-b" stands before "/a/b". */
struct path_list {
	char *text; /* a type byte (DT_*), then the path and its NUL */
	size_t len, cap;
	uint32_t *items; /* offsets of the type bytes */
	size_t count, item_cap;
};
/* In no order. MEMORY: the memory file systems of every node alone. */
enum path_scope { PATHS_ALL, PATHS_MEMORY };
int path_list_read(int root_fd, enum path_scope scope, struct path_list *ret, struct err *e);
/* What lies below such a folder is not listed: its line has one digest of all that
 * (capture_files.c). No path that is listed is too long to be opened by it. */
bool path_is_deep(const char *folder);
void path_list_add(struct path_list *l, unsigned char type, const char *path);
void path_list_sort(struct path_list *l);
void path_list_free(struct path_list *l);

/* Strings that may come several times; written sorted, once each, with their number as `n`. */
struct tally {
	char **items;
	size_t count, cap;
};
void tally_add(struct tally *t, char *text); /* takes it over */
int tally_write(struct tally *t, struct capture *c, enum state_kind kind, struct err *e);
void tally_free(struct tally *t);

bool capture_cache_find(const struct capture_cache *cache, const struct stat *st,
			char ret[HASH_TEXT]);
void capture_cache_put(struct capture_cache *cache, const struct stat *st,
		       const char hash[HASH_TEXT]);
/* Ignored when the file is too young to be trusted at `now` (CLOCK_REALTIME, ns). */
void capture_cache_add(struct capture_cache *cache, const struct stat *st, int64_t now,
		       const char hash[HASH_TEXT]);

#endif
