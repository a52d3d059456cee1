/* SPDX-License-Identifier: MIT */
#include "reports/list.h"

#include <stddef.h>
#include <string.h>

#include "reports/report.h"

#define X(name) extern const struct report_format report_##name;
REPORTS(X)
#undef X

const struct report_format *const report_formats[] = {
#define X(name) &report_##name,
	REPORTS(X)
#undef X
		NULL,
};

const struct report_format *report_find(const char *name)
{
	for (size_t i = 0; report_formats[i] != NULL; i++)
		if (strcmp(report_formats[i]->name, name) == 0)
			return report_formats[i];
	return NULL;
}
