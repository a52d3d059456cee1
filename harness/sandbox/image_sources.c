/* SPDX-License-Identifier: MIT */
/* This host's apt sources, in both of apt's formats, brought to one deb822 text. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/sandbox/image_internal.h"

enum { SOURCES_FILE_MAX = 1 << 20 /* bytes */ };

/* Options of a one-line entry and what deb822 calls them (sources.list(5)). */
static const struct {
	const char *option, *field;
} option_fields[] = {
	{ "arch", "Architectures" },
	{ "lang", "Languages" },
	{ "target", "Targets" },
	{ "pdiffs", "PDiffs" },
	{ "by-hash", "By-Hash" },
	{ "signed-by", "Signed-By" },
	{ "trusted", "Trusted" },
	{ "allow-insecure", "Allow-Insecure" },
	{ "allow-weak", "Allow-Weak" },
	{ "check-valid-until", "Check-Valid-Until" },
	{ "valid-until-max", "Valid-Until-Max" },
	{ "check-date", "Check-Date" },
};

/* The release itself, its updates and its security fixes; backports and the like are not what a
 * host of that release is made of. */
static bool offers(const char *word, size_t len, const char *suite)
{
	static const char *const tails[] = { "", "-updates", "-security", "/updates" };
	size_t n = strlen(suite);
	if (len < n || memcmp(word, suite, n) != 0)
		return false;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
		if (strlen(tails[i]) == len - n && memcmp(word + n, tails[i], len - n) == 0)
			return true;
	return false;
}

/* The next word of a line; its length, 0 at the end. */
static size_t next_word(const char **at)
{
	*at += strspn(*at, " \t\n");
	return strcspn(*at, " \t\n");
}

/* The words of `list` that offer the suite, each behind a space. */
static void keep_suites(const char *list, const char *suite, struct buf *ret)
{
	size_t len;
	for (const char *at = list; (len = next_word(&at)) > 0; at += len) {
		if (offers(at, len, suite)) {
			buf_putc(ret, ' ');
			buf_add(ret, at, len);
		}
	}
}

/* "[signed-by=/x arch=a,b]" as fields. */
static void add_options(const char *text, size_t len, struct buf *out)
{
	GUARD(mem) char *copy = mem_printf("%.*s", (int)len, text);
	size_t n;
	for (const char *at = copy; (n = next_word(&at)) > 0; at += n) {
		size_t name = strcspn(at, "=");
		for (size_t i = 0; name < n && i < sizeof(option_fields) / sizeof(option_fields[0]);
		     i++) {
			if (strlen(option_fields[i].option) != name ||
			    strncasecmp(at, option_fields[i].option, name) != 0)
				continue;
			buf_printf(out, "%s: ", option_fields[i].field);
			for (const char *v = at + name + 1; v < at + n; v++)
				buf_putc(out, *v == ',' ? ' ' : *v);
			buf_putc(out, '\n');
		}
	}
}

static void add_one_line(const char *line, const char *suite, struct buf *out)
{
	GUARD_BUF struct buf options = { 0 };
	const char *at = line;
	size_t len = next_word(&at);
	if (len != 3 || memcmp(at, "deb", 3) != 0)
		return;
	at += len;
	at += strspn(at, " \t");
	if (*at == '[') {
		size_t inside = strcspn(at, "]");
		add_options(at + 1, inside - 1, &options);
		at += inside + (at[inside] == ']');
	}
	size_t uri_len = next_word(&at);
	const char *uri = at;
	at += uri_len;
	size_t suite_len = next_word(&at);
	if (suite_len == 0 || !offers(at, suite_len, suite))
		return;
	buf_printf(out, "Types: deb\nURIs: %.*s\nSuites: %.*s\nComponents:", (int)uri_len, uri,
		   (int)suite_len, at);
	at += suite_len;
	while ((len = next_word(&at)) > 0 && *at != '#') {
		buf_printf(out, " %.*s", (int)len, at);
		at += len;
	}
	buf_printf(out, "\n%s\n", buf_str(&options));
}

static void add_list(const char *text, const char *suite, struct buf *out)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		GUARD(mem) char *line = mem_printf("%.*s", (int)len, text);
		add_one_line(line, suite, out);
		text += len + (text[len] == '\n');
	}
}

struct stanza {
	struct buf other, suites, types;
	bool off;
};

static bool field_is(const char *line, size_t len, const char *name, const char **value)
{
	size_t n = strlen(name);
	if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return false;
	*value = line + n + 1;
	return true;
}

/* Continuation lines belong to the field before them: `into` remembers which. */
static void stanza_line(struct stanza *s, const char *line, size_t len, struct buf **into)
{
	const char *value = line;
	GUARD(mem) char *copy = mem_printf("%.*s", (int)len, line);
	if (line[0] == ' ' || line[0] == '\t') {
		if (*into != NULL)
			buf_printf(*into, "%s\n", copy);
		return;
	}
	*into = &s->other;
	if (field_is(copy, len, "Suites", &value))
		*into = &s->suites;
	else if (field_is(copy, len, "Types", &value))
		*into = &s->types;
	else if (field_is(copy, len, "Enabled", &value))
		s->off = strcasecmp(value + strspn(value, " \t"), "no") == 0;
	else
		value = copy;
	buf_printf(*into, "%s\n", value);
}

static void stanza_end(struct stanza *s, const char *suite, struct buf *out)
{
	GUARD_BUF struct buf kept = { 0 };
	bool binary = false;
	size_t len;
	for (const char *at = buf_str(&s->types); (len = next_word(&at)) > 0; at += len)
		binary |= len == 3 && memcmp(at, "deb", 3) == 0;
	keep_suites(buf_str(&s->suites), suite, &kept);
	if (binary && !s->off && kept.len > 0)
		buf_printf(out, "Types: deb\nSuites:%s\n%s\n", buf_str(&kept), buf_str(&s->other));
	buf_clear(&s->other);
	buf_clear(&s->suites);
	buf_clear(&s->types);
	s->off = false;
}

static void add_deb822(const char *text, const char *suite, struct buf *out)
{
	struct stanza s = { 0 };
	struct buf *into = NULL;
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		if (strspn(text, " \t\r") >= len) {
			stanza_end(&s, suite, out);
			into = NULL;
		} else if (text[0] != '#') {
			stanza_line(&s, text, len, &into);
		}
		text += len + (text[len] == '\n');
	}
	stanza_end(&s, suite, out);
	buf_free(&s.other);
	buf_free(&s.suites);
	buf_free(&s.types);
}

static int add_file(const char *path, const char *suite, struct buf *out, struct err *e)
{
	static const struct {
		const char *suffix;
		void (*add)(const char *text, const char *suite, struct buf *out);
	} formats[] = { { ".list", add_list }, { ".sources", add_deb822 } };
	size_t len = strlen(path);
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		size_t n = strlen(formats[i].suffix);
		if (len <= n || strcmp(path + len - n, formats[i].suffix) != 0)
			continue;
		GUARD_BUF struct buf text = { 0 };
		if (io_read_file(AT_FDCWD, path, SOURCES_FILE_MAX, &text, e) < 0)
			return -1;
		formats[i].add(buf_str(&text), suite, out);
	}
	return 0;
}

int image_sources(const char *etc_apt, const char *suite, struct buf *ret, struct err *e)
{
	size_t before = ret->len;
	GUARD(mem) char *list = mem_printf("%s/sources.list", etc_apt);
	GUARD(mem) char *parts = mem_printf("%s/sources.list.d", etc_apt);
	if (access(list, F_OK) == 0 && add_file(list, suite, ret, e) < 0)
		return -1;
	struct dirent **names = NULL;
	int count = scandir(parts, &names, NULL, alphasort);
	if (count < 0 && errno != ENOENT)
		return ERR(e, errno, "list '%s'", parts);
	int result = 0;
	for (int i = 0; i < count; i++) {
		GUARD(mem) char *path = mem_printf("%s/%s", parts, names[i]->d_name);
		if (result == 0)
			result = add_file(path, suite, ret, e);
		free(names[i]);
	}
	free(names);
	if (result == 0 && ret->len == before)
		return ERR_AS(e, EXIT_UNAVAILABLE, 0,
			      "no apt source of this host (%s) offers the suite '%s': add one",
			      etc_apt, suite);
	return result;
}
