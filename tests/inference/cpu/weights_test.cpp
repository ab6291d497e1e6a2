#include "inference/cpu/weights.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/inference/conformance.h"

namespace kinglet::test {

namespace {

using inference::Activations;
using inference::Role;
using inference::TensorType;
using inference::cpu::Weights;

Result<Weights> place(const LoadedModel& loaded,
                      Activations activations,
                      const std::function<void(float)>& progress = {}) {
  inference::cpu::ThreadPool threads(2);
  return Weights::place(*loaded.model, activations, threads, progress);
}

}  // namespace

TEST_SUITE("inference/cpu/weights") {
  TEST_CASE("a number that is none is found wherever it stands, and names its tensor") {
    // Rows of several megabytes: more than what is read at a time.
    SyntheticModel shape = {.hidden = 256, .layers = 1, .ffn = 2048, .vocab = 70'000};
    shape.type = TensorType::kQ8_0;
    for (const char* name : {"token_embd.weight", "output.weight", "blk.0.ffn_up.weight"}) {
      for (const bool at_end : {false, true}) {
        CAPTURE(name);
        CAPTURE(at_end);
        GgufWriter writer = synthetic_gguf(shape);
        for (auto& tensor : writer.tensors) {
          if (tensor.name != name) continue;
          const std::size_t block = inference::block_format(shape.type).block_bytes;
          const std::uint16_t none = 0x7e00;  // the scale of a block
          std::memcpy(&tensor.data[at_end ? tensor.data.size() - block : 0], &none, sizeof(none));
        }
        const LoadedModel loaded = load_gguf(writer);
        for (const Activations activations : {Activations::kF32, Activations::kInt8}) {
          const auto placed = place(loaded, activations);
          REQUIRE(!placed.has_value());
          CHECK(placed.error().code == ErrorCode::kNumeric);
          CHECK(placed.error().message.find("'" + std::string(name) + "'") != std::string::npos);
        }
      }
    }
  }

  TEST_CASE("gate and up are two matrices, whether or not the file has them as one") {
    for (const char* architecture : {"phi3", "llama"}) {
      SyntheticModel shape = {.architecture = architecture, .ffn = 352};
      const LoadedModel loaded = load_synthetic(shape);
      for (const Activations activations : {Activations::kF32, Activations::kInt8}) {
        const auto weights = place(loaded, activations);
        REQUIRE(weights.has_value());
        const bool has_one = std::string(architecture) == "phi3";
        const auto parts =
            weights->matrices(has_one ? Role::kFeedForwardGateUp : Role::kFeedForwardGate, 1);
        REQUIRE(parts.size() == (has_one ? 2 : 1));
        for (const auto& part : parts)
          CHECK(part.n_rows == 352);
        if (has_one) CHECK(parts[1].rows == parts[0].rows + 352 * parts[0].row_bytes);
      }
    }
  }

  TEST_CASE("what two roles share is packed once") {
    SyntheticModel shape = {.hidden = 256, .ffn = 512, .tied = true};
    shape.type = TensorType::kQ4_0;
    const LoadedModel tied = load_synthetic(shape);
    const auto weights = place(tied, Activations::kInt8);
    REQUIRE(weights.has_value());
    const auto output = weights->matrices(Role::kOutput, 0);
    REQUIRE(output.size() == 1);
    CHECK(output[0].packed != nullptr);
    CHECK(weights->n_bytes() <= tied.model->weight_bytes() * 102 / 100 + (64 << 4));
    // Floats are multiplied where they lie.
    const auto exact = place(tied, Activations::kF32);
    REQUIRE(exact.has_value());
    CHECK(exact->matrices(Role::kOutput, 0)[0].packed == nullptr);
  }

  TEST_CASE("progress grows to 1") {
    const LoadedModel loaded = load_synthetic({});
    for (const Activations activations : {Activations::kF32, Activations::kInt8}) {
      std::vector<float> seen;
      REQUIRE(place(loaded, activations, [&](float fraction) { seen.push_back(fraction); }));
      REQUIRE(!seen.empty());
      CHECK(std::is_sorted(seen.begin(), seen.end()));
      CHECK(seen.back() == 1);
    }
  }
}

}  // namespace kinglet::test
