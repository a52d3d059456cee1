/* SPDX-License-Identifier: MIT */
#include "harness/engine/catalog.h"

#include <assert.h>

#include "harness/probes/probe.h"
#include "harness/triggers/trigger.h"
#include "injectors/injector.h"

enum { CATALOG_KINDS_MAX = 64 }; /* per list, with its terminating NULL */

const struct catalog *catalog_get(void)
{
	static const struct kind *injector_rows[CATALOG_KINDS_MAX];
	static const struct kind *trigger_rows[CATALOG_KINDS_MAX];
	static const struct kind *probe_rows[CATALOG_KINDS_MAX];
	static const struct catalog catalog = { injector_rows, trigger_rows, probe_rows };
	for (size_t i = 0; injectors[i] != NULL; i++) {
		assert(i + 1 < CATALOG_KINDS_MAX);
		injector_rows[i] = &injectors[i]->kind;
	}
	for (size_t i = 0; trigger_kinds[i] != NULL; i++) {
		assert(i + 1 < CATALOG_KINDS_MAX);
		trigger_rows[i] = &trigger_kinds[i]->kind;
	}
	for (size_t i = 0; probe_kinds[i] != NULL; i++) {
		assert(i + 1 < CATALOG_KINDS_MAX);
		probe_rows[i] = &probe_kinds[i]->kind;
	}
	return &catalog;
}
