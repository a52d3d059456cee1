/* SPDX-License-Identifier: MIT */
#include "tests/drill/toy.h"

#include <dirent.h>
#include <stdio.h>

#include "harness/base/guard.h"
#include "tests/drill/program.h"
#include "tests/unit/runner.h"

void toy_set_up(struct toy *t)
{
	const char *dir = test_dir();
	(void)snprintf(t->state, sizeof(t->state), "%s/state", dir);
	(void)snprintf(t->runs, sizeof(t->runs), "%s/runs", dir);
	(void)snprintf(t->root, sizeof(t->root), "root=%s", test_busybox_root());
}

void toy_find_run(struct toy *t)
{
	GUARD(dir) DIR *d = opendir(t->runs);
	ck_assert_ptr_nonnull(d);
	for (struct dirent *de; (de = readdir(d)) != NULL;)
		if (de->d_name[0] != '.')
			(void)snprintf(t->run, sizeof(t->run), "%s/%s", t->runs, de->d_name);
}

void toy_record(struct toy *t, const char *scenario, const char *fault, const char *rollback)
{
	struct program p;
	toy_set_up(t);
	PROGRAM(&p, "run", scenario, "--state", t->state, "--runs", t->runs, "--var", t->root,
		"--fault", fault, "--seed", "abc", rollback != NULL ? "--rollback" : NULL,
		rollback);
	ck_assert_msg(p.exit <= 2, "%s", buf_str(&p.err));
	program_free(&p);
	toy_find_run(t);
}
