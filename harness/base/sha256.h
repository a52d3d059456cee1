/* SPDX-License-Identifier: MIT */
/* SHA-256 (FIPS 180-4), for what other programs name by it. Our own names use hash.h. */
#ifndef BACKOUT_BASE_SHA256_H
#define BACKOUT_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_TEXT = 65 }; /* 64 hexadecimal digits and the NUL */

struct sha256 {
	uint32_t state[8];
	uint64_t length; /* bytes so far */
	unsigned char block[64];
};
void sha256_begin(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t len);
void sha256_text_of(struct sha256 *s, char ret[SHA256_TEXT]); /* ends it */
void sha256_text(const void *data, size_t len, char ret[SHA256_TEXT]);

#endif
