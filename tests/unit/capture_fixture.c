/* SPDX-License-Identifier: MIT */
#include "tests/unit/capture_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "tests/unit/runner.h"

enum { TEXT_MAX = 16 << 20 };

const char capture_prepare[] =
	"cd /srv; echo 12345 >f; mkdir d; ln -s f l; echo x >h1; ln h1 h2; ln h1 a-h; mkfifo p;"
	" mknod c c 1 3; mknod b b 7 1; mkdir -m 755 dd; echo 1 >dd/z; echo 1 >dd-a;"
	" mkdir -p /var/lib/dpkg/updates /var/lib/dpkg/info;"
	" printf 'Package: one\\nStatus: install ok installed\\nArchitecture: all\\nVersion: 1\\n"
	"Description: x\\n Version: no\\n\\nPackage: gone\\nStatus: purge ok not-installed\\n"
	"Architecture: all\\nVersion: 1\\n\\n' >/var/lib/dpkg/status;"
	" printf '/.\\n/srv\\n/srv/f\\n' >/var/lib/dpkg/info/one.list";

void capture_take(struct node *n, struct capture_cache *cache, struct taken *ret)
{
	capture_take_by(n, cache, NULL, ret);
}

void capture_take_by(struct node *n, struct capture_cache *cache, const struct capture_base *base,
		     struct taken *ret)
{
	static const struct capture_also also[] = {
		{ "z", "cat /srv/said 2>/dev/null || true" },
		{ "a", "echo out; echo err >&2; exit 3" },
	};
	struct err e = { 0 };
	GUARD(fd) int fd = memfd_create("state", MFD_CLOEXEC);
	const struct capture_spec spec = {
		.also = also, .also_count = 2, .cache = cache, .base = base, .fd = fd
	};
	MUST(capture_state(n, &spec, &ret->result, &e));
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memset(&ret->text, 0, sizeof(ret->text));
	MUST(io_read_file(AT_FDCWD, path, TEXT_MAX, &ret->text, &e));
}

/* Both are sorted, but not by strcmp: so this looks for whole lines. */
void capture_lines_without(const char *a, const char *b, char sign, struct buf *ret)
{
	while (*a != '\0') {
		size_t len = strcspn(a, "\n") + 1;
		GUARD(mem) char *line = mem_printf("\n%.*s", (int)len, a);
		GUARD(mem) char *hay = mem_printf("\n%s", b);
		if (strstr(hay, line) == NULL)
			buf_printf(ret, "%c%.*s", sign, (int)len, a);
		a += len;
	}
}

void capture_line_of(struct node *n, const char *head, struct buf *ret)
{
	struct taken t;
	capture_take(n, NULL, &t);
	buf_clear(ret);
	const char *at = strstr(buf_str(&t.text), head);
	if (at != NULL)
		buf_add(ret, at, strcspn(at, "\n"));
	buf_free(&t.text);
}
