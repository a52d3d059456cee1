/* SPDX-License-Identifier: MIT */
#include "harness/engine/needs.h"

#include <string.h>

#include "harness/sandbox/host.h"

/* What a kind of injector or trigger needs beyond the nodes themselves. */
static const struct {
	const char *kind;
	enum host_feature feature;
} kinds[] = {
	{ "process.kill", HOST_PTRACE },
	{ "package.script", HOST_FANOTIFY },
	{ "package.corrupt", HOST_FANOTIFY },
	{ "program", HOST_FANOTIFY },
	{ "syscall", HOST_SECCOMP },
	{ "point", HOST_FANOTIFY },
	{ "point", HOST_SECCOMP },
};

static const uint64_t disks[DISK_FS_COUNT] = {
	[DISK_EXT4] = HOST_BIT(HOST_DISK_EXT4),
	[DISK_XFS] = HOST_BIT(HOST_DISK_XFS),
	[DISK_BTRFS] = HOST_BIT(HOST_DISK_BTRFS),
};

static uint64_t kind_needs(const struct kind *k)
{
	uint64_t set = 0;
	for (size_t i = 0; k != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].kind, k->name) == 0)
			set |= HOST_BIT(kinds[i].feature);
	return set;
}

uint64_t host_needs_root(const struct node_plan *n)
{
	uint64_t set = 0;
	if (n->root.kind == ROOT_DEBIAN)
		set |= host_needs_images();
	if (!plan_root_live(&n->root) || n->files.count > 0 || n->setup.count > 0)
		set |= HOST_BIT(HOST_MKFS_EROFS) | HOST_BIT(HOST_EROFS);
	if (n->disk.given)
		set |= disks[n->disk.fs];
	return set;
}

static uint64_t limits_needs(const struct limits_plan *l)
{
	const struct {
		bool asked;
		enum host_feature feature;
	} rows[] = {
		{ l->memory > 0, HOST_CGROUP_MEMORY },
		{ l->swap > 0, HOST_CGROUP_SWAP },
		{ l->pids > 0, HOST_CGROUP_PIDS },
		{ l->cpu > 0, HOST_CGROUP_CPU },
		{ l->cpus != NULL, HOST_CGROUP_CPUS },
		{ l->io.read > 0 || l->io.write > 0, HOST_CGROUP_IO },
	};
	uint64_t set = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		set |= rows[i].asked ? HOST_BIT(rows[i].feature) : 0;
	return set;
}

static uint64_t node_needs(const struct node_plan *n)
{
	uint64_t set = host_needs_root(n);
	if (n->links.count > 0)
		set |= HOST_BIT(HOST_BRIDGE) | HOST_BIT(HOST_VETH);
	const struct link_plan *links = n->links.items;
	for (size_t i = 0; i < n->links.count; i++)
		if (links[i].rate > 0)
			set |= HOST_BIT(HOST_TBF);
	if (n->init == INIT_SYSTEMD)
		set |= HOST_BIT(HOST_CGROUP_INNER);
	return set | limits_needs(&n->limits);
}

uint64_t host_needs_some(void)
{
	uint64_t set = HOST_BIT(HOST_CGROUP_MEMORY) | HOST_BIT(HOST_CGROUP_PIDS) |
		       HOST_BIT(HOST_CGROUP_CPU) | HOST_BIT(HOST_CGROUP_SWAP) |
		       HOST_BIT(HOST_CGROUP_CPUS) | HOST_BIT(HOST_CGROUP_IO) |
		       HOST_BIT(HOST_CGROUP_FREEZE) | HOST_BIT(HOST_CGROUP_INNER) |
		       HOST_BIT(HOST_TBF) | host_of_root_alone();
	for (int fs = 0; fs < DISK_FS_COUNT; fs++)
		set |= disks[fs];
	return set;
}

uint64_t host_needs_images(void)
{
	return HOST_BIT(HOST_ROOT) | HOST_BIT(HOST_STATE) | HOST_BIT(HOST_NAMESPACES) |
	       HOST_BIT(HOST_OVERLAY) | HOST_BIT(HOST_MMDEBSTRAP) | HOST_BIT(HOST_MKFS_EROFS) |
	       HOST_BIT(HOST_EROFS);
}

uint64_t host_needs_fault(const struct fault_plan *f)
{
	return kind_needs(f->injector) | kind_needs(f->trigger);
}

uint64_t host_needs_run(const struct plan *p, const char *fault)
{
	uint64_t set = HOST_BIT(HOST_ROOT) | HOST_BIT(HOST_STATE) | HOST_BIT(HOST_NAMESPACES) |
		       HOST_BIT(HOST_OVERLAY);
	for (size_t i = 0; i < p->node_count; i++)
		set |= node_needs(&p->nodes[i]);
	for (size_t i = 0; i < p->fault_count; i++)
		if (fault == NULL || strcmp(p->faults[i].name, fault) == 0 ||
		    strcmp(p->faults[i].slug, fault) == 0)
			set |= host_needs_fault(&p->faults[i]);
	return set;
}

uint64_t host_needs(const struct plan *p)
{
	return host_needs_run(p, NULL);
}

uint64_t host_needs_again(const struct plan *p, const struct fault_plan *f)
{
	uint64_t builders = HOST_BIT(HOST_MMDEBSTRAP) | HOST_BIT(HOST_MKFS_EROFS);
	return (host_needs(p) | host_needs_fault(f)) & ~builders;
}
