/* SPDX-License-Identifier: MIT */
/* A root with one of each thing that a step may change, and steps that change them. */
#ifndef TESTS_UNIT_WORLD_FIXTURE_H
#define TESTS_UNIT_WORLD_FIXTURE_H

#include "harness/sandbox/node.h"

const char *world_root(void);  /* a new one each time */
const char *world_image(void); /* the same, as an image */
enum { WORLD_CHANGES = 26 };
extern const char *const world_changes[]; /* for sh in a node on it */
void world_attributes(struct node *n);    /* sets extended attributes */
void world_host(const char *script);      /* sh on the host; must end with 0 */

#endif
