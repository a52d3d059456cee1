/* SPDX-License-Identifier: MIT */
/*
 * Parameters are data: a row names a field, its type, unit, range, default and help. One
 * decoder, one schema and one help text are made from the rows.
 *
 *	struct link_down { const char *node; };
 *	static const struct param link_down_params[] = {
 *		{ .name = "node", .type = PARAM_NODE, .offset = offsetof(struct link_down, node),
 *		  .required = true, .help = "whose link to cut" },
 *		{ 0 }
 *	};
 */
#ifndef BACKOUT_MODEL_PARAM_H
#define BACKOUT_MODEL_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/mem.h"
#include "harness/model/ip.h"
#include "harness/model/json.h"

/* type: the C type of the field, how it is written in a scenario */
enum param_type {
	PARAM_END,
	PARAM_STRING, /* const char *: any text */
	PARAM_NAME,   /* const char *: 1 to 64 of [a-z A-Z 0-9 . _ -] and spaces inside */
	PARAM_NODE,   /* const char *: the name of a node of this scenario (checked by the plan) */
	PARAM_PATH,   /* const char *: absolute path or pattern inside a node */
	PARAM_FILE,   /* const char *: path on this host, relative to the scenario's file */
	PARAM_BOOL,   /* bool */
	PARAM_UINT,   /* uint64_t */
	PARAM_DURATION,  /* int64_t nanoseconds: "250ms" "90s" "5m" "1h" */
	PARAM_SIZE,      /* uint64_t bytes: "512" "64KiB" "1MB" "2GiB" */
	PARAM_RATE,      /* uint64_t bytes per second: "512KiB/s" or "8Mbit/s" */
	PARAM_PERCENT,   /* double 0..100: "2.5%" */
	PARAM_ENUM,      /* int: index into .names */
	PARAM_FLAGS,     /* uint64_t: bit mask over .names, written as a list of words */
	PARAM_SIGNAL,    /* int: "KILL", "SIGTERM" */
	PARAM_ADDRESSES, /* struct list of struct ip: "10.0.0.2/24", or a list of such */
	PARAM_STRINGS, /* struct strings: a list of strings (one string counts as a list of one) */
	PARAM_OBJECT,  /* the sub-struct in place: .sub (its fields' offsets count from .offset) */
	PARAM_LIST,    /* struct list of .size-byte items, each decoded by .sub */
	PARAM_MAP, /* the same, from an object; each item's `const char *` at offset 0 is its key */
	PARAM_PAIRS, /* struct pairs: an object of string values */
	PARAM_RAW,   /* const struct json *: decoded later by its owner */
	PARAM_MODE,  /* int: "0755"; -1 when it is not given */
};

struct strings {
	const char **items; /* NULL-terminated as well, fit for execve */
	size_t count;
};

struct list {
	void *items;
	size_t count;
};

struct pair {
	const char *key, *value;
};

struct pairs {
	struct pair *items;
	size_t count;
};

struct param {
	const char *name;
	enum param_type type;
	size_t offset;
	const char *help;
	/* Default as it would be written (FLAGS, STRINGS: with commas between); NULL: stays zero.
	 */
	const char *def;
	bool required;
	/* UINT, DURATION, SIZE, RATE; max 0: no limit. PERCENT: max 0 stands for 100. */
	uint64_t min, max;
	const char *const *names; /* ENUM, FLAGS: NULL-terminated */
	const struct param *sub;  /* OBJECT, LIST, MAP */
	size_t size;              /* LIST, MAP: bytes per item */
	/* OBJECT, and items of LIST and MAP: a scalar (or a list) in place of the object sets this
	 * field of it ("http": "http://web/" for {"url": ...}); NULL: an object is needed. */
	const char *shorthand;
	/* OBJECT: a bool field (offset) that says whether the object was given; 0: none. */
	size_t given_offset;
	bool linked;        /* NODE: it must have an address (its link is used) */
	bool is_switch;     /* NAME: on which switch the link of the `linked` node is meant */
	bool on_disk;       /* NODE: it must have a disk of its own */
	const char *schema; /* RAW: its JSON Schema as text; NULL: anything */
};

/* {{name}} -> value. Names resolve in `vars`; unknown ones are errors; "{{{{" gives "{{". */
struct param_ctx {
	struct arena *arena;         /* everything decoded lives here */
	const struct json_doc *doc;  /* the document that the values come from: outlives the result,
					unless `copies` */
	bool copies;                 /* the document ends first: its texts go into the arena */
	const char *dir;             /* PARAM_FILE is relative to this */
	const struct pairs *vars;    /* NULL: text is taken as it stands */
	const struct strings *nodes; /* PARAM_NODE must be one of these; NULL: not checked */
	const struct strings *linked;  /* those with an address; NULL: not checked */
	const struct strings *on_disk; /* those with a disk of their own; NULL: not checked */
	/* Told each PARAM_FILE and what it resolved to. May be NULL. */
	void (*file_seen)(void *arg, const struct json *value, const char *path);
	void *file_arg;
};

/* Fill `out` (zeroed by the caller, at least as large as the rows say) from an object, or from
 * a scalar when `shorthand` names a row. Unknown fields, wrong types, ranges and missing fields
 * are errors with file, line, column and what to write instead. Defaults are applied.
 * `skip` (may be NULL, NULL-terminated) names keys that somebody else decodes. */
int param_decode(const struct param_ctx *c, const struct param *rows, const char *shorthand,
		 const struct json *value, void *out, const char *const *skip, struct err *e);
/* Only the defaults, for a kind given without parameters. A row that is required is an error
 * (without a position). */
int param_defaults(const struct param_ctx *c, const struct param *rows, void *out, struct err *e);
/* One value by its row. NULL: the default, whether required or not. */
int param_decode_row(const struct param_ctx *c, const struct param *row, const struct json *value,
		     void *out, struct err *e);
/* An error for the first key of `object` that neither `rows` nor `others` (may be NULL) name. */
int param_check_keys(const struct param_ctx *c, const struct param *rows, const struct json *object,
		     const char *const *others, struct err *e);
/* The text of a string with its variables put in; lives in the arena or the document. RAW rows
 * point into the document even with `copies`. */
int param_text(const struct param_ctx *c, const struct json *value, const char **ret,
	       struct err *e);
/* How a value of this row is written: "a duration such as \"250ms\", \"90s\" or \"5m\"". */
const char *param_phrase(const struct param_ctx *c, const struct param *row);

/* The single-value parsers, for the command line too. `what` names the value in the error. */
int param_parse_duration(const char *text, int64_t *ret_ns, struct err *e);
int param_parse_size(const char *text, uint64_t *ret_bytes, struct err *e);
int param_parse_rate(const char *text, uint64_t *ret_bytes_per_s, struct err *e);
int param_parse_percent(const char *text, double *ret, struct err *e);
int param_parse_signal(const char *text, int *ret, struct err *e);
int param_parse_address(const char *text, struct ip *ret, struct err *e);
int param_parse_mode(const char *text, int *ret, struct err *e);
const char *param_signal_name(int signo); /* "KILL"; "RTMIN+3" */
/* "250ms", "90s": the largest unit that divides it. */
const char *param_duration_text(int64_t ns, char *buf, size_t size);
const char *param_size_text(uint64_t bytes, char *buf, size_t size);

struct buf;
/* {"type":"object","additionalProperties":false,"properties":{...}} for these rows. */
void param_schema(struct buf *out, const struct param *rows, const char *shorthand);
/* Only what stands inside "properties", without the braces; nothing for no rows. */
void param_schema_properties(struct buf *out, const struct param *rows);
void param_schema_row(struct buf *out, const struct param *row);
/* The decoded values as members of a JSON object, without the braces: "every_ns":200000000,
 * "memory_bytes":..., "rate_bytes_per_s":... A comma goes in front of all but the first when
 * `*first` is true at the start; strings that are not set, and RAW, are left out. */
void param_write(struct buf *out, const struct param *rows, const void *values, bool *first);
/* One line a row: name, type with unit and range, default, help. */
void param_help(struct buf *out, const struct param *rows, const char *indent);

#endif
