#include "vulkan/uploader.h"

#include <random>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

std::vector<std::byte> random_bytes(std::size_t n, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<std::byte> bytes(n);
  for (std::byte& byte : bytes)
    byte = static_cast<std::byte>(generator());
  return bytes;
}

std::vector<std::byte> read_back(const Device& device, const Buffer& buffer) {
  std::vector<std::byte> bytes(buffer.size());
  REQUIRE(download(device, buffer, 0, bytes).has_value());
  return bytes;
}

std::unique_ptr<const Device> make_device(const Lab& lab, bool map_device_memory) {
  auto device =
      Device::create(lab.instance(), lab.device().info(), {.map_device_memory = map_device_memory});
  REQUIRE(device.has_value());
  return *std::move(device);
}

}  // namespace

TEST_SUITE("vulkan/uploader") {
  TEST_CASE("what was added arrives, through small rings and large ones and without one") {
    LAB();
    for (const bool map : {false, true}) {
      const auto device = make_device(lab, map);
      for (const UploaderOptions options :
           {UploaderOptions{1, 256}, {2, 1'024}, {3, 128 << 10}, {}}) {
        CAPTURE(options.slot_bytes);
        auto uploader = Uploader::create(*device, options);
        REQUIRE(uploader.has_value());
        // Sizes below, at and above a slot's and the least piece's.
        const std::size_t sizes[] = {1, 3, 255, 256, 257, 5'000, 70'000, 300'001};
        std::vector<Buffer> buffers;
        std::vector<std::vector<std::byte>> contents;
        for (const std::size_t size : sizes) {
          auto buffer = Buffer::create(*device, size, MemoryUse::kDevice, "a test's buffer");
          REQUIRE(buffer.has_value());
          CHECK(buffer->mapped().empty() == !map);
          contents.push_back(random_bytes(size, static_cast<std::uint32_t>(size)));
          REQUIRE(uploader->add(*buffer, 0, contents.back()).has_value());
          buffers.push_back(*std::move(buffer));
        }
        REQUIRE(uploader->finish().has_value());
        for (std::size_t i = 0; i < buffers.size(); ++i)
          CHECK(read_back(*device, buffers[i]) == contents[i]);
      }
    }
    for (const std::string& message : take_messages())
      FAIL_CHECK(message);
  }

  TEST_CASE("an uploader goes on after it has finished, and writes only where it was told to") {
    LAB();
    const auto device = make_device(lab, false);
    auto uploader = Uploader::create(*device, {2, 512});
    REQUIRE(uploader.has_value());
    auto expected = random_bytes(10'000, 1);
    const auto buffer = Buffer::create(*device, expected.size(), MemoryUse::kDevice, "a buffer");
    REQUIRE(buffer.has_value());
    REQUIRE(uploader->finish().has_value());  // of nothing
    REQUIRE(uploader->add(*buffer, 0, expected).has_value());
    REQUIRE(uploader->finish().has_value());
    const auto piece = random_bytes(1'234, 2);
    std::copy(piece.begin(), piece.end(), expected.begin() + 4'321);
    REQUIRE(uploader->add(*buffer, 4'321, piece).has_value());
    REQUIRE(uploader->finish().has_value());
    CHECK(read_back(*device, *buffer) == expected);
  }

  TEST_CASE("the host fills the room it is given") {
    LAB();
    const auto device = make_device(lab, false);
    auto uploader = Uploader::create(*device, {2, 1'024});
    REQUIRE(uploader.has_value());
    const auto buffer = Buffer::create(*device, 3'000, MemoryUse::kDevice, "a buffer");
    REQUIRE(buffer.has_value());
    std::uint64_t done = 0;
    int n_rooms = 0;
    while (done < buffer->size()) {
      const auto room = uploader->room(*buffer, done, buffer->size() - done);
      REQUIRE(room.has_value());
      REQUIRE(!room->empty());
      for (std::size_t i = 0; i < room->size(); ++i)
        (*room)[i] = static_cast<std::byte>((done + i) % 251);
      done += room->size();
      ++n_rooms;
    }
    CHECK(n_rooms == 3);
    REQUIRE(uploader->finish().has_value());
    const auto bytes = read_back(*device, *buffer);
    for (std::size_t i = 0; i < bytes.size(); ++i)
      REQUIRE(bytes[i] == static_cast<std::byte>(i % 251));
  }

  TEST_CASE("one that is given up with copies in flight leaves quietly") {
    LAB();
    const auto device = make_device(lab, false);
    const auto buffer = Buffer::create(*device, 100'000, MemoryUse::kDevice, "a buffer");
    REQUIRE(buffer.has_value());
    auto uploader = Uploader::create(*device, {4, 4'096});
    REQUIRE(uploader.has_value());
    REQUIRE(uploader->add(*buffer, 0, random_bytes(100'000, 3)).has_value());
  }
}
