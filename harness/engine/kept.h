/* SPDX-License-Identifier: MIT */
/*
 * What the nodes of a drill had written by its end, in the drill's own folder until somebody
 * removes it: DRILL/kept/NODE/ as upper_copy() makes it. It holds whiteouts and whatever devices
 * the workflow made, so it is never followed, packed or served.
 */
#ifndef BACKOUT_ENGINE_KEPT_H
#define BACKOUT_ENGINE_KEPT_H

#include <stdbool.h>

#include "harness/base/err.h"

#define KEPT_FOLDER "kept"

struct drill;

/* In the drill's process, while its nodes are up and nothing of the workflow runs any more. The
 * folder is whole or absent; the journal says which node is not in it, and why. */
void kept_take(struct drill *d);

/* `dir`: the drill's folder. */
bool kept_there(const char *dir);
/* Also what a drill that died has left half done. */
int kept_remove(const char *dir, struct err *e);
/* What is kept of this node, once more, into the folder `to` (made). Exit 64 when it is not. */
int kept_copy(const char *dir, const char *node, const char *to, struct err *e);

#endif
