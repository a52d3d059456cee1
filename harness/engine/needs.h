/* SPDX-License-Identifier: MIT */
/* Which features of the host (harness/sandbox/host.h) a plan needs: HOST_BIT sets. */
#ifndef BACKOUT_ENGINE_NEEDS_H
#define BACKOUT_ENGINE_NEEDS_H

#include <stdint.h>

#include "harness/model/plan.h"

uint64_t host_needs(const struct plan *p);
/* With one fault alone, by its name or slug; NULL: all. */
uint64_t host_needs_run(const struct plan *p, const char *fault);
/* One fault that is none of the plan's own. */
uint64_t host_needs_fault(const struct fault_plan *f);
/* What it takes to build this node's root. */
uint64_t host_needs_root(const struct node_plan *n);
/* The plan and one of its faults (or an added one), the roots being there. */
uint64_t host_needs_again(const struct plan *p, const struct fault_plan *f);
/* What only a scenario needs that asks for it in words: limits, a rate, disks. */
uint64_t host_needs_some(void);
/* What building images alone needs. */
uint64_t host_needs_images(void);

#endif
