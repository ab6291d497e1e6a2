// The Vulkan backend as a whole, on a software driver, against the float64 reference, by precision
// class; and its greedy texts however the prompt is cut.
#include "inference/gpu/backend.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "tests/inference/backend_checks.h"
#include "tests/inference/conformance.h"
#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"

namespace kinglet::test {

namespace {

using inference::DeviceInfo;
using inference::DeviceKind;
using inference::ExecutorOptions;
using inference::KvFormat;
using inference::TensorType;
using inference::TokenId;

const std::string kDriver = test_device();

/// One for all tests; with the validation layers when the environment asks for them.
std::shared_ptr<const vulkan::Instance> shared_instance() {
  static const auto instance = vulkan::Instance::create(instance_options());
  return instance ? *instance : nullptr;
}

bool has_driver() {
  return shared_instance() != nullptr && shared_instance()->find_device({kDriver}).has_value();
}

std::unique_ptr<inference::Executor> make_executor(const LoadedModel& loaded,
                                                   ExecutorOptions options) {
  options.device = kDriver;
  auto executor = inference::gpu::create_executor_on(shared_instance(), loaded.model, options);
  if (!executor) throw std::runtime_error(executor.error().message);
  return *std::move(executor);
}

void check_messages() {
  for (const std::string& message : take_messages())
    FAIL_CHECK(message);
}

/// Shapes whose rows are whole blocks of every format.
std::vector<Shape> blocked_shapes() {
  return {
      {"multi-head", {.heads = 4, .kv_heads = 4}},
      {"grouped-query", {.seed = 2, .hidden = 192, .heads = 6, .kv_heads = 2, .ffn = 352}, 40},
      {"multi-query", {.seed = 3, .heads = 4, .kv_heads = 1}, 70},
      {"head size 96", {.seed = 4, .hidden = 288, .layers = 3, .heads = 3, .kv_heads = 1}},
      {"tied output, partial rotary",
       {.seed = 5, .heads = 2, .kv_heads = 2, .rope_dim = 48, .tied = true}},
      {"heads wider than the embedding", {.seed = 6, .hidden = 96, .heads = 4, .head_dim = 64}},
      {"short rope factors", {.seed = 8, .context = 256, .original_context = 64}, 33, 64},
      {"long rope factors", {.seed = 9, .context = 256, .original_context = 64}, 33, 65},
      {"past the original context",
       {.seed = 10, .layers = 1, .context = 256, .original_context = 64},
       150},
  };
}

const BackendUnderTest kVulkan = {
    .name = "vulkan",
    .make_executor = make_executor,
    .n_tokens = 21,  // a software driver takes its time
    .after_model = check_messages,
};

}  // namespace

TEST_SUITE("inference/gpu/backend") {
  TEST_CASE("logits are the reference's within the precision classes") {
    if (!has_driver()) SKIP("no software Vulkan driver (llvmpipe)");
    const std::vector<Shape> shapes = blocked_shapes();
    // The layers see as much in one model as in ten.
    if (under_validation()) return check_precision_classes(kVulkan, {shapes[1]}, {});
    check_precision_classes(kVulkan, shapes, odd_shapes());
  }

  TEST_CASE("every block format computes what its numbers are") {
    if (!has_driver()) SKIP("no software Vulkan driver (llvmpipe)");
    check_block_formats(kVulkan);
  }

  TEST_CASE("sequences continued together are continued as they would be alone") {
    if (!has_driver()) SKIP("no software Vulkan driver (llvmpipe)");
    check_sequences_together(kVulkan);
  }

  TEST_CASE("greedy decoding gives the text that choosing each token would") {
    if (!has_driver()) SKIP("no software Vulkan driver (llvmpipe)");
    check_greedy_decoding(kVulkan);
  }

  TEST_CASE("operations that are more than a submit holds are cut, and the result is the same") {
    if (!has_driver()) SKIP("no software Vulkan driver (llvmpipe)");
    const Shape shape = {"big", {.seed = 11, .layers = 1, .ffn = 1120}, 150};
    const LoadedModel loaded = load_synthetic(shape.model);
    const auto tokens = random_tokens(shape.n_tokens, loaded.reference->n_vocabulary(), 78);
    const auto executor = make_executor(
        loaded, {.kv_format = KvFormat::kF32, .n_kv_tokens = 256, .chunk_tokens = 128});
    const auto expected = loaded.reference->logits(tokens, shape.n_tokens);
    // The first pass is cut for an unknown device, the second for this one.
    for (int pass = 0; pass < 2; ++pass) {
      CHECK(logits_error(all_logits(*executor, tokens, shape.n_tokens), expected) <= kExact);
    }
    check_messages();
  }

  TEST_CASE("greedy texts do not depend on how the prompt was cut") {
    if (!has_driver()) SKIP("no software Vulkan driver (llvmpipe)");
    const LoadedModel loaded = load_synthetic(
        {.seed = 30, .hidden = 64, .layers = 1, .heads = 4, .kv_heads = 2, .ffn = 96});
    const auto executor = make_executor(
        loaded, {.kv_format = KvFormat::kF32, .n_kv_tokens = 1024, .chunk_tokens = 64});
    int n_differences = 0;
    for (const std::uint32_t prompt_seed : {1U, 2U, 3U, 4U, 5U}) {
      CAPTURE(prompt_seed);
      const auto prompt =
          random_tokens(20 + 13 * prompt_seed, loaded.reference->n_vocabulary(), prompt_seed);
      const auto at_once = greedy_text(*executor, prompt, 200);
      for (const std::uint32_t step : {1U, 7U}) {
        CAPTURE(step);
        const auto other = greedy_text(*executor, prompt, 200, step);
        const Difference difference = first_difference(*loaded.reference, prompt, at_once, other);
        if (!difference.found) continue;
        ++n_differences;
        // Two texts of one model part only where the reference itself wavers.
        CHECK(difference.reference_gap < 2 * kExact);
      }
    }
    std::printf("vulkan: %d of 10 greedy texts differ at near-ties\n", n_differences);
  }

  TEST_CASE("a fork goes on from shared pages without disturbing its origin") {
    if (!has_driver()) SKIP("no software Vulkan driver (llvmpipe)");
    const LoadedModel loaded = load_synthetic({.seed = 31, .hidden = 64, .layers = 2, .ffn = 96});
    const std::uint32_t n_vocabulary = loaded.reference->n_vocabulary();
    const auto executor = make_executor(
        loaded, {.kv_format = KvFormat::kF32, .n_kv_tokens = 512, .chunk_tokens = 32});
    const auto common = random_tokens(45, n_vocabulary, 5);
    const auto extend = [&](inference::Sequence& sequence, std::uint32_t seed) {
      const auto more = random_tokens(9, n_vocabulary, seed);
      std::vector<float> logits(n_vocabulary);
      const auto computed =
          executor->forward(sequence, more, inference::LogitsWanted::kLast, logits);
      REQUIRE(computed.has_value());
      std::vector<TokenId> all = common;
      all.insert(all.end(), more.begin(), more.end());
      return logits_error(logits, {loaded.reference->logits(all, 100).back()});
    };
    auto origin = executor->new_sequence({.max_tokens = 100});
    REQUIRE(origin.has_value());
    REQUIRE(executor->forward(*origin, common, inference::LogitsWanted::kNone, {}).has_value());
    auto fork = executor->fork(*origin, origin->n_tokens());
    CHECK(extend(fork, 6) <= kExact);
    CHECK(extend(*origin, 7) <= kExact);
    executor->truncate(fork, 45);
    CHECK(extend(fork, 8) <= kExact);
    check_messages();
  }

  TEST_CASE("a product too large for one submit is cut along its rows") {
    if (!has_driver()) SKIP("no software Vulkan driver (llvmpipe)");
    // A tile of 32 tokens times this vocabulary is more than the 256 M multiplications of a slice,
    // and no whole number of them.
    const LoadedModel loaded = load_synthetic({.seed = 33,
                                               .hidden = 128,
                                               .layers = 1,
                                               .heads = 2,
                                               .kv_heads = 1,
                                               .ffn = 64,
                                               .vocab = 65'701,
                                               .tied = true,
                                               .type = TensorType::kQ4_0});
    const auto executor = make_executor(loaded, {.kv_format = KvFormat::kF32, .n_kv_tokens = 32});
    const auto tokens = random_tokens(5, loaded.reference->n_vocabulary(), 12);
    const auto expected = loaded.reference->logits(tokens, 5);
    CHECK(logits_error(all_logits(*executor, tokens, 5), expected) <= kExact);
    check_messages();
  }

  TEST_CASE("a cancelled prefill ends at the next submit and leaves a usable sequence") {
    if (!has_driver()) SKIP("no software Vulkan driver (llvmpipe)");
    const LoadedModel loaded = load_synthetic({.seed = 32});
    const auto executor = make_executor(loaded, {.n_kv_tokens = 2048, .chunk_tokens = 256});
    const auto tokens = random_tokens(2'000, loaded.reference->n_vocabulary(), 9);
    auto sequence = executor->new_sequence({.max_tokens = 2'048});
    REQUIRE(sequence.has_value());
    std::stop_source stop;
    std::thread canceller([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      stop.request_stop();
    });
    const auto start = std::chrono::steady_clock::now();
    const auto cancelled =
        executor->forward(*sequence, tokens, inference::LogitsWanted::kNone, {}, stop.get_token());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    canceller.join();
    REQUIRE(!cancelled.has_value());
    CHECK(cancelled.error().code == ErrorCode::kCancelled);
    CHECK(sequence->n_tokens() < tokens.size());
    CHECK(sequence->n_tokens() % 256 == 0);
    // All of it takes some ten seconds here.
    CHECK(took.count() < 2);
    executor->truncate(*sequence, 0);
    std::vector<float> logits(loaded.reference->n_vocabulary());
    const auto few = std::span(tokens).first(5);
    REQUIRE(executor->forward(*sequence, few, inference::LogitsWanted::kLast, logits).has_value());
    CHECK(logits_error(
              logits,
              {loaded.reference->logits({tokens.begin(), tokens.begin() + 5}, 2'048).back()}) <=
          kF16Cache);
  }

  TEST_CASE("devices are chosen by number or by part of a name") {
    if (!has_driver()) SKIP("no software Vulkan driver (llvmpipe)");
    const LoadedModel loaded = load_synthetic({.hidden = 64, .layers = 1, .ffn = 96});
    const auto devices = inference::gpu::devices();
    REQUIRE(devices.has_value());
    const auto try_device = [&](const std::string& device) {
      return inference::gpu::create_executor(loaded.model, {.device = device, .n_kv_tokens = 64});
    };
    const auto last = try_device(std::to_string(devices->size() - 1));
    REQUIRE(last.has_value());
    CHECK((*last)->info().device.name == devices->back().name);
    CHECK((*last)->info().backend == "vulkan");
    CHECK((*last)->info().weight_bytes > 0);
    CHECK((*last)->info().kv_bytes > 0);
    CHECK(try_device("LLVMpipe").has_value());
    for (const std::string wrong : {"Voodoo 2", "99"}) {
      const auto none = try_device(wrong);
      REQUIRE(!none.has_value());
      CHECK(none.error().code == ErrorCode::kNotFound);
      CHECK(none.error().message.find(wrong) != std::string::npos);
    }
  }

  TEST_CASE("compiled kernels are kept in the cache folder, and a rotten file does no harm") {
    if (!has_driver()) SKIP("no software Vulkan driver (llvmpipe)");
    std::string folder = (std::filesystem::temp_directory_path() / "kinglet-XXXXXX").string();
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    const LoadedModel loaded = load_synthetic({.hidden = 64, .layers = 1, .ffn = 96});
    const ExecutorOptions options = {.n_kv_tokens = 64, .cache_folder = folder};
    make_executor(loaded, options);
    const auto file = std::filesystem::directory_iterator(folder)->path();
    const auto bytes = std::filesystem::file_size(file);
    CHECK(bytes > 64);
    std::ofstream(file, std::ios::binary) << "rotten";
    make_executor(loaded, options);
    CHECK(std::filesystem::file_size(file) == bytes);
    // A folder that is not there costs the cache, not the model.
    std::filesystem::remove_all(folder);
    make_executor(loaded, options);
  }

  TEST_CASE("weights that are not numbers are refused by the tensor's name") {
    if (!has_driver()) SKIP("no software Vulkan driver (llvmpipe)");
    for (const std::string name : {"blk.1.ffn_down.weight", "blk.0.attn_norm.weight"}) {
      GgufWriter writer = synthetic_gguf({.hidden = 64, .ffn = 96});
      const float bad = -std::numeric_limits<float>::infinity();
      std::memcpy(&writer.tensor(name).data[40], &bad, 4);
      const LoadedModel loaded = load_gguf(writer);
      const auto executor =
          inference::gpu::create_executor_on(shared_instance(), loaded.model, {.n_kv_tokens = 64});
      REQUIRE(!executor.has_value());
      CHECK(executor.error().code == ErrorCode::kNumeric);
      CHECK(executor.error().message.find("tensor '" + name + "' has numbers that are infinite") !=
            std::string::npos);
    }
  }

  TEST_CASE("what has no kernel is refused by name") {
    if (!has_driver()) SKIP("no software Vulkan driver (llvmpipe)");
    const LoadedModel loaded =
        load_synthetic({.hidden = 288, .layers = 1, .heads = 1, .kv_heads = 1, .ffn = 96});
    const auto wide = inference::gpu::create_executor(loaded.model, {.device = kDriver});
    REQUIRE(!wide.has_value());
    CHECK(wide.error().code == ErrorCode::kUnsupported);
    CHECK(wide.error().message.find("heads of 288") != std::string::npos);
    const auto chunky = inference::gpu::create_executor(
        load_synthetic({}).model, {.device = kDriver, .chunk_tokens = 100'000});
    REQUIRE(!chunky.has_value());
    CHECK(chunky.error().code == ErrorCode::kInvalidArgument);
  }
}

}  // namespace kinglet::test
