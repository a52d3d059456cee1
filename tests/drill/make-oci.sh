#!/bin/sh
# SPDX-License-Identifier: MIT
# make-oci.sh TREE OUT: an OCI layout of two layers, of which the second takes back what the first
# has too much; OUT.save: the same as older versions of `docker save` wrote it.
set -eu
tree=$1 out=$2
case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
work=$out.work
mkdir -p "$out/blobs/sha256" "$out.save" "$work/more/etc" "$work/more/opt/old" "$work/top/opt/old"
echo 'too much' >"$work/more/etc/gone"
echo 'too much' >"$work/more/opt/old/file"
: >"$work/top/.wh.absent"
mkdir "$work/top/etc" && : >"$work/top/etc/.wh.gone"
: >"$work/top/opt/old/.wh..wh..opq"
echo 'by the second layer' >"$work/top/opt/old/new"
tar -C "$tree" --numeric-owner -cf "$work/1.tar" .
tar -C "$work/more" --owner=0 --group=0 -rf "$work/1.tar" ./etc/gone ./opt/old
tar -C "$work/top" --owner=0 --group=0 -cf "$work/2.tar" .
gzip -1nk "$work/1.tar" && zstd -q -1 -k "$work/2.tar"

# blob FILE: under its digest; prints that
blob() {
	d=$(sha256sum "$1" | cut -d' ' -f1)
	mv "$1" "$out/blobs/sha256/$d"
	echo "$d"
}
size() { stat -c %s "$out/blobs/sha256/$1"; }
id1=$(sha256sum "$work/1.tar" | cut -d' ' -f1) id2=$(sha256sum "$work/2.tar" | cut -d' ' -f1)
l1=$(blob "$work/1.tar.gz") l2=$(blob "$work/2.tar.zst")
printf '{"architecture":"%s","os":"linux","config":{"Env":["A=b"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s","sha256:%s"]}}' \
	"$arch" "$id1" "$id2" >"$work/config"
cp "$work/config" "$work/saved"
c=$(blob "$work/config")
type=application/vnd.oci.image
printf '{"schemaVersion":2,"config":{"mediaType":"%s.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"%s.layer.v1.tar+gzip","digest":"sha256:%s","size":%s},{"mediaType":"%s.layer.v1.tar+zstd","digest":"sha256:%s","size":%s}]}' \
	$type "$c" "$(size "$c")" $type "$l1" "$(size "$l1")" $type "$l2" "$(size "$l2")" >"$work/manifest"
m=$(blob "$work/manifest")
printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json","digest":"sha256:%s","size":1,"platform":{"os":"linux","architecture":"nothing-real"}},{"mediaType":"%s.manifest.v1+json","digest":"sha256:%s","size":%s,"platform":{"os":"linux","architecture":"%s"}}]}' \
	$type "$c" $type "$m" "$(size "$m")" "$arch" >"$out/index.json"
echo '{"imageLayoutVersion":"1.0.0"}' >"$out/oci-layout"

mkdir "$out.save/one" "$out.save/two"
mv "$work/1.tar" "$out.save/one/layer.tar"
mv "$work/2.tar" "$out.save/two/layer.tar"
mv "$work/saved" "$out.save/$c.json"
printf '[{"Config":"%s.json","RepoTags":["drill:1"],"Layers":["one/layer.tar","two/layer.tar"]}]' "$c" \
	>"$out.save/manifest.json"
rm -r "$work"
