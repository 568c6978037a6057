#!/usr/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
#
# The guest's side of tests/vm/harness/agent.py: reads `ID COMMAND` lines from the second serial
# port, the command in base64, and answers `KEELSON ID STATUS OUTPUT` with the output in base64.

box=/usr/bin/busybox
$box mkdir -p /run/agent
$box --install -s /run/agent
export PATH=/run/agent:/usr/sbin:/usr/bin HOME=/run

exec 0<>/dev/ttyS1 1>&0
stty raw -echo -hupcl

while read -r id command; do
	printf %s "$command" | base64 -d >/run/agent.command
	sh /run/agent.command >/run/agent.output 2>&1 </dev/null
	status=$?
	printf 'KEELSON %s %s %s\n' "$id" "$status" "$(base64 </run/agent.output | tr -d '\n')"
done
