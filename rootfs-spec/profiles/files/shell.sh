#!/usr/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
#
# The shell of the debug profile's console: busybox under every name that it knows.

/usr/bin/busybox mkdir -p /run/busybox
/usr/bin/busybox --install -s /run/busybox
export PATH=/usr/sbin:/usr/bin:/run/busybox HOME=/root PS1='\h:\w\$ '
echo "keelson debug node: keelctl status, keelctl logs kubelet, ctr -n k8s.io containers ls"
exec sh
