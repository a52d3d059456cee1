/* SPDX-License-Identifier: MIT */
/* Which features of the host (harness/sandbox/host.h) a plan needs: HOST_BIT sets. */
#ifndef BACKOUT_ENGINE_NEEDS_H
#define BACKOUT_ENGINE_NEEDS_H

#include <stdint.h>

#include "harness/model/plan.h"

uint64_t host_needs(const struct plan *p);
/* What building images alone needs. */
uint64_t host_needs_images(void);

#endif
