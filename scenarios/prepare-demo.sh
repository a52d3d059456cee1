#!/bin/sh
# Prepare what `make demo` runs: nginx, or apache2 where apt offers only one version of nginx.
# stdout gets the path of the scenario; see prepare.sh.
exec "$(dirname "$0")/prepare.sh" nginx apache2
