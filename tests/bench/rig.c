/* SPDX-License-Identifier: MIT */
#include "tests/bench/rig.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/log.h"

enum { PATIENCE_S = 600, FILE_MAX = 256 << 20 };

static int copy_in(struct rig *r, const char *from, struct err *e)
{
	GUARD_BUF struct buf data = { 0 };
	const char *slash = strrchr(from, '/');
	GUARD(mem)
	char *to =
		mem_printf("%s/srv/%s", node_root_path(r->node), slash != NULL ? slash + 1 : from);
	if (io_read_file(AT_FDCWD, from, FILE_MAX, &data, e) < 0)
		return -1;
	return io_write_file(AT_FDCWD, to, data.data, data.len, 0644, e);
}

int rig_up(struct rig *r, const char *root, const char *state, char *const *files, struct err *e)
{
	struct stat st;
	if (loop_create(&r->loop, e) < 0 || owner_create(&r->owner, state, e) < 0)
		return -1;
	GUARD(mem) char *work = mem_printf("%s/bench", owner_work_dir(r->owner));
	if (stat(root, &st) < 0 || mkdir(work, 0700) < 0)
		return ERR(e, errno, "'%s' or '%s'", root, work);
	const struct node_spec spec = {
		.name = "bench",
		.root_kind = S_ISDIR(st.st_mode) ? NODE_ROOT_DIR : NODE_ROOT_IMAGE,
		.root_path = root,
		.work_dir = work,
	};
	if (node_create(&r->node, r->loop, r->owner, &spec, e) < 0)
		return -1;
	for (; *files != NULL; files++)
		if (copy_in(r, *files, e) < 0)
			return -1;
	return 0;
}

void rig_down(struct rig *r)
{
	struct err e = { 0 };
	(void)node_destroy(r->node, &e);
	if (r->owner != NULL)
		(void)owner_destroy(r->owner, &e);
	loop_destroy(r->loop);
	if (err_is_set(&e))
		log_warn("%s", e.why);
}

static void ended(void *arg, int status)
{
	struct rig_proc *p = arg;
	p->status = status;
	p->done = true;
}

int rig_start(struct rig *r, const char *script, const struct filter *f, struct rig_proc *p,
	      struct err *e)
{
	const char *const argv[] = { "sh", "-ec", script, NULL };
	struct spawn_spec spec = { .argv = argv, .out_fd = -1, .err_fd = -1, .filter = f };
	*p = (struct rig_proc){ 0 };
	return node_spawn(r->node, &spec, ended, p, &p->proc, e);
}

int rig_wait(struct rig *r, struct rig_proc *p, struct err *e)
{
	int got = loop_wait(r->loop, &p->done, clock_now() + PATIENCE_S * NS_PER_S, e);
	proc_free(p->proc);
	if (got < 0)
		return -1;
	return got == 0 ? ERR(e, 0, "it does not end") : 0;
}

int rig_step(struct rig *r, const char *script, const struct trigger_kind *kind, struct trigger *t,
	     struct err *e)
{
	struct rig_proc p;
	if (t != NULL && kind->enter(t, e) < 0)
		return -1;
	if (rig_start(r, script, t != NULL ? kind->filter(t) : NULL, &p, e) < 0)
		return -1;
	if (t != NULL && kind->started(t, p.proc, e) < 0)
		return -1;
	if (rig_wait(r, &p, e) < 0)
		return -1;
	if (t != NULL)
		kind->leave(t);
	if (p.status != 0)
		return ERR(e, 0, "'%s' ended with status %#x", script, (unsigned)p.status);
	return 0;
}

int rig_arm(struct rig *r, struct rig_trigger *t, const struct trigger_kind *kind, const char *at,
	    const struct trigger_env *env, struct err *e)
{
	*t = (struct rig_trigger){ .kind = kind, .arena = arena_create() };
	if (json_parse(&t->doc, "at", at, strlen(at), e) < 0)
		return -1;
	struct param_ctx c = { .arena = t->arena, .doc = t->doc, .dir = "/" };
	void *params = arena_alloc(t->arena, kind->kind.size);
	if (param_decode(&c, kind->kind.params, kind->kind.shorthand, json_root(t->doc), params,
			 NULL, e) < 0)
		return -1;
	struct trigger_env whole = *env;
	whole.loop = r->loop;
	whole.node = r->node;
	return kind->create(&t->trigger, &whole, params, e);
}

void rig_disarm(struct rig_trigger *t)
{
	if (t->kind != NULL)
		t->kind->destroy(t->trigger);
	json_doc_free(t->doc);
	arena_destroy(t->arena);
	*t = (struct rig_trigger){ 0 };
}
