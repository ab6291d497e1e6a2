#!/bin/bash
# usage: gpu.sh OUT [PEER]: all figures that docs/performance.md owes, from a machine with a GPU, in
# under ten minutes: builds, checks every kernel and whole passes on the GPU, makes models of real
# shapes, measures each, with PEER (as tests/bench/peer/get_peer.sh makes it) llama.cpp beside it.
# OUT/report.md is the result; models go to OUT/models and stay there for the next time.
#
# KINGLET_TEST_DEVICE is part of the GPU's name (default: NVIDIA, AMD or Intel, whichever is there);
# SHAPES and FORMATS are lists of make_gguf's, PREFILL and DEPTH of lengths, DECODE the tokens decoded.
set -euo pipefail
out=$(realpath -m "${1:?usage: gpu.sh OUT [PEER]}")
peer=${2:+$(realpath "$2")}
cd "$(dirname "$0")/../.."
shapes=${SHAPES:-phi-3.5-mini qwen2.5-coder-7b}
formats=${FORMATS:-Q4_K_M Q8_0}
decode=${DECODE:-64}
prefill=${PREFILL:-512,4096,32000}
depth=${DEPTH:-0,1024,4096,32000,65000}
seconds=${SECONDS_PER_ROW:-3}
build=build/dev
bin=$build/bin
mkdir -p "$out/models"

say() { printf '\n## %s (after %d s)\n\n' "$1" "$SECONDS" | tee -a "$out/report.md" >&2; }
: >"$out/report.md"

cmake --preset dev >"$out/build.log"
targets="kinglet make_gguf vulkan_test inference_gpu_test"
[ -z "$peer" ] || targets="$targets peer_speed_bench"
# shellcheck disable=SC2086 # a list
cmake --build $build --target $targets >>"$out/build.log"

device=${KINGLET_TEST_DEVICE:-}
if [ -z "$device" ]; then
  device=$("$bin/kinglet" doctor | grep -oi -e nvidia -e amd -e intel | head -n1 || true)
  [ -n "$device" ] || { echo "gpu.sh: no GPU; KINGLET_TEST_DEVICE names another device" >&2; exit 1; }
fi
export KINGLET_TEST_DEVICE=$device

say "Checks on $device"
checks=0
for check in "vulkan_test -ts=vulkan/operations*" \
  "inference_gpu_test -ts=inference/gpu/architectures*,inference/gpu/backend*,inference/gpu/decoding*" \
  "inference_gpu_test -ts=inference/gpu/paths*,inference/gpu/adapters*" \
  "inference_gpu_test -ts=inference/gpu/failures*"; do
  # shellcheck disable=SC2086 # a program and its argument
  if timeout 90 $bin/$check >"$out/check.log" 2>&1; then result=right; else result="WRONG, or too slow"; checks=1; fi
  echo "- \`$check\`: $result; $(grep 'assertions:' "$out/check.log" | tail -1)" >>"$out/report.md"
  [ "$result" = right ] || tail -40 "$out/check.log" >>"$out/report.md"
done

for shape in $shapes; do
  for format in $formats; do
    model=$out/models/$shape-$format.gguf
    [ -f "$model" ] || "$bin/make_gguf" --preset "$shape" --format "$format" --out "$model" >&2
    say "$shape, $format"
    "$bin/kinglet" bench "$model" --backend vulkan --device "$device" --prefill "$prefill" \
      --depth "$depth" --beyond-context --decode "$decode" --seconds "$seconds" --kernels --json >"$out/$shape-$format.json" ||
      echo "bench failed" >>"$out/report.md"
    tests/bench/table.py "$out/$shape-$format.json" >>"$out/report.md"
    if [ -n "$peer" ]; then
      tests/bench/run.sh $build speed "$peer" "$model" --backend vulkan --device "$device" --flash \
        --prefill "${prefill%,*}" --depth "${depth%,*}" --decode "$decode" >>"$out/report.md" ||
        echo "the peer failed" >>"$out/report.md"
    fi
  done
done
say "Done"
exit $checks
