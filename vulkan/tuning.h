// Numbers that stay open until the device is known (tile sizes, rows of a workgroup, splits), and
// the search for good ones by trying.
//
// An operation asks for each by name and brings a default, which is what counts where nothing was
// tried: on software drivers, and where tuning is off. So results without tuning do not depend on
// the machine's mood. Names are "KERNEL.number": "mul_mat_vec_q4_k.rows".
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vulkan/instance.h"

namespace kinglet::vulkan {

class Tuning {
 public:
  std::uint32_t value(std::string_view name, std::uint32_t otherwise) const;
  void set(std::string_view name, std::uint32_t value);
  bool has(std::string_view name) const { return values_.contains(name); }
  std::size_t size() const { return values_.size(); }

  /// A line each, "name value", sorted.
  std::string text() const;
  /// Of text(); nothing when a line is not of its kind.
  static std::optional<Tuning> parse(std::string_view text);

  friend bool operator==(const Tuning&, const Tuning&) = default;

 private:
  std::map<std::string, std::uint32_t, std::less<>> values_;
};

/// A number, and what it may be. REQUIRES values of which the first is the default.
struct Knob {
  std::string name;
  std::vector<std::uint32_t> values;
};

/// Numbers that shape one operation, and how long it takes with them.
struct Trial {
  std::vector<Knob> knobs;
  /// Seconds of a typical run; nothing where the device cannot do that (too much shared memory).
  /// Numbers of other trials in `tuning` have no bearing on it.
  std::function<Result<std::optional<double>>(const Tuning& tuning)> measure;
};

/// Whether all of its numbers are.
bool is_known(const Trial& trial, const Tuning& tuning);

/// Turns one knob after the other and keeps what is clearly faster than what was. What `known` has
/// is not turned again: the result is `known` and the other knobs' numbers, defaults included. None
/// is begun after `budget` is spent, the one under way then is finished, and those that were not
/// turned are left out; so a search that was cut short goes on with them another time. An error of
/// a measurement ends it.
Result<Tuning> search(std::span<const Trial> trials,
                      std::chrono::duration<double> budget,
                      Tuning known = {});

/// Of the file; nothing when it is not there, damaged, another device's, driver's or set of
/// kernels' (device_file.h), or was chosen among other candidates: `candidates` is their hash.
std::optional<Tuning> read_tuning(const DeviceInfo& device,
                                  std::uint64_t candidates,
                                  const std::filesystem::path& file);
/// kIo.
Result<void> write_tuning(const DeviceInfo& device,
                          std::uint64_t candidates,
                          const std::filesystem::path& file,
                          const Tuning& tuning);

}  // namespace kinglet::vulkan
