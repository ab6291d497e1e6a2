#!/bin/bash
# usage: run.sh BUILD [engine] [ARGS]: what `./dev bench` runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
name=${2:-engine}
shift $(($# > 1 ? 2 : 1))
case $name in
  engine)
    cmake --build "$build" --target engine_bench >&2
    [ $# -gt 0 ] || set -- inference/starter_model/kinglet-starter.gguf
    exec "$build/bin/engine_bench" "$@"
    ;;
  *)
    echo "no such benchmark: $name (there is: engine)" >&2
    exit 2
    ;;
esac
