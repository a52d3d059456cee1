/* SPDX-License-Identifier: MIT */
/* One row a format of this folder: report_NAME in NAME.c. */
#ifndef REPORTS_LIST_H
#define REPORTS_LIST_H

/* clang-format off */
#define REPORTS(X) X(json) X(junit) X(text)
/* clang-format on */

#endif
