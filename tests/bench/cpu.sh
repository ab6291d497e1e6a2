#!/bin/bash
# usage: cpu.sh OUT PEER [QUICK]: the CPU backend's speed beside llama.cpp's, as OUT/report.md: the
# synthetic model of 125 M parameters in each format, both engines with the same threads, turn by
# turn, ours with 8-bit activations as the peer's are. PEER as tests/bench/peer/get_peer.sh makes it.
# Models stay in OUT/models for the next time.
#
# With a third argument, a format ("Q4_0"): that one, few rounds, a minute or two.
#
# Phi-3.5-mini's shape is measured, too: LAYERS of its layers in each format, and where WHOLE=1 all
# of them in Q4_K_M (2.4 GB of disk).
#
# FORMATS, KV, PREFILL and DEPTH are lists, ROUNDS, THREADS and DECODE numbers, ISA "best avx2" or
# one of them; BUILD is the build's folder (build/dev spares those who have it another build).
set -euo pipefail
out=$(realpath -m "${1:?usage: cpu.sh OUT PEER [QUICK]}")
peer=$(realpath "${2:?usage: cpu.sh OUT PEER [QUICK]}")
quick=${3:-}
cd "$(dirname "$0")/../.."
build=${BUILD:-build/release}
threads=${THREADS:-$(nproc)}
decode=${DECODE:-64}
if [ -n "$quick" ]; then
  formats=${FORMATS:-$quick}
  kv=${KV:-f16}
  prefill=${PREFILL:-512}
  depth=${DEPTH:-0}
  rounds=${ROUNDS:-3}
  isa=${ISA:-best}
else
  formats=${FORMATS:-Q4_0 Q4_K_M Q8_0}
  kv=${KV:-f16,q8,q4}
  prefill=${PREFILL:-512,2048}
  depth=${DEPTH:-0,4096}
  rounds=${ROUNDS:-7}
  # Where these are the best, once is enough.
  better=$(grep -m1 -oE 'avx512f|avx_vnni' /proc/cpuinfo || true)
  isa=${ISA:-best${better:+ avx2}}
fi
layers=${LAYERS:-4}
mkdir -p "$out/models"
report=$out/report.md

say() { printf '\n## %s\n\n' "$*" | tee -a "$report" >&2; }

speed() { # MODEL [OPTIONS]
  tests/bench/run.sh "$build" speed "$peer" "$@" --fast --flash --threads "$threads" \
    --decode "$decode" 2>>"$out/log" | tee -a "$report"
}

: >"$out/log"
cmake --preset "$(basename "$build")" >>"$out/log"
cmake --build "$build" --target make_gguf peer_speed_bench engine_bench >>"$out/log"

cat >"$report" <<EOT
# The CPU backend beside llama.cpp

Kinglet $(git describe --always --dirty 2>/dev/null || echo unknown), $(basename "$build") build; $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2- | xargs), $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg) at the start; $(date -u +%Y-%m-%d).

Synthetic phi3 of 125 M parameters; $rounds rounds, in each both engines on the same file one after the other; medians (least to most), ratios of the two speeds of a round. "What reading allows": bytes of weights and cache that a token needs, over the rate at which the same threads read memory in the same rounds.
EOT

for format in $formats; do
  # Longer than the preset's context, for tokens at depth 4,096.
  model=$out/models/bench-125m-$format.gguf
  [ -f "$model" ] ||
    "$build/bin/make_gguf" --preset bench-125m --context 8192 --format "$format" --out "$model" >&2
  for instructions in $isa; do
    say "$format, instructions: $instructions"
    # The cache's format is nothing to an empty one.
    speed "$model" --isa "$instructions" --rounds "$rounds" --kv "${kv%%,*}" --prefill "$prefill" \
      --depth 0
    deep=$(tr , '\n' <<<"$depth" | grep -vx 0 | paste -sd, || true)
    [ -z "$deep" ] ||
      speed "$model" --isa "$instructions" --rounds "$rounds" --kv "$kv" --prefill 0 \
        --depth "$deep"
  done
done
[ -z "$quick" ] || exit 0

for format in $formats; do
  model=$out/models/bench-125m-$format.gguf
  say "$format, one busy process beside, and as many as there are cores"
  for busy in 1 $threads; do
    echo "$busy busy:" | tee -a "$report"
    echo | tee -a "$report"
    speed "$model" --rounds "$rounds" --prefill 0 --depth 0 --busy "$busy" \
      --peer-threads "$threads,1"
    echo | tee -a "$report"
  done
  echo "A compiler on each core:" | tee -a "$report"
  echo | tee -a "$report"
  speed "$model" --rounds "$rounds" --prefill 0 --depth 0 --busy "$threads" \
    --busy-with "c++ -std=c++20 -O2 -I. -c daemon/config.cpp -o /dev/null" \
    --peer-threads "$threads,1"
  echo | tee -a "$report"
done

phi() { # NAME FORMAT ROUNDS [OPTIONS OF MAKE_GGUF]
  local name=$1 format=$2 phi_rounds=$3 model
  shift 3
  model=$out/models/$name-$format.gguf
  [ -f "$model" ] ||
    "$build/bin/make_gguf" --preset phi-3.5-mini --format "$format" --out "$model" "$@" >&2
  speed "$model" --rounds "$phi_rounds" --kv f16 --prefill 512 --depth 0
}
for format in $formats; do
  say "Phi-3.5-mini's shape, $layers layers, $format"
  phi "phi-3.5-mini-$layers-layers" "$format" "$rounds" --layers "$layers"
done
if [ "${WHOLE:-0}" = 1 ]; then
  say "Phi-3.5-mini's shape, whole, Q4_K_M"
  phi phi-3.5-mini Q4_K_M 3
fi

say "The starter model: ghost texts of 16 tokens"
cat <<'EOT' | tee -a "$report"
Cold: the file is out of the page cache, the engine is loaded, the whole prompt computed. Warm: the last 8 tokens of the prompt are new. Prompts beyond the 2,048 tokens that the model was trained for take the time they take, their text is of no use.

EOT
tests/bench/longer_context.py inference/starter_model/kinglet-starter.gguf "$out/models/starter.gguf" 8448
"$build/bin/engine_bench" "$out/models/starter.gguf" --prompts 1024,4096,8192 --threads "$threads" |
  tee -a "$report"

say "The same of 125 M parameters, ${formats%% *}"
"$build/bin/engine_bench" "$out/models/bench-125m-${formats%% *}.gguf" --prompts 1024 --idle 0 \
  --threads "$threads" | tee -a "$report"
