/* SPDX-License-Identifier: MIT */
#include "harness/engine/roots.h"

#include <stdlib.h>

#include "harness/base/mem.h"

static int base_of(struct owner *o, const struct root_plan *r, image_progress_fn progress,
		   void *arg, struct image *ret, struct err *e)
{
	if (r->kind == ROOT_DIR)
		return image_dir(r->dir, ret, e);
	return image_debian(o, r->suite, r->include.items, r->include.count, progress, arg, ret, e);
}

static int node_root(struct owner *o, const struct node_plan *n, image_progress_fn progress,
		     void *arg, struct image *ret, struct err *e)
{
	struct image base = { 0 };
	if (base_of(o, &n->root, progress, arg, &base, e) < 0)
		return err_prefix(e, "root of node '%s'", n->name);

	const struct file_plan *plans = n->files.items;
	struct image_file *files = mem_array(n->files.count, sizeof(*files));
	for (size_t i = 0; i < n->files.count; i++)
		files[i] = (struct image_file){ plans[i].dest, plans[i].from, plans[i].text,
						plans[i].mode };
	struct image tree = { 0 };
	int result = image_layer(o, &base, files, n->files.count, n->setup.items, n->setup.count,
				 progress, arg, &tree, e);
	free(files);
	image_free(&base);
	if (result == 0 && n->disk.given) {
		const struct image_disk_spec spec = { (enum disk_fs)n->disk.fs, n->disk.size };
		const struct image_progress_to to = { progress, arg };
		result = image_disk(o, &tree, &spec, &to, ret, e);
		image_free(&tree);
	} else if (result == 0) {
		*ret = tree;
	}
	return result < 0 ? err_prefix(e, "root of node '%s'", n->name) : 0;
}

int roots_prepare(struct owner *o, const struct plan *p, image_progress_fn progress, void *arg,
		  struct image **ret, struct err *e)
{
	struct image *roots = mem_array(p->node_count, sizeof(*roots));
	for (size_t i = 0; i < p->node_count; i++) {
		if (node_root(o, &p->nodes[i], progress, arg, &roots[i], e) < 0) {
			roots_free(roots, p->node_count);
			return -1;
		}
	}
	*ret = roots;
	return 0;
}

void roots_free(struct image *roots, size_t count)
{
	for (size_t i = 0; roots != NULL && i < count; i++)
		image_free(&roots[i]);
	free(roots);
}
