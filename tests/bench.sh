#!/bin/sh
# SPDX-License-Identifier: MIT
# BUILD=build BENCH="PART..." bench.sh [COUNT]; the parts, all by default, each on its own too:
# node, strikes, watched, packages, sweep, dozen. A node (create, run `true`, destroy) against the same
# done by an unshare script and, where it is installed, by bubblewrap; how exactly strikes come; then a tar of
# 5,000 files and `dpkg -i` of a dozen packages, watched and never struck, against none and against
# strace; then sweeps (see bench/sweep.sh). Each comparison in one run, so that its ratios hold. SEED
# draws the strikes' points.
set -eu
BUILD=${BUILD:-build} count=${1:-200}
bench=$BUILD/tests/bench-node calls=$BUILD/tests/bench-calls strikes=$BUILD/tests/bench-strikes
[ "$(id -u)" -eq 0 ] || { echo 'bench: needs root' >&2; exit 69; }
tmp=$(mktemp -d /var/tmp/backout-bench-XXXXXX)
trap 'rm -rf "$tmp"' EXIT
root=$tmp/root
mkdir -p "$root/bin" "$root/proc" "$root/dev" "$root/sys" "$root/tmp" "$root/run" "$root/etc"
cp /bin/busybox "$root/bin/busybox"
for a in sh true tar rm mkdir mv ln chmod rmdir touch; do ln -s busybox "$root/bin/$a"; done
echo root:x:0:0:root:/root:/bin/sh > "$root/etc/passwd"

base=
row() { # name "p50 p99"
	p50=${2% *}
	base=${base:-$p50}
	awk -v n="$1" -v p="$p50" -v q="${2#* }" -v b="$base" \
		'BEGIN { printf "%-40s p50 %7.2f ms   p99 %7.2f ms   x%.2f\n", n, p, q, p / b }'
}
part_node() {
	cat > "$tmp/by-hand" <<END
set -e
rm -rf $tmp/h; mkdir -p $tmp/h/u $tmp/h/w $tmp/h/m
exec unshare --mount --pid --net --uts --ipc --cgroup --fork sh -ec '
mount -t overlay -o lowerdir=$root,upperdir=$tmp/h/u,workdir=$tmp/h/w,index=on,xino=on o $tmp/h/m
mount -t proc p $tmp/h/m/proc
mount -t tmpfs t $tmp/h/m/run
mount -t tmpfs t $tmp/h/m/tmp
ip link set lo up
exec chroot $tmp/h/m /bin/true'
END
	row "node: create, run true, destroy" "$("$bench" node "$count" "$root" "$tmp/state")"
	row "unshare and ip, by a script" "$("$bench" run "$count" sh "$tmp/by-hand")"
	if command -v bwrap >/dev/null; then
		row "bwrap (no overlay, no limits)" "$("$bench" run "$count" bwrap --unshare-all \
			--bind "$root" / --proc /proc --dev /dev --tmpfs /run --tmpfs /tmp /bin/true)"
	else
		echo "bwrap: not installed (apt-get install bubblewrap), skipped"
	fi
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
