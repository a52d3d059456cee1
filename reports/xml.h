/* SPDX-License-Identifier: MIT */
/* Writing XML 1.0. What it cannot hold becomes '?'. */
#ifndef REPORTS_XML_H
#define REPORTS_XML_H

#include <stdint.h>

#include "harness/base/buf.h"

void xml_text(struct buf *b, const char *text); /* or the value of an attribute */
void xml_attr(struct buf *b, const char *name, const char *value);
void xml_attr_seconds(struct buf *b, const char *name, int64_t ns); /* 0 for a negative one */

#endif
