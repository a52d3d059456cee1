/* SPDX-License-Identifier: MIT */
/* One line of a fingerprint: how it is written, how it is read back, how lines are ordered. */
#include "harness/model/state.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "harness/model/state_line.h"

static const char *const kind_names[] = {
#define X(id, name) name,
	STATE_KINDS(X)
#undef X
};
static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == STATE_KIND_COUNT,
	      "every kind has its name");

const char *state_kind_name(enum state_kind k)
{
	assert(k < STATE_KIND_COUNT);
	return kind_names[k];
}

void state_line_begin(struct buf *out, enum state_kind k, const char *key)
{
	buf_puts(out, "{\"kind\":\"");
	buf_puts(out, state_kind_name(k));
	buf_puts(out, "\",\"key\":");
	buf_json(out, key);
}

void state_line_str(struct buf *out, const char *attr, const char *value)
{
	buf_putc(out, ',');
	buf_json(out, attr);
	buf_putc(out, ':');
	buf_json(out, value);
}

void state_line_int(struct buf *out, const char *attr, int64_t value)
{
	buf_putc(out, ',');
	buf_json(out, attr);
	buf_printf(out, ":%" PRId64, value);
}

void state_line_end(struct buf *out)
{
	buf_puts(out, "}\n");
}

int state_order(enum state_kind ka, const char *key_a, enum state_kind kb, const char *key_b)
{
	if (ka != kb)
		return ka < kb ? -1 : 1;
	return strcmp(key_a, key_b);
}

/*
 * Reading. The lines are our own, in exactly the form that the writer above gives them, so this
 * is a scanner of that form and not a JSON parser: it turns the stand-ins of buf_json() back
 * into raw bytes, which a JSON library cannot.
 */
struct scan {
	const char *p, *end;
	struct arena *arena;
};

static bool literal(struct scan *s, const char *text)
{
	size_t n = strlen(text);
	if ((size_t)(s->end - s->p) < n || memcmp(s->p, text, n) != 0)
		return false;
	s->p += n;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* The 4 digits behind "\u"; -1 when they are not there. */
static int hex4(struct scan *s)
{
	int v = 0;
	if (s->end - s->p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int d = hex_digit(*s->p++);
		if (d < 0)
			return -1;
		v = v * 16 + d;
	}
	return v;
}

/* One character behind a backslash; -1 when the writer never writes that. */
static int unescape(struct scan *s)
{
	if (s->p == s->end)
		return -1;
	char c = *s->p++;
	if (c == '"' || c == '\\')
		return c;
	if (c == 'n')
		return '\n';
	if (c != 'u')
		return -1;
	int v = hex4(s);
	if (v > 0 && v < 0x80)
		return v;
	if (v != 0xdbff || !literal(s, "\\u"))
		return -1;
	v = hex4(s);
	return v >= 0xdf80 && v <= 0xdfff ? v & 0xff : -1;
}

static const char *string(struct scan *s)
{
	if (!literal(s, "\""))
		return NULL;
	/* What is read is never longer than what was written. */
	size_t room = 0;
	while (s->p + room < s->end && s->p[room] != '"')
		room += s->p[room] == '\\' ? 2 : 1;
	if (s->p + room >= s->end)
		return NULL;
	char *text = arena_alloc(s->arena, room + 1);
	size_t n = 0;
	while (*s->p != '"') {
		int c = (unsigned char)*s->p++;
		if (c < 0x20) /* the writer escapes these, and a NUL cannot be in a text */
			return NULL;
		if (c == '\\')
			c = unescape(s);
		if (c < 0)
			return NULL;
		text[n++] = (char)c;
	}
	s->p++;
	return text;
}

static const char *integer(struct scan *s)
{
	const char *from = s->p;
	if (s->p < s->end && *s->p == '-')
		s->p++;
	const char *digits = s->p;
	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > digits ? arena_strndup(s->arena, from, (size_t)(s->p - from)) : NULL;
}

static bool read_head(struct scan *s, struct state_entry *ret)
{
	if (!literal(s, "{\"kind\":\""))
		return false;
	for (size_t k = 0; k < STATE_KIND_COUNT; k++) {
		size_t n = strlen(kind_names[k]);
		if ((size_t)(s->end - s->p) > n && s->p[n] == '"' &&
		    memcmp(s->p, kind_names[k], n) == 0) {
			s->p += n + 1;
			ret->kind = (enum state_kind)k;
			ret->key = literal(s, ",\"key\":") ? string(s) : NULL;
			return ret->key != NULL;
		}
	}
	return false;
}

bool state_line_key(struct arena *arena, const char *line, size_t len, struct state_entry *ret)
{
	struct scan s = { .p = line, .end = line + len, .arena = arena };
	ret->attr_count = 0;
	return read_head(&s, ret);
}

bool state_line_read(struct arena *arena, const char *line, size_t len, struct state_entry *ret)
{
	struct scan s = { .p = line, .end = line + len, .arena = arena };
	ret->attr_count = 0;
	if (!read_head(&s, ret))
		return false;
	while (literal(&s, ",")) {
		if (ret->attr_count == STATE_ATTRS_MAX)
			return false;
		struct state_attr *a = &ret->attrs[ret->attr_count++];
		a->name = string(&s);
		if (a->name == NULL || !literal(&s, ":"))
			return false;
		a->value = s.p < s.end && *s.p == '"' ? string(&s) : integer(&s);
		if (a->value == NULL)
			return false;
	}
	return literal(&s, "}") && s.p == s.end;
}
