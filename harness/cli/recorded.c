/* SPDX-License-Identifier: MIT */
#include "harness/cli/recorded.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "harness/base/guard.h"
#include "harness/cli/settings.h"
#include "harness/engine/bundle.h"

static bool is_file(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int open_replay(struct recorded *r, struct session *common, bool bundle, struct err *e)
{
	GUARD(mem) char *bundled = NULL; /* the drill that a bundle is of */
	if (bundle && bundle_open(common->owner, r->run, &r->dir, &bundled, e) < 0)
		return -1;
	return replay_open(&r->replay, r->dir, r->drill != NULL ? r->drill : bundled, e);
}

int recorded_open(struct recorded *r, struct session *common, struct err *e)
{
	bool bundle = is_file(r->run);
	if (!bundle && settings_find_run(common->runs_dir, r->run, &r->dir, e) < 0)
		return -1;
	int result = session_own(common, e);
	if (result == 0)
		result = open_replay(r, common, bundle, e);
	return result < 0 ? recorded_close(r, common, -1, e) : 0;
}

int recorded_close(struct recorded *r, struct session *common, int result, struct err *e)
{
	replay_close(r->replay);
	free(r->dir);
	int ended = session_disown(common, result < 0 ? -1 : 0, e);
	return ended < 0 ? -1 : result;
}
