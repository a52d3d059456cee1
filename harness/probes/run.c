/* SPDX-License-Identifier: MIT */
/* Probe run: a shell command in a node, judged by its exit code and its output. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/base/mem.h"
#include "harness/probes/command.h"

struct run_params {
	const char *run;
	uint64_t exit;
	const char *stdout_text; /* NULL: any */
};

static const struct param run_params[] = {
	{ .name = "run",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct run_params, run),
	  .required = true,
	  .help = "shell command, run by sh -ec" },
	{ 0 },
};

static const struct param run_expect[] = {
	{ .name = "exit",
	  .type = PARAM_UINT,
	  .offset = offsetof(struct run_params, exit),
	  .def = "0",
	  .max = 255,
	  .help = "its exit code" },
	{ .name = "stdout",
	  .type = PARAM_STRING,
	  .offset = offsetof(struct run_params, stdout_text),
	  .help = "all that it prints, without the last line end; \"\" means nothing at all" },
	{ 0 },
};

struct probe_call {
	struct command command;
	uint64_t want_exit;
	char *want_stdout; /* NULL: any */
};

static bool same_output(const struct command_pipe *out, const char *want)
{
	const char *text = buf_str(&out->text);
	size_t len = out->text.len, want_len = strlen(want);
	if (len > 0 && text[len - 1] == '\n')
		len--;
	return len == want_len && memcmp(text, want, len) == 0;
}

static void run_judge(void *call, int status)
{
	struct probe_call *c = call;
	struct asking *a = &c->command.asking;
	const struct command_pipe *out = &c->command.out;
	char line[COMMAND_LINE_MAX];
	(void)command_first_line(&c->command, line);
	const char *sep = line[0] != '\0' ? ": " : "";
	if (WIFSIGNALED(status))
		asking_answer(a, false, "killed by SIG%s%s%s", param_signal_name(WTERMSIG(status)),
			      sep, line);
	else if ((uint64_t)WEXITSTATUS(status) != c->want_exit)
		asking_answer(a, false, "exit %d, want %llu%s%s", WEXITSTATUS(status),
			      (unsigned long long)c->want_exit, sep, line);
	else if (c->want_stdout != NULL && out->over)
		asking_answer(a, false, "exit %d, but it printed more than 64 KiB%s%s",
			      WEXITSTATUS(status), sep, line);
	else if (c->want_stdout != NULL && !same_output(out, c->want_stdout))
		asking_answer(a, false, "exit %d, but stdout is not \"%.60s\"%s%s",
			      WEXITSTATUS(status), c->want_stdout, sep, line);
	else
		asking_answer(a, true, "exit %d%s%s", WEXITSTATUS(status), sep, line);
}

static void run_end(struct probe_call *c)
{
	if (c == NULL)
		return;
	command_end(&c->command);
	free(c->want_stdout);
	free(c);
}

static int run_start(struct probe_call **ret, const struct probe_env *env, const void *params,
		     int64_t timeout_ns, probe_done_fn done, void *arg, struct err *e)
{
	const struct run_params *p = params;
	struct probe_call *c = mem_alloc(sizeof(*c));
	const char *const argv[] = { "sh", "-ec", p->run, NULL };
	command_init(&c->command, env, c, run_judge);
	c->command.asking.timeout_ns = timeout_ns;
	c->command.asking.done = done;
	c->command.asking.arg = arg;
	c->want_exit = p->exit;
	c->want_stdout = p->stdout_text != NULL ? mem_strdup(p->stdout_text) : NULL;
	if (command_start(&c->command, argv, e) < 0) {
		run_end(c);
		return -1;
	}
	*ret = c;
	return 0;
}

const struct probe_kind probe_run = {
	.kind = { .name = "run",
		  .help = "a shell command in a node ends as expected",
		  .params = run_params,
		  .shorthand = "run",
		  .size = sizeof(struct run_params),
		  .expect = run_expect,
		  .exact = true },
	.start = run_start,
	.end = run_end,
};
