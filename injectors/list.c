/* SPDX-License-Identifier: MIT */
#include "injectors/list.h"

#include <stddef.h>

#include "injectors/injector.h"

#define X(name) extern const struct injector injector_##name;
INJECTORS(X)
#undef X

const struct injector *const injectors[] = {
#define X(name) &injector_##name,
	INJECTORS(X)
#undef X
		NULL,
};
