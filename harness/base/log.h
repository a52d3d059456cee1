/* SPDX-License-Identifier: MIT */
/* Messages for a person on stderr. Results go to stdout and are no business of this file. */
#ifndef BACKOUT_BASE_LOG_H
#define BACKOUT_BASE_LOG_H

#include <stdbool.h>

#include "harness/base/err.h"

void log_set_quiet(bool quiet); /* drops notes, keeps warnings and errors */
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "backout: why"; with BACKOUT_DEBUG set also the place in the source. Returns e->exit. */
int log_err(const struct err *e);

#endif
