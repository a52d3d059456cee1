/* SPDX-License-Identifier: MIT */
#include "harness/model/state.h"

#include <string.h>

#include "harness/base/mutate.h"

/* What apt and dpkg leave different by nature although the packages are back: the union of the
 * paths that were measured to differ over runs of a good plan, each as narrow as it can be. Not
 * here on purpose: dpkg's status, updates/, info/ and tmp.ci/, apt's extended_states, debconf's
 * config.dat, anything named .dpkg-*: a difference there is residue. */
static const struct mask_row debian_apt_rows[] = {
	{ "/var/lib/dpkg/status-old", COMPARE_META,
	  "dpkg's copy of its status file before the last write; status itself is compared" },
	{ "/var/cache/debconf/templates.dat-old", COMPARE_META,
	  "debconf's copy of its database before the last write; the database is compared" },
	{ "/var/cache/apt/pkgcache.bin", COMPARE_NOTHING,
	  "apt's index, made again from lists and status" },
	{ "/var/cache/apt/srcpkgcache.bin", COMPARE_NOTHING,
	  "apt's index, made again from lists and status" },
	{ "/var/cache/apt/archives/*.deb", COMPARE_NOTHING, "packages that apt fetched" },
	{ "/var/cache/apt/archives/partial/*", COMPARE_NOTHING,
	  "downloads that were cut or refused; apt resumes or replaces them" },
	{ "/var/lib/apt/lists/*_*", COMPARE_NOTHING, "package lists that apt fetched" },
	{ "/var/lib/apt/lists/auxfiles", COMPARE_NOTHING,
	  "an empty folder that the first update makes" },
	{ "/var/log/apt/eipp.log.xz", COMPARE_NOTHING, "log, made at its first use" },
	{ "/var/log/apt/history.log", COMPARE_NOTHING, "log, made at its first use" },
	{ "/var/log/apt/term.log", COMPARE_NOTHING, "log, made at its first use" },
	{ "/var/log/dpkg.log", COMPARE_NOTHING, "log, made at its first use" },
};

static const struct mask debian_apt = {
	.name = "debian-apt",
	.help = "what apt and dpkg leave different by nature: fetched lists and packages, old "
		"copies of databases, logs",
	.rows = debian_apt_rows,
	.row_count = sizeof(debian_apt_rows) / sizeof(debian_apt_rows[0]),
};

/* What a node's own systemd leaves different by nature although its units are back. Not here on
 * purpose: unit files, wants, what generators made; which units have run (an invocation that came
 * or went); its services' processes and sockets. */
static const struct mask_row systemd_rows[] = {
	{ "/run/systemd/units/invocation:*", COMPARE_META,
	  "the drawn number of a unit's last start; whether it was started is compared" },
	{ "/run/systemd/journal/streams/*", COMPARE_NOTHING,
	  "one for each service that writes to the journal, named by its socket's number" },
	{ "/run/log/journal/*/*.journal", COMPARE_NOTHING, "the journal, in memory" },
	{ "/var/log/journal/*/*.journal", COMPARE_NOTHING, "the journal" },
	{ "/var/log/journal/*/*.journal~", COMPARE_NOTHING,
	  "the journal, as it was when its host died" },
	{ "/run/utmp", COMPARE_META, "when it was booted" },
	{ "/var/log/wtmp", COMPARE_META, "log of its boots" },
	{ "/tmp/systemd-private-*", COMPARE_NOTHING,
	  "a unit's own /tmp, by a drawn name; what is in it is compared" },
	{ "/tmp/systemd-private-*/tmp", COMPARE_NOTHING, "likewise" },
	{ "/var/tmp/systemd-private-*", COMPARE_NOTHING,
	  "a unit's own /var/tmp, by a drawn name; what is in it is compared" },
	{ "/var/tmp/systemd-private-*/tmp", COMPARE_NOTHING, "likewise" },
};

static const struct mask systemd = {
	.name = "systemd",
	.help = "what a booted systemd leaves different by nature: its journal, records of boots, "
		"numbers and names drawn for each start of a unit",
	.rows = systemd_rows,
	.row_count = sizeof(systemd_rows) / sizeof(systemd_rows[0]),
};

const struct mask *const state_masks[] = { &debian_apt, &systemd, NULL };

const struct mask *state_mask_find(const char *name)
{
	for (const struct mask *const *m = state_masks; *m != NULL; m++)
		if (strcmp((*m)->name, name) == 0)
			return *m;
	return NULL;
}

static bool is_content(const char *attr)
{
	static const char *const names[] = { "size", "xxh3", "target", "nlink", "links", "pid" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], attr) == 0)
			return true;
	return false;
}

static bool covers(enum ignore_compare compare, const struct change *c)
{
	if (compare == COMPARE_NOTHING)
		return true;
	if (c->what != CHANGE_CHANGED)
		return false;
	if (compare == COMPARE_EXISTENCE)
		return true;
	for (size_t i = 0; i < c->attr_count; i++)
		if (!is_content(c->attrs[i].name))
			return false;
	return true;
}

static bool hide(struct change *c, const char *pattern, enum ignore_compare compare, const char *by,
		 const char *why)
{
	if (!covers(compare, c) || !state_path_match(pattern, c->key))
		return false;
	c->hidden_by = by;
	c->hidden_why = why;
	return true;
}

static void mask_one(const struct state_plan *plan, struct change *c)
{
	if (c->kind != STATE_FILE)
		return;
	const struct ignore_plan *ignore = plan->ignore.items;
	for (size_t i = 0; i < plan->ignore.count; i++)
		if (hide(c, ignore[i].path, (enum ignore_compare)ignore[i].compare, ignore[i].path,
			 ignore[i].why))
			return;
	for (size_t i = 0; i < plan->masks.count; i++) {
		const struct mask *m = state_mask_find(plan->masks.items[i]);
		for (size_t k = 0; m != NULL && k < m->row_count; k++)
			if (hide(c, m->rows[k].path, m->rows[k].compare, m->name, m->rows[k].why))
				return;
	}
}

size_t state_mask(const struct state_plan *plan, struct changes *changes)
{
	size_t visible = 0;
	for (size_t i = 0; i < changes->count; i++) {
		struct change *c = &changes->items[i];
		if (MUTANT(mask_all)) {
			c->hidden_by = "mask_all";
			c->hidden_why = "mutant";
			continue;
		}
		if (c->hidden_by == NULL)
			mask_one(plan, c);
		visible += c->hidden_by == NULL;
	}
	return visible;
}

static bool names_attr(const struct change *c, const char *attr)
{
	for (size_t i = 0; i < c->attr_count; i++)
		if (strcmp(c->attrs[i].name, attr) == 0)
			return true;
	return false;
}

/* Where the controls differ in whether the entry exists at all, anything may be. */
static bool within(const struct change *noise, const struct change *c)
{
	if (noise->what != CHANGE_CHANGED)
		return true;
	if (c->what != CHANGE_CHANGED)
		return false;
	for (size_t i = 0; i < c->attr_count; i++)
		if (!names_attr(noise, c->attrs[i].name))
			return false;
	return true;
}

static bool same_entry(const struct change *a, const struct change *b)
{
	return state_order(a->kind, a->key, b->kind, b->key) == 0 && strcmp(a->node, b->node) == 0;
}

size_t state_mask_noise(const struct changes *noise, struct changes *changes)
{
	size_t visible = 0, from = 0;
	for (size_t i = 0; i < changes->count; i++) {
		struct change *c = &changes->items[i];
		/* Same order on both sides: nothing before the last match can match again. */
		size_t k = from;
		while (k < noise->count && !same_entry(&noise->items[k], c))
			k++;
		if (k < noise->count) {
			from = k + 1;
			if (c->hidden_by == NULL && within(&noise->items[k], c)) {
				c->hidden_by = "noise";
				c->hidden_why = "the two controls differ here as well";
			}
		}
		visible += c->hidden_by == NULL;
	}
	return visible;
}
