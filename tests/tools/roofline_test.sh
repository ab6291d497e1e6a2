#!/bin/bash
# usage: roofline_test.sh ROOFLINE: docs/roofline.md is what the program writes. With
# KINGLET_UPDATE_GOLDEN set it becomes that.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -n "${KINGLET_UPDATE_GOLDEN:-}" ]; then "$1" limits >docs/roofline.md; fi
"$1" limits | diff -u docs/roofline.md -
