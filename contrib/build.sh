# shellcheck shell=sh
# What ./demo and ./check share: finding and installing build dependencies,
# and building out of tree.  Sourced, from the top of the tree.

# Packages of the given sections of etc/packages that are not installed.
dependencies_missing() {
	for section; do
		sed -n "s/^$section	//p" etc/packages
	done | while read -r package; do
		case $(dpkg-query -W -f '${db:Status-Status}' "$package" \
		    2>/dev/null) in
		installed) ;;
		*) echo "$package" ;;
		esac
	done
}

# Installs without letting any package start a service; what was there of
# policy-rc.d before is put back, however this ends.
dependencies_install() (
	policy=/usr/sbin/policy-rc.d
	saved=
	if [ -e $policy ] || [ -L $policy ]; then
		saved=$policy.firnmail.$$
		mv $policy "$saved"
	fi
	restore() {
		rm -f $policy
		[ -z "$saved" ] || mv "$saved" $policy
	}
	trap restore EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
	if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
		apt-get update || return 1
	fi
	install() {
		DEBIAN_FRONTEND=noninteractive apt-get install -y \
		    --no-install-recommends "$@"
	}
	# Lists may be older than the mirror.
	install "$@" || { apt-get update && install "$@"; }
)

# Makes sure that the packages of the given sections are there.
dependencies() {
	if ! command -v dpkg-query >/dev/null 2>&1; then
		echo "no dpkg here: the needed packages are in etc/packages" >&2
		return 0
	fi
	missing=$(dependencies_missing "$@" | tr '\n' ' ')
	[ -n "$missing" ] || return 0
	line="apt-get install --no-install-recommends $missing"
	if [ "$(id -u)" != 0 ]; then
		echo "Packages are missing. As root:" >&2
		echo "    $line" >&2
		return 1
	fi
	echo "installing: $missing"
	# shellcheck disable=SC2086 # one word a package
	if ! dependencies_install $missing >apt.log 2>&1 </dev/null; then
		tail -n 20 apt.log >&2
		echo "this failed: $line" >&2
		return 1
	fi
	rm -f apt.log
}

# build_tree FOLDER CONFIGURE-ARGUMENTS...: configures where the arguments or
# the build system changed, and builds. What was said is in FOLDER/build.log.
build_tree() {
	folder=$1
	shift
	mkdir -p "$folder"
	log=$folder/build.log
	: >"$log"
	if [ ! -x configure ] || [ -n "$(find configure.ac Makefile.am ./*/*.mk \
	    tests/*/*.mk -newer configure)" ]; then
		autoreconf -fi >>"$log" 2>&1 || build_failed || return 1
	fi
	if [ ! -f "$folder/Makefile" ] ||
	    [ -n "$(find configure -newer "$folder/Makefile")" ] ||
	    [ "$*" != "$(cat "$folder/configured-with" 2>/dev/null)" ]; then
		top=$PWD
		(cd "$folder" && "$top/configure" "$@") >>"$top/$log" 2>&1 ||
		    build_failed || return 1
		echo "$*" >"$folder/configured-with"
	fi
	make -C "$folder" -j"$(nproc)" >>"$log" 2>&1 || build_failed
}

# build_tests FOLDER: what else `make check` builds, after build_tree.
build_tests() {
	log=$1/build.log
	make -C "$1" -j"$(nproc)" check TESTS= >>"$log" 2>&1 || build_failed
}

build_failed() {
	tail -n 30 "$log" >&2
	echo "the build failed; all of it is in $log" >&2
	return 1
}
