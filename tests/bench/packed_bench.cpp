// How fast packed weights are multiplied: for each block format the bytes of weights per second of
// decoding (one token, and more bytes than caches hold) beside the bandwidth of plain reading, and
// the operations per second of prefill.
//
// usage: packed_bench [--threads N] [--isa avx2|sse4] [--pairs] [--tokens N] [--columns N]
//                     [FORMAT...]
//
// Times are those of the threads' own clocks: on a machine with other work they say what a thread
// gets done while it runs.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <hwy/targets.h>

#include "inference/cpu/limits.h"
#include "inference/cpu/packed.h"
#include "inference/cpu/packed/instructions.h"
#include "inference/cpu/simd_target.h"
#include "inference/quant/block_format.h"

namespace kinglet::test {
namespace {

using namespace inference;
using namespace inference::cpu;

constexpr int kRounds = 7;

struct Options {
  std::uint32_t n_threads = 1;
  std::uint32_t n_tokens = 512;
  std::uint32_t n_columns = 3072;  // a multiple of 256
  std::vector<std::string_view> formats;
};

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// The median over the rounds of what the slowest thread takes.
double seconds(std::uint32_t n_threads, const std::function<void(std::uint32_t)>& work) {
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> times(n_threads);
    std::vector<std::thread> threads;
    for (std::uint32_t thread = 0; thread < n_threads; ++thread) {
      threads.emplace_back([&, thread] {
        const double start = thread_seconds();
        work(thread);
        times[thread] = thread_seconds() - start;
      });
    }
    for (std::thread& thread : threads)
      thread.join();
    rounds.push_back(*std::max_element(times.begin(), times.end()));
  }
  std::nth_element(rounds.begin(), rounds.begin() + kRounds / 2, rounds.end());
  return rounds[kRounds / 2];
}

/// Each number of the matrix is one of the format's usual ones.
PackedMatrix random_matrix(const BlockFormat& format,
                           std::uint32_t n_rows,
                           std::uint32_t n_columns) {
  const std::size_t row_bytes = *format.bytes_of(n_columns);
  std::vector<float> numbers(std::size_t{kPackedRows} * n_columns);
  std::uint32_t state = 1;
  for (float& number : numbers) {
    state = state * 1664525 + 1013904223;
    number = static_cast<float>(state >> 8) * 0x1p-23F - 1.0F;
  }
  std::vector<std::byte> blocks(kPackedRows * row_bytes);
  format.quantize(numbers, blocks);
  PackedMatrix matrix(format.type, n_rows, n_columns);
  for (std::uint32_t tile = 0; tile < matrix.n_tiles(); ++tile)
    matrix.pack_tile(tile, blocks.data(), row_bytes);
  return matrix;
}

ByteActivations random_activations(std::uint32_t n_tokens, std::uint32_t n_columns) {
  ByteActivations activations(n_tokens, n_columns);
  std::vector<float> x(n_columns);
  for (std::uint32_t token = 0; token < n_tokens; ++token) {
    for (std::uint32_t i = 0; i < n_columns; ++i)
      x[i] = static_cast<float>((i * 37 + token * 11) % 101) / 50.0F - 1.0F;
    activations.quantize(token, x);
  }
  return activations;
}

volatile float looked_at;

void bench(const BlockFormat& format, const Options& options, double read_rate) {
  const std::uint64_t rows =
      (std::uint64_t{192} << 20) / *format.bytes_of(options.n_columns) / 64 * 64;
  const PackedMatrix matrix =
      random_matrix(format, static_cast<std::uint32_t>(rows), options.n_columns);
  const ByteActivations one = random_activations(1, options.n_columns);
  const std::uint32_t share = matrix.n_tiles() / options.n_threads / kMostTiles * kMostTiles;
  const double decode = seconds(options.n_threads, [&](std::uint32_t thread) {
    float sums[kMostTiles * kPackedRows];
    const std::uint32_t step = share / kMostTiles;
    for (std::uint32_t tile = thread * share; tile < thread * share + step; ++tile) {
      multiply_tiles(matrix, {tile, step, kMostTiles}, one, 0, 1, sums);
      looked_at = sums[0];
    }
  });
  const double rate = static_cast<double>(share) * options.n_threads *
                      static_cast<double>(matrix.tile_bytes()) / decode;

  std::printf("%-7s %6.1f GB/s %3.0f %%",
              std::string(format.name).c_str(),
              rate / 1e9,
              100 * rate / read_rate);
  for (const std::uint32_t n_tokens : {2U, 4U, 8U, 16U, options.n_tokens}) {
    const ByteActivations many = random_activations(n_tokens, options.n_columns);
    // About so much work whatever the number of tokens; few enough tiles for the second-level cache
    // only with few tokens.
    const std::uint32_t n_tiles = std::max<std::uint32_t>(2, 8192 / n_tokens);
    const double prefill = seconds(options.n_threads, [&](std::uint32_t thread) {
      std::vector<float> sums(std::size_t{n_tokens} * kPackedRows);
      for (std::uint32_t i = 0; i < n_tiles; ++i) {
        multiply_tiles(
            matrix, {(thread * share + i) % matrix.n_tiles()}, many, 0, n_tokens, sums.data());
        looked_at = sums[0];
      }
    });
    const double operations =
        2.0 * n_tiles * kPackedRows * options.n_columns * n_tokens * options.n_threads;
    std::printf(" | %u: %5.0f", n_tokens, operations / prefill / 1e9);
  }
  std::printf(" GOP/s\n");
  std::fflush(stdout);
}

int run(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--threads" && i + 1 < argc) {
      options.n_threads = static_cast<std::uint32_t>(std::atoi(argv[++i]));
    } else if (argument == "--tokens" && i + 1 < argc) {
      options.n_tokens = static_cast<std::uint32_t>(std::atoi(argv[++i]));
    } else if (argument == "--columns" && i + 1 < argc) {
      options.n_columns = static_cast<std::uint32_t>(std::atoi(argv[++i]));
    } else if (argument == "--pairs") {
      limit_byte_products(ByteProducts::kPairs);
    } else if (argument == "--isa" && i + 1 < argc) {
      const std::string_view isa = argv[++i];
      hwy::SetSupportedTargetsForTest(isa == "sse4" ? HWY_SSE4 : HWY_AVX2);
      hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    } else {
      options.formats.push_back(argument);
    }
  }
  const double rate = ReadProbe::create(options.n_threads).value()->measure();
  std::printf("%s, %u threads; reading %.1f GB/s\n", simd_target(), options.n_threads, rate / 1e9);
  for (const BlockFormat* format : block_formats()) {
    if (!is_packable(format->type)) continue;
    if (!options.formats.empty() &&
        std::find(options.formats.begin(), options.formats.end(), format->name) ==
            options.formats.end())
      continue;
    bench(*format, options, rate);
  }
  return 0;
}

}  // namespace
}  // namespace kinglet::test

int main(int argc, char** argv) {
  return kinglet::test::run(argc, argv);
}
