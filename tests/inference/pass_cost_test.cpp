#include "inference/pass_cost.h"

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "inference/gguf.h"
#include "tests/inference/synthetic_gguf.h"

namespace kinglet::test {

using inference::KvFormat;
using inference::Model;
using inference::pass_cost;
using inference::PassCost;
using inference::PassShape;

namespace {

std::shared_ptr<const Model> load(const SyntheticModel& shape) {
  static std::vector<std::unique_ptr<std::vector<std::byte>>> files;  // the models point into them
  const auto bytes = synthetic_gguf(shape).bytes();
  files.push_back(std::make_unique<std::vector<std::byte>>(bytes.begin(), bytes.end()));
  auto gguf = inference::Gguf::parse(*files.back(), "model.gguf");
  REQUIRE(gguf.has_value());
  auto model = Model::from_gguf(std::move(*gguf));
  REQUIRE(model.has_value());
  return *model;
}

/// The positions that the queries from `begin` to `end` see, counted one by one.
std::pair<std::uint64_t, std::uint64_t> count_seen(std::uint32_t begin,
                                                   std::uint32_t end,
                                                   std::uint32_t window) {
  std::uint64_t in_all = 0;
  std::set<std::uint32_t> different;
  for (std::uint32_t query = begin; query < end; ++query) {
    for (std::uint32_t key = 0; key <= query; ++key) {
      if (window != 0 && key + window <= query) continue;
      ++in_all;
      different.insert(key);
    }
  }
  return {in_all, different.size()};
}

}  // namespace

TEST_SUITE("inference/pass_cost") {
  TEST_CASE("a decoded token reads each weight once and one row of the embedding") {
    SyntheticModel shape;
    const auto model = load(shape);
    const PassCost cost = pass_cost(*model, KvFormat::kF16, {});
    const std::uint64_t embedding = std::uint64_t{shape.vocab} * shape.hidden * 4;
    const std::uint64_t row = std::uint64_t{shape.hidden} * 4;
    // phi3's rope factors make the table before any pass.
    const std::uint64_t factors = std::uint64_t{2} * (shape.hidden / shape.heads / 2) * 4;
    const bool has_factors = model->weight(inference::Role::kRopeFactorsLong) != nullptr;
    CHECK(cost.weight_bytes ==
          model->weight_bytes() - embedding + row - (has_factors ? factors : 0));
  }

  TEST_CASE("a tied output is read whole, for its logits") {
    SyntheticModel shape;
    shape.tied = true;
    const auto model = load(shape);
    const std::uint64_t matrix = std::uint64_t{shape.vocab} * shape.hidden * 4;
    const PassCost with = pass_cost(*model, KvFormat::kF16, {.n_logits = 1});
    const PassCost without = pass_cost(*model, KvFormat::kF16, {.n_logits = 0});
    CHECK(with.weight_bytes > without.weight_bytes + matrix);
  }

  TEST_CASE("what attention sees, against counting") {
    for (const std::uint32_t window : {0U, 1U, 5U, 16U, 100U}) {
      SyntheticModel shape;
      shape.layers = 1;
      shape.sliding_window = window;
      const auto model = load(shape);
      const std::uint32_t head_dim = shape.hidden / shape.heads;
      for (const PassShape& pass : {PassShape{1, 0, 1},
                                    PassShape{1, 40, 1},
                                    PassShape{16, 0, 16},
                                    PassShape{16, 7, 16},
                                    PassShape{30, 3, 2}}) {
        const std::uint32_t end = pass.depth + pass.n_tokens;
        const auto [in_all, different] = count_seen(end - pass.n_logits, end, window);
        const PassCost cost = pass_cost(*model, KvFormat::kF32, pass);
        CHECK(cost.attention_flops == 4 * in_all * shape.heads * head_dim);
        CHECK(cost.cache_bytes ==
              (different + pass.n_tokens) * 2 * shape.kv_heads * head_dim * sizeof(float));
      }
    }
  }

  TEST_CASE("products of a prompt grow with its tokens, its bytes do not") {
    SyntheticModel shape;
    const auto model = load(shape);
    const PassCost one = pass_cost(*model, KvFormat::kF16, {.n_tokens = 1, .n_logits = 1});
    const PassCost many = pass_cost(*model, KvFormat::kF16, {.n_tokens = 100, .n_logits = 100});
    CHECK(many.product_flops == 100 * one.product_flops);
    CHECK(many.weight_bytes == one.weight_bytes + 99 * std::uint64_t{shape.hidden} * 4);
  }
}

}  // namespace kinglet::test
