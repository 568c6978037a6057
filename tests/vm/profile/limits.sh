#!/usr/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
#
# What the services of limits.yaml do: limits.sh WORD.

box=/usr/bin/busybox

wait_forever() {
	exec $box sleep 100000
}

case $1 in
wait) wait_forever ;;
eater)
	$box sleep 100001 &
	$box sleep 100001 &
	exec $box dd if=/dev/zero of=/dev/null bs=200M count=1
	;;
parent)
	$box dd if=/dev/zero of=/dev/null bs=200M count=1
	echo "$?" >/run/parent.status
	wait_forever
	;;
glutton)
	# Each less than the kernel refuses at once, and all together more than there is.
	for n in 1 2 3 4 5 6 7 8; do
		$box dd if=/dev/zero of=/dev/null bs=100M count=100000 &
	done
	wait_forever
	;;
reader)
	while :; do $box cat /var/big >/dev/null; done
	;;
bomb)
	# shellcheck disable=SC2264 # that is what it is for
	bomb() { bomb | bomb & }
	bomb 2>/dev/null &
	wait_forever
	;;
spinner)
	while :; do :; done
	;;
delegate)
	# As a program that keeps a tree of its own does: leave the group, then distribute.
	own=/sys/fs/cgroup/delegate
	$box mkdir $own/part-$$ &&
		echo $$ >$own/part-$$/cgroup.procs &&
		echo "+memory +pids" >$own/cgroup.subtree_control &&
		echo 30 >$own/part-$$/pids.max
	echo "$?" >/tmp/delegate.status
	$box sleep 100002 &
	wait_forever
	;;
talker)
	while :; do
		echo "tick of the talker, a line that is long enough to fill a file soon: $((n += 1))"
		$box usleep 20000
	done
	;;
esac
