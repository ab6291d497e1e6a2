#include "vulkan/tuning.h"

#include <fstream>
#include <thread>

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

using Seconds = std::chrono::duration<double>;
constexpr Seconds kLong{60};

/// A trial whose operation takes `seconds(tuning)`; counts how often it was measured.
template <class Function>
Trial trial(std::vector<Knob> knobs, int& n_measured, Function seconds) {
  return {std::move(knobs), [&n_measured, seconds](const Tuning& tuning) {
            ++n_measured;
            return Result<std::optional<double>>(seconds(tuning));
          }};
}

constexpr std::uint64_t kCandidates = 0x1234'5678'9abc'def0;  // some hash

const std::vector<Knob> kTwoKnobs = {{"k.rows", {2, 1, 4, 8}}, {"k.width", {64, 128, 256}}};

}  // namespace

TEST_SUITE("vulkan/tuning") {
  TEST_CASE("the search finds the fastest numbers") {
    int n_measured = 0;
    const auto fastest_at = [&](std::uint32_t rows, std::uint32_t width) {
      return search(std::vector{trial(kTwoKnobs,
                                      n_measured,
                                      [=](const Tuning& tuning) -> std::optional<double> {
                                        const bool right = tuning.value("k.rows", 2) == rows;
                                        const bool wide = tuning.value("k.width", 64) == width;
                                        return 1.0 + (right ? 0 : 1) + (wide ? 0 : 1);
                                      })},
                    kLong);
    };
    auto found = fastest_at(8, 128);
    REQUIRE(found.has_value());
    CHECK(found->text() == "tuning 1\nk.rows 8\nk.width 128\n");
    CHECK(n_measured == 6);
    found = fastest_at(2, 256);
    REQUIRE(found.has_value());
    CHECK(found->text() == "tuning 1\nk.rows 2\nk.width 256\n");
    found = fastest_at(2, 64);
    REQUIRE(found.has_value());
    CHECK(found->text() == "tuning 1\nk.rows 2\nk.width 64\n");
  }

  TEST_CASE("what is faster by a hair is luck, and what the device cannot do is passed over") {
    int n_measured = 0;
    const auto found =
        search(std::vector{trial(kTwoKnobs,
                                 n_measured,
                                 [](const Tuning& tuning) -> std::optional<double> {
                                   if (tuning.value("k.rows", 2) == 8) return {};
                                   return tuning.value("k.width", 64) == 64 ? 1.0 : 0.99;
                                 })},
               kLong);
    REQUIRE(found.has_value());
    CHECK(found->text() == "tuning 1\nk.rows 2\nk.width 64\n");
  }

  TEST_CASE("what is known is not tried again") {
    int n_measured = 0;
    const auto seconds = [](const Tuning& tuning) -> std::optional<double> {
      return 1.0 / tuning.value("k.rows", 2);
    };
    Tuning known;
    known.set("k.rows", 1);
    known.set("k.width", 128);
    known.set("elsewhere", 3);
    const auto found = search(std::vector{trial(kTwoKnobs, n_measured, seconds)}, kLong, known);
    REQUIRE(found.has_value());
    CHECK(*found == known);
    CHECK(n_measured == 0);
    // Of a trial with one more number than is known, that one is tried, among the known ones.
    auto knobs = kTwoKnobs;
    knobs.push_back({"k.splits", {1, 2}});
    const auto more = search(std::vector{trial(knobs, n_measured, seconds)}, kLong, known);
    REQUIRE(more.has_value());
    CHECK(more->text() == "tuning 1\nelsewhere 3\nk.rows 1\nk.splits 1\nk.width 128\n");
    CHECK(n_measured == 2);
  }

  // Once knobs that there was no time for were kept at their defaults, and never tried again.
  TEST_CASE("a search cut short finishes a knob and goes on with the others another time") {
    int n_first = 0;
    int n_second = 0;
    const auto slow = [](const Tuning& tuning) -> std::optional<double> {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      return 1.0 / tuning.value("k.rows", 2) / tuning.value("k.width", 64) /
             tuning.value("other", 1);
    };
    const std::vector trials = {trial(kTwoKnobs, n_first, slow),
                                trial({{"other", {1, 2}}}, n_second, slow)};
    // Time for no more than a measurement.
    constexpr Seconds kShort{0.01};
    auto found = search(trials, kShort);
    REQUIRE(found.has_value());
    CHECK(found->text() == "tuning 1\nk.rows 8\n");
    CHECK(n_first == 4);
    found = search(trials, kShort, *found);
    REQUIRE(found.has_value());
    CHECK(found->text() == "tuning 1\nk.rows 8\nk.width 256\n");
    CHECK(n_first == 4 + 3);
    CHECK(n_second == 0);
    found = search(trials, kShort, *found);
    REQUIRE(found.has_value());
    CHECK(found->text() == "tuning 1\nk.rows 8\nk.width 256\nother 2\n");
    CHECK(n_first == 4 + 3);
    CHECK(search(trials, kShort, *found) == *found);
    CHECK(n_second == 2);
  }

  TEST_CASE("a measurement that fails ends the search with its error") {
    const Trial broken = {kTwoKnobs, [](const Tuning&) -> Result<std::optional<double>> {
                            return fail(ErrorCode::kDeviceLost, "gone");
                          }};
    const auto found = search(std::vector{broken}, kLong);
    REQUIRE(!found.has_value());
    CHECK(found.error().code == ErrorCode::kDeviceLost);
  }

  TEST_CASE("text gives back the numbers, and other text is none") {
    Tuning tuning;
    CHECK(Tuning::parse(tuning.text()) == tuning);
    tuning.set("a.b", 7);
    tuning.set("mul_mat_vec_q4_k.rows", 4'294'967'295U);
    CHECK(Tuning::parse(tuning.text()) == tuning);
    for (const char* text : {"",
                             "tuning 2\n",
                             "tuning 1\na",
                             "tuning 1\na 1",
                             "tuning 1\na\n",
                             "tuning 1\n 1\n",
                             "tuning 1\na -1\n",
                             "tuning 1\na 4294967296\n",
                             "tuning 1\na 1 \n",
                             "tuning 1\n\n"}) {
      CAPTURE(text);
      CHECK(!Tuning::parse(text));
    }
  }

  TEST_CASE("a file holds for the device it was made on; nothing tuned is remembered, too") {
    const TemporaryFolder folder;
    const auto file = folder / "tuning";
    DeviceInfo device;
    device.vendor_id = 7;
    CHECK(!read_tuning(device, kCandidates, file));
    REQUIRE(write_tuning(device, kCandidates, file, {}).has_value());
    CHECK(read_tuning(device, kCandidates, file) == Tuning());
    Tuning tuning;
    tuning.set("k.rows", 4);
    REQUIRE(write_tuning(device, kCandidates, file, tuning).has_value());
    CHECK(read_tuning(device, kCandidates, file) == tuning);
    // Numbers of a list that has changed mean something else.
    CHECK(!read_tuning(device, kCandidates + 1, file));
    DeviceInfo other = device;
    other.driver_number = 1;
    CHECK(!read_tuning(other, kCandidates, file));
    std::ofstream(file, std::ios::binary | std::ios::app) << 'x';
    CHECK(!read_tuning(device, kCandidates, file));
  }
}
