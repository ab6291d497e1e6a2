#include "inference/models/architecture.h"

#include <filesystem>
#include <set>
#include <string>

#include <doctest/doctest.h>

namespace kinglet::test {

using inference::all_architectures;
using inference::Architecture;
using inference::HyperParameters;
using inference::is_per_layer;
using inference::Op;
using inference::OpKind;
using inference::place_of;
using inference::Presence;
using inference::Role;
using inference::size_of;
using inference::Slot;
using inference::TensorSpec;

namespace {

// Sizes no two of which are equal, so that a wrong dimension cannot fit by chance.
HyperParameters distinct_sizes() {
  HyperParameters h;
  h.n_layers = 2;
  h.n_embedding = 160;
  h.n_heads = 6;
  h.n_kv_heads = 2;
  h.head_dim = 32;
  h.n_feed_forward = 224;
  h.n_vocabulary = 300;
  h.rope_dims = 16;
  return h;
}

const TensorSpec* find_tensor(const Architecture& architecture, Role role) {
  for (const TensorSpec& spec : architecture.tensors) {
    if (spec.role == role) return &spec;
  }
  return nullptr;
}

}  // namespace

TEST_SUITE("inference/models/architecture") {
  TEST_CASE("every architecture file has a row in the table") {
    std::size_t n_files = 0;
    const auto folder = std::filesystem::path(KINGLET_SOURCE_DIR) / "inference/models";
    std::set<std::string> names;
    for (const Architecture* architecture : all_architectures()) {
      names.insert(std::string(architecture->name));
    }
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string stem = entry.path().stem().string();
      if (entry.path().extension() != ".cpp" || stem == "all" || stem == "architecture") continue;
      ++n_files;
      CAPTURE(stem);
      CHECK(names.count(stem) == 1);
    }
    CHECK(n_files == all_architectures().size());
  }

  TEST_CASE("operations and tensors of every architecture fit each other") {
    const HyperParameters h = distinct_sizes();
    for (const Architecture* architecture : all_architectures()) {
      CAPTURE(architecture->name);
      const auto check = [&](std::span<const Op> ops, bool in_layer) {
        for (const Op& op : ops) {
          CAPTURE(static_cast<int>(op.kind));
          const TensorSpec* spec = op.weight ? find_tensor(*architecture, *op.weight) : nullptr;
          if (op.weight) {
            REQUIRE(spec != nullptr);
            CHECK(is_per_layer(spec->role) == in_layer);
            CHECK((spec->presence == Presence::kRequired || spec->fallback.has_value()));
          }
          CHECK((op.scalar != nullptr) ==
                (op.kind == OpKind::kScale || op.kind == OpKind::kSoftCap));
          if (op.bias) {
            const TensorSpec* bias = find_tensor(*architecture, *op.bias);
            REQUIRE(bias != nullptr);
            CHECK(is_per_layer(bias->role) == in_layer);
            CHECK((op.kind == OpKind::kMatMul || op.kind == OpKind::kLayerNorm));
            CHECK(size_of(bias->columns, h) == place_of(op.out, h).size);
          }
          const auto in = place_of(op.in, h).size;
          const auto out = place_of(op.out, h).size;
          switch (op.kind) {
            case OpKind::kEmbed:
              CHECK(size_of(spec->columns, h) == out);
              break;
            case OpKind::kRmsNorm:
            case OpKind::kLayerNorm:
              CHECK(size_of(spec->columns, h) == in);
              CHECK(in == out);
              break;
            case OpKind::kMatMul:
              CHECK(size_of(spec->columns, h) == in);
              CHECK(size_of(spec->rows, h) == out);
              break;
            case OpKind::kHeadRmsNorm:
              CHECK(size_of(spec->columns, h) == h.head_dim);
              CHECK(in % h.head_dim == 0);
              CHECK(op.in == op.out);
              break;
            case OpKind::kRope:
            case OpKind::kGelu:
            case OpKind::kScale:
            case OpKind::kSoftCap:
              CHECK(op.in == op.out);
              break;
            case OpKind::kStoreKv:
              break;
            case OpKind::kAttention:
            case OpKind::kAdd:
              CHECK(in == out);
              break;
            case OpKind::kSwiGlu:
            case OpKind::kGeGlu:
              CHECK(in == 2 * out);
              break;
          }
        }
      };
      check(architecture->embed, false);
      check(architecture->layer, true);
      check(architecture->output, false);
    }
  }

  TEST_CASE("parts of a slot lie side by side and fill their whole") {
    const HyperParameters h = distinct_sizes();
    const auto queries = place_of(Slot::kQueries, h);
    const auto keys = place_of(Slot::kKeys, h);
    const auto values = place_of(Slot::kValues, h);
    CHECK(queries.offset == 0);
    CHECK(keys.offset == queries.size);
    CHECK(values.offset == keys.offset + keys.size);
    CHECK(values.offset + values.size == place_of(Slot::kQkv, h).size);
    CHECK(values.whole == Slot::kQkv);
    const auto up = place_of(Slot::kUp, h);
    CHECK(up.offset == place_of(Slot::kGate, h).size);
    CHECK(up.offset + up.size == place_of(Slot::kGateUp, h).size);
  }
}

}  // namespace kinglet::test
