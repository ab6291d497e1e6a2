// Once a device holds the weights, the file's pages leave the process.
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "inference/gpu/backend.h"
#include "tests/inference/conformance.h"
#include "tests/support/skip.h"
#include "tests/support/temporary_folder.h"
#include "tests/vulkan/lab.h"

namespace kinglet::test {

namespace {

/// Bytes of a mapped file that are in this process's memory.
std::uint64_t resident_bytes_of(const std::string& path) {
  std::ifstream file("/proc/self/smaps");
  bool is_ours = false;
  std::uint64_t total = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    // "7f12a000-7f12b000 r--p … path" opens a mapping, "Rss: 12 kB" is a line about it.
    if (first.find('-') != std::string::npos && first.back() != ':') {
      is_ours = line.ends_with(path);
    } else if (is_ours && first == "Rss:") {
      std::uint64_t kibibytes = 0;
      words >> kibibytes;
      total += kibibytes << 10;
    }
  }
  return total;
}

}  // namespace

TEST_SUITE("inference/gpu/memory") {
  TEST_CASE("weights that were placed are not kept in the process beside") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const TemporaryFolder folder;
    const std::string path = folder / "model.gguf";
    write_synthetic_gguf({.hidden = 512, .heads = 8, .ffn = 1024, .vocab = 4096}, path);
    const auto model = inference::Model::load(path);
    REQUIRE(model.has_value());
    REQUIRE((*model)->weight_bytes() > 20'000'000);
    const auto run = [&](const char* backend) {
      const auto executor = inference::find_backend(backend)->create(
          *model, {.kv_format = inference::KvFormat::kF32, .n_kv_tokens = 32, .n_threads = 1});
      REQUIRE_MESSAGE(executor.has_value(), executor.error().message);
      const std::vector<inference::TokenId> tokens = {5, 77};
      return all_logits(**executor, tokens, 2);
    };
    const auto on_cpu = run("cpu");
    CHECK(resident_bytes_of(path) > (*model)->weight_bytes() / 2);
    const auto executor = inference::gpu::create_executor_on(
        Lab::get()->instance(),
        *model,
        {.device = "llvmpipe", .kv_format = inference::KvFormat::kF32, .n_kv_tokens = 32});
    REQUIRE(executor.has_value());
    // Reading a tensor brings in some pages of its neighbors: tens of KiB each.
    CHECK(resident_bytes_of(path) < (*model)->weight_bytes() / 5);
    // And nothing was lost.
    const std::vector<inference::TokenId> tokens = {5, 77};
    const auto on_gpu = all_logits(**executor, tokens, 2);
    const std::vector<double> expected(on_cpu.begin(), on_cpu.end());
    CHECK(logits_error(on_gpu, {expected}) < 1e-4);
    CHECK(run("cpu") == on_cpu);
  }
}

}  // namespace kinglet::test
