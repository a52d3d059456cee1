/* SPDX-License-Identifier: MIT */
/* What the tests with a real Debian root share: the image, packages to upgrade, nodes. */
#ifndef TESTS_DRILL_DEBIAN_STAGE_H
#define TESTS_DRILL_DEBIAN_STAGE_H

#include "harness/base/buf.h"
#include "harness/base/loop.h"
#include "harness/sandbox/capture.h"
#include "harness/sandbox/image.h"
#include "harness/sandbox/node.h"
#include "harness/sandbox/owner.h"

struct stage {
	struct owner *owner;
	struct loop *loop;
	struct image image;
	char *work, *debs;
	unsigned nodes;
	const char *mask; /* of folders that are booted from here on; NULL: none */
};

void stage_open(struct stage *s);
void stage_close(struct stage *s);
void stage_host_sh(const char *script);
/* With the packages in /srv: svc 1.0 and 2.1 are good, 2.0 breaks while it is unpacked. With
 * `from` (may be NULL) as that state left it. */
struct node *stage_boot(struct stage *s, enum node_root kind, const char *root, const char *from);
int stage_run(struct node *n, const char *script, struct buf *out);
/* A script that says how svc and dpkg stand. */
extern const char stage_whole[];
void stage_corrupt_package(struct stage *s, enum node_root kind, const char *root);
void stage_fingerprint(struct node *n, struct capture_result *ret);

#endif
