#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh BUILD: runs suites of the test binaries in BUILD inside a VM: Debian 12's own kernel,
# systemd, pure cgroup v2, no network. By KVM where that works, else emulated.
#	VM_SUITES="unit:node drill:run scenario:hello"	instead of the short list; "all" for the long one
#	VM_SECONDS=600	the VM's whole life (10800 for "all"); one that takes longer is killed, a failure
#	BUILD/skips	what the host's lane skipped; such unit suites run here, whatever the list says
# The verdict is verdict.sh's. Needs root, qemu-system-x86.
set -eu
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
# Not unit:link: Linux 6.1 counts no frames that a cut node itself sends, and one test there is red.
short='unit:node unit:cgroup unit:limits unit:owner unit:orphans unit:injectors unit:filter drill:clock scenario:hello'
long="$("$build/tests/unit-tests" --list | grep -v '^image_build$' | sed 's/^/unit:/')
	$(for s in calls cli clock crash kept pairs points replay run safety shell sweep sweep_cut twins; do
		echo "drill:$s"; done)
	scenario:hello scenario:config-push scenario:sed-config scenario:symlink-switch scenario:tar-deploy"
suites=${VM_SUITES:-$short} most=600
[ "$suites" != all ] || { suites=$long most=10800; }
seconds=${VM_SECONDS:-$most}
skips=${VM_HOST_SKIPS:-$build/skips}
[ -z "${VM_HOST_SKIPS:-}" ] || [ -e "$skips" ] || { echo "vm: no $skips: did the host's lane run?" >&2; exit 1; }
if [ -e "$skips" ]; then
	suites="$suites $(sed -n 's|^skipped: tests/unit/test_\([a-z_]*\)[.]c .*|unit:\1|p' "$skips")"
fi

image=$(tests/vm/image.sh)
work=$(mktemp -d)
qemu=
# Only what we started, and by its number.
trap '[ -z "$qemu" ] || kill -9 "$qemu" 2>/dev/null || :; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# The guest's second disk is a tar archive: our programs, the tests' files, one cached root image.
mkdir "$work/share"
echo "$suites" | xargs -n 1 | awk '!seen[$0]++ { sub(":", " "); print }' > "$work/share/suites"
cp "$build/backout" "$build/tests/unit-tests" "$build/tests/drill-tests" "$work/share"
if grep -q '^scenario ' "$work/share/suites"; then
	"$build/backout" image build scenarios/hello/scenario.json > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
	for about in "${BACKOUT_STATE:-/var/lib/backout}"/images/*.json; do
		jq -e '.recipe | test("^debian bookworm [^ ]*$")' "$about" > /dev/null || continue
		mkdir -p "$work/share/images"
		ln -s "${about%.json}".* "$work/share/images"
	done
fi
tar -chf "$work/share.tar" -C "$work/share" . -C "$PWD" --exclude='scenarios/*/cache' \
	Makefile harness injectors reports scenarios tests

# /dev/kvm may be there and not work: a boot sector that writes 0 to the port of isa-debug-exit, which
# ends qemu with exit code 1, says so.
kvm_works() {
	{ printf '\260\000\346\364\364'; head -c 505 /dev/zero; printf '\125\252'; } > "$work/sector"
	code=0
	timeout 5 qemu-system-x86_64 -accel kvm -cpu host -nodefaults -display none \
		-device isa-debug-exit,iobase=0xf4,iosize=1 \
		-drive "file=$work/sector,format=raw,if=floppy,readonly=on" > /dev/null 2>&1 || code=$?
	[ "$code" -eq 1 ]
}
if [ -c /dev/kvm ] && kvm_works; then
	accel=kvm cpu=host times=1
else
	accel=tcg,thread=multi cpu=qemu64 times=5
fi
echo "vm: by ${accel%%,*}, at most $seconds s: $(tr '\n' ',' < "$work/share/suites")"
from=$(date +%s)
: > "$work/console"
: > "$work/results"
qemu-system-x86_64 -accel "$accel" -cpu "$cpu" -smp 2 -m 1536 -no-reboot -nodefaults -display none \
	-serial "file:$work/console" -serial "file:$work/results" \
	-drive "file=$image/root.img,format=raw,if=virtio,snapshot=on" \
	-drive "file=$work/share.tar,format=raw,if=virtio,readonly=on" \
	-kernel "$image/vmlinuz" -initrd "$image/initrd" -append "console=ttyS0 root=/dev/vda rw quiet \
		panic=-1 mitigations=off systemd.unit=vm-tests.service systemd.show_status=0 \
		systemd.setenv=CK_TIMEOUT_MULTIPLIER=$times" < /dev/null &
qemu=$!
late=
while kill -0 "$qemu" 2> /dev/null; do
	[ $(($(date +%s) - from)) -lt "$seconds" ] || { late="not done after $seconds s"; break; }
	sleep 0.5
done
[ -z "$late" ] || kill -9 "$qemu"
code=0
wait "$qemu" || code=$?
qemu=
[ -n "$late" ] || [ "$code" -eq 0 ] || late="qemu ended with $code"
cp "$work/console" "$build/vm-console.log"
cp "$work/results" "$build/vm-results.log"
status=0
tests/vm/verdict.sh "$work/share/suites" "$work/results" "$skips" || status=1
if [ -n "$late" ] || ! grep -qx end "$work/results"; then
	echo "the VM did not come to its end${late:+: $late}; its console's last lines:"
	tail -n 25 "$work/console"
	status=1
fi
echo "vm: $(($(date +%s) - from)) s"
exit $status
