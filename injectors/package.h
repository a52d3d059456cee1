/* SPDX-License-Identifier: MIT */
/*
 * What the package injectors share: one package in a node, a prepared exchange for an altered
 * one with a fitting index, undo and verify.
 */
#ifndef INJECTORS_PACKAGE_H
#define INJECTORS_PACKAGE_H

#include "injectors/injector.h"
#include "injectors/swap.h"

/* Parameters of both; the first field of each kind's own. */
struct package_params {
	const char *node, *deb;
	const char *repo;    /* NULL: swap_index_folder() */
	const char *reindex; /* NULL: the index stays as it is */
};
#define PACKAGE_PARAM_ROWS(own)                                                                    \
	{ .name = "node",                                                                          \
	  .type = PARAM_NODE,                                                                      \
	  .offset = offsetof(own, package.node),                                                   \
	  .required = true,                                                                        \
	  .help = "which node holds the package" },                                                \
		{ .name = "deb",                                                                   \
		  .type = PARAM_PATH,                                                              \
		  .offset = offsetof(own, package.deb),                                            \
		  .required = true,                                                                \
		  .help = "the package file; a pattern must match exactly one" },                  \
	{                                                                                          \
		.name = "repo", .type = PARAM_PATH, .offset = offsetof(own, package.repo),         \
		.help = "folder of the index (default: the package's nearest ancestor that holds " \
			"dists, Packages or Release)"                                              \
	}

struct package {
	struct inject_env env;
	struct node *node;
	char *deb; /* path in the node */
	struct swap *swap;
};

/* Writes the altered package to `out`; `deb` is the original one. */
typedef int (*package_alter_fn)(struct package *p, const void *params, int deb, int out,
				struct err *e);
/* Prepares everything; the node is as before when this returns, with or without success but for
 * a broken `reindex`. `params` begins with a struct package_params. */
int package_prepare(struct package *p, const struct inject_env *env, const void *params,
		    package_alter_fn alter, struct err *e);
void package_free(struct package *p);

/* Runs dpkg-deb in the node to get a plain tar: option "--ctrl-tarfile" or "--fsys-tarfile".
 * Returns a descriptor of an unnamed file, or -1. */
int package_plain_tar(struct package *p, const char *option, struct err *e);

/* Puts the altered files in place and reads them back; on failure the original ones. */
int package_strike(struct package *p, struct err *e);
int package_undo(struct package *p, struct err *e);
int package_verify(struct package *p, char detail[INJECT_DETAIL_MAX], struct err *e);

#endif
