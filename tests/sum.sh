#!/bin/sh
# SPDX-License-Identifier: MIT
# Add up a file of "passed failed skipped" lines; fails when a test failed or none ran.
awk '{ p += $1; f += $2; s += $3 }
     END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 || p == 0 }' "$1"
