/* SPDX-License-Identifier: MIT */
#include "harness/base/clock.h"

#include <stdio.h>
#include <time.h>

int64_t clock_now(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

const char *clock_text(int64_t ns, char *buf, size_t size)
{
	double v = (double)ns;
	if (ns >= 100 * NS_PER_S)
		(void)snprintf(buf, size, "%.0f s", v / 1e9);
	else if (ns >= 10 * NS_PER_S)
		(void)snprintf(buf, size, "%.1f s", v / 1e9);
	else if (ns >= NS_PER_S)
		(void)snprintf(buf, size, "%.2f s", v / 1e9);
	else if (ns >= NS_PER_MS)
		(void)snprintf(buf, size, "%.0f ms", v / 1e6);
	else
		(void)snprintf(buf, size, "%.0f us", v / 1e3);
	return buf;
}
