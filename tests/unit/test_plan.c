/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/model/plan.h"
#include "tests/unit/fake_catalog.h"
#include "tests/unit/runner.h"

/* The path stays valid for a few more calls. */
static const char *put(const char *dir, const char *name, const char *text)
{
	static char paths[8][600];
	static unsigned next;
	struct err e = { 0 };
	char *path = paths[next++ % 8];
	(void)snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	MUST(io_write_file(AT_FDCWD, path, text, strlen(text), 0644, &e));
	return path;
}

static struct plan_doc *load(const char *path, const struct plan_options *options)
{
	struct err e = { 0 };
	struct plan_doc *d = NULL;
	MUST(plan_load(&d, path, &fake_catalog, options, &e));
	return d;
}

static struct plan_doc *load_text(const char *dir, const char *text)
{
	return load(put(dir, "scenario.json", text), NULL);
}

static void refuse(const char *path, const struct plan_options *options, int exit, const char *why)
{
	struct err e = { 0 };
	struct plan_doc *d = NULL;
	ck_assert_int_eq(plan_load(&d, path, &fake_catalog, options, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.why, why));
	ck_assert_int_eq(e.exit, exit);
	ck_assert_ptr_null(d);
}

/* --- scenarios that are taken --- */

#define ROOT "\"root\": { \"debian\": \"bookworm\", \"include\": [\"sed={{old}}\"] }"
#define TAIL                                                                                       \
	"\"patch\": [ { \"on\": \"web\", \"run\": \"up {{new}}\" },"                               \
	" { \"name\": \"check\", \"on\": \"web\", \"exec\": [\"check\", \"{{new}}\"], "            \
	"\"timeout\": \"5s\","                                                                     \
	" \"may_fail\": true, \"env\": { \"A\": \"{{old}}\" }, \"user\": \"www\", \"cwd\": "       \
	"\"/srv\" } ],"                                                                            \
	"\"rollback\": \"back\", \"rollbacks\": {"                                                 \
	" \"forth\": { \"to\": \"patched\", \"steps\": [ { \"on\": \"web\", \"run\": \"forth\" } " \
	"] },"                                                                                     \
	" \"back\": [ { \"name\": \"undo\", \"on\": \"web\", \"run\": \"down\" },"                 \
	" { \"name\": \"last\", \"on\": \"web\", \"run\": \"last\" } ] }"
#define VARS "\"vars\": { \"old\": \"1.0\", \"new\": { \"from\": \"v.json\", \"key\": \"x.new\" } }"
#define NODES                                                                                      \
	"\"nodes\": { \"client\": { \"like\": \"web\", \"address\": \"10.0.0.3/24\","              \
	" \"services\": {}, \"limits\": { \"cpu\": \"150%\" } },"                                  \
	" \"web\": { " ROOT ", \"address\": \"10.0.0.2/24\", \"rate\": \"8Mbit/s\","               \
	" \"limits\": { \"memory\": \"64MiB\", \"pids\": 100 },"                                   \
	" \"files\": { \"/srv/z\": \"v.json\", \"/etc/a\": { \"text\": \"new {{new}}\", "          \
	"\"mode\": \"0600\" } },"                                                                  \
	" \"setup\": [\"true\", \"echo {{old}}\"],"                                                \
	" \"services\": { \"http\": { \"run\": \"serve\", \"ready\": { \"tcp\": \"web:80\", "      \
	"\"every\": \"10ms\" } },"                                                                 \
	" \"log\": { \"exec\": [\"logd\", \"-f\"], \"user\": \"log\", \"timeout\": \"3s\" } } } }"
#define FAULTS                                                                                     \
	"\"faults\": ["                                                                            \
	" { \"name\": \"Killed. in step\", \"inject\": { \"process.kill\": { \"target\": "         \
	"\"program\","                                                                             \
	" \"program\": \"/usr/bin/x\", \"signal\": \"TERM\" } },"                                  \
	" \"at\": { \"step\": \"check\", \"program\": { \"path\": \"/usr/bin/y\", \"nth\": 2 } } " \
	"},"                                                                                       \
	" { \"name\": \"killed in step\", \"inject\": { \"link.down\": \"web\" }, \"at\": { "      \
	"\"step\": \"last\" },"                                                                    \
	" \"expect\": \"stuck\" },"                                                                \
	" { \"name\": \"cut\", \"inject\": { \"link.down\": { \"node\": \"web\" } }, \"until\": "  \
	"\"1500ms\" },"                                                                            \
	" { \"name\": \"cut late\", \"inject\": { \"link.down\": \"web\" }, \"until\": "           \
	"\"step_end\","                                                                            \
	" \"at\": { \"elapsed\": \"20ms\" }, \"expect\": [\"late\", \"restored\"] } ]"

static const char whole[] =
	"{ \"$schema\": \"x\", \"title\": \"All of it\", " VARS ","
	"\"window\": { \"target\": \"30s\", \"give_up\": \"2m\" }, \"defaults\": { \"timeout\": "
	"\"9s\" }," NODES ", \"steady_state\": ["
	" { \"name\": \"serves\", \"from\": \"client\", \"http\": \"http://web/\", \"expect\": { "
	"\"status\": 204 },"
	" \"every\": \"50ms\", \"timeout\": \"500ms\", \"tolerate\": { \"failures\": 3, \"for\": "
	"\"2s\" } },"
	" { \"on\": \"web\", \"run\": \"audit\", \"expect\": { \"stdout\": \"\" }, \"when\": "
	"[\"before\", \"after\"] } ],"
	"\"goal\": [ { \"on\": \"web\", \"run\": \"check {{new}}\" } ],"
	"\"state\": { \"on\": \"web\", \"masks\": [\"debian-apt\"],"
	" \"ignore\": [ { \"path\": \"/var/log/**\", \"why\": \"logs\", \"compare\": \"existence\" "
	"} ],"
	" \"also\": [ { \"name\": \"dump\", \"on\": \"client\", \"run\": \"dump\" } ] }," TAIL
	", \"rollback_when\": [\"step_failed\"], " FAULTS " }";
static const char vars_file[] = "{ \"x\": { \"new\": \"2.0\" } }";

static const char *whole_dir(void)
{
	const char *dir = test_dir();
	(void)put(dir, "v.json", vars_file);
	return dir;
}

static const struct link_plan *only_link(const struct node_plan *n)
{
	ck_assert_uint_eq(n->links.count, 1);
	const struct link_plan *l = n->links.items;
	ck_assert_str_eq(l->on, "lan");
	ck_assert_uint_eq(l->addresses.count, 1);
	return l;
}

static const char *only_address(const struct node_plan *n)
{
	static char text[IP_TEXT_MAX];
	return ip_prefix_text(only_link(n)->addresses.items, text);
}

START_TEST(test_nodes)
{
	struct plan_doc *d = load_text(whole_dir(), whole);
	const struct plan *p = plan_get(d);
	ck_assert_uint_eq(p->node_count, 2);
	const struct node_plan *client = &p->nodes[0], *web = plan_node(p, "web");
	ck_assert_str_eq(client->name, "client"); /* the file's order */
	ck_assert_ptr_null(plan_node(p, "we"));
	ck_assert_int_eq(web->root.kind, ROOT_DEBIAN);
	ck_assert_str_eq(web->root.include.items[0], "sed=1.0");
	ck_assert_str_eq(only_address(web), "10.0.0.2/24");
	ck_assert_uint_eq(only_link(web)->rate, 1000000);
	ck_assert_uint_eq(web->limits.memory, 64 << 20);
	ck_assert_uint_eq(web->limits.pids, 100);
	/* like: fields that it gives are its own, whole; all others are the other's */
	ck_assert_str_eq(only_address(client), "10.0.0.3/24");
	ck_assert_uint_eq(only_link(client)->rate, 1000000);
	ck_assert_uint_eq(client->limits.memory, 0);
	ck_assert(client->limits.cpu == 150.0);
	ck_assert_uint_eq(client->services.count, 0);
	ck_assert_uint_eq(client->files.count, 2);
	ck_assert_str_eq(client->setup.items[1], "echo 1.0");
	const struct file_plan *files = web->files.items;
	ck_assert_str_eq(files[0].dest, "/etc/a"); /* sorted */
	ck_assert_str_eq(files[0].text, "new 2.0");
	ck_assert_int_eq(files[0].mode, 0600);
	ck_assert_int_eq(files[1].mode, -1);
	ck_assert_int_eq(access(files[1].from, R_OK), 0);
	const struct service_plan *s = web->services.items;
	ck_assert_uint_eq(web->services.count, 2);
	ck_assert_str_eq(s[0].name, "http");
	ck_assert_str_eq(s[0].run, "serve");
	ck_assert_uint_eq(s[0].exec.count, 0);
	ck_assert(s[0].timeout == 9 * NS_PER_S);
	ck_assert_str_eq(s[0].ready->node, "web");
	ck_assert(s[0].ready->every == 10 * NS_PER_MS);
	ck_assert_str_eq(((const struct fake_tcp *)s[0].ready->params)->address, "web:80");
	ck_assert_ptr_null(s[1].ready);
	ck_assert_str_eq(s[1].exec.items[1], "-f");
	ck_assert_str_eq(s[1].user, "log");
	ck_assert(s[1].timeout == 3 * NS_PER_S);
	plan_free(d);
}
END_TEST

START_TEST(test_probes_and_state)
{
	struct plan_doc *d = load_text(whole_dir(), whole);
	const struct plan *p = plan_get(d);
	ck_assert_uint_eq(p->steady_count, 2);
	const struct probe_plan *serves = &p->steady[0], *audit = &p->steady[1];
	ck_assert_str_eq(serves->node, "client");
	ck_assert_str_eq(serves->kind->name, "http");
	ck_assert_uint_eq(((const struct fake_http *)serves->params)->status, 204);
	ck_assert(serves->every == 50 * NS_PER_MS);
	ck_assert(serves->timeout == 500 * NS_PER_MS);
	ck_assert_uint_eq(serves->tolerate_failures, 3);
	ck_assert(serves->tolerate_for == 2 * NS_PER_S);
	ck_assert_uint_eq(serves->when, 7);
	ck_assert_str_eq(audit->name, "run audit");
	ck_assert_str_eq(((const struct fake_run *)audit->params)->stdout_text, "");
	ck_assert_uint_eq(audit->when, 1 << PROBE_BEFORE | 1 << PROBE_AFTER);
	ck_assert(audit->every == 200 * NS_PER_MS);
	ck_assert(audit->timeout == 2 * NS_PER_S);
	ck_assert_uint_eq(p->goal_count, 1);
	ck_assert_str_eq(p->goal[0].name, "run check 2.0");
	ck_assert_ptr_null(((const struct fake_run *)p->goal[0].params)->stdout_text);
	ck_assert_uint_eq(p->state.nodes.count, 1);
	ck_assert_str_eq(p->state.nodes.items[0], "web");
	const struct ignore_plan *ignore = p->state.ignore.items;
	ck_assert_str_eq(ignore->why, "logs");
	ck_assert_int_eq(ignore->compare, COMPARE_EXISTENCE);
	ck_assert_str_eq(((const struct also_plan *)p->state.also.items)->node, "client");
	plan_free(d);
}
END_TEST

START_TEST(test_steps_and_window)
{
	struct plan_doc *d = load_text(whole_dir(), whole);
	const struct plan *p = plan_get(d);
	ck_assert_str_eq(p->title, "All of it");
	ck_assert(p->window.target == 30 * NS_PER_S);
	ck_assert(p->window.recovery == 30 * NS_PER_S); /* the target */
	ck_assert(p->window.settle == NS_PER_S);
	ck_assert(p->window.give_up == 120 * NS_PER_S);
	ck_assert_uint_eq(p->patch_count, 2);
	ck_assert_str_eq(p->patch[0].name, "step 1");
	ck_assert_str_eq(p->patch[0].run, "up 2.0");
	ck_assert(p->patch[0].timeout == 9 * NS_PER_S);
	ck_assert(!p->patch[0].may_fail);
	ck_assert_str_eq(p->patch[1].exec.items[1], "2.0");
	ck_assert_ptr_null(p->patch[1].exec.items[2]);
	ck_assert(p->patch[1].timeout == 5 * NS_PER_S);
	ck_assert(p->patch[1].may_fail);
	ck_assert_str_eq(p->patch[1].env.items[0].value, "1.0");
	ck_assert_str_eq(p->patch[1].cwd, "/srv");
	ck_assert_uint_eq(p->rollback_count, 2);
	ck_assert_uint_eq(p->rollback, 1);
	ck_assert_uint_eq(p->rollbacks[1].step_count, 2);
	ck_assert_int_eq(p->rollbacks[0].to, TO_PATCHED);
	ck_assert_uint_eq(p->rollbacks[0].step_count, 1);
	ck_assert_int_eq(p->rollbacks[1].to, TO_BEFORE);
	ck_assert(!plan_goes_forward(p));
	ck_assert_uint_eq(p->rollback_when, 1 << WHEN_STEP_FAILED);
	plan_free(d);
}
END_TEST

START_TEST(test_faults)
{
	struct plan_doc *d = load_text(whole_dir(), whole);
	const struct plan *p = plan_get(d);
	const struct fault_plan *f = p->faults;
	ck_assert_uint_eq(p->fault_count, 4);
	const struct fake_kill *kill = f[0].inject;
	ck_assert_int_eq(kill->target, 2);
	ck_assert_int_eq(kill->signal, SIGTERM);
	ck_assert_str_eq(f[0].slug, "killed-in-step");
	ck_assert_str_eq(f[1].slug, "killed-in-step-2");
	ck_assert_int_eq(f[0].step, 1);
	ck_assert(!f[0].in_rollback);
	ck_assert_uint_eq(((const struct fake_program *)f[0].at)->nth, 2);
	ck_assert_int_eq(f[0].until, UNTIL_ROLLBACK);
	ck_assert_uint_eq(f[0].expect, OUTCOME_BIT(OUTCOME_RESTORED) |
					       OUTCOME_BIT(OUTCOME_HARMLESS) |
					       OUTCOME_BIT(OUTCOME_TOLERATED));
	ck_assert(f[1].in_rollback);
	ck_assert_int_eq(f[1].step, 1);
	ck_assert_str_eq(f[1].trigger->name, "edge");
	ck_assert_int_eq(((const struct fake_edge *)f[1].at)->at, 0);
	ck_assert_int_eq(f[1].until, UNTIL_ROLLBACK_END); /* rollback's begin has passed */
	ck_assert_uint_eq(f[1].expect, OUTCOME_BIT(OUTCOME_STUCK));
	ck_assert_str_eq(((const struct fake_node *)f[1].inject)->node, "web");
	ck_assert_str_eq(f[2].trigger->name, "edge"); /* no `at`: as the patch starts */
	ck_assert_int_eq(f[2].step, 0);
	ck_assert_int_eq(f[2].until, UNTIL_DURATION);
	ck_assert(f[2].until_ns == 1500 * NS_PER_MS);
	ck_assert_int_eq(f[3].step, PLAN_ANY_STEP);
	ck_assert(((const struct fake_elapsed *)f[3].at)->after == 20 * NS_PER_MS);
	ck_assert_int_eq(f[3].until, UNTIL_STEP_END);
	ck_assert_uint_eq(f[3].expect, OUTCOME_BIT(OUTCOME_LATE) | OUTCOME_BIT(OUTCOME_RESTORED));
	plan_free(d);
}
END_TEST

START_TEST(test_defaults)
{
	struct plan_doc *d =
		load_text(test_dir(),
			  "{ \"nodes\": { \"a\": { \"root\": { \"debian\": \"sid\" } } },"
			  " \"patch\": [ { \"on\": \"a\", \"run\": \"x\" } ], \"rollback\": \"r\","
			  " \"rollbacks\": { \"r\": [ { \"on\": \"a\", \"run\": \"y\" } ] } }");
	const struct plan *p = plan_get(d);
	ck_assert(p->window.target == 60 * NS_PER_S);
	ck_assert(p->window.give_up == 60 * NS_PER_S);
	ck_assert(p->patch[0].timeout == 60 * NS_PER_S);
	ck_assert_uint_eq(p->rollback_when, 7);
	ck_assert_uint_eq(p->state.nodes.count, 1); /* every node */
	ck_assert_uint_eq(p->fault_count, 0);
	ck_assert_str_eq(p->title, p->slug);
	ck_assert_uint_eq(p->nodes[0].links.count, 0);
	plan_free(d);
}
END_TEST

START_TEST(test_options)
{
	struct pair items[] = { { "new", "3.0" } };
	const struct pairs vars = { items, 1 };
	struct plan_options o = { .rollback = "nowhere", .vars = &vars };
	const char *path = put(whole_dir(), "scenario.json", whole);
	refuse(path, &o, EXIT_USAGE_ERROR,
	       "has no rollback \"nowhere\"; write \"forth\" or \"back\"");
	o.rollback = NULL;
	struct plan_doc *d = load(path, &o);
	ck_assert_str_eq(plan_get(d)->patch[0].run, "up 3.0");
	plan_free(d);
	items[0].key = "nwe";
	refuse(path, &o, EXIT_USAGE_ERROR, "has no such variable; did you mean \"new\"?");
	o.vars = NULL;
	/* A fault that strikes inside the other rollback is left out; the others stay. */
	d = load(path, &o);
	size_t all = plan_get(d)->fault_count;
	plan_free(d);
	o.rollback = "forth";
	d = load(path, &o);
	ck_assert_uint_eq(plan_get(d)->fault_count, all - 1);
	for (size_t i = 0; i < plan_get(d)->fault_count; i++)
		ck_assert(!plan_get(d)->faults[i].in_rollback);
	plan_free(d);
}
END_TEST

START_TEST(test_include)
{
	char sub[600];
	const char *dir = whole_dir();
	struct err e = { 0 };
	(void)put(dir, "scenario.json", whole);
	(void)snprintf(sub, sizeof(sub), "%s/sub", dir);
	MUST(io_mkdirs(sub, 0755, &e));
	const char *path = put(sub, "other.json",
			       "{ \"include\": \"../scenario.json\","
			       " \"title\": \"Other\", \"faults\": [] }");
	struct plan_doc *d = load(path, NULL);
	const struct plan *p = plan_get(d);
	ck_assert_str_eq(p->title, "Other");
	ck_assert_uint_eq(p->fault_count, 0);
	ck_assert_str_eq(p->slug, "other");
	/* Paths count from the file in which they are written. */
	const struct file_plan *files = plan_node(p, "web")->files.items;
	ck_assert_int_eq(access(files[1].from, R_OK), 0);
	char digest[33];
	memcpy(digest, p->digest, sizeof(digest));
	plan_free(d);
	/* Every text that was read counts in the digest. */
	(void)put(dir, "v.json", "{ \"x\": { \"new\": \"2.0\" } } ");
	d = load(path, NULL);
	ck_assert_uint_eq(strlen(plan_get(d)->digest), 32);
	ck_assert_str_ne(plan_get(d)->digest, digest);
	(void)put(dir, "v.json", vars_file);
	plan_free(d);
	d = load(path, NULL);
	ck_assert_str_eq(plan_get(d)->digest, digest);
	plan_free(d);
	char *longer = mem_printf("%s\n", whole);
	(void)put(dir, "scenario.json", longer);
	free(longer);
	d = load(path, NULL);
	ck_assert_str_ne(plan_get(d)->digest, digest);
	plan_free(d);
}
END_TEST

/* The lines of plan.json but the first, which names the file. */
static char *plan_lines(const struct plan_doc *d)
{
	struct buf b = { 0 };
	plan_to_json(plan_get(d), &b);
	char *rest = mem_strdup(strchr(b.data, '\n'));
	buf_free(&b);
	return rest;
}

START_TEST(test_effective_is_the_same_plan)
{
	struct buf b = { 0 };
	char copy[600];
	const char *dir = whole_dir();
	struct err e = { 0 };
	(void)put(dir, "base.json", whole);
	struct plan_doc *d = load(
		put(dir, "scenario.json", "{ \"include\": \"base.json\", \"title\": \"Other\" }"),
		NULL);
	plan_effective(d, &b);
	(void)snprintf(copy, sizeof(copy), "%s/20261123T120000-nginx-upgrade-4f2a", dir);
	MUST(io_mkdirs(copy, 0755, &e));
	const char *archived = put(copy, "scenario.json", buf_str(&b));
	struct plan_doc *again = load(archived, NULL);
	ck_assert_str_eq(plan_get(again)->title, "Other");
	const struct file_plan *f = plan_node(plan_get(again), "web")->files.items;
	ck_assert_int_eq(f[1].from[0], '/');
	plan_free(again);
	/* Without the sources only a run's copy may be read. */
	MUST(io_remove_tree(AT_FDCWD, put(dir, "v.json", ""), &e));
	refuse(archived, NULL, EXIT_BAD_SCENARIO, "there is no file");
	again = load(archived, &(struct plan_options){ .archived = true });
	ck_assert_str_eq(plan_get(again)->slug, "nginx-upgrade");
	char *before = plan_lines(d), *after = plan_lines(again);
	/* Sources have become absolute; everything else is equal. */
	ck_assert_str_eq(strstr(before, "\"setup\""), strstr(after, "\"setup\""));
	free(before);
	free(after);
	plan_free(again);
	plan_free(d);
	buf_free(&b);
}
END_TEST

START_TEST(test_plan_json)
{
	struct buf b = { 0 };
	struct err e = { 0 };
	struct json_doc *doc = NULL;
	struct plan_doc *d = load_text(whole_dir(), whole);
	plan_to_json(plan_get(d), &b);
	MUST(json_parse(&doc, "plan.json", b.data, b.len, &e));
	const struct json *r = json_root(doc);
	ck_assert_int_eq(json_get_int(json_get(r, "window"), "recovery_ns", 0), 30 * NS_PER_S);
	const struct json *web = json_get(json_get(r, "nodes"), "web");
	ck_assert_int_eq(json_get_int(json_get(web, "limits"), "memory_bytes", 0), 64 << 20);
	const struct json *lan = json_get(json_get(web, "links"), "lan");
	ck_assert_str_eq(json_get_string(lan, "address", ""), "10.0.0.2/24");
	const struct json *probe = json_first(json_get(r, "steady_state"));
	ck_assert_int_eq(json_get_int(json_get(probe, "expect"), "status", 0), 204);
	const struct json *fault = json_first(json_get(r, "faults"));
	const struct json *kill = json_get(json_get(fault, "inject"), "process.kill");
	ck_assert_str_eq(json_get_string(kill, "signal", ""), "TERM");
	ck_assert_str_eq(json_get_string(fault, "step", ""), "check");
	ck_assert_str_eq(json_get_string(r, "digest", ""), plan_get(d)->digest);
	json_doc_free(doc);
	plan_free(d);
	buf_free(&b);
}
END_TEST

/* --- refusals whose text depends on the catalog, or whose file would be large --- */

static void refuse_text(const char *format, const char *part, const char *why)
{
	char *text = mem_printf(
		"{ \"nodes\": { \"a\": { \"root\": { \"debian\": \"sid\" } } }, %s%s%s }", format,
		part,
		" \"rollback\": \"r\", \"rollbacks\": { \"r\": [ { \"on\": \"a\", \"run\": \"y\" } "
		"] }");
	refuse(put(test_dir(), "scenario.json", text), NULL, EXIT_BAD_SCENARIO, why);
	free(text);
}

START_TEST(test_kinds_are_listed)
{
	refuse_text("\"patch\": [ { \"on\": \"a\", \"run\": \"x\" } ],",
		    "\"faults\": [ { \"name\": \"f\", \"inject\": {} } ],",
		    "inject: empty; write \"link.down\", \"node.power\", \"package.corrupt\", "
		    "\"package.script\" or "
		    "\"process.kill\"");
	refuse_text("\"patch\": [ { \"on\": \"a\", \"run\": \"x\" } ],",
		    "\"goal\": [ { \"name\": \"p\", \"on\": \"a\" } ],",
		    "a probe without a question; write \"http\", \"run\" or \"tcp\"");
}
END_TEST

START_TEST(test_limits)
{
	struct buf b = { 0 };
	buf_puts(&b, "\"patch\": [");
	for (int i = 0; i < PLAN_STEPS_MAX + 1; i++)
		buf_printf(&b, "%s{ \"on\": \"a\", \"run\": \"x\" }", i > 0 ? "," : "");
	buf_puts(&b, "],");
	refuse_text(b.data, "", "patch: 257 of them; at most 256 are allowed");
	buf_clear(&b);
	buf_puts(&b, "\"steady_state\": [");
	for (int i = 0; i < PLAN_PROBES_MAX + 1; i++)
		buf_printf(&b, "%s{ \"name\": \"p%d\", \"on\": \"a\", \"run\": \"x\" }",
			   i > 0 ? "," : "", i);
	buf_puts(&b, "],");
	refuse_text(b.data, "", "steady_state: 65 of them; at most 64 are allowed");
	buf_free(&b);
}
END_TEST

Suite *suite_plan(void);
Suite *suite_plan(void)
{
	Suite *s = suite_create("plan");
	TCase *t = tcase_create("plan");
	tcase_add_test(t, test_nodes);
	tcase_add_test(t, test_probes_and_state);
	tcase_add_test(t, test_steps_and_window);
	tcase_add_test(t, test_faults);
	tcase_add_test(t, test_defaults);
	tcase_add_test(t, test_options);
	tcase_add_test(t, test_include);
	tcase_add_test(t, test_effective_is_the_same_plan);
	tcase_add_test(t, test_plan_json);
	tcase_add_test(t, test_kinds_are_listed);
	tcase_add_test(t, test_limits);
	suite_add_tcase(s, t);
	return s;
}
