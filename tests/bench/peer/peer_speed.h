// What speed.cpp asks of another engine; see peer_speed.cpp.
#pragma once

#include <cstdint>

extern "C" {

struct PeerSpeedOptions {
  const char* backends;  // the folder of the peer's libraries
  const char* model;     // a GGUF file
  bool gpu;
  bool flash_attention;
  std::uint32_t n_threads;
  std::uint32_t n_positions;  // of the cache, f16
};

/// The model, placed; nullptr when that fails.
using PeerSpeedOpen = void* (*)(const PeerSpeedOptions* options);
/// Appends tokens to the first `depth` that are in the cache, all at once or one by one, and waits
/// for the last one's logits. Seconds; negative when that fails.
using PeerSpeedRun = double (*)(
    void* engine, const std::int32_t* ids, std::uint32_t n, std::uint32_t depth, bool one_by_one);
}
