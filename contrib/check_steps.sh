# shellcheck shell=sh
# The steps of ./check: each calls `add PASSED FAILED` and says on its output
# what failed.  $results is the folder for what they leave behind.

: "${results:?}"

build_all() {
	if build_tree build-check --enable-werror && build_tests build-check
	then
		add 1 0
	else
		add 0 1
	fi
}

asan_build() {
	nice -n 10 sh -c '. contrib/build.sh
	    build_tree build-asan --enable-asan && build_tests build-asan' ||
	    add 0 1
}

# Counts the single tests in the logs of `make check`; a program that ended
# without saying how it went is one failure.
unit_tests() { # FOLDER
	rm -f "$1"/tests/unit/*.log "$1"/tests/unit/*.trs
	if ! make -C "$1" -j"$(nproc)" -k check >"$1/unit.log" 2>&1 &&
	    ! ls "$1"/tests/unit/*.trs >/dev/null 2>&1; then
		tail -n 30 "$1/unit.log"
		add 0 1
	fi
	for result in "$1"/tests/unit/*.trs; do
		[ -e "$result" ] || continue
		output=${result%.trs}.log
		good=$(count PASSED "$output")
		bad=$(count FAILED "$output")
		if ! grep -q '^:global-test-result: PASS' "$result" &&
		    [ "$bad" -eq 0 ]; then
			bad=1
		fi
		if [ "$bad" -gt 0 ]; then
			tail -n 25 "$output"
		fi
		add "$good" "$bad"
	done
}

count() { # WORD FILE: what cmocka says of a program's tests
	sed -n 's/^\[  '"$1"'  \] \([0-9]*\) test.*/\1/p' "$2" |
	    awk '{ n += $1 } END { print n + 0 }'
}

lint() {
	for script in tests/lint/*; do
		[ -f "$script" ] && [ -x "$script" ] || continue
		if BUILD=$PWD/build-check nice -n 10 "$script" \
		    >"$results/lint.log" 2>&1; then
			add 1 0
		else
			echo "FAILED $script"
			cat "$results/lint.log"
			add 0 1
		fi
	done
}

# pytest's own summary is for people; the counts come from its XML.  The tests
# wait more than they work, so one more runs than there are processors, and one
# more where no other lane goes beside them.
pytest_folder() { # FOLDER BUILD
	xml=$results/$2-$1.xml
	more=1
	[ "$2" != build-asan ] || more=2
	BUILD=$PWD/$2 timeout --foreground -k 60 900 /usr/bin/python3 -m pytest -q \
	    -p no:cacheprovider -n $(($(nproc) + more)) --maxfail=20 \
	    --junitxml "$xml" "tests/$1"
	status=$?
	if [ ! -s "$xml" ]; then
		echo "tests/$1 ended with status $status and no result"
		add 0 1
		return
	fi
	# shellcheck disable=SC2046 # two numbers
	add $(python3 - "$xml" <<'P'
import sys, xml.etree.ElementTree as tree
suites = tree.parse(sys.argv[1]).getroot().iter('testsuite')
good = bad = 0
for suite in suites:
    n = {k: int(suite.get(k, 0)) for k in ('tests', 'failures', 'errors', 'skipped')}
    wrong = n['failures'] + n['errors']
    bad += wrong
    good += n['tests'] - wrong - n['skipped']
print(good, bad)
P
)
}

# Each part counts in a line of its own: `N attacks, M through`, or
# `N passed, M failed`.
redteam() {
	timeout --foreground -k 60 900 make -C build-check -j5 -Otarget -k \
	    redteam >"$results/redteam.log" 2>&1
	status=$?
	lines=$(grep -E '^[0-9]+ (attacks|passed), [0-9]+ (through|failed)$' \
	    "$results/redteam.log")
	if [ -z "$lines" ]; then
		tail -n 20 "$results/redteam.log"
		add 0 1
		return
	fi
	echo "$lines"
	# What went through is one of the attacks; what failed is none of the passed.
	# shellcheck disable=SC2046 # two numbers
	add $(echo "$lines" | awk '{ good += $1; bad += $3 }
	    /attacks/ { good -= $3 } END { print good, bad }')
	if [ "$status" -ne 0 ]; then
		grep -E 'WRONG|THROUGH|FAILED|BROKEN|NO ANSWER' \
		    "$results/redteam.log" | grep -v '^all walls off' | tail -n 20
		tail -n 5 "$results/redteam.log"
		echo "$lines" | grep -q ', [1-9]' || add 0 1
	fi
}
