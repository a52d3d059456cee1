/* SPDX-License-Identifier: MIT */
/* One row a file of this folder: probe_NAME in NAME.c. */
#ifndef BACKOUT_PROBES_LIST_H
#define BACKOUT_PROBES_LIST_H

/* clang-format off */
#define PROBES(X) X(http) X(run) X(tcp) X(unit)
/* clang-format on */

#endif
