// usage: attention_bench [THREADS [ISA [SHAPE]]]
// How fast the CPU's attention is, beside what the processor allows: in decode bytes of the cache a
// second beside its read bandwidth, in prefill multiplications and additions beside its peak. ISA
// ("AVX2", "SSE4", ..., "best") keeps to one instruction set of those this machine has, SHAPE
// ("96") to shapes whose name has these letters.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <hwy/targets.h>

#include "inference/cpu/attention_split.h"
#include "inference/cpu/kv_store.h"
#include "inference/cpu/limits.h"
#include "inference/cpu/simd_target.h"
#include "inference/cpu/thread_pool.h"

namespace kinglet::inference::cpu {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRounds = 7;
// More than last-level caches hold, as a rule.
constexpr std::uint64_t kDecodeBytes = std::uint64_t{384} << 20;

struct Shape {
  const char* name;
  std::uint32_t n_heads;
  std::uint32_t n_kv_heads;
  std::uint32_t head_dim;
};
constexpr Shape kShapes[] = {
    {"12 heads of 64", 12, 12, 64},
    {"12 heads of 64, 4 of keys", 12, 4, 64},
    {"32 heads of 96", 32, 32, 96},
    {"14 heads of 64, 2 of keys", 14, 2, 64},
    {"24 heads of 128, 8 of keys", 24, 8, 128},
};

/// The best round's: what else runs on the machine only adds.
double best_seconds(const auto& work) {
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = Clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

/// A cache of random numbers for layers enough, and queries.
class Bench {
 public:
  Bench(const Shape& shape, KvFormat format, std::uint32_t n_positions, std::uint32_t n_tokens)
      : shape_(shape), row_(std::size_t{shape.n_heads} * shape.head_dim) {
    const std::uint64_t layer_bytes =
        2 * std::uint64_t{n_positions} * shape.n_kv_heads * kv_row_bytes(format, shape.head_dim);
    HyperParameters h;
    h.n_layers = n_tokens > 1 ? 1 : static_cast<std::uint32_t>(kDecodeBytes / layer_bytes + 1);
    h.n_kv_heads = shape.n_kv_heads;
    h.head_dim = shape.head_dim;
    n_layers_ = h.n_layers;
    n_bytes_ = layer_bytes * n_layers_;
    const std::uint32_t n_pages = pages_for(n_positions);
    auto store = KvStore::create(h, format, n_pages);
    if (!store) {
      std::fprintf(stderr, "attention_bench: %s\n", store.error().message.c_str());
      std::exit(1);
    }
    store_ = std::move(*store);
    std::mt19937 generator(1);
    std::uniform_real_distribution<float> uniform(-1, 1);
    std::vector<float> numbers(row_ * std::max(n_tokens, 1U));
    for (float& number : numbers)
      number = uniform(generator);
    for (std::uint32_t layer = 0; layer < n_layers_; ++layer) {
      for (std::uint32_t slot = 0; slot < kPageTokens; ++slot) {
        std::shuffle(
            numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(row_), generator);
        for (std::uint32_t head = 0; head < shape.n_kv_heads; ++head) {
          const float* from = numbers.data() + head * shape.head_dim;
          store_.write(PageId{0}, layer, head, {slot, 1, shape.head_dim, from, from, row_});
        }
      }
    }
    for (std::uint32_t page = 0; page < n_pages; ++page) {
      pages_.push_back(PageId{page});
      if (page > 0) store_.copy_page(PageId{0}, PageId{page});
    }
    queries_ = std::move(numbers);
    out_.resize(queries_.size());
    n_tokens_ = n_tokens;
    position_ = n_positions - n_tokens;
  }

  std::uint64_t n_bytes() const { return n_bytes_; }
  /// Of one layer: a multiplication and an addition for each number of a key and of a value.
  double n_flops() const {
    const double n_seen = n_tokens_ * (position_ + (n_tokens_ + 1) / 2.0);
    return 4.0 * static_cast<double>(row_) * n_seen;
  }

  double seconds(ThreadPool& pool) {
    return best_seconds([&] {
      for (std::uint32_t layer = 0; layer < n_layers_; ++layer)
        attend_layer(pool, layer);
    });
  }

 private:
  void attend_layer(ThreadPool& pool, std::uint32_t layer) {
    const Attention job{
        .store = &store_,
        .pages = pages_,
        .layer = layer,
        .head_dim = shape_.head_dim,
        .n_heads = shape_.n_heads,
        .n_kv_heads = shape_.n_kv_heads,
        .sliding_window = 0,
        .scale = 0.1F,
        .soft_cap = 0,
        .position = position_,
        .queries = queries_.data(),
        .query_stride = row_,
        .out = out_.data(),
        .out_stride = row_,
    };
    const std::uint32_t n_tokens = attention_tile_tokens(shape_.n_heads, shape_.n_kv_heads);
    split_.clear();
    for (std::uint32_t begin = 0; begin < n_tokens_; begin += n_tokens)
      split_.add(job, begin, std::min(begin + n_tokens, n_tokens_));
    pool.for_each(split_.cut(pool.n_threads()),
                  [&](std::uint32_t item, std::uint32_t) { split_.attend(item); });
  }

  Shape shape_;
  std::size_t row_;
  std::uint32_t n_layers_;
  std::uint64_t n_bytes_;
  std::uint32_t n_tokens_;
  std::uint32_t position_;
  KvStore store_;
  AttentionSplit split_;
  std::vector<PageId> pages_;
  std::vector<float> queries_;
  std::vector<float> out_;
};

/// The tables for so many threads, in Markdown.
void measure(std::uint32_t n_threads, const std::string& wanted) {
  ThreadPool pool(n_threads);
  const DeviceLimits limits = measure_limits(n_threads).value();
  std::printf("%s, %u threads: reads %.1f GB/s, multiplies and adds %.0f GFLOP/s\n\n",
              simd_target(),
              n_threads,
              limits.read_bytes_per_s * 1e-9,
              limits.float_flops * 1e-9);
  std::printf(
      "| shape | cache | decode at 4096, GB/s | of read | at 32768 | of read | prefill of 512, "
      "GFLOP/s | of peak | of 2048 | of peak |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Shape& shape : kShapes) {
    if (std::string(shape.name).find(wanted) == std::string::npos) continue;
    for (const KvFormat format : all_kv_formats()) {
      std::printf("| %s | %s ", shape.name, std::string(name_of(format)).c_str());
      for (const std::uint32_t depth : {4096U, 32768U}) {
        Bench bench(shape, format, depth, 1);
        const double rate = static_cast<double>(bench.n_bytes()) / bench.seconds(pool);
        std::printf("| %.1f | %.0f %% ", rate * 1e-9, 100 * rate / limits.read_bytes_per_s);
        std::fflush(stdout);
      }
      for (const std::uint32_t n_tokens : {512U, 2048U}) {
        Bench bench(shape, format, n_tokens, n_tokens);
        const double rate = bench.n_flops() / bench.seconds(pool);
        std::printf("| %.1f | %.0f %% ", rate * 1e-9, 100 * rate / limits.float_flops);
        std::fflush(stdout);
      }
      std::printf("|\n");
    }
  }
}

}  // namespace
}  // namespace kinglet::inference::cpu

int main(int argc, char** argv) {
  using namespace kinglet::inference::cpu;
  const long n_threads = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 1;
  if (n_threads < 1) {
    std::fprintf(stderr, "usage: attention_bench [THREADS [ISA [SHAPE]]]\n");
    return 2;
  }
  if (argc > 2 && std::strcmp(argv[2], "best") != 0) {
    std::int64_t wanted = 0;
    for (std::int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1) {
      if (std::strcmp(hwy::TargetName(left & -left), argv[2]) == 0) wanted = left & -left;
    }
    if (wanted == 0) {
      std::fprintf(stderr, "attention_bench: this machine has no %s\n", argv[2]);
      return 2;
    }
    hwy::SetSupportedTargetsForTest(wanted);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  measure(static_cast<std::uint32_t>(n_threads), argc > 3 ? argv[3] : "");
  return 0;
}
