/* SPDX-License-Identifier: MIT */
#include "harness/engine/bundle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/archive.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/kept.h"
#include "harness/sandbox/image.h"

enum { BUNDLE_FORMAT = 1, BUNDLE_JSON_MAX = 1 << 20 };

struct writing {
	const struct replay *replay;
	const struct run_view *view;
	const struct bundle_note *note;
	const char *state_dir;
	struct archive_out *tar;
	bool images;
};

static const struct node_plan *folder_root(const struct writing *w, const char *node)
{
	const struct node_plan *n = plan_node(w->view->plan, node);
	bool folder = n != NULL && plan_root_live(&n->root) && n->files.count == 0 &&
		      n->setup.count == 0 && !n->disk.given;
	return folder ? n : NULL;
}

static bool named_before(const struct pairs *roots, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(roots->items[k].value, roots->items[i].value) == 0)
			return true;
	return false;
}

static int add_about(struct writing *w, struct err *e)
{
	const struct pairs *roots = replay_roots(w->replay);
	GUARD_BUF struct buf b = { 0 }, folders = { 0 };
	GUARD(mem) char *name = mem_printf("%s/bundle.json", w->view->id);
	buf_printf(&b, "{\"format\":%d,\"drill\":", BUNDLE_FORMAT);
	buf_json(&b, replay_recorded(w->replay)->label);
	buf_puts(&b, ",\"images\":[");
	const char *comma = "";
	for (size_t i = 0; i < roots->count; i++) {
		const struct node_plan *folder = folder_root(w, roots->items[i].key);
		if (folder != NULL) {
			buf_puts(&folders, folders.len > 0 ? "," : "");
			buf_json(&folders, folder->root.dir);
			GUARD(mem)
			char *line =
				mem_printf("node '%s' has the folder %s as its root: a machine "
					   "that replays this needs the same there",
					   folder->name, folder->root.dir);
			w->note->fn(w->note->arg, line);
		} else if (w->images && !named_before(roots, i)) {
			buf_puts(&b, comma);
			buf_json(&b, roots->items[i].value);
			comma = ",";
		}
	}
	buf_printf(&b, "],\"directories\":[%s]}\n", buf_str(&folders));
	return archive_add_text(w->tar, name, buf_str(&b), e);
}

static int add_run(struct writing *w, struct err *e)
{
	static const char *const files[] = { "run.json", "scenario.json", "plan.json",
					     "host.json" };
	const struct run_view *v = w->view;
	const struct fault_plan *fault = replay_recorded(w->replay)->fault;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		GUARD(mem) char *from = mem_printf("%s/%s", v->dir, files[i]);
		GUARD(mem) char *name = mem_printf("%s/%s", v->id, files[i]);
		if (archive_add_file(w->tar, name, from, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < v->count; i++) {
		if (v->items[i].role != ROLE_CONTROL && v->items[i].fault != fault)
			continue;
		GUARD(mem) char *from = mem_printf("%s/%s", v->dir, v->items[i].label);
		GUARD(mem) char *name = mem_printf("%s/%s", v->id, v->items[i].label);
		if (archive_add_tree(w->tar, name, from, KEPT_FOLDER, e) < 0)
			return -1;
	}
	return 0;
}

static int add_image(struct writing *w, const char *node, const char *digest, struct err *e)
{
	struct image image = { 0 };
	int found = image_find(w->state_dir, digest, &image, e);
	if (found < 0)
		return -1;
	if (found == 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0,
			      "the root image of node '%s', content %s, is not in the cache of %s; "
			      "write the bundle --without-images",
			      node, digest, w->state_dir);
	if (image.is_tree) {
		image_free(&image);
		return ERR_AS(e, EXIT_UNAVAILABLE, 0,
			      "an ordinary user's cache has folders, not images, and a bundle "
			      "carries images: write it --without-images, or as root");
	}
	GUARD(mem) char *meta = mem_printf("%s/images/%s.json", w->state_dir, image.key);
	GUARD(mem) char *name = mem_printf("images/%s.%s", digest, image_suffix(&image));
	GUARD(mem) char *about = mem_printf("images/%s.json", digest);
	int result = archive_add_file(w->tar, name, image.path, e);
	if (result == 0)
		result = archive_add_file(w->tar, about, meta, e);
	image_free(&image);
	return result;
}

static int add_images(struct writing *w, struct err *e)
{
	const struct pairs *roots = replay_roots(w->replay);
	for (size_t i = 0; i < roots->count; i++) {
		const struct pair *root = &roots->items[i];
		if (folder_root(w, root->key) != NULL || named_before(roots, i))
			continue;
		if (!w->images) {
			GUARD(mem)
			char *line = mem_printf("the root image of node '%s', content %s, is left "
						"out",
						root->key, root->value);
			w->note->fn(w->note->arg, line);
		} else if (add_image(w, root->key, root->value, e) < 0) {
			return -1;
		}
	}
	return 0;
}

int bundle_write(const struct replay *r, const char *file, const char *state_dir, bool images,
		 const struct bundle_note *note, struct err *e)
{
	struct writing w = {
		.replay = r,
		.view = replay_view(r),
		.note = note,
		.state_dir = state_dir,
		.images = images,
	};
	if (archive_create(&w.tar, file, e) < 0)
		return -1;
	if (add_about(&w, e) < 0 || add_run(&w, e) < 0 || add_images(&w, e) < 0) {
		archive_discard(w.tar);
		return -1;
	}
	return archive_finish(w.tar, e);
}

/* ---- reading ---- */

/* The one folder beside images/. */
static int find_run(const char *dir, const char *file, char **ret, struct err *e)
{
	GUARD(dir) DIR *d = opendir(dir);
	if (d == NULL)
		return ERR(e, errno, "open '%s'", dir);
	for (const struct dirent *de; (de = readdir(d)) != NULL;) {
		GUARD(mem) char *about = mem_printf("%s/%s/bundle.json", dir, de->d_name);
		if (de->d_name[0] == '.' || access(about, F_OK) < 0)
			continue;
		*ret = mem_printf("%s/%s", dir, de->d_name);
		return 0;
	}
	return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s' is no bundle: it has no bundle.json", file);
}

/* By whichever name it lies there; where none does, by one that is missed. */
static char *find_image(const char *dir, const char *digest)
{
	for (size_t i = 0; image_suffixes[i] != NULL; i++) {
		GUARD(mem)
		char *path = mem_printf("%s/images/%s.%s", dir, digest, image_suffixes[i]);
		if (access(path, F_OK) == 0)
			return take_ptr(&path);
	}
	return mem_printf("%s/images/%s.%s", dir, digest, image_suffixes[0]);
}

static int take_images(struct owner *o, const char *dir, const struct json *images, struct err *e)
{
	for (const struct json *v = images != NULL ? json_first(images) : NULL; v != NULL;
	     v = json_next(v)) {
		const char *digest = json_string(v) != NULL ? json_string(v) : "";
		GUARD(mem) char *image = find_image(dir, digest);
		GUARD(mem) char *meta = mem_printf("%s/images/%s.json", dir, digest);
		if (image_import(o, image, meta, digest, e) < 0)
			return -1;
	}
	return 0;
}

static int read_about(struct owner *o, const char *dir, const char *run, char **ret_drill,
		      struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	GUARD(mem) char *path = mem_printf("%s/bundle.json", run);
	struct json_doc *doc = NULL;
	if (io_read_file(AT_FDCWD, path, BUNDLE_JSON_MAX, &text, e) < 0 ||
	    json_parse(&doc, path, buf_str(&text), text.len, e) < 0)
		return -1;
	const struct json *root = json_root(doc);
	int result = 0;
	if (json_get_int(root, "format", 0) != BUNDLE_FORMAT)
		result = ERR_AS(e, EXIT_BAD_SCENARIO, 0, "%s: format %lld is not known here", path,
				(long long)json_get_int(root, "format", 0));
	if (result == 0)
		result = take_images(o, dir, json_get(root, "images"), e);
	if (result == 0)
		*ret_drill = mem_strdup(json_get_string(root, "drill", ""));
	json_doc_free(doc);
	return result;
}

int bundle_open(struct owner *o, const char *file, char **ret_run, char **ret_drill, struct err *e)
{
	GUARD(mem) char *dir = mem_printf("%s/bundle", owner_work_dir(o));
	GUARD(mem) char *run = NULL;
	if (io_mkdirs(dir, 0700, e) < 0 || archive_extract(file, dir, e) < 0 ||
	    find_run(dir, file, &run, e) < 0 || read_about(o, dir, run, ret_drill, e) < 0)
		return -1;
	*ret_run = take_ptr(&run);
	return 0;
}
