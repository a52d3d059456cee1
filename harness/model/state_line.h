/* SPDX-License-Identifier: MIT */
/* Reading the lines that state.c writes; for the comparison of fingerprints alone. */
#ifndef BACKOUT_MODEL_STATE_LINE_H
#define BACKOUT_MODEL_STATE_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/base/mem.h"
#include "harness/model/state.h"

enum { STATE_ATTRS_MAX = 64 }; /* of one entry; a file has about ten, and its xattrs */

struct state_attr {
	const char *name, *value; /* integers as text */
};

struct state_entry {
	enum state_kind kind;
	const char *key;
	struct state_attr attrs[STATE_ATTRS_MAX];
	size_t attr_count;
};

/* `line` without its newline; the texts go to `arena`. False: not a line of ours. The first
 * reads the kind and the key alone. */
bool state_line_key(struct arena *arena, const char *line, size_t len, struct state_entry *ret);
bool state_line_read(struct arena *arena, const char *line, size_t len, struct state_entry *ret);

#endif
