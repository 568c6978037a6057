#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# ci/boot refuses what it does not understand at once, names it, and starts nothing.

n=0 failed=0

# refuses TEXT ARGUMENT... : exit status 2 and TEXT in the message, within moments.
refuses() {
	local text=$1 output status
	shift
	n=$((n + 1))
	output=$(timeout 10 ci/boot "$@" 2>&1)
	status=$?
	if [ $status = 2 ] && [[ $output == *"$text"* ]]; then
		echo "ok $n - ci/boot $*"
	else
		failed=1
		echo "not ok $n - ci/boot $*"
		printf '# exit status %d, wanted 2 and "%s" in:\n%s\n' "$status" "$text" "$output"
	fi
}

refuses "unknown option: --profle" --profle minimal
refuses "unknown option: minimal" minimal
refuses "--profile needs a value" --profile
refuses "no spec 'nosuch'" --profile nosuch
refuses "debug minimal" --profile=nosuch
refuses "--timeout takes seconds, not '5min'" --timeout 5min
refuses "ci/boot --help" --consol

n=$((n + 1))
if ci/boot --help | grep -q -- '--until MILESTONE'; then
	echo "ok $n - ci/boot --help tells the options"
else
	failed=1
	echo "not ok $n - ci/boot --help tells the options"
fi
echo "1..$n"
exit $failed
