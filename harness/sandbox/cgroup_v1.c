/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/cgroup_v1.h"

#include <libcgroup.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

struct v1_group {
	struct cgroup *cg;
	char *name;
};

static const char *why(int code)
{
	return code == ECGOTHER ? strerror(cgroup_get_last_errno()) : cgroup_strerror(code);
}

/* The library reads /proc/mounts once a process. */
static int library(struct err *e)
{
	static bool ready;
	if (ready)
		return 0;
	int code = cgroup_init();
	if (code != 0)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0, "libcgroup: %s", why(code));
	ready = true;
	return 0;
}

static void forget(struct v1_group *g)
{
	if (g->cg != NULL)
		cgroup_free(&g->cg);
	free(g->name);
	free(g);
}

int v1_group_make(struct v1_group **ret, const char *controller, const char *relative,
		  const struct knobs *knobs, struct err *e)
{
	if (library(e) < 0)
		return -1;
	struct v1_group *g = mem_alloc(sizeof(*g));
	g->name = mem_printf("%s:%s", controller, relative);
	g->cg = cgroup_new_cgroup(relative);
	struct cgroup_controller *cc =
		g->cg != NULL ? cgroup_add_controller(g->cg, controller) : NULL;
	int code = 0;
	for (size_t i = 0; cc != NULL && code == 0 && i < knobs->count; i++)
		code = cgroup_set_value_string(cc, knobs->items[i].file, knobs->items[i].value);
	if (cc != NULL && code == 0)
		code = cgroup_create_cgroup(g->cg, 1); /* 1: leave the files' owner alone */
	if (cc != NULL && code == 0) {
		*ret = g;
		return 0;
	}
	(void)ERR(e, 0, "control group '%s': %s", g->name,
		  cc == NULL ? "is the name too long?" : why(code));
	forget(g);
	return -1;
}

int v1_group_attach(struct v1_group *g, pid_t pid, struct err *e)
{
	int code = cgroup_attach_task_pid(g->cg, pid);
	if (code != 0)
		return ERR(e, 0, "put process %d into control group '%s': %s", (int)pid, g->name,
			   why(code));
	return 0;
}

/* Without this flag the library moves members to the parent group: an escape. With it, it says
 * that all is well even when rmdir said EBUSY: the caller looks again. */
void v1_group_remove(struct v1_group *g)
{
	if (g == NULL)
		return;
	(void)cgroup_delete_cgroup_ext(g->cg, CGFLAG_DELETE_EMPTY_ONLY);
	forget(g);
}
