/* SPDX-License-Identifier: MIT */
/*
 * The system calls that no program of a node gets, whatever it is (seccomp): those that reach what
 * namespaces do not divide, as modules, clocks, keys, mounts. They are refused (EPERM; ENOSYS where
 * programs then go another way), never told to anybody, so they stand beside the filters of
 * filter.h: of two filters the stricter answer counts. All ABIs of the machine; an unknown one
 * kills.
 */
#ifndef BACKOUT_SANDBOX_BASELINE_H
#define BACKOUT_SANDBOX_BASELINE_H

#include "harness/base/err.h"

struct sock_fprog;

enum baseline {
	BASELINE_PLAIN,
	BASELINE_MOUNTS, /* lets mounts and setns(2) through */
	BASELINE_SYSTEM, /* for a systemd that may not mount: it finds no mount namespaces either,
			    and starts units without those of their settings that need one */
	BASELINE_COUNT
};
/* Made when first asked for, then kept for the life of the process: do not free. NULL: e has why.
 */
const struct sock_fprog *baseline_program(enum baseline kind, struct err *e);
/* Upon the calling thread and what it starts, for good. Needs CAP_SYS_ADMIN or no_new_privs; -1
 * with errno. */
int baseline_install(const struct sock_fprog *program);

#endif
