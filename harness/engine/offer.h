/* SPDX-License-Identifier: MIT */
/*
 * What a recording and its parent say to each other while the workflow is held at a point: over
 * a SOCK_SEQPACKET pair, one struct a message. The recording asks, waits for the reply, and when
 * that says so copies what the nodes have written and tells how that went.
 */
#ifndef BACKOUT_ENGINE_OFFER_H
#define BACKOUT_ENGINE_OFFER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "harness/base/hash.h"
#include "harness/sandbox/pointwatch.h"

enum offer_kind { OFFER_POINT, OFFER_TAKEN };

struct offer {
	enum offer_kind kind;
	uint32_t n;    /* ordinal of the point in this recording */
	uint32_t step; /* index */
	bool in_rollback;
	char state[HASH_TEXT]; /* of all nodes */
	char key[POINT_KEY_MAX];
	char detail[POINT_KEY_MAX];
	/* TAKEN */
	bool ok;   /* false: somebody else wrote meanwhile; the folder holds nothing of use */
	int64_t t; /* of the point, in the recording's journal; ns */
	uint64_t bytes;
};

struct offer_reply {
	bool take;
	char dir[PATH_MAX]; /* existing empty folder; gets NODE/{upper,run,tmp,shm} and
			       journal.prefix */
};

#endif
