/* SPDX-License-Identifier: MIT */
#include "harness/engine/roots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/needs.h"
#include "harness/sandbox/capture_base.h"
#include "harness/sandbox/host.h"

/* Never seen: what this harness writes itself. */
static int host_of(struct owner *o, const struct root_plan *r, const struct roots_note *note,
		   struct image *ret, struct err *e)
{
	size_t count = r->hide.count;
	GUARD(mem) const char **hide = mem_array(count + 2, sizeof(*hide));
	for (size_t i = 0; i < count; i++)
		hide[i] = r->hide.items[i];
	hide[count++] = owner_state_dir(o);
	/* There before it is written to, or it could not be hidden. */
	if (note->runs_dir != NULL && io_mkdirs(note->runs_dir, 0755, e) < 0)
		return -1;
	if (note->runs_dir != NULL)
		hide[count++] = note->runs_dir;
	return image_host(o, hide, count, ret, e);
}

static int base_of(struct owner *o, const struct root_plan *r, const struct roots_note *note,
		   struct image *ret, struct err *e)
{
	const struct image_progress_to to = { note->fn, note->arg };
	const struct image_fs_file erofs = { IMAGE_FS_EROFS, r->erofs };
	const struct image_fs_file squashfs = { IMAGE_FS_SQUASHFS, r->squashfs };
	const struct image_oci_source oci = { r->oci, r->tag };
	switch (r->kind) {
	case ROOT_DIR:
		return image_dir(r->dir, ret, e);
	case ROOT_TAR:
		return image_tar(o, r->tar, &to, ret, e);
	case ROOT_EROFS:
		return image_filesystem(o, &erofs, &to, ret, e);
	case ROOT_SQUASHFS:
		return image_filesystem(o, &squashfs, &to, ret, e);
	case ROOT_OCI:
		return image_oci(o, &oci, &to, ret, e);
	case ROOT_HOST:
		return host_of(o, r, note, ret, e);
	default:
		return image_debian(o, r->suite, r->include.items, r->include.count, note->fn,
				    note->arg, ret, e);
	}
}

static int node_root(struct owner *o, const struct node_plan *n, const struct roots_note *note,
		     struct image *ret, struct err *e)
{
	struct image base = { 0 };
	if (base_of(o, &n->root, note, &base, e) < 0)
		return err_prefix(e, "root of node '%s'", n->name);

	const struct file_plan *plans = n->files.items;
	struct image_file *files = mem_array(n->files.count, sizeof(*files));
	for (size_t i = 0; i < n->files.count; i++)
		files[i] = (struct image_file){ plans[i].dest, plans[i].from, plans[i].text,
						plans[i].mode };
	struct image tree = { 0 };
	int result = image_layer(o, &base, files, n->files.count, n->setup.items, n->setup.count,
				 note->fn, note->arg, &tree, e);
	free(files);
	image_free(&base);
	if (result == 0 && n->disk.given) {
		const struct image_disk_spec spec = { (enum disk_fs)n->disk.fs, n->disk.size };
		const struct image_progress_to to = { note->fn, note->arg };
		result = image_disk(o, &tree, &spec, &to, ret, e);
		image_free(&tree);
	} else if (result == 0) {
		*ret = tree;
	}
	return result < 0 ? err_prefix(e, "root of node '%s'", n->name) : 0;
}

/* Each node's disk is a file with holes below the state folder: one that grows to its size must
 * find the room there, or the node meets an error that no fault has made. */
static int check_room(struct owner *o, const struct plan *p, struct err *e)
{
	struct statvfs fs;
	uint64_t wanted = 0;
	for (size_t i = 0; i < p->node_count; i++)
		wanted += p->nodes[i].disk.given ? p->nodes[i].disk.size : 0;
	if (wanted == 0)
		return 0;
	if (statvfs(owner_work_dir(o), &fs) < 0)
		return ERR(e, errno, "ask for the room in '%s'", owner_state_dir(o));
	uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (wanted <= room)
		return 0;
	return ERR_AS(e, EXIT_UNAVAILABLE, 0,
		      "disks: %llu MiB for all nodes together, but only %llu MiB are free below "
		      "'%s', where they lie; write less, or name a larger place by --state DIR",
		      (unsigned long long)(wanted >> 20), (unsigned long long)(room >> 20),
		      owner_state_dir(o));
}

/* Before a drill has begun: one that begins would end as an error of the harness. A folder may be
 * anything by then, and of a disk nothing is known here; the node itself looks, too. */
static int check_systemd(const struct node_plan *n, const struct image *root, struct err *e)
{
	if (n->init != INIT_SYSTEMD || root->lines == NULL ||
	    capture_base_has(root->lines, "/usr/lib/systemd/systemd") ||
	    capture_base_has(root->lines, "/lib/systemd/systemd"))
		return 0;
	return ERR_AS(
		e, EXIT_BAD_SCENARIO, 0,
		"node '%s': \"init\" is \"systemd\", and there is none in its root; include the "
		"packages systemd, systemd-sysv and dbus",
		n->name);
}

int roots_prepare(struct owner *o, const struct plan *p, const struct roots_note *note,
		  struct image **ret, struct err *e)
{
	if (check_room(o, p, e) < 0)
		return -1;
	struct image *roots = mem_array(p->node_count, sizeof(*roots));
	for (size_t i = 0; i < p->node_count; i++) {
		if (node_root(o, &p->nodes[i], note, &roots[i], e) < 0 ||
		    image_lines(o, &roots[i], e) < 0 ||
		    check_systemd(&p->nodes[i], &roots[i], e) < 0) {
			roots_free(roots, p->node_count);
			return -1;
		}
	}
	*ret = roots;
	return 0;
}

static const char *recorded_digest(const struct pairs *recorded, const char *node)
{
	for (size_t i = 0; i < recorded->count; i++)
		if (strcmp(recorded->items[i].key, node) == 0)
			return recorded->items[i].value;
	return NULL;
}

/* A live root's digest is that of its path: only an image has one of its content. */
static bool is_folder(const struct node_plan *n)
{
	return plan_root_live(&n->root) && n->files.count == 0 && n->setup.count == 0 &&
	       !n->disk.given;
}

static int build_again(struct owner *o, const struct node_plan *n, const char *digest,
		       const struct roots_note *note, struct image *ret, struct err *e)
{
	if (host_require_owned(host_needs_root(n), o, e) < 0 || node_root(o, n, note, ret, e) < 0) {
		e->exit = EXIT_UNAVAILABLE;
		return err_prefix(e,
				  "the root image of content %s is not in the cache and cannot be "
				  "built again (a bundle would have it)",
				  digest);
	}
	if (strcmp(ret->digest, digest) == 0)
		return 0;
	(void)ERR_AS(e, EXIT_UNAVAILABLE, 0,
		     "root of node '%s': the image of the run, content %s, is not in the cache, "
		     "and what was built anew has content %s%s; replay from a bundle, or `backout "
		     "run` the scenario again",
		     n->name, digest, ret->digest,
		     n->setup.count > 0
			     ? " (its set-up commands may write something else each time)"
			     : "");
	image_free(ret);
	return -1;
}

static int root_again(struct owner *o, const struct node_plan *n, const char *digest,
		      const struct roots_note *note, struct image *ret, struct err *e)
{
	if (digest == NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "run.json names no root of node '%s'",
			      n->name);
	int found = is_folder(n) ? 0 : image_find(owner_state_dir(o), digest, ret, e);
	return found != 0 ? found : build_again(o, n, digest, note, ret, e);
}

int roots_again(struct owner *o, const struct plan *p, const struct pairs *recorded,
		const struct roots_note *note, struct image **ret, struct err *e)
{
	if (check_room(o, p, e) < 0)
		return -1;
	struct image *roots = mem_array(p->node_count, sizeof(*roots));
	for (size_t i = 0; i < p->node_count; i++) {
		const struct node_plan *n = &p->nodes[i];
		if (root_again(o, n, recorded_digest(recorded, n->name), note, &roots[i], e) < 0) {
			roots_free(roots, p->node_count);
			return -1;
		}
	}
	*ret = roots;
	return 0;
}

void roots_into(const struct image *root, struct node_spec *spec)
{
	spec->mounted = root->mounted;
	spec->root_kind = image_node_root(root);
	spec->root_fs = root->fs;
	spec->root_path = root->path;
	spec->mask = root->mask;
}

void roots_free(struct image *roots, size_t count)
{
	for (size_t i = 0; roots != NULL && i < count; i++)
		image_free(&roots[i]);
	free(roots);
}
