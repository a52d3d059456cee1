/* SPDX-License-Identifier: MIT */
#include "harness/model/ip.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

bool ip_parse(const char *text, struct ip *ret)
{
	struct ip a = { 0 };
	if (inet_pton(AF_INET, text, a.bytes) == 1)
		a.len = IP4_BYTES;
	else if (inet_pton(AF_INET6, text, a.bytes) == 1)
		a.len = IP6_BYTES;
	else
		return false;
	*ret = a;
	return true;
}

bool ip_parse_prefix(const char *text, struct ip *ret)
{
	enum { DIGITS_MAX = 3 };
	char host[INET6_ADDRSTRLEN] = "";
	struct ip a;
	unsigned prefix = 0;
	const char *slash = strchr(text, '/');
	if (slash == NULL || (size_t)(slash - text) >= sizeof(host))
		return false;
	memcpy(host, text, (size_t)(slash - text));
	size_t digits = strspn(slash + 1, "0123456789");
	if (!ip_parse(host, &a) || digits == 0 || digits > DIGITS_MAX || slash[1 + digits] != '\0')
		return false;
	if (digits > 1 && slash[1] == '0')
		return false;
	for (size_t i = 0; i < digits; i++)
		prefix = prefix * 10 + (unsigned)(slash[1 + i] - '0');
	if (prefix > ip_bits(&a))
		return false;
	a.prefix = (uint8_t)prefix;
	*ret = a;
	return true;
}

const char *ip_text(const struct ip *a, char buf[IP_TEXT_MAX])
{
	assert(a->len != 0);
	(void)inet_ntop(a->len == IP4_BYTES ? AF_INET : AF_INET6, a->bytes, buf, IP_TEXT_MAX);
	return buf;
}

const char *ip_prefix_text(const struct ip *a, char buf[IP_TEXT_MAX])
{
	(void)ip_text(a, buf);
	size_t len = strlen(buf);
	(void)snprintf(buf + len, IP_TEXT_MAX - len, "/%u", a->prefix);
	return buf;
}

unsigned ip_bits(const struct ip *a)
{
	return 8U * a->len;
}

bool ip_same(const struct ip *a, const struct ip *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

struct ip ip_network(const struct ip *a, bool ones)
{
	struct ip net = *a;
	for (unsigned i = 0; i < a->len; i++) {
		unsigned kept = a->prefix > 8 * i ? a->prefix - 8 * i : 0;
		uint8_t host = kept >= 8 ? 0 : (uint8_t)(0xFFU >> kept);
		net.bytes[i] = (uint8_t)(ones ? a->bytes[i] | host : a->bytes[i] & ~host);
	}
	return net;
}

bool ip_within(const struct ip *a, const struct ip *net)
{
	struct ip other = *a;
	if (a->len != net->len)
		return false;
	other.prefix = net->prefix;
	struct ip x = ip_network(&other, false), y = ip_network(net, false);
	return ip_same(&x, &y);
}

bool ip_overlap(const struct ip *a, const struct ip *b)
{
	return a->prefix < b->prefix ? ip_within(b, a) : ip_within(a, b);
}

static const struct ip not_hosts[] = {
	{ { 0 }, IP4_BYTES, 8 },           { { 127 }, IP4_BYTES, 8 },  { { 224 }, IP4_BYTES, 3 },
	{ { 0 }, IP6_BYTES, 80 }, /* unspecified, loopback, mapped and compatible ones */
	{ { 0xFE, 0x80 }, IP6_BYTES, 10 }, { { 0xFF }, IP6_BYTES, 8 },
};

bool ip_for_hosts(const struct ip *a)
{
	for (size_t i = 0; i < sizeof(not_hosts) / sizeof(not_hosts[0]); i++)
		if (ip_within(a, &not_hosts[i]))
			return false;
	return true;
}

bool ip_none_for_hosts(const struct ip *net)
{
	for (size_t i = 0; i < sizeof(not_hosts) / sizeof(not_hosts[0]); i++)
		if (net->prefix >= not_hosts[i].prefix && ip_within(net, &not_hosts[i]))
			return true;
	return false;
}
