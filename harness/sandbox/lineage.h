/* SPDX-License-Identifier: MIT */
/*
 * Who calls: the processes of one step, each named by its program and its ancestry up to the
 * step's own program, "sh>apt-get>dpkg" (base names of the files, links resolved).
 *
 * A process keeps the ancestry that it was born with. So that this does not hang on who is
 * faster, a parent's children are looked at before it starts another program and before it ends.
 * Where a parent was killed before, or the kernel lacks CONFIG_PROC_CHILDREN, "?" stands for it.
 */
#ifndef BACKOUT_SANDBOX_LINEAGE_H
#define BACKOUT_SANDBOX_LINEAGE_H

#include <sys/types.h>

#include "harness/sandbox/node.h"
#include "harness/sandbox/pointkey.h"

enum {
	LINEAGE_CHAIN_MAX = 512, /* bytes with the NUL; of a longer one the first are kept */
	LINEAGE_PIDS_MAX = 32,   /* generations */
};

struct kin {
	pid_t pid;                     /* host pid of the process */
	struct point_pids pids;        /* inside: its own first, its ancestors' behind it */
	const char *program;           /* its file inside the node; "" when it cannot be read */
	char chain[LINEAGE_CHAIN_MAX]; /* "-": the step's program before its first exec */
};

struct lineage;
struct lineage *lineage_create(struct node *n);
/* A new step: those before it, and what is left of them, are strangers. */
void lineage_begin(struct lineage *l);
void lineage_root(struct lineage *l, pid_t step); /* as soon as it is known */
/* The process of this thread, which must be held meanwhile. `ours`: it is surely one of the step.
 * NULL: gone, or none of the step's. Valid until the next call of lineage_*(). */
const struct kin *lineage_find(struct lineage *l, pid_t task, bool ours);
/* It is about to become another program, or to end. */
void lineage_keep_children(struct lineage *l, pid_t task);
void lineage_forget(struct lineage *l, pid_t task);
void lineage_destroy(struct lineage *l); /* NULL-safe */

#endif
