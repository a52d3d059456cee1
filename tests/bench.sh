#!/bin/sh
# SPDX-License-Identifier: MIT
# BUILD=build BENCH="PART..." bench.sh [COUNT]; the parts, all by default, each on its own too:
# node, strikes, watched, packages, sweep, dozen. Nodes, COUNT at each of LEVELS, against the bare calls
# that make them and against other makers (see bench/node.c); how exactly strikes come; then a tar of
# 5,000 files and `dpkg -i` of a dozen packages, watched and never struck, against none and against
# strace; then sweeps (see bench/sweep.sh). Each comparison in one run, so that its ratios hold. SEED
# draws the strikes' points.
set -eu
BUILD=${BUILD:-build} count=${1:-200}
bench=$BUILD/tests/bench-node calls=$BUILD/tests/bench-calls strikes=$BUILD/tests/bench-strikes
[ "$(id -u)" -eq 0 ] || { echo 'bench: needs root' >&2; exit 69; }
tmp=$(mktemp -d /var/tmp/backout-bench-XXXXXX)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
root=$tmp/root
mkdir -p "$root/bin" "$root/usr" "$root/proc" "$root/dev" "$root/sys" "$root/tmp" "$root/run" "$root/etc"
cp /bin/busybox "$root/bin/busybox"
for a in sh true tar rm mkdir mv ln chmod rmdir touch ip; do ln -s busybox "$root/bin/$a"; done
echo root:x:0:0:root:/root:/bin/sh > "$root/etc/passwd"

# On a disk, as a drill's nodes are.
part_node() {
	echo "nodes: an overlay root, six namespaces, a veth, limits; 'true' run; all gone:"
	mkdir "$tmp/nodes"
	# shellcheck disable=SC2086
	"$bench" "$count" "$root" "$tmp/nodes" tests/bench/peers ${LEVELS:-}
}

# On tmpfs where there is one: what is compared is calls, not a disk.
fast=$tmp
[ ! -d /dev/shm ] || fast=$(mktemp -d /dev/shm/backout-bench-XXXXXX)
trap 'rm -rf "$tmp" "$fast"' EXIT
mkdir "$root/srv"

part_strikes() {
	echo 'strikes at drawn points of a toy workflow:'
	"$strikes" 1000 "${SEED:-1}" "$root" "$fast/state"
}

part_watched() {
	mkdir "$tmp/files"
	for d in $(seq 50); do
		mkdir "$tmp/files/$d"
		for f in $(seq 100); do head -c 3000 /dev/zero > "$tmp/files/$d/$f"; done
	done
	tar -cf "$tmp/files.tar" -C "$tmp" files
	echo 'tar of 5,000 files, watched:'
	"$calls" 9 "$root" "$fast/state" 'rm -rf /srv/files' 'cd /srv; tar -xf files.tar' "$tmp/files.tar"
}

part_packages() {
	# Fetched once; from the machine's own apt sources.
	packages='bc cpio dc ed file libmagic1 libmagic-mgc libreadline8 patch psmisc readline-common time tree'
	debs=$BUILD/bench-debs
	if [ ! -e "$debs/all" ]; then
		rm -rf "$debs" && mkdir -p "$debs"
		# shellcheck disable=SC2086
		(cd "$debs" && apt-get -qq -o APT::Sandbox::User=root download $packages && touch all) || true
	fi
	image=$("$BUILD/backout" image build tests/bench/debian.json | sed -n 's/^n: [^ ]* //p') || true
	if [ -e "$debs/all" ] && [ -n "$image" ]; then
		echo 'dpkg -i of 13 packages, watched:'
		# shellcheck disable=SC2086
		"$calls" 5 "$image" "$fast/state" "dpkg --purge --force-all $packages" \
			'dpkg -i --force-all /srv/*.deb' "$debs"/*.deb
	else
		echo 'dpkg -i: no packages from apt (apt-get update), or no Debian root; skipped'
	fi
}

part_sweep() {
	echo 'sweep of scenarios/dpkg-upgrade, rollback reinstall-old:'
	BUILD=$BUILD tests/bench/sweep.sh upgrade
}

part_dozen() {
	echo 'sweep of scenarios/dpkg-dozen, 2 jobs:'
	BUILD=$BUILD tests/bench/sweep.sh dozen
}

for part in ${BENCH:-node strikes watched packages sweep dozen}; do
	case $part in
	node | strikes | watched | packages | sweep | dozen) "part_$part" ;;
	*) echo "bench: no part '$part'" >&2; exit 64 ;;
	esac
done
