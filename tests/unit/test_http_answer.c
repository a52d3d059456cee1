/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/probes/http_answer.h"
#include "tests/unit/runner.h"

/* However an answer is cut into pieces, it reads the same; and no piece is taken for the whole. */
START_TEST(answers_come_in_pieces)
{
	static const char *const whole[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n"),
	};
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		struct http_answer a = { 0 };
		size_t len = strlen(whole[i]);
		for (size_t n = 0; n < len; n++) {
			GUARD(mem) char *piece = mem_alloc(n + 1);
			memcpy(piece, whole[i], n); /* a heap copy: reading past it is seen */
			ck_assert_int_eq(http_answer_parse(&a, piece, n, false), HTTP_MORE);
			ck_assert_int_eq(http_answer_parse(&a, piece, n, true), HTTP_CUT);
		}
		ck_assert_int_eq(http_answer_parse(&a, whole[i], len, false), HTTP_WHOLE);
		ck_assert_uint_eq(a.status, 200);
		ck_assert_str_eq(buf_str(&a.body), "hello");
		http_answer_free(&a);
	}
}
END_TEST

Suite *suite_http_answer(void);
Suite *suite_http_answer(void)
{
	Suite *s = suite_create("http_answer");
	TCase *t = tcase_create("http_answer");
	tcase_add_test(t, answers_come_in_pieces);
	suite_add_tcase(s, t);
	return s;
}
