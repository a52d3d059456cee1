/* SPDX-License-Identifier: MIT */
#include "harness/probes/http_answer.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { STATUS_LINE_LEN = 12 }; /* "HTTP/1.1 200" */

enum framing { UNTIL_CLOSE, BY_LENGTH, CHUNKED };

struct head {
	enum framing framing;
	uint64_t length; /* BY_LENGTH: bytes of body */
	size_t size;     /* bytes up to and with the empty line */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *parse_status(const char *text, size_t len, unsigned *ret)
{
	static const char form[STATUS_LINE_LEN + 1] = "HTTP/1.d ddd";
	for (size_t i = 0; i < len && i < STATUS_LINE_LEN; i++) {
		bool fits = form[i] == 'd' ? is_digit(text[i]) : text[i] == form[i];
		if (!fits)
			return "no HTTP status line";
	}
	if (len <= STATUS_LINE_LEN)
		return NULL;
	if (text[STATUS_LINE_LEN] != ' ' && text[STATUS_LINE_LEN] != '\r' &&
	    text[STATUS_LINE_LEN] != '\n')
		return "no HTTP status line";
	*ret = (unsigned)((text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0'));
	return *ret < 100 ? "no HTTP status line" : NULL;
}

static bool parse_number(const char *text, size_t len, uint64_t *ret)
{
	*ret = 0;
	if (len == 0 || len > 15) /* far from overflow, far above the limit */
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(text[i]))
			return false;
		*ret = *ret * 10 + (uint64_t)(text[i] - '0');
	}
	return true;
}

/* One header line without its end. */
static const char *parse_header(const char *line, size_t len, struct head *head)
{
	const char *colon = memchr(line, ':', len);
	if (colon == NULL || colon == line)
		return "a header line has no name";
	const char *value = colon + 1;
	const char *end = line + len;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	size_t name_len = (size_t)(colon - line), value_len = (size_t)(end - value);
	if (name_len == 17 && strncasecmp(line, "Transfer-Encoding", 17) == 0) {
		if (value_len != 7 || strncasecmp(value, "chunked", 7) != 0)
			return "a transfer encoding that is not known";
		head->framing = CHUNKED;
	} else if (name_len == 14 && strncasecmp(line, "Content-Length", 14) == 0) {
		if (!parse_number(value, value_len, &head->length))
			return "Content-Length is no number";
		if (head->framing != CHUNKED)
			head->framing = BY_LENGTH;
	}
	return NULL;
}

/* head->size stays 0 while the empty line is not there. */
static const char *parse_head(const char *text, size_t len, struct head *head)
{
	const char *at = memchr(text, '\n', len); /* behind the status line */
	while (at != NULL) {
		const char *line = at + 1;
		at = memchr(line, '\n', len - (size_t)(line - text));
		if (at == NULL)
			return NULL;
		size_t line_len = (size_t)(at - line);
		if (line_len > 0 && line[line_len - 1] == '\r')
			line_len--;
		if (line_len == 0) {
			head->size = (size_t)(at + 1 - text);
			return NULL;
		}
		const char *why = parse_header(line, line_len, head);
		if (why != NULL)
			return why;
	}
	return NULL;
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The chunk-size line at `text`: HTTP_WHOLE when it is there. */
static enum http_progress parse_chunk_size(const char *text, size_t len, uint64_t *ret,
					   size_t *ret_line)
{
	size_t digits = 0;
	*ret = 0;
	for (; digits < len && hex_digit(text[digits]) >= 0; digits++) {
		if (digits == 12)
			return HTTP_GARBAGE;
		*ret = *ret * 16 + (uint64_t)hex_digit(text[digits]);
	}
	const char *end = memchr(text, '\n', len);
	if (digits == 0 && len > 0)
		return HTTP_GARBAGE;
	if (end == NULL)
		return HTTP_MORE;
	*ret_line = (size_t)(end + 1 - text);
	return HTTP_WHOLE;
}

static enum http_progress decode_chunks(struct http_answer *a, const char *text, size_t len)
{
	size_t at = 0;
	for (;;) {
		uint64_t size;
		size_t line;
		enum http_progress p = parse_chunk_size(text + at, len - at, &size, &line);
		if (p == HTTP_GARBAGE)
			a->why = "a chunk has no size";
		if (p != HTTP_WHOLE || size == 0)
			return p;
		at += line;
		size_t there = size < len - at ? (size_t)size : len - at;
		buf_add(&a->body, text + at, there);
		at += there;
		const char *end = memchr(text + at, '\n', len - at);
		if (there < size || end == NULL)
			return HTTP_MORE;
		at = (size_t)(end + 1 - text);
	}
}

static enum http_progress take_body(struct http_answer *a, const struct head *head,
				    const char *text, size_t len)
{
	if (head->framing == CHUNKED)
		return decode_chunks(a, text, len);
	bool no_body = a->status == 204 || a->status == 304;
	if (no_body)
		return HTTP_WHOLE;
	bool whole = head->framing == BY_LENGTH && len >= head->length;
	buf_add(&a->body, text, whole ? (size_t)head->length : len);
	return whole ? HTTP_WHOLE : HTTP_MORE;
}

enum http_progress http_answer_parse(struct http_answer *a, const char *text, size_t len,
				     bool closed)
{
	struct head head = { 0 };
	enum http_progress p = HTTP_MORE;
	buf_clear(&a->body);
	a->status = 0;
	a->why = parse_status(text, len, &a->status);
	if (a->why == NULL)
		a->why = parse_head(text, len, &head);
	if (a->why != NULL)
		return HTTP_GARBAGE;
	if (head.size > 0)
		p = take_body(a, &head, text + head.size, len - head.size);
	if (p != HTTP_MORE)
		return p;
	if (len >= HTTP_ANSWER_MAX && head.size == 0) {
		a->why = "its headers are longer than 64 KiB";
		return HTTP_GARBAGE;
	}
	if (len >= HTTP_ANSWER_MAX)
		return HTTP_LONG;
	if (!closed)
		return HTTP_MORE;
	return head.size > 0 && head.framing == UNTIL_CLOSE ? HTTP_WHOLE : HTTP_CUT;
}

void http_answer_free(struct http_answer *a)
{
	buf_free(&a->body);
}
