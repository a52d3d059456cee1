/* SPDX-License-Identifier: MIT */
/* Roots from a Debian archive and from a folder. */
#include "harness/sandbox/image.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/dpkg.h"
#include "harness/sandbox/image_internal.h"
#include "harness/sandbox/userns.h"

enum { UNMAPPED = 65534 }; /* as the kernel shows an owner that a user namespace has not got */

/* 2023-01-01: any day that is the same for every build. */
#define BUILD_EPOCH "1672531200"

/* What mmdebstrap copies from this host, and where it fetched from, is no part of the root: a
 * node has no way out, and a scenario says where its packages come from. Removed before they are
 * written anew: a link there could lead out of the tree. */
static const char *const hooks[] = {
	"--customize-hook=rm -f \"$1/etc/resolv.conf\" \"$1/etc/hostname\" && "
	"umask 022 && : >\"$1/etc/resolv.conf\" && echo localhost >\"$1/etc/hostname\"",
	"--customize-hook=rm -f \"$1\"/etc/apt/sources.list \"$1\"/etc/apt/sources.list.d/*",
	"--customize-hook=umask 022 && test -e \"$1/etc/hosts\" || "
	"echo '127.0.0.1 localhost' >\"$1/etc/hosts\"",
	/* apt was run from outside, as root. The first run inside gives these to its own user,
	 * which every host in use has long behind it; in a drill it would read as residue. */
	"--customize-hook=uid=$(sed -n 's/^_apt:[^:]*:\\([0-9]*\\):.*/\\1/p' \"$1/etc/passwd\"); "
	"for d in cache/apt/archives lib/apt/lists; do "
	"test -z \"$uid\" || ! test -d \"$1/var/$d/partial\" || "
	"chown \"$uid:0\" \"$1/var/$d/partial\"; done",
};

/* Names and versions as Debian policy spells them: nothing that a command line could mistake. */
static int check_word(const char *what, const char *word, const char *extra, struct err *e)
{
	bool good = isalnum((unsigned char)word[0]) != 0;
	for (const char *c = word; *c != '\0'; c++)
		good = good && (isalnum((unsigned char)*c) || strchr(extra, *c) != NULL);
	if (!good)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "'%s' is not the name of %s", word, what);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "nginx=1,curl" sorted, each once. */
static void join_includes(const char *const *include, size_t count, struct buf *ret)
{
	GUARD(mem) const char **sorted = mem_array(count + 1, sizeof(*sorted));
	for (size_t i = 0; i < count; i++)
		sorted[i] = include[i];
	qsort(sorted, count, sizeof(*sorted), by_text);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && strcmp(sorted[i], sorted[i - 1]) == 0)
			continue;
		if (ret->len > 0)
			buf_putc(ret, ',');
		buf_puts(ret, sorted[i]);
	}
}

static int build_debian(const struct image_slot *s, const char *suite, const char *includes,
			const struct image_progress *p, struct err *e)
{
	GUARD_BUF struct buf sources = { 0 };
	if (image_sources("/etc/apt", suite, &sources, e) < 0)
		return -1;
	GUARD(mem) char *tree = mem_printf("%s/tree", s->scratch);
	GUARD(mem) char *list = mem_printf("--include=%s", includes);
	/* The date goes into /etc/shadow; the language into what maintainer scripts write. */
	const char *const argv[] = { "env",
				     "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
				     "LC_ALL=C.UTF-8",
				     "SOURCE_DATE_EPOCH=" BUILD_EPOCH,
				     "mmdebstrap",
				     "--mode=root",
				     "--variant=apt",
				     "--format=directory",
				     hooks[0],
				     hooks[1],
				     hooks[2],
				     hooks[3],
				     suite,
				     tree,
				     "-",
				     list,
				     NULL };
	size_t last = sizeof(argv) / sizeof(argv[0]) - 2;
	const char *bare[sizeof(argv) / sizeof(argv[0])];
	memcpy(bare, argv, sizeof(argv));
	if (includes[0] == '\0')
		bare[last] = NULL;
	return job_tool(bare, buf_str(&sources), p, e);
}

int image_debian(struct owner *o, const char *suite, const char *const *include, size_t count,
		 image_progress_fn progress, void *arg, struct image *ret, struct err *e)
{
	struct utsname host;
	if (uname(&host) < 0)
		return ERR(e, errno, "uname");
	if (check_word("a Debian suite", suite, "-._", e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (check_word("a package (or NAME=VERSION)", include[i], "+-._:=~", e) < 0)
			return -1;
	GUARD_BUF struct buf includes = { 0 };
	join_includes(include, count, &includes);
	GUARD(mem)
	char *recipe = mem_printf("debian %s %s%s%s", suite, host.machine,
				  count > 0 ? " with " : "", buf_str(&includes));
	GUARD(mem) char *full = mem_printf("format %d: %s", IMAGE_FORMAT, recipe);
	char key[HASH_TEXT];
	hash_text(full, strlen(full), key);

	struct image_slot s;
	const struct image_progress p = { progress, arg };
	if (image_slot_open(o, key, &s, e) < 0)
		return -1;
	int result = image_slot_find(&s, ret, e);
	if (result == 0) {
		GUARD(mem) char *tree = mem_printf("%s/tree", s.scratch);
		const struct image_about about = { "debian", recipe, tree };
		result = build_debian(&s, suite, buf_str(&includes), &p, e) < 0 ||
					 image_slot_publish(&s, &about, &p, ret, e) < 0
				 ? -1
				 : 0;
	}
	image_slot_close(&s);
	return result < 0 ? -1 : 0;
}

int image_dir(const char *path, struct image *ret, struct err *e)
{
	GUARD(mem) char *real = realpath(path, NULL);
	struct stat st;
	if (real == NULL || stat(real, &st) < 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, errno, "the root '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "the root '%s' is not a directory", path);
	if (userns_kind() != USERNS_HOST && st.st_uid == UNMAPPED)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0,
			      "the root '%s' belongs to a user who is not in this user namespace: "
			      "unpack it as this user, or run as root",
			      path);
	memset(ret, 0, sizeof(*ret));
	hash_text(real, strlen(real), ret->digest);
	memcpy(ret->key, ret->digest, HASH_TEXT);
	ret->path = take_ptr(&real);
	ret->is_dir = true;
	return 0;
}

int image_packages_json(const char *tree, struct buf *ret, struct err *e)
{
	GUARD(fd) int fd = open(tree, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ERR(e, errno, "open '%s'", tree);
	struct arena *arena = arena_create();
	struct dpkg_db db;
	int result = dpkg_read(fd, arena, &db, e);
	for (size_t i = 0; result == 0 && i < db.count; i++) {
		if (i > 0)
			buf_putc(ret, ',');
		/* The same name in two architectures would be the same key twice. */
		const char *colon = strchr(db.items[i].key, ':');
		size_t len = (size_t)(colon - db.items[i].key);
		bool twice =
			(i > 0 && strncmp(db.items[i - 1].key, db.items[i].key, len + 1) == 0) ||
			(i + 1 < db.count &&
			 strncmp(db.items[i + 1].key, db.items[i].key, len + 1) == 0);
		buf_json_n(ret, db.items[i].key, twice ? strlen(db.items[i].key) : len);
		buf_putc(ret, ':');
		buf_json(ret, db.items[i].version);
	}
	arena_destroy(arena);
	return result;
}
