// The two engines that speed.cpp times, behind one interface.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "inference/model.h"
#include "inference/tokenizer/vocabulary.h"

namespace kinglet::bench {

using inference::TokenId;

struct EngineOptions {
  std::string peer;      // the library made of peer_speed.cpp
  std::string backends;  // the folder of llama.cpp's libraries
  std::string model;     // a GGUF file
  std::string backend = "cpu";
  std::string device;             // ours; empty: the first one
  std::string cache;              // ours: where compiled kernels and their tuning are kept
  std::string peer_cpu_library;   // of those in `backends`; empty: llama.cpp's choice
  std::string kv = "f16";         // f16, q8 or q4
  bool fast = false;              // ours with 8-bit activations
  bool flash = false;             // the peer's attention
  std::uint32_t n_threads = 1;    // ours
  std::uint32_t n_positions = 0;  // of the cache
};

class Engine {
 public:
  virtual ~Engine() = default;
  /// Seconds for tokens appended to the first `depth` in the cache: at once, or one by one (ours
  /// with the choice of each token, which the peer is spared). Throws std::runtime_error.
  virtual double prefill(std::span<const TokenId> tokens, std::uint32_t depth) = 0;
  virtual double decode(std::span<const TokenId> tokens, std::uint32_t depth) = 0;
};

class Kinglet : public Engine {
 public:
  virtual const inference::Model& model() const = 0;
};

/// Of the peer, on so many threads.
class Peer : public Engine {
 public:
  virtual void use_threads(std::uint32_t n_threads) = 0;
};

/// They throw std::runtime_error.
std::unique_ptr<Kinglet> open_kinglet(const EngineOptions& options);
std::unique_ptr<Peer> open_peer(const EngineOptions& options);

}  // namespace kinglet::bench
