// That a second start compiles nothing: asked of a real GPU's driver, which needs no hardware for
// it. CMakeLists.txt turns the driver's own cache of compiled shaders off; only ours can serve.
#include <cstdio>
#include <fstream>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/support/temporary_folder.h"
#include "tests/vulkan/radv.h"
#include "vulkan/operations.h"
#include "vulkan/operations/support.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

struct Start {
  std::size_t n_kernels = 0;
  std::size_t n_compiled = 0;
};

const std::vector<HeadShape> kHeads = {{.head_dim = 128, .group = 4, .page_tokens = 32}};

/// What a process does that loads a model of all block formats and cache types, on a device opened
/// anew.
Start start(const std::filesystem::path& cache_file) {
  const auto device = radv_device();
  REQUIRE(device->info().optional.creation_cache_control);
  const auto pipelines = Pipelines::create(*device, cache_file);
  REQUIRE(pipelines.has_value());
  REQUIRE(Operations::create(**pipelines, {.heads = kHeads}).has_value());
  REQUIRE((*pipelines)->save().has_value());
  return {(*pipelines)->size(), (*pipelines)->n_compiled()};
}

}  // namespace

TEST_SUITE("vulkan/radv_cache") {
  TEST_CASE("the first start compiles every kernel, the second none") {
    if (const auto why = no_radv()) SKIP(why->c_str());
    const TemporaryFolder folder;
    const auto file = folder / "pipelines";
    const Start first = start(file);
    CHECK(first.n_kernels > 50);
    CHECK(first.n_compiled == first.n_kernels);
    const auto written = std::filesystem::last_write_time(file);
    const auto bytes = std::filesystem::file_size(file);

    const Start second = start(file);
    CHECK(second.n_kernels == first.n_kernels);
    CHECK(second.n_compiled == 0);
    // There was nothing to add.
    CHECK(std::filesystem::last_write_time(file) == written);
    std::printf("%zu pipelines, %ju bytes of cache\n", first.n_kernels, bytes);
  }

  TEST_CASE("what the cache lacks is compiled, and added") {
    if (const auto why = no_radv()) SKIP(why->c_str());
    const TemporaryFolder folder;
    const auto file = folder / "pipelines";
    const auto compiled = [&](std::initializer_list<std::string_view> kernels) {
      const auto device = radv_device();
      const auto pipelines = Pipelines::create(*device, file);
      REQUIRE(pipelines.has_value());
      for (const std::string_view name : kernels)
        REQUIRE((*pipelines)->get(kernel(name)).has_value());
      REQUIRE((*pipelines)->save().has_value());
      return (*pipelines)->n_compiled();
    };
    CHECK(compiled({"add"}) == 1);
    CHECK(compiled({"add", "scale"}) == 1);
    CHECK(compiled({"scale", "add"}) == 0);
    // A rotten file is none.
    std::ofstream(file, std::ios::binary) << std::string(4'096, 'x');
    CHECK(compiled({"scale", "add"}) == 2);
    CHECK(compiled({"scale", "add"}) == 0);
  }

  TEST_CASE("whatever tuning may choose is compiled") {
    if (const auto why = no_radv()) SKIP(why->c_str());
    const auto device = radv_device();
    const auto pipelines = Pipelines::create(*device);
    REQUIRE(pipelines.has_value());
    std::vector<Knob> knobs = attention_knobs(CacheType::kQ8_0, 7);
    const auto add = [&](const std::vector<Knob>& more) {
      knobs.insert(knobs.end(), more.begin(), more.end());
    };
    add(vec_knobs(device->info(), WeightType::kQ4_K, false));
    for (const TileKind kind : {TileKind::kFloats, TileKind::kHalves})
      add(tiling_knobs(device->info(), kind));
    std::size_t n_others = 0;
    for (const Knob& knob : knobs)
      n_others += knob.values.size() - 1;
    for (const ProductPath path : {ProductPath::kFloat, ProductPath::kHalf}) {
      for (const Knob& knob : knobs) {
        for (const std::uint32_t value : knob.values) {
          CAPTURE(knob.name);
          CAPTURE(value);
          Tuning tuning;
          tuning.set(knob.name, value);
          CHECK(Operations::create(**pipelines,
                                   {.weights = {WeightType::kQ4_K},
                                    .caches = {CacheType::kQ8_0},
                                    .product_path = path,
                                    .tuning = tuning,
                                    .heads = kHeads})
                    .has_value());
        }
      }
    }
    // Other shapes are other pipelines: at least one for each number's other values.
    CHECK((*pipelines)->size() >= n_others + 20);
  }
}
