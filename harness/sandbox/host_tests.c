/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/host_tests.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/disk.h"
#include "harness/sandbox/filter.h"
#include "harness/sandbox/network.h"
#include "harness/sandbox/owner.h"
#include "harness/sandbox/userns.h"

enum { SMALL_FILE_MAX = 1 << 20, ANSWER_MS = 2000, TOO_LONG = 1000 /* for a host name */ };

/* ---- root, state folder, namespaces ---- */

int host_test_ROOT(const struct host_test *t, struct err *e)
{
	enum { CAPS = 38 }; /* all that Linux 4.19 knew; later ones are not needed */
	GUARD_BUF struct buf status = { 0 };
	if (geteuid() != 0)
		return LACKS(e, 0, "user id %u, and %s", (unsigned)geteuid(),
			     userns_refusal() != NULL ? userns_refusal() : "no user namespace");
	if (io_read_file(AT_FDCWD, "/proc/self/status", SMALL_FILE_MAX, &status, e) < 0)
		return -1;
	const char *line = strstr(buf_str(&status), "\nCapEff:");
	unsigned long long caps = 0;
	if (line == NULL || sscanf(line, "\nCapEff: %llx", &caps) != 1)
		return LACKS(e, 0, "/proc/self/status has no CapEff");
	static const struct {
		unsigned bit;
		const char *name;
	} needed[] = { { 21, "CAP_SYS_ADMIN" },
		       { 12, "CAP_NET_ADMIN" },
		       { 19, "CAP_SYS_PTRACE" },
		       { 1, "CAP_DAC_OVERRIDE" },
		       { 27, "CAP_MKNOD" } };
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!(caps >> needed[i].bit & 1))
			return LACKS(e, 0, "root without %s", needed[i].name);
	static const char *const where[] = {
		[USERNS_HOST] = "",
		[USERNS_RANGES] = ", of a user namespace with all users that systems have",
		[USERNS_ONE] = ", of a user namespace without any other user",
	};
	SAY(t, "user id 0, capabilities %llx%s", caps, where[userns_kind()]);
	return 0;
}

int host_need_state(const struct host_test *t, struct err *e)
{
	return t->owner != NULL ? 0 : LACKS(e, 0, "%s", t->no_owner);
}

int host_test_STATE(const struct host_test *t, struct err *e)
{
	if (host_need_state(t, e) < 0)
		return -1;
	GUARD(mem) char *file = mem_printf("%s/doctor", owner_work_dir(t->owner));
	if (io_write_file(AT_FDCWD, file, "x", 1, 0600, e) < 0)
		return -1;
	SAY(t, "'%s' can be written", t->state_dir);
	return 0;
}

int host_test_NAMESPACES(const struct host_test *t, struct err *e)
{
	static const struct {
		int flag;
		const char *name;
	} kinds[] = { { CLONE_NEWNS, "mount" }, { CLONE_NEWPID, "pid" },
		      { CLONE_NEWNET, "net" },  { CLONE_NEWUTS, "uts" },
		      { CLONE_NEWIPC, "ipc" },  { CLONE_NEWCGROUP, "cgroup" } };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (unshare(kinds[i].flag) < 0)
			return LACKS(e, errno, "%s namespace", kinds[i].name);
	SAY(t, "mount, pid, net, uts, ipc and cgroup made");
	return 0;
}

/* ---- mounts ---- */

static int private_mounts(struct err *e)
{
	if (unshare(CLONE_NEWNS) < 0)
		return LACKS(e, errno, "mount namespace");
	if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		return LACKS(e, errno, "make mounts private");
	return 0;
}

static char *subfolder(const struct host_test *t, const char *name)
{
	char *dir = mem_printf("%s/%s", owner_work_dir(t->owner), name);
	(void)mkdir(dir, 0755); /* a failure shows at the mount */
	return dir;
}

/* The options that the kernel really took: it may drop one silently. */
static bool mount_has(const char *dir, const char *option, struct err *e)
{
	GUARD_BUF struct buf info = { 0 };
	if (io_read_file(AT_FDCWD, "/proc/self/mountinfo", SMALL_FILE_MAX, &info, e) < 0)
		return false;
	const char *line = strstr(buf_str(&info), dir);
	const char *end = line != NULL ? strchr(line, '\n') : NULL;
	const char *found = line != NULL ? strstr(line, option) : NULL;
	return found != NULL && (end == NULL || found < end);
}

int host_test_OVERLAY(const struct host_test *t, struct err *e)
{
	if (host_need_state(t, e) < 0 || private_mounts(e) < 0)
		return -1;
	GUARD(mem) char *lower = subfolder(t, "lower");
	GUARD(mem) char *upper = subfolder(t, "upper");
	GUARD(mem) char *work = subfolder(t, "work");
	GUARD(mem) char *merged = subfolder(t, "merged");
	GUARD(mem)
	char *options =
		mem_printf("lowerdir=%s,upperdir=%s,workdir=%s,index=on", lower, upper, work);
	if (mount("overlay", merged, "overlay", 0, options) < 0)
		return LACKS(e, errno, "mount an overlay with its upper in '%s'", t->state_dir);
	/* xino=on is not asked here: with both layers on one file system the kernel drops it, as
	 * inode numbers are unique without; each node's mount is read back by itself. */
	if (!mount_has(merged, "index=on", e))
		return LACKS(e, 0, "the kernel dropped index=on");
	GUARD(mem) char *file = mem_printf("%s/f", merged);
	if (io_write_file(AT_FDCWD, file, "x", 1, 0644, e) < 0)
		return -1;
	SAY(t, "mounted, index=on read back, a file written");
	return 0;
}

/* Runs a program to its end; its exit code, or -1. */
static int run_program(const char *const *argv, struct err *e)
{
	int status;
	pid_t pid = fork();
	if (pid < 0)
		return LACKS(e, errno, "fork");
	if (pid == 0) {
		(void)execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

static int need_program(const struct host_test *t, const char *const *argv, struct err *e)
{
	int code = run_program(argv, e);
	if (code < 0)
		return -1;
	if (code == 127)
		return LACKS(e, 0, "%s is not installed", argv[0]);
	if (code != 0)
		return LACKS(e, 0, "%s %s: exit %d", argv[0], argv[1], code);
	SAY(t, "%s %s: exit 0", argv[0], argv[1]);
	return 0;
}

int host_test_EROFS(const struct host_test *t, struct err *e)
{
	if (host_need_state(t, e) < 0 || private_mounts(e) < 0)
		return -1;
	GUARD(mem) char *tree = subfolder(t, "tree");
	GUARD(mem) char *dir = subfolder(t, "erofs");
	GUARD(mem) char *image = mem_printf("%s/test.erofs", owner_work_dir(t->owner));
	const char *const argv[] = { "mkfs.erofs", "--quiet", image, tree, NULL };
	int code = run_program(argv, e);
	if (code != 0)
		return LACKS(e, 0,
			     code == 127 ? "no mkfs.erofs to make a test image with"
					 : "mkfs.erofs could not make a test image");
	if (mount(image, dir, "erofs", MS_RDONLY, NULL) == 0) {
		SAY(t, "mounted straight from a file");
		return 0;
	}
	char device[DISK_DEVICE_MAX];
	GUARD(fd) int loop = disk_attach(image, false, device, e);
	if (loop < 0)
		return -1;
	if (mount(device, dir, "erofs", MS_RDONLY, NULL) < 0)
		return LACKS(e, errno, "mount erofs from %s", device);
	SAY(t, "mounted from a loop device");
	return 0;
}

static int make_disk(enum disk_fs fs, const char *image, const char *dir, struct err *e)
{
	GUARD(fd) int fd = open(image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)disk_fs_least[fs]) < 0)
		return LACKS(e, errno, "make '%s'", image);
	const char *const *argv = disk_mkfs(fs, image);
	int code = run_program(argv, e);
	if (code != 0)
		return LACKS(e, 0,
			     code == 127 ? "%s is not installed (package %s)"
					 : "%s could not make a test image (package %s)",
			     argv[0], disk_package(fs));
	return disk_mount(fs, image, dir, NULL, e);
}

/* The smallest one, made, mounted and written to; it goes with this process. */
static int try_disk(const struct host_test *t, enum disk_fs fs, struct err *e)
{
	const char *name = disk_fs_names[fs];
	if (host_need_state(t, e) < 0 || private_mounts(e) < 0)
		return -1;
	GUARD(mem) char *dir = subfolder(t, name);
	GUARD(mem) char *image = mem_printf("%s/test.%s", owner_work_dir(t->owner), name);
	GUARD(mem) char *file = mem_printf("%s/f", dir);
	int made = make_disk(fs, image, dir, e);
	/* The mount holds it, and one owner may ask more than once. */
	(void)unlink(image);
	if (made < 0 || io_write_file(AT_FDCWD, file, "x", 1, 0644, e) < 0)
		return -1;
	SAY(t, "%llu MiB made, mounted and written to",
	    (unsigned long long)disk_fs_least[fs] >> 20);
	return 0;
}

int host_test_DISK_EXT4(const struct host_test *t, struct err *e)
{
	return try_disk(t, DISK_EXT4, e);
}

int host_test_DISK_XFS(const struct host_test *t, struct err *e)
{
	return try_disk(t, DISK_XFS, e);
}

int host_test_DISK_BTRFS(const struct host_test *t, struct err *e)
{
	return try_disk(t, DISK_BTRFS, e);
}

int host_test_MKFS_EROFS(const struct host_test *t, struct err *e)
{
	return need_program(t, (const char *const[]){ "mkfs.erofs", "--help", NULL }, e);
}

int host_test_MMDEBSTRAP(const struct host_test *t, struct err *e)
{
	if (userns_kind() == USERNS_ONE)
		return LACKS(e, 0,
			     "packages give files to other users than root, and there is none");
	return need_program(t, (const char *const[]){ "mmdebstrap", "--version", NULL }, e);
}

/* ---- links ---- */

enum { LINK_MTU = 1500 /* bytes */ };

int host_test_BRIDGE(const struct host_test *t, struct err *e)
{
	struct network *n;
	if (network_create(&n, e) < 0)
		return -1;
	int result = network_add_switch(n, "lan", LINK_MTU, e);
	network_destroy(n);
	if (result < 0)
		return -1;
	SAY(t, "made in a network namespace of its own");
	return 0;
}

/* A node's network namespace without a node; it lives as long as the descriptor. */
static int empty_netns(struct err *e)
{
	/* One to return to, for the host's own is not everybody's to enter. */
	if (unshare(CLONE_NEWNET) < 0)
		return LACKS(e, errno, "network namespace");
	GUARD(fd) int ours = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ours < 0 || unshare(CLONE_NEWNET) < 0)
		return LACKS(e, errno, "network namespace");
	GUARD(fd) int other = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (other < 0 || setns(ours, CLONE_NEWNET) < 0)
		return LACKS(e, errno, "network namespace");
	return take_fd(&other);
}

static int attach(uint64_t rate, struct err *e)
{
	struct network *n;
	GUARD(fd) int netns = empty_netns(e);
	if (netns < 0 || network_create(&n, e) < 0)
		return -1;
	const struct ip ip = { .bytes = { 10, 0, 0, 2 }, .len = IP4_BYTES, .prefix = 24 };
	const struct link_spec link = { .on = "lan", .ips = &ip, .ip_count = 1, .rate = rate };
	const struct host_spec spec = {
		.name = "doctor", .netns_fd = netns, .links = &link, .link_count = 1
	};
	int result = network_add_switch(n, "lan", LINK_MTU, e);
	if (result == 0)
		result = network_attach(n, &spec, e);
	network_destroy(n);
	return result;
}

int host_test_VETH(const struct host_test *t, struct err *e)
{
	if (attach(0, e) < 0)
		return -1;
	SAY(t, "made between two namespaces");
	return 0;
}

int host_test_TBF(const struct host_test *t, struct err *e)
{
	if (attach(1 << 20, e) < 0)
		return -1;
	SAY(t, "1 MiB/s set on a link");
	return 0;
}

/* ---- watching and stopping programs ---- */

/* The one program start that is asked about is let go. */
static int answer_one(int fan, struct err *e)
{
	struct fanotify_event_metadata ev;
	struct pollfd p = { .fd = fan, .events = POLLIN };
	if (poll(&p, 1, ANSWER_MS) <= 0 || read(fan, &ev, sizeof(ev)) < (ssize_t)sizeof(ev))
		return LACKS(e, 0, "a program started without being asked about");
	const struct fanotify_response response = { .fd = ev.fd, .response = FAN_ALLOW };
	if (write(fan, &response, sizeof(response)) != (ssize_t)sizeof(response))
		return LACKS(e, errno, "answer fanotify");
	(void)close(ev.fd);
	if (!(ev.mask & FAN_OPEN_EXEC_PERM))
		return LACKS(e, 0, "fanotify told of something else");
	return 0;
}

int host_test_FANOTIFY(const struct host_test *t, struct err *e)
{
	/* A mount of our own over one program, so that nobody else's starts are held. */
	static const char *const program = "/bin/true";
	if (private_mounts(e) < 0)
		return -1;
	if (mount(program, program, "none", MS_BIND, NULL) < 0)
		return LACKS(e, errno, "bind %s", program);
	GUARD(fd) int fan = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);
	if (fan < 0)
		return LACKS(e, errno, "fanotify_init");
	if (fanotify_mark(fan, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN_EXEC_PERM, AT_FDCWD,
			  program) < 0)
		return LACKS(e, errno, "fanotify_mark");
	pid_t pid = fork();
	if (pid < 0)
		return LACKS(e, errno, "fork");
	if (pid == 0) {
		(void)execl(program, program, (char *)NULL);
		_exit(127);
	}
	int status = 0, result = answer_one(fan, e);
	if (result < 0)
		(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	if (result == 0 && status != 0)
		return LACKS(e, 0, "a program that was let go did not run");
	SAY(t, "a program start was held and let go");
	return result;
}

int host_test_PTRACE(const struct host_test *t, struct err *e)
{
	int status = 0;
	pid_t pid = fork();
	if (pid < 0)
		return LACKS(e, errno, "fork");
	if (pid == 0) {
		for (;;)
			(void)pause();
	}
	int result = 0;
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		result = LACKS(e, errno, "PTRACE_SEIZE");
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == pid && !WIFEXITED(status) && !WIFSIGNALED(status))
		;
	SAY(t, "a process was seized without stopping it");
	return result;
}

/* Holds one call of a child and gives it an errno that it has not by itself. */
static int hold_one_call(int listener, struct err *e)
{
	union {
		struct seccomp_notif n;
		char space[512]; /* the kernel's may be longer than our headers' */
	} in = { 0 };
	struct pollfd p = { .fd = listener, .events = POLLIN };
	if (poll(&p, 1, ANSWER_MS) <= 0)
		return LACKS(e, 0, "a call went on without being held");
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &in.n) < 0)
		return LACKS(e, errno, "receive a held call");
	struct seccomp_notif_resp answer = { .id = in.n.id, .error = -EDOM };
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0)
		return LACKS(e, errno, "answer a held call");
	return 0;
}

int host_test_SECCOMP(const struct host_test *t, struct err *e)
{
	struct filter *f;
	bool killable;
	if (filter_create(&f, CALL_SETHOSTNAME, e) < 0)
		return -1;
	/* It stays upon this process for its rest, which makes no such call itself. */
	GUARD(fd) int listener = filter_install(filter_program_fd(f), &killable);
	filter_destroy(f);
	if (listener < 0)
		return LACKS(e, errno, "install a filter with a listener");
	pid_t pid = fork();
	if (pid < 0)
		return LACKS(e, errno, "fork");
	if (pid == 0)
		_exit(syscall(SYS_sethostname, NULL, TOO_LONG) < 0 && errno == EDOM ? 0 : 1);
	int status = 0, result = hold_one_call(listener, e);
	if (result < 0)
		(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	if (result == 0 && status != 0)
		return LACKS(e, 0, "a held call did not return the answer");
	SAY(t, "a call was held and answered%s",
	    killable ? ""
		     : "; without WAIT_KILLABLE_RECV (Linux 5.19) any signal lets it start anew");
	return result;
}
