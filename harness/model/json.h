/* SPDX-License-Identifier: MIT */
/*
 * JSON with `//` comments and positions. The one file that names cJSON is json.c; the rest of
 * the harness sees `struct json`.
 *
 * cJSON's own traps are closed here: trailing text, duplicate keys, comments, case-blind
 * look-ups and rounded integers are handled or refused (with line and column).
 */
#ifndef BACKOUT_MODEL_JSON_H
#define BACKOUT_MODEL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"

struct json_doc;
struct json; /* a value inside a document; lives as long as it */

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

enum { JSON_TEXT_MAX = 4 << 20, JSON_DEPTH_MAX = 64 };

/* `name` appears in errors ("name:line:column: ..."). Comments are allowed, duplicate keys and
 * trailing text are errors (exit 65). `text` is copied. */
int json_parse(struct json_doc **ret, const char *name, const char *text, size_t len,
	       struct err *e);
void json_doc_free(struct json_doc *d); /* NULL-safe */
const struct json *json_root(const struct json_doc *d);

enum json_type json_type(const struct json *v);
const char *json_type_name(const struct json *v); /* "a string", "an object", ... */
const char *json_key(const struct json *v);       /* its name in its object, or NULL */
const char *json_string(const struct json *v);    /* NULL unless a string */
bool json_bool(const struct json *v);             /* false unless true */
double json_number(const struct json *v);
/* Exact integers only; false when it is not one or out of range. */
bool json_int64(const struct json *v, int64_t *ret);
size_t json_size(const struct json *v);              /* members or elements; 0 for others */
const struct json *json_first(const struct json *v); /* child list of an object or array */
const struct json *json_next(const struct json *v);
const struct json *json_get(const struct json *object, const char *key); /* exact case; NULL */
/* Convenience for journals: string or integer member, with a fallback. */
const char *json_get_string(const struct json *object, const char *key, const char *fallback);
int64_t json_get_int(const struct json *object, const char *key, int64_t fallback);
bool json_get_bool(const struct json *object, const char *key, bool fallback);

/* As text again, compact. */
struct buf;
void json_print(const struct json *v, struct buf *out);
/* The same, but for its strings: `write` writes each as a JSON string. Keys stay as they are. */
struct json_strings {
	void (*write)(const void *arg, const struct json *string, struct buf *out);
	const void *arg;
};
void json_print_strings(const struct json *v, const struct json_strings *strings, struct buf *out);

/* Where a value (or its key) stands. 1-based; columns count bytes. */
struct json_pos {
	const char *name;
	unsigned line, column;
};
struct json_pos json_value_pos(const struct json_doc *d, const struct json *v);
struct json_pos json_key_pos(const struct json_doc *d, const struct json *v);

/* "name:line:column: message", exit 65; returns -1. */
int json_err(struct err *e, const struct json_doc *d, const struct json *v, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int json_key_err(struct err *e, const struct json_doc *d, const struct json *v, const char *fmt,
		 ...) __attribute__((format(printf, 4, 5)));

/* The known name nearest to `word` by edit distance (at most a third of its length), or NULL. */
const char *json_nearest(const char *word, const char *const *names, size_t count);

#endif
