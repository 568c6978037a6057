#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=600
#
# Keys and bundles from outside: making keys, signing here and elsewhere, several trusted keys,
# rotation, `keelson verify` of everything that can be changed, releases.

set -u
export LC_ALL=C.UTF-8
PATH=$PATH:/usr/sbin:/sbin
for program in sfdisk veritysetup openssl mkfs.erofs mkfs.ext4 mcopy dpkg-deb fsck.erofs; do
	command -v "$program" >/dev/null || {
		echo "1..0 # SKIP no $program"
		exit 0
	}
done

work=$(mktemp -d /tmp/keelson-keys-test.XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir "$work/programs"
for program in rootfs-spec/keelson rootfs-spec/keelson-pause init/keelson-init svc/keelson-log init/keelson-slot svc/keelctl; do
	cp "$KEELSON_BUILD/$program" "$work/programs/"
done
keelson=$work/programs/keelson
log=$work/log
cd "$work" || exit 1

count=0
failed=0
ok() {
	local name=$1
	shift
	count=$((count + 1))
	if "$@" >"$log" 2>&1; then
		echo "ok $count - $name"
	else
		failed=$((failed + 1))
		echo "not ok $count - $name"
		sed 's/^/# /' "$log"
	fi
}
# wrong NAME PATTERN COMMAND... - the command exits with 1 and says PATTERN.
wrong() {
	local name=$1 pattern=$2
	shift 2
	_wrong() {
		"$@"
		[ $? = 1 ] && grep -Eq "$pattern" "$log"
	}
	ok "$name" _wrong "$@"
}

# spec NAME KEYS MOTD
spec() {
	cat >"$1.yaml" <<-END
		keelson: 1
		name: keys-test
		version: "$1"
		keys: [$2]
		packages: {dependencies: false, install: [libseccomp2]}
		files: [{to: /etc/motd, content: "$3"}]
		disk: {state: 16MiB, esp: 33MiB}
		slots: {size: 24MiB}
		services:
		  one: {kind: oneshot, exec: [/usr/bin/keelctl, status]}
	END
}
build() {
	"$keelson" build --quiet --programs "$work/programs" "$@"
}
verify() {
	"$keelson" verify "$@"
}

# ---- keys ----

new_key() {
	"$keelson" key new old && "$keelson" key new new --bits 4096 && "$keelson" key new other || return
	[ "$(stat -c %a old.key)" = 600 ] && [ -z "$(ls -d ./*.key.*)" ] &&
		openssl x509 -in new.pem -noout -text | tee /dev/stderr | grep -q 'Public-Key: (4096 bit)' &&
		openssl x509 -in old.pem -noout -text | grep -q 'Signature Algorithm: sha256WithRSA' &&
		openssl x509 -in old.pem -noout -ext subjectKeyIdentifier,keyUsage | grep -q 'Digital Signature' &&
		openssl x509 -in old.pem -noout -subject | grep -q 'CN = old'
}
ok "a key is made, that only its owner can read, with a certificate" new_key
cp old.key kept
wrong "a key is never overwritten" 'old.key: File exists' "$keelson" key new old
ok "... and is as it was" cmp old.key kept
touch half.pem
wrong "a certificate is never overwritten" 'half.pem: File exists' "$keelson" key new half
ok "... and no key is left" test ! -e half.key
wrong "a key cannot pass for the development key" 'is no name of a key' "$keelson" key new 'keelson development key'
# shellcheck disable=SC2016
wrong "a name is not taken for configuration" 'is no name of a key' "$keelson" key new 'a$ENV::HOME'

# ---- an image and who it trusts ----

spec a old.pem one
spec b 'old.pem, new.pem, old.pem' two
spec c 'old.pem, new.pem' three
spec d new.pem four
sed '/^keys/d' a.yaml >plain.yaml
made() {
	build a.yaml -o a --key old.key --cert old.pem && build b.yaml -o b --key old.key --cert old.pem &&
		build c.yaml -o c --key new.key --cert new.pem && build d.yaml -o d --key new.key --cert new.pem
}
ok "images are built that trust one key and two" made
[ -s d/manifest.json ] || {
	echo "1..$count"
	exit 1
}
trusted() {
	[ "$(ls b/trusted-*)" = "$(printf 'b/trusted-%s.der\n' 0 1)" ] &&
		cmp b/trusted-1.der <(openssl x509 -in new.pem -outform DER) &&
		fsck.erofs --extract="$work/root" b/root.erofs >/dev/null &&
		cmp root/usr/lib/keelson/keys/0.der b/trusted-0.der && cmp root/usr/lib/keelson/keys/1.der b/trusted-1.der &&
		"$keelson" show --plan b/node.plan | grep -x 'keys: /usr/lib/keelson/keys/0.der /usr/lib/keelson/keys/1.der' &&
		"$keelson" show --plan b/boot.plan | grep -x 'keys: /keelson/keys/0.der /keelson/keys/1.der' &&
		python3 -c 'import json
m = json.load(open("b/manifest.json"))
assert m["key_name"] == "old" and not m["development_key"] and m["signed"] and not m["release"], m
assert [k["name"] for k in m["trusted_keys"]] == ["old", "new"], m'
}
ok "each key is once in the root, in both plans and in the manifest" trusted
wrong "an image that its own keys did not sign is not built" 'lock its nodes out' \
	build d.yaml -o x --key old.key --cert old.pem
wrong "a key that is not the certificate's is refused" 'old.key is not the key of new.pem' \
	build d.yaml -o x --key old.key --cert new.pem
sed 's/^keys.*/keys: [nowhere.pem]/' a.yaml >x.yaml
wrong "a missing certificate is told with its place" 'x.yaml:4:8: error: .*nowhere.pem: No such file' build x.yaml -o x
sed 's/^keys.*/keys: [a.yaml]/' a.yaml >x.yaml
wrong "a file that is no certificate is refused" 'read a certificate' build x.yaml -o x

# ---- verify ----

ok "a whole image verifies" verify a
ok "... by the certificate that one has, too" verify a --cert old.pem
wrong "... not by another" 'not trusted' verify a --cert new.pem
ok "a disk verifies" verify a/disk.img --cert old.pem
ok "... both of its slots" test "$(verify a/disk.img --cert old.pem | grep -c "signed by 'old'")" = 2
wrong "a disk cannot vouch for itself" 'cert is missing' verify a/disk.img

# flipped FILE OFFSET NAME PATTERN - one bit of the image's file changed.
flipped() {
	rm -rf flipped && cp -r --sparse=always a flipped
	python3 - "flipped/$1" "$2" <<-'END'
		import sys
		with open(sys.argv[1], "r+b") as file:
		    file.seek(int(sys.argv[2]))
		    byte = file.read(1)[0]
		    file.seek(int(sys.argv[2]))
		    file.write(bytes([byte ^ 1]))
	END
	wrong "$3 is noticed" "$4" verify flipped
}
start() { # of a partition, in bytes
	sfdisk --json a/disk.img | python3 -c 'import json, sys
print(next(p["start"] for p in json.load(sys.stdin)["partitiontable"]["partitions"] if p["name"] == sys.argv[1]) * 512)' "$1"
}
flipped header.bin 24 "a changed header" 'signature is wrong'
flipped header.bin 2100 "a changed signature" 'signature is wrong'
flipped header.bin 4000 "a byte behind the signature" 'behind the signature'
flipped root.erofs 70000 "a changed root" 'not the file that the manifest lists'
flipped initramfs.zst 100 "a changed initramfs" 'initramfs.zst is not the file'
flipped node.plan 100 "a changed plan" 'node.plan is not the file'
flipped disk.img $(($(start root-a) + 70000)) "a changed root of slot a on the disk" 'slot a: the root is not the one'
flipped disk.img $(($(start root-b-verity) + 4100)) "a changed tree of slot b on the disk" 'slot b: the hash tree'
flipped disk.img $(($(start root-b-header) + 2100)) "a changed signature on the disk" 'slot b: its header is not header.bin'
mixed() {
	rm -rf flipped && cp -r --sparse=always a flipped && cp b/root.* flipped/ && verify flipped
}
wrong "files of two builds are noticed" 'manifest lists|the header|two builds' mixed

# ---- bundles ----

ok "a bundle is made" "$keelson" bundle -q b -o b.bundle
ok "... and verifies" verify b.bundle --cert old.pem
wrong "... not by another key" 'not trusted' verify b.bundle --cert new.pem
ok "a delta is made" "$keelson" bundle -q b -o delta.bundle --delta-from a
ok "... and verifies with its base" verify delta.bundle --cert old.pem --delta-from a
wrong "... not without" 'is a delta' verify delta.bundle --cert old.pem
ok "... and is smaller" test "$(stat -c %s delta.bundle)" -lt "$(($(stat -c %s b.bundle) / 2))"
shown() { "$keelson" bundle --show delta.bundle | tee /dev/stderr | grep -qx 'kind       delta'; }
ok "a bundle can be looked at" shown
wrong "a bundle of what is no image is refused" 'is no image' "$keelson" bundle programs -o x

# ---- signing later, here and elsewhere ----

ok "an image is built with a certificate alone" build c.yaml -o later --cert new.pem
wrong "... and is not signed yet" 'not signed yet' verify later
wrong "... so no bundle is made of it" 'not signed yet' "$keelson" bundle -q later -o x
elsewhere() {
	"$keelson" sign later --cert new.pem --print-payload >payload && [ "$(stat -c %s payload)" = 2048 ] &&
		cmp payload <(head -c 2048 later/header.bin) &&
		openssl dgst -sha256 -sign new.key -out signature payload &&
		"$keelson" sign later --cert new.pem --attach signature && verify later && verify later/disk.img --cert new.pem
}
ok "a signature that was made elsewhere is attached" elsewhere
ok "... and the image is the one that was signed here, in every byte" diff -r later c
wrong "another signature is not" 'no signature of this image' "$keelson" sign later --cert new.pem --attach payload
wrong "the signature of another key is not" 'no signature of this image' "$keelson" sign later --cert old.pem --attach signature

again() {
	cp -r --sparse=always c again && "$keelson" bundle -q again -o again.bundle &&
		"$keelson" sign again --cert old.pem --key old.key --bundle again.bundle &&
		verify again --cert old.pem && verify again.bundle --cert old.pem && verify again/disk.img --cert old.pem &&
		grep -q '"key_name": "old"' again/manifest.json && cmp again/root.erofs c/root.erofs &&
		"$keelson" sign again --cert new.pem --key new.key --bundle again.bundle && diff -r again c
}
ok "an image is signed anew, with its disk and its bundle, and back again" again
wrong "a bundle of another image is left alone" 'is no bundle of' \
	"$keelson" sign again --cert new.pem --key new.key --bundle b.bundle
wrong "an image is not signed with a key that it does not trust" 'lock its nodes out' \
	"$keelson" sign a --cert other.pem --key other.key
rm -rf flipped && cp -r --sparse=always a flipped && cp b/root.verity flipped/root.verity
wrong "a damaged image is not signed" 'hash tree is not that' "$keelson" sign flipped --cert old.pem --key old.key

# ---- rotation ----

ok "nodes follow from old to new in four steps" "$keelson" key rotate a b c d --loader-follows
wrong "not while the boot loader starts the first initramfs" 'boot loader.*would not boot c' "$keelson" key rotate a b c d
wrong "not without the step that trusts both" 'a would not install d' "$keelson" key rotate a d --loader-follows
wrong "not back" 'd would have no way back to b' "$keelson" key rotate a b d --loader-follows

# ---- releases ----

ok "the development key is marked" sh -c "$keelson build -q --programs programs plain.yaml -o dev && grep -q '\"development_key\": true' dev/manifest.json && $keelson verify dev | grep 'proves nothing'"
wrong "a release refuses the development key" 'a release cannot be signed with the development key' build --release plain.yaml -o x
sed 's/^disk:/image: {release: true}\ndisk:/' plain.yaml >release.yaml
wrong "... when the spec says so, with the place" 'release.yaml:[0-9]+:[0-9]+: error: a release' build release.yaml -o x
sed "s,^keys.*,keys: [old.pem\, $KEELSON_CACHE/keys/development.der]," a.yaml >x.yaml
wrong "... and to trust it" 'made to trust the development key' build --release x.yaml -o x --key old.key --cert old.pem
ok "a release is built with another key" build release.yaml -o release --key old.key --cert old.pem
ok "nothing is left of what was refused" test ! -e x

echo "1..$count"
[ "$failed" = 0 ]
