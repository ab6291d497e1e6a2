#include "vulkan/device_file.h"

#include <fstream>

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "tests/support/skip.h"
#include "tests/support/temporary_folder.h"
#include "tests/vulkan/lab.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

DeviceInfo some_device() {
  DeviceInfo device;
  device.vendor_id = 1;
  device.device_id = 2;
  device.driver_number = 3;
  device.pipeline_cache_uuid[5] = 4;
  return device;
}

std::vector<std::byte> some_payload() {
  std::vector<std::byte> payload;
  for (int i = 0; i < 500; ++i)
    payload.push_back(static_cast<std::byte>(i * 7));
  return payload;
}

}  // namespace

TEST_SUITE("vulkan/device_file") {
  TEST_CASE("the envelope gives back what was put in") {
    const auto payload = some_payload();
    const auto envelope = seal(DeviceFile::kPipelines, some_device(), payload);
    const auto opened = open_sealed(DeviceFile::kPipelines, some_device(), envelope);
    CHECK(std::vector(opened.begin(), opened.end()) == payload);
  }

  TEST_CASE("one wrong byte anywhere, and there is no cache") {
    const auto envelope = seal(DeviceFile::kPipelines, some_device(), some_payload());
    for (std::size_t at = 0; at < envelope.size(); ++at) {
      auto damaged = envelope;
      damaged[at] ^= std::byte{0x10};
      CHECK(open_sealed(DeviceFile::kPipelines, some_device(), damaged).empty());
    }
  }

  TEST_CASE("a truncated or extended envelope is no cache") {
    auto envelope = seal(DeviceFile::kPipelines, some_device(), some_payload());
    for (std::size_t bytes = 0; bytes < envelope.size(); ++bytes) {
      CHECK(open_sealed(DeviceFile::kPipelines, some_device(), std::span(envelope).first(bytes))
                .empty());
    }
    envelope.push_back(std::byte{0});
    CHECK(open_sealed(DeviceFile::kPipelines, some_device(), envelope).empty());
  }

  TEST_CASE("a file of the other kind is not taken") {
    const auto envelope = seal(DeviceFile::kPipelines, some_device(), some_payload());
    CHECK(open_sealed(DeviceFile::kTuning, some_device(), envelope).empty());
  }

  TEST_CASE("another device's or driver's cache is not ours") {
    const auto envelope = seal(DeviceFile::kPipelines, some_device(), some_payload());
    for (auto change : {+[](DeviceInfo& d) { d.vendor_id ^= 1; },
                        +[](DeviceInfo& d) { d.device_id ^= 1; },
                        +[](DeviceInfo& d) { d.driver_number ^= 1; },
                        +[](DeviceInfo& d) { d.pipeline_cache_uuid[0] ^= 1; }}) {
      DeviceInfo other = some_device();
      change(other);
      CHECK(open_sealed(DeviceFile::kPipelines, other, envelope).empty());
    }
  }

  TEST_CASE("the file is the user's alone and replaced as a whole") {
    const TemporaryFolder folder;
    const auto file = folder / "pipelines";
    CHECK(read_device_file(DeviceFile::kPipelines, some_device(), file).empty());
    REQUIRE(
        write_device_file(DeviceFile::kPipelines, some_device(), file, some_payload()).has_value());
    REQUIRE(
        write_device_file(DeviceFile::kPipelines, some_device(), file, some_payload()).has_value());
    CHECK(read_device_file(DeviceFile::kPipelines, some_device(), file) == some_payload());
    struct stat status = {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
  }

  TEST_CASE("a folder that is not there is an error that names it") {
    const auto written =
        write_device_file(DeviceFile::kPipelines, some_device(), "/nonexistent/pipelines", {});
    REQUIRE(!written.has_value());
    CHECK(written.error().code == ErrorCode::kIo);
    CHECK(written.error().message.find("/nonexistent/pipelines") != std::string::npos);
  }

  TEST_CASE("pipelines come from a good file and survive a rotten one") {
    Lab* const lab = Lab::get();
    if (lab == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const TemporaryFolder folder;
    const auto file = folder / "pipelines";
    const auto compile_all = [&] {
      auto pipelines = Pipelines::create(lab->device(), file);
      REQUIRE(pipelines.has_value());
      for (const Kernel& row : all_kernels())
        REQUIRE((*pipelines)->get(row).has_value());
      REQUIRE((*pipelines)->save().has_value());
    };
    compile_all();
    CHECK(!read_device_file(DeviceFile::kPipelines, lab->device().info(), file).empty());
    compile_all();
    std::ofstream(file, std::ios::binary) << std::string(4'096, 'x');
    compile_all();
    CHECK(!read_device_file(DeviceFile::kPipelines, lab->device().info(), file).empty());
  }
}
