/* SPDX-License-Identifier: MIT */
/* What a drill is for. */
#ifndef BACKOUT_MODEL_ROLE_H
#define BACKOUT_MODEL_ROLE_H

/* clang-format off */
#define DRILL_ROLES(X) X(CONTROL, "control") X(DRILL, "drill") X(KNOCKOUT, "knockout")
enum drill_role {
#define X(id, name) ROLE_##id,
	DRILL_ROLES(X)
#undef X
	ROLE_COUNT
};
/* clang-format on */

static inline const char *drill_role_name(enum drill_role r)
{
	static const char *const names[] = {
#define X(id, name) name,
		DRILL_ROLES(X)
#undef X
	};
	return r < ROLE_COUNT ? names[r] : "?";
}

#endif
