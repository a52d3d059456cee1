#!/bin/sh
# SPDX-License-Identifier: MIT
# The state of the container comes by stdin, with its "pid".
# shellcheck disable=SC1091  # found there
. "${0%/*}/parts.sh"
state=
while read -r line || [ -n "$line" ]; do state="$state $line"; done
pid=${state##*\"pid\":}
pid=${pid%%[,\}]*}
link_up "$pid"
