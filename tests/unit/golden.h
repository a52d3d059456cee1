/* SPDX-License-Identifier: MIT */
/* Texts to compare with, in tests/unit/golden. BACKOUT_GOLDEN=write writes them anew. */
#ifndef TESTS_UNIT_GOLDEN_H
#define TESTS_UNIT_GOLDEN_H

#include <stddef.h>

/* Fails the test, and prints what was written, when `name` holds something else. */
void same_as_golden(const char *name, const char *text, size_t len);

#endif
