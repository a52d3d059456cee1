/* SPDX-License-Identifier: MIT */
/* XXH3-128 (libxxhash, named in hash.c alone) as 32 hexadecimal digits: fast, and strong enough
 * to tell states apart; not a defence against somebody who forges collisions. */
#ifndef BACKOUT_BASE_HASH_H
#define BACKOUT_BASE_HASH_H

#include <stddef.h>

#include "harness/base/err.h"

enum { HASH_TEXT = 33 }; /* 32 digits and the NUL */

struct hash;
struct hash *hash_begin(void);
void hash_reset(struct hash *h); /* to be used again */
void hash_add(struct hash *h, const void *data, size_t len);
void hash_text_of(const struct hash *h, char ret[HASH_TEXT]);
void hash_free(struct hash *h); /* NULL-safe */

void hash_text(const void *data, size_t len, char ret[HASH_TEXT]);
/* Of what can still be read from `fd`; and of a file by name. */
int hash_fd(int fd, const char *name, char ret[HASH_TEXT], struct err *e);
int hash_file(const char *path, char ret[HASH_TEXT], struct err *e);

#endif
