/* SPDX-License-Identifier: MIT */
/* One clean run, held at each wanted point until its state is copied, while the drills that begin
 * with these copies run beside it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/base/io.h"
#include "harness/base/mem.h"
#include "harness/engine/offer.h"
#include "harness/engine/sweep_private.h"

struct pass {
	struct sweeping *sweeping;
	struct one_drill drill;
	struct record_spec record;
	uint64_t *wanted;
	int ours, theirs;
	struct loop_src *src;
	bool over;
	struct err died;
	bool waits; /* an offer is to be replied to */
	bool taken; /* a copy is there, told by the last offer */
	struct offer *offer;
	size_t cls;     /* of that offer */
	char *copy_dir; /* of the copy under way */
	size_t copies;
	uint64_t largest; /* copy so far; bytes */
};

static void on_offer(void *arg, uint32_t events)
{
	struct pass *p = arg;
	(void)events;
	ssize_t n = recv(p->ours, p->offer, sizeof(*p->offer), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(*p->offer)) { /* the recording has ended, or died */
		loop_remove(p->src);
		p->src = NULL;
		return;
	}
	p->waits = p->offer->kind == OFFER_POINT;
	p->taken = p->offer->kind == OFFER_TAKEN;
	pool_wake(p->sweeping->s.pool);
}

static void on_end(void *arg, const struct err *died)
{
	struct pass *p = arg;
	p->over = true;
	p->died = *died;
	/* Its end may be seen first, and the copy that it told of before is one all the same. */
	if (p->src != NULL && !p->taken)
		on_offer(p, 0);
}

static int find_class(struct pass *p)
{
	const struct sweeping *w = p->sweeping;
	uint64_t h = point_hash(p->offer->in_rollback, p->offer->step, p->offer->key);
	for (size_t i = 0; i < w->class_count; i++)
		if (w->list.items[w->classes[i].first].hash == h)
			return (int)i;
	return -1;
}

/* Holds the recording until there is room for one copy and its drill. */
static int reply(struct pass *p, struct err *e)
{
	struct sweeping *w = p->sweeping;
	struct offer_reply r = { .take = false };
	int cls = find_class(p);
	bool wanted = cls >= 0 && !sweep_over(w);
	if (wanted && (w->active >= w->jobs || !sweep_place_has_room(w, p->largest))) {
		if (w->active > 0)
			return 0; /* a job's end asks again */
		w->cut = "the place of work is full: give more room with --state DIR";
		wanted = false;
	}
	if (wanted) {
		free(p->copy_dir);
		p->cls = (size_t)cls;
		p->copy_dir = mem_printf("%s/copies/%u-%zu", owner_work_dir(w->s.owner), w->passes,
					 p->copies++);
		if (io_mkdirs(p->copy_dir, 0700, e) < 0)
			return -1;
		r.take = true;
		(void)snprintf(r.dir, sizeof(r.dir), "%s", p->copy_dir);
	}
	p->waits = false;
	if (send(p->ours, &r, sizeof(r), MSG_NOSIGNAL) < 0 && errno != EPIPE)
		return ERR(e, errno, "reply to a recording");
	return 0;
}

static int begin_branch(struct pass *p, struct err *e)
{
	struct sweeping *w = p->sweeping;
	const struct offer *o = p->offer;
	struct swept *c = &w->classes[p->cls];
	p->taken = false;
	if (o->bytes > p->largest)
		p->largest = o->bytes;
	if (!o->ok) {
		c->how = SWEEP_RERUN;
		c->why = "another process wrote while its state was copied";
		return io_remove_tree(AT_FDCWD, p->copy_dir, e);
	}
	struct branch_copy copy = {
		.dir = p->copy_dir,
		.from = p->drill.label,
		.from_dir = p->drill.dir,
		.at = w->list.items[c->first],
		.t = o->t,
	};
	memcpy(copy.at.state, o->state, sizeof(copy.at.state));
	copy.at.detail = arena_strdup(w->arena, o->detail);
	p->copy_dir = NULL;
	/* The job may outlive the pass's own names. */
	copy.from = arena_strdup(w->arena, copy.from);
	copy.from_dir = arena_strdup(w->arena, copy.from_dir);
	return sweep_start_branch(w, p->cls, &copy, e);
}

/* A sweep that goes on finds those of its earlier parts. */
static char *next_label(struct sweeping *w)
{
	for (;;) {
		char *label = mem_printf("recordings/%u", ++w->passes);
		GUARD(mem) char *dir = mem_printf("%s/%s", w->s.dir, label);
		if (access(dir, F_OK) < 0)
			return label;
		free(label);
	}
}

static int open_pass(struct pass *p, const size_t *classes, size_t count, struct err *e)
{
	struct sweeping *w = p->sweeping;
	int pair[2];
	const struct drill_id id = { ROLE_CONTROL, NULL, 0 }; /* none that is judged */
	GUARD(mem) char *label = next_label(w);
	if (one_drill_make_as(&p->drill, &w->s, id, label, e) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return ERR(e, errno, "socketpair");
	p->ours = pair[0];
	p->theirs = pair[1];
	p->wanted = mem_array(count + 1, sizeof(*p->wanted));
	for (size_t i = 0; i < count; i++)
		p->wanted[i] = w->list.items[w->classes[classes[i]].first].hash;
	point_hashes_sort(p->wanted, count);
	p->record = sweep_record(w);
	p->record.offer_fd = p->theirs;
	p->record.wanted = p->wanted;
	p->record.wanted_count = count;
	p->drill.spec.record = &p->record;
	const struct worker_hooks hooks = { NULL, on_end, p };
	return pool_start(w->s.pool, &p->drill.spec, &hooks, e);
}

static int drive(struct pass *p, struct err *e)
{
	struct sweeping *w = p->sweeping;
	(void)close(p->theirs);
	p->theirs = -1;
	if (loop_add_fd(pool_loop(w->s.pool), p->ours, EPOLLIN, on_offer, p, &p->src, e) < 0)
		return -1;
	while (!p->over || p->taken || w->work != NULL) {
		if (p->taken && begin_branch(p, e) < 0)
			return -1;
		if (p->waits && !p->over && reply(p, e) < 0)
			return -1;
		if (pool_turn(w->s.pool, INT64_MAX, e) < 0 || sweep_reap(w, e) < 0)
			return -1;
		sweep_tell(w);
	}
	return 0;
}

/* What the recording did not offer this time is drilled by its own trigger. */
static void leave_rest(struct sweeping *w, const size_t *classes, size_t count)
{
	for (size_t i = 0; i < count && !sweep_over(w); i++) {
		struct swept *c = &w->classes[classes[i]];
		if (c->how != SWEEP_BRANCH || c->item >= 0)
			continue;
		c->how = SWEEP_RERUN;
		c->why = "the recording that keeps states did not come to it";
	}
}

int sweep_pass(struct sweeping *w, const size_t *classes, size_t count, struct err *e)
{
	struct pass p = { .sweeping = w, .ours = -1, .theirs = -1 };
	size_t unknown = 0;
	p.offer = mem_alloc(sizeof(*p.offer));
	int result = open_pass(&p, classes, count, e);
	if (result == 0)
		result = drive(&p, e);
	loop_remove(p.src);
	if (result == 0 && err_is_set(&p.died))
		session_note(&w->s, p.died.why);
	if (result == 0 && !err_is_set(&p.died))
		result = point_list_unknown(&w->list, p.drill.dir, &unknown, e);
	if (result == 0) {
		w->unknown += unknown;
		leave_rest(w, classes, count);
	}
	if (p.ours >= 0)
		(void)close(p.ours);
	if (p.theirs >= 0)
		(void)close(p.theirs);
	one_drill_free(&p.drill);
	free(p.wanted);
	free(p.copy_dir);
	free(p.offer);
	return result;
}
