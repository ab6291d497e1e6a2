// Every kernel compiled for real GPUs by Mesa's RADV, which needs no hardware for it, with the
// numbers that operations compile it with. What the compiler tells of them is held in
// tests/vulkan/radv/FAMILY.txt; KINGLET_UPDATE_GOLDEN=1 rewrites it, and the difference shows what
// a change did.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/radv.h"
#include "vulkan/operations.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

// Of a wave: its registers, a workgroup's shared memory, waves that fit a SIMD at once, and the
// cycles that one wave keeps its SIMD busy, by the compiler's own model: it counts a loop as eight
// rounds, one inside as four, one inside that as two.
constexpr std::array kFigures = {
    "VGPRs", "SGPRs", "LDS size", "Subgroups per SIMD", "Instructions", "Inverse Throughput"};
constexpr std::size_t kOccupancy = 3;
using Figures = std::array<double, kFigures.size()>;

double value_of(const std::vector<PipelineStatistic>& statistics, const std::string& name) {
  for (const PipelineStatistic& statistic : statistics) {
    if (statistic.name == name) return statistic.value;
  }
  FAIL("the driver does not tell " << name);
  return 0;
}

/// "mul_mat_vec_q4_k(128,4,1,2048)/32": the constants, the subgroup's width.
std::string key_of(std::string_view kernel, const Specialization& specialization) {
  std::string key(kernel);
  for (std::size_t i = 0; i < specialization.constants.size(); ++i)
    key += (i == 0 ? "(" : ",") + std::to_string(specialization.constants[i]);
  if (!specialization.constants.empty()) key += ')';
  if (specialization.subgroup_size != 0) key += '/' + std::to_string(specialization.subgroup_size);
  return key;
}

/// Of Phi-3.5-mini and of Qwen2.5-Coder-7B.
const std::vector<HeadShape> kHeads = {{96, 1, 32}, {128, 7, 32}};

/// All of them, as operations of any path compile them; those that no operation uses as they are.
std::map<std::string, const Pipeline*> all_pipelines(Pipelines& pipelines) {
  std::map<std::string, const Pipeline*> found;
  std::set<std::string_view> used;
  for (const ProductPath path :
       {ProductPath::kFloat, ProductPath::kHalf, ProductPath::kIntegerDot, ProductPath::kMatrix}) {
    const auto operations = Operations::create(pipelines, {.product_path = path, .heads = kHeads});
    REQUIRE(operations.has_value());
    for (const auto& [use, pipeline] : operations->pipelines())
      found[key_of(use.first, use.second)] = pipeline;
    used.merge(operations->kernels());
  }
  for (const Kernel& row : all_kernels()) {
    if (used.contains(row.name)) continue;
    const auto pipeline = pipelines.get(row);
    REQUIRE(pipeline.has_value());
    found[std::string(row.name)] = *pipeline;
  }
  return found;
}

void check_spills(const std::vector<PipelineStatistic>& told) {
  CHECK(value_of(told, "Spilled SGPRs") == 0);
  CHECK(value_of(told, "Spilled VGPRs") == 0);
}

struct Table {
  std::string driver;
  std::map<std::string, Figures> rows;
};

Table read_table(const std::filesystem::path& path) {
  Table table;
  std::ifstream file(path);
  std::string line;
  std::getline(file, table.driver);
  std::getline(file, line);  // the heads of the columns
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    for (double& figure : table.rows[key])
      words >> figure;
  }
  return table;
}

void write_table(const std::filesystem::path& path, const Table& table) {
  std::ofstream file(path);
  file << table.driver << '\n';
  std::array<char, 160> line = {};
  std::snprintf(line.data(),
                line.size(),
                "%-44s %6s %6s %7s %6s %12s %10s\n",
                "kernel",
                "VGPRs",
                "SGPRs",
                "shared",
                "waves",
                "instructions",
                "cycles");
  file << line.data();
  for (const auto& [key, f] : table.rows) {
    std::snprintf(line.data(),
                  line.size(),
                  "%-44s %6.0f %6.0f %7.0f %6.0f %12.0f %10.0f\n",
                  key.c_str(),
                  f[0],
                  f[1],
                  f[2],
                  f[3],
                  f[4],
                  f[5]);
    file << line.data();
  }
}

}  // namespace

TEST_SUITE("vulkan/radv") {
  TEST_CASE("kernels take no more of a GPU than the table says, and none spills") {
    if (const auto why = no_radv()) SKIP(why->c_str());
    const auto device = radv_device({.capture_statistics = true});
    const DeviceInfo& info = device->info();
    REQUIRE(info.optional.executable_statistics);
    const auto pipelines = Pipelines::create(*device);
    REQUIRE(pipelines.has_value());
    Table now = {info.name + ", " + info.driver_version, {}};
    for (const auto& [key, pipeline] : all_pipelines(**pipelines)) {
      CAPTURE(key);
      const auto told = statistics(*device, *pipeline);
      REQUIRE(told.has_value());
      check_spills(*told);
      Figures& figures = now.rows[key];
      std::transform(kFigures.begin(), kFigures.end(), figures.begin(), [&](const char* name) {
        return value_of(*told, name);
      });
    }
    const auto path = std::filesystem::path(KINGLET_SOURCE_DIR) / "tests/vulkan/radv" /
                      (std::string(std::getenv("RADV_FORCE_FAMILY")) + ".txt");
    if (const char* update = std::getenv("KINGLET_UPDATE_GOLDEN"); update && *update == '1') {
      return write_table(path, now);
    }
    const Table held = read_table(path);
    std::printf("%s: %zu kernels\n", now.driver.c_str(), now.rows.size());
    if (held.driver != now.driver) {
      std::printf("figures are of %s, this is %s\n", held.driver.c_str(), now.driver.c_str());
      return;
    }
    INFO(path.string() << " (KINGLET_UPDATE_GOLDEN=1 rewrites it)");
    for (const auto& [key, figures] : held.rows) {
      CAPTURE(key);
      CHECK_MESSAGE(now.rows.contains(key), "no kernel is compiled so any more");
    }
    for (const auto& [key, figures] : now.rows) {
      CAPTURE(key);
      const auto row = held.rows.find(key);
      CHECK(row != held.rows.end());
      if (row == held.rows.end()) continue;
      for (std::size_t i = 0; i < kFigures.size(); ++i) {
        CAPTURE(kFigures[i]);
        // Small changes of the code around pass.
        if (i == kOccupancy) {
          CHECK(figures[i] >= row->second[i]);
        } else {
          CHECK(figures[i] <= 1.1 * row->second[i] + 8);
        }
      }
    }
  }

  TEST_CASE("nor do the tiles spill that tuning may choose, but for halves on RDNA 3") {
    if (const auto why = no_radv()) SKIP(why->c_str());
    const auto device = radv_device({.capture_statistics = true});
    const auto pipelines = Pipelines::create(*device);
    REQUIRE(pipelines.has_value());
    const std::pair<TileKind, ProductPath> kinds[] = {{TileKind::kFloats, ProductPath::kFloat},
                                                      {TileKind::kHalves, ProductPath::kHalf},
                                                      {TileKind::kDots, ProductPath::kIntegerDot}};
    std::set<std::string> checked;
    // Where an invocation has more sums than by default, Mesa 22.3.6 spills 8 to 114 registers
    // there. Tuning times such tiles before it takes them, and newer drivers have matrices on these
    // cards.
    const bool is_rdna3 = std::string(std::getenv("RADV_FORCE_FAMILY")) == "GFX1100";
    std::set<std::string> spilling;
    for (const auto& [kind, path] : kinds) {
      const Knob large = tiling_knobs(device->info(), kind).front();
      CHECK(large.values.size() > 2);
      for (const std::uint32_t value : large.values) {
        Tuning tuning;
        tuning.set(large.name, value);
        const auto operations = Operations::create(
            **pipelines,
            {.weights = {WeightType::kF16, WeightType::kQ8_0, WeightType::kQ4_K, WeightType::kQ6_K},
             .caches = {},
             .product_path = path,
             .tuning = tuning});
        REQUIRE(operations.has_value());
        for (const auto& [use, pipeline] : operations->pipelines()) {
          const std::string key = key_of(use.first, use.second);
          const bool is_tile = key.starts_with("mul_mat_") && !key.starts_with("mul_mat_vec_");
          if (!is_tile || !checked.insert(key).second) continue;
          CAPTURE(key);
          const auto told = statistics(*device, *pipeline);
          REQUIRE(told.has_value());
          if (is_rdna3 && kind == TileKind::kHalves && value != 0 &&
              value_of(*told, "Spilled VGPRs") > 0) {
            spilling.insert(key);
          } else {
            check_spills(*told);
          }
        }
      }
    }
    std::printf("%s: %zu pipelines of tiles, %zu spill\n",
                device->info().name.c_str(),
                checked.size(),
                spilling.size());
    CHECK(spilling.size() <= 12);
  }
}
