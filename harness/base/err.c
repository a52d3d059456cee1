/* SPDX-License-Identifier: MIT */
#include "harness/base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool err_is_set(const struct err *e)
{
	return e->where != NULL;
}

void err_clear(struct err *e)
{
	memset(e, 0, sizeof(*e));
}

int err_set(struct err *e, const char *where, int code, int exit, const char *fmt, ...)
{
	assert(e != NULL);
	if (err_is_set(e))
		return -1;
	e->code = code;
	e->exit = exit;
	e->where = where;

	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(e->why, sizeof(e->why), fmt, ap);
	va_end(ap);
	if (code != 0 && n >= 0 && (size_t)n < sizeof(e->why))
		(void)snprintf(e->why + n, sizeof(e->why) - (size_t)n, ": %s", strerror(code));
	return -1;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	char head[ERR_WHY_MAX];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(head, sizeof(head), fmt, ap);
	va_end(ap);

	/* The tail gives way when both do not fit: the context says where to look. */
	static const char sep[] = ": ";
	size_t lead = strnlen(head, sizeof(head) - sizeof(sep) - 1);
	size_t skip = lead + sizeof(sep) - 1;
	size_t room = sizeof(e->why) - skip - 1;
	size_t tail = strnlen(e->why, room);
	memmove(e->why + skip, e->why, tail);
	e->why[skip + tail] = '\0';
	memcpy(e->why, head, lead);
	memcpy(e->why + lead, sep, sizeof(sep) - 1);
	return -1;
}
