#!/bin/sh
# prepare.sh PACKAGE...: take the first PACKAGE of which apt offers two versions, and fetch into
# PACKAGE-upgrade beside this script what its drill needs and cannot ship: the real packages of both
# versions, and a throw-away signing key for the drill's own mirror. Run as root after
# `apt-get update`. Safe to repeat: a cache that is already right is kept.
# prepare.sh --set FOLDER PACKAGE...: fetch each PACKAGE as apt would install it now into FOLDER,
# for drills that install packages rather than upgrade one.
# stdout gets one line, the path of the scenario to run; all else goes to stderr.
set -eu
umask 022
scenarios=$(realpath "$(dirname "$0")")
caller=$PWD
exec 3>&1 >&2

say() { printf 'prepare.sh: %s\n' "$@"; }

fail() { # exit-code message...
    code=$1
    shift
    say "$@"
    exit "$code"
}

need() { # program package
    command -v "$1" >/dev/null || fail 69 "$1 is missing: apt-get install $2"
}

# Some hosts (containers above all) switch apt's binary caches off, and then each call takes
# seconds: have them in our own folder for the time of this script.
apt_cache() { apt-cache -o Dir::Cache::pkgcache="$scratch/pkgcache.bin" "$@"; }
apt_get() { apt-get -o Dir::Cache::pkgcache="$scratch/pkgcache.bin" "$@"; }

# Lines "package version" for all that this machine's apt sources offer of the named packages.
offered() {
    apt_cache madison "$@" | awk -F ' *[|] *' '$3 ~ / Packages$/ { gsub(/ /, "", $1); print $1, $2 }' | sort -u
}

# The highest version on stdin that is lower than $1 ("" = no bound).
highest_below() {
    best=
    while read -r v; do
        [ -z "$1" ] || dpkg --compare-versions "$v" lt "$1" || continue
        [ -z "$best" ] || dpkg --compare-versions "$v" gt "$best" || continue
        best=$v
    done
    printf '%s\n' "$best"
}

# "package=version" for the package itself and for those of its dependencies that carry the
# very same version: they are built from one source, and an upgrade moves them together.
moving_set() { # version
    deps=$(apt_cache show "$package=$1" | sed -n 's/^Depends: //p' | tr ',|' '[\n*]' | awk '{ print $1 }')
    # shellcheck disable=SC2086  # package names, one word each
    offered "$package" $deps | awk -v v="$1" '$2 == v { print $1 "=" $2 }'
}

# Make cache/$1 hold exactly the .debs named by $2, "package=version" or "package", for which
# people read $3.
fill() {
    # shellcheck disable=SC2086  # packages, one word each
    list=$(apt_get download --print-uris $2 |
        sed -n "s/^'[^']*' \\([^ ]*\\) [0-9]* SHA256:\\([0-9a-f]*\\).*/\\2  \\1/p")
    [ -n "$list" ] || fail 69 "apt names no archive for $3: run apt-get update, then try again"
    if [ -d "cache/$1" ] && (cd "cache/$1" && echo "$list" | sha256sum --check --status --strict 2>/dev/null) &&
        [ "$(find "cache/$1" -mindepth 1 | wc -l)" -eq "$(echo "$list" | wc -l)" ]; then
        echo "cache/$1: $3, already there"
        return
    fi
    # apt downloads as its own user _apt, which must be able to write the folder.
    mkdir "$scratch/$1"
    chown _apt "$scratch/$1"
    # shellcheck disable=SC2086
    (cd "$scratch/$1" && apt_get -q download $2) ||
        fail 69 "cannot download $3: is the network up, and is apt-get update recent?"
    (cd "$scratch/$1" && echo "$list" | sha256sum --check --quiet --strict) ||
        fail 69 "what apt downloaded for $3 has the wrong hash: apt-get update, then try again"
    rm -rf "cache/$1"
    mkdir -p "cache/$1"
    install -m 644 "$scratch/$1"/*.deb "cache/$1/"
    echo "cache/$1: $3, downloaded"
}

make_key() {
    if [ -s cache/keys/secret.asc ] && [ -s cache/keys/public.asc ]; then
        echo "cache/keys: signing key, already there"
        return
    fi
    export GNUPGHOME="$scratch/gnupg"
    mkdir -m 700 "$GNUPGHOME"
    gpg --batch --quiet --pinentry-mode loopback --passphrase '' \
        --quick-gen-key 'backout drill mirror' ed25519 sign never
    mkdir -p cache/keys
    gpg --batch --armor --export-secret-keys >"$scratch/secret.asc"
    gpg --batch --armor --export >"$scratch/public.asc"
    gpgconf --kill all
    install -m 600 "$scratch/secret.asc" cache/keys/secret.asc
    install -m 644 "$scratch/public.asc" cache/keys/public.asc
    echo "cache/keys: signing key, made"
}

[ $# -gt 0 ] || fail 64 "usage: prepare.sh PACKAGE... or prepare.sh --set FOLDER PACKAGE..."
[ "$(id -u)" -eq 0 ] || fail 69 "must run as root (apt downloads as its own user _apt)"
need apt-cache apt

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$scratch"

if [ "$1" = --set ]; then
    cd "$2"
    shift 2
    fill debs "$*" "$# packages"
    realpath --relative-to="$caller" scenario.json >&3
    exit
fi
need gpg "gpg gpg-agent"

for package; do
    versions=$(offered "$package" | cut -d ' ' -f 2)
    new=$(echo "$versions" | highest_below "")
    old=$(echo "$versions" | highest_below "$new")
    [ -z "$old" ] || break
    if [ -n "$new" ]; then
        say "apt offers only one version of $package ($new); an upgrade needs two."
    else
        say "apt knows no $package: has apt-get update been run?"
    fi
done
if [ -z "$old" ]; then
    others=
    for folder in "$scenarios"/*-upgrade; do
        name=${folder##*/}
        case " $* " in *" ${name%-upgrade} "*) ;; *) others="$others scenarios/$name" ;; esac
    done
    [ -z "$others" ] || say "Way out: drill another package:$others (scenarios/prepare-demo.sh chooses)."
    fail 69 "For a second version, add the release's security suite or an older snapshot to the apt" \
        "sources, run apt-get update, and try again."
fi
[ "$package" = "$1" ] || say "falling back to $package: scenarios/$package-upgrade is drilled instead."
cd "$scenarios/$package-upgrade"

fill old "$(moving_set "$old")" "$package $old"
fill new "$(moving_set "$new")" "$package $new"
make_key

printf '{"package":"%s","%s":{"old":"%s","new":"%s"}}\n' \
    "$package" "$package" "$old" "$new" >"$scratch/versions.json"
cmp -s "$scratch/versions.json" versions.json || install -m 644 "$scratch/versions.json" versions.json
echo "versions.json: $package $old -> $new"
realpath --relative-to="$caller" scenario.json >&3
