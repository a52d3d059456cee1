/* SPDX-License-Identifier: MIT */
/*
 * Where this host lets us make control groups.
 *
 *	systemd runs      it is the tree's single writer, so we ask it for a scope of our own with
 *	                  Delegate=yes (systemd-run) and write only below that. A small process of
 *	                  ours holds the scope; it ends with us, however we end, and when the last
 *	                  node has gone as well systemd removes the scope by itself
 *	no systemd, v1    below the group that we are in
 *	ordinary user     below the v2 group that we are in, where it is the user's and nobody else
 *			  sits in it: a scope of the user's systemd. We step into one below it
 *	no systemd, v2    at the root of what is mounted: a container, or a bare init. Controllers
 *	                  that we switch on there stay on, which by itself limits nothing
 */
#ifndef BACKOUT_SANDBOX_CGROUP_BASE_H
#define BACKOUT_SANDBOX_CGROUP_BASE_H

#include "harness/base/err.h"
#include "harness/sandbox/hierarchy.h"
#include "harness/sandbox/owner.h"

struct cgroup_base {
	struct hierarchies at; /* each row's group is where ours go */
	char why[256];         /* why a v2 controller could not be switched on; "": all could */
};

/* Made once a process and inherited by its forks; made anew once it is gone. */
int cgroup_base(const struct cgroup_base **ret, struct owner *owner, struct err *e);
bool cgroup_base_systemd(void); /* it rules over the tree */
/* At the process's end, when all nodes are gone: an ordinary user's group is left as it was. */
void cgroup_base_return(void);

#endif
