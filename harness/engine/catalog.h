/* SPDX-License-Identifier: MIT */
/* The kinds that exist, as the scenario parser wants them: made from the three lists. */
#ifndef BACKOUT_ENGINE_CATALOG_H
#define BACKOUT_ENGINE_CATALOG_H

#include "harness/model/kind.h"

const struct catalog *catalog_get(void);

#endif
