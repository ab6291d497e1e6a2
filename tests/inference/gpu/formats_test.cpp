#include "inference/gpu/formats.h"

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/support/temporary_folder.h"
#include "tests/vulkan/lab.h"
#include "vulkan/operations/tune.h"

namespace kinglet::test {

namespace {

using inference::TuningUse;
using vulkan::Tuning;

const vulkan::Formats kFormats = {.weights = {vulkan::WeightType::kF32},
                                  .caches = {vulkan::CacheType::kF16},
                                  .heads = {{.head_dim = 32, .group = 2, .page_tokens = 32}}};

}  // namespace

TEST_SUITE("inference/gpu/formats") {
  // Loads that `kinglet bench` timed went on with the tuning.
  TEST_CASE("numbers that are kept are taken, and others are not tried where nothing may be") {
    LAB();
    const TemporaryFolder folder;
    const vulkan::DeviceInfo& device = lab.device().info();
    const auto tuning_with = [&](TuningUse use) {
      return inference::gpu::tuning_of(
          lab.device(), kFormats, {.tuning = use, .cache_folder = folder.path()});
    };
    const auto file = inference::gpu::device_file(folder.path(), "tuning", device);
    CHECK(tuning_with(TuningUse::kKept) == Tuning());
    CHECK(!std::filesystem::exists(file));
    Tuning kept;
    kept.set("elsewhere", 3);
    const std::uint64_t candidates = vulkan::candidates_hash(device);
    REQUIRE(vulkan::write_tuning(device, candidates, file, kept).has_value());
    CHECK(tuning_with(TuningUse::kKept) == kept);
    CHECK(vulkan::read_tuning(device, candidates, file) == kept);
    CHECK(tuning_with(TuningUse::kNever) == Tuning());
    // Where something may, it is, and kept.
    const Tuning more = tuning_with(TuningUse::kAlways);
    CHECK(more.size() > kept.size());
    CHECK(vulkan::read_tuning(device, candidates, file) == more);
    CHECK(tuning_with(TuningUse::kKept) == more);
  }
}

}  // namespace kinglet::test
