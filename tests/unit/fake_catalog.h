/* SPDX-License-Identifier: MIT */
/* Kinds as a scenario sees them, without what they do: the model is tested without any other
 * floor. Rows follow those of the real kinds. */
#ifndef TESTS_UNIT_FAKE_CATALOG_H
#define TESTS_UNIT_FAKE_CATALOG_H

#include "harness/model/kind.h"

struct fake_kill {
	int target, signal;
	const char *program;
};
struct fake_node {
	const char *node, *on;
};
struct fake_package {
	const char *node, *deb, *reindex;
	int word;
	uint64_t exit;
};
struct fake_edge {
	int at;
};
struct fake_program {
	const char *path;
	uint64_t nth;
};
struct fake_bytes {
	const char *link;
	uint64_t over;
};
struct fake_elapsed {
	int64_t after;
};
struct fake_http {
	const char *url, *body;
	uint64_t status;
};
struct fake_tcp {
	const char *address;
};
struct fake_run {
	const char *run, *stdout_text;
	uint64_t exit;
};

extern const struct catalog fake_catalog;

#endif
