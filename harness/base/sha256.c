/* SPDX-License-Identifier: MIT */
#include "harness/base/sha256.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 64, ROUNDS = 64, LENGTH_AT = 56 };

/* clang-format off */
static const uint32_t first[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};
static const uint32_t k[ROUNDS] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
/* clang-format on */

static uint32_t turn(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static void mix(uint32_t state[8], const unsigned char *p)
{
	uint32_t w[ROUNDS], s[8];
	for (int i = 0; i < 16; i++, p += 4)
		w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	for (int i = 16; i < ROUNDS; i++) {
		uint32_t a = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3;
		uint32_t b = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10;
		w[i] = w[i - 16] + a + w[i - 7] + b;
	}
	memcpy(s, state, sizeof(s));
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t a = turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22);
		uint32_t b = turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25);
		uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
		uint32_t most = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
		uint32_t x = s[7] + b + choice + k[i] + w[i];
		memmove(s + 1, s, 7 * sizeof(*s));
		s[4] += x;
		s[0] = x + a + most;
	}
	for (int i = 0; i < 8; i++)
		state[i] += s[i];
}

void sha256_begin(struct sha256 *s)
{
	memset(s, 0, sizeof(*s));
	memcpy(s->state, first, sizeof(first));
}

void sha256_add(struct sha256 *s, const void *data, size_t len)
{
	const unsigned char *p = data;
	size_t held = s->length % BLOCK;
	s->length += len;
	if (held > 0) {
		size_t n = len < BLOCK - held ? len : BLOCK - held;
		memcpy(s->block + held, p, n);
		p += n;
		len -= n;
		if (held + n < BLOCK)
			return;
		mix(s->state, s->block);
	}
	for (; len >= BLOCK; p += BLOCK, len -= BLOCK)
		mix(s->state, p);
	memcpy(s->block, p, len);
}

void sha256_text_of(struct sha256 *s, char ret[SHA256_TEXT])
{
	static const unsigned char pad[BLOCK] = { 0x80 };
	uint64_t bits = s->length * 8;
	size_t held = s->length % BLOCK;
	unsigned char tail[8];
	for (int i = 0; i < 8; i++)
		tail[i] = (unsigned char)(bits >> (56 - 8 * i));
	sha256_add(s, pad, held < LENGTH_AT ? LENGTH_AT - held : BLOCK + LENGTH_AT - held);
	sha256_add(s, tail, sizeof(tail));
	for (int i = 0; i < 8; i++)
		(void)snprintf(ret + (size_t)i * 8, SHA256_TEXT - (size_t)i * 8, "%08x",
			       s->state[i]);
}

void sha256_text(const void *data, size_t len, char ret[SHA256_TEXT])
{
	struct sha256 s;
	sha256_begin(&s);
	sha256_add(&s, data, len);
	sha256_text_of(&s, ret);
}
