/* SPDX-License-Identifier: MIT */
#include "reports/xml.h"

#include "harness/base/clock.h"

/* The bytes of one UTF-8 character that XML 1.0 allows, or 0. */
static size_t xml_char(const unsigned char *s)
{
	static const struct {
		unsigned char mask, lead;
		size_t len;
		unsigned long min;
	} forms[] = {
		{ 0xe0, 0xc0, 2, 0x80 },
		{ 0xf0, 0xe0, 3, 0x800 },
		{ 0xf8, 0xf0, 4, 0x10000 },
	};
	if (s[0] < 0x80)
		return s[0] >= 0x20 || s[0] == '\t' || s[0] == '\n' ? 1 : 0;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if ((s[0] & forms[i].mask) != forms[i].lead)
			continue;
		unsigned long c = s[0] & (unsigned char)~forms[i].mask;
		for (size_t k = 1; k < forms[i].len; k++) {
			if ((s[k] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[k] & 0x3f);
		}
		if (c < forms[i].min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ||
		    c == 0xfffe || c == 0xffff)
			return 0;
		return forms[i].len;
	}
	return 0;
}

/* Text or attribute value; what XML cannot hold becomes '?'. */
void xml_text(struct buf *b, const char *text)
{
	static const char *const names['>' + 1] = {
		['&'] = "&amp;",  ['<'] = "&lt;",   ['>'] = "&gt;",
		['"'] = "&quot;", ['\n'] = "&#10;", ['\t'] = "&#9;",
	};
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0';) {
		size_t len = xml_char(p);
		if (len == 0)
			buf_putc(b, '?');
		else if (*p <= '>' && names[*p] != NULL)
			buf_puts(b, names[*p]);
		else
			buf_add(b, p, len);
		p += len > 0 ? len : 1;
	}
}

void xml_attr(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, " %s=\"", name);
	xml_text(b, value);
	buf_putc(b, '"');
}

void xml_attr_seconds(struct buf *b, const char *name, int64_t ns)
{
	buf_printf(b, " %s=\"%.3f\"", name, ns > 0 ? (double)ns / (double)NS_PER_S : 0.0);
}
