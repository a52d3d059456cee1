/* SPDX-License-Identifier: MIT */
/*
 * The fingerprint of a node as text: one JSON object a line, sorted by (kind, key), unmasked.
 *
 *	{"kind":"file","key":"/etc/hosts","type":"file","mode":"0644","uid":0,...}
 *
 * Attributes are strings or integers and all count in a comparison, but those whose name begins
 * with "@", which only inform ("@owner": the package that dpkg says owns the file). Equal states
 * are equal bytes but for "@" attributes. Comparing is a merge of two sorted texts: lines that
 * are the same are never parsed.
 */
#ifndef BACKOUT_MODEL_STATE_H
#define BACKOUT_MODEL_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/base/mem.h"
#include "harness/model/plan.h"

/* kind and its name, in the order in which they stand in a file.
 * FILE    key: path. type mode uid gid size xxh3 target rdev nlink xattr:NAME links
 *         (a pid file's content is recorded as what it names: pid="live:/usr/sbin/nginx" or
 *         pid="stale", never the number)
 * PACKAGE key: name:arch. version status ("install ok installed")
 * LISTEN  key: "tcp 0.0.0.0:80". (attributes: n, how many)
 * PROCESS key: the canonical "exe|deleted|uid|argv" text. n, how many alike
 * MOUNT   key: mount point. fstype options source
 * ALSO    key: its name. xxh3 size text (up to 4 KiB of it)
 */
/* clang-format off */
#define STATE_KINDS(X) X(FILE, "file") X(PACKAGE, "package") X(LISTEN, "listen") \
	X(PROCESS, "process") X(MOUNT, "mount") X(ALSO, "also")
enum state_kind {
#define X(id, name) STATE_##id,
	STATE_KINDS(X)
#undef X
	STATE_KIND_COUNT
};
/* clang-format on */
const char *state_kind_name(enum state_kind k);

/* Writing one line. Attributes in the order given; the same order always, so that equal entries
 * are equal lines. */
void state_line_begin(struct buf *out, enum state_kind k, const char *key);
void state_line_str(struct buf *out, const char *attr, const char *value);
void state_line_int(struct buf *out, const char *attr, int64_t value);
void state_line_end(struct buf *out);
/* Orders two entries as they must stand in a file: by kind, then by key bytes. */
int state_order(enum state_kind ka, const char *key_a, enum state_kind kb, const char *key_b);

struct state_text {
	const char *data; /* NULL: this state was not captured */
	size_t len;
};

enum change_what { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_CHANGED };

struct change_attr {
	const char *name;
	const char *before, *after; /* NULL: absent on that side; integers as text */
};

struct change {
	enum state_kind kind;
	enum change_what what;
	const char *node;
	const char *key;
	const char *owner;         /* package, or NULL */
	struct change_attr *attrs; /* CHANGED: those that differ; else a few that describe it */
	size_t attr_count;
	const char *hidden_by; /* after state_mask(): the mask or ignore row that hides it */
	const char *hidden_why;
};

struct changes { /* zero-initialise; grows in the arena of state_diff() */
	struct change *items;
	size_t count, room;
};

/* Everything in `after` that is too much, too little or different from `before`. Appends to
 * `ret`; texts live in `arena`. A malformed or unsorted line is an error (exit 70). */
int state_diff(struct arena *arena, const char *node, struct state_text before,
	       struct state_text after, struct changes *ret, struct err *e);

/* A copy of the items and all their texts into `arena`. */
struct changes state_changes_copy(struct arena *arena, const struct changes *c);

/* A named mask: documented path patterns with what is still compared. */
struct mask_row {
	const char *path; /* as ignore_plan.path; a PROCESS, LISTEN... entry is never masked */
	enum ignore_compare compare;
	const char *why;
};
struct mask {
	const char *name, *help;
	const struct mask_row *rows;
	size_t row_count;
};
extern const struct mask *const state_masks[]; /* NULL-terminated */
const struct mask *state_mask_find(const char *name);

/* Marks (hidden_by: the mask's name, or the pattern of an ignore row; the first that hides it)
 * what the plan's masks and ignore rows hide. Only FILE entries can be hidden.
 * NOTHING is compared: hidden. EXISTENCE: a changed entry is hidden, an added or removed one is
 * not. META: an entry of which only content differs (size, xxh3, target, nlink, links, pid) is
 * hidden. Returns how many remain visible. */
size_t state_mask(const struct state_plan *plan, struct changes *changes);

/* path pattern match: '*' within a name, '**' across names, '?' one byte but '/'; a whole name
 * that is '**' stands for any number of names, also none; but "/a/" and '**' is not "/a". */
bool state_path_match(const char *pattern, const char *path);

/* Entries (node, kind, key) of `changes` that also are in `noise` are marked hidden_by "noise",
 * no further than the noise goes: where two controls differ in an attribute, another attribute
 * or a missing entry remains visible. Both lists as state_diff() gave them, node by node in the
 * same order. Returns how many remain visible. */
size_t state_mask_noise(const struct changes *noise, struct changes *changes);

#endif
