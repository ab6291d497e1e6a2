#include "vulkan/probe.h"

#include <algorithm>

#include "vulkan/stream.h"

namespace kinglet::vulkan {

namespace {

#pragma pack(push, 4)
struct ReadPush {
  DeviceAddress vectors, result;
  std::uint32_t n_vectors, n_invocations;
};
struct MultiplyPush {
  DeviceAddress result;
  std::uint32_t n_rounds;
  float factor;
};
#pragma pack(pop)

constexpr std::uint32_t kWorkgroup = 256;  // of both kernels
constexpr std::uint32_t kVectorBytes = 16;
constexpr double kFlopsOfRound = 32;
constexpr int kRounds = 5;

// How much is enough to measure, and not more than some hundredths of a second.
struct Amounts {
  std::uint64_t buffer_bytes;
  std::uint32_t n_vectors_each;  // of an invocation
  std::uint32_t n_multiply_groups;
  std::uint32_t n_multiply_rounds;
  std::uint32_t n_empty;
};
constexpr Amounts kGpu = {std::uint64_t{256} << 20, 64, 8'192, 4'096, 256};
constexpr Amounts kSoftware = {std::uint64_t{64} << 20, 4'096, 64, 1'024, 64};

/// The shortest of kRounds runs, in seconds.
template <class Record>
Result<double> best_run(const Device& device, const Record& record) {
  Stream stream = TRY(Stream::create(device));
  TRY(stream.begin());
  record(stream);
  TRY(stream.end());
  double best = TRY(stream.run());  // the first one also warms up
  for (int round = 1; round < kRounds; ++round)
    best = std::min(best, TRY(stream.run()));
  return std::max(best, 1e-9);
}

}  // namespace

Result<Peaks> measure_peaks(const Device& device, Pipelines& pipelines) {
  const Amounts amounts = device.info().type == DeviceType::kSoftware ? kSoftware : kGpu;
  const Pipeline* const read = TRY(pipelines.get(kernel("probe_read")));
  const Pipeline* const multiply = TRY(pipelines.get(kernel("probe_multiply")));
  const Buffer from =
      TRY(Buffer::create(device, amounts.buffer_bytes, MemoryUse::kDevice, "a bandwidth test"));
  const Buffer to =
      TRY(Buffer::create(device, amounts.buffer_bytes, MemoryUse::kDevice, "a bandwidth test"));
  const Buffer result = TRY(Buffer::create(device, 4, MemoryUse::kDevice, "a test's result"));
  const auto bytes = static_cast<double>(amounts.buffer_bytes);

  Peaks peaks;
  const auto n_vectors = static_cast<std::uint32_t>(amounts.buffer_bytes / kVectorBytes);
  const std::uint32_t n_invocations = n_vectors / amounts.n_vectors_each;
  peaks.read_bytes_per_s =
      bytes / TRY(best_run(device, [&](Stream& stream) {
        stream.dispatch(*read,
                        ReadPush{from.address(), result.address(), n_vectors, n_invocations},
                        {n_invocations / kWorkgroup, 1, 1},
                        amounts.n_vectors_each);
      }));
  peaks.copy_bytes_per_s = 2 * bytes / TRY(best_run(device, [&](Stream& stream) {
                             stream.copy(from, 0, to, 0, amounts.buffer_bytes);
                           }));
  const double flops = kFlopsOfRound * amounts.n_multiply_rounds * kWorkgroup *
                       static_cast<double>(amounts.n_multiply_groups);
  peaks.float_flops =
      flops / TRY(best_run(device, [&](Stream& stream) {
        stream.dispatch(*multiply,
                        MultiplyPush{result.address(), amounts.n_multiply_rounds, 0.999F},
                        {amounts.n_multiply_groups, 1, 1},
                        amounts.n_multiply_rounds);
      }));
  peaks.dispatch_seconds =
      TRY(best_run(
          device,
          [&](Stream& stream) {
            for (std::uint32_t i = 0; i < amounts.n_empty; ++i) {
              stream.barrier();
              stream.dispatch(*multiply, MultiplyPush{result.address(), 0, 0}, {1, 1, 1}, 0);
            }
          })) /
      amounts.n_empty;
  return peaks;
}

}  // namespace kinglet::vulkan
