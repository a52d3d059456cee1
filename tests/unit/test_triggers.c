/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/model/json.h"
#include "harness/triggers/trigger.h"
#include "tests/unit/lab.h"
#include "tests/unit/runner.h"

enum { PORT = 4243, DATAGRAM = 1000, HEADERS = 42 /* of Ethernet, IPv4 and UDP */ };
static const int64_t PATIENCE = 10 * NS_PER_S;

/* The engine's side: counts strikes and keeps what the last one said. */
struct hits {
	struct lab *lab;
	unsigned count;
	bool hit;
	char detail[256], program[256];
	pid_t stopped;
	struct node *node;
	bool ran; /* /tmp/ran was there at the strike */
	unsigned notices;
};

static void on_fire(void *arg, const struct strike_site *site)
{
	struct hits *h = arg;
	h->count++;
	h->hit = true;
	(void)snprintf(h->detail, sizeof(h->detail), "%s", site->detail);
	(void)snprintf(h->program, sizeof(h->program), "%s",
		       site->program != NULL ? site->program : "");
	h->stopped = site->stopped;
	h->node = site->node;
	h->ran = h->lab != NULL && h->lab->count > 0 && lab_exists(h->lab, 0, "/tmp/ran");
}

static void on_notice(void *arg, const char *text)
{
	ck_assert_ptr_nonnull(text);
	((struct hits *)arg)->notices++;
}

static const struct trigger_kind *find(const char *name)
{
	for (size_t i = 0; trigger_kinds[i] != NULL; i++)
		if (strcmp(trigger_kinds[i]->kind.name, name) == 0)
			return trigger_kinds[i];
	ck_abort_msg("no trigger '%s'", name);
}

/* Parameters as a scenario writes them. */
struct decoded {
	struct arena *arena;
	struct json_doc *doc;
	void *params;
};

static int decode(struct decoded *d, const struct trigger_kind *k, const char *text, struct err *e)
{
	d->arena = arena_create();
	if (json_parse(&d->doc, "test", text, strlen(text), e) < 0)
		return -1;
	struct param_ctx c = { .arena = d->arena, .doc = d->doc, .dir = "/" };
	d->params = arena_alloc(d->arena, k->kind.size);
	return param_decode(&c, k->kind.params, k->kind.shorthand, json_root(d->doc), d->params,
			    NULL, e);
}

static void decoded_free(struct decoded *d)
{
	json_doc_free(d->doc);
	arena_destroy(d->arena);
}

struct armed {
	const struct trigger_kind *kind;
	struct trigger *t;
	struct decoded decoded;
	struct hits hits;
};

static void arm(struct armed *a, struct lab *lab, const char *name, const char *text)
{
	struct err e = { 0 };
	memset(a, 0, sizeof(*a));
	a->kind = find(name);
	a->hits.lab = lab;
	MUST(decode(&a->decoded, a->kind, text, &e));
	struct trigger_env env = { .loop = lab->loop,
				   .node = lab->node[0],
				   .net = lab->net,
				   .fire = on_fire,
				   .notice = on_notice,
				   .arg = &a->hits };
	MUST(a->kind->create(&a->t, &env, a->decoded.params, &e));
}

static void enter(struct armed *a)
{
	struct err e = { 0 };
	MUST(a->kind->enter(a->t, &e));
}

static void disarm(struct armed *a)
{
	a->kind->destroy(a->t);
	a->kind->destroy(NULL);
	decoded_free(&a->decoded);
}

static const struct {
	const char *name, *params;
	bool good;
} params[] = {
	{ "edge", "\"start\"", true },
	{ "edge", "{\"at\": \"end\"}", true },
	{ "edge", "{}", true },
	{ "edge", "\"middle\"", false },
	{ "elapsed", "\"250ms\"", true },
	{ "elapsed", "{}", false },
	{ "program", "\"/usr/bin/dpkg\"", true },
	{ "program", "{\"path\": \"/usr/**\", \"nth\": 3}", true },
	{ "program", "{\"path\": \"/usr/**\", \"nth\": 0}", false },
	{ "program", "\"dpkg\"", false },
	{ "program", "{\"nth\": 1}", false },
	{ "bytes", "{\"link\": \"mirror\", \"over\": \"200KiB\"}", true },
	{ "bytes", "{\"link\": \"mirror\"}", false },
	{ "bytes", "{\"over\": \"1KiB\"}", false },
	{ "bytes", "{\"link\": \"mirror\", \"over\": \"0\"}", false },
	{ "syscall", "\"rename\"", true },
	{ "syscall", "{}", true },
	{ "syscall",
	  "{\"call\": \"any\", \"path\": \"/usr/**\", \"program\": \"/bin/*\", \"nth\": 3}", true },
	{ "syscall", "\"renameat2\"", false },
	{ "syscall", "{\"call\": \"rename\", \"path\": \"usr\"}", false },
	{ "syscall", "{\"call\": \"rename\", \"nth\": 0}", false },
	{ "point", "\"mkdir /srv/a, in sh>mkdir, #1\"", true },
	{ "point", "{\"key\": \"start /bin/sh, in -, #12\"}", true },
	{ "point", "{}", false },
	{ "point", "\"mkdir /srv/a\"", false },
	{ "point", "\"mkdir /srv/a, in sh>mkdir, #\"", false },
	{ "point", "\"mkdir /srv/a, in sh>mkdir, #0\"", false },
	{ "point", "\"mkdir /srv/a, in sh>mkdir, #1 \"", false },
	{ "line", "{}", true },
	{ "line", "\"Unpacking *\"", true },
	{ "line", "{\"nth\": 0}", false },
};

START_TEST(parameters)
{
	struct err e = { 0 };
	struct decoded d = { 0 };
	const struct trigger_kind *k = find(params[_i].name);
	int rc = decode(&d, k, params[_i].params, &e);
	if (rc == 0 && k->kind.check != NULL && k->kind.check(d.params) != NULL)
		rc = -1;
	ck_assert_msg((rc == 0) == params[_i].good, "%s: %s", params[_i].params, e.why);
	decoded_free(&d);
}
END_TEST

START_TEST(each_kind_describes_itself)
{
	size_t count = 0;
	for (; trigger_kinds[count] != NULL; count++) {
		const struct trigger_kind *k = trigger_kinds[count];
		ck_assert_ptr_nonnull(k->kind.name);
		ck_assert_ptr_nonnull(k->kind.help);
		ck_assert_uint_gt(k->kind.size, 0);
		ck_assert_ptr_nonnull(k->create);
		ck_assert_ptr_nonnull(k->enter);
		ck_assert_ptr_nonnull(k->leave);
		ck_assert_ptr_nonnull(k->destroy);
		ck_assert(!k->kind.lasting);
	}
	ck_assert_uint_eq(count, 7);
	ck_assert(find("edge")->kind.exact && find("program")->kind.exact);
	ck_assert(find("syscall")->kind.exact && find("point")->kind.exact);
	ck_assert(!find("line")->kind.exact && !find("bytes")->kind.exact &&
		  !find("elapsed")->kind.exact);
}
END_TEST

static const struct {
	const char *at;
	unsigned after_enter, after_leave;
} edges[] = {
	{ "\"start\"", 1, 1 },
	{ "{}", 1, 1 },
	{ "\"end\"", 0, 1 },
};

START_TEST(edge_strikes_once_at_its_end)
{
	struct err e = { 0 };
	struct lab lab = { 0 };
	struct armed a;
	MUST(loop_create(&lab.loop, &e));
	arm(&a, &lab, "edge", edges[_i].at);
	ck_assert_uint_eq(a.hits.count, 0);
	enter(&a);
	ck_assert_uint_eq(a.hits.count, edges[_i].after_enter);
	a.kind->leave(a.t);
	ck_assert_uint_eq(a.hits.count, edges[_i].after_leave);
	enter(&a);
	a.kind->leave(a.t);
	ck_assert_uint_eq(a.hits.count, 1);
	ck_assert_str_ne(a.hits.detail, "");
	disarm(&a);
	loop_destroy(lab.loop);
}
END_TEST

START_TEST(elapsed_strikes_not_before_its_time_and_only_inside)
{
	struct err e = { 0 };
	struct lab lab = { 0 };
	struct armed a;
	MUST(loop_create(&lab.loop, &e));
	arm(&a, &lab, "elapsed", "\"60ms\"");
	enter(&a); /* a step that is too short */
	lab_run(&lab, NULL, 10 * NS_PER_MS);
	a.kind->leave(a.t);
	lab_run(&lab, NULL, 80 * NS_PER_MS);
	ck_assert_uint_eq(a.hits.count, 0);

	int64_t begin = clock_now();
	enter(&a);
	lab_run(&lab, &a.hits.hit, PATIENCE);
	ck_assert_int_ge(clock_now() - begin, 60 * NS_PER_MS);
	ck_assert_ptr_nonnull(strstr(a.hits.detail, "asked for 60 ms"));
	a.kind->leave(a.t);
	enter(&a);
	lab_run(&lab, NULL, 80 * NS_PER_MS);
	ck_assert_uint_eq(a.hits.count, 1);
	disarm(&a);
	loop_destroy(lab.loop);
}
END_TEST

/* /bin/touch is one start each; the applets of the shell are not. */
static const struct {
	const char *params, *script;
	unsigned hits;
	const char *detail; /* how it begins */
	bool ran;           /* the first touch had run at the strike */
} programs[] = {
	{ "\"/opt/touch\"", "/opt/touch /tmp/ran", 1, "start 1 of /opt/touch (pid ", false },
	{ "{\"path\":\"/opt/touch\",\"nth\":2}", "/opt/touch /tmp/ran; /opt/touch /tmp/b; :", 1,
	  "start 2 of /opt/touch (pid ", true },
	{ "{\"path\":\"/opt/*\",\"nth\":2}",
	  "/opt/touch /tmp/ran; /opt/other/touch /tmp/b; "
	  "/opt/touch /tmp/c; :",
	  1, "start 2 of /opt/touch (pid ", true },
	{ "{\"path\":\"/opt/**\",\"nth\":2}", "/opt/touch /tmp/ran; /opt/other/touch /tmp/b; :", 1,
	  "start 2 of /opt/other/touch (pid ", true },
	{ "{\"path\":\"/opt/touch\",\"nth\":3}", "/opt/touch /tmp/ran; /opt/touch /tmp/b; :", 0, "",
	  false },
	{ "\"/opt/touch\"", "cat /opt/touch > /tmp/copy; :", 0, "", false },
	{ "\"/bin/sh\"", "/opt/touch /tmp/ran", 1, "start 1 of /bin/sh (pid ", false },
};

static void install(struct lab *lab)
{
	lab_copy(lab, 0, "/bin/busybox", "/opt/touch");
	lab_copy(lab, 0, "/bin/busybox", "/opt/other/touch");
}

START_TEST(program_strikes_at_the_start_asked_for)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct armed a;
	lab_begin(&lab, 1);
	install(&lab);
	arm(&a, &lab, "program", programs[_i].params);
	ck_assert_int_eq(lab_sh(&lab, 0, "/opt/touch /tmp/early", NULL), 0);
	ck_assert_uint_eq(a.hits.count, 0);
	enter(&a);
	ck_assert_int_eq(lab_step(&lab, 0, programs[_i].script), 0);
	ck_assert_uint_eq(a.hits.count, programs[_i].hits);
	ck_assert_msg(strncmp(a.hits.detail, programs[_i].detail, strlen(programs[_i].detail)) == 0,
		      "%s", a.hits.detail);
	ck_assert(a.hits.ran == programs[_i].ran);
	if (programs[_i].hits > 0) {
		ck_assert_int_gt(a.hits.stopped, 0);
		ck_assert_ptr_eq(a.hits.node, lab.node[0]);
		ck_assert_ptr_nonnull(strstr(a.hits.detail, a.hits.program));
	}
	a.kind->leave(a.t);
	disarm(&a);
	lab_end(&lab);
}
END_TEST

START_TEST(program_counts_within_a_step)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct armed a;
	lab_begin(&lab, 1);
	install(&lab);
	arm(&a, &lab, "program", "{\"path\":\"/opt/touch\",\"nth\":2}");
	for (int step = 0; step < 3; step++) { /* one start in each, and one between */
		enter(&a);
		ck_assert_int_eq(lab_step(&lab, 0, "/opt/touch /tmp/x"), 0);
		a.kind->leave(a.t);
		ck_assert_int_eq(lab_step(&lab, 0, "/opt/touch /tmp/x"), 0);
	}
	ck_assert_uint_eq(a.hits.count, 0);
	for (int step = 0; step < 2; step++) {
		enter(&a);
		ck_assert_int_eq(lab_step(&lab, 0, "/opt/touch /a; /opt/touch /b; /opt/touch /c"),
				 0);
		a.kind->leave(a.t);
		ck_assert_uint_eq(a.hits.count, 1); /* never again */
	}
	disarm(&a);
	lab_end(&lab);
}
END_TEST

/* Probes and services run beside the step: what they start would shift the count. */
START_TEST(program_ignores_what_runs_apart)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct armed a;
	lab_begin(&lab, 1);
	install(&lab);
	arm(&a, &lab, "program", "{\"path\":\"/opt/touch\",\"nth\":1}");
	enter(&a);
	ck_assert_int_eq(lab_sh(&lab, 0, "/opt/touch /tmp/x; sh -c '/opt/touch /tmp/y; :'", NULL),
			 0);
	ck_assert_uint_eq(a.hits.count, 0);
	ck_assert_int_eq(lab_step(&lab, 0, "sh -c '/opt/touch /tmp/z; :'"), 0);
	ck_assert_uint_eq(a.hits.count, 1);
	a.kind->leave(a.t);
	disarm(&a);
	lab_end(&lab);
}
END_TEST

/* So many datagrams from one node to the other; the counter moves by whole frames. */
static void chatter(struct lab *lab, size_t from, unsigned frames)
{
	struct err e = { 0 };
	static const char data[DATAGRAM];
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(PORT),
				  .sin_addr = { lab_addr(lab->link[1 - from]) } };
	GUARD(fd) int fd = network_socket(node_netns_fd(lab->node[from]), AF_INET, SOCK_DGRAM, &e);
	ck_assert_msg(fd >= 0, "%s", e.why);
	for (unsigned i = 0; i < frames; i++)
		ck_assert_int_eq(
			sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&to, sizeof(to)),
			(ssize_t)sizeof(data));
}

static int listen_at(struct lab *lab, size_t node)
{
	struct err e = { 0 };
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(PORT),
				  .sin_addr = { lab_addr(lab->link[node]) } };
	int fd = network_socket(node_netns_fd(lab->node[node]), AF_INET, SOCK_DGRAM, &e);
	ck_assert_msg(fd >= 0, "%s", e.why);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

START_TEST(bytes_strikes_when_they_are_sent)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct armed a;
	char exactly[64];
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	GUARD(fd) int listener = listen_at(&lab, 1); /* else it answers with ICMP, which counts */
	ck_assert_int_ge(listener, 0);
	GUARD(mem)
	char *text = mem_printf("{\"link\":\"n1\",\"over\":\"%d\"}", 10 * (DATAGRAM + HEADERS));
	arm(&a, &lab, "bytes", text);
	chatter(&lab, 1, 50); /* before the step: does not count */
	enter(&a);
	chatter(&lab, 0, 50); /* the other node's: do not count */
	chatter(&lab, 1, 9);
	lab_run(&lab, NULL, 30 * NS_PER_MS);
	ck_assert_uint_eq(a.hits.count, 0);
	chatter(&lab, 1, 1);
	lab_run(&lab, &a.hits.hit, PATIENCE);
	(void)snprintf(exactly, sizeof(exactly), "had sent %d bytes", 10 * (DATAGRAM + HEADERS));
	ck_assert_msg(strstr(a.hits.detail, exactly) != NULL, "%s", a.hits.detail);
	chatter(&lab, 1, 50);
	lab_run(&lab, NULL, 20 * NS_PER_MS);
	a.kind->leave(a.t);
	enter(&a);
	chatter(&lab, 1, 50);
	lab_run(&lab, NULL, 20 * NS_PER_MS);
	ck_assert_uint_eq(a.hits.count, 1);
	ck_assert_uint_eq(a.hits.notices, 0);
	a.kind->leave(a.t);
	disarm(&a);
	lab_end(&lab);
}
END_TEST

START_TEST(bytes_stops_with_its_step)
{
	TEST_NEEDS_ROOT();
	struct lab lab;
	struct armed a;
	lab_begin(&lab, 2);
	lab_links(&lab, 0);
	arm(&a, &lab, "bytes", "{\"link\":\"n0\",\"over\":\"2KiB\"}");
	enter(&a);
	chatter(&lab, 0, 1);
	lab_run(&lab, NULL, 20 * NS_PER_MS);
	a.kind->leave(a.t);
	chatter(&lab, 0, 50);
	lab_run(&lab, NULL, 20 * NS_PER_MS);
	enter(&a); /* counts anew */
	chatter(&lab, 0, 1);
	lab_run(&lab, NULL, 20 * NS_PER_MS);
	ck_assert_uint_eq(a.hits.count, 0);
	a.kind->leave(a.t);
	disarm(&a);
	lab_end(&lab);
}
END_TEST

START_TEST(bytes_needs_a_link)
{
	struct err e = { 0 };
	struct decoded d = { 0 };
	struct trigger *t;
	struct trigger_env env = { .fire = on_fire, .notice = on_notice };
	const struct trigger_kind *k = find("bytes");
	MUST(decode(&d, k, "{\"link\":\"web\",\"over\":\"2KiB\"}", &e));
	ck_assert_int_lt(k->create(&t, &env, d.params, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.why, "web"));
	ck_assert_int_eq(e.exit, EXIT_BAD_SCENARIO);
	decoded_free(&d);
}
END_TEST

Suite *suite_triggers(void);
Suite *suite_triggers(void)
{
	Suite *s = suite_create("triggers");
	TCase *t = tcase_create("triggers");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, parameters, 0, sizeof(params) / sizeof(params[0]));
	tcase_add_test(t, each_kind_describes_itself);
	tcase_add_loop_test(t, edge_strikes_once_at_its_end, 0, sizeof(edges) / sizeof(edges[0]));
	tcase_add_test(t, elapsed_strikes_not_before_its_time_and_only_inside);
	tcase_add_loop_test(t, program_strikes_at_the_start_asked_for, 0,
			    sizeof(programs) / sizeof(programs[0]));
	tcase_add_test(t, program_counts_within_a_step);
	tcase_add_test(t, program_ignores_what_runs_apart);
	tcase_add_test(t, bytes_strikes_when_they_are_sent);
	tcase_add_test(t, bytes_stops_with_its_step);
	tcase_add_test(t, bytes_needs_a_link);
	suite_add_tcase(s, t);
	return s;
}
