/* SPDX-License-Identifier: MIT */
#include "harness/probes/list.h"

#include <stddef.h>

#include "harness/probes/probe.h"

#define X(name) extern const struct probe_kind probe_##name;
PROBES(X)
#undef X

const struct probe_kind *const probe_kinds[] = {
#define X(name) &probe_##name,
	PROBES(X)
#undef X
		NULL,
};
