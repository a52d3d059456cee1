/* SPDX-License-Identifier: MIT */
/* The floor: the kernel calls that make and end a node, in their order, one after the other.
 * Nothing is read back, looked up, recorded or checked, nobody is asked whether it went well: what
 * a node costs that nobody has to rely on. One check alone is left, that `true` said 0. */
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/sandbox/baseline.h"
#include "harness/sandbox/confine.h"
#include "harness/sandbox/hierarchy.h"
#include "tests/bench/node.h"

static struct {
	char *tree, *memory,
		*pids; /* groups' parents; NULL: none. Without v1 the tree has limits */
	const struct sock_fprog *refused;
	int bridge;
} host;

#define DO(call) ((void)!(call))

static void put(const char *dir, const char *file, const char *text)
{
	char path[512];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	DO(write(fd, text, strlen(text)));
	DO(close(fd));
}

static char *parent_of(const struct hierarchies *h, const char *controller)
{
	const struct hierarchy *row = hierarchies_v1(h, controller);
	return row != NULL ? mem_printf("%s/%s", row->mount, row->group) : NULL;
}

int floor_begin(struct site *s, struct err *e)
{
	struct hierarchies h;
	if (hierarchies_of(&h, "self", e) < 0)
		return -1;
	const struct hierarchy *v2 = hierarchies_v2(&h);
	host.tree = v2 != NULL ? mem_strdup(v2->mount) : NULL;
	host.memory = parent_of(&h, "memory");
	host.pids = parent_of(&h, "pids");
	host.refused = baseline_program(BASELINE_PLAIN, e);
	host.bridge = (int)if_nametoindex(SWITCH);
	hierarchies_free(&h);
	if (host.refused == NULL || host.tree == NULL)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0, "the floor needs cgroup v2 mounted");
	(void)s;
	return 0;
}

/* ---- in the node ---- */

static const struct {
	const char *path;
	unsigned major, minor;
} devices[] = {
	{ "/dev/null", 1, 3 },   { "/dev/zero", 1, 5 },    { "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};
static const char *const links[][2] = { { "pts/ptmx", "/dev/ptmx" },
					{ "/proc/self/fd", "/dev/fd" },
					{ "/proc/self/fd/0", "/dev/stdin" },
					{ "/proc/self/fd/1", "/dev/stdout" },
					{ "/proc/self/fd/2", "/dev/stderr" } };

static void make_devices(void)
{
	DO(mkdir("/dev/shm", 0755));
	DO(mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k"));
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		char made[64];
		(void)snprintf(made, sizeof(made), "/dev/shm%s", devices[i].path + 4);
		DO(mknod(made, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)));
		DO(chmod(made, 0666));
		DO(mknod(devices[i].path, S_IFREG | 0666, 0));
		DO(mount(made, devices[i].path, "none", MS_BIND, NULL));
	}
	DO(umount2("/dev/shm", MNT_DETACH));
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		DO(symlink(links[i][0], links[i][1]));
}

static void make_mounts(const struct site *s, const char *work)
{
	const unsigned long safe = MS_NOSUID | MS_NODEV;
	DO(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL));
	DO(chdir(work));
	DO(mount(s->root, "lower", "none", MS_BIND, NULL));
	DO(mount("overlay", "lower", "overlay", MS_NODEV,
		 "lowerdir=lower,upperdir=upper,workdir=work,index=on,xino=on,metacopy=off,"
		 "redirect_dir=on"));
	DO(chdir("lower"));
	DO(syscall(SYS_pivot_root, ".", "."));
	DO(mount("proc", "/proc", "proc", safe | MS_NOEXEC, NULL));
	DO(mount("sysfs", "/sys", "sysfs", safe | MS_NOEXEC | MS_RDONLY, NULL));
	DO(mount("tmpfs", "/dev", "tmpfs", safe, "mode=0755,size=1m"));
	make_devices();
	DO(mkdir("/dev/pts", 0755));
	DO(mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		 "newinstance,ptmxmode=0666,mode=0620,gid=5"));
	DO(mount("tmpfs", "/dev/shm", "tmpfs", safe, "mode=1777"));
	DO(mount("tmpfs", "/run", "tmpfs", safe, "mode=0755"));
	DO(mount("tmpfs", "/tmp", "tmpfs", safe, "mode=1777"));
	DO(umount2(".", MNT_DETACH));
	DO(chdir("/"));
	DO(mkdir("/run/lock", 0755));
	DO(chmod("/run/lock", 01777));
}

static void loopback_up(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	DO(ioctl(fd, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP;
	DO(ioctl(fd, SIOCSIFFLAGS, &r));
	DO(close(fd));
}

/* PID 1. It says that the node is there, is told that the network is, runs `true` and says how that
 * ended. */
_Noreturn static void init(const struct site *s, const char *work, const char *name, int sock)
{
	struct err ignored = { 0 };
	char byte = 0;
	int status = -1, null;
	DO(prctl(PR_SET_PDEATHSIG, SIGKILL));
	DO(setsid());
	DO(confine_limits(&ignored));
	make_mounts(s, work);
	DO(sethostname(name, strlen(name)));
	put("/proc/sys/kernel", "ns_last_pid", "9999");
	loopback_up();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i <= STDERR_FILENO; i++)
		DO(dup2(null, i));
	DO(confine_mounts(&ignored));
	DO(recv(sock, &byte, 1, 0)); /* the groups are set */
	DO(unshare(CLONE_NEWCGROUP));
	DO(confine_process(host.refused, false, &ignored));
	DO(send(sock, &byte, 1, MSG_NOSIGNAL));
	DO(recv(sock, &byte, 1, 0)); /* the link is set */
	pid_t pid = _Fork();
	if (pid == 0) {
		DO(setsid());
		DO(execl("/bin/true", "true", NULL));
		_exit(127);
	}
	DO(waitpid(pid, &status, 0));
	byte = status == 0 ? 'y' : 'n';
	DO(send(sock, &byte, 1, MSG_NOSIGNAL));
	for (;;)
		DO(pause());
}

/* ---- around it ---- */

static const char *const knobs[][2] = {
	{ "ipv4/ip_forward", "0" },
	{ "ipv4/conf/all/send_redirects", "0" },
	{ "ipv4/conf/default/send_redirects", "0" },
	{ "ipv4/conf/all/rp_filter", "0" },
	{ "ipv4/conf/default/rp_filter", "0" },
	{ "ipv6/conf/all/disable_ipv6", "1" },
	{ "ipv6/conf/default/disable_ipv6", "1" },
};

static void network(pid_t pid, unsigned serial)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	int theirs = open(path, O_RDONLY | O_CLOEXEC);
	int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	DO(setns(theirs, CLONE_NEWNET));
	for (size_t i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++)
		put("/proc/sys/net", knobs[i][0], knobs[i][1]);
	int inside = floor_socket();
	DO(setns(own, CLONE_NEWNET));
	floor_link(inside, theirs, host.bridge, serial);
	DO(close(inside));
	DO(close(own));
	DO(close(theirs));
}

static void limits(const char *memory, const char *pids)
{
	char text[32];
	(void)snprintf(text, sizeof(text), "%d", MEMORY_LIMIT);
	DO(mkdir(memory, 0755));
	put(memory, "memory.limit_in_bytes", text);
	put(memory, "memory.memsw.limit_in_bytes", text);
	DO(mkdir(pids, 0755));
	(void)snprintf(text, sizeof(text), "%d", PIDS_LIMIT);
	put(pids, "pids.max", text);
}

/* Three groups in the tree, and one a limit. */
struct groups {
	char tree[3][256], memory[256], pids[256];
};

static void make_groups(struct groups *g, const char *name)
{
	static const char *const parts[3] = { "", "/workflow", "/services" };
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(g->tree[i], sizeof(g->tree[i]), "%s/%s%s", host.tree, name,
			       parts[i]);
		DO(mkdir(g->tree[i], 0755));
	}
	(void)snprintf(g->memory, sizeof(g->memory), "%s/%s", host.memory, name);
	(void)snprintf(g->pids, sizeof(g->pids), "%s/%s", host.pids, name);
	limits(g->memory, g->pids);
}

static void remove_groups(const struct groups *g)
{
	DO(rmdir(g->pids));
	DO(rmdir(g->memory));
	for (size_t i = 3; i > 0; i--)
		DO(rmdir(g->tree[i - 1]));
}

static const char *const folders[] = { "", "/lower", "/upper", "/work" };

static void remove_work(const char *work)
{
	char path[512];
	(void)snprintf(path, sizeof(path), "%s/work/work", work);
	DO(rmdir(path));
	(void)snprintf(path, sizeof(path), "%s/work/index", work);
	DO(rmdir(path));
	for (size_t i = sizeof(folders) / sizeof(folders[0]); i > 0; i--) {
		(void)snprintf(path, sizeof(path), "%s%s", work, folders[i - 1]);
		DO(rmdir(path));
	}
}

static pid_t start(const struct groups *g, int *pidfd)
{
	int tree = open(g->tree[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC |
			 CLONE_PIDFD | CLONE_INTO_CGROUP,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)tree,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	DO(close(tree));
	return pid;
}

int floor_once(struct site *s, struct err *e)
{
	char name[128], work[512], path[640], number[16], byte = 0;
	struct groups g;
	int pair[2], pidfd = -1;
	(void)snprintf(name, sizeof(name), "%s-%u", s->mark, s->serial);
	(void)snprintf(work, sizeof(work), "%s/%u", s->dir, s->serial);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", work, folders[i]);
		DO(mkdir(path, 0755));
	}
	make_groups(&g, name);
	DO(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	pid_t pid = start(&g, &pidfd);
	if (pid == 0)
		init(s, work, name, pair[1]);
	DO(close(pair[1]));
	(void)snprintf(number, sizeof(number), "%d", (int)pid);
	put(g.memory, "cgroup.procs", number);
	put(g.pids, "cgroup.procs", number);
	DO(send(pair[0], &byte, 1, MSG_NOSIGNAL));
	DO(recv(pair[0], &byte, 1, 0));
	network(pid, s->serial);
	DO(send(pair[0], &byte, 1, MSG_NOSIGNAL));
	DO(recv(pair[0], &byte, 1, 0));
	put(g.tree[0], "cgroup.kill", "1");
	siginfo_t info;
	DO(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | __WALL));
	DO(close(pidfd));
	DO(close(pair[0]));
	remove_groups(&g);
	remove_work(work);
	return byte == 'y' ? 0 : ERR(e, 0, "true did not run");
}
