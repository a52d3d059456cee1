/* SPDX-License-Identifier: MIT */
#include "harness/engine/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/base/terminal.h"
#include "harness/engine/drill_private.h"
#include "harness/engine/one_drill.h"

struct shell {
	const struct shell_spec *spec;
	struct shell_end *end; /* shared with the process that asked for the drill */
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
	const struct fault_plan *f = d->spec->fault;
	if (d->step != NULL)
		return d->step->node;
	return drill_step(d->plan, f->in_rollback, f->step < 0 ? 0 : (size_t)f->step)->node;
}

static int run_line(struct shell *sh, struct drill *d, struct node *n, struct err *e)
{
	const char *const argv[] = { "sh", "-ec", sh->spec->command, NULL };
	const struct spawn_spec spec = {
		.argv = argv, .out_fd = sh->spec->out, .err_fd = sh->spec->err, .apart = true
	};
	struct proc *p = NULL;
	if (node_spawn(n, &spec, ended, sh, &p, e) < 0)
		return -1;
	int result = loop_wait(d->loop, &sh->done, INT64_MAX, e);
	proc_free(p);
	return result < 0 ? -1 : 0;
}

static bool has_program(const struct node *n, const char *path)
{
	GUARD(mem) char *full = mem_printf("%s%s", node_root_path(n), path);
	return access(full, X_OK) == 0;
}

static int run_terminal(struct shell *sh, struct drill *d, struct node *n, struct err *e)
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
	int result = terminal_join(d->loop, &ends, &sh->done, e);
	proc_free(p);
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
	int result = sh->spec->command != NULL ? run_line(sh, d, at->node, e)
					       : run_terminal(sh, d, at->node, e);
	sh->end->status = sh->status;
	if (result < 0)
		(void)dprintf(sh->spec->err, "backout: %s\n", e->why);
	return result;
}

static int in_replay(const struct replay *r, struct session *s, struct shell *sh, struct err *e)
{
	const struct fault_plan *fault = NULL;
	const struct drill_stop stop = { sh->spec->at, stand, sh };
	struct one_drill d;
	if (replay_begin(r, s, &fault, e) < 0)
		return -1;
	if (sh->spec->node != NULL && plan_node(s->plan, sh->spec->node) == NULL)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "the scenario has no node '%s'",
			      sh->spec->node);
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
