// Engines of small models, and requests to them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "inference/engine.h"
#include "tests/inference/conformance.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::test {

using inference::BackendChoice;
using inference::Engine;
using inference::EngineOptions;
using inference::GenerateRequest;
using inference::GenerateResult;
using inference::KvFormat;
using inference::LogitsWanted;
using inference::StopReason;
using inference::TokenId;

namespace engine_lab {

/// A small model on disk for all tests of the program.
inline std::filesystem::path model_path(const SyntheticModel& shape = {}) {
  static const TemporaryFolder kFolder;
  auto path = kFolder / ("model-" + std::to_string(shape.seed) + ".gguf");
  if (!std::filesystem::exists(path)) write_synthetic_gguf(shape, path.string());
  return path;
}

// Context 256, original context 128: both factor sets are in reach.
inline constexpr SyntheticModel kLongRope = {.seed = 2, .context = 256, .original_context = 128};
// Slow enough to be cancelled in the middle.
inline constexpr SyntheticModel kBigger = {
    .seed = 3, .hidden = 512, .layers = 4, .heads = 8, .kv_heads = 4, .ffn = 1024};

inline std::unique_ptr<Engine> load(EngineOptions options) {
  if (options.model_path.empty()) options.model_path = model_path();
  options.backend = BackendChoice::kCpu;
  options.n_threads = 2;
  auto engine = Engine::load(options);
  if (!engine) FAIL(engine.error().message);
  return std::move(*engine);
}

inline GenerateResult generate(Engine& engine, const GenerateRequest& request) {
  auto result = engine.generate(request);
  if (!result) FAIL(result.error().message);
  return std::move(*result);
}

inline GenerateRequest request(std::vector<TokenId> prompt, std::uint32_t max_tokens) {
  return {.prompt = std::move(prompt), .max_tokens = max_tokens};
}

inline std::vector<TokenId> prompt_of(std::size_t n, std::uint32_t seed = 5) {
  return random_tokens(n, 384, seed);
}

inline std::vector<TokenId> join(std::vector<TokenId> a, const std::vector<TokenId>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace engine_lab

}  // namespace kinglet::test
