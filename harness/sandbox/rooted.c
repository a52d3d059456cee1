/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/rooted.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"

enum { ROOTED_CHUNK = 32 * 1024 /* bytes */, ROOTED_TRIES = 16 };

int rooted_open(int root_fd, const char *path, int flags, enum rooted_links links)
{
	while (*path == '/')
		path++;
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS | RESOLVE_IN_ROOT,
	};
	if (links == ROOTED_REFUSE)
		how.resolve |= RESOLVE_NO_SYMLINKS;
	/* EAGAIN: something was renamed or mounted meanwhile, and the kernel asks for a new try. */
	for (int i = 0; i < ROOTED_TRIES; i++) {
		long fd = syscall(SYS_openat2, root_fd, *path != '\0' ? path : ".", &how,
				  sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			return (int)fd;
	}
	return -1;
}

int rooted_read(int root_fd, const char *path, size_t max, struct buf *ret, struct err *e)
{
	GUARD(fd)
	int fd = rooted_open(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, ROOTED_FOLLOW);
	if (fd < 0)
		/* EACCES: a device, which the mounts of a node do not open. */
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES
			       ? 0
			       : ERR(e, errno, "open '%s'", path);
	GUARD(mem) char *chunk = mem_alloc(ROOTED_CHUNK);
	size_t total = 0;
	for (;;) {
		ssize_t n = read(fd, chunk, ROOTED_CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EISDIR)
			return 0;
		if (n < 0)
			return ERR(e, errno, "read '%s'", path);
		if (n == 0)
			return 1;
		total += (size_t)n;
		if (total > max)
			return ERR(e, EFBIG, "read '%s': more than %zu bytes", path, max);
		buf_add(ret, chunk, (size_t)n);
	}
}
