/* SPDX-License-Identifier: MIT */
#include "harness/engine/record_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "harness/base/guard.h"
#include "harness/base/hash.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/model/state_delta.h"

enum { JOURNAL_FILE_MAX = 64 << 20 }; /* bytes */

struct record_file {
	struct record record;
	struct journal *journal;
	struct record_state *states;
	struct state_text *texts; /* mapped files, one a node and phase */
	size_t text_count;
};

static struct record_state *state_of(struct record_file *r, const char *node)
{
	for (size_t i = 0; i < r->record.state_count; i++)
		if (strcmp(r->states[i].node, node) == 0)
			return &r->states[i];
	size_t n = r->record.state_count++;
	r->states = mem_grow(r->states, n + 1, sizeof(*r->states));
	memset(&r->states[n], 0, sizeof(r->states[n]));
	r->states[n].node = node;
	r->record.states = r->states;
	return &r->states[n];
}

static int phase_of(const char *name)
{
	for (int i = 0; i < PHASE_COUNT; i++)
		if (strcmp(state_phase_names[i], name) == 0)
			return i;
	return -1;
}

/* Mapped, not read: a process forked later does not carry it along. */
static int map_file(const char *path, struct state_text *ret, struct err *e)
{
	struct stat st;
	GUARD(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return ERR(e, errno, "open '%s'", path);
	if (st.st_size == 0) {
		*ret = (struct state_text){ "", 0 };
		return 0;
	}
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return ERR(e, errno, "map '%s'", path);
	*ret = (struct state_text){ p, (size_t)st.st_size };
	return 0;
}

/* In a mapping of its own, as a whole file is. */
static int map_text(const struct buf *text, struct state_text *ret, struct err *e)
{
	if (text->len == 0) {
		*ret = (struct state_text){ "", 0 };
		return 0;
	}
	void *p = mmap(NULL, text->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return ERR(e, errno, "memory for a fingerprint");
	memcpy(p, text->data, text->len);
	*ret = (struct state_text){ p, text->len };
	return 0;
}

static void unmap(struct state_text t)
{
	if (t.len > 0)
		(void)munmap((void *)t.data, t.len);
}

static int expand(struct state_text delta, struct state_text base, const char *digest,
		  struct state_text *ret, struct err *e)
{
	GUARD_BUF struct buf whole = { 0 };
	char found[HASH_TEXT];
	hash_text(base.data, base.len, found);
	if (strcmp(found, digest) != 0 || state_is_delta(base))
		return ERR(e, 0, "what it is told from is not what it was told from");
	return state_delta_expand(base, delta, &whole, e) < 0 ? -1 : map_text(&whole, ret, e);
}

/* A text that is a difference becomes the whole one. */
static int make_whole(const char *dir, struct state_text *text, struct err *e)
{
	char digest[HASH_TEXT];
	GUARD(mem) char *file = NULL;
	struct state_text base, whole;
	if (!state_is_delta(*text))
		return 0;
	if (state_delta_base(*text, &file, digest, e) < 0)
		return -1;
	GUARD(mem) char *path = mem_printf("%s/%s", dir, file);
	if (file[0] == '/')
		return ERR(e, 0, "it is told from the absolute path '%s'", file);
	if (map_file(path, &base, e) < 0)
		return -1;
	int result = expand(*text, base, digest, &whole, e);
	unmap(base);
	if (result < 0)
		return -1;
	unmap(*text);
	*text = whole;
	return 0;
}

static int read_state(struct record_file *r, const char *dir, const struct event *ev, struct err *e)
{
	const char *node = json_get_string(ev->fields, "node", "");
	const char *file = json_get_string(ev->fields, "file", "");
	const char *digest = json_get_string(ev->fields, "digest", "");
	int phase = phase_of(json_get_string(ev->fields, "phase", ""));
	if (phase < 0 || strchr(file, '/') != NULL)
		return ERR(e, 0, "%s: a fingerprint's event is malformed", dir);
	GUARD(mem) char *path = mem_printf("%s/%s", dir, file);
	struct state_text text;
	char found[HASH_TEXT];
	if (map_file(path, &text, e) < 0)
		return -1;
	if (make_whole(dir, &text, e) < 0) {
		unmap(text);
		return err_prefix(e, "%s", path);
	}
	r->texts = mem_grow(r->texts, r->text_count + 1, sizeof(*r->texts));
	r->texts[r->text_count++] = text;
	hash_text(text.data, text.len, found);
	if (strcmp(found, digest) != 0)
		return ERR(e, 0, "%s is not the fingerprint that the journal names", path);
	state_of(r, node)->phase[phase] = text;
	return 0;
}

int record_open(struct record_file **ret, const char *dir, struct err *e)
{
	GUARD_BUF struct buf text = { 0 };
	GUARD(mem) char *path = mem_printf("%s/journal.jsonl", dir);
	if (io_read_file(AT_FDCWD, path, JOURNAL_FILE_MAX, &text, e) < 0)
		return -1;
	struct record_file *r = mem_alloc(sizeof(*r));
	if (journal_parse(&r->journal, path, buf_str(&text), text.len, e) < 0)
		goto fail;
	r->record.journal = r->journal;
	const struct event *ev = journal_find(r->journal, EVENT_STATE_CAPTURED, 0);
	while (ev != NULL) {
		if (read_state(r, dir, ev, e) < 0)
			goto fail;
		ev = journal_find(r->journal, EVENT_STATE_CAPTURED,
				  journal_index(r->journal, ev) + 1);
	}
	*ret = r;
	return 0;
fail:
	record_close(r);
	return -1;
}

void record_drop_states(struct record_file *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->text_count; i++)
		unmap(r->texts[i]);
	free(r->texts);
	free(r->states);
	r->texts = NULL;
	r->text_count = 0;
	r->states = NULL;
	r->record.states = NULL;
	r->record.state_count = 0;
}

void record_close(struct record_file *r)
{
	if (r == NULL)
		return;
	record_drop_states(r);
	journal_free(r->journal);
	free(r);
}

const struct record *record_get(const struct record_file *r)
{
	return r != NULL ? &r->record : NULL;
}
