#!/bin/sh
# SPDX-License-Identifier: MIT
# image.sh: the VM's disk, kernel and initrd, built once and kept as STATE/vm/KEY/; prints that
# folder. The key is the digest of this recipe, the unit, the list of packages and the versions that
# apt offers of them: a new kernel in Debian is a new image. Needs root, mmdebstrap and e2fsprogs.
set -eu
cd "$(dirname "$0")"
state=${BACKOUT_STATE:-/var/lib/backout}/vm
packages=$(sed 's/#.*//' packages | xargs)
versions=$(apt-cache show --no-all-versions $packages | sed -n 's/^Version: //p')
[ -n "$versions" ] || { echo 'vm image: apt offers none of tests/vm/packages: apt-get update' >&2; exit 69; }
key=$({ cat image.sh packages vm-tests.service; printf '%s\n' "$versions"; } | sha256sum | cut -c 1-32)
mkdir -p "$state"
exec 9> "$state/lock"
flock 9
if [ ! -e "$state/$key/root.img" ]; then
	echo "vm image: building $key, about a minute" >&2
	rm -rf "$state"/*.new # of a builder that was killed: we hold the lock
	new=$state/$key.new
	trap 'rm -rf "$new"' EXIT
	trap 'exit 1' HUP INT TERM
	mkdir "$new"
	mmdebstrap --quiet --variant=apt --include="$(echo "$packages" | tr ' ' ,)" \
		--aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook='copy-in vm-tests.service /etc/systemd/system' \
		--customize-hook='echo backout-vm > "$1/etc/hostname"' \
		bookworm "$new/root" < /dev/null >&2
	cp "$new"/root/boot/vmlinuz-* "$new/vmlinuz"
	cp "$new"/root/boot/initrd.img-* "$new/initrd"
	rm -rf "$new"/root/boot/* # the host starts it
	truncate -s 3G "$new/root.img"
	mke2fs -q -t ext4 -O ^has_journal -d "$new/root" "$new/root.img" # thrown away anyway
	rm -rf "$new/root"
	mv "$new" "$state/$key"
	# Those of older recipes. A VM that still runs from one keeps its open files.
	find "$state" -mindepth 1 -maxdepth 1 -type d ! -name "$key" -exec rm -rf {} +
fi
echo "$state/$key"
