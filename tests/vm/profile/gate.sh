#!/usr/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
#
# A service whose health a test decides: /up answers 404 in the slot that /var/gate names ("a", "b"
# or "ab"), 200 in the other. Which slot runs shows in the partitions below the verity device.

box=/usr/bin/busybox
$box mkdir -p /run/gate
if $box grep -q PARTNAME=root-a /sys/block/dm-0/slaves/*/uevent; then slot=a; else slot=b; fi
if ! $box grep -qs "$slot" /var/gate; then
	: >/run/gate/up
fi
exec $box httpd -f -p 127.0.0.1:8080 -h /run/gate
