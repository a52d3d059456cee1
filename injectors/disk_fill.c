/* SPDX-License-Identifier: MIT */
/*
 * Injector disk.fill: the node's file system is full. A file without a name takes what is left,
 * held by a descriptor of ours, so that no path shows it and nothing of it outlives us.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/base/mutate.h"
#include "injectors/injector.h"

#define LOOK_EVERY (5 * NS_PER_MS)
#define FREE_WAIT  (2 * NS_PER_S) /* until the freed room is counted as free */
#define FREE_POLL  (5 * NS_PER_MS)
#define SLACK      (UINT64_C(64) << 10) /* bytes that the file system may keep to itself */

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
	int ballast;   /* -1: none */
	uint64_t held; /* bytes of it */
	struct loop_src *timer;
	unsigned failed;   /* steps, before the strike */
	bool full_at_once; /* at the strike */
	bool full_in_step; /* seen full while a step ran */
};

static void disk_fill_destroy(struct injection *i)
{
	if (i == NULL)
		return;
	loop_remove(i->timer);
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

/* The file system needs some room for the file's own map: ask for less when it refuses. */
static int fill(struct injection *i, uint64_t *left, struct err *e)
{
	uint64_t block;
	if (room(i->node, left, &block, e) < 0)
		return -1;
	uint64_t part = UINT64_MAX;
	for (int n = 0; n < FILL_TRIES && *left >= i->leave + block; n++) {
		uint64_t want = (*left - i->leave) / block * block;
		if (want > part)
			want = part;
		if (fallocate(i->ballast, 0, (off_t)i->held, (off_t)want) == 0)
			i->held += want;
		else if (errno != ENOSPC && errno != EINTR)
			return ERR(e, errno, "fill the disk of node %s", node_name(i->node));
		else if (errno == ENOSPC && (part = want / 2 / block * block) == 0)
			break;
		if (room(i->node, left, &block, e) < 0)
			return -1;
	}
	return 0;
}

static bool is_full(const struct injection *i)
{
	uint64_t left, block;
	struct err ignored = { 0 };
	return node_alive(i->node) && room(i->node, &left, &block, &ignored) == 0 && left <= SLACK;
}

static void look(void *arg)
{
	struct injection *i = arg;
	if (!i->full_in_step && i->env.step_running(i->env.arg))
		i->full_in_step = is_full(i);
}

static void let_go(struct injection *i)
{
	loop_remove(i->timer);
	i->timer = NULL;
	guard_fd(&i->ballast);
	i->ballast = -1;
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
	i->ballast = openat(node_root_fd(i->node), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (i->ballast < 0)
		return ERR(e, errno, "a file without a name on node %s", node_name(i->node));
	i->failed = i->env.steps_failed(i->env.arg);
	if (fill(i, &left, e) < 0 ||
	    loop_add_timer(i->env.loop, 0, LOOK_EVERY, look, i, &i->timer, e) < 0) {
		let_go(i);
		return -1;
	}
	if (left > i->leave + SLACK) {
		let_go(i);
		return ERR(e, 0, "node %s has still %llu KiB of room", node_name(i->node),
			   (unsigned long long)(left >> 10));
	}
	i->full_at_once = left <= SLACK;
	(void)snprintf(detail, INJECT_DETAIL_MAX,
		       "the disk of node %s has %llu KiB of room left: %llu KiB were taken",
		       node_name(i->node), (unsigned long long)(left >> 10),
		       (unsigned long long)(i->held >> 10));
	return 0;
}

/* The kernel counts no refusals; a step that fails while nothing is left has met one as good as
 * surely, and one that does not fail says nothing. */
static void tell(struct injection *i)
{
	unsigned more = i->env.steps_failed(i->env.arg) - i->failed;
	/* A short step runs between two looks: full before it and full behind it. */
	if (more == 0 || (!i->full_in_step && !(i->full_at_once && is_full(i))))
		return;
	GUARD(mem)
	char *text =
		mem_printf("no room was left on node %s while a step ran, and %u step(s) failed",
			   node_name(i->node), more);
	i->env.felt(i->env.arg, text);
}

static int disk_fill_undo(struct injection *i, struct err *e)
{
	look(i);
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
		  .applied = "the file system says that no more than \"leave\" is free, but for 64 "
			     "KiB",
		  .felt = "no room was left while a step ran, and a step failed before it was "
			  "given "
			  "back; that it failed for this reason is inferred: the kernel counts no "
			  "refused writes",
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
