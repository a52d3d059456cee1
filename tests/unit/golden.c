/* SPDX-License-Identifier: MIT */
#include "tests/unit/golden.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/io.h"
#include "tests/unit/runner.h"

enum { GOLDEN_MAX = 1 << 20 };

void same_as_golden(const char *name, const char *text, size_t len)
{
	struct err e = { 0 };
	char path[256];
	GUARD_BUF struct buf want = { 0 };
	(void)snprintf(path, sizeof(path), "tests/unit/golden/%s", name);
	const char *mode = getenv("BACKOUT_GOLDEN");
	if (mode != NULL && strcmp(mode, "write") == 0)
		MUST(io_write_file(AT_FDCWD, path, text, len, 0644, &e));
	MUST(io_read_file(AT_FDCWD, path, GOLDEN_MAX, &want, &e));
	if (want.len != len || memcmp(buf_str(&want), text, len) != 0)
		ck_abort_msg("%s differs; this is what was written:\n%.*s", path, (int)len, text);
}
