/* SPDX-License-Identifier: MIT */
#include "harness/cli/settings.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/userns.h"

static const char *setting(const char *option, const char *variable, const char *fallback)
{
	const char *env = getenv(variable);
	if (option != NULL)
		return option;
	return env != NULL && env[0] != '\0' ? env : fallback;
}

/* XDG Base Directory Specification: $XDG_STATE_HOME, if not set ~/.local/state. */
static const char *default_state(void)
{
	static char *own;
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	if (own != NULL)
		return own;
	if ((!userns_entered() && geteuid() == 0) || home == NULL || home[0] != '/')
		return SETTINGS_STATE_DEFAULT;
	own = xdg != NULL && xdg[0] == '/' ? mem_printf("%s/backout", xdg)
					   : mem_printf("%s/" SETTINGS_STATE_USER, home);
	return own;
}

const char *settings_state(const char *option)
{
	return setting(option, "BACKOUT_STATE", default_state());
}

const char *settings_runs(const char *option)
{
	return setting(option, "BACKOUT_RUNS", SETTINGS_RUNS_DEFAULT);
}

static bool is_run(const char *dir)
{
	GUARD(mem) char *plan = mem_printf("%s/run.json", dir);
	return access(plan, F_OK) == 0;
}

/* Names begin with the time of the run, so the last one in order is the newest. */
static int search(const char *runs, const char *prefix, char **ret, struct err *e)
{
	bool last = strcmp(prefix, "last") == 0;
	unsigned found = 0;
	GUARD(mem) char *best = NULL;
	GUARD(dir) DIR *d = opendir(runs);
	if (d == NULL)
		return ERR_AS(e, EXIT_USAGE_ERROR, errno, "no run '%s': open '%s'", prefix, runs);
	for (const struct dirent *ent; (ent = readdir(d)) != NULL;) {
		if (ent->d_name[0] == '.')
			continue;
		if (!last && strncmp(ent->d_name, prefix, strlen(prefix)) != 0)
			continue;
		GUARD(mem) char *dir = mem_printf("%s/%s", runs, ent->d_name);
		if (!is_run(dir))
			continue;
		found++;
		if (best == NULL || strcmp(dir, best) > 0) {
			free(best);
			best = take_ptr(&dir);
		}
	}
	if (found == 0)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "no run '%s' in '%s'; see `ls %s`", prefix,
			      runs, runs);
	if (found > 1 && !last)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "'%s' is the beginning of %u runs in '%s': write more of it", prefix,
			      found, runs);
	*ret = take_ptr(&best);
	return 0;
}

int settings_find_run(const char *runs, const char *name, char **ret, struct err *e)
{
	if (is_run(name)) {
		*ret = mem_strdup(name);
		return 0;
	}
	if (strchr(name, '/') != NULL)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "'%s' is no run folder: it has no run.json",
			      name);
	GUARD(mem) char *dir = mem_printf("%s/%s", runs, name);
	if (is_run(dir)) {
		*ret = take_ptr(&dir);
		return 0;
	}
	return search(runs, name, ret, e);
}

bool settings_colour(FILE *out)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	if (no != NULL && no[0] != '\0')
		return false;
	return isatty(fileno(out)) == 1 && (term == NULL || strcmp(term, "dumb") != 0);
}
