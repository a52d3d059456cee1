#!/bin/sh
# Fetch what this drill needs and cannot ship; see ../prepare.sh. None of these packages is in
# Debian's minimal system, and what they need beyond it is among them.
here=$(dirname "$0")
exec "$here/../prepare.sh" --set "$here" bc dc ed figlet hello less libncurses6 libreadline8 patch \
    readline-common sl time tree
