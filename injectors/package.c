/* SPDX-License-Identifier: MIT */
#include "injectors/package.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/base/mutate.h"
#include "injectors/deb.h"
#include "injectors/walk.h"

#define PACKAGE_RUN_TIMEOUT (60 * NS_PER_S) /* of dpkg-deb, and of 'reindex' */

enum {
	OUTPUT_MAX = 16 << 10, /* bytes kept of what 'reindex' prints */
	LAST_WORDS_MAX = 300,  /* bytes of it in an error */
};

/* The last bytes of the output, without its last line end. */
static const char *last_words(struct buf *out)
{
	while (out->len > 0 && out->data[out->len - 1] == '\n')
		out->data[--out->len] = '\0';
	return buf_str(out) + (out->len > LAST_WORDS_MAX ? out->len - LAST_WORDS_MAX : 0);
}

static int run_checked(struct package *p, const struct spawn_spec *spec, const char *what,
		       struct err *e)
{
	GUARD_BUF struct buf out = { 0 };
	struct buf *collect = spec->out_fd < 0 ? &out : NULL;
	int status = node_run(p->node, spec, PACKAGE_RUN_TIMEOUT, collect, OUTPUT_MAX, e);
	if (status < 0)
		return err_prefix(e, "%s in node %s", what, node_name(p->node));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "%s in node %s %s %d: %s", what, node_name(p->node),
		      WIFEXITED(status) ? "ended with exit code" : "was killed by signal",
		      WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), last_words(&out));
}

int package_plain_tar(struct package *p, const char *option, struct err *e)
{
	const char *argv[] = { "dpkg-deb", option, p->deb, NULL };
	GUARD(fd) int tar = memfd_create("plain-tar", MFD_CLOEXEC);
	GUARD(fd) int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (tar < 0 || null < 0)
		return ERR(e, errno, "make a file for a package's archive");
	struct spawn_spec spec = { .argv = argv, .out_fd = tar, .err_fd = null };
	if (run_checked(p, &spec, "dpkg-deb", e) < 0)
		return -1;
	return take_fd(&tar);
}

static int alter_package(struct package *p, const void *params, package_alter_fn alter,
			 struct err *e)
{
	GUARD(mem) char *path = mem_printf("%s/altered.deb", swap_dir(p->swap));
	GUARD(fd) int deb = open(swap_deb_copy(p->swap), O_RDONLY | O_CLOEXEC);
	GUARD(fd) int out = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (deb < 0 || out < 0)
		return ERR(e, errno, "open a copy of %s", p->deb);
	if (alter(p, params, deb, out, e) < 0)
		return err_prefix(e, "%s", p->deb);
	return swap_put(p->swap, p->deb, path, e);
}

static int reindex(struct package *p, const char *folder, const char *command, struct err *e)
{
	const char *argv[] = { "sh", "-ec", command, NULL };
	struct spawn_spec spec = { .argv = argv, .cwd = folder, .out_fd = -1, .err_fd = -1 };
	return run_checked(p, &spec, "'reindex'", e);
}

int package_prepare(struct package *p, const struct inject_env *env, const void *params,
		    package_alter_fn alter, struct err *e)
{
	const struct package_params *want = params;
	p->env = *env;
	p->node = env->find_node(env->arg, want->node);
	if (p->node == NULL)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "there is no node '%s'", want->node);
	if (walk_find_one(p->node, want->deb, &p->deb, e) < 0)
		return -1;
	GUARD(mem)
	char *folder =
		want->repo != NULL ? mem_strdup(want->repo) : swap_index_folder(p->node, p->deb);
	if (swap_begin(&p->swap, p->node, folder, p->deb, env->work_dir, e) < 0)
		return -1;
	int done = alter_package(p, params, alter, e);
	if (done == 0 && want->reindex != NULL)
		done = reindex(p, folder, want->reindex, e);
	struct err later = { 0 };
	if (swap_prepared(p->swap, done < 0 ? &later : e) < 0)
		return -1;
	if (done == 0 && swap_changed(p->swap) == 0)
		return ERR(e, 0, "%s: altering it changed nothing", p->deb);
	return done;
}

void package_free(struct package *p)
{
	swap_free(p->swap);
	free(p->deb);
}

int package_strike(struct package *p, struct err *e)
{
	if (swap_apply(p->swap, SWAP_ALTERED, e) == 0 && swap_verify(p->swap, SWAP_ALTERED, e) == 0)
		return 0;
	struct err unused = { 0 };
	(void)swap_apply(p->swap, SWAP_ORIGINAL, &unused);
	return -1;
}

int package_undo(struct package *p, struct err *e)
{
	if (MUTANT(undo_noop))
		return 0;
	return swap_apply(p->swap, SWAP_ORIGINAL, e);
}

int package_verify(struct package *p, char detail[INJECT_DETAIL_MAX], struct err *e)
{
	if (swap_verify(p->swap, SWAP_ORIGINAL, e) < 0)
		return -1;
	(void)snprintf(detail, INJECT_DETAIL_MAX, "%zu file(s) of node %s read and equal to before",
		       swap_changed(p->swap), node_name(p->node));
	return 0;
}
