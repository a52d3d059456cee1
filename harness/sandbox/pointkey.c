/* SPDX-License-Identifier: MIT */
#include "harness/sandbox/pointkey.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/hash.h"
#include "harness/base/mem.h"

enum {
	DRAWN_MIN = 6,   /* letters and digits that mkstemp(3) draws at least */
	STAMP_MIN = 10,  /* digits of a time in seconds, or of an address */
	SEGMENT_MIN = 2, /* small letters behind a capital, in a word */
	CAMEL_MIN = 9,   /* letters of two words in one */
	ABBREVIATION_MAX = 4,
	FIRST_SLOTS = 256,
};

/* ---- what was drawn ---- */

static size_t span(const char *s, size_t len, int (*is)(int))
{
	size_t n = 0;
	while (n < len && is((unsigned char)s[n]))
		n++;
	return n;
}

/* Words are told from what mkstemp(3) draws, so that keys stay readable. The fewer forms a word may
 * have the better: what is drawn and looks like one makes a key that does not repeat. */

/* NetworkManager, PolicyKit1; `tail`: how many small letters follow a capital at least. */
static bool is_camel(const char *s, size_t len, size_t tail)
{
	size_t i = span(s, len, islower);
	while (i < len && isupper((unsigned char)s[i])) {
		size_t lower = span(s + i + 1, len - i - 1, islower);
		if (lower < tail)
			return false;
		i += 1 + lower;
	}
	return i + span(s + i, len - i, isdigit) == len;
}

/* python3, Debian; 3ubuntu4; md5sums, sha256sum, deb12u1 */
static bool is_plain_word(const char *s, size_t len)
{
	static const char *const mixed[] = { "md5", "sha", "deb" };
	bool digits_between = isdigit((unsigned char)s[0]) != 0;
	for (size_t i = 0; i < sizeof(mixed) / sizeof(mixed[0]); i++)
		digits_between = digits_between || memcmp(s, mixed[i], 3) == 0;
	size_t i = isupper((unsigned char)s[0]) ? 1 : 0;
	size_t lower = span(s + i, len - i, islower);
	if (i > 0 && lower < SEGMENT_MIN)
		return false;
	i += lower;
	i += span(s + i, len - i, isdigit);
	if (digits_between) {
		i += span(s + i, len - i, islower);
		i += span(s + i, len - i, isdigit);
	}
	return i == len;
}

/* README, SHA256 */
static bool is_capitals(const char *s, size_t len, size_t most)
{
	size_t i = span(s, len, isupper);
	return i > 0 && i <= most && i + span(s + i, len - i, isdigit) == len;
}

/* `whole`: it is all of a name; those are drawn seldom. */
static bool is_drawn(const char *s, size_t len, bool whole)
{
	if (len < DRAWN_MIN || is_plain_word(s, len))
		return false;
	if (is_capitals(s, len, whole ? len : ABBREVIATION_MAX))
		return false;
	return (!whole && len < CAMEL_MIN) || !is_camel(s, len, whole ? 1 : SEGMENT_MIN);
}

/* In a folder for temporary files anything of such a length, behind a separator, is taken for
 * drawn: tmp.abcdefghij. */
static bool is_drawn_length(size_t len)
{
	return len == DRAWN_MIN || len == 8 || len == 10 || len == 12;
}

/* sed -i: sedXXXXXX beside the file; ln -f, cp -f: CuXXXXXX; Python: tmpXXXXXXXX, with small
 * letters, digits and _. */
static size_t known_prefix(const char *name, size_t len)
{
	size_t n = 3;
	if (len == 9 && memcmp(name, "sed", 3) == 0 && span(name + 3, 6, isalnum) == 6)
		return 3;
	if (len == 8 && memcmp(name, "Cu", 2) == 0 && span(name + 2, 6, isalnum) == 6)
		return 2;
	if (len != 11 || memcmp(name, "tmp", 3) != 0)
		return 0;
	while (n < len && (islower((unsigned char)name[n]) || isdigit((unsigned char)name[n]) ||
			   name[n] == '_'))
		n++;
	return n == len ? 3 : 0;
}

/* ---- names ---- */

static void add_byte(struct buf *out, const char **p, const char *end)
{
	unsigned char c = (unsigned char)**p;
	size_t n = c == '\\' || c < ' ' || c == 0x7f ? 0 : buf_utf8(*p, (size_t)(end - *p));
	if (n == 0)
		buf_printf(out, "\\x%02x", c);
	else
		buf_add(out, *p, n);
	*p += n > 0 ? n : 1;
}

static bool is_pid(const char *digits, size_t len, struct point_pids pids)
{
	unsigned long number = 0;
	if (len > 9 || digits[0] == '0')
		return false;
	for (size_t i = 0; i < len; i++)
		number = number * 10 + (unsigned long)(digits[i] - '0');
	if (number < POINT_PID_MIN)
		return false;
	for (size_t i = 0; i < pids.count; i++)
		if ((unsigned long)pids.pids[i] == number)
			return true;
	return false;
}

static bool has_pid(const char *s, size_t len, struct point_pids pids)
{
	for (size_t i = 0; i < len;) {
		size_t digits = span(s + i, len - i, isdigit);
		if (digits > 0 && is_pid(s + i, digits, pids))
			return true;
		i += digits > 0 ? digits : 1;
	}
	return false;
}

/* A run of letters and digits in which nothing but pids is replaced. */
static void add_word(struct buf *out, const char *s, size_t len, struct point_pids pids)
{
	for (size_t i = 0; i < len;) {
		size_t digits = span(s + i, len - i, isdigit);
		if (digits > 0 && is_pid(s + i, digits, pids))
			buf_puts(out, "PID");
		else
			buf_add(out, s + i, digits > 0 ? digits : 1);
		i += digits > 0 ? digits : 1;
	}
}

void pointkey_name(struct buf *out, const char *name, size_t len, bool in_tmp,
		   struct point_pids pids)
{
	const char *end = name + len;
	size_t known = known_prefix(name, len);
	if (known > 0) {
		buf_add(out, name, known);
		buf_putc(out, '*');
		return;
	}
	for (const char *p = name; p < end;) {
		size_t run = span(p, (size_t)(end - p), isalnum);
		char before = p > name ? p[-1] : '\0';
		bool behind = before != '\0' && strchr(".-_", before) != NULL;
		bool last = p + run == end;
		bool number = span(p, run, isdigit) == run;
		bool placed = !number && (behind || last);
		bool temporary = in_tmp && behind && last && is_drawn_length(run);
		if (run == 0)
			add_byte(out, &p, end);
		else if (has_pid(p, run, pids))
			add_word(out, p, run, pids);
		else if (number && (run >= STAMP_MIN || before == '#'))
			buf_putc(out, '*'); /* also #INODE, a file without a name */
		else if (placed && (temporary || is_drawn(p, run, run == len)))
			buf_putc(out, '*');
		else
			buf_add(out, p, run);
		p += run;
	}
}

static bool is_name(const char *name, size_t len, const char *what)
{
	return strlen(what) == len && memcmp(name, what, len) == 0;
}

void pointkey_path(struct buf *out, const char *path, struct point_pids pids)
{
	const char *dir = "";
	size_t dir_len = 0;
	bool proc = strncmp(path, "/proc/", 6) == 0;
	if (strcmp(path, "/") == 0)
		buf_putc(out, '/');
	for (const char *p = path; *p != '\0';) {
		while (*p == '/')
			p++;
		size_t len = strcspn(p, "/");
		if (len == 0)
			break;
		buf_putc(out, '/');
		bool in_tmp = is_name(dir, dir_len, "tmp") || is_name(dir, dir_len, "shm");
		bool of_process =
			proc && (is_name(dir, dir_len, "proc") || is_name(dir, dir_len, "task"));
		if (of_process && span(p, len, isdigit) == len)
			buf_puts(out, "PID");
		else
			pointkey_name(out, p, len, in_tmp, pids);
		dir = p;
		dir_len = len;
		p += len;
	}
}

/* ---- keys ---- */

void pointkey_text(char ret[POINT_KEY_MAX], const char *what_and_whom, unsigned long nth)
{
	char tail[48];
	size_t len = strlen(what_and_whom);
	int more = snprintf(tail, sizeof(tail), ", #%lu", nth);
	if (len + (size_t)more < POINT_KEY_MAX) {
		(void)snprintf(ret, POINT_KEY_MAX, "%s%s", what_and_whom, tail);
		return;
	}
	char hash[HASH_TEXT];
	hash_text(what_and_whom, len, hash);
	len = POINT_KEY_MAX - 1 - (size_t)more - (sizeof("... ") - 1) - (HASH_TEXT - 1);
	/* Not through the middle of a character. */
	while (len > 0 && ((unsigned char)what_and_whom[len] & 0xc0) == 0x80)
		len--;
	(void)snprintf(ret, POINT_KEY_MAX, "%.*s... %s%s", (int)len, what_and_whom, hash, tail);
}

bool pointkey_is(const char *text)
{
	const char *nth = strrchr(text, '#');
	if (nth == NULL || nth - text < 2 || memcmp(nth - 2, ", ", 2) != 0)
		return false;
	size_t digits = span(nth + 1, strlen(nth + 1), isdigit);
	/* Of a long one the middle is cut out, and "in" with it. */
	return digits > 0 && nth[1] != '0' && nth[1 + digits] == '\0' &&
	       (strstr(text, ", in ") != NULL || strstr(text, "... ") != NULL);
}

bool pointkey_is_start(const char *key)
{
	return strncmp(key, "start ", 6) == 0;
}

/* ---- counts ---- */

struct slot {
	char *text; /* NULL: free */
	uint64_t hash;
	unsigned long count;
};

struct point_tally {
	struct slot *slots;
	size_t size, used; /* size: a power of two */
};

struct point_tally *point_tally_create(void)
{
	struct point_tally *t = mem_alloc(sizeof(*t));
	t->size = FIRST_SLOTS;
	t->slots = mem_array(t->size, sizeof(*t->slots));
	return t;
}

void point_tally_clear(struct point_tally *t)
{
	for (size_t i = 0; i < t->size; i++)
		free(t->slots[i].text);
	memset(t->slots, 0, t->size * sizeof(*t->slots));
	t->used = 0;
}

/* FNV-1a */
static uint64_t hash_of(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h;
}

static struct slot *find(struct slot *slots, size_t size, uint64_t hash, const char *text)
{
	size_t i = (size_t)hash & (size - 1);
	while (slots[i].text != NULL && (slots[i].hash != hash || strcmp(slots[i].text, text) != 0))
		i = (i + 1) & (size - 1);
	return &slots[i];
}

static void grow(struct point_tally *t)
{
	size_t size = t->size * 2;
	struct slot *slots = mem_array(size, sizeof(*slots));
	for (size_t i = 0; i < t->size; i++)
		if (t->slots[i].text != NULL)
			*find(slots, size, t->slots[i].hash, t->slots[i].text) = t->slots[i];
	free(t->slots);
	t->slots = slots;
	t->size = size;
}

unsigned long point_tally_next(struct point_tally *t, const char *text)
{
	uint64_t hash = hash_of(text);
	struct slot *s = find(t->slots, t->size, hash, text);
	if (s->text == NULL) {
		if (t->used * 2 >= t->size) {
			grow(t);
			s = find(t->slots, t->size, hash, text);
		}
		t->used++;
		*s = (struct slot){ .text = mem_strdup(text), .hash = hash };
	}
	return ++s->count;
}

void point_tally_destroy(struct point_tally *t)
{
	if (t == NULL)
		return;
	point_tally_clear(t);
	free(t->slots);
	free(t);
}
