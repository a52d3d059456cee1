/* SPDX-License-Identifier: MIT */
/*
 * A node that boots its root's own systemd. Until then its PID 1 is a fork of the harness as ever;
 * it builds the node, forks the one that serves the harness from here on, waits for the word, and
 * execs systemd. So programs are started, watched and reaped by ours, and what they orphan is
 * systemd's, as on any host.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/hash.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/confine.h"
#include "harness/sandbox/node_private.h"

enum {
	MACHINE_ID_MIN = 32,    /* digits; a shorter file has none */
	EXIT_NOT_STARTED = 127, /* as a shell says it */
};

static const char *const programs[] = { "/lib/systemd/systemd", "/usr/lib/systemd/systemd" };

/* What a container's systemd would try and be refused: a mount, or something of the host's kernel.
 * Masked where systemd looks first, in memory. */
static const char *const masked[] = {
	"dev-hugepages.mount",
	"dev-mqueue.mount",
	"sys-fs-fuse-connections.mount",
	"sys-kernel-config.mount",
	"sys-kernel-debug.mount",
	"sys-kernel-tracing.mount",
	"proc-sys-fs-binfmt_misc.automount",
	"proc-sys-fs-binfmt_misc.mount",
	"systemd-binfmt.service",
	"systemd-modules-load.service",
	"systemd-sysctl.service",
};
#define UNITS "/run/systemd/system"

static const char *program(void)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (access(programs[i], X_OK) == 0)
			return programs[i];
	return NULL;
}

/* Without one it is a first boot: systemd would draw it by chance, and set all units up anew by
 * their presets. */
static int machine_id(const struct node_spec *spec, struct err *e)
{
	static const char path[] = "/etc/machine-id";
	struct stat st;
	char id[HASH_TEXT], text[HASH_TEXT + 1];
	if (stat(path, &st) == 0 && st.st_size >= MACHINE_ID_MIN)
		return 0;
	GUARD(mem) char *of = mem_printf("machine-id of %s", spec->name);
	hash_text(of, strlen(of), id);
	(void)snprintf(text, sizeof(text), "%s\n", id);
	return io_write_file_unsynced(AT_FDCWD, path, text, strlen(text), 0444, e);
}

/* systemd sets the host name to what stands there: in an image, that of the host it was made on. */
static int host_name(const struct node_spec *spec, struct err *e)
{
	GUARD(mem) char *text = mem_printf("%s\n", spec->name);
	return io_write_file_unsynced(AT_FDCWD, "/etc/hostname", text, strlen(text), 0644, e);
}

static int mask_units(const struct node_spec *spec, struct err *e)
{
	if (spec->may_mount)
		return 0;
	if (io_mkdirs(UNITS, 0755, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++) {
		GUARD(mem) char *path = mem_printf(UNITS "/%s", masked[i]);
		if (symlink("/dev/null", path) < 0 && errno != EEXIST)
			return ERR(e, errno, "mask '%s' in the node", masked[i]);
	}
	return 0;
}

int node_systemd_prepare(const struct init_task *task, struct err *e)
{
	const struct node_spec *spec = task->spec;
	if (program() == NULL)
		return ERR_AS(
			e, EXIT_BAD_SCENARIO, 0,
			"\"init\" is \"systemd\", and its root has no %s: let the root include "
			"the packages systemd, systemd-sysv and dbus",
			programs[0]);
	bool first = spec->from == NULL && task->before[0] == '\0';
	if (first && (machine_id(spec, e) < 0 || host_name(spec, e) < 0))
		return -1;
	if (mask_units(spec, e) < 0)
		return -1;
	/* systemd ends where it cannot mount this one; so it lies there before. */
	if (mount("tmpfs", "/run/lock", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=1777,size=5m") < 0)
		return ERR(e, errno, "mount tmpfs on '/run/lock' in the node");
	/* Its root is the node's own group. */
	if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) <
	    0)
		return ERR_AS(e, EXIT_UNAVAILABLE, errno,
			      "mount cgroup v2 on '/sys/fs/cgroup' in the node");
	return 0;
}

/* From here on nothing of the harness but the C library. */
_Noreturn static void become_systemd(const struct init_task *task, int word, const char *path)
{
	(void)close_range(STDERR_FILENO + 1, (unsigned)word - 1, 0); /* the server's socket */
	const char *const argv[] = { path, NULL };
	const char *const env[] = { "container=backout",
				    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
				    "LANG=C.UTF-8", NULL };
	struct err e = { 0 };
	sigset_t none;
	char go;
	ssize_t n;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (confine_process(task->refused_system, task->spec->no_new_privs, &e) < 0)
		_exit(EXIT_NOT_STARTED);
	do
		n = read(word, &go, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		(void)execve(path, (char *const *)argv, (char *const *)env);
	_exit(EXIT_NOT_STARTED);
}

int node_systemd_fork(const struct init_task *task, int *ret_word, struct err *e)
{
	int pair[2];
	if (pipe2(pair, O_CLOEXEC) < 0)
		return ERR(e, errno, "pipe");
	pid_t pid = _Fork();
	if (pid < 0) {
		(void)close(pair[0]);
		(void)close(pair[1]);
		return ERR(e, errno, "fork the node's server");
	}
	if (pid > 0) {
		(void)close(pair[1]);
		become_systemd(task, pair[0], program());
	}
	(void)close(pair[0]);
	*ret_word = pair[1];
	return 0;
}
