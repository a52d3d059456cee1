#!/bin/sh
# SPDX-License-Identifier: MIT
# strace-loop.sh ROOT [MAX [ROLLBACK]]: what a sweep does, by hand, as the plain loop that engineers
# write: for 15 kinds of calls, for each N: `dpkg --install demo_2.deb` over demo_1 in a fresh overlay
# on ROOT (the image or folder of scenarios/dpkg-upgrade's node), killed by strace at the N-th such
# call of a process; then ROLLBACK; then the scenario's two questions about health; then all that was
# written against ROOT. At most MAX points,
# evenly spread. Prints what came of them, and points per second; on one processor, uppers in memory.
# With KEEP=FILE a line a point: kind, N, exit codes, what differs.
# (With --seccomp-bpf strace would be quicker, but strikes nothing: version 6.1 loses the signal.)
# Needs root and strace. All mounts are in its own namespace and go with it.
set -eu
[ $# -ge 1 ] || { echo 'usage: strace-loop.sh ROOT [MAX [ROLLBACK]]' >&2; exit 64; }
[ "$(id -u)" -eq 0 ] || { echo 'strace-loop: needs root' >&2; exit 69; }
command -v strace >/dev/null || { echo 'strace-loop: needs strace' >&2; exit 69; }
if [ -z "${STRACE_LOOP_INSIDE-}" ]; then
	tmp=$(mktemp -d /var/tmp/backout-strace-XXXXXX)
	trap 'rmdir "$tmp"' EXIT
	trap 'exit 1' HUP INT TERM
	# strace and what it traces on one processor: between two, each stop costs five times as much.
	STRACE_LOOP_INSIDE=$tmp taskset -c "$(taskset -pc $$ | sed 's/.*[ ,-]//')" \
		unshare --mount --pid --fork --kill-child "$0" "$@"
	exit
fi
root=$(realpath "$1") max=${2:-40}
install='dpkg --install --force-confdef --force-confnew'
rollback=${3:-"rm -f /etc/demo/extra.conf; $install /srv/demo/demo_1.deb"}
patch="$install /srv/demo/demo_2.deb"
kinds='openat rename unlink mkdir rmdir link symlink chmod fchmod chown fchown ftruncate utimensat fsync write'

mount -t tmpfs -o mode=755 strace-loop "$STRACE_LOOP_INSIDE"
cd "$STRACE_LOOP_INSIDE"
mkdir lower m
if [ -d "$root" ]; then mount --bind "$root" lower; else mount -t erofs -o ro "$root" lower; fi

fresh() {
	mkdir u w
	mount -t overlay -o lowerdir=lower,upperdir=u,workdir=w,index=on,xino=on overlay m
	mount --bind /dev m/dev
}
drop() {
	umount m/dev m
	rm -rf u w
}

# Names, types, modes, owners and links of all in the folders that were written to; contents of what
# was written. What stands beside them in ROOT is the same by construction.
ours='-path ./var/log -o -name status-old -o -path ./tmp -o -path ./dev'
look() { # where
	cd "$1"
	# shellcheck disable=SC2086 # lists of names and of find's own words
	find $dirs -maxdepth 1 \( $ours \) -prune -o -printf '%p %y %m %U %G %l\n' 2>/dev/null | LC_ALL=C sort -u
	# shellcheck disable=SC2086
	md5sum $files 2>/dev/null
	cd ..
}
residue() {
	# shellcheck disable=SC2086
	dirs=$(cd u && find . \( $ours \) -prune -o -type d -print)
	# shellcheck disable=SC2086
	files=$(cd u && find . \( $ours \) -prune -o -type f -print)
	look lower >was
	look m >is
	! diff was is >differs
}

# strace counts N for each process by itself; an openat that only reads is no point.
fresh
strace -f -qq -o calls -e "trace=$(echo "$kinds" | tr ' ' ,)" chroot m sh -ec "exec $patch" >/dev/null 2>&1 </dev/null
awk -v kinds="$kinds" '
	{ kind = $2; sub(/[(].*/, "", kind); n = ++count[$1, kind] }
	kind != "openat" || /O_(WRONLY|RDWR|CREAT|TRUNC)/ { point[kind, n] = 1; if (n > most[kind]) most[kind] = n }
	END { k = split(kinds, name, " ")
		for (i = 1; i <= k; i++) for (n = 1; n <= most[name[i]]; n++)
			if ((name[i], n) in point) print name[i], n }' calls >counted
drop
all=$(wc -l <counted)
[ "$max" -lt "$all" ] || max=$all
awk -v all="$all" -v max="$max" 'int(NR * max / all) > int((NR - 1) * max / all)' counted >points

now() { date +%s.%N; }
clean=0 left=0 failed=0 unfelt=0 ill=0 begin=$(now)
while read -r kind n; do
	fresh
	status=0 back=0
	strace -f -qq -o /dev/null -e "trace=$kind" -e "inject=$kind:signal=KILL:when=$n" \
		chroot m sh -ec "exec $patch" >/dev/null 2>&1 </dev/null || status=$?
	chroot m sh -ec "$rollback" >log 2>&1 </dev/null || back=$?
	[ $status -ne 0 ] || unfelt=$((unfelt + 1))
	# Each in a shell of its own, as probes are.
	chroot m sh -ec demo >/dev/null 2>&1 </dev/null &&
		[ -z "$(chroot m sh -ec 'dpkg --audit' 2>&1 </dev/null)" ] || ill=$((ill + 1))
	: >differs
	if [ $back -ne 0 ]; then failed=$((failed + 1))
	elif residue; then left=$((left + 1))
	else clean=$((clean + 1)); fi
	if [ -n "${KEEP-}" ]; then
		echo "$kind $n patch=$status rollback=$back $(sed -n 's/^\([<>]\) /\1/p' differs | cut -d ' ' -f 1-2 | tr '\n' ';')" >>"$KEEP"
	fi
	drop
done <points
awk -v b="$begin" -v e="$(now)" -v n="$max" -v all="$all" -v c="$clean" -v l="$left" -v f="$failed" -v u="$unfelt" -v i="$ill" 'BEGIN {
	printf "strace loop: %d of %d points in %.1f s on one core: %.1f points a second and core\n", n, all, e - b, n / (e - b)
	printf "  came back %d, left residue %d, rollback failed %d, unhealthy %d (the patch ended well in %d)\n", c, l, f, i, u }'
