/* SPDX-License-Identifier: MIT */
/* Injector syscall.fail: the system call that a trigger holds fails without having run. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/base/mutate.h"
#include "harness/sandbox/callwatch.h"
#include "injectors/injector.h"

enum { CALL_TEXT_MAX = 160 };

/* clang-format off */
#define ERRORS(X)                                                                         \
	X(EACCES) X(EAGAIN) X(EBADF) X(EBUSY) X(EDQUOT) X(EEXIST) X(EFAULT) X(EFBIG)      \
	X(EINTR) X(EINVAL) X(EIO) X(EISDIR) X(ELOOP) X(EMFILE) X(EMLINK) X(ENAMETOOLONG)  \
	X(ENFILE) X(ENODEV) X(ENOENT) X(ENOMEM) X(ENOSPC) X(ENOSYS) X(ENOTDIR)            \
	X(ENOTEMPTY) X(ENXIO) X(EOPNOTSUPP) X(EOVERFLOW) X(EPERM) X(EPIPE) X(EROFS)       \
	X(ESTALE) X(ETIMEDOUT) X(ETXTBSY) X(EXDEV)
/* clang-format on */

static const char *const error_names[] = {
#define X(name) #name,
	ERRORS(X)
#undef X
		NULL,
};
static const int error_codes[] = {
#define X(name) name,
	ERRORS(X)
#undef X
};

enum keep { KEEP_ONCE, KEEP_ALWAYS };
static const char *const keep_names[] = { "once", "always", NULL };

struct syscall_fail {
	int error, keep;
};

static const struct param syscall_fail_params[] = {
	{ .name = "errno",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct syscall_fail, error),
	  .names = error_names,
	  .required = true,
	  .help = "what the call returns" },
	{ .name = "keep",
	  .type = PARAM_ENUM,
	  .offset = offsetof(struct syscall_fail, keep),
	  .names = keep_names,
	  .def = "once",
	  .help = "once: that call alone; always: it and every later call of the step that the "
		  "trigger matches" },
	{ 0 },
};

struct injection {
	struct inject_env env;
	const char *error;
	struct call_answer answer;
	bool struck;
	uint64_t failed; /* calls */
	char call[CALL_TEXT_MAX];
	int pid; /* inside the node */
};

/* The first one told is the struck one; with `always` others follow. */
static void answered(void *arg, bool delivered, int64_t held)
{
	struct injection *i = arg;
	(void)held;
	if (!delivered)
		return;
	i->failed++;
	GUARD(mem)
	char *text = mem_printf("%s of pid %d returned %s", i->call, i->pid, i->error);
	i->env.felt(i->env.arg, text);
}

static int syscall_fail_create(struct injection **ret, const struct inject_env *env,
			       const void *params, struct err *e)
{
	const struct syscall_fail *p = params;
	(void)e;
	struct injection *i = mem_alloc(sizeof(*i));
	i->env = *env;
	i->error = error_names[p->error];
	i->answer = (struct call_answer){ .error = error_codes[p->error],
					  .always = p->keep == KEEP_ALWAYS,
					  .answered = answered,
					  .arg = i };
	*ret = i;
	return 0;
}

static int syscall_fail_strike(struct injection *i, const struct strike_target *target,
			       char detail[INJECT_DETAIL_MAX], struct err *e)
{
	if (target->call == NULL)
		return ERR(e, 0,
			   "no system call is held at this point: syscall.fail needs "
			   "\"syscall\" in \"at\", or \"point\" with a key that is a call");
	call_stop_text(target->call, i->call, sizeof(i->call));
	i->pid = (int)node_inside_pid(target->stopped);
	i->struck = true;
	call_stop_answer(target->call, &i->answer);
	(void)snprintf(detail, INJECT_DETAIL_MAX, "%s of pid %d is answered with %s%s", i->call,
		       i->pid, i->error, i->answer.always ? ", and so are the later ones" : "");
	return 0;
}

static int syscall_fail_undo(struct injection *i, struct err *e)
{
	(void)e;
	if (!MUTANT(undo_noop))
		call_answer_end(&i->answer);
	return 0;
}

static int syscall_fail_verify(struct injection *i, char detail[INJECT_DETAIL_MAX], struct err *e)
{
	if (i->struck && !i->answer.over)
		return ERR(e, 0, "calls are still answered with %s", i->error);
	(void)snprintf(detail, INJECT_DETAIL_MAX, "%llu call(s) failed; no other will",
		       (unsigned long long)i->failed);
	return 0;
}

static void syscall_fail_destroy(struct injection *i)
{
	free(i);
}

const struct injector injector_syscall_fail = {
	.kind = { .name = "syscall.fail",
		  .help = "let the system call held by trigger syscall fail without having run",
		  .applied = "the held call is answered with that errno",
		  .felt = "the kernel took the answer: the call returned that errno",
		  .params = syscall_fail_params,
		  .shorthand = "errno",
		  .size = sizeof(struct syscall_fail),
		  .exact = true,
		  .answers_call = true,
		  .lasting = true },
	.create = syscall_fail_create,
	.strike = syscall_fail_strike,
	.undo = syscall_fail_undo,
	.verify = syscall_fail_verify,
	.destroy = syscall_fail_destroy,
};
