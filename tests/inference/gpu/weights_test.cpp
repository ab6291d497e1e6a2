// Weights on their way to a device.
#include "inference/gpu/weights.h"

#include <cstring>
#include <limits>

#include <doctest/doctest.h>

#include "inference/gpu/executor.h"
#include "tests/inference/conformance.h"
#include "tests/support/skip.h"
#include "tests/support/temporary_folder.h"
#include "tests/vulkan/lab.h"

namespace kinglet::test {

namespace {

using inference::LogitsWanted;

// Of several formats; the embedding is longer than what one thread checks and copies at a time.
const SyntheticModel kShape = {
    .hidden = 256, .layers = 1, .heads = 4, .ffn = 512, .vocab = 2500, .mix = "Q4_K_M"};

std::unique_ptr<const vulkan::Device> make_device(bool map_device_memory) {
  const Lab& lab = *Lab::get();
  auto device = vulkan::Device::create(
      lab.instance(), lab.device().info(), {.map_device_memory = map_device_memory});
  REQUIRE(device.has_value());
  return *std::move(device);
}

std::vector<float> logits_on(const std::shared_ptr<const inference::Model>& model,
                             bool map_device_memory) {
  inference::ExecutorInfo info;
  info.backend = "vulkan";
  info.kv_format = inference::KvFormat::kF32;
  info.chunk_tokens = 8;
  const auto executor = inference::gpu::GpuExecutor::create(
      model, make_device(map_device_memory), info, {.n_kv_tokens = 32});
  REQUIRE_MESSAGE(executor.has_value(), executor.error().message);
  const std::vector<inference::TokenId> tokens = {5, 77, 2499, 3};
  return all_logits(**executor, tokens, 8);
}

}  // namespace

TEST_SUITE("inference/gpu/weights") {
  TEST_CASE("a model that went through staging memory computes the same") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const TemporaryFolder folder;
    const std::string path = folder / "model.gguf";
    write_synthetic_gguf(kShape, path);
    const auto model = inference::Model::load(path);
    REQUIRE(model.has_value());
    const auto direct = logits_on(*model, true);
    CHECK(direct.size() == 4 * 2500);
    CHECK(logits_on(*model, false) == direct);
  }

  TEST_CASE("a number that is none is found wherever it stands, and names its tensor") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    GgufWriter writer = synthetic_gguf({.hidden = 256, .layers = 1, .ffn = 512, .vocab = 2500});
    const auto embedding = std::find_if(writer.tensors.begin(), writer.tensors.end(), [](auto& t) {
      return t.name == "token_embd.weight";
    });
    REQUIRE(embedding != writer.tensors.end());
    const float bad = std::numeric_limits<float>::quiet_NaN();
    const std::size_t last = embedding->data.size() - sizeof(bad);
    for (const std::size_t at :
         {std::size_t{0}, (std::size_t{256} << 10) - 4, std::size_t{256} << 10, last}) {
      CAPTURE(at);
      float good = 0;
      std::memcpy(&good, &embedding->data[at], sizeof(good));
      std::memcpy(&embedding->data[at], &bad, sizeof(bad));
      const std::vector<std::byte> bytes = writer.bytes();
      auto gguf = inference::Gguf::parse(bytes, "model.gguf");
      REQUIRE(gguf.has_value());
      const auto model = inference::Model::from_gguf(*std::move(gguf));
      REQUIRE(model.has_value());
      for (const bool map : {true, false}) {
        const auto device = make_device(map);
        const auto placed = inference::gpu::Weights::place(*device, **model, {});
        REQUIRE(!placed.has_value());
        CHECK(placed.error().code == ErrorCode::kNumeric);
        CHECK(placed.error().message.find("'token_embd.weight'") != std::string::npos);
      }
      std::memcpy(&embedding->data[at], &good, sizeof(good));
    }
  }
}

}  // namespace kinglet::test
