#include "inference/cpu/processors.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <sched.h>

namespace kinglet::inference::cpu {

namespace {

namespace fs = std::filesystem;

// Cores of one kind differ by some percent in how fast they may become; kinds by a quarter or more.
constexpr double kFastShare = 0.78;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "0-3,8" as the kernel writes sets of processors; what is not of that form is left out.
std::set<std::uint32_t> parse_list(std::string_view text) {
  constexpr std::uint32_t kMost = 4096;
  std::set<std::uint32_t> list;
  while (!text.empty()) {
    const std::string_view range = text.substr(0, text.find(','));
    text.remove_prefix(std::min(range.size() + 1, text.size()));
    const std::size_t dash = range.find('-');
    const auto first = number(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number(range.substr(dash + 1));
    if (!first || !last || *last >= kMost) continue;
    for (std::uint32_t i = *first; i <= *last; ++i)
      list.insert(i);
  }
  return list;
}

fs::path folder_of(const fs::path& root, std::uint32_t processor) {
  return root / "system" / "cpu" / ("cpu" + std::to_string(processor));
}

/// How fast each is, in whatever unit; 0 where nothing is said.
std::vector<std::uint32_t> speeds(const fs::path& root,
                                  const std::vector<std::uint32_t>& processors) {
  for (const char* file : {"cpu_capacity", "cpufreq/cpuinfo_max_freq"}) {
    std::vector<std::uint32_t> found(processors.size());
    std::transform(
        processors.begin(), processors.end(), found.begin(), [&](std::uint32_t processor) {
          return number(first_line(folder_of(root, processor) / file)).value_or(0);
        });
    const auto [least, most] = std::minmax_element(found.begin(), found.end());
    // Capacities that are all the same say nothing: x86 kernels often leave them at their default.
    if (*least != 0 && *least != *most) return found;
  }
  return std::vector<std::uint32_t>(processors.size(), 0);
}

std::vector<std::uint32_t> fast_ones(const fs::path& root,
                                     const std::vector<std::uint32_t>& allowed) {
  std::vector<std::uint32_t> fast;
  const std::set<std::uint32_t> performance = parse_list(first_line(root / "cpu_core" / "cpus"));
  std::copy_if(allowed.begin(), allowed.end(), std::back_inserter(fast), [&](std::uint32_t i) {
    return performance.contains(i);
  });
  // A process may be kept to the slow ones: those are its fast ones then.
  if (!fast.empty() || !performance.empty()) return fast.empty() ? allowed : fast;
  const std::vector<std::uint32_t> speed = speeds(root, allowed);
  const std::uint32_t most = *std::max_element(speed.begin(), speed.end());
  for (std::size_t i = 0; i < allowed.size(); ++i) {
    if (speed[i] >= kFastShare * most) fast.push_back(allowed[i]);
  }
  return fast;
}

}  // namespace

Processors read_processors(const fs::path& root, std::vector<std::uint32_t> allowed) {
  if (allowed.empty()) allowed.push_back(0);
  std::sort(allowed.begin(), allowed.end());
  Processors result;
  result.fast = fast_ones(root, allowed);
  result.has_slow = result.fast.size() < allowed.size();
  // Processors of one core name the same siblings.
  std::set<std::string> cores;
  for (const std::uint32_t processor : result.fast) {
    const std::string siblings =
        first_line(folder_of(root, processor) / "topology" / "thread_siblings_list");
    cores.insert(siblings.empty() ? "alone " + std::to_string(processor) : siblings);
  }
  result.n_fast_cores = static_cast<std::uint32_t>(cores.size());
  return result;
}

Processors find_processors() {
  std::vector<std::uint32_t> allowed;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (std::uint32_t i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &set)) allowed.push_back(i);
    }
  } else {
    // More processors than the set has room for.
    for (std::uint32_t i = 0; i < std::max(std::thread::hardware_concurrency(), 1U); ++i)
      allowed.push_back(i);
  }
  return read_processors("/sys/devices", std::move(allowed));
}

std::vector<std::uint32_t> place_threads(const Processors& processors, std::uint32_t n_threads) {
  const bool are_enough = n_threads <= processors.fast.size();
  return processors.has_slow && are_enough ? processors.fast : std::vector<std::uint32_t>();
}

}  // namespace kinglet::inference::cpu
