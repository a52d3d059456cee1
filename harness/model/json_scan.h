/* SPDX-License-Identifier: MIT */
/* Private to json.c: the strict scanner that runs before cJSON and remembers positions. */
#ifndef BACKOUT_MODEL_JSON_SCAN_H
#define BACKOUT_MODEL_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/model/json.h"

#define JSON_NO_KEY UINT32_MAX

/* Byte offsets of one value, in the order in which the values begin. */
struct json_mark {
	uint32_t value, key;
};

struct json_marks {
	struct json_mark *items; /* free() */
	size_t count, cap;
};

/* Checks the grammar (RFC 8259 plus `//` comments) and blanks the comments in place, so that
 * columns stay. What cJSON would let through or get wrong is refused here. */
int json_scan(const char *name, char *text, size_t len, struct json_marks *ret, struct err *e);
/* The same text with the bytes that buf_json() could only write as \udbff\udfXX. */
void json_unescape_bytes(const char *text, size_t len, struct buf *ret);
struct json_pos json_offset_pos(const char *name, const char *text, size_t offset);

#endif
