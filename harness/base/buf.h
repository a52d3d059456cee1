/* SPDX-License-Identifier: MIT */
/* A growing byte buffer, always NUL-terminated behind `len`. Zero-initialise it; buf_free(). */
#ifndef BACKOUT_BASE_BUF_H
#define BACKOUT_BASE_BUF_H

#include <stddef.h>

struct buf {
	char *data; /* NULL until the first byte; use buf_str() for a C string */
	size_t len, cap;
};

void buf_free(struct buf *b);
void buf_clear(struct buf *b);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *buf_str(const struct buf *b);
/* Hand the string over to the caller (free()); the buffer is empty again. */
char *buf_take(struct buf *b);
/* A JSON string literal with its quotes. A byte XX that is not UTF-8 becomes the character
 * U+10FFXX, written \udbff\udfXX (private use; PEP 383's lone surrogates are refused by many
 * readers, cJSON among them), so that every file name survives the round trip. */
void buf_json(struct buf *b, const char *s);
void buf_json_n(struct buf *b, const char *s, size_t len);

/* Length of the valid UTF-8 sequence at `text` (1 to 4), or 0. Overlong forms and surrogates are
 * not valid (RFC 3629, section 4). left > 0. */
size_t buf_utf8(const char *text, size_t left);

#define GUARD_BUF __attribute__((cleanup(buf_free)))

#endif
