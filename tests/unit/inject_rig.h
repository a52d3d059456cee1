/* SPDX-License-Identifier: MIT */
/* The engine's side of one injection, for tests. */
#ifndef TESTS_UNIT_INJECT_RIG_H
#define TESTS_UNIT_INJECT_RIG_H

#include <stdbool.h>

#include "harness/base/mem.h"
#include "harness/model/json.h"
#include "injectors/injector.h"
#include "tests/unit/lab.h"

/* Decoded strings live in the document. */
struct decoded {
	struct arena *arena;
	struct json_doc *doc;
};

struct rig {
	struct lab *lab;
	const struct injector *injector;
	struct injection *injection;
	struct decoded decoded;
	const struct node *nodes[LAB_NODES_MAX];
	bool step_runs;        /* what step_running() answers */
	unsigned troubles;     /* what troubles() answers */
	unsigned downs, boots; /* that the injection asked for */
	bool struck, felt;
	char detail[INJECT_DETAIL_MAX], evidence[INJECT_DETAIL_MAX], noticed[INJECT_DETAIL_MAX];
};

const struct injector *rig_injector(const char *name);
/* Parameters as a scenario would write them. */
const void *rig_decode(struct decoded *d, const struct injector *k, const char *params);
void decoded_free(struct decoded *d);

int rig_create(struct rig *rig, struct lab *lab, const char *kind, const char *params,
	       struct err *e);
/* These fail the test when it does not work. */
void rig_begin(struct rig *rig, struct lab *lab, const char *kind, const char *params);
void rig_strike(struct rig *rig, const struct strike_target *t);
void rig_undo(struct rig *rig); /* and verify */
void rig_end(struct rig *rig);

#endif
