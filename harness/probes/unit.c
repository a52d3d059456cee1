/* SPDX-License-Identifier: MIT */
/* Probe unit: a unit of the node's own systemd is in a state, as its systemctl tells it. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/base/mem.h"
#include "harness/probes/command.h"

enum { VALUE_MAX = 64 }; /* bytes of one property that are shown */

static const char *const states[] = { "active", "inactive", "failed", NULL };

struct unit_params {
	const char *unit;
	int state; /* of states[] */
};

static const struct param unit_params[] = {
	{ .name = "unit",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct unit_params, unit),
	  .required = true,
	  .help = "its name, as \"nginx.service\"; the node's \"init\" is \"systemd\"" },
	{ 0 },
};

static const struct param unit_expect[] = {
	{ .name = "state",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct unit_params, state),
	  .names = states,
	  .def = "active",
	  .help = "its active state; one that reloads is active" },
	{ 0 },
};

struct probe_call {
	struct command command;
	char *unit;
	int state;
};

/* Of the line "NAME=VALUE"; "" when there is none. */
static const char *property(const char *text, const char *name, char ret[VALUE_MAX])
{
	size_t len = strlen(name);
	ret[0] = '\0';
	for (const char *line = text; *line != '\0'; line += *line == '\n') {
		if (strncmp(line, name, len) == 0 && line[len] == '=')
			return asking_first_line(line + len + 1, ret, VALUE_MAX);
		line += strcspn(line, "\n");
	}
	return ret;
}

static void unit_judge(void *call, int status)
{
	struct probe_call *c = call;
	struct asking *a = &c->command.asking;
	const char *text = buf_str(&c->command.out.text);
	char line[COMMAND_LINE_MAX], load[VALUE_MAX], active[VALUE_MAX], sub[VALUE_MAX];
	char result[VALUE_MAX], code[VALUE_MAX];
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		asking_answer(a, false, "systemctl does not tell: %s",
			      command_first_line(&c->command, line));
		return;
	}
	(void)property(text, "LoadState", load);
	(void)property(text, "ActiveState", active);
	(void)property(text, "SubState", sub);
	const char *counts_as = strcmp(active, "reloading") == 0 ? "active" : active;
	bool ok = strcmp(counts_as, states[c->state]) == 0 && strcmp(load, "not-found") != 0;
	if (strcmp(load, "loaded") != 0)
		asking_answer(a, ok, "%.100s is %s: its file is %s", c->unit, active, load);
	else if (ok || strcmp(active, "failed") != 0)
		asking_answer(a, ok, "%.100s is %s (%s)", c->unit, active, sub);
	else
		asking_answer(a, ok, "%.100s is %s: %s, its main process ended with %s", c->unit,
			      active, property(text, "Result", result),
			      property(text, "ExecMainStatus", code));
}

static void unit_end(struct probe_call *c)
{
	if (c == NULL)
		return;
	command_end(&c->command);
	free(c->unit);
	free(c);
}

static int unit_start(struct probe_call **ret, const struct probe_env *env, const void *params,
		      int64_t timeout_ns, probe_done_fn done, void *arg, struct err *e)
{
	static const char wanted[] =
		"--property=LoadState,ActiveState,SubState,Result,ExecMainStatus";
	const struct unit_params *p = params;
	const char *const argv[] = { "systemctl", "show", wanted, "--", p->unit, NULL };
	struct probe_call *c = mem_alloc(sizeof(*c));
	command_init(&c->command, env, c, unit_judge);
	c->command.asking.timeout_ns = timeout_ns;
	c->command.asking.done = done;
	c->command.asking.arg = arg;
	c->unit = mem_strdup(p->unit);
	c->state = p->state;
	if (command_start(&c->command, argv, e) < 0) {
		unit_end(c);
		return -1;
	}
	*ret = c;
	return 0;
}

const struct probe_kind probe_unit = {
	.kind = { .name = "unit",
		  .help = "a unit of the node's systemd is active",
		  .params = unit_params,
		  .shorthand = "unit",
		  .size = sizeof(struct unit_params),
		  .expect = unit_expect,
		  .exact = true,
		  .of_systemd = true },
	.start = unit_start,
	.end = unit_end,
};
