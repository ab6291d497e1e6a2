#include "vulkan/stream.h"

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

TEST_SUITE("vulkan/stream") {
  TEST_CASE("a stream recorded once runs as often as wanted, on what the buffers then hold") {
    Lab* const lab = Lab::get();
    if (lab == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto sum = lab->tensor(std::vector<float>{0});
    const auto step = lab->tensor(std::vector<float>{1});
    auto stream = Stream::create(lab->device());
    REQUIRE(stream.has_value());
    REQUIRE(stream->begin().has_value());
    for (int i = 0; i < 3; ++i) {
      if (i > 0) stream->barrier();
      lab->operations().add(*stream, {sum->address(), step->address(), sum->address(), 1});
    }
    REQUIRE(stream->end().has_value());
    REQUIRE(stream->dispatches().size() == 3);
    for (std::uint32_t i = 0; i < 3; ++i) {
      CHECK(stream->dispatches()[i].kernel == &kernel("add"));
      CHECK(stream->dispatches()[i].stage == i);
    }
    CHECK(stream->n_barriers() == 2);
    REQUIRE(stream->run().has_value());
    CHECK(lab->read<float>(*sum)[0] == 3);
    const float ten = 10;
    std::memcpy(step->bytes().data(), &ten, sizeof(ten));
    for (int i = 0; i < 5; ++i) {
      const auto seconds = stream->run();
      REQUIRE(seconds.has_value());
      CHECK(*seconds >= 0);
      CHECK(*seconds < 10);
    }
    CHECK(lab->read<float>(*sum)[0] == 153);
    // And anew with something else.
    REQUIRE(stream->begin().has_value());
    lab->operations().add(*stream, {step->address(), step->address(), sum->address(), 1});
    REQUIRE(stream->end().has_value());
    REQUIRE(stream->run().has_value());
    CHECK(lab->read<float>(*sum)[0] == 20);
    CHECK(take_messages().empty());
  }

  TEST_CASE("each dispatch is timed where that is asked for") {
    LAB();
    constexpr std::uint32_t kMany = 1U << 20;
    const auto many = lab.empty(std::size_t{kMany} * sizeof(float));
    const auto record = [&](Stream& stream) {
      REQUIRE(stream.begin().has_value());
      lab.operations().add(stream, {many->address(), many->address(), many->address(), 1});
      lab.operations().add(stream, {many->address(), many->address(), many->address(), kMany});
      REQUIRE(stream.end().has_value());
    };
    auto whole = Stream::create(lab.device());
    REQUIRE(whole.has_value());
    record(*whole);
    REQUIRE(whole->run().has_value());
    CHECK(whole->dispatch_seconds().empty());

    auto each = Stream::create(lab.device(), Timing::kEach);
    REQUIRE(each.has_value());
    record(*each);
    CHECK(each->n_barriers() == 0);  // those of the measurement do not count
    CHECK(each->dispatch_seconds().empty());
    for (int round = 0; round < 2; ++round) {
      const auto seconds = each->run();
      REQUIRE(seconds.has_value());
      REQUIRE(each->dispatch_seconds().size() == 2);
      CHECK(each->dispatch_seconds()[0] >= 0);
      CHECK(each->dispatch_seconds()[1] > each->dispatch_seconds()[0]);
      CHECK(each->dispatch_seconds()[0] + each->dispatch_seconds()[1] <= *seconds);
    }
    REQUIRE(each->begin().has_value());
    CHECK(each->dispatch_seconds().empty());
    CHECK(take_messages().empty());
  }

  TEST_CASE("more dispatches than have timestamps run all the same") {
    LAB();
    const auto sum = lab.tensor(std::vector<float>{0});
    const auto step = lab.tensor(std::vector<float>{1});
    auto stream = Stream::create(lab.device(), Timing::kEach);
    REQUIRE(stream.has_value());
    REQUIRE(stream->begin().has_value());
    for (std::uint32_t i = 0; i < Stream::kMaxTimed + 3; ++i) {
      stream->barrier();
      lab.operations().add(*stream, {sum->address(), step->address(), sum->address(), 1});
    }
    REQUIRE(stream->end().has_value());
    REQUIRE(stream->run().has_value());
    CHECK(stream->dispatch_seconds().size() == Stream::kMaxTimed);
    CHECK(lab.read<float>(*sum)[0] == Stream::kMaxTimed + 3);
  }

  TEST_CASE("a run that takes too long is a timeout, and may be waited for again") {
    Lab* const lab = Lab::get();
    if (lab == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    if (under_validation()) return;  // there a submit returns when the run is over
    const std::uint32_t n = 8U << 20;
    const auto a = lab->empty(std::size_t{n} * sizeof(float));
    auto stream = Stream::create(lab->device());
    REQUIRE(stream.has_value());
    REQUIRE(stream->begin().has_value());
    for (int i = 0; i < 10; ++i) {
      lab->operations().add(*stream, {a->address(), a->address(), a->address(), n});
      stream->barrier();
    }
    REQUIRE(stream->end().has_value());
    REQUIRE(stream->submit().has_value());
    const auto hasty = stream->wait(std::chrono::nanoseconds(1));
    REQUIRE(!hasty.has_value());
    CHECK(hasty.error().code == ErrorCode::kTimeout);
    CHECK(stream->wait().has_value());
  }

  TEST_CASE("a stream may go while its run is in flight") {
    Lab* const lab = Lab::get();
    if (lab == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto sum = lab->tensor(std::vector<float>(1'000, 1));
    {
      auto stream = Stream::create(lab->device());
      REQUIRE(stream.has_value());
      REQUIRE(stream->begin().has_value());
      lab->operations().add(*stream, {sum->address(), sum->address(), sum->address(), 1'000});
      REQUIRE(stream->end().has_value());
      REQUIRE(stream->submit().has_value());
    }
    CHECK(lab->read<float>(*sum)[999] == 2);
  }
}
