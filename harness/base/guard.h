/* SPDX-License-Identifier: MIT */
/*
 * Scope guards: `GUARD(fd) int fd = -1;` closes on every way out of the scope and keeps errno,
 * so that a clean-up never hides the cause. Hand over with take_fd()/take_ptr() when ownership
 * leaves the scope.
 */
#ifndef BACKOUT_BASE_GUARD_H
#define BACKOUT_BASE_GUARD_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define GUARD(kind) __attribute__((cleanup(guard_##kind)))

static inline void guard_fd(int *fd)
{
	int saved_errno = errno;
	if (*fd >= 0)
		(void)close(*fd);
	errno = saved_errno;
}

static inline void guard_mem(void *p)
{
	int saved_errno = errno;
	free(*(void **)p);
	errno = saved_errno;
}

static inline void guard_file(FILE **f)
{
	int saved_errno = errno;
	if (*f != NULL)
		(void)fclose(*f);
	errno = saved_errno;
}

static inline void guard_dir(DIR **d)
{
	int saved_errno = errno;
	if (*d != NULL)
		(void)closedir(*d);
	errno = saved_errno;
}

static inline int take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

static inline void *take_ptr_(void *p)
{
	void **slot = p;
	void *taken = *slot;
	*slot = NULL;
	return taken;
}
#define take_ptr(p) take_ptr_((void *)(p))

#endif
