/* SPDX-License-Identifier: MIT */
/* Reading an HTTP/1.x answer (RFC 9112), strictly: as far as a health check needs it. */
#ifndef BACKOUT_PROBES_HTTP_ANSWER_H
#define BACKOUT_PROBES_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/base/buf.h"

enum { HTTP_ANSWER_MAX = 64 << 10 }; /* bytes of one answer that are looked at */

enum http_progress {
	HTTP_MORE,    /* not all there yet */
	HTTP_WHOLE,   /* as long as its own headers say, or ended by the server's close */
	HTTP_GARBAGE, /* no HTTP: `why` says what is wrong */
	HTTP_CUT,     /* the server closed before the answer was whole */
	HTTP_LONG,    /* longer than HTTP_ANSWER_MAX: judged by its beginning */
};

struct http_answer {
	unsigned status; /* 0: no status line yet */
	struct buf body; /* decoded; http_answer_free() */
	const char *why; /* static */
};

/* Parses all of `text` (len bytes so far) anew. `closed`: the server will send no more. */
enum http_progress http_answer_parse(struct http_answer *a, const char *text, size_t len,
				     bool closed);
void http_answer_free(struct http_answer *a);

#endif
