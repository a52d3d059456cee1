/* SPDX-License-Identifier: MIT */
#include "harness/engine/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/base/terminal.h"
#include "harness/engine/drill_private.h"
#include "harness/engine/kept.h"
#include "harness/engine/one_drill.h"
#include "harness/engine/roots.h"

struct shell {
	const struct shell_spec *spec;
	struct shell_end *end; /* shared with the process that asked for the drill */
	struct loop *loop;
	int *interrupted; /* of a kept state's shell */
	bool done;
	int status;
};

static void ended(void *arg, int status)
{
	struct shell *sh = arg;
	sh->status = status;
	sh->done = true;
}

static const char *default_node(const struct drill *d)
{
	return d->step != NULL ? d->step->node : plan_fault_step(d->plan, d->spec->fault)->node;
}

static int run_line(struct shell *sh, struct node *n, struct err *e)
{
	const char *const argv[] = { "sh", "-ec", sh->spec->command, NULL };
	const struct spawn_spec spec = {
		.argv = argv, .out_fd = sh->spec->out, .err_fd = sh->spec->err, .apart = true
	};
	struct proc *p = NULL;
	if (node_spawn(n, &spec, ended, sh, &p, e) < 0)
		return -1;
	int result = loop_wait(sh->loop, &sh->done, INT64_MAX, e);
	proc_free(p);
	return result < 0 ? -1 : 0;
}

static bool has_program(const struct node *n, const char *path)
{
	GUARD(mem) char *full = mem_printf("%s%s", node_root_path(n), path);
	return access(full, X_OK) == 0;
}

static int run_terminal(struct shell *sh, struct node *n, struct err *e)
{
	/* Without its start files bash keeps the prompt. */
	static const char *const bash_argv[] = { "/bin/bash", "--norc", "-i", NULL };
	static const char *const sh_argv[] = { "/bin/sh", "-i", NULL };
	const char *term = getenv("TERM");
	GUARD(mem) char *term_is = mem_printf("TERM=%s", term != NULL ? term : "dumb");
	bool bash = has_program(n, bash_argv[0]);
	/* Not every other shell puts the folder in. */
	GUARD(mem)
	char *prompt = mem_printf("PS1=backout:%s%s ", node_name(n), bash ? " \\w \\$" : " #");
	const char *const env[] = { term_is, prompt, NULL };
	GUARD(fd) int master = -1;
	GUARD(fd) int inside = -1;
	if (node_terminal(n, &master, &inside, e) < 0)
		return -1;
	const struct spawn_spec spec = {
		.argv = bash ? bash_argv : sh_argv,
		.env = env,
		.out_fd = inside,
		.err_fd = -1,
		.terminal = true,
		.apart = true,
	};
	struct proc *p = NULL;
	if (node_spawn(n, &spec, ended, sh, &p, e) < 0)
		return -1;
	(void)close(take_fd(&inside)); /* its end is seen when the node has no more of it */
	const struct terminal_ends ends = { sh->spec->in, sh->spec->out, master };
	int result = terminal_join(sh->loop, &ends, &sh->done, e);
	proc_free(p);
	return result;
}

static int look(struct shell *sh, struct node *n, struct err *e)
{
	int result = sh->spec->command != NULL ? run_line(sh, n, e) : run_terminal(sh, n, e);
	sh->end->status = sh->status;
	return result;
}

static int stand(void *arg, struct drill *d, struct err *e)
{
	struct shell *sh = arg;
	const char *name = sh->spec->node != NULL ? sh->spec->node : default_node(d);
	const struct drill_node *at = drill_node(d, name);
	if (at == NULL || at->node == NULL)
		return ERR(e, 0, "there is no node '%s'", name);
	sh->end->reached = true;
	(void)dprintf(sh->spec->err,
		      "backout: node %s, %s. The drill goes no further; it is torn down when this "
		      "ends.\n",
		      name,
		      sh->spec->at == DRILL_STOP_STRIKE ? "right after the strike"
							: "after the rollback");
	sh->loop = d->loop;
	int result = look(sh, at->node, e);
	if (result < 0)
		(void)dprintf(sh->spec->err, "backout: %s\n", e->why);
	return result;
}

static int check_node(const struct shell_spec *spec, const struct plan *p, struct err *e)
{
	if (spec->node == NULL || plan_node(p, spec->node) != NULL)
		return 0;
	return ERR_AS(e, EXIT_USAGE_ERROR, 0, "the scenario has no node '%s'", spec->node);
}

static int in_replay(const struct replay *r, struct session *s, struct shell *sh, struct err *e)
{
	const struct fault_plan *fault = NULL;
	const struct drill_stop stop = { sh->spec->at, stand, sh };
	struct one_drill d;
	if (replay_begin(r, s, &fault, e) < 0)
		return -1;
	if (check_node(sh->spec, s->plan, e) < 0)
		return -1;
	if (one_drill_make(&d, s, (struct drill_id){ ROLE_DRILL, fault, 0 }, e) < 0)
		return -1;
	d.spec.stop = &stop;
	int index = one_drill_run(s, &d, e);
	one_drill_free(&d);
	return index < 0 ? -1 : 0;
}

int shell_in_replay(const struct replay *r, struct session *s, const struct shell_spec *spec,
		    struct shell_end *ret, struct err *e)
{
	struct shell_end *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return ERR(e, errno, "mmap");
	struct shell sh = { .spec = spec, .end = shared };
	int result = in_replay(r, s, &sh, e);
	*ret = *shared;
	(void)munmap(shared, sizeof(*shared));
	return result;
}

/* ---- a kept state ---- */

static void stop(void *arg, int signo)
{
	struct shell *sh = arg;
	*sh->interrupted = signo;
	loop_stop(sh->loop, "stopped by a signal");
}

static int look_at_kept(struct shell *sh, struct session *s, const struct node_spec *spec,
			struct err *e)
{
	static const int stops[] = { SIGINT, SIGTERM, SIGHUP };
	struct node *n = NULL;
	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
		if (loop_on_signal(sh->loop, stops[i], stop, sh, e) < 0)
			return -1;
	int result = node_create(&n, sh->loop, s->owner, spec, e);
	if (result == 0) {
		sh->end->reached = true;
		result = look(sh, n, e);
	}
	return node_destroy(n, e) > 0 ? -1 : result;
}

/* In folders of the owner's, which go with it. */
static int open_kept(struct shell *sh, const struct replay *r, struct session *s,
		     const struct node_plan *at, struct err *e)
{
	const struct run_item *item = replay_recorded(r);
	GUARD(mem) char *dir = mem_printf("%s/%s", replay_view(r)->dir, item->label);
	GUARD(mem) char *from = mem_printf("%s/kept-copy", owner_work_dir(s->owner));
	GUARD(mem) char *work = mem_printf("%s/kept-node", owner_work_dir(s->owner));
	struct node_spec spec = { .name = at->name,
				  .from = from,
				  .work_dir = work,
				  .may_mount = at->may_mount,
				  .no_new_privs = at->no_new_privs };
	roots_into(&s->roots[at - s->plan->nodes], &spec);
	if (kept_copy(dir, at->name, from, e) < 0 || io_mkdirs(work, 0700, e) < 0 ||
	    loop_create(&sh->loop, e) < 0)
		return -1;
	(void)dprintf(sh->spec->err,
		      "backout: node %s with what it had written by the end of %s. A copy: what is "
		      "kept stays as it is. Nothing runs in it, no service, no link.\n",
		      at->name, item->label);
	int result = look_at_kept(sh, s, &spec, e);
	loop_destroy(sh->loop);
	return result;
}

int shell_in_kept(const struct replay *r, struct session *s, const struct shell_spec *spec,
		  struct shell_end *ret, struct err *e)
{
	const struct fault_plan *fault = NULL;
	struct shell sh = { .spec = spec, .end = ret, .interrupted = s->interrupted };
	*ret = (struct shell_end){ 0 };
	if (replay_prepare(r, s, &fault, e) < 0 || check_node(spec, s->plan, e) < 0)
		return -1;
	const char *name = spec->node != NULL ? spec->node : plan_fault_step(s->plan, fault)->node;
	return open_kept(&sh, r, s, plan_node(s->plan, name), e);
}
