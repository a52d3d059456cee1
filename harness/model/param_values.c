/* SPDX-License-Identifier: MIT */
/* Single values from their text: with the unit written out, exact, and refused in words. */
#include "harness/model/param.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	uint64_t num, den; /* one of it is num/den base units */
};

static const struct unit duration_units[] = {
	{ "h", UINT64_C(3600000000000), 1 },
	{ "m", UINT64_C(60000000000), 1 },
	{ "s", UINT64_C(1000000000), 1 },
	{ "ms", UINT64_C(1000000), 1 },
	{ "us", UINT64_C(1000), 1 },
	{ "ns", 1, 1 },
	{ NULL, 0, 0 },
};
static const struct unit size_units[] = {
	{ "TiB", UINT64_C(1) << 40, 1 },
	{ "GiB", UINT64_C(1) << 30, 1 },
	{ "MiB", UINT64_C(1) << 20, 1 },
	{ "KiB", UINT64_C(1) << 10, 1 },
	{ "TB", UINT64_C(1000000000000), 1 },
	{ "GB", UINT64_C(1000000000), 1 },
	{ "MB", UINT64_C(1000000), 1 },
	{ "kB", UINT64_C(1000), 1 },
	{ "B", 1, 1 },
	{ "", 1, 1 },
	{ NULL, 0, 0 },
};
static const struct unit rate_units[] = {
	{ "GiB/s", UINT64_C(1) << 30, 1 },
	{ "MiB/s", UINT64_C(1) << 20, 1 },
	{ "KiB/s", UINT64_C(1) << 10, 1 },
	{ "GB/s", UINT64_C(1000000000), 1 },
	{ "MB/s", UINT64_C(1000000), 1 },
	{ "kB/s", UINT64_C(1000), 1 },
	{ "B/s", 1, 1 },
	{ "Gbit/s", UINT64_C(1000000000), 8 },
	{ "Mbit/s", UINT64_C(1000000), 8 },
	{ "kbit/s", UINT64_C(1000), 8 },
	{ "bit/s", 1, 8 },
	{ NULL, 0, 0 },
};

/* Digits with an optional fraction; *scale is the power of ten to divide by. Returns what
 * follows, or NULL. Eighteen digits are more than any unit here needs, and cannot overflow. */
static const char *decimal(const char *s, uint64_t *digits, uint64_t *scale)
{
	unsigned seen = 0;
	*digits = 0;
	*scale = 1;
	for (bool fraction = false; (*s >= '0' && *s <= '9') || (*s == '.' && !fraction); s++) {
		if (*s == '.') {
			if (seen == 0 || s[1] < '0' || s[1] > '9')
				return NULL;
			fraction = true;
			continue;
		}
		if (++seen > 18)
			return NULL;
		*digits = *digits * 10 + (uint64_t)(*s - '0');
		if (fraction)
			*scale *= 10;
	}
	return seen > 0 ? s : NULL;
}

static bool parse_units(const char *text, const struct unit *units, uint64_t *ret)
{
	uint64_t digits = 0, scale = 1;
	const char *rest = decimal(text, &digits, &scale);
	if (rest == NULL)
		return false;
	for (const struct unit *u = units; u->name != NULL; u++) {
		if (strcmp(rest, u->name) != 0)
			continue;
		unsigned __int128 v = (unsigned __int128)digits * u->num / u->den / scale;
		if (v > INT64_MAX)
			return false;
		*ret = (uint64_t)v;
		return true;
	}
	return false;
}

int param_parse_duration(const char *text, int64_t *ret_ns, struct err *e)
{
	uint64_t v = 0;
	if (!parse_units(text, duration_units, &v))
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "\"%s\" is not a duration; write one such as \"250ms\", \"90s\" or "
			      "\"5m\" (ns, us, ms, s, m, h)",
			      text);
	*ret_ns = (int64_t)v;
	return 0;
}

int param_parse_size(const char *text, uint64_t *ret_bytes, struct err *e)
{
	if (parse_units(text, size_units, ret_bytes))
		return 0;
	return ERR_AS(e, EXIT_USAGE_ERROR, 0,
		      "\"%s\" is not a size; write one such as \"512\", \"64KiB\" or \"2GiB\" "
		      "(B, kB, KiB, MB, MiB, GB, GiB, TB, TiB)",
		      text);
}

int param_parse_rate(const char *text, uint64_t *ret_bytes_per_s, struct err *e)
{
	if (parse_units(text, rate_units, ret_bytes_per_s))
		return 0;
	return ERR_AS(e, EXIT_USAGE_ERROR, 0,
		      "\"%s\" is not a rate; write one such as \"512KiB/s\" or \"8Mbit/s\"", text);
}

int param_parse_percent(const char *text, double *ret, struct err *e)
{
	uint64_t digits = 0, scale = 1;
	const char *rest = decimal(text, &digits, &scale);
	if (rest == NULL || strcmp(rest, "%") != 0)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "\"%s\" is not a percentage; write one such as \"2.5%%\"", text);
	*ret = (double)digits / (double)scale;
	return 0;
}

int param_parse_signal(const char *text, int *ret, struct err *e)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	for (int s = 1; s <= SIGRTMAX; s++) {
		const char *known = param_signal_name(s);
		if (known != NULL && strcasecmp(known, name) == 0) {
			*ret = s;
			return 0;
		}
	}
	return ERR_AS(
		e, EXIT_USAGE_ERROR, 0,
		"\"%s\" is not a signal; write one such as \"KILL\", \"SIGTERM\" or \"RTMIN+3\"",
		text);
}

/* The largest number of real-time signals that a libc hands out. */
/* clang-format off */
#define REAL_TIME(X)                                                                         \
	X("RTMIN") X("RTMIN+1") X("RTMIN+2") X("RTMIN+3") X("RTMIN+4") X("RTMIN+5") X("RTMIN+6") \
	X("RTMIN+7") X("RTMIN+8") X("RTMIN+9") X("RTMIN+10") X("RTMIN+11") X("RTMIN+12")      \
	X("RTMIN+13") X("RTMIN+14") X("RTMIN+15") X("RTMIN+16") X("RTMIN+17") X("RTMIN+18")   \
	X("RTMIN+19") X("RTMIN+20") X("RTMIN+21") X("RTMIN+22") X("RTMIN+23") X("RTMIN+24")   \
	X("RTMIN+25") X("RTMIN+26") X("RTMIN+27") X("RTMIN+28") X("RTMIN+29") X("RTMIN+30")
/* clang-format on */

const char *param_signal_name(int signo)
{
#define X(name) name,
	static const char *const real_time[] = { REAL_TIME(X) };
#undef X
	if (signo >= SIGRTMIN && signo <= SIGRTMAX) {
		size_t i = (size_t)(signo - SIGRTMIN);
		return i < sizeof(real_time) / sizeof(real_time[0]) ? real_time[i] : NULL;
	}
	return sigabbrev_np(signo);
}

int param_parse_address(const char *text, struct ip *ret, struct err *e)
{
	static const uint8_t least = 8, room = 2; /* bits: of the network, for its hosts */
	struct ip a = { 0 };
	if (!ip_parse_prefix(text, &a) || a.prefix < least || a.prefix > ip_bits(&a) - room)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "\"%s\" is not an address; write one such as \"10.0.0.2/24\" (prefix "
			      "8 to 30) or \"fd00::2/64\" (8 to 126)",
			      text);
	if (!ip_for_hosts(&a))
		return ERR_AS(
			e, EXIT_USAGE_ERROR, 0,
			"\"%s\" is no address for a host; write one such as \"10.0.0.2/24\" or "
			"\"fd00::2/64\"",
			text);
	*ret = a;
	return 0;
}

int param_parse_mode(const char *text, int *ret, struct err *e)
{
	size_t len = strspn(text, "01234567");
	int mode = 0;
	if (text[len] != '\0' || len < 3 || len > 4)
		return ERR_AS(e, EXIT_USAGE_ERROR, 0,
			      "\"%s\" is not a mode; write one such as \"0755\"", text);
	for (size_t i = 0; i < len; i++)
		mode = mode * 8 + (text[i] - '0');
	*ret = mode;
	return 0;
}

static const char *units_text(uint64_t v, const struct unit *units, char *buf, size_t size)
{
	const struct unit *u = units;
	while (u->num > 1 && (v == 0 ? strcmp(u->name, "s") != 0 : v % u->num != 0))
		u++;
	(void)snprintf(buf, size, "%llu%s", (unsigned long long)(v / u->num), u->name);
	return buf;
}

const char *param_duration_text(int64_t ns, char *buf, size_t size)
{
	assert(ns >= 0);
	return units_text((uint64_t)ns, duration_units, buf, size);
}

const char *param_size_text(uint64_t bytes, char *buf, size_t size)
{
	return units_text(bytes, size_units, buf, size);
}
