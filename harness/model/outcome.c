/* SPDX-License-Identifier: MIT */
#include "harness/model/outcome.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	int exit;
	const char *help;
} rows[] = {
#define X(id, name, exit, help) { name, exit, help },
	OUTCOMES(X)
#undef X
};
static_assert(sizeof(rows) / sizeof(rows[0]) == OUTCOME_COUNT, "every outcome has its row");
static_assert(OUTCOME_COUNT <= 64, "sets of outcomes are 64-bit masks");

const char *outcome_name(enum outcome o)
{
	assert(o < OUTCOME_COUNT);
	return rows[o].name;
}

const char *outcome_help(enum outcome o)
{
	assert(o < OUTCOME_COUNT);
	return rows[o].help;
}

int outcome_exit(enum outcome o)
{
	assert(o < OUTCOME_COUNT);
	return rows[o].exit;
}

int outcome_from_name(const char *name)
{
	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		if (strcmp(rows[i].name, name) == 0)
			return (int)i;
	return -1;
}
