/* SPDX-License-Identifier: MIT */
/*
 * Injector package.corrupt: a damaged package in a repository. Two faults: "hash" damages the
 * file alone, so that apt refuses it; "archive" ends its data in the middle of a file and makes
 * the index fit, so that apt takes it and dpkg fails while unpacking.
 */
#include <stdio.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/execwatch.h"
#include "harness/sandbox/process.h"
#include "injectors/deb.h"
#include "injectors/package.h"

enum corrupt_kind { CORRUPT_HASH, CORRUPT_ARCHIVE };
static const char *const corrupt_kinds[] = { "hash", "archive", NULL };

struct corrupt_params {
	struct package_params package; /* first: see package_prepare() */
	int kind;
};

static const struct param corrupt_params[] = {
	PACKAGE_PARAM_ROWS(struct corrupt_params),
	{ .name = "reindex",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct corrupt_params, package.reindex),
	  .help = "shell command on that node, in the index's folder, that makes the index anew "
		  "(needed for \"archive\")" },
	{ .name = "kind",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct corrupt_params, kind),
	  .names = corrupt_kinds,
	  .required = true,
	  .help = "hash: bytes flipped, the index still names the old hash; archive: the data "
		  "ends in mid-file, the index fits" },
	{ 0 },
};

struct injection {
	struct package package;
	char *how;
	struct read_watch *watch;
};

static const char *corrupt_check(const void *params)
{
	const struct corrupt_params *p = params;
	if (p->kind == CORRUPT_ARCHIVE && p->package.reindex == NULL)
		return "kind \"archive\" needs \"reindex\": the command that makes the index fit";
	if (p->kind == CORRUPT_HASH && p->package.reindex != NULL)
		return "kind \"hash\" leaves the index as it is: leave out \"reindex\"";
	return NULL;
}

static int alter(struct package *package, const void *params, int deb, int out, struct err *e)
{
	struct injection *i = (struct injection *)package; /* its first field */
	const struct corrupt_params *p = params;
	char name[DEB_NAME_MAX];
	if (p->kind == CORRUPT_HASH) {
		i->how = mem_strdup("16 bytes in its middle inverted, index untouched");
		return deb_copy(deb, out, e) < 0 ? -1 : deb_flip(out, e);
	}
	GUARD(fd) int tar = package_plain_tar(package, "--fsys-tarfile", e);
	if (tar < 0 || deb_cut_data(tar, name, e) < 0)
		return -1;
	i->how = mem_printf("its data ends in the middle of %s, index made to fit", name);
	return deb_replace(deb, DEB_DATA, tar, out, e);
}

static void corrupt_destroy(struct injection *i)
{
	if (i == NULL)
		return;
	read_watch_destroy(i->watch);
	package_free(&i->package);
	free(i->how);
	free(i);
}

static int corrupt_create(struct injection **ret, const struct inject_env *env, const void *params,
			  struct err *e)
{
	struct injection *i = mem_alloc(sizeof(*i));
	if (package_prepare(&i->package, env, params, alter, e) < 0) {
		corrupt_destroy(i);
		return -1;
	}
	*ret = i;
	return 0;
}

/* What a step made of it is not seen from here: that its bytes were read while one ran is. */
static void on_read(void *arg, pid_t pid)
{
	struct injection *i = arg;
	const struct inject_env *env = &i->package.env;
	if (pid == getpid() || !env->step_running(env->arg))
		return;
	struct process reader = { 0 };
	bool known = process_read(pid, &reader);
	GUARD(mem)
	char *evidence = mem_printf("%s was read by %s (pid %d) while a step ran", i->package.deb,
				    known ? reader.exe : "a process that is gone", (int)pid);
	env->felt(env->arg, evidence);
}

static int corrupt_strike(struct injection *i, const struct strike_target *target,
			  char detail[INJECT_DETAIL_MAX], struct err *e)
{
	struct package *p = &i->package;
	(void)target;
	if (package_strike(p, e) < 0)
		return -1;
	/* Behind the exchange: the file is another one than before. */
	if (read_watch_create(&i->watch, p->env.loop, p->node, p->deb, on_read, i, e) < 0) {
		struct err unused = { 0 };
		(void)package_undo(p, &unused);
		return -1;
	}
	(void)snprintf(detail, INJECT_DETAIL_MAX, "%.100s in node %s: %s", p->deb,
		       node_name(p->node), i->how);
	return 0;
}

static int corrupt_undo(struct injection *i, struct err *e)
{
	read_watch_destroy(i->watch);
	i->watch = NULL;
	return package_undo(&i->package, e);
}

static int corrupt_verify(struct injection *i, char detail[INJECT_DETAIL_MAX], struct err *e)
{
	return package_verify(&i->package, detail, e);
}

const struct injector injector_package_corrupt = {
	.kind = { .name = "package.corrupt",
		  .help = "damage a package in a repository",
		  .applied = "the damaged package, and an index that fits it, are in their place",
		  .felt = "a process read the damaged package while a step ran",
		  .params = corrupt_params,
		  .size = sizeof(struct corrupt_params),
		  .exact = true,
		  .lasting = true,
		  .check = corrupt_check },
	.create = corrupt_create,
	.strike = corrupt_strike,
	.undo = corrupt_undo,
	.verify = corrupt_verify,
	.destroy = corrupt_destroy,
};
