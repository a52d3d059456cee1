/* SPDX-License-Identifier: MIT */
/* A drill's folder, read into memory: its journal and the fingerprints that it names. */
#ifndef BACKOUT_ENGINE_RECORD_FILE_H
#define BACKOUT_ENGINE_RECORD_FILE_H

#include "harness/base/err.h"
#include "harness/model/verdict.h"

struct record_file;

/* A fingerprint whose digest is not the journalled one is an error: the record is not what the
 * drill wrote. */
int record_open(struct record_file **ret, const char *dir, struct err *e);
void record_close(struct record_file *r);                     /* NULL-safe */
const struct record *record_get(const struct record_file *r); /* NULL for NULL */
/* Give back the fingerprints' memory; the journal stays. */
void record_drop_states(struct record_file *r);

#endif
