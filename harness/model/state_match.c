/* SPDX-License-Identifier: MIT */
/* Path patterns. Two places to go back to are enough: behind a later '**' an earlier one never
 * needs another try, and a '*' cannot leave its name. */
#include "harness/model/state.h"

#include <string.h>

struct retry {
	const char *pattern; /* what follows the stars; NULL: none seen */
	const char *path;    /* where that was tried last */
	bool names;          /* it stands for whole names: a slash and two stars and a slash */
};

/* The next place at which what follows '**' may begin; NULL: none is left. */
static const char *next_start(const struct retry *r)
{
	if (!r->names)
		return *r->path != '\0' ? r->path + 1 : NULL;
	const char *slash = strchr(r->path, '/');
	return slash != NULL ? slash + 1 : NULL;
}

bool state_path_match(const char *pattern, const char *path)
{
	const char *const whole = pattern;
	struct retry any = { 0 }, star = { 0 };

	for (;;) {
		if (pattern[0] == '*' && pattern[1] == '*') {
			bool names = pattern[2] == '/' && pattern > whole && pattern[-1] == '/';
			any = (struct retry){ .pattern = pattern + (names ? 3 : 2),
					      .path = path,
					      .names = names };
			star.pattern = NULL;
			pattern = any.pattern;
			continue;
		}
		if (*pattern == '*') {
			star = (struct retry){ .pattern = ++pattern, .path = path };
			continue;
		}
		if (*pattern == '\0' && *path == '\0')
			return true;
		if (*path != '\0' && (*pattern == *path || (*pattern == '?' && *path != '/'))) {
			pattern++;
			path++;
			continue;
		}
		if (star.pattern != NULL && *star.path != '\0' && *star.path != '/') {
			path = ++star.path;
			pattern = star.pattern;
			continue;
		}
		star.pattern = NULL;
		if (any.pattern == NULL)
			return false;
		const char *start = next_start(&any);
		if (start == NULL)
			return false;
		any.path = path = start;
		pattern = any.pattern;
	}
}
