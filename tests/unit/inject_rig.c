/* SPDX-License-Identifier: MIT */
#include "tests/unit/inject_rig.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/runner.h"

const struct injector *rig_injector(const char *name)
{
	for (size_t i = 0; injectors[i] != NULL; i++) {
		if (strcmp(injectors[i]->kind.name, name) == 0)
			return injectors[i];
	}
	ck_abort_msg("no injector %s", name);
}

const void *rig_decode(struct decoded *d, const struct injector *k, const char *params)
{
	struct err e = { 0 };
	d->arena = arena_create();
	void *out = arena_alloc(d->arena, k->kind.size);
	MUST(json_parse(&d->doc, "params", params, strlen(params), &e));
	struct param_ctx c = { .arena = d->arena, .doc = d->doc, .dir = "." };
	MUST(param_decode(&c, k->kind.params, k->kind.shorthand, json_root(d->doc), out, NULL, &e));
	return out;
}

void decoded_free(struct decoded *d)
{
	json_doc_free(d->doc);
	arena_destroy(d->arena);
}

static struct node *find_node(void *arg, const char *name)
{
	struct rig *rig = arg;
	for (size_t i = 0; i < rig->lab->count; i++) {
		if (strcmp(node_name(rig->lab->node[i]), name) == 0)
			return rig->lab->node[i];
	}
	return NULL;
}

static void felt(void *arg, const char *evidence)
{
	struct rig *rig = arg;
	rig->felt = true;
	(void)snprintf(rig->evidence, sizeof(rig->evidence), "%s", evidence);
}

static void notice(void *arg, const char *text)
{
	struct rig *rig = arg;
	(void)snprintf(rig->noticed, sizeof(rig->noticed), "%s", text);
}

static bool step_running(void *arg)
{
	struct rig *rig = arg;
	return rig->step_runs;
}

static unsigned troubles(void *arg)
{
	const struct rig *rig = arg;
	return rig->troubles;
}

static void down(void *arg, struct node *n, const char *why)
{
	struct rig *rig = arg;
	struct err e = { 0 };
	ck_assert(!node_alive(n));
	ck_assert_str_ne(why, "");
	rig->downs++;
	MUST(network_node_down(rig->lab->net, node_name(n), &e));
}

static int boot(void *arg, struct node *n, struct err *e)
{
	struct rig *rig = arg;
	rig->boots++;
	if (node_boot(n, e) < 0)
		return -1;
	return network_node_up(rig->lab->net, node_name(n), node_netns_fd(n), e);
}

int rig_create(struct rig *rig, struct lab *lab, const char *kind, const char *params,
	       struct err *e)
{
	*rig = (struct rig){ .lab = lab, .injector = rig_injector(kind) };
	for (size_t i = 0; i < lab->count; i++)
		rig->nodes[i] = lab->node[i];
	struct inject_env env = {
		.troubles = troubles,
		.down = down,
		.boot = boot,
		.loop = lab->loop,
		.net = lab->net,
		.find_node = find_node,
		.nodes = rig->nodes,
		.node_count = lab->count,
		.work_dir = owner_work_dir(lab->owner),
		.felt = felt,
		.notice = notice,
		.step_running = step_running,
		.arg = rig,
	};
	const void *p = rig_decode(&rig->decoded, rig->injector, params);
	return rig->injector->create(&rig->injection, &env, p, e);
}

void rig_begin(struct rig *rig, struct lab *lab, const char *kind, const char *params)
{
	struct err e = { 0 };
	MUST(rig_create(rig, lab, kind, params, &e));
}

void rig_strike(struct rig *rig, const struct strike_target *t)
{
	struct err e = { 0 };
	rig->struck = true;
	MUST(rig->injector->strike(rig->injection, t, rig->detail, &e));
	ck_assert_str_ne(rig->detail, "");
}

void rig_undo(struct rig *rig)
{
	struct err e = { 0 };
	rig->detail[0] = '\0';
	MUST(rig->injector->undo(rig->injection, &e));
	MUST(rig->injector->verify(rig->injection, rig->detail, &e));
	ck_assert_str_ne(rig->detail, "");
}

void rig_end(struct rig *rig)
{
	rig->injector->destroy(rig->injection);
	rig->injector->destroy(NULL);
	decoded_free(&rig->decoded);
}
