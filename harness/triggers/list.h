/* SPDX-License-Identifier: MIT */
/* One row a file of this folder: trigger_NAME in NAME.c. */
#ifndef BACKOUT_TRIGGERS_LIST_H
#define BACKOUT_TRIGGERS_LIST_H

/* clang-format off */
#define TRIGGERS(X) X(bytes) X(edge) X(elapsed) X(line) X(point) X(program) X(syscall)
/* clang-format on */

#endif
