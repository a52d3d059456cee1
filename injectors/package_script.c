/* SPDX-License-Identifier: MIT */
/*
 * Injector package.script: a maintainer script that fails. The package in the repository gets
 * another script, all else in it stays byte for byte, and the index is made to fit.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/execwatch.h"
#include "harness/sandbox/exitwatch.h"
#include "injectors/deb.h"
#include "injectors/package.h"

static const char *const script_names[] = { "preinst", "postinst", "prerm", "postrm", NULL };

enum { SCRIPT_TEXT_MAX = 80 /* bytes */ };

struct script_params {
	struct package_params package; /* first: see package_prepare() */
	int script;
	uint64_t exit;
};

static const struct param script_params[] = {
	PACKAGE_PARAM_ROWS(struct script_params),
	{ .name = "reindex",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct script_params, package.reindex),
	  .help = "shell command on that node, in the index's folder, that makes the index anew" },
	{ .name = "script",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct script_params, script),
	  .names = script_names,
	  .def = "postinst",
	  .help = "which script fails" },
	{ .name = "exit",
	  .type = PARAM_UINT,
	  .offset = offsetof(struct script_params, exit),
	  .def = "1",
	  .min = 1,
	  .max = 255,
	  .help = "its exit code" },
	{ 0 },
};

/* One start of the altered script. */
struct run {
	struct injection *injection;
	struct exit_watch *watch;
	struct run *next;
};

struct injection {
	struct package package;
	const char *script;
	int exit;
	char text[SCRIPT_TEXT_MAX];
	struct exec_watch **watches; /* one a node */
	size_t watch_count;
	struct run *runs;
};

static int alter(struct package *package, const void *params, int deb, int out, struct err *e)
{
	struct injection *i = (struct injection *)package; /* its first field */
	(void)params;
	GUARD(fd) int tar = package_plain_tar(package, "--ctrl-tarfile", e);
	if (tar < 0)
		return -1;
	GUARD(fd) int altered = memfd_create("control-tar", MFD_CLOEXEC);
	if (altered < 0)
		return ERR(e, errno, "make a file for a package's archive");
	if (deb_set_script(tar, i->script, i->text, altered, e) < 0)
		return -1;
	return deb_replace(deb, DEB_CONTROL, altered, out, e);
}

static void stop_watching(struct injection *i)
{
	for (size_t n = 0; n < i->watch_count; n++)
		exec_watch_destroy(i->watches[n]);
	free(i->watches);
	i->watches = NULL;
	i->watch_count = 0;
	while (i->runs != NULL) {
		struct run *r = i->runs;
		i->runs = r->next;
		exit_watch_destroy(r->watch);
		free(r);
	}
}

static void script_destroy(struct injection *i)
{
	if (i == NULL)
		return;
	stop_watching(i);
	package_free(&i->package);
	free(i);
}

static int script_create(struct injection **ret, const struct inject_env *env, const void *params,
			 struct err *e)
{
	const struct script_params *p = params;
	struct injection *i = mem_alloc(sizeof(*i));
	i->script = script_names[p->script];
	i->exit = (int)p->exit;
	(void)snprintf(i->text, sizeof(i->text), "#!/bin/sh\n# altered by the drill\nexit %d\n",
		       i->exit);
	if (package_prepare(&i->package, env, params, alter, e) < 0) {
		script_destroy(i);
		return -1;
	}
	*ret = i;
	return 0;
}

static void on_script_end(void *arg, pid_t pid, enum exit_what what, int value)
{
	struct run *r = arg;
	const struct injection *i = r->injection;
	const struct inject_env *env = &i->package.env;
	if (what != EXITWATCH_EXITED)
		return;
	if (!WIFEXITED(value) || WEXITSTATUS(value) != i->exit)
		return;
	GUARD(mem)
	char *evidence = mem_printf("the altered %s (pid %d) ended with exit code %d", i->script,
				    (int)pid, i->exit);
	env->felt(env->arg, evidence);
}

static bool is_altered(const struct injection *i, int fd)
{
	char text[SCRIPT_TEXT_MAX];
	size_t len = strlen(i->text);
	struct stat st;
	if (fstat(fd, &st) < 0 || (size_t)st.st_size != len)
		return false;
	return pread(fd, text, sizeof(text), 0) == (ssize_t)len && memcmp(text, i->text, len) == 0;
}

static void on_start(void *arg, const struct exec_event *ev)
{
	struct injection *i = arg;
	const struct inject_env *env = &i->package.env;
	if (!is_altered(i, ev->fd))
		return;
	struct err e = { 0 };
	struct run *r = mem_alloc(sizeof(*r));
	r->injection = i;
	if (exit_watch_create(&r->watch, env->loop, ev->pid, on_script_end, r, &e) < 0) {
		GUARD(mem)
		char *text = mem_printf("the altered %s was started, but its end cannot "
					"be seen: %s",
					i->script, e.why);
		env->notice(env->arg, text);
		free(r);
		return;
	}
	r->next = i->runs;
	i->runs = r;
}

/* On every node: where the package will be installed is the workflow's business. */
static int start_watching(struct injection *i, struct err *e)
{
	const struct inject_env *env = &i->package.env;
	i->watches = mem_array(env->node_count, sizeof(struct exec_watch *));
	for (size_t n = 0; n < env->node_count; n++) {
		if (exec_watch_create(&i->watches[n], env->loop, env->nodes[n], on_start, i, e) < 0)
			return -1;
		i->watch_count++;
	}
	return 0;
}

static int script_strike(struct injection *i, const struct strike_target *target,
			 char detail[INJECT_DETAIL_MAX], struct err *e)
{
	struct package *p = &i->package;
	(void)target;
	if (start_watching(i, e) < 0 || package_strike(p, e) < 0) {
		stop_watching(i);
		return -1;
	}
	(void)snprintf(detail, INJECT_DETAIL_MAX, "%s of %.120s in node %s now ends with exit %d",
		       i->script, p->deb, node_name(p->node), i->exit);
	return 0;
}

/* The watching goes on: the altered package may be on its way already, or installed, and its
 * script still run. */
static int script_undo(struct injection *i, struct err *e)
{
	return package_undo(&i->package, e);
}

static int script_verify(struct injection *i, char detail[INJECT_DETAIL_MAX], struct err *e)
{
	return package_verify(&i->package, detail, e);
}

const struct injector injector_package_script = {
	.kind = { .name = "package.script",
		  .help = "make a maintainer script of a package in a repository fail",
		  .applied = "the altered package, and an index that fits it, are in their place",
		  .felt = "the altered script was started in a node and ended with that exit code",
		  .params = script_params,
		  .size = sizeof(struct script_params),
		  .exact = true,
		  .lasting = true },
	.create = script_create,
	.strike = script_strike,
	.undo = script_undo,
	.verify = script_verify,
	.destroy = script_destroy,
};
