#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC1091  # of oci.sh
runtime=runc
. "$SCRIPTS/oci.sh"
