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

constexpr std::uint32_t kWorkgroup = 256;  // of probe_read and of probe_multiply…
constexpr std::uint32_t kVectorBytes = 16;
constexpr double kFlopsOfRound = 32;
constexpr double kDotOpsOfRound = 128;         // of probe_multiply_dot
constexpr std::uint32_t kMatrixSubgroups = 4;  // of a workgroup of probe_matrix
constexpr double kMatrixProducts = 4;          // of a round
constexpr int kRuns = 5;
// A run is repeated within its submit to last about this long: nothing to who shares the device,
// and much to its clock.
constexpr double kWantedSeconds = 0.03;

struct Amounts {
  std::uint64_t most_bytes;      // of a buffer: many times what caches hold
  std::uint32_t n_vectors_each;  // of an invocation
  std::uint32_t n_multiply_groups;
  std::uint32_t n_multiply_rounds;  // of one repetition
  std::uint32_t most_repetitions;
  std::uint32_t n_empty;
};
constexpr Amounts kGpu = {std::uint64_t{2} << 30, 64, 8'192, 64, 64, 256};
constexpr Amounts kSoftware = {std::uint64_t{64} << 20, 4'096, 64, 1'024, 1, 64};

class Probe {
 public:
  Probe(const Device& device, Pipelines& pipelines, const Buffer& result)
      : device_(device),
        pipelines_(pipelines),
        result_(result),
        amounts_(device.info().type == DeviceType::kSoftware ? kSoftware : kGpu) {}

  static Result<Peaks> measure(const Device& device, Pipelines& pipelines) {
    const Buffer result = TRY(Buffer::create(device, 4, MemoryUse::kDevice, "a test's result"));
    return Probe(device, pipelines, result).peaks();
  }

 private:
  Result<Peaks> peaks() const {
    Peaks peaks;
    TRY(measure_bandwidth(peaks));
    peaks.float_flops = TRY(flops("probe_multiply", {}, kWorkgroup * kFlopsOfRound));
    const DeviceInfo& info = device_.info();
    if (info.optional.float16_arithmetic) {
      peaks.half_flops = TRY(flops("probe_multiply_half", {}, kWorkgroup * kFlopsOfRound));
    }
    if (info.optional.integer_dot_product) {
      peaks.byte_ops = TRY(flops("probe_multiply_dot", {}, kWorkgroup * kDotOpsOfRound));
    }
    if (info.optional.cooperative_matrix) peaks.matrix_flops = TRY(matrix_flops());
    peaks.dispatch_seconds = TRY(dispatch_seconds());
    return peaks;
  }

  Result<void> measure_bandwidth(Peaks& peaks) const {
    const Pipeline* const read = TRY(pipelines_.get(kernel("probe_read")));
    // From one to the other; each as large as may be, and smaller where others use the device.
    const DeviceInfo& info = device_.info();
    constexpr std::uint64_t kLeastBytes = std::uint64_t{16} << 20;
    std::uint64_t n_bytes =
        std::min({amounts_.most_bytes, info.device_local_bytes() / 4, info.max_allocation_bytes});
    n_bytes = std::max(n_bytes / kLeastBytes, std::uint64_t{1}) * kLeastBytes;
    Result<Buffer> from = large(n_bytes);
    Result<Buffer> to = large(n_bytes);
    while ((!from || !to) && n_bytes >= 2 * kLeastBytes) {
      n_bytes = n_bytes / 2 / kLeastBytes * kLeastBytes;
      from = fail(ErrorCode::kOutOfMemory, {});  // what there was is free again
      to = fail(ErrorCode::kOutOfMemory, {});
      from = large(n_bytes);
      to = large(n_bytes);
    }
    if (!from) return tl::unexpected(from.error());
    if (!to) return tl::unexpected(to.error());

    const auto bytes = static_cast<double>(n_bytes);
    const auto n_vectors = static_cast<std::uint32_t>(n_bytes / kVectorBytes);
    const std::uint32_t n_invocations = n_vectors / amounts_.n_vectors_each;
    const ReadPush push = {from->address(), result_.address(), n_vectors, n_invocations};
    peaks.read_bytes_per_s =
        bytes / TRY(best_repetition([&](Stream& stream, std::uint32_t n_repetitions) {
          for (std::uint32_t i = 0; i < n_repetitions; ++i) {
            stream.barrier();
            stream.dispatch(
                *read, push, {n_invocations / kWorkgroup, 1, 1}, amounts_.n_vectors_each);
          }
        }));
    peaks.copy_bytes_per_s =
        2 * bytes / TRY(best_repetition([&](Stream& stream, std::uint32_t n_repetitions) {
          for (std::uint32_t i = 0; i < n_repetitions; ++i) {
            stream.barrier();
            stream.copy(*from, 0, *to, 0, n_bytes);
          }
        }));
    return {};
  }

  Result<Buffer> large(std::uint64_t n_bytes) const {
    return Buffer::create(device_, n_bytes, MemoryUse::kDevice, "a bandwidth test");
  }

  /// Of a kernel whose workgroup does `flops_of_round` in each round.
  Result<double> flops(std::string_view name,
                       const Specialization& specialization,
                       double flops_of_round) const {
    const Pipeline* const pipeline = TRY(pipelines_.get(kernel(name), specialization));
    const double seconds = TRY(best_repetition([&](Stream& stream, std::uint32_t n_repetitions) {
      const std::uint32_t n_rounds = amounts_.n_multiply_rounds * n_repetitions;
      stream.dispatch(*pipeline,
                      MultiplyPush{result_.address(), n_rounds, 0.999F},
                      {amounts_.n_multiply_groups, 1, 1},
                      n_rounds);
    }));
    return flops_of_round * amounts_.n_multiply_rounds * amounts_.n_multiply_groups / seconds;
  }

  Result<double> matrix_flops() const {
    const DeviceInfo& info = device_.info();
    const MatrixShape& one = info.matrix;
    const std::uint32_t width = info.matrix_subgroup_size;
    const std::uint32_t n_subgroups =
        std::clamp(info.max_workgroup_invocations / width, 1U, kMatrixSubgroups);
    const double flops_of_product = 2.0 * one.m * one.n * one.k;
    Result<double> found = flops("probe_matrix",
                                 {.constants = {n_subgroups * width, one.m, one.n, one.k},
                                  .subgroup_size = info.optional.subgroup_size_control ? width : 0},
                                 n_subgroups * kMatrixProducts * flops_of_product);
    // A driver that cannot compile this has no matrices that work.
    if (!found && found.error().code != ErrorCode::kDeviceLost) return 0.0;
    return found;
  }

  Result<double> dispatch_seconds() const {
    const Pipeline* const pipeline = TRY(pipelines_.get(kernel("probe_multiply")));
    const auto record = [&](Stream& stream) {
      for (std::uint32_t i = 0; i < amounts_.n_empty; ++i) {
        stream.barrier();
        stream.dispatch(*pipeline, MultiplyPush{result_.address(), 0, 0}, {1, 1, 1}, 0);
      }
    };
    return TRY(best_run(record)) / amounts_.n_empty;
  }

  /// `record(stream, n)` records n repetitions; the shortest that one of them took, in seconds.
  template <class Record>
  Result<double> best_repetition(const Record& record) const {
    const double one = TRY(best_run([&](Stream& stream) { record(stream, 1); }));
    const auto n = static_cast<std::uint32_t>(
        std::clamp(kWantedSeconds / one, 1.0, static_cast<double>(amounts_.most_repetitions)));
    if (n == 1) return one;
    return TRY(best_run([&](Stream& stream) { record(stream, n); })) / n;
  }

  /// The shortest of some runs, in seconds.
  template <class Record>
  Result<double> best_run(const Record& record) const {
    Stream stream = TRY(Stream::create(device_));
    TRY(stream.begin());
    record(stream);
    TRY(stream.end());
    double best = TRY(stream.run());  // the first one also warms up
    for (int run = 1; run < kRuns; ++run)
      best = std::min(best, TRY(stream.run()));
    return std::max(best, 1e-9);
  }

  const Device& device_;
  Pipelines& pipelines_;
  const Buffer& result_;
  Amounts amounts_;
};

}  // namespace

Result<Peaks> measure_peaks(const Device& device, Pipelines& pipelines) {
  return Probe::measure(device, pipelines);
}

}  // namespace kinglet::vulkan
