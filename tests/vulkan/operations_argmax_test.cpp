// The greedy choice against a plain loop, and its way through a chain of runs.
#include "vulkan/operations/argmax.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

std::uint32_t first_greatest(std::span<const float> row) {
  return static_cast<std::uint32_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

std::shared_ptr<Tensor> scratch_for(Lab& lab, std::uint32_t n_rows, std::uint32_t n_columns) {
  return lab.tensor(std::vector<std::byte>(argmax_scratch_bytes(n_rows, n_columns)));
}

}  // namespace

TEST_SUITE("vulkan/operations_argmax") {
  TEST_CASE("the greatest number of each row is found wherever it stands") {
    LAB();
    struct Shape {
      std::uint32_t n_rows, n_columns;
    };
    for (const Shape shape :
         {Shape{1, 1}, {3, 2}, {2, 255}, {4, 257}, {2, 4'096}, {3, 9'001}, {1, 262'144}}) {
      CAPTURE(shape.n_columns);
      auto numbers = random_floats(std::size_t{shape.n_rows} * shape.n_columns, 4);
      std::vector<std::uint32_t> expected;
      for (std::uint32_t row = 0; row < shape.n_rows; ++row) {
        const auto values =
            std::span(numbers).subspan(std::size_t{row} * shape.n_columns, shape.n_columns);
        if (row == 1) {
          // All below zero, and the greatest at the very end.
          for (float& x : values)
            x = -1 - std::abs(x);
          values.back() = -0.5F;
        }
        expected.push_back(first_greatest(values));
      }
      const auto rows = lab.tensor(numbers);
      const auto scratch = scratch_for(lab, shape.n_rows, shape.n_columns);
      const auto ids = lab.empty(shape.n_rows * sizeof(std::uint32_t));
      // Twice: the scratch memory is as it must be after the first.
      for (int pass = 0; pass < 2; ++pass) {
        lab.run([&](Stream& stream) {
          lab.operations().argmax(
              stream,
              {rows->address(), scratch->address(), ids->address(), shape.n_rows, shape.n_columns});
        });
        CHECK(lab.read<std::uint32_t>(*ids) == expected);
      }
    }
  }

  TEST_CASE("of equal numbers the first is chosen, and both zeros are equal") {
    LAB();
    constexpr std::uint32_t kColumns = 10'000;
    std::vector<float> numbers(std::size_t{3} * kColumns, -1);
    for (const std::uint32_t at : {9'999U, 5'000U, 4'999U, 700U})
      numbers[at] = 3;
    numbers[kColumns + 6'000] = 0.0F;
    numbers[kColumns + 300] = -0.0F;
    // The third row's are all equal.
    const auto rows = lab.tensor(numbers);
    const auto scratch = scratch_for(lab, 3, kColumns);
    const auto ids = lab.empty(3 * sizeof(std::uint32_t));
    lab.run([&](Stream& stream) {
      lab.operations().argmax(stream,
                              {rows->address(), scratch->address(), ids->address(), 3, kColumns});
    });
    CHECK(lab.read<std::uint32_t>(*ids) == std::vector<std::uint32_t>{700, 300, 0});
  }

  TEST_CASE("a row that is not finite is told, and its id is one all the same") {
    LAB();
    constexpr std::uint32_t kColumns = 5'000;
    const float infinity = std::numeric_limits<float>::infinity();
    const std::vector<float> bad = {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity};
    auto numbers = random_floats(std::size_t{4} * kColumns, 6);
    for (std::size_t row = 0; row < bad.size(); ++row)
      numbers[row * kColumns + 1'234 * row] = bad[row];
    const auto rows = lab.tensor(numbers);
    const auto scratch = scratch_for(lab, 4, kColumns);
    const auto ids = lab.empty(4 * sizeof(std::uint32_t));
    const auto positions = lab.tensor(std::vector<std::uint32_t>(4, 7));
    const auto history = lab.tensor(std::vector<std::uint32_t>(8, 99));
    lab.run([&](Stream& stream) {
      lab.operations().argmax(stream,
                              {rows->address(),
                               scratch->address(),
                               ids->address(),
                               4,
                               kColumns,
                               positions->address(),
                               history->address(),
                               2});
    });
    const std::uint32_t good = first_greatest(std::span(numbers).subspan(3 * kColumns));
    CHECK(lab.read<std::uint32_t>(*ids) == std::vector<std::uint32_t>{0, 0, 0, good});
    CHECK(lab.read<std::uint32_t>(*positions) == std::vector<std::uint32_t>(4, 8));
    const std::uint32_t none = Argmax::kNotFinite;
    // Position 7 is in the second row of two.
    CHECK(lab.read<std::uint32_t>(*history) ==
          std::vector<std::uint32_t>{99, 99, 99, 99, none, none, none, good});
  }

  TEST_CASE("runs of a chain each go on from what the one before chose") {
    LAB();
    // Each id looks up the next one's row: a permutation, followed on the device.
    constexpr std::uint32_t kIds = 40;
    std::vector<float> table(std::size_t{kIds} * kIds, 0);
    for (std::uint32_t id = 0; id < kIds; ++id)
      table[std::size_t{id} * kIds + (id * 7 + 3) % kIds] = 1;
    const auto table_tensor = lab.tensor(table);
    const auto row = lab.empty(kIds * sizeof(float));
    const auto scratch = scratch_for(lab, 1, kIds);
    const auto id = lab.tensor(std::vector<std::uint32_t>{0});
    const auto position = lab.tensor(std::vector<std::uint32_t>{5});
    const auto history = lab.tensor(std::vector<std::uint32_t>(16, 99));
    auto step = Stream::create(lab.device());
    REQUIRE(step.has_value());
    REQUIRE(step->begin(Stream::Runs::kChained).has_value());
    lab.operations().get_rows(*step,
                              {{WeightType::kF32, table_tensor->address(), kIds, kIds},
                               id->address(),
                               1,
                               row->address()});
    step->barrier();
    lab.operations().argmax(*step,
                            {row->address(),
                             scratch->address(),
                             id->address(),
                             1,
                             kIds,
                             position->address(),
                             history->address(),
                             16});
    REQUIRE(step->end().has_value());
    // What runs ahead of the chain decides where it begins.
    std::vector<float> start(kIds, 0);
    start[9] = 1;
    const auto start_tensor = lab.tensor(start);
    auto before = Stream::create(lab.device());
    REQUIRE(before.has_value());
    REQUIRE(before->begin().has_value());
    lab.operations().argmax(*before,
                            {start_tensor->address(), scratch->address(), id->address(), 1, kIds});
    REQUIRE(before->end().has_value());
    lab.copy_to_device();
    REQUIRE(step->submit_chain(10, &*before).has_value());
    const auto seconds = step->wait();
    REQUIRE(seconds.has_value());
    lab.copy_to_host();
    CHECK(*seconds >= 0);
    std::vector<std::uint32_t> expected(16, 99);
    std::uint32_t at = 9;
    for (std::uint32_t i = 0; i < 10; ++i) {
      at = (at * 7 + 3) % kIds;
      expected[(5 + i) % 16] = at;
    }
    CHECK(lab.read<std::uint32_t>(*history) == expected);
    CHECK(lab.read<std::uint32_t>(*position)[0] == 15);
    CHECK(lab.read<std::uint32_t>(*id)[0] == at);
    // And once more from there.
    REQUIRE(step->submit_chain(2).has_value());
    REQUIRE(step->wait().has_value());
    lab.copy_to_host();
    CHECK(lab.read<std::uint32_t>(*history)[15] == (at * 7 + 3) % kIds);
    CHECK(take_messages().empty());
  }
}
