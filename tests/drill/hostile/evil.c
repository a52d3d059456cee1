/* SPDX-License-Identifier: MIT */
/*
 * What a shell cannot try: run as root in a node by the hostile suite, which links it statically.
 * Says "GOT THROUGH: ..." for what should have been refused, and at last that it is done.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FDS = 256, PIDS = 70000, DEPTH = 2500 };

static void through(const char *what, const char *more)
{
	(void)printf("GOT THROUGH: %s %s\n", what, more);
}

/* Of init, and of every program between its fork and its exec: nothing may lead to the host. */
static void look_at(int pid)
{
	char path[300], link[512];
	static const char *const folders[] = { "fd", "map_files" };
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, folders[i]);
		DIR *d = opendir(path);
		for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
			ssize_t n = readlinkat(dirfd(d), de->d_name, link, sizeof(link) - 1);
			link[n > 0 ? n : 0] = '\0';
			if (strstr(link, "pidfd") != NULL ||
			    (i == 1 && n > 0 && strncmp(link, "/memfd:", 7) != 0))
				through(path, link);
		}
		if (d != NULL)
			(void)closedir(d);
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	int fd = open(path, O_RDONLY);
	ssize_t n = fd >= 0 ? read(fd, link, sizeof(link) - 1) : 0;
	for (ssize_t i = 0; i < n; i++)
		if (link[i] != '\0') {
			through(path, "has text");
			break;
		}
}

static void own_file(void)
{
	struct timespec old[2] = { { 1, 0 }, { 1, 0 } };
	look_at(1);
	int fd = open("/proc/1/exe", O_PATH);
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	(void)chmod(path, 0777);
	(void)chown(path, 1, 1);
	(void)utimensat(AT_FDCWD, path, old, 0);
	fd = open(path, O_WRONLY);
	if (fd >= 0 && write(fd, "evil", 4) == 4)
		through(path, "is written to");
	if (open(path, O_WRONLY | O_TRUNC) >= 0)
		through(path, "is cut");
}

/* As the harness's socket and pidfd stood in init, and by tracing what stands there now. */
static void trace(void)
{
	int init = (int)syscall(SYS_pidfd_open, 1, 0);
	look_at(1);
	for (int i = 0; i < FDS; i++) {
		int fd = (int)syscall(SYS_pidfd_getfd, init, i, 0);
		if (fd >= 0)
			through("pidfd_getfd", "of init");
		if (fd >= 0 && setns(fd, CLONE_NEWNS) == 0)
			through("setns", "to the harness");
		if (setns(i, CLONE_NEWNS) == 0)
			through("setns", "by a descriptor");
	}
	if (setns(init, CLONE_NEWNS | CLONE_NEWPID) == 0)
		through("setns", "to init");
	/* Whoever is there but init: the harness must not be. */
	for (int pid = 2; pid < PIDS; pid++) {
		char path[64], name[64];
		if (pid == getpid() || kill(pid, 0) < 0)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%d/exe", pid);
		ssize_t n = readlink(path, name, sizeof(name) - 1);
		name[n > 0 ? n : 0] = '\0';
		if (strncmp(name, "/memfd:backout", 14) == 0 &&
		    ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0)
			look_at(pid);
	}
	/* Init itself: it may be traced, and has nothing more than we have. */
	if (ptrace(PTRACE_ATTACH, 1, NULL, NULL) == 0 && waitpid(1, NULL, __WALL) == 1)
		(void)ptrace(PTRACE_DETACH, 1, NULL, NULL);
}

/* The old way out of containers: a handle of any inode by its number, below a mount that we have. */
static void handles(void)
{
	static const char *const mounts[] = { "/", "/proc", "/sys", "/dev", "/dev/null", "/tmp" };
	struct {
		struct file_handle h;
		unsigned ino[2];
	} handle = { .h = { .handle_bytes = 8, .handle_type = 1 }, .ino = { 2, 0 } };
	struct {
		struct file_handle h;
		char space[128];
	} own = { .h = { .handle_bytes = 128 } };
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		int id, fd = open(mounts[i], O_RDONLY);
		if (syscall(SYS_open_by_handle_at, fd, &handle, O_RDONLY) >= 0)
			through("open_by_handle_at", mounts[i]);
		if (name_to_handle_at(AT_FDCWD, mounts[i], &own.h, &id, 0) == 0 &&
		    syscall(SYS_open_by_handle_at, fd, &own, O_RDONLY) >= 0)
			through("open_by_handle_at, its own handle", mounts[i]);
		(void)close(fd);
	}
}

/* Towards a UDP port of the host, whose addresses are given; and an abstract name of it. */
static void sockets(int count, char **words)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	(void)snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "%s", words[1]);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(words[1]));
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&name, len) == 0)
		through("connect", words[1]);
	for (int i = 2; i < count; i++) {
		struct sockaddr_in to = { .sin_family = AF_INET,
					  .sin_port = htons((unsigned short)atoi(words[0])) };
		(void)inet_pton(AF_INET, words[i], &to.sin_addr);
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		(void)sendto(fd, "evil", 4, 0, (struct sockaddr *)&to, sizeof(to));
		fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
		const unsigned short udp[] = { htons(7), to.sin_port, htons(12), 0, 0, 0 };
		(void)sendto(fd, udp, sizeof(udp), 0, (struct sockaddr *)&to, sizeof(to));
	}
	if (socket(AF_VSOCK, SOCK_STREAM, 0) >= 0)
		through("socket", "vsock");
}

/* The output is ours, and whatever the shell made of it. */
static void rubbish(void)
{
	static char text[65536];
	struct stat out, st;
	memset(text, 0xee, sizeof(text));
	(void)fstat(STDOUT_FILENO, &out);
	for (int fd = STDERR_FILENO + 1; fd < FDS; fd++)
		if (fstat(fd, &st) == 0 && st.st_ino != out.st_ino)
			through("a descriptor", "is inherited");
	for (int fd = 0; fd < FDS; fd++) {
		for (int i = 0; i < 16; i++) {
			const int message[3] = { i, 1, 0 };
			(void)fcntl(fd, F_SETFL, O_NONBLOCK);
			(void)!write(fd, text, sizeof(text));
			(void)send(fd, message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
			(void)send(fd, text, 1 + (size_t)i * 1000, MSG_DONTWAIT | MSG_NOSIGNAL);
		}
	}
	(void)fcntl(STDOUT_FILENO, F_SETFL, 0);
}

/* Beyond what a path can name. */
static void deep(void)
{
	if (chdir("/srv") < 0)
		through("no", "/srv");
	for (int i = 0; i < DEPTH; i++)
		if (mkdir("d", 0755) < 0 || chdir("d") < 0)
			through("too few folders:", strerror(errno));
	(void)close(open("f", O_CREAT | O_WRONLY, 0600));
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 4 && strcmp(argv[1], "sockets") == 0)
		sockets(argc - 2, argv + 2);
	else if (argc > 1 && strcmp(argv[1], "own-file") == 0)
		own_file();
	else if (argc > 1 && strcmp(argv[1], "trace") == 0)
		trace();
	else if (argc > 1 && strcmp(argv[1], "handles") == 0)
		handles();
	else if (argc > 1 && strcmp(argv[1], "rubbish") == 0)
		rubbish();
	else if (argc > 1 && strcmp(argv[1], "deep") == 0)
		deep();
	else
		return 1;
	(void)printf("\nevil: done\n");
	return 0;
}
