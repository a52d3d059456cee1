/* SPDX-License-Identifier: MIT */
#include "injectors/walk.h"

#include <fcntl.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/model/state.h"
#include "harness/sandbox/rooted.h"

int walk_open(const struct node *n, const char *path, int flags)
{
	return rooted_open(node_root_fd(n), path, flags | O_CLOEXEC, ROOTED_FOLLOW);
}

int walk_open_parent(const struct node *n, const char *path, const char **ret_name, struct err *e)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;
	GUARD(mem) char *parent = mem_printf("%.*s", len > 0 ? (int)len : 1, len > 0 ? path : "/");
	int fd = walk_open(n, parent, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return ERR(e, errno, "open %s in node %s", parent, node_name(n));
	*ret_name = slash != NULL ? slash + 1 : path;
	return fd;
}

int walk_tree(const struct node *n, const char *folder, const struct tree_visitor *v, struct err *e)
{
	int fd = walk_open(n, folder, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return ERR(e, errno, "open %s in node %s", folder, node_name(n));
	return tree_walk(fd, strcmp(folder, "/") == 0 ? "" : folder, v, e);
}

struct finding {
	const char *pattern;
	char *first, *second;
};

static int find_entry(void *arg, const struct tree_entry *w, struct err *e)
{
	struct finding *f = arg;
	(void)e;
	if (!S_ISREG(w->st.st_mode) || !state_path_match(f->pattern, w->path))
		return 0;
	if (f->first == NULL)
		f->first = mem_strdup(w->path);
	else if (f->second == NULL)
		f->second = mem_strdup(w->path);
	return 0;
}

int walk_find_one(const struct node *n, const char *pattern, char **ret, struct err *e)
{
	/* Search below the last folder that is written without wildcards. */
	size_t fixed = strcspn(pattern, "*?");
	while (fixed > 1 && pattern[fixed - 1] != '/')
		fixed--;
	GUARD(mem) char *folder = mem_printf("%.*s", fixed > 1 ? (int)fixed - 1 : 1, pattern);
	struct finding f = { .pattern = pattern };
	const struct tree_visitor v = { .enter = find_entry, .arg = &f };
	int found = walk_tree(n, folder, &v, e);
	GUARD(mem) char *first = f.first;
	GUARD(mem) char *second = f.second;
	if (found < 0)
		return -1;
	if (first == NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "no file in node %s matches %s",
			      node_name(n), pattern);
	if (second != NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "more than one file in node %s matches %s: %s, %s; name one",
			      node_name(n), pattern, first, second);
	*ret = take_ptr(&first);
	return 0;
}
