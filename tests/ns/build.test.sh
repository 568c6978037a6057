#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# keelson-test: timeout=600
#
# `keelson build` from outside: the same inputs give the same bytes whoever builds, where and with
# which cache; other people's tools accept what it made; bad input is refused and leaves nothing.

set -u
export LC_ALL=C.UTF-8
for program in modprobe sfdisk veritysetup openssl mkfs.erofs mksquashfs mkfs.ext4 mcopy dpkg-deb cpio zstd; do
	PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || {
		echo "1..0 # SKIP no $program"
		exit 0
	}
done
PATH=$PATH:/usr/sbin:/sbin

# In /tmp, where another user can reach it.
work=$(mktemp -d /tmp/keelson-build-test.XXXXXX)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir "$work/programs" "$work/first" "$work/second"
for program in rootfs-spec/keelson rootfs-spec/keelson-pause init/keelson-init svc/keelson-log init/keelson-slot svc/keelctl; do
	cp "$KEELSON_BUILD/$program" "$work/programs/"
done
keelson=$work/programs/keelson
log=$work/log

count=0
failed=0
# ok NAME COMMAND... - one result; what the command prints is shown when it fails, and is in $log for
# the next one.
ok() {
	local name=$1
	shift
	count=$((count + 1))
	if "$@" >"$log.new" 2>&1; then
		echo "ok $count - $name"
	else
		failed=$((failed + 1))
		echo "not ok $count - $name"
		sed 's/^/# /' "$log.new"
	fi
	mv "$log.new" "$log"
}

write_spec() {
	mkdir -p "$1/tree/sub"
	echo x >"$1/tree/sub/x"
	printf '#!/bin/x\n' >"$1/tree/run"
	chmod 755 "$1/tree/run"
	echo shown >"$1/shown"
	cat >"$1/node.yaml" <<-'END'
		keelson: 1
		name: build-test
		version: "1.2"
		packages:
		  dependencies: false
		  install:
		    - netbase: [/etc/protocols, /etc/services]
		    - libseccomp2
		    - kmod: [/usr/bin/kmod, /usr/sbin/modprobe]
		  exclude: [/usr/share/doc/**]
		files:
		  - {to: /etc/motd, content: "hello\n"}
		  - {to: /etc/shown, from: shown}
		  - {to: /usr/share/tree, tree: tree}
		  - {to: /etc/link, link: motd}
		  - {to: /opt/empty, directory: true, mode: 0700}
		pods:
		  images: [{name: "localhost/test:1", program: keelson-pause, to: /usr/share/test.tar}]
		image: {format: erofs, compression: lz4, budget: 8MiB}
		kernel:
		  package: linux-image-cloud-amd64
		  storage: [virtio_blk]
		  modules: [overlay]
		  on-demand: [vxlan, xt-comment]
		  cmdline: [quiet]
		disk: {state: 16MiB, esp: 33MiB}
		slots: {size: 24MiB}
		services:
		  one: {kind: oneshot, exec: [/usr/bin/keelctl, status]}
	END
}
write_spec "$work/first"
write_spec "$work/second"

build() {
	"$keelson" build --programs "$work/programs" "$@"
}

# ---- the same bytes ----

# By whoever runs the test, with the shared cache.
cd "$work/first" || exit 1
ok "an image is built" build node.yaml -o out
[ -s out/disk.img ] || {
	echo "1..$count"
	exit 1
}

# Again by an ordinary user: another cache with nothing but the packages and the key, no network,
# another directory, umask, time zone and locale, everything else from the beginning.
cache=$work/cache
mkdir -p "$cache/packages" "$cache/keys"
cp "$KEELSON_CACHE"/keys/development.* "$cache/keys/"
cp -r "$KEELSON_CACHE/packages/resolved" "$cache/packages/"
grep -o '"sha256": "[0-9a-f]*", "installed' out/manifest.json | cut -d '"' -f 4 |
	while read -r digest; do cp "$KEELSON_CACHE/packages/$digest.deb" "$cache/packages/"; done

as_user() {
	local -a other=()
	if [ "$(id -u)" = 0 ]; then
		chown -R 65534:65534 "$cache" "$work/second"
		other=(unshare --net setpriv --reuid 65534 --regid 65534 --clear-groups)
	fi
	(
		cd "$work/second" || exit 1
		umask 077
		"${other[@]}" env -i PATH=/usr/bin:/bin KEELSON_CACHE="$cache" TZ=Asia/Tokyo \
			LANG=de_DE.UTF-8 HOME=/nonexistent \
			"$keelson" build "$work/second/node.yaml" --output ./other/ \
			--programs "$work/programs" --fresh
	)
}
ok "an ordinary user builds without a network" as_user

same() {
	local name status=0
	[ "$(ls out)" = "$(ls "$work/second/other")" ] || status=1
	for name in out/*; do cmp "$name" "$work/second/other/${name#out/}" || status=1; done
	return $status
}
ok "both images are the same in every byte" same

unchanged() {
	build node.yaml -o out || return
	same
}
ok "building again over the old image changes nothing" unchanged

# ---- what others say of it ----

field() {
	python3 -c 'import json, sys
value = json.load(open("out/manifest.json"))
for key in sys.argv[1:]:
    value = value[key]
print(value)' "$@"
}

sbom() {
	python3 - <<-'END'
		import hashlib, json, re
		sbom, manifest = (json.load(open("out/" + name)) for name in ("sbom.spdx.json", "manifest.json"))
		assert sbom["spdxVersion"] == "SPDX-2.3" and sbom["SPDXID"] == "SPDXRef-DOCUMENT"
		assert sbom["creationInfo"]["created"] == "2020-01-01T00:00:00Z"
		assert re.fullmatch("urn:uuid:[0-9a-f-]{36}", sbom["documentNamespace"])
		parts = {part["SPDXID"]: part for part in sbom["packages"]}
		assert len(parts) == len(sbom["packages"]) and all(re.fullmatch("SPDXRef-[A-Za-z0-9.-]+", i) for i in parts)
		digest = {part["name"]: part["checksums"][0]["checksumValue"] for part in parts.values()}
		for package in manifest["packages"]:
		    assert digest[package["name"]] == package["sha256"], package
		kernel = next(part for part in parts.values() if part["name"] == "linux-image-" + manifest["kernel"]["release"])
		assert "&upstream=linux" in kernel["externalRefs"][0]["referenceLocator"], kernel
		root = hashlib.sha256(open("out/root.erofs", "rb").read()).hexdigest()
		assert digest["build-test"] == root and {"init", "keelctl", "keelson-log", "test.tar"} <= digest.keys()
		related = [one["relatedSpdxElement"] for one in sbom["relationships"]]
		assert sorted(related) == sorted(parts) and sbom["relationships"][0]["relationshipType"] == "DESCRIBES"
	END
}
ok "the SBOM names the image, every package and every program of it" sbom

ok "the hash tree belongs to the root" \
	veritysetup verify out/root.erofs out/root.verity "$(field root root_hash)"

signature() {
	head -c 2048 out/header.bin >"$work/header"
	tail -c +2049 out/header.bin | head -c 256 >"$work/signature"
	openssl x509 -inform DER -in out/key.der -noout -pubkey >"$work/public" || return
	openssl dgst -sha256 -verify "$work/public" -signature "$work/signature" "$work/header"
}
ok "openssl accepts the header's signature" signature
header() {
	od -An -v -tx1 "$work/header" | tr -d ' \n' | grep -q "$(field root root_hash)"
}
ok "the header names the root hash" header
ok "the file system is sound" fsck.erofs out/root.erofs

ok "the partition table is sound" sh -c 'sfdisk --verify out/disk.img | grep "No errors"'

# partition NAME FIELD
partition() {
	sfdisk --json out/disk.img | python3 -c 'import json, sys
table = json.load(sys.stdin)["partitiontable"]["partitions"]
print(next(p for p in table if p["name"] == sys.argv[1]).get(sys.argv[2], ""))' "$1" "$2"
}
slots() {
	local slot part file
	for slot in a b; do
		for part in root-$slot:root.erofs root-$slot-verity:root.verity root-$slot-header:header.bin; do
			file=out/${part#*:}
			cmp -n "$(stat -c %s "$file")" -i "$(($(partition "${part%:*}" start) * 512)):0" \
				out/disk.img "$file" || return
		done
	done
}
ok "both slots hold the image" slots
attributes() {
	[ "$(partition root-a attrs)" = GUID:49,52,53 ] && [ "$(partition root-b attrs)" = GUID:48,52,53 ] &&
		[ -z "$(partition root-a-verity attrs)$(partition state attrs)" ]
}
ok "slot a comes first, each has three tries, none is blessed" attributes

state() {
	dd if=out/disk.img of="$work/state" bs=1M skip="$(($(partition state start) / 2048))" \
		count="$(($(partition state size) / 2048))" status=none
	e2fsck -fn "$work/state"
}
ok "the state file system is clean" state
esp() {
	dd if=out/disk.img of="$work/esp" bs=1M skip="$(($(partition esp start) / 2048))" count=33 status=none
	fsck.vfat -n "$work/esp" && mtype -i "$work/esp" ::/loader/entries/keelson.conf >"$work/entry" || return
	cat "$work/entry"
	local vmlinuz initramfs
	vmlinuz=$(awk '$1 == "linux" { print $2 }' "$work/entry")
	initramfs=$(awk '$1 == "initrd" { print $2 }' "$work/entry")
	[ "$vmlinuz" = "/keelson/vmlinuz-$(sha256sum out/vmlinuz | cut -c -16)" ] &&
		mcopy -i "$work/esp" "::$vmlinuz" "$work/vmlinuz" && cmp "$work/vmlinuz" out/vmlinuz &&
		[ "$initramfs" = "/keelson/initramfs-$(sha256sum out/initramfs.zst | cut -c -16).zst" ] &&
		mcopy -i "$work/esp" "::$initramfs" "$work/initramfs" && cmp "$work/initramfs" out/initramfs.zst &&
		grep -qx "options panic=10 quiet" "$work/entry"
}
ok "the ESP holds kernel and initramfs, and the loader's entry names them" esp

initramfs() {
	zstd -dcq out/initramfs.zst | cpio -tv --quiet >"$work/list"
	cat "$work/list"
	! grep -v ' root *root ' "$work/list" && awk '{print $NF}' "$work/list" >"$work/names" &&
		diff - "$work/names" <<-END
			dev
			proc
			sys
			run
			root
			keelson
			keelson/keys
			keelson/modules
			dev/console
			init
			keelson/boot.plan
			keelson/keys/0.der
			$(grep '^keelson/modules/' "$work/names")
		END
}
ok "the initramfs holds what it must and nothing else" initramfs
ok "the initramfs is below 1 MiB" test "$(stat -c %s out/initramfs.zst)" -lt 1048576

root_files() {
	fsck.erofs --extract="$work/root" out/root.erofs >/dev/null || return
	(
		cd "$work/root" &&
			[ "$(readlink lib)" = usr/lib ] && [ "$(cat etc/motd)" = hello ] &&
			[ "$(readlink etc/link)" = motd ] && [ -x usr/share/tree/run ] &&
			[ ! -x usr/share/tree/sub/x ] && [ "$(stat -c %a opt/empty)" = 700 ] &&
			[ "$(stat -c %a tmp)" = 1777 ] && [ -f etc/services ] && [ ! -e etc/rpc ] &&
			[ ! -e usr/share/doc ] && [ -x usr/sbin/init ] && [ -L usr/sbin/reboot ] &&
			[ "$(find usr/lib/modules -name '*.ko' -printf '%f\n' | sort | xargs)" = \
				"ip6_udp_tunnel.ko overlay.ko udp_tunnel.ko vxlan.ko x_tables.ko xt_comment.ko" ] &&
			grep -q '^kernel/fs/overlayfs/overlay.ko:' usr/lib/modules/*/modules.dep &&
			cmp usr/lib/keelson/plan "$OLDPWD/out/node.plan" &&
			cmp usr/lib/keelson/keys/0.der "$OLDPWD/out/key.der" &&
			cmp usr/lib/keelson/vmlinuz "$OLDPWD/out/vmlinuz" &&
			cmp usr/lib/keelson/initramfs.zst "$OLDPWD/out/initramfs.zst" &&
			[ "$(cat usr/lib/keelson/cmdline)" = "panic=10 quiet" ] &&
			tar -tf usr/share/test.tar oci-layout index.json
	)
}
ok "the root holds what the spec says" root_files
# What the kernel asks modprobe for when somebody makes such a link or rule.
on_demand() {
	local release
	release=$(field kernel release) || return
	modprobe -d "$work/root" -S "$release" -C /dev/null --show-depends rtnl-link-vxlan &&
		modprobe -d "$work/root" -S "$release" -C /dev/null --show-depends ipt_comment &&
		! modprobe -d "$work/root" -S "$release" -C /dev/null --show-depends rtnl-link-geneve
}
ok "modprobe finds the modules on demand, and no others, by what the kernel calls them" on_demand

squashfs() {
	sed 's/format: erofs, compression: lz4/format: squashfs, compression: zstd/' node.yaml >squash.yaml
	build squash.yaml -o squash && build --fresh squash.yaml -o squash2 &&
		cmp squash/root.squashfs squash2/root.squashfs && unsquashfs -s squash/root.squashfs
}
ok "squashfs is reproducible, too" squashfs

own_key() {
	openssl req -x509 -newkey rsa:3072 -nodes -keyout own.key -out own.pem -subj /CN=own -days 9 || return
	build node.yaml -o signed --key own.key --cert own.pem || return
	[ "$(od -An -tu4 -j16 -N4 signed/header.bin | tr -d ' ')" = 384 ] &&
		cmp <(openssl x509 -in own.pem -outform DER) signed/key.der &&
		fsck.erofs --extract="$work/signed" signed/root.erofs >/dev/null &&
		cmp signed/key.der "$work/signed/usr/lib/keelson/keys/0.der" && cmp signed/key.der signed/trusted-0.der
}
ok "an image can be signed with one's own key" own_key

one_slot() {
	sed 's/slots: {size: 24MiB}/slots: {size: 24MiB, fill: a, epoch: 7}/' node.yaml >one.yaml
	mv out both
	build one.yaml -o out || return
	local bytes start
	bytes=$(stat -c %s out/root.erofs) start=$(partition root-b start)
	[ "$(partition root-a attrs)" = GUID:49,52,53 ] && [ -z "$(partition root-b attrs)" ] &&
		cmp -n "$bytes" -i "$((start * 512)):0" out/disk.img /dev/zero &&
		cmp -n 8192 -i "$(($(partition root-b-header start) * 512)):0" out/disk.img /dev/zero &&
		[ "$(od -An -tu8 -j24 -N8 out/header.bin | tr -d ' ')" = 7 ] && [ "$(field security_epoch)" = 7 ]
	local status=$?
	rm -rf out && mv both out
	return $status
}
ok "slot b can be left empty, and an image has a security epoch" one_slot

lock() {
	"$keelson" lock node.yaml && cat node.lock && build node.yaml -o locked && cmp out/disk.img locked/disk.img
}
ok "a locked build is the same as the one it was locked from" lock
outdated() {
	sed 's/- libseccomp2/- libzstd1/' node.yaml >moved.yaml
	cp node.lock moved.lock
	! build moved.yaml -o moved && [ ! -e moved ]
}
ok "an outdated lock is refused" outdated
ok "... and says what to do" grep -q 'keelson lock' "$log"

# ---- bad input ----

# refused NAME SED-SCRIPT PATTERN - the spec, changed, is refused with a message that has PATTERN at
# a place in the spec, and nothing is left behind.
refused() {
	local name=$1 script=$2 pattern=$3
	sed "$script" node.yaml >bad.yaml
	_refused() {
		! build bad.yaml -o bad 2>&1 || return 1
		! ls -d bad bad.tmp 2>/dev/null
	}
	ok "$name is refused" _refused
	_told() { cat "$log" && grep -Eq "$pattern" "$log"; }
	ok "$name is told" _told
}

refused "an unknown package" 's/- libseccomp2/- libseccmp2/' "bad.yaml:8:.*libseccmp2"
ok "... with the nearest name" grep -q "did you mean 'libseccomp2'" "$log"
refused "a file that a package does not have" 's,/etc/services,/etc/servces,' "bad.yaml:7:.*netbase.*/etc/servces"
refused "an unknown module" 's/\[overlay\]/[overlya]/' "bad.yaml:[0-9]+:.*overlya"
refused "an unknown module on demand" 's/\[vxlan,/[vxlna,/' "bad.yaml:[0-9]+:.*vxlna"
ok "... with the nearest name" grep -q "did you mean 'vxlan'" "$log"
refused "a module on demand without modprobe" 's!, /usr/sbin/modprobe!!' "bad.yaml:[0-9]+:.*/sbin/modprobe"
refused "a missing file" 's/from: shown/from: hidden/' 'bad.yaml:[0-9]+:.*hidden'
refused "a program that is not there" 's,/usr/bin/keelctl,/usr/bin/keelctrl,' 'bad.yaml:[0-9]+:.*keelctrl'
refused "an image over its budget" 's/budget: 8MiB/budget: 64KiB/' 'bad.yaml:[0-9]+:.*budget'
refused "an image larger than its slot" 's/size: 24MiB/size: 8MiB/' 'slot'

refused "a program that is nowhere" 's/from: shown/from: "program:nope"/' 'bad.yaml:[0-9]+:.*nope'

occupied() {
	mkdir -p mine && touch mine/precious
	! build node.yaml -o mine && [ -e mine/precious ]
}
ok "a directory that is no image is not replaced" occupied

missing_tool() {
	mkdir -p few && for tool in apt-get apt-cache dpkg-deb tar strip depmod openssl; do
		ln -sf "$(command -v $tool)" few/
	done
	sed 's/hello/other/' node.yaml >tool.yaml
	# /usr/sbin is always searched; mkfs.erofs is in /usr/bin.
	! PATH=$PWD/few "$keelson" build tool.yaml -o tool --programs "$work/programs" && [ ! -e tool ]
}
ok "a tool that is not installed is an error" missing_tool
ok "... that names it" grep -q 'mkfs.erofs is not installed' "$log"

ok "no scratch is left in the cache" test -z "$(ls "$cache/scratch")"

echo "1..$count"
[ "$failed" = 0 ]
