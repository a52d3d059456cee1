/* SPDX-License-Identifier: MIT */
#include "harness/model/json_scan.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/mem.h"

enum { NUMBER_MAX = 60 }; /* characters; cJSON silently cuts a longer one */

struct scan {
	const char *name;
	char *text; /* NUL-terminated behind len */
	size_t len, at;
	struct json_marks *marks;
	struct err *e;
};

struct json_pos json_offset_pos(const char *name, const char *text, size_t offset)
{
	struct json_pos p = { .name = name, .line = 1, .column = 1 };
	for (size_t i = 0; i < offset; i++) {
		p.column++;
		if (text[i] == '\n') {
			p.line++;
			p.column = 1;
		}
	}
	return p;
}

static int fail(const struct scan *s, size_t offset, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(const struct scan *s, size_t offset, const char *fmt, ...)
{
	char why[ERR_WHY_MAX];
	struct json_pos p = json_offset_pos(s->name, s->text, offset);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return ERR_AS(s->e, EXIT_BAD_SCENARIO, 0, "%s:%u:%u: %s", p.name, p.line, p.column, why);
}

static int fail_found(const struct scan *s, const char *expected)
{
	if (s->at >= s->len)
		return fail(s, s->at, "the text ends here; expected %s", expected);
	unsigned char c = (unsigned char)s->text[s->at];
	if (c < 0x20 || c >= 0x7F)
		return fail(s, s->at, "found byte 0x%02x; expected %s", c, expected);
	return fail(s, s->at, "found '%c'; expected %s", c, expected);
}

static void skip_space(struct scan *s)
{
	while (s->at < s->len) {
		char c = s->text[s->at];
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			s->at++;
		} else if (c == '/' && s->text[s->at + 1] == '/') {
			while (s->at < s->len && s->text[s->at] != '\n')
				s->text[s->at++] = ' ';
		} else {
			return;
		}
	}
}

static bool take(struct scan *s, char c)
{
	if (s->at >= s->len || s->text[s->at] != c)
		return false;
	s->at++;
	return true;
}

/* The code unit of \uXXXX whose backslash is at `p`; -1 when it is none. */
static int code_unit(const char *p, size_t left)
{
	int unit = 0;
	if (left < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		const char *digits = "0123456789abcdef";
		const char *d = p[i] != '\0' ? strchr(digits, p[i] | 0x20) : NULL;
		if (d == NULL || (p[i] < '0' || (p[i] > '9' && p[i] < 'A')))
			return -1;
		unit = unit * 16 + (int)(d - digits);
	}
	return unit;
}

static bool is_high(int unit)
{
	return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low(int unit)
{
	return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* The byte that buf_json() wrote as \udbff\udfXX, or -1. */
static int stand_in(const char *p, size_t left)
{
	int low = left >= 12 ? code_unit(p + 6, left - 6) : -1;
	return code_unit(p, left) == 0xDBFF && low >= 0xDF80 && low <= 0xDFFF ? low & 0xFF : -1;
}

static int scan_escape(struct scan *s)
{
	const char *p = s->text + s->at;
	size_t left = s->len - s->at;
	if (left >= 2 && p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) != NULL) {
		s->at += 2;
		return 0;
	}
	int unit = code_unit(p, left);
	if (unit < 0)
		return fail(s, s->at, "unknown escape in a string; a backslash itself is \"\\\\\"");
	if (unit == 0)
		return fail(s, s->at, "\\u0000 cannot stand in a string");
	if (is_high(unit)) {
		if (!is_low(code_unit(p + 6, left - 6)))
			return fail(s, s->at, "half of a surrogate pair");
		s->at += 6;
	} else if (is_low(unit)) {
		return fail(s, s->at, "half of a surrogate pair");
	}
	s->at += 6;
	return 0;
}

static int scan_string(struct scan *s)
{
	size_t begin = s->at++;
	while (s->at < s->len) {
		unsigned char c = (unsigned char)s->text[s->at];
		if (c == '"') {
			s->at++;
			return 0;
		}
		if (c == '\n')
			return fail(s, begin,
				    "this string does not end on its line; expected '\"'");
		if (c < 0x20)
			return fail(s, s->at, "byte 0x%02x in a string; write it as \\u%04x", c, c);
		if (c != '\\')
			s->at++;
		else if (scan_escape(s) < 0)
			return -1;
	}
	return fail(s, begin, "this string does not end; expected '\"'");
}

static size_t scan_digits(struct scan *s)
{
	size_t begin = s->at;
	while (s->at < s->len && s->text[s->at] >= '0' && s->text[s->at] <= '9')
		s->at++;
	return s->at - begin;
}

static int scan_number(struct scan *s)
{
	size_t begin = s->at;
	(void)take(s, '-');
	bool zero = s->at < s->len && s->text[s->at] == '0';
	size_t digits = scan_digits(s);
	bool good = digits > 0 && (!zero || digits == 1);
	if (good && take(s, '.'))
		good = scan_digits(s) > 0;
	if (good && (take(s, 'e') || take(s, 'E'))) {
		if (!take(s, '+'))
			(void)take(s, '-');
		good = scan_digits(s) > 0;
	}
	if (!good)
		return fail(s, begin, "this is not a number as JSON writes it");
	if (s->at - begin > NUMBER_MAX)
		return fail(s, begin, "a number of more than %d characters", NUMBER_MAX);
	return 0;
}

static int scan_word(struct scan *s)
{
	static const char *const words[] = { "true", "false", "null" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i]);
		if (s->len - s->at >= n && memcmp(s->text + s->at, words[i], n) == 0) {
			s->at += n;
			return 0;
		}
	}
	return fail_found(s, "a value (an object, a list, a string in double quotes, a number, "
			     "true, false or null)");
}

static void mark(struct scan *s, size_t key)
{
	struct json_marks *m = s->marks;
	if (m->count == m->cap) {
		m->cap = m->cap > 0 ? m->cap * 2 : 16;
		m->items = mem_grow(m->items, m->cap, sizeof(*m->items));
	}
	m->items[m->count].value = (uint32_t)s->at;
	m->items[m->count++].key = (uint32_t)key;
}

static int scan_value(struct scan *s, size_t key, unsigned depth);

static int scan_member(struct scan *s, unsigned depth)
{
	size_t key = s->at;
	if (s->at >= s->len || s->text[s->at] != '"')
		return fail_found(s, "a field's name in double quotes");
	if (scan_string(s) < 0)
		return -1;
	skip_space(s);
	if (!take(s, ':'))
		return fail_found(s, "':' after the field's name");
	skip_space(s);
	return scan_value(s, key, depth);
}

static int scan_container(struct scan *s, char close, unsigned depth)
{
	bool object = close == '}';
	if (depth >= JSON_DEPTH_MAX)
		return fail(s, s->at, "nested deeper than %d levels", JSON_DEPTH_MAX);
	s->at++;
	skip_space(s);
	if (take(s, close))
		return 0;
	for (;;) {
		if ((object ? scan_member(s, depth + 1) : scan_value(s, JSON_NO_KEY, depth + 1)) <
		    0)
			return -1;
		skip_space(s);
		if (take(s, close))
			return 0;
		size_t comma = s->at;
		if (!take(s, ','))
			return fail_found(s, object ? "',' or '}'" : "',' or ']'");
		skip_space(s);
		if (s->at < s->len && s->text[s->at] == close)
			return fail(s, comma, "a comma with nothing after it; remove it");
	}
}

static int scan_value(struct scan *s, size_t key, unsigned depth)
{
	mark(s, key);
	char c = s->at < s->len ? s->text[s->at] : '\0';
	if (c == '{')
		return scan_container(s, '}', depth);
	if (c == '[')
		return scan_container(s, ']', depth);
	if (c == '"')
		return scan_string(s);
	if (c == '-' || (c >= '0' && c <= '9'))
		return scan_number(s);
	return scan_word(s);
}

int json_scan(const char *name, char *text, size_t len, struct json_marks *ret, struct err *e)
{
	struct scan s = { .name = name, .text = text, .len = len, .marks = ret, .e = e };
	if (len > JSON_TEXT_MAX)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "%s: %zu bytes, more than the %d allowed",
			      name, len, JSON_TEXT_MAX);
	skip_space(&s);
	if (scan_value(&s, JSON_NO_KEY, 0) < 0)
		return -1;
	skip_space(&s);
	if (s.at < len)
		return fail(&s, s.at, "text after the end of the value; remove it");
	return 0;
}

void json_unescape_bytes(const char *text, size_t len, struct buf *ret)
{
	size_t begin = 0;
	for (size_t i = 0; i < len;) {
		/* Outside strings there are no backslashes: the scanner has seen to it. */
		if (text[i] != '\\') {
			i++;
			continue;
		}
		int unit = code_unit(text + i, len - i);
		int byte = stand_in(text + i, len - i);
		if (byte >= 0) {
			buf_add(ret, text + begin, i - begin);
			buf_putc(ret, (char)byte);
			begin = i + 12;
		}
		i += unit < 0 ? 2 : (is_high(unit) ? 12 : 6);
	}
	buf_add(ret, text + begin, len - begin);
}
