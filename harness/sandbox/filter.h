/* SPDX-License-Identifier: MIT */
/*
 * Which system calls change a node's state, and filters (seccomp) that hold them for an answer.
 * A filter goes into a program just before its exec (spawn_spec.filter) and with it into all that
 * it starts; callwatch.h answers. Calls of the other ABIs of the machine (32-bit, x32) and
 * io_uring_setup are refused with ENOSYS while a filter is in force: their work could not be seen.
 * Nothing sees stores into mapped files.
 */
#ifndef BACKOUT_SANDBOX_FILTER_H
#define BACKOUT_SANDBOX_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/base/err.h"

/* A family is named as its first call was; what it holds. */
/* clang-format off */
#define CALL_FAMILIES(X)                                                            \
	X(OPEN, "open", "opens that may write, create or cut off a file")           \
	X(RENAME, "rename", "renames and exchanges")                                \
	X(LINK, "link", "hard links")                                               \
	X(SYMLINK, "symlink", "symbolic links")                                     \
	X(UNLINK, "unlink", "removing files")                                       \
	X(MKDIR, "mkdir", "making folders")                                         \
	X(RMDIR, "rmdir", "removing folders")                                       \
	X(MKNOD, "mknod", "devices, pipes, sockets")                                \
	X(CHMOD, "chmod", "modes")                                                  \
	X(CHOWN, "chown", "owners")                                                 \
	X(SETXATTR, "setxattr", "setting extended attributes")                      \
	X(REMOVEXATTR, "removexattr", "removing extended attributes")               \
	X(TRUNCATE, "truncate", "cutting off or growing files")                     \
	X(FALLOCATE, "fallocate", "reserving space, punching holes")                \
	X(UTIME, "utime", "time stamps")                                            \
	X(FSYNC, "fsync", "making one file durable")                                \
	X(SYNC, "sync", "making file systems durable")                              \
	X(COPY, "copy", "copies and clones made by the kernel, into files")         \
	X(MOUNT, "mount", "mounting and moving mounts")                             \
	X(UMOUNT, "umount", "unmounting")                                           \
	X(SETHOSTNAME, "sethostname", "names of the host")                          \
	X(WRITE, "write", "writes into files; not part of any")

enum call_family {
	CALL_ANY, /* all of the rows but WRITE */
#define X(id, name, help) CALL_##id,
	CALL_FAMILIES(X)
#undef X
	CALL_FAMILY_COUNT,
	/* Not for scenarios. ENDS: ends of processes; they change nothing, but are the last moment
	 * at which a process is known to be somebody's parent. */
	CALL_ENDS = CALL_FAMILY_COUNT,
	CALL_ALL, /* any, writes and ends */
};
/* clang-format on */

/* "any" and the families' names in the order of the enum, NULL-terminated. */
extern const char *const call_family_names[];

enum { CALL_ARG_NONE = -1, CALL_PATHS_MAX = 2, CALL_ARGS = 6 };

/* One system call: where its paths stand among its arguments. */
struct call_row {
	const char *name; /* "renameat2" */
	enum call_family family;
	int nr; /* negative: this machine has no such call */
	/* at: a folder's (or, without a path, the file's own) descriptor; NONE: the path counts
	 * from the working folder. Both NONE: it names no file. */
	struct {
		int at, path;
	} file[CALL_PATHS_MAX];
	int how; /* an argument that points to the real open flags; NONE */
};

/* The row that a call with these arguments falls under; NULL: it changes nothing. */
const struct call_row *call_row_of(int nr, const uint64_t args[CALL_ARGS]);
/* Do these flags of open(2) let the file be changed? */
bool call_open_changes(uint64_t flags);

struct filter;
/* Holds the calls of one family, or of any. The filter is constant and may be used for any number
 * of programs. */
int filter_create(struct filter **ret, enum call_family family, struct err *e);
void filter_destroy(struct filter *f); /* NULL-safe; programs that have it keep it */
/* The compiled filter as a file, to be sent to who installs it; the filter's, do not close. */
int filter_program_fd(const struct filter *f);

/* Puts the program behind the descriptor upon the calling thread, for good, and returns the
 * listener (closed at exec); -1 with errno. *killable: a held call can be ended by deadly signals
 * alone (Linux 5.19); else any signal makes it start anew. Needs CAP_SYS_ADMIN. */
int filter_install(int program_fd, bool *killable);

#endif
