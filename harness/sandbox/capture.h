/* SPDX-License-Identifier: MIT */
/*
 * Taking a node's fingerprint (harness/model/state.h) from outside, through its merged mount:
 * nothing runs in the node but the `also` commands. Every file on the root, /run, /tmp and
 * /dev/shm; dpkg's packages from its own files (status, then updates/ as dpkg would merge them);
 * listening sockets; the multiset of processes but the harness's own (of a systemd it is one);
 * mounts. An unreadable file is an error, never skipped; one that vanishes meanwhile is absent.
 * Needs root.
 *
 * What each kind holds (harness/model/state.h has the names):
 *	file     every path but /proc, /sys and /dev (of /dev: shm). Directories have no size; nlink
 *	         and links (the smallest path of the group) stand only where nlink > 1; an extended
 *	         attribute of up to 64 bytes is its hex digits, a longer one "xxh3:..."
 *	listen   tcp, tcp6 (listening), udp, udp6 (bound, not connected), "unix PATH" (listening)
 *	process  "EXE [(deleted)] uid=EFFECTIVE ARGV...", or "zombie NAME"
 *	mount    options "mount's own;file system's", without an overlay's folders; what is mounted
 *	         over another mount at the same place gets "#2" behind its key
 *	also     status as an exit code, 128+N for signal N
 */
#ifndef BACKOUT_SANDBOX_CAPTURE_H
#define BACKOUT_SANDBOX_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/model/state.h"
#include "harness/model/state_delta.h"
#include "harness/sandbox/capture_base.h"
#include "harness/sandbox/node.h"

struct capture_also {
	const char *name, *run; /* sh -ec inside the node */
};

/* Content hashes by (device, inode, size, ctime), so that a second capture of the same node does
 * not read what has not changed. A file whose ctime lies within CAPTURE_RACY_S before a capture
 * is always read: two writes within a clock tick look like one (git's "racily clean" files), and
 * a store into a mapped page moves ctime only once until the page is written back (30 s, then
 * the flusher's 5 s, by the kernel's defaults). One per node and drill. */
enum { CAPTURE_RACY_S = 60 };
struct capture_cache;
struct capture_cache *capture_cache_create(void);
void capture_cache_destroy(struct capture_cache *c); /* NULL-safe */

struct capture_result {
	char digest[33]; /* XXH3-128 of the whole text ("@" attributes too), hex */
	size_t entries;
	int64_t took; /* ns */
};

struct capture_spec {
	const struct capture_also *also;
	size_t also_count;
	struct capture_cache *cache;     /* may be NULL */
	const struct capture_base *base; /* of the very image that the node stands on; NULL: all is
					    looked at */
	const struct state_base *told_from; /* the text becomes the difference from this one; NULL:
					       it is whole. The digest is the whole text's */
	int fd;                             /* gets the sorted text */
};
int capture_state(struct node *n, const struct capture_spec *spec, struct capture_result *ret,
		  struct err *e);

#endif
