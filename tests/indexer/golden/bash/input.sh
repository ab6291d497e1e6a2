#!/usr/bin/env bash
# Builds rings.
set -euo pipefail
source ./lib/common.sh
. "$HOME/.ringrc"

readonly SIZE=16
export RING_PATH="${RING_PATH:-/var/ring}" RING_MODE=fast
declare -A slots=([a]=1)
name=ring
alias ll='ls -l'

# Says something.
# To stderr.
say() {
  local message=$1
  printf '%s\n' "$message" >&2
}

function push {
  local entry
  entry=$(read_entry "$1")
  slots[$entry]=$SIZE
  inner() { say "$entry"; }
  inner
}

function main() (
  for file in "$@"; do
    push "$file" | grep -q ring || die "no ring in $file"
  done
)

test_push() { [[ $(push a) == b ]]; }

if [ -n "$name" ]; then
  conditional() { :; }
fi
main "$@"
