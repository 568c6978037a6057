# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the scripts in ci/ share: progress lines, the cache, locks, packages of the machine, and
# Debian source packages. Source it; it changes to the root of the tree.
#
# Everything that is downloaded or built once lives in $KEELSON_CACHE. Once it is filled, nothing
# here needs a network.

set -euo pipefail
export LC_ALL=C.UTF-8 TZ=UTC DEBIAN_FRONTEND=noninteractive

KEELSON_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
KEELSON_CACHE=${KEELSON_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/keelson}
# Elapsed time counts from the outermost script of a run.
KEELSON_START=${KEELSON_START:-$(date +%s)}
export KEELSON_ROOT KEELSON_CACHE KEELSON_START
log_dir=$KEELSON_CACHE/log
cd "$KEELSON_ROOT"
mkdir -p "$KEELSON_CACHE/lock" "$log_dir"

# step TEXT... - one progress line with the time since the run began.
step() {
	local t=$(($(date +%s) - KEELSON_START))
	printf '[%02d:%02d] %s\n' $((t / 60)) $((t % 60)) "$*"
}

# help_text - the comment at the top of the script that runs.
help_text() {
	sed -n '4,/^$/s/^# \{0,1\}//p' "$KEELSON_ROOT/ci/${0##*/}"
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# try_step NAME COMMAND... - run COMMAND with its output in $log_dir/NAME.log and a line every 20 s
# while it runs. Returns its status.
# Within `if` or `||`, bash ignores errors in the middle of a COMMAND that is a function.
try_step() {
	local name=$1 log=$log_dir/$1.log pid status=0 t0=$SECONDS
	shift
	step "$name: started (log: $log)"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	while ! timeout 20 tail -s 0.1 --pid="$pid" -f /dev/null; do
		step "$name: running for $((SECONDS - t0)) s: $(tail -n 1 "$log" | tr -d '\r' | cut -c 1-60)"
	done
	wait "$pid" || status=$?
	if ((status)); then
		step "$name: FAILED with status $status after $((SECONDS - t0)) s"
	else
		step "$name: done in $((SECONDS - t0)) s"
	fi
	return "$status"
}

# long_step NAME COMMAND... - the same, but a failure shows the end of the log and ends the script.
long_step() {
	local errexit=$-
	set +e
	(
		set -e
		try_step "$@"
	)
	local status=$?
	if [[ $errexit == *e* ]]; then set -e; fi
	if ((status)); then
		printf 'end of %s:\n' "$log_dir/$1.log"
		tail -n 40 "$log_dir/$1.log" | sed 's/^/    /'
		exit "$status"
	fi
}

# lock NAME - hold $KEELSON_CACHE/lock/NAME until this shell and its children end.
lock() {
	local fd
	exec {fd}>"$KEELSON_CACHE/lock/$1"
	if ! flock -n "$fd"; then
		step "$1: waiting for another run that is making it"
		flock "$fd"
	fi
}

# digest - the hash of standard input.
digest() {
	sha256sum | cut -d ' ' -f 1
}

_missing_packages() {
	local package
	for package; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			printf '%s\n' "$package"
	done
}

_apt_update() {
	apt-get update -qq -o Acquire::Retries=3 || true # an unrelated source may be out of reach
	touch "$KEELSON_CACHE/apt-updated"
}

_apt_install() {
	apt-get install -q -y --no-install-recommends -o Acquire::Retries=3 \
		-o DPkg::Lock::Timeout=600 "$@"
}

# need_packages NAME... - install those of the machine's packages that are missing. The package
# lists are refreshed at most once an hour, or when an installation shows that they are stale.
need_packages() {
	local missing
	mapfile -t missing < <(_missing_packages "$@")
	((${#missing[@]})) || return 0
	if [ "$(id -u)" != 0 ]; then
		die "packages are missing; as root, run:
    apt-get update && apt-get install --no-install-recommends ${missing[*]}"
	fi
	(
		lock packages
		mapfile -t missing < <(_missing_packages "$@")
		((${#missing[@]})) || exit 0
		if [ -z "$(find "$KEELSON_CACHE/apt-updated" -mmin -60 2>/dev/null)" ]; then
			long_step apt-update _apt_update
		fi
		step "packages: ${missing[*]}"
		try_step apt-install _apt_install "${missing[@]}" && exit 0
		long_step apt-update _apt_update
		long_step apt-install _apt_install "${missing[@]}"
	)
}

# _source_entries DIR - the machine's own configured entries for Debian, turned into deb-src: the
# same addresses, suites and keys, so mirrors and pinned snapshots keep working. apt tells which
# entries are Debian's, as FILE:LINE for the one-line style and FILE:STANZA for deb822.
_source_entries() {
	local dir=$1 entry file at name
	# shellcheck disable=SC2016 # apt's own variable
	apt-get indextargets --format '$(SOURCESENTRY)' 'Created-By: Packages' 'Origin: Debian' |
		sort -u | while IFS= read -r entry; do
		file=${entry%:*} at=${entry##*:}
		name=$dir/$(printf '%s' "$entry" | tr -c 'a-zA-Z0-9' _)
		case $file in
		*.sources)
			sed '/^#/d' "$file" | awk -v RS= -v at="$at" 'NR == at' |
				sed 's/^Types:.*/Types: deb-src/' >"$name.sources"
			;;
		*)
			sed -n "${at}s/^[[:space:]]*deb[[:space:]]/deb-src /p" "$file" >"$name.list"
			;;
		esac
	done
}

# _private_apt COMMAND... - run an apt command on a private copy of apt's state that knows Debian's
# sources; the machine's own configuration stays as it is and no privilege is needed.
_private_apt() {
	local command=$1 apt=$KEELSON_CACHE/apt
	shift
	"$command" -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/sources" \
		-o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" \
		-o APT::Sandbox::User= -o Acquire::Retries=3 -o Acquire::Languages=none "$@"
}

_refresh_sources() {
	local apt=$KEELSON_CACHE/apt
	rm -rf "$apt/sources"
	mkdir -p "$apt/sources" "$apt/lists/partial" "$apt/cache/archives/partial"
	_source_entries "$apt/sources"
	if [ -z "$(ls -A "$apt/sources")" ]; then
		_apt_update # apt does not know yet whose its entries are
		_source_entries "$apt/sources"
	fi
	_private_apt apt-get update -qq
	touch "$apt/updated"
}

# The newest version whose files are there: lists may name an update before a mirror has its source.
_download_source() {
	local package=$1 into=$2 version
	cd "$into"
	for version in $(_private_apt apt-cache showsrc --only-source "$package" |
		sed -n 's/^Version: //p' | sort -urV); do
		_private_apt apt-get source -qq --download-only "$package=$version" && return 0
		rm -f -- *
	done
	echo "$package: no version of its source can be fetched"
	return 1
}

# debian_source PACKAGE DIR - unpack Debian's source package (its patches applied) as DIR.
# Downloads are kept in $KEELSON_CACHE/source; apt checks them against the signed Release file and
# dpkg-source against the .dsc again.
debian_source() {
	local package=$1 dir=$2 store=$KEELSON_CACHE/source/$1 dsc
	if ! compgen -G "$store/*.dsc" >/dev/null; then
		(
			lock sources
			if [ -z "$(find "$KEELSON_CACHE/apt/updated" -mmin -60 2>/dev/null)" ]; then
				long_step source-lists _refresh_sources
			fi
			rm -rf "$store" "$store.new"
			mkdir -p "$store.new"
			long_step "download-$package" _download_source "$package" "$store.new"
			mv "$store.new" "$store"
		)
	fi
	dsc=$(compgen -G "$store/*.dsc")
	rm -rf "$dir"
	mkdir -p "$(dirname "$dir")"
	dpkg-source --no-check -x "$dsc" "$dir" >/dev/null
}
