/* SPDX-License-Identifier: MIT */
/* Nodes whose root is a file system of their own, and faults that need one. */
#include <string.h>

#include "harness/model/plan_parts.h"

const char *const disk_fs_names[] = {
#define X(id, name, least) name,
	DISK_FS(X)
#undef X
		NULL,
};

const uint64_t disk_fs_least[] = {
#define X(id, name, least) (uint64_t)(least) << 20,
	DISK_FS(X)
#undef X
};

const struct param plan_disk_rows[] = {
	{ .name = "size",
	  .type = PARAM_SIZE,
	  .offset = offsetof(struct disk_plan, size),
	  .required = true,
	  .help = "of the file system, its own needs included" },
	{ .name = "fs",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct disk_plan, fs),
	  .names = disk_fs_names,
	  .def = "ext4",
	  .help = "which file system" },
	{ 0 },
};

int plan_check_disk(struct compile *c, const struct json *disk, const struct disk_plan *d,
		    struct err *e)
{
	uint64_t least = disk_fs_least[d->fs];
	if (!d->given || d->size >= least)
		return 0;
	return json_err(e, c->ctx.doc, disk, "disk: too small; %s needs %lluMiB or more",
			disk_fs_names[d->fs], (unsigned long long)(least >> 20));
}

void plan_list_disks(struct compile *c)
{
	const struct plan *p = c->plan;
	c->pd->on_disk.items = arena_alloc(c->ctx.arena, (p->node_count + 1) * sizeof(char *));
	for (size_t i = 0; i < p->node_count; i++)
		if (p->nodes[i].disk.given)
			c->pd->on_disk.items[c->pd->on_disk.count++] = p->nodes[i].name;
	c->ctx.on_disk = &c->pd->on_disk;
}

/* The row that names the node: what it says was checked as it was decoded. */
static bool names_a_node(const struct fault_plan *f)
{
	for (const struct param *row = f->injector->params; row->type != PARAM_END; row++)
		if (row->type == PARAM_NODE && row->on_disk)
			return *(const char *const *)((const char *)f->inject + row->offset) !=
			       NULL;
	return false;
}

int plan_fault_disk(struct compile *c, const struct json *v, const struct fault_plan *f,
		    struct err *e)
{
	const struct plan *p = c->plan;
	const struct step_plan *step = plan_fault_step(p, f);
	if (!f->injector->on_disk || names_a_node(f) || plan_node(p, step->node)->disk.given)
		return 0;
	return json_err(e, c->ctx.doc, json_get(v, "inject"),
			"%s: node \"%s\", the step's, has no disk of its own; give it \"disk\": "
			"{\"size\": \"512MiB\"}, or name another \"node\"",
			f->injector->name, step->node);
}
