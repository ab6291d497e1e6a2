// What engines.cpp asks of another engine; see peer_speed.cpp.
#pragma once

#include <cstdint>

extern "C" {

struct PeerSpeedOptions {
  const char* backends;     // the folder of the peer's libraries
  const char* cpu_library;  // the one of them that computes on the CPU; nullptr: the peer's choice
  const char* model;        // a GGUF file
  const char* kv;           // of the cache: f16, q8 or q4
  bool gpu;
  bool flash_attention;  // quantized caches want it
  std::uint32_t n_positions;
};

/// The model, placed; nullptr when that fails.
using PeerSpeedOpen = void* (*)(const PeerSpeedOptions* options);
/// Appends tokens to the first `depth` that are in the cache, all at once or one by one, on so many
/// threads, and waits for the last one's logits. Seconds; negative when that fails.
using PeerSpeedRun = double (*)(void* engine,
                                std::uint32_t n_threads,
                                const std::int32_t* ids,
                                std::uint32_t n,
                                std::uint32_t depth,
                                bool one_by_one);
using PeerSpeedClose = void (*)(void* engine);
}
