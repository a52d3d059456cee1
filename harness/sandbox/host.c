/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/host.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/loop.h"
#include "harness/sandbox/cgroup_base.h"
#include "harness/sandbox/host_tests.h"
#include "harness/sandbox/owner.h"
#include "harness/sandbox/userns.h"

enum { TEST_TIMEOUT_MS = 10000 };

static const struct {
	const char *name, *needs, *out;
	int (*test)(const struct host_test *t, struct err *e);
} features[] = {
#define X(id, name, needs, out) { name, needs, out, host_test_##id },
	HOST_FEATURES(X)
#undef X
};
static_assert(sizeof(features) / sizeof(features[0]) == HOST_FEATURE_COUNT, "every feature's row");
static_assert(HOST_FEATURE_COUNT < 64, "sets of features are 64-bit masks");

/* What the tests themselves need: without it they would blame the wrong thing. */
#define LIMITS                                                                                     \
	(HOST_BIT(HOST_CGROUP_MEMORY) | HOST_BIT(HOST_CGROUP_SWAP) | HOST_BIT(HOST_CGROUP_PIDS) |  \
	 HOST_BIT(HOST_CGROUP_CPU) | HOST_BIT(HOST_CGROUP_CPUS) | HOST_BIT(HOST_CGROUP_IO) |       \
	 HOST_BIT(HOST_CGROUP_FREEZE) | HOST_BIT(HOST_CGROUP_INNER))
#define PROGRAMS (HOST_BIT(HOST_MKFS_EROFS) | HOST_BIT(HOST_MMDEBSTRAP))
static const struct {
	enum host_feature feature;
	uint64_t tests;
} needed_by_tests[] = {
	{ HOST_ROOT, HOST_ALL & ~(PROGRAMS | HOST_BIT(HOST_ROOT) | HOST_BIT(HOST_STATE)) },
	{ HOST_STATE, HOST_BIT(HOST_DISK_EXT4) | HOST_BIT(HOST_DISK_XFS) |
			      HOST_BIT(HOST_DISK_BTRFS) | HOST_BIT(HOST_OVERLAY) |
			      HOST_BIT(HOST_EROFS) | LIMITS },
};

const char *host_feature_name(enum host_feature f)
{
	return features[f].name;
}

const char *host_feature_needs(enum host_feature f)
{
	return features[f].needs;
}

#define DISKS (HOST_BIT(HOST_DISK_EXT4) | HOST_BIT(HOST_DISK_XFS) | HOST_BIT(HOST_DISK_BTRFS))

uint64_t host_of_root_alone(void)
{
	return userns_kind() == USERNS_HOST ? 0 : HOST_BIT(HOST_FANOTIFY) | DISKS;
}

/* Nodes are copies of their roots there. */
static uint64_t not_asked(void)
{
	return userns_kind() == USERNS_HOST ? 0 : HOST_BIT(HOST_OVERLAY) | HOST_BIT(HOST_EROFS);
}

const char *host_feature_out(enum host_feature f)
{
	if ((host_of_root_alone() & HOST_BIT(f)) != 0)
		return "run backout as root: the kernel gives this to no ordinary user";
	if (userns_kind() != USERNS_HOST && (LIMITS & HOST_BIT(f)) != 0)
		return "run backout as root, or where systemd and cgroup v2 are: `systemd-run "
		       "--user --scope -p Delegate=yes backout ...`; or drop the limit";
	if (userns_kind() == USERNS_ONE && f == HOST_MMDEBSTRAP)
		return "apt-get install uidmap, and a row in /etc/subuid and /etc/subgid "
		       "(usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER)";
	return features[f].out;
}

static void child(enum host_feature f, struct host_test *t, int fd)
{
	char detail[HOST_DETAIL_MAX] = "";
	struct err e = { 0 };
	/* A test that hangs is killed with us, and what it says on its own is noise. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	loop_child_reset();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
	}
	t->detail = detail;
	int result = features[f].test(t, &e);
	const char *text = result == 0 ? detail : e.why;
	size_t len = strlen(text);
	struct err ignored = { 0 };
	(void)io_write_all(fd, text, len < HOST_DETAIL_MAX ? len : HOST_DETAIL_MAX - 1, &ignored);
	_exit(result == 0 ? EXIT_OK : EXIT_UNAVAILABLE);
}

/* Reads the child's words until it has closed its end; false on time-out. */
static bool listen_to(int fd, char *text, size_t size)
{
	int64_t deadline = clock_now() + TEST_TIMEOUT_MS * NS_PER_MS;
	size_t len = 0;
	for (;;) {
		int64_t left = (deadline - clock_now()) / NS_PER_MS;
		struct pollfd p = { .fd = fd, .events = POLLIN };
		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return false;
		ssize_t n = read(fd, text + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	return true;
}

static void try_feature(enum host_feature f, struct host_test *t, struct host_result *ret)
{
	int fds[2];
	ret->tried = true;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		(void)snprintf(ret->detail, sizeof(ret->detail), "pipe: %s", strerror(errno));
		return;
	}
	pid_t pid = fork();
	if (pid == 0)
		child(f, t, fds[1]);
	(void)close(fds[1]);
	GUARD(fd) int from = fds[0];
	if (pid < 0) {
		(void)snprintf(ret->detail, sizeof(ret->detail), "fork: %s", strerror(errno));
		return;
	}
	int status = 0;
	bool heard = listen_to(from, ret->detail, sizeof(ret->detail));
	if (!heard)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	ret->ok = heard && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK;
	if (!heard)
		(void)snprintf(ret->detail, sizeof(ret->detail), "the test gave no answer in %d s",
			       TEST_TIMEOUT_MS / 1000);
	else if (!ret->ok && WIFSIGNALED(status))
		(void)snprintf(ret->detail, sizeof(ret->detail), "the test was ended by signal %d",
			       WTERMSIG(status));
}

/* ROOT and STATE come first in the list, so their results are there. */
static bool blocked(enum host_feature f, struct host_result *results)
{
	for (size_t i = 0; i < sizeof(needed_by_tests) / sizeof(needed_by_tests[0]); i++) {
		enum host_feature other = needed_by_tests[i].feature;
		if (!(needed_by_tests[i].tests & HOST_BIT(f)) || !results[other].tried ||
		    results[other].ok)
			continue;
		(void)snprintf(results[f].detail, HOST_DETAIL_MAX, "not tried, for %s lacks",
			       features[other].name);
		return true;
	}
	return false;
}

static void try_all(uint64_t set, const struct host_test *common,
		    struct host_result ret[HOST_FEATURE_COUNT])
{
	memset(ret, 0, HOST_FEATURE_COUNT * sizeof(*ret));
	set &= ~not_asked();
	for (int f = 0; f < HOST_FEATURE_COUNT; f++) {
		ret[f].asked = (set & HOST_BIT(f)) != 0;
		if (!ret[f].asked || blocked((enum host_feature)f, ret))
			continue;
		struct host_test t = *common;
		try_feature((enum host_feature)f, &t, &ret[f]);
	}
}

void host_check(uint64_t set, const char *state_dir, struct host_result ret[HOST_FEATURE_COUNT])
{
	/* All that the tests make belongs to an owner, so that `gc` finds what a kill leaves. */
	struct err no_owner = { 0 }, e = { 0 };
	struct owner *owner = NULL;
	(void)owner_create(&owner, state_dir, &no_owner);
	struct host_test t = { .state_dir = state_dir, .owner = owner, .no_owner = no_owner.why };
	/* Here, that the tests share it; each says what it lacks. */
	const struct cgroup_base *base;
	struct err no_base = { 0 };
	if (owner != NULL && (set & LIMITS) != 0)
		(void)cgroup_base(&base, owner, &no_base);
	try_all(set, &t, ret);
	if (owner_destroy(owner, &e) > 0 && set & HOST_BIT(HOST_STATE)) {
		ret[HOST_STATE].ok = false;
		(void)snprintf(ret[HOST_STATE].detail, HOST_DETAIL_MAX, "%.*s", HOST_DETAIL_MAX - 1,
			       e.why);
	}
}

static int refuse_lacking(const struct host_result *results, struct err *e)
{
	GUARD_BUF struct buf why = { 0 };
	const char *out = NULL;
	for (int f = 0; f < HOST_FEATURE_COUNT; f++) {
		if (!results[f].tried || results[f].ok)
			continue;
		buf_printf(&why, "%s%s (%s)", why.len > 0 ? "; " : "", features[f].name,
			   results[f].detail);
		if (out == NULL)
			out = host_feature_out((enum host_feature)f);
	}
	if (out == NULL)
		return 0;
	return ERR_AS(e, EXIT_UNAVAILABLE, 0,
		      "this host lacks %s. Way out: %s. See `backout doctor`", buf_str(&why), out);
}

int host_require(uint64_t set, const char *state_dir, struct err *e)
{
	struct host_result results[HOST_FEATURE_COUNT];
	host_check(set, state_dir, results);
	return refuse_lacking(results, e);
}

int host_require_owned(uint64_t set, struct owner *o, struct err *e)
{
	struct host_result results[HOST_FEATURE_COUNT];
	const struct host_test t = { .state_dir = owner_state_dir(o), .owner = o, .no_owner = "" };
	try_all(set, &t, results);
	return refuse_lacking(results, e);
}
