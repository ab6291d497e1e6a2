#include "inference/cpu/processors.h"

#include <fstream>
#include <numeric>
#include <string>

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"

namespace kinglet::test {

namespace {

using inference::cpu::Processors;
using inference::cpu::read_processors;
using Numbers = std::vector<std::uint32_t>;

/// A machine's /sys/devices, as far as it is written.
class Devices {
 public:
  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = folder_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << '\n';
  }
  void write(std::uint32_t processor, const std::string& path, const std::string& text) {
    write("system/cpu/cpu" + std::to_string(processor) + "/" + path, text);
  }
  Processors read(const Numbers& allowed) const { return read_processors(folder_.path(), allowed); }

 private:
  TemporaryFolder folder_;
};

Numbers up_to(std::uint32_t n) {
  Numbers numbers(n);
  std::iota(numbers.begin(), numbers.end(), 0U);
  return numbers;
}

}  // namespace

TEST_SUITE("inference/cpu/processors") {
  TEST_CASE("a machine that says nothing has as many cores as processors") {
    const Processors found = Devices().read(up_to(3));
    CHECK(found.fast == up_to(3));
    CHECK(found.n_fast_cores == 3);
    CHECK(!found.has_slow);
    CHECK(inference::cpu::place_threads(found, 3).empty());
  }

  TEST_CASE("two processors of one core count once") {
    Devices devices;
    for (std::uint32_t i = 0; i < 8; ++i)
      devices.write(i, "topology/thread_siblings_list", i % 2 == 0 ? "0,2,4,6" : "1,3,5,7");
    CHECK(devices.read(up_to(8)).n_fast_cores == 2);
    CHECK(devices.read({1, 3}).n_fast_cores == 1);
  }

  TEST_CASE("an Intel machine names its performance cores") {
    // Two of them with two threads each, four efficient ones.
    Devices devices;
    devices.write("cpu_core/cpus", "0-3");
    devices.write("cpu_atom/cpus", "4-7");
    for (std::uint32_t i = 0; i < 8; ++i) {
      const std::string first = std::to_string(i / 2 * 2);
      const std::string pair = first + "-" + std::to_string(i / 2 * 2 + 1);
      devices.write(i, "topology/thread_siblings_list", i < 4 ? pair : std::to_string(i));
    }
    const Processors found = devices.read(up_to(8));
    CHECK(found.fast == up_to(4));
    CHECK(found.n_fast_cores == 2);
    CHECK(found.has_slow);
    CHECK(inference::cpu::place_threads(found, 2) == up_to(4));
    CHECK(inference::cpu::place_threads(found, 4) == up_to(4));
    CHECK(inference::cpu::place_threads(found, 5).empty());

    const Processors kept_to_slow = devices.read({5, 6});
    CHECK(kept_to_slow.fast == Numbers{5, 6});
    CHECK(!kept_to_slow.has_slow);
  }

  TEST_CASE("capacities and frequencies part kinds, not cores of one kind") {
    for (const char* file : {"cpu_capacity", "cpufreq/cpuinfo_max_freq"}) {
      CAPTURE(file);
      Devices devices;
      const Numbers speeds = {5'800'000, 5'500'000, 5'500'000, 4'300'000, 4'300'000};
      for (std::uint32_t i = 0; i < 5; ++i)
        devices.write(i, file, std::to_string(speeds[i]));
      CHECK(devices.read(up_to(5)).fast == up_to(3));
      CHECK(devices.read({3, 4}).fast == Numbers{3, 4});
    }
  }

  TEST_CASE("capacities that are all the same leave it to the frequencies") {
    Devices devices;
    for (std::uint32_t i = 0; i < 4; ++i) {
      devices.write(i, "cpu_capacity", "1024");
      devices.write(i, "cpufreq/cpuinfo_max_freq", i < 2 ? "5000000" : "3000000");
    }
    CHECK(devices.read(up_to(4)).fast == up_to(2));
  }

  TEST_CASE("text that is no list of processors is none") {
    for (const char* text : {"", "none", "0-", "-3", "0-99999999999", "3-1", "0-4294967295"}) {
      CAPTURE(text);
      Devices devices;
      devices.write("cpu_core/cpus", text);
      CHECK(devices.read(up_to(2)).fast == up_to(2));
    }
  }

  TEST_CASE("this machine has one") {
    const Processors found = inference::cpu::find_processors();
    CHECK(!found.fast.empty());
    CHECK(found.n_fast_cores >= 1);
    CHECK(found.n_fast_cores <= found.fast.size());
  }
}

}  // namespace kinglet::test
