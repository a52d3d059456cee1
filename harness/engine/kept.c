/* SPDX-License-Identifier: MIT */
#include "harness/engine/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/drill_private.h"
#include "harness/sandbox/tree_copy.h"
#include "harness/sandbox/upper.h"

#define KEPT_PART KEPT_FOLDER ".part"

static int take_node(const struct drill_node *at, const char *part, struct err *e)
{
	GUARD(mem) char *dir = mem_printf("%s/%s", part, at->plan->name);
	if (at->node == NULL || !node_alive(at->node))
		return ERR(e, 0, "it is down");
	if (io_mkdirs(dir, 0700, e) == 0 && upper_copy(at->node, dir, e) == 0)
		return 0;
	struct err left = { 0 };
	(void)io_remove_tree(AT_FDCWD, dir, &left);
	return -1;
}

static void refused(struct drill *d, const char *node, const struct err *why)
{
	GUARD(mem)
	char *text = mem_printf("the state of node '%s' is not kept: %s", node, why->why);
	journal_put(d->journal, EVENT_NOTICE, F_STR("what", text));
}

void kept_take(struct drill *d)
{
	GUARD(mem) char *part = mem_printf("%s/" KEPT_PART, d->spec->dir);
	GUARD(mem) char *whole = mem_printf("%s/" KEPT_FOLDER, d->spec->dir);
	size_t taken = 0;
	for (size_t i = 0; i < d->plan->node_count; i++) {
		struct err e = { 0 };
		if (take_node(&d->nodes[i], part, &e) == 0)
			taken++;
		else
			refused(d, d->plan->nodes[i].name, &e);
	}
	struct err left = { 0 };
	if (taken == 0)
		(void)io_remove_tree(AT_FDCWD, part, &left);
	else if (rename(part, whole) < 0)
		journal_put(d->journal, EVENT_NOTICE,
			    F_STR("what", "the states of the nodes are not kept: rename failed"));
}

bool kept_there(const char *dir)
{
	GUARD(mem) char *whole = mem_printf("%s/" KEPT_FOLDER, dir);
	return access(whole, F_OK) == 0;
}

int kept_remove(const char *dir, struct err *e)
{
	GUARD(mem) char *part = mem_printf("%s/" KEPT_PART, dir);
	GUARD(mem) char *whole = mem_printf("%s/" KEPT_FOLDER, dir);
	return io_remove_tree(AT_FDCWD, part, e) < 0 || io_remove_tree(AT_FDCWD, whole, e) < 0 ? -1
											       : 0;
}

int kept_copy(const char *dir, const char *node, const char *to, struct err *e)
{
	GUARD(mem) char *from = mem_printf("%s/" KEPT_FOLDER "/%s", dir, node);
	GUARD(fd) int source = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (source < 0)
		return ERR_AS(
			e, EXIT_USAGE_ERROR, errno,
			"what node '%s' had written is not kept in '%s' (--keep-on-fail keeps "
			"it)",
			node, dir);
	if (io_mkdirs(to, 0700, e) < 0)
		return -1;
	GUARD(fd) int target = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target < 0)
		return ERR(e, errno, "open '%s'", to);
	struct tree_copy *copy = tree_copy_create(target);
	int result = tree_copy_below(copy, source, ".", '\0', e);
	tree_copy_destroy(copy);
	return result;
}
