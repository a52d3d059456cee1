/* SPDX-License-Identifier: MIT */
/* One row a file of this folder: injector_NAME in NAME.c. */
#ifndef INJECTORS_LIST_H
#define INJECTORS_LIST_H

/* clang-format off */
#define INJECTORS(X) X(disk_fill) X(link_down) X(node_crash) X(node_power) X(package_corrupt) X(package_script) X(process_kill) X(syscall_delay) X(syscall_fail)
/* clang-format on */

#endif
