#include "inference/cpu/limits.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "inference/cpu/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/limits.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/packed/kernel-inl.h"

// Both kinds of products that packed/kernel-inl.h has, each with its instructions allowed.
#define KINGLET_BYTE_PEAK pairs
HWY_BEFORE_NAMESPACE();
#include "inference/cpu/byte_peak-inl.h"
HWY_AFTER_NAMESPACE();
#undef KINGLET_BYTE_PEAK

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
#define KINGLET_BYTE_PEAK vnni
#if HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
#else
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avxvnni")
#endif
#include "inference/cpu/byte_peak-inl.h"
HWY_POP_ATTRIBUTES
#undef KINGLET_BYTE_PEAK
#endif

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t kLineWords = 64 / sizeof(std::uint64_t);
// As multiply_streams() reads.
constexpr std::size_t kPlaces = kMostTiles;
constexpr std::size_t kAheadWords = kAheadInStreams / sizeof(std::uint64_t);

/// Reads it all, line by line at several places; the result depends on every word.
template <bool kFetches>
HWY_INLINE std::uint64_t sum_all(const std::uint64_t* words, std::size_t n) {
  const hn::CappedTag<std::uint64_t, kLineWords> tag;
  const std::size_t lanes = hn::Lanes(tag);
  const std::size_t n_words = n / kPlaces;  // at each place
  auto a = hn::Zero(tag);
  auto b = a;
  for (std::size_t i = 0; i + kLineWords <= n_words; i += kLineWords) {
    for (std::size_t place = 0; place < kPlaces; ++place) {
      const std::uint64_t* line = words + place * n_words + i;
      if (kFetches) hwy::Prefetch(line + kAheadWords);
      for (std::size_t at = 0; at < kLineWords; at += lanes) {
        a = hn::Add(a, hn::LoadU(tag, line + at));
        std::swap(a, b);
      }
    }
  }
  return hn::GetLane(hn::SumOfLanes(tag, hn::Add(a, b)));
}

std::uint64_t read_all(const std::uint64_t* words, std::size_t n, bool fetches) {
  return fetches ? sum_all<true>(words, n) : sum_all<false>(words, n);
}

// Enough sums at once that none waits for itself.
constexpr std::size_t kSums = 10;

/// Rounds of kSums multiply-adds of whole vectors; how many multiplications and additions that was.
double multiply_floats(std::size_t n_rounds, float* result) {
  const hn::ScalableTag<float> tag;
  const auto factor = hn::Set(tag, 0.999F);
  auto a0 = hn::Set(tag, 1.0F);
  auto a1 = a0;
  auto a2 = a0;
  auto a3 = a0;
  auto a4 = a0;
  auto a5 = a0;
  auto a6 = a0;
  auto a7 = a0;
  auto a8 = a0;
  auto a9 = a0;
  for (std::size_t i = 0; i < n_rounds; ++i) {
    a0 = hn::MulAdd(a0, factor, factor);
    a1 = hn::MulAdd(a1, factor, factor);
    a2 = hn::MulAdd(a2, factor, factor);
    a3 = hn::MulAdd(a3, factor, factor);
    a4 = hn::MulAdd(a4, factor, factor);
    a5 = hn::MulAdd(a5, factor, factor);
    a6 = hn::MulAdd(a6, factor, factor);
    a7 = hn::MulAdd(a7, factor, factor);
    a8 = hn::MulAdd(a8, factor, factor);
    a9 = hn::MulAdd(a9, factor, factor);
  }
  const auto all = hn::Add(hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)),
                           hn::Add(hn::Add(a4, a5), hn::Add(hn::Add(a6, a7), hn::Add(a8, a9))));
  *result = hn::GetLane(hn::SumOfLanes(tag, all));
  return 2.0 * static_cast<double>(n_rounds * kSums * hn::Lanes(tag));
}

/// The same of bytes, with the instructions that the packed kernels choose.
double multiply_bytes(std::size_t n_rounds, float* result) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  if (best_byte_products(HWY_TARGET == HWY_AVX3) == ByteProducts::kVnni)
    return vnni::multiply_bytes(n_rounds, result);
#endif
  return pairs::multiply_bytes(n_rounds, result);
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

namespace {

HWY_EXPORT(read_all);
HWY_EXPORT(multiply_floats);
HWY_EXPORT(multiply_bytes);

using Clock = std::chrono::steady_clock;

// More than last-level caches hold.
constexpr std::size_t kBufferBytes = std::size_t{512} << 20;
constexpr int kRounds = 5;
/// Of a thread, in a round: where something else takes a core, the other threads go on.
constexpr std::size_t kParts = 8;

/// The best rate of kRounds: `work(part)` for n_parts, `amount` in all.
template <class Work>
double best_rate(ThreadPool& pool, std::uint32_t n_parts, double amount, const Work& work) {
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = Clock::now();
    pool.for_each(n_parts, [&](std::uint32_t part, std::uint32_t) { work(part); });
    best = std::max(best, amount / std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

/// Ours, written once: pages that nobody wrote to are all the same one.
Result<Arena> written_memory(const char* what) {
  Arena memory = TRY(Arena::create(kBufferBytes, what));
  std::memset(memory.begin(), 1, memory.size());
  return memory;
}

std::uint64_t* words_of(const Arena& memory) {
  return reinterpret_cast<std::uint64_t*>(memory.begin());
}

}  // namespace

ReadProbe::ReadProbe(std::uint32_t n_threads, Arena memory)
    : pool_(n_threads), memory_(std::move(memory)), sums_(n_threads * kParts) {}

Result<std::unique_ptr<ReadProbe>> ReadProbe::create(std::uint32_t n_threads) {
  Arena memory = TRY(written_memory("measuring how fast memory is read"));
  return std::unique_ptr<ReadProbe>(new ReadProbe(n_threads, std::move(memory)));
}

double ReadProbe::measure() {
  const std::size_t n_words = memory_.size() / sizeof(std::uint64_t) / sums_.size();
  const auto bytes = static_cast<double>(n_words * sums_.size() * sizeof(std::uint64_t));
  const auto rate = [&](bool fetches) {
    return best_rate(
        pool_, static_cast<std::uint32_t>(sums_.size()), bytes, [&](std::uint32_t part) {
          const std::uint64_t* const begin = words_of(memory_) + part * n_words;
          sums_[part] += HWY_DYNAMIC_DISPATCH(read_all)(begin, n_words, fetches);
        });
  };
  // Some processors are faster when nobody tells them what to fetch, others are not.
  return std::max(rate(false), rate(true));
}

Result<DeviceLimits> measure_limits(std::uint32_t n_threads) {
  DeviceLimits limits;
  limits.read_bytes_per_s = TRY(ReadProbe::create(n_threads))->measure();
  ThreadPool pool(n_threads);
  const Arena memory = TRY(written_memory("measuring how fast memory is copied"));
  const std::size_t n_words = memory.size() / sizeof(std::uint64_t) / n_threads;
  std::vector<float> floats(n_threads);
  // The first half of each part over its second one: half is read, half is written.
  const auto bytes = static_cast<double>(n_words * n_threads * sizeof(std::uint64_t));
  limits.copy_bytes_per_s = best_rate(pool, n_threads, bytes, [&](std::uint32_t part) {
    std::uint64_t* const begin = words_of(memory) + part * n_words;
    std::memcpy(begin + n_words / 2, begin, n_words / 2 * sizeof(std::uint64_t));
  });
  constexpr std::size_t kMultiplyRounds = 2'000'000;
  const double one = HWY_DYNAMIC_DISPATCH(multiply_floats)(1, floats.data());
  limits.float_flops =
      best_rate(pool, n_threads, one * kMultiplyRounds * n_threads, [&](std::uint32_t part) {
        HWY_DYNAMIC_DISPATCH(multiply_floats)(kMultiplyRounds, &floats[part]);
      });
  std::vector<float> results(n_threads);
  constexpr std::size_t kByteRounds = 500'000;
  const double byte_ops = HWY_DYNAMIC_DISPATCH(multiply_bytes)(1, results.data());
  limits.byte_ops =
      best_rate(pool, n_threads, byte_ops * kByteRounds * n_threads, [&](std::uint32_t part) {
        HWY_DYNAMIC_DISPATCH(multiply_bytes)(kByteRounds, &results[part]);
      });
  // What nobody looks at, the compiler leaves out.
  volatile float looked_at = floats[0] + results[0];
  (void)looked_at;
  return limits;
}

}  // namespace kinglet::inference::cpu
#endif
