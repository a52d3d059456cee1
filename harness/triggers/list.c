/* SPDX-License-Identifier: MIT */
#include "harness/triggers/list.h"

#include <stddef.h>

#include "harness/triggers/trigger.h"

#define X(name) extern const struct trigger_kind trigger_##name;
TRIGGERS(X)
#undef X

const struct trigger_kind *const trigger_kinds[] = {
#define X(name) &trigger_##name,
	TRIGGERS(X)
#undef X
		NULL,
};
