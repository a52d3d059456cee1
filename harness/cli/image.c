/* SPDX-License-Identifier: MIT */
/* `backout image list|build|remove`: the cached root images. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "harness/base/log.h"
#include "harness/cli/options.h"
#include "harness/cli/settings.h"
#include "harness/engine/catalog.h"
#include "harness/engine/needs.h"
#include "harness/engine/roots.h"
#include "harness/sandbox/host.h"
#include "harness/sandbox/image.h"

extern const struct command command_image;

struct request {
	const char *state;
	const char *const *items; /* what follows the verb */
	size_t count;
	struct pairs vars;
};

static int image_list_all(const struct request *r, struct err *e)
{
	struct image_info *list = NULL;
	if (r->count > 0)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "image list: '%s' is one too many",
			      r->items[0]);
	int count = image_list(r->state, &list, e);
	if (count < 0)
		return -1;
	if (count == 0)
		(void)printf("no images in %s\n", r->state);
	for (int i = 0; i < count; i++) {
		char built[32] = "?";
		struct tm tm;
		time_t t = (time_t)list[i].built;
		if (localtime_r(&t, &tm) != NULL)
			(void)strftime(built, sizeof(built), "%Y-%m-%d %H:%M", &tm);
		(void)printf("%.12s  %s  %7.1f MiB  %-6s  %s\n", list[i].key, built,
			     (double)list[i].size / (1 << 20), list[i].kind, list[i].recipe);
	}
	image_list_free(list, count);
	return 0;
}

static void progress(void *arg, const char *line)
{
	(void)arg;
	log_note("%s", line);
}

static int build_one(const struct request *r, const char *file, struct owner *owner, struct err *e)
{
	struct plan_doc *doc = NULL;
	struct image *roots = NULL;
	const struct roots_note note = { .fn = progress };
	const struct plan_options options = { .vars = &r->vars };
	if (plan_load(&doc, file, catalog_get(), &options, e) < 0)
		return -1;
	const struct plan *p = plan_get(doc);
	int result = roots_prepare(owner, p, &note, &roots, e);
	for (size_t i = 0; result == 0 && i < p->node_count; i++)
		(void)printf("%s: %s %s\n", p->nodes[i].name,
			     roots[i].is_dir ? "directory" : roots[i].key, roots[i].path);
	if (result == 0)
		roots_free(roots, p->node_count);
	plan_free(doc);
	return result;
}

static int image_build(const struct request *r, struct err *e)
{
	struct owner *owner;
	if (r->count == 0)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "image build: write the scenario's file");
	if (host_require(host_needs_images(), r->state, e) < 0 ||
	    owner_create(&owner, r->state, e) < 0)
		return -1;
	int result = 0;
	for (size_t i = 0; result == 0 && i < r->count; i++)
		result = build_one(r, r->items[i], owner, e);
	if (owner_destroy(owner, e) > 0)
		return -1;
	return result;
}

static int image_remove_all(const struct request *r, struct err *e)
{
	int total = 0;
	if (r->count == 0)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "image remove: write the keys (see `backout image list`), or all");
	for (size_t i = 0; i < r->count; i++) {
		int n = image_remove(r->state, r->items[i], e);
		if (n < 0)
			return -1;
		total += n;
	}
	(void)printf("%d image%s removed\n", total, total == 1 ? "" : "s");
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(const struct request *r, struct err *e);
} verbs[] = {
	{ "list", image_list_all },
	{ "build", image_build },
	{ "remove", image_remove_all },
};

static int image_run(int argc, char **argv)
{
	struct err e = { 0 };
	const char *state = NULL;
	struct request r = { 0 };
	struct arguments args;
	const struct option_row rows[] = {
		OPTION_ROW_STATE(state),
		{ "var", OPTION_PAIRS, &r.vars, "NAME=VALUE", "build: set a variable" },
		{ 0 },
	};
	OPTIONS_OR_RETURN(&command_image, rows, argc, argv, &args, &e);
	const char *verb = args.count > 0 ? args.items[0] : "list";
	int result = ERR_AS(&e, EXIT_USAGE_ERROR, 0, "image: no '%s'; write list, build or remove",
			    verb);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].name, verb) != 0)
			continue;
		err_clear(&e);
		r.state = settings_state(state);
		r.items = args.items + 1;
		r.count = args.count > 0 ? args.count - 1 : 0;
		result = verbs[i].fn(&r, &e);
	}
	options_free(&args);
	options_free_pairs(&r.vars);
	return result < 0 ? log_err(&e) : EXIT_OK;
}

const struct command command_image = {
	.name = "image",
	.help = "list, build or remove cached root images",
	.usage = "[list | build SCENARIO... | remove KEY...] [--state DIR]",
	.run = image_run,
	.as_root = true,
};
