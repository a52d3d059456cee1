/* SPDX-License-Identifier: MIT */
/* Time: int64_t nanoseconds on CLOCK_MONOTONIC everywhere; wall time only names folders. */
#ifndef BACKOUT_BASE_CLOCK_H
#define BACKOUT_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

int64_t clock_now(void);
/* "1.234 s", "87 ms", "640 us": three significant digits are enough for a reader. */
const char *clock_text(int64_t ns, char *buf, size_t size);

#endif
