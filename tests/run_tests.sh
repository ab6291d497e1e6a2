#!/bin/bash
# usage: run_tests.sh BUILD LONG PATTERN
# Runs the tests that CTest knows and sums up: test cases passed, failed, skipped.
set -uo pipefail
build=$1 long=$2 pattern=$3
log=$build/Testing/Temporary/LastTest.log
labels=(-LE long)
[ "$long" = 1 ] && labels=()
ctest --test-dir "$build" "${labels[@]}" -R "$pattern" --output-on-failure --no-tests=error -j "$(nproc)"
status=$?

# doctest counts its cases; another test is one case, passed or failed as CTest says.
grep -h '^skipped: ' "$log" | sort -u
awk '
  /^\[doctest\] test cases:/ {
    for (i = 1; i <= NF; i++) {
      if ($(i + 1) ~ /^passed/) passed += $i
      if ($(i + 1) ~ /^failed/) failed += $i
    }
    counted = 1
  }
  /^skipped: / { skipped[$0] = 1 }
  /^Test (Passed|Failed)\./ {
    if (!counted) { if ($2 == "Passed.") passed++; else failed++ }
    counted = 0
  }
  /^Test (Timeout|Exception)/ { failed++; counted = 0 }
  END {
    n = 0
    for (line in skipped) n++
    printf "%d passed, %d failed, %d skipped\n", passed - n, failed, n
  }' "$log"
exit $status
