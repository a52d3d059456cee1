#!/bin/sh
# SPDX-License-Identifier: MIT
# bench.sh BENCH-NODE BENCH-CALLS [COUNT]: a node (create, run `true`, destroy) against the same done
# by an unshare script and, where it is installed, by bubblewrap; then a tar of 5,000 files under an
# armed trigger that does not fire against none. All in one run, so that the ratios hold.
set -eu
bench=$1 calls=$2 count=${3:-200}
[ "$(id -u)" -eq 0 ] || { echo 'bench: needs root' >&2; exit 69; }
tmp=$(mktemp -d /var/tmp/backout-bench-XXXXXX)
trap 'rm -rf "$tmp"' EXIT
root=$tmp/root
mkdir -p "$root/bin" "$root/proc" "$root/dev" "$root/sys" "$root/tmp" "$root/run" "$root/etc"
cp /bin/busybox "$root/bin/busybox"
for a in sh true tar rm; do ln -s busybox "$root/bin/$a"; done
echo root:x:0:0:root:/root:/bin/sh > "$root/etc/passwd"

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

base=
row() { # name "p50 p99"
	p50=${2% *}
	base=${base:-$p50}
	awk -v n="$1" -v p="$p50" -v q="${2#* }" -v b="$base" \
		'BEGIN { printf "%-40s p50 %7.2f ms   p99 %7.2f ms   x%.2f\n", n, p, q, p / b }'
}
row "node: create, run true, destroy" "$("$bench" node "$count" "$root" "$tmp/state")"
row "unshare and ip, by a script" "$("$bench" run "$count" sh "$tmp/by-hand")"
if command -v bwrap >/dev/null; then
	row "bwrap (no overlay, no limits)" "$("$bench" run "$count" bwrap --unshare-all \
		--bind "$root" / --proc /proc --dev /dev --tmpfs /run --tmpfs /tmp /bin/true)"
else
	echo "bwrap: not installed (apt-get install bubblewrap), skipped"
fi

# On tmpfs where there is one: what is compared is calls, not a disk.
fast=$tmp
[ ! -d /dev/shm ] || fast=$(mktemp -d /dev/shm/backout-bench-XXXXXX)
trap 'rm -rf "$tmp" "$fast"' EXIT
mkdir "$tmp/files" "$root/srv"
for d in $(seq 50); do
	mkdir "$tmp/files/$d"
	for f in $(seq 100); do head -c 3000 /dev/zero > "$tmp/files/$d/$f"; done
done
tar -cf "$tmp/files.tar" -C "$tmp" files
echo 'tar of 5,000 files under an armed trigger syscall:'
"$calls" 9 "$root" "$fast/state" 'rm -rf /srv/files' 'cd /srv; tar -xf files.tar' "$tmp/files.tar"
