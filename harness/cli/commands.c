/* SPDX-License-Identifier: MIT */
#include "harness/cli/commands.h"

#include <stddef.h>

#include "harness/cli/command.h"

#define X(name) extern const struct command command_##name;
COMMANDS(X)
#undef X

const struct command *const commands[] = {
#define X(name) &command_##name,
	COMMANDS(X)
#undef X
		NULL,
};
