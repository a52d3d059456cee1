/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/userns.h"

#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/loop.h"
#include "harness/base/mem.h"

enum {
	IDS_TEXT_MAX = 1 << 20, /* bytes of a file with ids */
	IDS_ENOUGH = 65534,     /* of root to the last one below nobody */
	COMMAND_MAX = 12,       /* words of newuidmap */
};

static struct err refusal;
static bool entered;

/* ---- what is given to the user ---- */

struct ids {
	const char *tool, *file;
	unsigned long own; /* the user's, outside */
	unsigned long first, count;
};

/* "NAME:FIRST:COUNT", or a number for the name: the longest row of this user. */
static void find_range(struct ids *ids, const char *name, unsigned long number)
{
	struct err ignored = { 0 };
	GUARD_BUF struct buf text = { 0 };
	if (io_read_file(AT_FDCWD, ids->file, IDS_TEXT_MAX, &text, &ignored) < 0)
		return;
	char digits[24], who[256];
	(void)snprintf(digits, sizeof(digits), "%lu", number);
	for (char *line, *rest = text.data; (line = strsep(&rest, "\n")) != NULL;) {
		unsigned long first, count;
		if (sscanf(line, "%255[^:]:%lu:%lu", who, &first, &count) == 3 &&
		    (strcmp(who, name) == 0 || strcmp(who, digits) == 0) && count > ids->count) {
			ids->first = first;
			ids->count = count;
		}
	}
}

/* ---- the helper, which stays outside ---- */

static int run_tool(const struct ids *ids, pid_t target)
{
	char pid[16], own[24], first[24], count[24];
	(void)snprintf(pid, sizeof(pid), "%d", (int)target);
	(void)snprintf(own, sizeof(own), "%lu", ids->own);
	(void)snprintf(first, sizeof(first), "%lu", ids->first);
	(void)snprintf(count, sizeof(count), "%lu", ids->count);
	const char *const argv[COMMAND_MAX] = { ids->tool, pid,   "0",   own, "1",
						"1",       first, count, NULL };
	int status;
	pid_t child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		(void)execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return child > 0 && status == 0 ? 0 : -1;
}

/* One byte says that the namespace is there; none, that it will not be. */
_Noreturn static void help(const struct ids users[2], int go, pid_t target)
{
	char byte;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go, &byte, 1) != 1 || users[0].count + 1 < IDS_ENOUGH ||
	    users[1].count + 1 < IDS_ENOUGH)
		_exit(1);
	_exit(run_tool(&users[0], target) < 0 || run_tool(&users[1], target) < 0 ? 1 : 0);
}

/* ---- the namespace ---- */

static int map_one(const struct ids users[2], struct err *e)
{
	char text[64];
	/* The kernel asks for it: else one could leave a group whose members are kept out. */
	if (io_write_knob(AT_FDCWD, "/proc/self/setgroups", "deny", e) < 0)
		return -1;
	(void)snprintf(text, sizeof(text), "0 %lu 1", users[0].own);
	if (io_write_knob(AT_FDCWD, "/proc/self/uid_map", text, e) < 0)
		return -1;
	(void)snprintf(text, sizeof(text), "0 %lu 1", users[1].own);
	return io_write_knob(AT_FDCWD, "/proc/self/gid_map", text, e);
}

static int enter(struct err *e)
{
	const uid_t uid = geteuid();
	const struct passwd *pw = getpwuid(uid);
	struct ids users[2] = { { .tool = "newuidmap", .file = "/etc/subuid", .own = uid },
				{ .tool = "newgidmap", .file = "/etc/subgid", .own = getegid() } };
	for (size_t i = 0; i < 2; i++)
		find_range(&users[i], pw != NULL ? pw->pw_name : "", uid);
	int go[2], status = 0;
	if (pipe2(go, O_CLOEXEC) < 0)
		return ERR(e, errno, "pipe");
	GUARD(fd) int in = go[0];
	GUARD(fd) int out = go[1];
	const pid_t self = getpid(), helper = fork();
	if (helper < 0)
		return ERR(e, errno, "fork");
	if (helper == 0) {
		loop_child_reset();
		(void)close(take_fd(&out));
		help(users, in, self);
	}
	/* A helper of a namespace that is not there finds the pipe's end. */
	int made = unshare(CLONE_NEWUSER), cause = errno;
	if (made == 0)
		(void)!write(out, "", 1);
	(void)close(take_fd(&out));
	while (waitpid(helper, &status, 0) < 0 && errno == EINTR)
		;
	if (made < 0)
		return ERR(e, cause, "make a user namespace");
	if (status != 0 && map_one(users, e) < 0)
		return -1;
	if (status == 0 && setgroups(0, NULL) < 0)
		return ERR(e, errno, "leave the user's groups");
	/* Whose /proc is the user's own; the kernel shuts it when ids change. */
	(void)prctl(PR_SET_DUMPABLE, 1);
	return 0;
}

int userns_enter(void)
{
	if (geteuid() == 0)
		return 0;
	err_clear(&refusal);
	entered = enter(&refusal) == 0;
	return entered ? 0 : -1;
}

const char *userns_refusal(void)
{
	return err_is_set(&refusal) ? refusal.why : NULL;
}

bool userns_entered(void)
{
	return entered;
}

/* Counted at each call's first: a drill's process stays where the harness is. */
enum userns userns_kind(void)
{
	static enum userns kind;
	static bool known, known_entered;
	if (known && known_entered == entered)
		return kind;
	struct err ignored = { 0 };
	GUARD_BUF struct buf text = { 0 };
	unsigned long inside, outside, count, sum = 0;
	kind = USERNS_HOST;
	known = true;
	known_entered = entered;
	if (io_read_file(AT_FDCWD, "/proc/self/uid_map", IDS_TEXT_MAX, &text, &ignored) < 0)
		return kind;
	for (char *line, *rest = text.data; (line = strsep(&rest, "\n")) != NULL;)
		if (sscanf(line, "%lu %lu %lu", &inside, &outside, &count) == 3) {
			if (inside == 0 && outside == 0 && count == UINT32_MAX)
				return kind;
			sum += count;
		}
	kind = sum >= IDS_ENOUGH ? USERNS_RANGES : USERNS_ONE;
	return kind;
}

const char *userns_notice(void)
{
	static const char *const notices[] = {
		[USERNS_HOST] = NULL,
		[USERNS_RANGES] = "not root: nodes are copies of their roots, in a user namespace; "
				  "`backout doctor` says what they lack",
		[USERNS_ONE] = "not root, and without newuidmap (package uidmap) or a range of "
			       "65533 ids in /etc/subuid and /etc/subgid: nodes have the one user "
			       "root, so what gives a file to another user fails",
	};
	return notices[userns_kind()];
}
