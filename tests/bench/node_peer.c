/* SPDX-License-Identifier: MIT */
/* A peer makes nodes by a script, which adds what the peer has not. What it says is kept for the
 * error. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/hierarchy.h"
#include "tests/bench/node.h"

enum { SAID_MAX = 1 << 20, SAID_SHOWN = 300 };

/* The group of a v1 hierarchy that we are in, or the root of v2. */
static char *groups_of(const struct hierarchies *h, const char *controller)
{
	const struct hierarchy *row = hierarchies_v1(h, controller);
	if (row != NULL)
		return mem_printf("%s/%s", row->mount, row->group);
	row = hierarchies_v2(h);
	return mem_strdup(row != NULL ? row->mount : "");
}

static void put(const char *name, char *value)
{
	(void)setenv(name, value, 1);
	free(value);
}

static int own_mounts(const struct hierarchies *h, bool no_v2, struct err *e)
{
	const struct hierarchy *v2 = hierarchies_v2(h);
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		return ERR(e, errno, "a mount namespace for a peer");
	if (no_v2 && v2 != NULL && hierarchies_v1(h, "memory") != NULL &&
	    umount2(v2->mount, MNT_DETACH) < 0)
		return ERR(e, errno, "take '%s' from a peer", v2->mount);
	return 0;
}

int peer_begin(struct site *s, bool no_v2, struct err *e)
{
	struct hierarchies h;
	if (hierarchies_of(&h, "self", e) < 0 || own_mounts(&h, no_v2, e) < 0)
		return -1;
	const struct hierarchy *memory = hierarchies_v1(&h, "memory");
	put("MEMORY_GROUP", groups_of(&h, "memory"));
	put("PIDS_GROUP", groups_of(&h, "pids"));
	/* As runtimes name it: below the mount. */
	put("GROUP", mem_printf("/%s", memory != NULL ? memory->group : ""));
	put("MEMORY_FILE", mem_strdup(memory != NULL ? "memory.limit_in_bytes" : "memory.max"));
	put("MEMORY", mem_printf("%d", MEMORY_LIMIT));
	put("PIDS", mem_printf("%d", PIDS_LIMIT));
	put("ROOT", mem_strdup(s->root));
	put("SCRIPTS", mem_strdup(s->scripts));
	put("PATH", mem_strdup("/usr/sbin:/usr/bin:/sbin:/bin"));
	hierarchies_free(&h);
	return chdir(s->dir) < 0 ? ERR(e, errno, "enter '%s'", s->dir) : 0;
}

/* The end of what it printed, as one line. */
static int failed(const char *script, int status, struct err *e)
{
	GUARD_BUF struct buf said = { 0 };
	struct err ignored = { 0 };
	(void)io_read_file(AT_FDCWD, "said", SAID_MAX, &said, &ignored);
	while (said.len > 0 && said.data[said.len - 1] == '\n')
		said.data[--said.len] = '\0';
	const char *text = buf_str(&said);
	if (said.len > SAID_SHOWN)
		text += said.len - SAID_SHOWN;
	for (char *p = said.data; p != NULL && *p != '\0'; p++)
		if (*p == '\n')
			*p = ';';
	return ERR(e, 0, "%s ended with %s %d: %s", script, WIFEXITED(status) ? "exit" : "signal",
		   WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), text);
}

int peer_once(struct site *s, const char *script, struct err *e)
{
	char id[64], number[16];
	int status;
	GUARD(mem) char *path = mem_printf("%s/%s", s->scripts, script);
	(void)snprintf(id, sizeof(id), "%s-%u", s->mark, s->serial);
	(void)snprintf(number, sizeof(number), "%u.%u", s->serial / 250 % 250, 1 + s->serial % 250);
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		int said = open("said", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(said, STDOUT_FILENO);
		(void)dup2(said, STDERR_FILENO);
		(void)execl("/bin/sh", "sh", path, id, number, NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return ERR(e, errno, "run '%s'", path);
	return status == 0 ? 0 : failed(script, status, e);
}
