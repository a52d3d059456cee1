/* SPDX-License-Identifier: MIT */
/*
 * Editing a Debian binary package (deb(5): an ar archive of debian-binary, control.tar*,
 * data.tar*) without unpacking it: all that is not edited stays byte for byte. Plain work on
 * descriptors, read and written by position; decompressing is the caller's (`dpkg-deb
 * --ctrl-tarfile` and `--fsys-tarfile` print the plain tar of any package).
 */
#ifndef INJECTORS_DEB_H
#define INJECTORS_DEB_H

#include <stddef.h>

#include "harness/base/err.h"

enum deb_part { DEB_CONTROL, DEB_DATA };

/* Writes to `out` the package `deb` with that part replaced by the plain tar `tar`; the member is
 * then called control.tar or data.tar. */
int deb_replace(int deb, enum deb_part part, int tar, int out, struct err *e);

/* Writes to `out` the plain control tar `tar` with the maintainer script ("postinst") replaced,
 * or added as its last entry. */
int deb_set_script(int tar, const char *script, const char *text, int out, struct err *e);

enum { DEB_NAME_MAX = 101 };
/* Ends the plain data tar `tar` in the middle of its largest file (name, with its NUL). A
 * package that holds no file with content is an error. */
int deb_cut_data(int tar, char name[DEB_NAME_MAX], struct err *e);

int deb_copy(int deb, int out, struct err *e);
/* Inverts a few bytes in the middle of the file. */
int deb_flip(int fd, struct err *e);

#endif
