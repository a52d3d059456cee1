#!/bin/sh
# Fetch what this drill needs and cannot ship; see ../prepare.sh.
exec "$(dirname "$0")/../prepare.sh" postgresql-15
