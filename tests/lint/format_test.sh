#!/bin/bash
# usage: format_test.sh SOURCE_DIR: every C++ file is as clang-format leaves it.
set -euo pipefail
cd "$1"
if ! git ls-files '*.cpp' '*.h' | xargs clang-format-14 --dry-run -Werror; then
  echo "not formatted: run ./dev format"
  exit 1
fi
