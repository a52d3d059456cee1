/* SPDX-License-Identifier: MIT */
#include "tests/unit/runner.h"

#define X(name) Suite *suite_##name(void);
#include SUITES_INC
#undef X

static Suite *(*const make[])(void) = {
#define X(name) suite_##name,
#include SUITES_INC
#undef X
	NULL,
};
static const char *const names[] = {
#define X(name) #name,
#include SUITES_INC
#undef X
	NULL,
};

int main(int argc, char **argv)
{
	return test_main("drill tests", &(struct suites){ make, names }, argc, argv);
}
