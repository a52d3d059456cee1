/* SPDX-License-Identifier: MIT */
/* A sweep made by hand, after one that was made for real: SIGKILL at 308 points of an upgrade;
 * the rollback leaves orphans of the new version at 15, `.dpkg-new` files at 10 and the new
 * configuration at 4, each time other files. */
#ifndef TESTS_UNIT_SWEEP_FIXTURE_H
#define TESTS_UNIT_SWEEP_FIXTURE_H

#include "harness/model/sweep.h"

enum { FIXTURE_POINTS = 308, FIXTURE_ORPHANS = 15, FIXTURE_STRAYS = 10, FIXTURE_CONFIGS = 4 };

struct sweep_fixture {
	struct sweep sweep;
	struct arena *arena;
	struct sweep_point *points;
	struct sweep_class *classes;
	struct verdict *verdicts; /* one a class */
};

/* Whole, and grouped. Each failing point is a class of its own, of others two or three are one. */
void sweep_fixture_make(struct sweep_fixture *f);
/* Cut by its budget before the last classes; with unstable points, a rollback step that hangs, a
 * strike that nothing met, and findings tried again with either end. Grouped anew. */
void sweep_fixture_cut(struct sweep_fixture *f);
void sweep_fixture_free(struct sweep_fixture *f);

/* An entry of residue, a file; in the fixture's arena. `value`: its type, or its size where it is
 * changed. */
struct change sweep_fixture_change(struct sweep_fixture *f, enum change_what what, const char *key,
				   const char *owner, const char *value);
/* Makes the class's verdict one of residue with exactly these entries. */
void sweep_fixture_residue(struct sweep_fixture *f, size_t cls, const struct change *changes,
			   size_t count);
/* The class of a point. */
size_t sweep_fixture_class(const struct sweep_fixture *f, size_t point);

#endif
