/* SPDX-License-Identifier: MIT */
/* What a step's node has used while the step ran: the whole node, services and probes included. */
#ifndef BACKOUT_ENGINE_STEP_USE_H
#define BACKOUT_ENGINE_STEP_USE_H

#include "harness/sandbox/node.h"

struct step_before {
	struct cgroup_use use;
	bool anew; /* the peak began anew */
};

/* As text for the journal; NULL: this host does not count it. */
struct step_use {
	const char *memory_peak;          /* bytes */
	const char *cpu;                  /* ns of processor time */
	const char *io_read, *io_written; /* bytes */
	const char *killed; /* "the memory limit of node 'web', 64 MiB, killed tail (...)"; NULL */
	char text[4][24], kills[600];
};

void step_uses(struct node *n, struct step_before *ret); /* before it */
/* For its limit of memory, since this was asked last; false: none was. */
bool step_killed(struct node *n, char *ret, size_t size);
void step_used(struct node *n, const struct step_before *before, struct step_use *ret);

#endif
