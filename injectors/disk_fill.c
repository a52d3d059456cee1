/* SPDX-License-Identifier: MIT */
/*
 * Injector disk.fill: the node's file system is full. A file without a name takes what is left,
 * held by a descriptor of ours, so that no path shows it and nothing of it outlives us.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/base/mutate.h"
#include "injectors/injector.h"

#define FREE_WAIT (2 * NS_PER_S) /* until the freed room is counted as free */
#define FREE_POLL (5 * NS_PER_MS)
#define SLACK     (UINT64_C(64) << 10) /* bytes that the workload may have freed or used itself */

enum { FILL_TRIES = 64 };

struct disk_fill {
	const char *node;
	uint64_t leave;
};

static const struct param disk_fill_params[] = {
	{ .name = "node",
	  .type = PARAM_NODE,
	  .offset = offsetof(struct disk_fill, node),
	  .on_disk = true,
	  .help = "whose, with a disk of its own; without it the step's" },
	{ .name = "leave",
	  .type = PARAM_SIZE,
	  .offset = offsetof(struct disk_fill, leave),
	  .def = "0",
	  .help = "room that is left, to a block" },
	{ 0 },
};

struct injection {
	struct inject_env env;
	struct node *node; /* NULL until the strike: the step's */
	uint64_t leave;
	int ballast;       /* -1: none */
	uint64_t held;     /* bytes of it */
	unsigned troubles; /* of the workflow, before the strike */
};

static void disk_fill_destroy(struct injection *i)
{
	if (i == NULL)
		return;
	guard_fd(&i->ballast);
	free(i);
}

static int disk_fill_create(struct injection **ret, const struct inject_env *env,
			    const void *params, struct err *e)
{
	const struct disk_fill *p = params;
	struct node *n = p->node != NULL ? env->find_node(env->arg, p->node) : NULL;
	if (p->node != NULL && n == NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "there is no node '%s'", p->node);
	struct injection *i = mem_alloc(sizeof(*i));
	*i = (struct injection){ .env = *env, .node = n, .leave = p->leave, .ballast = -1 };
	*ret = i;
	return 0;
}

static int room(const struct node *n, uint64_t *ret, uint64_t *block, struct err *e)
{
	struct statvfs fs;
	GUARD(fd) int fd = openat(node_root_fd(n), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstatvfs(fd, &fs) < 0)
		return ERR(e, errno, "ask for the room on node %s", node_name(n));
	*ret = fs.f_bavail * fs.f_frsize;
	*block = fs.f_frsize;
	return 0;
}

/* The file system needs some room for the file's own map: ask for less when it refuses. It may
 * count blocks as free that it keeps to itself: it is full once it refuses a single one. */
static int fill(struct injection *i, uint64_t *left, struct err *e)
{
	uint64_t block, part = UINT64_MAX;
	if (room(i->node, left, &block, e) < 0)
		return -1;
	for (int n = 0; n < FILL_TRIES && *left >= i->leave + block; n++) {
		uint64_t want = (*left - i->leave) / block * block;
		if (want > part)
			want = part;
		if (fallocate(i->ballast, 0, (off_t)i->held, (off_t)want) == 0) {
			i->held += want;
		} else if (errno == ENOSPC && want == block) {
			return 0;
		} else if (errno == ENOSPC) {
			part = (want / 2 + block - 1) / block * block;
		} else if (errno != EINTR) {
			return ERR(e, errno, "fill the disk of node %s", node_name(i->node));
		}
		if (room(i->node, left, &block, e) < 0)
			return -1;
	}
	if (*left >= i->leave + block)
		return ERR(e, 0, "node %s has still %llu KiB of room", node_name(i->node),
			   (unsigned long long)(*left >> 10));
	return 0;
}

static void let_go(struct injection *i)
{
	guard_fd(&i->ballast);
	i->ballast = -1;
}

static bool is_btrfs(const struct node *n)
{
	struct statfs fs;
	return statfs(node_root_path(n), &fs) == 0 && fs.f_type == BTRFS_SUPER_MAGIC;
}

static int disk_fill_strike(struct injection *i, const struct strike_target *target,
			    char detail[INJECT_DETAIL_MAX], struct err *e)
{
	uint64_t left;
	if (i->node == NULL)
		i->node = target->node;
	if (!node_alive(i->node) || !node_on_disk(i->node))
		return ERR(e, 0, "node %s %s", node_name(i->node),
			   node_alive(i->node) ? "has no disk of its own" : "is down");
	if (is_btrfs(i->node))
		return ERR(e, 0,
			   "node %s has btrfs, which gives room back to its tables only "
			   "after a balance: use ext4 or xfs",
			   node_name(i->node));
	i->ballast = openat(node_root_fd(i->node), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (i->ballast < 0)
		return ERR(e, errno, "a file without a name on node %s", node_name(i->node));
	i->troubles = i->env.troubles(i->env.arg);
	if (fill(i, &left, e) < 0) {
		let_go(i);
		return -1;
	}
	(void)snprintf(detail, INJECT_DETAIL_MAX,
		       "the disk of node %s has %llu KiB of room left: %llu KiB were taken",
		       node_name(i->node), (unsigned long long)(left >> 10),
		       (unsigned long long)(i->held >> 10));
	return 0;
}

/* The kernel counts no refusals. A workflow that gets into trouble while nothing is left has met
 * one as good as surely; one that does not says nothing. */
static void tell(struct injection *i)
{
	unsigned more = i->env.troubles(i->env.arg) - i->troubles;
	if (more == 0)
		return;
	GUARD(mem)
	char *text = mem_printf(
		"the workflow got into trouble while node %s had no room (%u time(s): a step "
		"failed, the goal was missed, or steady state was lost)",
		node_name(i->node), more);
	i->env.felt(i->env.arg, text);
}

static int disk_fill_undo(struct injection *i, struct err *e)
{
	tell(i);
	if (MUTANT(undo_noop))
		return 0;
	let_go(i);
	if (!node_alive(i->node))
		return 0;
	/* Some count blocks as free only once that is written. */
	GUARD(fd) int fd = openat(node_root_fd(i->node), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || syncfs(fd) < 0)
		return ERR(e, errno, "sync the disk of node %s", node_name(i->node));
	return 0;
}

static int disk_fill_verify(struct injection *i, char detail[INJECT_DETAIL_MAX], struct err *e)
{
	uint64_t left = 0, block;
	int64_t deadline = clock_now() + FREE_WAIT;
	if (i->held == 0) {
		(void)snprintf(detail, INJECT_DETAIL_MAX, "no room was taken");
		return 0;
	}
	for (;;) {
		if (room(i->node, &left, &block, e) < 0)
			return -1;
		/* What was left at the strike may be in use by now. */
		if (left + SLACK >= i->held)
			break;
		if (clock_now() >= deadline)
			return ERR(e, 0, "node %s has %llu KiB of room, and %llu KiB were taken",
				   node_name(i->node), (unsigned long long)(left >> 10),
				   (unsigned long long)(i->held >> 10));
		(void)nanosleep(&(struct timespec){ .tv_nsec = FREE_POLL }, NULL);
	}
	(void)snprintf(detail, INJECT_DETAIL_MAX, "the disk of node %s has %llu KiB of room again",
		       node_name(i->node), (unsigned long long)(left >> 10));
	return 0;
}

const struct injector injector_disk_fill = {
	.kind = { .name = "disk.fill",
		  .help = "a node's disk is full: what writes to it gets ENOSPC from the kernel",
		  .applied = "the file system says that no more than \"leave\" is free, or "
			     "refuses a single block",
		  .felt = "before the room was given back a step failed, the goal was missed or "
			  "steady state was lost; that this is why is inferred: the kernel counts "
			  "no refused writes",
		  .params = disk_fill_params,
		  .shorthand = "node",
		  .size = sizeof(struct disk_fill),
		  .exact = true,
		  .lasting = true,
		  .on_disk = true },
	.create = disk_fill_create,
	.strike = disk_fill_strike,
	.undo = disk_fill_undo,
	.verify = disk_fill_verify,
	.destroy = disk_fill_destroy,
};
