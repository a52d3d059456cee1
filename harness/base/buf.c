/* SPDX-License-Identifier: MIT */
#include "harness/base/buf.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

static void reserve(struct buf *b, size_t more)
{
	if (b->cap - b->len > more)
		return;
	size_t cap = b->cap > 0 ? b->cap : 64;
	while (cap - b->len <= more)
		cap *= 2;
	b->data = mem_grow(b->data, cap, 1);
	b->cap = cap;
}

void buf_free(struct buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	reserve(b, len);
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n <= 0)
		return;
	reserve(b, (size_t)n);
	va_start(ap, fmt);
	(void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

const char *buf_str(const struct buf *b)
{
	return b->data != NULL ? b->data : "";
}

char *buf_take(struct buf *b)
{
	char *s = b->data != NULL ? b->data : mem_strdup("");
	memset(b, 0, sizeof(*b));
	return s;
}

size_t buf_utf8(const char *text, size_t left)
{
	const unsigned char *s = (const unsigned char *)text;
	static const struct {
		unsigned char lo, hi, second_lo, second_hi;
		size_t len;
	} rows[] = {
		{ 0xC2, 0xDF, 0x80, 0xBF, 2 }, { 0xE0, 0xE0, 0xA0, 0xBF, 3 },
		{ 0xE1, 0xEC, 0x80, 0xBF, 3 }, { 0xED, 0xED, 0x80, 0x9F, 3 },
		{ 0xEE, 0xEF, 0x80, 0xBF, 3 }, { 0xF0, 0xF0, 0x90, 0xBF, 4 },
		{ 0xF1, 0xF3, 0x80, 0xBF, 4 }, { 0xF4, 0xF4, 0x80, 0x8F, 4 },
	};
	if (s[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (s[0] < rows[i].lo || s[0] > rows[i].hi)
			continue;
		if (left < rows[i].len || s[1] < rows[i].second_lo || s[1] > rows[i].second_hi)
			return 0;
		for (size_t k = 2; k < rows[i].len; k++)
			if (s[k] < 0x80 || s[k] > 0xBF)
				return 0;
		return rows[i].len;
	}
	return 0;
}

/* U+10FF80..U+10FFFF stand for raw bytes below, so a text that really holds one of them is
 * written byte by byte as well: no two texts have the same literal. */
static bool is_stand_in(const unsigned char *s, size_t len)
{
	return len == 4 && s[0] == 0xF4 && s[1] == 0x8F && s[2] >= 0xBE;
}

void buf_json_n(struct buf *b, const char *s, size_t len)
{
	const unsigned char *u = (const unsigned char *)s;
	buf_putc(b, '"');
	for (size_t i = 0; i < len;) {
		size_t run = i;
		while (run < len && u[run] >= 0x20 && u[run] < 0x7F && u[run] != '"' &&
		       u[run] != '\\')
			run++;
		if (run > i) {
			buf_add(b, s + i, run - i);
			i = run;
			continue;
		}
		size_t n = buf_utf8(s + i, len - i);
		if (is_stand_in(u + i, n))
			n = 0;
		if (u[i] == '"' || u[i] == '\\')
			buf_printf(b, "\\%c", s[i]);
		else if (u[i] == '\n')
			buf_puts(b, "\\n");
		else if (u[i] < 0x20 || u[i] == 0x7F)
			buf_printf(b, "\\u%04x", u[i]);
		else if (n == 0)
			buf_printf(b, "\\udbff\\udf%02x", u[i]);
		else
			buf_add(b, s + i, n);
		i += n > 0 ? n : 1;
	}
	buf_putc(b, '"');
}

void buf_json(struct buf *b, const char *s)
{
	buf_json_n(b, s, strlen(s));
}
