/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/sweep_private.h"
#include "harness/sandbox/node.h"

enum {
	PLACE_SHARE = 2,           /* of the memory that is free now: one part in so many */
	PLACE_MIN = 1 << 30,       /* bytes; with less the copies stay on disk */
	PLACE_RESERVE = 256 << 20, /* bytes that always stay free */
	PLACE_COPIES = 4,          /* of the largest state so far that must fit besides */
};

static uint64_t free_memory(void)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	if (f != NULL)
		(void)fclose(f);
	return (uint64_t)kib * 1024;
}

static bool limited(const struct plan *p)
{
	for (size_t i = 0; i < p->node_count; i++)
		if (p->nodes[i].limits.memory > 0)
			return true;
	return false;
}

/* Thousands of nodes with few images: what the kernel has read of one serves all its nodes. */
static int mount_roots(struct sweeping *w, struct err *e)
{
	for (size_t i = 0; i < w->s.plan->node_count; i++) {
		struct image *root = &w->s.roots[i];
		if (root->is_dir || root->on_disk)
			continue;
		char *where = mem_printf("%s/roots/%s", owner_work_dir(w->s.owner), root->digest);
		root->mounted = where;
		bool there = access(where, F_OK) == 0; /* another node's, too */
		if (!there &&
		    (io_mkdirs(where, 0700, e) < 0 || node_mount_image(root->path, where, e) < 0))
			return -1;
	}
	return 0;
}

/* In a mount namespace of our own: the host sees nothing of it, and it goes with the last process
 * of ours. What lies in it counts against a node's limit of memory, so with one it stays on disk.
 */
int sweep_place(struct sweeping *w, struct err *e)
{
	char options[64];
	uint64_t size = free_memory() / PLACE_SHARE;
	if (limited(w->s.plan) || size < PLACE_MIN)
		return 0;
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return ERR(e, errno, "a mount namespace for the place of work");
	(void)snprintf(options, sizeof(options), "mode=0700,size=%llu", (unsigned long long)size);
	if (mount("backout", owner_work_dir(w->s.owner), "tmpfs", MS_NODEV, options) < 0)
		return ERR(e, errno, "a place of work in memory on '%s'",
			   owner_work_dir(w->s.owner));
	w->placed = true;
	if (mount_roots(w, e) < 0)
		return -1;
	sweep_say(w,
		  "the nodes' files are kept in memory: fsync costs nothing here, so recovery is "
		  "faster than on a disk");
	return 0;
}

void sweep_leave_place(struct sweeping *w)
{
	/* Everything in it is gone by now; what is not goes with it. */
	if (w->placed)
		(void)umount2(owner_work_dir(w->s.owner), MNT_DETACH);
}

bool sweep_place_has_room(const struct sweeping *w, uint64_t bytes)
{
	struct statvfs st;
	if (statvfs(owner_work_dir(w->s.owner), &st) < 0)
		return false;
	return (uint64_t)st.f_bavail * st.f_frsize > PLACE_RESERVE + PLACE_COPIES * bytes;
}
