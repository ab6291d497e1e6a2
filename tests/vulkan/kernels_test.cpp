#include "vulkan/kernels/all.h"

#include <filesystem>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "vulkan/spirv.h"

using namespace kinglet::vulkan;

TEST_SUITE("vulkan/kernels") {
  TEST_CASE("every .comp file has a row, and every row a file") {
    std::set<std::string> files;
    const auto folder = std::filesystem::path(KINGLET_SOURCE_DIR) / "vulkan" / "kernels";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".comp") files.insert(entry.path().stem().string());
    }
    std::set<std::string> rows;
    for (const Kernel& row : all_kernels()) {
      CHECK(rows.insert(std::string(row.name)).second);
      CHECK(&kernel(row.name) == &row);
    }
    CHECK(rows == files);
    CHECK(!rows.empty());
  }

  TEST_CASE("every kernel's push constants fit what each device must offer") {
    for (const Kernel& row : all_kernels()) {
      CAPTURE(row.name);
      const auto shader = reflect(row.spirv);
      REQUIRE(shader.has_value());
      CHECK(shader->push_bytes > 0);
      CHECK(shader->push_bytes <= 128);
      CHECK(shader->workgroup_size[0] * shader->workgroup_size[1] * shader->workgroup_size[2] <=
            256);
    }
  }
}
