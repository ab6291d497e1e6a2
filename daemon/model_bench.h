// How fast a model is on a device, beside how fast it could be: each row is a measured speed and
// its share of the limit that the pass's bytes and arithmetic set on that device.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "inference/backend.h"

namespace kinglet::daemon {

enum class BenchTest : std::uint8_t { kLoad, kPrefill, kDecode };
std::string_view name_of(BenchTest test);

struct BenchRow {
  BenchTest test = BenchTest::kLoad;
  std::uint32_t n = 0;       ///< tokens of one round; 0 for kLoad
  std::uint32_t depth = 0;   ///< positions in the cache before them
  double seconds = 0;        ///< median of the rounds
  double least_seconds = 0;  ///< what the limit allows; 0: not known
  std::uint64_t bytes = 0;   ///< that one round must move, per token for kDecode
  std::uint32_t n_rounds = 0;
  std::string skipped = {};  ///< why there is no figure
  /// Of kLoad: how fast the file is read the same way, and which way; 0: not known.
  double read_bytes_per_s = 0;
  bool from_disk = false;  ///< none of the file was in the page cache
  /// More positions than the model was trained for: the time is right, the text would be none.
  bool beyond_context = false;
  /// Of this thread, which submits, for a token of kDecode; nothing where the thread computes.
  std::optional<double> cpu_seconds = std::nullopt;
  /// The last pass: of kDecode a token's, of kPrefill a chunk's. With kernel times where asked for.
  std::optional<inference::PassRecord> pass = std::nullopt;

  double tokens_per_s() const { return seconds > 0 ? n / seconds : 0; }
  double bytes_per_s() const { return seconds > 0 ? static_cast<double>(bytes) / seconds : 0; }
  /// Of kLoad: of reading the file.
  double share_of_limit() const { return seconds > 0 ? least_seconds / seconds : 0; }
  /// Of the limit that counts, besides, that stages wait for each other; of kDecode alone.
  double share_of_staged_limit(const inference::DeviceLimits& limits) const;
};

struct BenchOptions {
  std::vector<std::uint32_t> prefills = {512, 4096, 32768};
  std::uint32_t n_decoded = 64;
  std::vector<std::uint32_t> depths = {0, 4096, 32768, 131072};
  /// Of one row.
  double seconds_per_row = 10;
  /// How many times its seconds a row may take, as far as can be told, before it is skipped: there
  /// is no figure otherwise.
  double patience = 4;
  /// Whether tests go beyond the context that the model was trained for.
  bool beyond_context = false;
  /// One more round of each row, with the kernels timed.
  bool time_kernels = false;
  /// Gets each row as soon as it is known.
  std::function<void(const BenchRow&)> on_row = [](const BenchRow&) {};
};

/// Positions the cache must hold for these tests, as far as the model's context allows.
std::uint32_t bench_tokens(const inference::Model& model, const BenchOptions& options);

/// Every row of a placed model, kLoad aside. A depth within the context that leaves no room for the
/// tokens decoded becomes the deepest that does. Errors: kCancelled, and the device's own.
Result<std::vector<BenchRow>> bench_model(inference::Executor& executor,
                                          const inference::DeviceLimits& limits,
                                          const BenchOptions& options,
                                          const std::stop_token& stop = {});

}  // namespace kinglet::daemon
