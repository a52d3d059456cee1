/* SPDX-License-Identifier: MIT */
#include "harness/cli/options.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/model/json.h"

enum { OPTION_ROWS_MAX = 32, OPTION_NAME_MAX = 64 };

static void print_help(const struct command *c, const struct option_row *rows)
{
	(void)printf("backout %s: %s\n\nUsage: backout %s %s\n\nOptions:\n", c->name, c->help,
		     c->name, c->usage);
	for (; rows->type != OPTION_END; rows++) {
		char left[80];
		const char letter[] = { '-', rows->letter, ',', ' ', '\0' };
		(void)snprintf(left, sizeof(left), "%s--%s%s%s", rows->letter != 0 ? letter : "",
			       rows->name, rows->arg != NULL ? " " : "",
			       rows->arg != NULL ? rows->arg : "");
		(void)printf("  %-24s  %s\n", left, rows->help);
	}
	(void)printf("  %-24s  %s\n", "--help", "this text");
}

static const struct option_row *find(const struct option_row *rows, const char *name)
{
	for (; rows->type != OPTION_END; rows++)
		if (strcmp(rows->name, name) == 0)
			return rows;
	return NULL;
}

/* "-o" */
static const struct option_row *find_letter(const struct option_row *rows, const char *word)
{
	for (; rows->type != OPTION_END; rows++)
		if (rows->letter != 0 && word[0] == '-' && word[1] == rows->letter &&
		    word[2] == '\0')
			return rows;
	return NULL;
}

static int unknown(const struct command *c, const struct option_row *rows, const char *name,
		   struct err *e)
{
	const char *names[OPTION_ROWS_MAX + 1];
	size_t count = 0;
	names[count++] = "help";
	for (; rows->type != OPTION_END; rows++) {
		assert(count <= OPTION_ROWS_MAX);
		names[count++] = rows->name;
	}
	const char *near = json_nearest(name, names, count);
	if (near != NULL)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "%s: unknown option --%s; did you mean --%s?",
			      c->name, name, near);
	return ERR_AS(e, EXIT_USAGE_ERROR, 0, "%s: unknown option --%s; see `backout %s --help`",
		      c->name, name, c->name);
}

static int set_pair(const struct command *c, const struct option_row *row, const char *text,
		    struct err *e)
{
	struct pairs *pairs = row->value;
	const char *equals = strchr(text, '=');
	if (equals == NULL || equals == text)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "%s: --%s '%s': write %s", c->name, row->name,
			      text, row->arg);
	pairs->items = mem_grow(pairs->items, pairs->count + 1, sizeof(*pairs->items));
	char *name = mem_strdup(text);
	name[equals - text] = '\0';
	pairs->items[pairs->count++] =
		(struct pair){ .key = name, .value = name + (equals - text) + 1 };
	return 0;
}

static int set(const struct command *c, const struct option_row *row, const char *text,
	       struct err *e)
{
	switch (row->type) {
	case OPTION_FLAG:
		*(bool *)row->value = true;
		return 0;
	case OPTION_TEXT:
		if (text[0] == '\0')
			return ERR_AS(e, EXIT_USAGE_ERROR, 0, "%s: --%s is empty", c->name,
				      row->name);
		*(const char **)row->value = text;
		return 0;
	case OPTION_PAIRS:
		return set_pair(c, row, text, e);
	case OPTION_END:
		break;
	}
	assert(!"every option type is handled");
	return -1;
}

/* One option at argv[i]; returns how many words it took, 0 for --help. */
static int take(const struct command *c, const struct option_row *rows, int left, char **argv,
		struct err *e)
{
	char name[OPTION_NAME_MAX];
	const char *text = strchr(argv[0], '=');
	size_t len = text != NULL ? (size_t)(text - argv[0]) : strlen(argv[0]);
	bool dashes = strncmp(argv[0], "--", 2) == 0;
	const struct option_row *row = find_letter(rows, argv[0]);
	if (row == NULL && !dashes && strcmp(argv[0], "-h") != 0)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "%s: unknown option %s; options are written --name", c->name,
			      argv[0]);
	(void)snprintf(name, sizeof(name), "%.*s", (int)(len - 2), argv[0] + 2);
	if (row == NULL && (!dashes || strcmp(name, "help") == 0))
		return 0;
	if (row == NULL)
		row = find(rows, name);
	if (row == NULL)
		return unknown(c, rows, name, e);
	if (row->type == OPTION_FLAG) {
		if (text != NULL)
			return ERR_AS(e, EXIT_USAGE_ERROR, 0, "%s: --%s takes no value", c->name,
				      row->name);
		return set(c, row, "", e) < 0 ? -1 : 1;
	}
	if (text != NULL)
		return set(c, row, text + 1, e) < 0 ? -1 : 1;
	if (left < 2)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "%s: --%s needs %s", c->name, row->name,
			      row->arg);
	return set(c, row, argv[1], e) < 0 ? -1 : 2;
}

enum options_result options_parse(const struct command *c, const struct option_row *rows, int argc,
				  char **argv, struct arguments *args, struct err *e)
{
	bool options = true;
	memset(args, 0, sizeof(*args));
	args->items = mem_array((size_t)argc + 1, sizeof(*args->items));
	for (int i = 1; i < argc;) {
		if (!options || argv[i][0] != '-' || argv[i][1] == '\0') {
			args->items[args->count++] = argv[i++];
			continue;
		}
		if (strcmp(argv[i], "--") == 0) {
			options = false;
			i++;
			continue;
		}
		int used = take(c, rows, argc - i, argv + i, e);
		if (used <= 0) {
			options_free(args);
			if (used < 0)
				return OPTIONS_ERROR;
			print_help(c, rows);
			return OPTIONS_HELPED;
		}
		i += used;
	}
	return OPTIONS_RUN;
}

int options_need(const struct command *c, const struct arguments *args, size_t min, size_t max,
		 struct err *e)
{
	if (args->count < min)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "%s: something is missing; usage: backout %s %s", c->name, c->name,
			      c->usage);
	if (max == 0 && args->count > 0)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0, "%s: takes no arguments, '%s' is one",
			      c->name, args->items[0]);
	if (args->count > max)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "%s: '%s' is one too many; usage: backout %s %s", c->name,
			      args->items[max], c->name, c->usage);
	return 0;
}

int options_count(const struct command *c, const char *option, const char *text, uint64_t max,
		  uint64_t *ret, struct err *e)
{
	size_t len = strlen(text);
	uint64_t n = 0;
	bool good = len > 0 && len <= 18 && strspn(text, "0123456789") == len;
	for (size_t i = 0; good && i < len; i++)
		n = n * 10 + (uint64_t)(text[i] - '0');
	if (!good || n < 1 || n > max)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "%s: --%s '%s' is no whole number from 1 to %llu", c->name, option,
			      text, (unsigned long long)max);
	*ret = n;
	return 0;
}

void options_free(struct arguments *args)
{
	free(args->items);
	memset(args, 0, sizeof(*args));
}

void options_free_pairs(struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++)
		free((char *)pairs->items[i].key); /* the value is its tail */
	free(pairs->items);
	memset(pairs, 0, sizeof(*pairs));
}
