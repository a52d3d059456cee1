#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC1091  # of oci.sh
runtime=crun
. "$SCRIPTS/oci.sh"
