/* SPDX-License-Identifier: MIT */
/* What a node's / is made of. */
#include <string.h>
#include <sys/stat.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/model/plan_parts.h"

enum root_of { ROOT_OF_NOTHING, ROOT_OF_FOLDER, ROOT_OF_FILE, ROOT_OF_EITHER };

static const struct {
	const char *field;
	enum root_of of;
	const char *example;
} kinds[] = {
#define X(id, field, of, example) { field, ROOT_OF_##of, example },
	PLAN_ROOTS(X)
#undef X
};

const struct param plan_root_rows[] = {
	{ .name = "debian",
	  .type = PARAM_NAME,
	  .offset = offsetof(struct root_plan, suite),
	  .help = "a Debian release: \"bookworm\"" },
	{ .name = "include",
	  .type = PARAM_STRINGS,
	  .offset = offsetof(struct root_plan, include),
	  .help = "packages: \"name\" or \"name=version\"" },
	{ .name = "dir",
	  .type = PARAM_FILE,
	  .offset = offsetof(struct root_plan, dir),
	  .help = "or a folder on this host, used read-only" },
	{ .name = "tar",
	  .type = PARAM_FILE,
	  .offset = offsetof(struct root_plan, tar),
	  .help = "or a tar, plain or packed by gzip, bzip2, xz or zstd" },
	{ .name = "erofs",
	  .type = PARAM_FILE,
	  .offset = offsetof(struct root_plan, erofs),
	  .help = "or an erofs file system in a file" },
	{ .name = "squashfs",
	  .type = PARAM_FILE,
	  .offset = offsetof(struct root_plan, squashfs),
	  .help = "or a squashfs file system in a file" },
	{ .name = "oci",
	  .type = PARAM_FILE,
	  .offset = offsetof(struct root_plan, oci),
	  .help = "or a container image: an OCI layout or docker save's, folder or tar" },
	{ .name = "tag",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct root_plan, tag),
	  .help = "which image of \"oci\", where it holds several for this machine" },
	{ .name = "host",
	  .type = PARAM_BOOL,
	  .offset = offsetof(struct root_plan, host),
	  .help = "or this host's own /, used read-only" },
	{ .name = "hide",
	  .type = PARAM_STRINGS,
	  .offset = offsetof(struct root_plan, hide),
	  .help = "absolute paths of \"host\" that nodes do not see" },
	{ 0 },
};

bool plan_root_live(const struct root_plan *r)
{
	return r->kind == ROOT_DIR || r->kind == ROOT_HOST;
}

static const char *value_of(const struct root_plan *r, enum root_kind kind)
{
	const char *const values[] = {
		[ROOT_DEBIAN] = r->suite,
		[ROOT_DIR] = r->dir,
		[ROOT_TAR] = r->tar,
		[ROOT_EROFS] = r->erofs,
		[ROOT_SQUASHFS] = r->squashfs,
		[ROOT_OCI] = r->oci,
		[ROOT_HOST] = r->host ? "/" : NULL,
	};
	return values[kind];
}

static int choose_kind(struct compile *c, const struct json *root, struct root_plan *r,
		       struct err *e)
{
	GUARD_BUF struct buf given = { 0 }, known = { 0 };
	unsigned count = 0;
	for (int k = 0; k < ROOT_COUNT; k++) {
		buf_printf(&known, "%s{\"%s\": %s}",
			   k == 0               ? ""
			   : k < ROOT_COUNT - 1 ? ", "
						: " or ",
			   kinds[k].field, kinds[k].example);
		if (value_of(r, (enum root_kind)k) == NULL)
			continue;
		buf_printf(&given, "%s\"%s\"", count > 0 ? " and " : "", kinds[k].field);
		r->kind = (enum root_kind)k;
		count++;
	}
	if (count == 1)
		return 0;
	return json_err(e, c->ctx.doc, root, "root: %s%s; write one of %s",
			count > 1 ? (count > 2 ? "all of " : "both ") : "it says of no kind",
			buf_str(&given), buf_str(&known));
}

static int belongs(struct compile *c, const struct json *root, const struct root_plan *r,
		   struct err *e)
{
	static const struct {
		const char *field;
		enum root_kind kind;
	} rows[] = { { "include", ROOT_DEBIAN }, { "tag", ROOT_OCI }, { "hide", ROOT_HOST } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (r->kind != rows[i].kind && json_get(root, rows[i].field) != NULL)
			return json_key_err(e, c->ctx.doc, json_get(root, rows[i].field),
					    "\"%s\" belongs to \"%s\"; remove it", rows[i].field,
					    kinds[rows[i].kind].field);
	return 0;
}

static int check_include(struct compile *c, const struct json *root, const struct root_plan *r,
			 struct err *e)
{
	for (size_t i = 0; i < r->include.count; i++) {
		char letter = r->include.items[i][0];
		if (!((letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9')) ||
		    strpbrk(r->include.items[i], " ,\t\n") != NULL)
			return json_err(e, c->ctx.doc, json_get(root, "include"),
					"include: \"%s\" is not a "
					"package; write \"name\" or \"name=version\"",
					r->include.items[i]);
	}
	for (size_t i = 0; i < r->hide.count; i++)
		if (r->hide.items[i][0] != '/' || r->hide.items[i][1] == '\0')
			return json_err(e, c->ctx.doc, json_get(root, "hide"),
					"hide: \"%s\" is not an absolute path below \"/\"",
					r->hide.items[i]);
	return 0;
}

static int check_there(struct compile *c, const struct json *root, const struct root_plan *r,
		       struct err *e)
{
	static const char *const words[] = { [ROOT_OF_FOLDER] = "folder",
					     [ROOT_OF_FILE] = "file",
					     [ROOT_OF_EITHER] = "file or folder" };
	struct stat st;
	enum root_of of = kinds[r->kind].of;
	if (of == ROOT_OF_NOTHING || c->options->archived)
		return 0;
	bool there = stat(value_of(r, r->kind), &st) == 0;
	if (there && ((S_ISDIR(st.st_mode) && of != ROOT_OF_FILE) ||
		      (S_ISREG(st.st_mode) && of != ROOT_OF_FOLDER)))
		return 0;
	const struct json *v = json_get(root, kinds[r->kind].field);
	return json_err(e, c->ctx.doc, v,
			"%s: there is no %s \"%s\"; name one relative to this file",
			kinds[r->kind].field, words[of], json_string(v));
}

int plan_check_root(struct compile *c, const struct json *root, struct root_plan *r, struct err *e)
{
	if (choose_kind(c, root, r, e) < 0 || belongs(c, root, r, e) < 0 ||
	    check_include(c, root, r, e) < 0 || check_there(c, root, r, e) < 0)
		return -1;
	if (r->kind == ROOT_HOST)
		r->dir = "/";
	return 0;
}
