// usage: engine_bench MODEL.gguf [cpu|vulkan] [ROUNDS]
// Prefill and decode of one model beside what the machine can do: a token cannot be decoded faster
// than the weights are read. Rounds of both are interleaved; medians.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "inference/engine.h"

namespace {

using namespace kinglet::inference;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// GB/s of reading a buffer that no cache holds, all cores at once.
double read_bandwidth() {
  const std::size_t n_threads = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t n_each = (std::size_t{256} << 20) / n_threads / sizeof(std::uint64_t);
  static std::vector<std::uint64_t> buffer(n_each * n_threads, 1);
  std::vector<std::uint64_t> sums(n_threads);
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < n_threads; ++t) {
    threads.emplace_back([&, t] {
      const std::uint64_t* part = buffer.data() + t * n_each;
      std::uint64_t a = 0;
      std::uint64_t b = 0;
      std::uint64_t c = 0;
      std::uint64_t d = 0;
      for (std::size_t i = 0; i + 4 <= n_each; i += 4) {
        a += part[i];
        b += part[i + 1];
        c += part[i + 2];
        d += part[i + 3];
      }
      sums[t] = a + b + c + d;
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  volatile std::uint64_t used = sums[0];
  (void)used;
  return static_cast<double>(buffer.size() * sizeof(std::uint64_t)) * 1e-9 / seconds_since(start);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s MODEL.gguf [cpu|vulkan] [ROUNDS]\n", argv[0]);
    return 2;
  }
  EngineOptions options;
  options.model_path = argv[1];
  options.backend = argc > 2 && std::strcmp(argv[2], "vulkan") == 0 ? BackendChoice::kVulkan
                                                                    : BackendChoice::kCpu;
  const int n_rounds = argc > 3 ? std::max(1, std::atoi(argv[3])) : 7;
  auto engine = Engine::load(options);
  if (!engine) {
    std::fprintf(stderr, "%s\n", engine.error().message.c_str());
    return 1;
  }
  const EngineInfo& info = (*engine)->info();
  constexpr std::uint32_t kDecoded = 64;
  const std::uint32_t n_prompt = std::min<std::uint32_t>(512, info.n_context - kDecoded - 1);

  std::vector<double> bandwidths;
  std::vector<double> prefills;
  std::vector<double> decodes;
  for (int round = 0; round < n_rounds; ++round) {
    bandwidths.push_back(read_bandwidth());
    GenerateRequest request;
    for (std::uint32_t i = 0; i < n_prompt; ++i) {
      // Another prompt each round: nothing of it was computed before.
      const std::uint32_t mixed = (i * 2654435761U) ^ (static_cast<std::uint32_t>(round) * 97U);
      request.prompt.push_back(static_cast<TokenId>(300 + mixed % (info.n_vocabulary - 300)));
    }
    request.max_tokens = kDecoded;
    (*engine)->forget();
    const auto result = (*engine)->generate(request);
    if (!result) {
      std::fprintf(stderr, "%s\n", result.error().message.c_str());
      return 1;
    }
    prefills.push_back(result->stats.prefill_tokens_per_second());
    if (result->stats.n_generated > 8) {
      decodes.push_back(result->stats.decode_tokens_per_second());
    }
  }
  if (decodes.empty()) decodes.push_back(0);
  const double bandwidth = median(bandwidths);
  const double limit = bandwidth * 1e9 / static_cast<double>(info.weight_bytes);
  std::printf("model      %s, %.1f M parameters, %.1f MB of weights\n",
              info.model_name.c_str(),
              static_cast<double>(info.n_parameters) * 1e-6,
              static_cast<double>(info.weight_bytes) * 1e-6);
  std::printf("device     %s (%s)\n",
              info.executor.device.name.c_str(),
              info.executor.device.driver.c_str());
  std::printf("memory     %.1f GB/s read, all cores\n", bandwidth);
  std::printf("load       %.3f s\n", info.load_seconds);
  std::printf("prefill    %.0f tokens/s at %u\n", median(prefills), n_prompt);
  std::printf(
      "decode     %.0f tokens/s at depth %u: %.0f %% of the %.0f that reading the weights "
      "from memory allows\n",
      median(decodes),
      n_prompt,
      100 * median(decodes) / limit,
      limit);
  return 0;
}
