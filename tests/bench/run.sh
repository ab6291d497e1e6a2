#!/bin/bash
# usage: run.sh BUILD [engine|speed|peer|roofline|tokenizer|mask|adapter|attention|index|live|navigation|context|typing|weights] [ARGS]:
# what `./dev bench` runs
# (`./dev bench gpu` is gpu.sh, `./dev bench cpu` cpu.sh).
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
name=${2:-engine}
shift $(($# > 1 ? 2 : 1))
case $name in
  engine)
    # ARGS: those of `kinglet bench`.
    cmake --build "$build" --target kinglet >&2
    [ $# -gt 0 ] || set -- inference/starter_model/kinglet-starter.gguf
    exec "$build/bin/kinglet" bench "$@"
    ;;
  speed)
    # ARGS: FOLDER MODEL.gguf [OPTIONS]; FOLDER as tests/bench/peer/get_peer.sh makes it. OPTIONS:
    # --backend vulkan, and what peer_speed_bench --help says. GGML_VK_VISIBLE_DEVICES chooses the
    # peer's device.
    peer=$(realpath "${1:?give the folder that tests/bench/peer/get_peer.sh made}")
    shift
    kind=linux-x64
    case " $* " in *" vulkan "* | *=vulkan*) kind=linux-x64-vulkan ;; esac
    cmake --build "$build" --target peer_speed_bench >&2
    libraries=$(dirname "$(find "$peer/node_modules/@node-llama-cpp/$kind" -name 'libllama.*so' | head -1)")
    c++ -std=c++20 -O2 -shared -fPIC tests/bench/peer/peer_speed.cpp -o "$build/peer_speed.so" \
      -I. -I"$peer/llama.cpp/include" -I"$peer/llama.cpp/ggml/include" \
      "$libraries"/libllama.*so "$libraries"/libggml.*so "$libraries/libggml-base.so" \
      -Wl,-rpath,"$libraries"
    # Kernels as people run them: those that `kinglet bench` tuned, or tuned now.
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/kinglet
    mkdir -p -m 700 "$cache"
    exec "$build/bin/peer_speed_bench" "$(realpath "$build/peer_speed.so")" "$libraries" "$@" \
      --cache "$cache"
    ;;
  context)
    # ARGS: --repo PATH... and what tests/bench/context/report.py --help says.
    cmake --build "$build" --target context_bench >&2
    exec python3 tests/bench/context/report.py "$(realpath "$build/bin/context_bench")" "$@"
    ;;
  navigation)
    # ARGS: REPOSITORY [OPTIONS] as tests/bench/navigation_beside_clangd.py takes them.
    cmake --build "$build" --target kinglet >&2
    exec python3 tests/bench/navigation_beside_clangd.py "$(realpath "$build/bin/kinglet")" "$@"
    ;;
  tokenizer)
    # ARGS: [--peer FOLDER] MODEL.gguf FILE...; FOLDER as tests/bench/peer/get_peer.sh makes it.
    cmake --build "$build" --target tokenizer_bench >&2
    if [ "${1:-}" = --peer ]; then
      peer=$2
      shift 2
      libraries=$(dirname "$(find "$peer/node_modules/@node-llama-cpp/linux-x64" -name 'libllama.*so' | head -1)")
      c++ -std=c++20 -O2 -shared -fPIC tests/bench/peer/peer_tokenizer.cpp -o "$build/peer_tokenizer.so" \
        -I. -I"$peer/llama.cpp/include" -I"$peer/llama.cpp/ggml/include" \
        "$libraries"/libllama.*so -Wl,-rpath,"$libraries"
      set -- --peer "$(realpath "$build")/peer_tokenizer.so" "$@"
    fi
    exec "$build/bin/tokenizer_bench" "$@"
    ;;
  peer)
    # ARGS: FOLDER [PATTERN]; FOLDER as tests/bench/peer/get_peer.sh makes it. Needs the tests'
    # library, which is part of the build for development.
    peer=$(realpath "${1:?give the folder that tests/bench/peer/get_peer.sh made}")
    shift
    build=build/dev
    cmake --preset dev >&2
    cmake --build "$build" --target side_by_side >&2
    libraries=$(dirname "$(find "$peer/node_modules/@node-llama-cpp/linux-x64" -name 'libllama.*so' | head -1)")
    c++ -std=c++20 -O2 tests/bench/peer/peer_logits.cpp -o "$build/peer_logits" \
      -I"$peer/llama.cpp/include" -I"$peer/llama.cpp/ggml/include" \
      "$libraries"/libllama.*so "$libraries"/libggml.*so "$libraries/libggml-base.so" \
      -Wl,-rpath,"$libraries"
    exec "$build/bin/side_by_side" "$(realpath "$build/peer_logits")" "$libraries" "$@"
    ;;
  roofline)
    # ARGS: limits, which is docs/roofline.md, or kernels. Needs the tests' library, too.
    build=build/dev
    cmake --preset dev >&2
    cmake --build "$build" --target roofline >&2
    exec "$build/bin/roofline" "$@"
    ;;
  mask)
    # ARGS: MODEL.gguf, of which only the vocabulary is read.
    cmake --build "$build" --target mask_bench >&2
    exec "$build/bin/mask_bench" "$@"
    ;;
  adapter)
    # ARGS: MODEL.gguf [cpu|vulkan] [RANK] [ROUNDS]
    cmake --build "$build" --target adapter_bench >&2
    [ $# -gt 0 ] || set -- inference/starter_model/kinglet-starter.gguf
    exec "$build/bin/adapter_bench" "$@"
    ;;
  attention)
    # ARGS: [THREADS [ISA [SHAPE]]], as tests/bench/attention_bench.cpp says.
    cmake --build "$build" --target attention_bench >&2
    exec "$build/bin/attention_bench" "$@"
    ;;
  index)
    # ARGS: [--rounds N] REPO...: the syntactic index beside a raw parse and ctags, speed and accuracy.
    cmake --build "$build" --target index_bench >&2
    exec tests/bench/index/compare.py "$build/bin/index_bench" "$@"
    ;;
  live)
    # ARGS: [OPTIONS] REPO... as tests/bench/index/live.py takes them: the daemon's index as an editor
    # meets it, beside clangd's.
    cmake --build "$build" --target kinglet >&2
    exec tests/bench/index/live.py "$(realpath "$build/bin/kinglet")" "$@"
    ;;
  weights)
    # ARGS: [--holes N] [--seed S] REPO...: fits what signatures are ranked by. Not on repositories
    # whose figures are reported.
    cmake --build "$build" --target fit_weights >&2
    exec "$build/bin/fit_weights" "$@"
    ;;
  typing)
    # ARGS: REPO [OPTIONS] as typing_bench --help says: the tokens that each key makes the engine
    # compute.
    cmake --build "$build" --target typing_bench >&2
    exec "$build/bin/typing_bench" "$@"
    ;;
  *)
    echo "no such benchmark: $name (there is: engine, cpu, gpu, speed, peer, roofline, tokenizer, mask, adapter, attention, index, live, navigation, context, typing, weights)" >&2
    exit 2
    ;;
esac
