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

#include <stdbool.h>

#include "harness/base/err.h"

struct sock_fprog;

/* Made when first asked for, then kept for the life of the process: do not free. With may_mount
 * it lets mounts and setns(2) through. NULL: e has why. */
const struct sock_fprog *baseline_program(bool may_mount, struct err *e);
/* Upon the calling thread and what it starts, for good. Needs CAP_SYS_ADMIN or no_new_privs; -1
 * with errno. */
int baseline_install(const struct sock_fprog *program);

#endif
