#!/bin/bash
# usage: gpu.sh OUT [PEER]: all figures that docs/performance.md owes, from a machine with a GPU: builds,
# then, in DEADLINE seconds and no more, checks every kernel and whole passes on the GPU, makes models
# of real shapes, measures each, with PEER (as tests/bench/peer/get_peer.sh makes it) llama.cpp beside
# it. OUT/report.md is the result; models go to OUT/models and stay there for the next time. What fails,
# and what there was no time for, is in the report, and the rest is measured all the same; the exit
# status is 1 then. What is owed most comes first: the first shape in the first format, the last in
# the last, the others, then the effects.
#
# KINGLET_TEST_DEVICE is part of the GPU's name (default: the first that is no software driver);
# SHAPES and FORMATS are lists of make_gguf's, PREFILL and DEPTH of lengths, DECODE the tokens decoded,
# DEADLINE the seconds after the build (540), CHECK_SECONDS what each check may take, PATIENCE how many
# times SECONDS_PER_ROW a row may take; EFFECT_PREFILL, EFFECT_DEPTH and KV_DEPTH are for the first model
# again, otherwise computed: operation by operation, with other caches, by other paths.
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
patience=${PATIENCE:-12}
deadline=${DEADLINE:-540}
[ "$deadline" -ge 20 ] || { echo "gpu.sh: DEADLINE is less than 20 s" >&2; exit 2; }
check_seconds=${CHECK_SECONDS:-150}
effect_prefill=${EFFECT_PREFILL:-512,4096}
effect_depth=${EFFECT_DEPTH:-4096}
kv_depth=${KV_DEPTH:-4096,32000}
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
SECONDS=0 # what takes long from here on is no compiler

device=${KINGLET_TEST_DEVICE:-}
if [ -z "$device" ]; then
  device=$("$bin/kinglet" doctor | sed -n 's/^ok  *vulkan  *//p' | grep -v 'software driver' | sed 's/ (.*//;q' || true)
  [ -n "$device" ] || { echo "gpu.sh: no GPU; KINGLET_TEST_DEVICE names another device" >&2; exit 1; }
fi
export KINGLET_TEST_DEVICE=$device
failed=0

# What a measure may take: half of what is left, so that one that hangs leaves some to the others.
# Below 10 s nothing is begun.
share() { echo $(((deadline - SECONDS) / 2)); }
# has_time NAME: or the report tells that NAME was left out.
has_time() {
  [ "$(share)" -lt 10 ] || return 0
  echo "- left out, too little of $deadline s was left: $1" >>"$out/report.md"
  failed=1
  return 1
}

# "right", or what is wrong with the check of this exit status and log. A skipped test checked
# nothing, unless it is of what this device has not.
verdict() {
  local skipped
  skipped=$(grep '^skipped: ' "$2" | grep -cv -e 'no cooperative matrices$' -e 'no f16 arithmetic$' \
    -e "this device's grids have no small limit\$" || true)
  case $1 in
    0) [ "$skipped" = 0 ] && echo right || echo "NOT CHECKED, $skipped skipped" ;;
    124 | 137)
      if grep -q -e 'ERROR: CHECK' -e 'ERROR: REQUIRE' "$2"; then echo WRONG; else echo "too slow: stopped after $check_seconds s"; fi
      ;;
    *) echo WRONG ;;
  esac
}

say "Checks on $device"
products='vulkan/operations_products*,vulkan/operations/products*'
suites=(
  "vulkan_test -ts=$products"
  "vulkan_test -ts=vulkan/operations* -tse=$products"
  "inference_gpu_test -ts=inference/gpu/architectures*"
  "inference_gpu_test -ts=inference/gpu/backend*,inference/gpu/decoding*"
  "inference_gpu_test -ts=inference/gpu/paths*,inference/gpu/adapters*"
  "inference_gpu_test -ts=inference/gpu/failures*"
)
checks=()
[ "$check_seconds" -le "$(share)" ] || check_seconds=$(share)
for i in "${!suites[@]}"; do
  # shellcheck disable=SC2086 # a program and its arguments
  timeout -k 10 "$check_seconds" $bin/${suites[i]} >"$out/check-$i.log" 2>&1 &
  checks+=($!)
done
# The first model meanwhile.
model_path() { echo "$out/models/$1-$2.gguf"; }
make_model() {
  local model
  model=$(model_path "$1" "$2")
  [ -f "$model" ] && return
  timeout -k 5 "$(share)" "$bin/make_gguf" --preset "$1" --format "$2" --out "$model.part" >&2 &&
    mv "$model.part" "$model"
}
make_model "${shapes%% *}" "${formats%% *}" &
making=$!
for i in "${!suites[@]}"; do
  status=0
  wait "${checks[i]}" || status=$?
  result=$(verdict $status "$out/check-$i.log")
  echo "- \`${suites[i]}\`: $result; $(grep 'assertions:' "$out/check-$i.log" | tail -1)" >>"$out/report.md"
  [ "$result" != right ] || continue
  failed=1
  { echo '```'; tail -40 "$out/check-$i.log"; echo '```'; } >>"$out/report.md"
done

# measure NAME MODEL ARGS...: writes OUT/NAME.json, or tells why not; the rows that were done if it was
# stopped.
measure() {
  local name=$1 model=$2 status=0 seconds_left
  shift 2
  has_time "$name" || return 1
  seconds_left=$(share)
  timeout -k 5 "$seconds_left" "$bin/kinglet" bench "$model" --backend vulkan --device "$device" --decode "$decode" --beyond-context \
    --seconds "$seconds" --patience "$patience" --json "$@" >"$out/$name.json" 2>"$out/$name.log" ||
    status=$?
  [ $status != 0 ] || return 0
  if grep -q ' has no .*; let the path be chosen' "$out/$name.log"; then
    echo "Not measured: $(cat "$out/$name.log")" >>"$out/report.md"
    return 1
  fi
  failed=1
  if [ $status = 124 ] || [ $status = 137 ]; then
    echo "$name: stopped after $seconds_left s" >>"$out/report.md"
  else
    { echo "bench $* failed:"; echo '```'; tail -5 "$out/$name.log"; echo '```'; } >>"$out/report.md"
  fi
  # What was done before it ended counts.
  grep -q '"test"' "$out/$name.json" || return 1
  echo "Its rows so far:"$'\n' >>"$out/report.md"
}

# table ARGS...: of what was measured.
table() { tests/bench/table.py "$@" >>"$out/report.md" || { echo "no table" >>"$out/report.md"; failed=1; }; }

# effects NAME MODEL: what was measured as OUT/NAME.json, beside other ways to compute it.
effects() {
  local name=$1 model=$2 kv path done=()
  say "Effects, $name"
  measure "$name-unfused" "$model" --prefill "$effect_prefill" --depth "$effect_depth" --lowering unfused &&
    done+=("operation by operation=$out/$name-unfused.json")
  for kv in q8 q4; do
    measure "$name-$kv" "$model" --prefill "${effect_prefill%%,*}" --depth "$kv_depth" --kv $kv &&
      done+=("$kv cache=$out/$name-$kv.json")
  done
  for path in float half integer-dot matrix; do
    measure "$name-$path" "$model" --prefill "$effect_prefill" --depth "$effect_depth" --path $path &&
      done+=("path $path=$out/$name-$path.json")
  done
  [ ${#done[@]} = 0 ] || table --effects "$out/$name.json" "${done[@]}"
}

# each SHAPE FORMAT: everything of one model.
effects_of=
each() {
  local shape=$1 format=$2 name=$1-$2 model status=0 seconds_left
  model=$(model_path "$shape" "$format")
  say "$shape, $format"
  has_time "$name" || return 0
  if ! make_model "$shape" "$format"; then
    echo "the model could not be made, or not in time" >>"$out/report.md"
    failed=1
    return 0
  fi
  if measure "$name" "$model" --prefill "$prefill" --depth "$depth" --kernels; then
    table "$out/$name.json"
    [ -n "$effects_of" ] || effects_of=$name
  fi
  [ -n "$peer" ] && has_time "$name beside the peer" || return 0
  seconds_left=$(share)
  timeout -k 5 "$seconds_left" tests/bench/run.sh $build speed "$peer" "$model" --backend vulkan \
    --device "$device" --flash --prefill "${prefill%,*}" --depth "${depth%,*}" --decode "$decode" \
    >>"$out/report.md" || status=$?
  case $status in
    0) return 0 ;;
    124 | 137) echo "the peer: stopped after $seconds_left s" >>"$out/report.md" ;;
    *) echo "the peer failed" >>"$out/report.md" ;;
  esac
  failed=1
}

wait "$making" || true # what went wrong shows when it is tried again
first="${shapes%% *} ${formats%% *}"
second="${shapes##* } ${formats##* }"
# shellcheck disable=SC2086 # a shape and a format
each $first
# shellcheck disable=SC2086
[ "$second" = "$first" ] || each $second
for shape in $shapes; do
  for format in $formats; do
    case "$shape $format" in "$first" | "$second") continue ;; esac
    each "$shape" "$format"
  done
done
[ -z "$effects_of" ] || effects "$effects_of" "$out/models/$effects_of.gguf"
say "Done"
exit $failed
