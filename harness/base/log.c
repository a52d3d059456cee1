/* SPDX-License-Identifier: MIT */
#include "harness/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static bool log_quiet;

void log_set_quiet(bool quiet)
{
	log_quiet = quiet;
}

__attribute__((format(printf, 2, 0))) static void say(const char *kind, const char *fmt, va_list ap)
{
	flockfile(stderr);
	(void)fprintf(stderr, "backout: %s", kind);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	funlockfile(stderr);
}

void log_note(const char *fmt, ...)
{
	if (log_quiet)
		return;
	va_list ap;
	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("warning: ", fmt, ap);
	va_end(ap);
}

int log_err(const struct err *e)
{
	if (getenv("BACKOUT_DEBUG") != NULL)
		(void)fprintf(stderr, "backout: %s [%s]\n", e->why, e->where);
	else
		(void)fprintf(stderr, "backout: %s\n", e->why);
	return e->exit;
}
