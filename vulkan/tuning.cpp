#include "vulkan/tuning.h"

#include <algorithm>
#include <charconv>

#include "vulkan/device_file.h"

namespace kinglet::vulkan {

namespace {

// Clocks rise and fall: what wins by less than this may have been lucky.
constexpr double kClearlyFaster = 0.97;

// So that a file without numbers is told from no file.
constexpr std::string_view kFirstLine = "tuning 1\n";

std::string candidates_line(std::uint64_t candidates) {
  return "candidates " + std::to_string(candidates) + '\n';
}

using Clock = std::chrono::steady_clock;

/// Sets knobs of one trial that `known` lacks: at least one, so that every search gets on, and
/// none of which not all values were tried.
Result<void> turn(const Trial& trial, Clock::time_point end, Tuning& known) {
  Tuning tuning = known;
  for (const Knob& knob : trial.knobs) {
    if (!known.has(knob.name)) tuning.set(knob.name, knob.values.front());
  }
  std::optional<double> best = TRY(trial.measure(tuning));
  for (const Knob& knob : trial.knobs) {
    if (known.has(knob.name)) continue;
    std::uint32_t chosen = knob.values.front();
    for (const std::uint32_t value : std::span(knob.values).subspan(1)) {
      tuning.set(knob.name, value);
      const auto seconds = TRY(trial.measure(tuning));
      if (!seconds || (best && *seconds >= *best * kClearlyFaster)) continue;
      best = seconds;
      chosen = value;
    }
    tuning.set(knob.name, chosen);
    known.set(knob.name, chosen);
    if (Clock::now() >= end) break;
  }
  return {};
}

}  // namespace

std::uint32_t Tuning::value(std::string_view name, std::uint32_t otherwise) const {
  const auto found = values_.find(name);
  return found != values_.end() ? found->second : otherwise;
}

void Tuning::set(std::string_view name, std::uint32_t value) {
  values_.insert_or_assign(std::string(name), value);
}

std::string Tuning::text() const {
  std::string text(kFirstLine);
  for (const auto& [name, value] : values_)
    text += name + ' ' + std::to_string(value) + '\n';
  return text;
}

std::optional<Tuning> Tuning::parse(std::string_view text) {
  if (!text.starts_with(kFirstLine)) return std::nullopt;
  text.remove_prefix(kFirstLine.size());
  Tuning tuning;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || space == 0) return std::nullopt;
    const char* const last = line.data() + line.size();
    std::uint32_t value = 0;
    const auto [rest, error] = std::from_chars(line.data() + space + 1, last, value);
    if (error != std::errc() || rest != last) return std::nullopt;
    tuning.set(line.substr(0, space), value);
  }
  return tuning;
}

bool is_known(const Trial& trial, const Tuning& tuning) {
  return std::all_of(trial.knobs.begin(), trial.knobs.end(), [&](const Knob& knob) {
    return tuning.has(knob.name);
  });
}

Result<Tuning> search(std::span<const Trial> trials,
                      std::chrono::duration<double> budget,
                      Tuning known) {
  const Clock::time_point end = Clock::now() + std::chrono::duration_cast<Clock::duration>(budget);
  for (const Trial& trial : trials) {
    if (Clock::now() >= end) break;
    if (!is_known(trial, known)) TRY(turn(trial, end, known));
  }
  return known;
}

std::optional<Tuning> read_tuning(const DeviceInfo& device,
                                  std::uint64_t candidates,
                                  const std::filesystem::path& file) {
  const auto payload = read_device_file(DeviceFile::kTuning, device, file);
  const std::string first_line = candidates_line(candidates);
  std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
  if (!text.starts_with(first_line)) return std::nullopt;
  text.remove_prefix(first_line.size());
  return Tuning::parse(text);
}

Result<void> write_tuning(const DeviceInfo& device,
                          std::uint64_t candidates,
                          const std::filesystem::path& file,
                          const Tuning& tuning) {
  const std::string text = candidates_line(candidates) + tuning.text();
  return write_device_file(DeviceFile::kTuning, device, file, std::as_bytes(std::span(text)));
}

}  // namespace kinglet::vulkan
