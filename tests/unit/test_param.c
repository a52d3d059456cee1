/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/model/param.h"
#include "tests/unit/runner.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static const struct {
	const char *text;
	int64_t ns; /* -1: refused */
} durations[] = {
	{ "250ms", 250000000 },
	{ "90s", INT64_C(90000000000) },
	{ "5m", INT64_C(300000000000) },
	{ "1h", INT64_C(3600000000000) },
	{ "1.5s", 1500000000 },
	{ "0s", 0 },
	{ "7us", 7000 },
	{ "3ns", 3 },
	{ "0.25ms", 250000 },
	{ "", -1 },
	{ "5", -1 },
	{ "5 s", -1 },
	{ "-5s", -1 },
	{ "5S", -1 },
	{ ".5s", -1 },
	{ "5.s", -1 },
	{ "1.2.3s", -1 },
	{ "5sec", -1 },
	{ "9999999999h", -1 },
	{ "1e3s", -1 },
	{ "5d", -1 },
};

START_TEST(test_durations)
{
	struct err e = { 0 };
	int64_t ns = -1;
	int rc = param_parse_duration(durations[_i].text, &ns, &e);
	ck_assert_int_eq(rc, durations[_i].ns < 0 ? -1 : 0);
	ck_assert(ns == durations[_i].ns);
}
END_TEST

static const struct {
	const char *text;
	uint64_t bytes; /* UINT64_MAX: refused */
} sizes[] = {
	{ "512", 512 },
	{ "64KiB", 65536 },
	{ "1MB", 1000000 },
	{ "2GiB", UINT64_C(1) << 31 },
	{ "1.5KiB", 1536 },
	{ "3kB", 3000 },
	{ "1TiB", UINT64_C(1) << 40 },
	{ "7B", 7 },
	{ "64 KiB", UINT64_MAX },
	{ "64KB", UINT64_MAX },
	{ "64kib", UINT64_MAX },
	{ "", UINT64_MAX },
	{ "KiB", UINT64_MAX },
	{ "99999999TiB", UINT64_MAX },
};

START_TEST(test_sizes)
{
	struct err e = { 0 };
	uint64_t bytes = UINT64_MAX;
	int rc = param_parse_size(sizes[_i].text, &bytes, &e);
	ck_assert_int_eq(rc, sizes[_i].bytes == UINT64_MAX ? -1 : 0);
	ck_assert(bytes == sizes[_i].bytes);
}
END_TEST

static const struct {
	const char *text;
	uint64_t rate; /* UINT64_MAX: refused */
} rates[] = {
	{ "512KiB/s", 524288 },  { "8Mbit/s", 1000000 }, { "12bit/s", 1 },
	{ "1kbit/s", 125 },      { "2MB/s", 2000000 },   { "512KiB", UINT64_MAX },
	{ "8Mb/s", UINT64_MAX }, { "8", UINT64_MAX },
};

START_TEST(test_rates)
{
	struct err e = { 0 };
	uint64_t rate = UINT64_MAX;
	int rc = param_parse_rate(rates[_i].text, &rate, &e);
	ck_assert_int_eq(rc, rates[_i].rate == UINT64_MAX ? -1 : 0);
	ck_assert(rate == rates[_i].rate);
}
END_TEST

START_TEST(test_percent_mode_signal)
{
	struct err e = { 0 };
	double percent = 0;
	int n = 0;
	MUST(param_parse_percent("2.5%", &percent, &e));
	ck_assert(percent == 2.5);
	ck_assert_int_eq(param_parse_percent("2.5", &percent, &e), -1);
	err_clear(&e);
	MUST(param_parse_mode("0755", &n, &e));
	ck_assert_int_eq(n, 0755);
	ck_assert_int_eq(param_parse_mode("0758", &n, &e), -1);
	ck_assert_int_eq(param_parse_mode("07555", &n, &e), -1);
	err_clear(&e);
	MUST(param_parse_signal("KILL", &n, &e));
	ck_assert_int_eq(n, SIGKILL);
	MUST(param_parse_signal("SIGTERM", &n, &e));
	ck_assert_int_eq(n, SIGTERM);
	MUST(param_parse_signal("RTMIN+3", &n, &e));
	ck_assert_int_eq(n, SIGRTMIN + 3);
	ck_assert_str_eq(param_signal_name(n), "RTMIN+3");
	ck_assert_str_eq(param_signal_name(SIGKILL), "KILL");
	ck_assert_int_eq(param_parse_signal("9", &n, &e), -1);
	err_clear(&e);
	ck_assert_int_eq(param_parse_signal("SIG", &n, &e), -1);
}
END_TEST

static const struct {
	const char *text, *addr;
	int prefix; /* -1: refused */
} addresses[] = {
	{ "10.0.0.2/24", "10.0.0.2", 24 },
	{ "192.168.1.1/30", "192.168.1.1", 30 },
	{ "10.0.0.2", NULL, -1 },
	{ "10.0.0.2/", NULL, -1 },
	{ "10.0.0.2/31", NULL, -1 },
	{ "10.0.0.2/7", NULL, -1 },
	{ "10.0.0.256/24", NULL, -1 },
	{ "10.0.2/24", NULL, -1 },
	{ "10.0.0.2/2x", NULL, -1 },
	{ "fd00::2/64", "fd00::2", 64 },
	{ "10.0.0.2/024", NULL, -1 },
	{ "/24", NULL, -1 },
	{ "FD00:0::2/126", "fd00::2", 126 },
	{ "fd00::2/127", NULL, -1 },
	{ "fe80::1/64", NULL, -1 },
	{ "ff02::1/64", NULL, -1 },
	{ "::1/64", NULL, -1 },
	{ "::ffff:10.0.0.2/64", NULL, -1 },
	{ "127.0.0.1/8", NULL, -1 },
	{ "224.0.0.1/24", NULL, -1 },
	{ "fd00::2/", NULL, -1 },
	{ "fd00::2/1000", NULL, -1 },
};

START_TEST(test_addresses)
{
	struct err e = { 0 };
	struct ip a = { 0 };
	char text[IP_TEXT_MAX];
	int rc = param_parse_address(addresses[_i].text, &a, &e);
	ck_assert_int_eq(rc, addresses[_i].prefix < 0 ? -1 : 0);
	ck_assert_int_eq(a.len != 0, addresses[_i].prefix >= 0);
	if (rc == 0) {
		ck_assert_str_eq(ip_text(&a, text), addresses[_i].addr);
		ck_assert_int_eq(a.prefix, addresses[_i].prefix);
	}
}
END_TEST

START_TEST(test_texts)
{
	char b[40];
	ck_assert_str_eq(param_duration_text(250000000, b, sizeof(b)), "250ms");
	ck_assert_str_eq(param_duration_text(0, b, sizeof(b)), "0s");
	ck_assert_str_eq(param_duration_text(INT64_C(7200000000000), b, sizeof(b)), "2h");
	ck_assert_str_eq(param_duration_text(INT64_C(90000000000), b, sizeof(b)), "90s");
	ck_assert_str_eq(param_size_text(65536, b, sizeof(b)), "64KiB");
	ck_assert_str_eq(param_size_text(1000001, b, sizeof(b)), "1000001B");
}
END_TEST

/* --- decoding --- */

struct inner {
	const char *url;
	uint64_t count;
};
struct item {
	const char *key, *text;
	int mode;
};
struct all {
	const char *string, *name, *node, *path, *file;
	bool flag, given;
	uint64_t count, size, rate, flags;
	int64_t duration;
	double percent;
	int word, signal, mode;
	struct list addr;
	struct strings strings, words;
	struct inner inner;
	struct list list, map;
	struct pairs pairs;
	const struct json *raw;
};

static const char *const word_names[] = { "red", "green", "blue", NULL };
static const struct param inner_rows[] = {
	{ .name = "url",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct inner, url),
	  .required = true },
	{ .name = "count",
	  .type = PARAM_UINT,
	  .offset = offsetof(struct inner, count),
	  .def = "9" },
	{ 0 },
};
static const struct param item_rows[] = {
	{ .name = "text", .type = PARAM_STRING, .offset = offsetof(struct item, text) },
	{ .name = "mode", .type = PARAM_MODE, .offset = offsetof(struct item, mode) },
	{ 0 },
};
#define AT(f) .offset = offsetof(struct all, f)
static const struct param all_rows[] = {
	{ .name = "string", .type = PARAM_STRING, AT(string), .def = "none", .help = "a text" },
	{ .name = "name", .type = PARAM_NAME, AT(name) },
	{ .name = "node", .type = PARAM_NODE, AT(node), .linked = true },
	{ .name = "path", .type = PARAM_PATH, AT(path) },
	{ .name = "file", .type = PARAM_FILE, AT(file) },
	{ .name = "flag", .type = PARAM_BOOL, AT(flag), .def = "true" },
	{ .name = "count", .type = PARAM_UINT, AT(count), .def = "3", .min = 1, .max = 10 },
	{ .name = "size", .type = PARAM_SIZE, AT(size), .max = 1 << 20 },
	{ .name = "rate", .type = PARAM_RATE, AT(rate), .min = 10 },
	{ .name = "flags", .type = PARAM_FLAGS, AT(flags), .names = word_names, .def = "red,blue" },
	{ .name = "duration", .type = PARAM_DURATION, AT(duration), .def = "2s", .min = 1000000 },
	{ .name = "percent", .type = PARAM_PERCENT, AT(percent) },
	{ .name = "word", .type = PARAM_ENUM, AT(word), .names = word_names, .def = "green" },
	{ .name = "signal", .type = PARAM_SIGNAL, AT(signal), .def = "KILL" },
	{ .name = "mode", .type = PARAM_MODE, AT(mode) },
	{ .name = "addr", .type = PARAM_ADDRESSES, AT(addr) },
	{ .name = "strings", .type = PARAM_STRINGS, AT(strings) },
	{ .name = "words", .type = PARAM_STRINGS, AT(words), .def = "a,b" },
	{ .name = "inner",
	  .type = PARAM_OBJECT,
	  AT(inner),
	  .sub = inner_rows,
	  .shorthand = "url",
	  .given_offset = offsetof(struct all, given) },
	{ .name = "list",
	  .type = PARAM_LIST,
	  AT(list),
	  .sub = item_rows,
	  .size = sizeof(struct item) },
	{ .name = "map",
	  .type = PARAM_MAP,
	  AT(map),
	  .sub = item_rows,
	  .shorthand = "text",
	  .size = sizeof(struct item) },
	{ .name = "pairs", .type = PARAM_PAIRS, AT(pairs) },
	{ .name = "raw", .type = PARAM_RAW, AT(raw) },
	{ 0 },
};

static const char *node_names[] = { "web", "client", NULL };
static const struct strings nodes = { node_names, 2 }, linked = { node_names, 1 };
static struct pair var_items[] = { { "v", "1.0" }, { "n", "7" }, { "loop", "{{v}}" } };
static const struct pairs vars = { var_items, 3 };

struct decoded {
	struct arena *arena;
	struct json_doc *doc;
	struct all all;
	int rc;
	struct err e;
};

static struct decoded *decode(const char *text)
{
	struct decoded *d = mem_alloc(sizeof(*d));
	struct err e = { 0 };
	d->arena = arena_create();
	MUST(json_parse(&d->doc, "t", text, strlen(text), &e));
	const struct param_ctx c = { .arena = d->arena,
				     .doc = d->doc,
				     .dir = "some/dir",
				     .vars = &vars,
				     .nodes = &nodes,
				     .linked = &linked };
	d->rc = param_decode(&c, all_rows, "string", json_root(d->doc), &d->all, NULL, &d->e);
	return d;
}

static void done(struct decoded *d)
{
	json_doc_free(d->doc);
	arena_destroy(d->arena);
	free(d);
}

START_TEST(test_defaults)
{
	struct decoded *d = decode("{}");
	ck_assert_int_eq(d->rc, 0);
	ck_assert_str_eq(d->all.string, "none");
	ck_assert(d->all.flag);
	ck_assert_uint_eq(d->all.count, 3);
	ck_assert_uint_eq(d->all.flags, 5);
	ck_assert(d->all.duration == 2000000000);
	ck_assert_int_eq(d->all.word, 1);
	ck_assert_int_eq(d->all.signal, SIGKILL);
	ck_assert_int_eq(d->all.mode, -1);
	ck_assert_uint_eq(d->all.words.count, 2);
	ck_assert_str_eq(d->all.words.items[1], "b");
	ck_assert_ptr_null(d->all.words.items[2]);
	ck_assert(!d->all.given);
	ck_assert_uint_eq(d->all.inner.count, 9);
	ck_assert_ptr_null(d->all.path);
	done(d);
}
END_TEST

START_TEST(test_every_type)
{
	struct decoded *d = decode(
		"{\"name\":\"a "
		"b\",\"node\":\"web\",\"path\":\"/x/{{v}}\",\"file\":\"f.json\",\"flag\":false,"
		"\"count\":10,\"size\":\"1MiB\",\"rate\":\"80bit/"
		"s\",\"flags\":[\"green\",\"blue\",\"green\"],"
		"\"duration\":\"1ms\",\"percent\":\"100%\",\"word\":\"red\",\"signal\":\"HUP\","
		"\"mode\":\"600\",\"addr\":\"10.1.2.3/16\",\"strings\":[\"{{v}}-{{ v "
		"}}\",\"{{{{v}}\"],"
		"\"words\":\"one\",\"inner\":\"http://x/"
		"\",\"list\":[{\"text\":\"t\"},{\"mode\":\"0640\"}],"
		"\"map\":{\"k\":\"short\",\"l\":{\"mode\":\"0700\"}},\"pairs\":{\"A\":\"{{n}}\"},"
		"\"raw\":[1]}");
	const struct all *a = &d->all;
	const struct item *items = a->list.items, *map = a->map.items;
	ck_assert_msg(d->rc == 0, "%s", d->e.why);
	ck_assert_str_eq(a->name, "a b");
	ck_assert_str_eq(a->path, "/x/1.0");
	ck_assert_str_eq(a->file, "some/dir/f.json");
	ck_assert(!a->flag);
	ck_assert_uint_eq(a->count, 10);
	ck_assert_uint_eq(a->size, 1 << 20);
	ck_assert_uint_eq(a->rate, 10);
	ck_assert_uint_eq(a->flags, 6); /* not on top of the default */
	ck_assert_int_eq(a->word, 0);
	ck_assert_int_eq(a->signal, SIGHUP);
	ck_assert_int_eq(a->mode, 0600);
	ck_assert_str_eq(a->strings.items[0], "1.0-1.0");
	ck_assert_str_eq(a->strings.items[1], "{{v}}");
	ck_assert_uint_eq(a->words.count, 1);
	ck_assert(a->given);
	ck_assert_str_eq(a->inner.url, "http://x/");
	ck_assert_uint_eq(a->inner.count, 9);
	ck_assert_uint_eq(a->list.count, 2);
	ck_assert_int_eq(items[0].mode, -1);
	ck_assert_int_eq(items[1].mode, 0640);
	ck_assert_str_eq(map[0].key, "k");
	ck_assert_str_eq(map[0].text, "short");
	ck_assert_int_eq(map[1].mode, 0700);
	ck_assert_str_eq(a->pairs.items[0].value, "7");
	ck_assert_uint_eq(json_size(a->raw), 1);
	done(d);
}
END_TEST

START_TEST(test_shorthand_and_variables)
{
	struct decoded *d = decode("\"{{loop}}\"");
	ck_assert_int_eq(d->rc, 0);
	ck_assert_str_eq(d->all.string, "{{v}}"); /* a value is not looked into again */
	ck_assert_uint_eq(d->all.count, 3);
	done(d);
	d = decode("{\"count\":\"{{n}}\"}");
	ck_assert_uint_eq(d->all.count, 7);
	done(d);
}
END_TEST

static const struct {
	const char *text, *why;
} wrong[] = {
	{ "5", "t:1:1: string: this is a number; write a string" },
	{ "{\"strng\":\"\"}", "t:1:2: unknown field \"strng\"; did you mean \"string\"?" },
	{ "{\"name\":\" a\"}", "t:1:9: name: \" a\" is not a name" },
	{ "{\"name\":\"\"}", "t:1:9: name: \"\" is not a name" },
	{ "{\"name\":\"a/b\"}", "t:1:9: name: \"a/b\" is not a name" },
	{ "{\"node\":\"wbe\"}", "t:1:9: node: there is no node \"wbe\"; did you mean \"web\"?" },
	{ "{\"node\":\"client\"}",
	  "t:1:9: node: node \"client\" has no link; give it an \"address\"" },
	{ "{\"path\":\"x\"}", "t:1:9: path: \"x\" is not an absolute path" },
	{ "{\"file\":\"\"}", "t:1:9: file: an empty path" },
	{ "{\"flag\":1}", "t:1:9: flag: this is a number; write true or false" },
	{ "{\"count\":0}", "t:1:10: count: 0 is too little; write at least 1" },
	{ "{\"count\":11}", "t:1:10: count: 11 is too much; write at most 10" },
	{ "{\"count\":-1}", "t:1:10: count: -1 is not a whole number" },
	{ "{\"count\":1.5}", "t:1:10: count: 1.5 is not a whole number" },
	{ "{\"count\":\"x\"}", "t:1:10: count: \"x\" is not a whole number" },
	{ "{\"size\":\"2MiB\"}", "t:1:9: size: 2MiB is too much; write at most 1MiB" },
	{ "{\"size\":5}", "t:1:9: size: this is a number; write a size such as" },
	{ "{\"rate\":\"1B/s\"}", "t:1:9: rate: 1B/s is too little; write at least 10B/s" },
	{ "{\"flags\":[]}", "t:1:10: flags: an empty list; write a list of \"red\", \"green\" or" },
	{ "{\"flags\":[\"red\",\"bleu\"]}", "t:1:17: flags: \"bleu\" is not known here; did you" },
	{ "{\"flags\":[5]}", "t:1:11: flags: this is a number" },
	{ "{\"duration\":\"0s\"}", "t:1:13: duration: 0s is too little; write at least 1ms" },
	{ "{\"percent\":\"101%\"}", "t:1:12: percent: 101% is too much; write at most 100%" },
	{ "{\"word\":\"rde\"}", "t:1:9: word: \"rde\" is not known here; did you mean \"red\"?" },
	{ "{\"word\":\"x\"}",
	  "t:1:9: word: \"x\" is not known here; write \"red\", \"green\" or \"blue\"" },
	{ "{\"strings\":{}}", "t:1:12: strings: this is an object; write a list of strings" },
	{ "{\"strings\":[1]}", "t:1:13: strings: this is a number; write a string" },
	{ "{\"inner\":{}}", "t:1:10: \"url\" is missing; write a string" },
	{ "{\"inner\":{\"url\":\"x\",\"b\":1}}",
	  "t:1:21: unknown field \"b\"; known here: \"url\" and \"count\"" },
	{ "{\"list\":{}}", "t:1:9: list: this is an object; write a list" },
	{ "{\"list\":[\"x\"]}", "t:1:10: this is a string; write an object" },
	{ "{\"map\":[]}", "t:1:8: map: this is a list; write an object" },
	{ "{\"pairs\":{\"a\":1}}", "t:1:15: pairs: \"a\" is a number; write a string" },
	{ "{\"string\":null}", "t:1:11: string: this is null; write a string" },
	{ "\"{{x}}\"", "t:1:1: there is no variable \"x\"; add it to \"vars\"" },
	{ "\"{{v}\"", "t:1:1: \"{{\" without a variable's name and \"}}\"" },
	{ "\"{{}}\"", "t:1:1: \"{{\" without a variable's name" },
};

START_TEST(test_wrong)
{
	struct decoded *d = decode(wrong[_i].text);
	ck_assert_int_eq(d->rc, -1);
	ck_assert_msg(strncmp(d->e.why, wrong[_i].why, strlen(wrong[_i].why)) == 0, "%s", d->e.why);
	ck_assert_int_eq(d->e.exit, EXIT_BAD_SCENARIO);
	done(d);
}
END_TEST

START_TEST(test_write_help_schema)
{
	struct buf b = { 0 };
	struct err e = { 0 };
	bool first = true;
	struct decoded *d =
		decode("{\"size\":\"1KiB\",\"inner\":\"u\",\"map\":{\"k\":{\"mode\":\"0700\"}}}");
	param_write(&b, all_rows, &d->all, &first);
	ck_assert_str_eq(
		buf_str(&b),
		"\"string\":\"none\",\"flag\":true,\"count\":3,\"size_bytes\":1024,"
		"\"rate_bytes_per_s\":0,\"flags\":[\"red\",\"blue\"],\"duration_ns\":2000000000,"
		"\"percent_percent\":0,\"word\":\"green\",\"signal\":\"KILL\",\"strings\":[],"
		"\"words\":[\"a\",\"b\"],\"inner\":{\"url\":\"u\",\"count\":9},\"list\":[],"
		"\"map\":{\"k\":{\"mode\":\"0700\"}},\"pairs\":{}");
	done(d);
	buf_clear(&b);
	param_help(&b, all_rows, "  ");
	ck_assert_ptr_nonnull(strstr(b.data, "  string       text, default none: a text\n"));
	ck_assert_ptr_nonnull(strstr(b.data, "  count        count from 1 to 10, default 3: "));
	ck_assert_ptr_nonnull(strstr(b.data, "  word         red|green|blue, default green: "));
	buf_clear(&b);
	param_schema(&b, all_rows, NULL);
	struct json_doc *schema = NULL;
	MUST(json_parse(&schema, "schema", b.data, b.len, &e));
	const struct json *rows = json_get(json_root(schema), "properties");
	ck_assert_uint_eq(json_size(rows), COUNT(all_rows) - 1);
	ck_assert_str_eq(json_get_string(json_get(rows, "duration"), "default", ""), "2s");
	ck_assert_uint_eq(json_size(json_get(json_get(rows, "inner"), "anyOf")), 2);
	ck_assert(!json_get_bool(json_root(schema), "additionalProperties", true));
	json_doc_free(schema);
	buf_free(&b);
}
END_TEST

START_TEST(test_defaults_alone)
{
	struct err e = { 0 };
	struct inner in = { 0 };
	struct arena *arena = arena_create();
	const struct param_ctx c = { .arena = arena };
	ck_assert_int_eq(param_defaults(&c, inner_rows, &in, &e), -1);
	ck_assert_str_eq(e.why, "\"url\" is missing; write a string");
	ck_assert_int_eq(param_defaults(&c, inner_rows + 1, &in, &e), 0);
	ck_assert_uint_eq(in.count, 9);
	arena_destroy(arena);
}
END_TEST

Suite *suite_param(void);
Suite *suite_param(void)
{
	Suite *s = suite_create("param");
	TCase *t = tcase_create("param");
	tcase_add_loop_test(t, test_durations, 0, COUNT(durations));
	tcase_add_loop_test(t, test_sizes, 0, COUNT(sizes));
	tcase_add_loop_test(t, test_rates, 0, COUNT(rates));
	tcase_add_test(t, test_percent_mode_signal);
	tcase_add_loop_test(t, test_addresses, 0, COUNT(addresses));
	tcase_add_test(t, test_texts);
	tcase_add_test(t, test_defaults);
	tcase_add_test(t, test_every_type);
	tcase_add_test(t, test_shorthand_and_variables);
	tcase_add_loop_test(t, test_wrong, 0, COUNT(wrong));
	tcase_add_test(t, test_write_help_schema);
	tcase_add_test(t, test_defaults_alone);
	suite_add_tcase(s, t);
	return s;
}
