/* SPDX-License-Identifier: MIT */
/* What the tests of fingerprints share. */
#ifndef TESTS_UNIT_CAPTURE_FIXTURE_H
#define TESTS_UNIT_CAPTURE_FIXTURE_H

#include "harness/base/buf.h"
#include "harness/sandbox/capture.h"
#include "tests/unit/sandbox_fixture.h"

struct taken {
	struct buf text;
	struct capture_result result;
};

void capture_take(struct node *n, struct capture_cache *cache, struct taken *ret);
void capture_take_by(struct node *n, struct capture_cache *cache, const struct capture_base *base,
		     struct taken *ret);
/* The lines of `a` that are not in `b`, each behind a sign. */
void capture_lines_without(const char *a, const char *b, char sign, struct buf *ret);
/* The line that begins with `head` in a node's fingerprint; empty: none. */
void capture_line_of(struct node *n, const char *head, struct buf *ret);
/* A script that puts one of each kind of file below /srv, and a package that owns one. */
extern const char capture_prepare[];

#define F(path) "{\"kind\":\"file\",\"key\":\"" path "\",\"type\":\""
#define OWN     "\"uid\":0,\"gid\":0"

#endif
