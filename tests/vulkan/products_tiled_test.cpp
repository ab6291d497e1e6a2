// Products of many tokens against the float64 reference, by every path that the device has, on
// random and odd shapes, with every store, split and not.
#include <algorithm>
#include <cmath>
#include <optional>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"
#include "tests/vulkan/reference.h"
#include "tests/vulkan/weights.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

struct Path {
  ProductPath path;
  /// Of the largest error, relative to the root mean square of the results.
  double tolerance;
};
// f32 sums of up to some thousand terms; factors rounded to 11 bits, and their sums of 32.
// What is rounded to bytes is so in the reference, too; some values lie just between two.
constexpr Path kPaths[] = {{ProductPath::kFloat, 2e-5},
                           {ProductPath::kHalf, 2e-2},
                           {ProductPath::kIntegerDot, 1e-3},
                           {ProductPath::kMatrix, 1e-2}};

struct Case {
  std::vector<WeightType> types;  // of the parts
  std::vector<std::uint32_t> n_rows;
  std::uint32_t n_columns = 0;
  std::uint32_t n_tokens = 0;
  Store store = Store::kPlain;
  float scale = 1;
  bool has_bias = false;
  bool has_scratch = false;
};

/// The largest error of any part's output, relative to that part's root mean square. Inputs and
/// outputs have strides of their own; what lies between the outputs' rows must stay as it was.
/// `n_dispatches` becomes how many it took.
double worst_error_of(Lab& lab,
                      ProductPath path,
                      const Operations& operations,
                      const Case& shape,
                      std::size_t* n_dispatches = nullptr) {
  constexpr std::uint32_t kInputGap = 4;
  constexpr std::uint32_t kOutputGap = 3;
  const std::uint32_t n_tokens = shape.n_tokens;
  const std::uint32_t input_stride = shape.n_columns + kInputGap;
  const auto input = random_floats(std::size_t{n_tokens} * input_stride, 2);
  const auto input_tensor = lab.tensor(input);
  const auto scratch = lab.empty(shape.has_scratch ? kSplitScratchBytes : 4);
  Products op = {.n_parts = static_cast<std::uint32_t>(shape.types.size()),
                 .input = input_tensor->address(),
                 .n_tokens = n_tokens,
                 .input_stride = input_stride,
                 .store = shape.store,
                 .scale = shape.scale,
                 .scratch = shape.has_scratch ? scratch->address() : 0};
  std::vector<std::shared_ptr<Tensor>> kept;
  std::vector<std::shared_ptr<Tensor>> outputs;
  std::vector<std::vector<double>> expected;
  std::vector<std::vector<double>> results;  // of each part, (n_tokens, n_rows)
  for (std::uint32_t i = 0; i < op.n_parts; ++i) {
    const std::uint32_t n_rows = shape.n_rows[i];
    const Weights weights =
        random_weights(shape.types[i], std::size_t{n_rows} * shape.n_columns, 1 + i);
    const auto bias = random_floats(n_rows, 10 + i);
    std::vector<double> result;
    for (std::size_t t = 0; t < n_tokens; ++t) {
      const auto from = input.begin() + static_cast<std::ptrdiff_t>(t * input_stride);
      std::vector<float> vector(from, from + shape.n_columns);
      const bool has_blocks = block_elements(shape.types[i]) > 1;
      if (path == ProductPath::kIntegerDot && has_blocks) round_to_bytes(vector);
      const auto row = reference::mul_mat(weights.elements, doubles(vector), shape.n_columns);
      for (std::size_t r = 0; r < n_rows; ++r)
        result.push_back(row[r] + (shape.has_bias ? bias[r] : 0));
    }
    results.push_back(std::move(result));
    kept.push_back(lab.tensor(weights.bytes));
    op.parts.at(i).weights = {shape.types[i], kept.back()->address(), n_rows, shape.n_columns};
    if (shape.has_bias) {
      kept.push_back(lab.tensor(bias));
      op.parts.at(i).bias = kept.back()->address();
    }
  }
  const bool gated = is_gated(shape.store);
  if (gated) {
    // As one matrix: gates, then ups.
    const std::size_t n_rows = shape.n_rows[0] / (op.n_parts == 1 ? 2 : 1);
    std::vector<double> gate_up;
    for (std::size_t t = 0; t < n_tokens; ++t) {
      for (const auto& result : results) {
        const auto width = static_cast<std::ptrdiff_t>(result.size() / n_tokens);
        const auto from = result.begin() + static_cast<std::ptrdiff_t>(t) * width;
        gate_up.insert(gate_up.end(), from, from + width);
      }
    }
    results = {shape.store == Store::kSwiGlu ? reference::swiglu(gate_up, n_rows)
                                             : reference::geglu(gate_up, n_rows)};
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::size_t n_rows = results[i].size() / n_tokens;
    const std::size_t stride = n_rows + kOutputGap;
    const auto before = random_floats(n_tokens * stride, 20);
    std::vector<double> all = doubles(before);
    for (std::size_t t = 0; t < n_tokens; ++t) {
      for (std::size_t r = 0; r < n_rows; ++r) {
        const double result = results[i][t * n_rows + r];
        double& element = all[t * stride + r];
        element = gated                        ? result
                  : shape.store == Store::kAdd ? element + shape.scale * result
                                               : shape.scale * result;
      }
    }
    expected.push_back(std::move(all));
    outputs.push_back(lab.tensor(before));
    op.parts.at(i).output = outputs.back()->address();
    op.parts.at(i).output_stride = static_cast<std::uint32_t>(stride);
  }
  lab.run([&](Stream& stream) {
    operations.products_tiled(stream, op);
    if (n_dispatches != nullptr) *n_dispatches = stream.dispatches().size();
  });
  double worst = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    worst = std::max(worst, worst_error(lab.read<float>(*outputs[i]), expected[i]));
  return worst;
}

bool has_path(const DeviceInfo& device, ProductPath path) {
  switch (path) {
    case ProductPath::kHalf:
      return device.optional.float16_arithmetic;
    case ProductPath::kIntegerDot:
      return device.optional.integer_dot_product;
    case ProductPath::kMatrix:
      return has_matrix_tiles(device);
    case ProductPath::kAuto:
    case ProductPath::kFloat:
      break;
  }
  return true;
}

/// Calls f(path, operations) for each path of the device, with kernels for these formats.
template <class F>
void for_each_path(Lab& lab,
                   const std::vector<WeightType>& types,
                   const std::optional<Tiling>& tiling,
                   F&& f) {
  for (const Path& path : kPaths) {
    if (!has_path(lab.device().info(), path.path)) continue;
    CAPTURE(path_name(path.path));
    f(path,
      lab.operations(
          {.weights = types, .caches = {}, .product_path = path.path, .tiling = tiling}));
  }
}

/// As for a device that has much to fill.
Tiling splitting() {
  Tiling tiling = default_tiling(Lab::get()->device().info());
  for (Tiles* tiles : {&tiling.floats, &tiling.halves, &tiling.dots, &tiling.matrices})
    tiles->wanted_groups = 64;
  return tiling;
}

const Tiles& tiles_of(const Tiling& tiling, ProductPath path) {
  return path == ProductPath::kHalf         ? tiling.halves
         : path == ProductPath::kIntegerDot ? tiling.dots
         : path == ProductPath::kMatrix     ? tiling.matrices
                                            : tiling.floats;
}

/// What tuning may put in the place of the largest tiles of a GPU.
std::vector<TileShape> tuned_shapes(const DeviceInfo& gpu, ProductPath path) {
  const TileKind kind = path == ProductPath::kHalf         ? TileKind::kHalves
                        : path == ProductPath::kIntegerDot ? TileKind::kDots
                        : path == ProductPath::kMatrix     ? TileKind::kMatrices
                                                           : TileKind::kFloats;
  const Knob large = tiling_knobs(gpu, kind).front();
  std::vector<TileShape> shapes;
  for (const std::uint32_t value : large.values) {
    if (value == 0) continue;  // the default
    Tuning tuning;
    tuning.set(large.name, value);
    shapes.push_back(tiles_of(tuned_tiling(gpu, tuning), path).shapes.back());
  }
  return shapes;
}

}  // namespace

TEST_SUITE("vulkan/operations_products_tiled") {
  TEST_CASE("every path multiplies every block format") {
    LAB();
    // Under validation each kernel takes long to compile, and products of few tokens read every
    // format by the same code.
    const auto types =
        under_validation() ? std::vector{WeightType::kF16, WeightType::kQ6_K} : all_weight_types();
    for_each_path(lab, types, {}, [&](const Path& path, const Operations& operations) {
      for (const WeightType type : types) {
        for (const Case& shape : {Case{{type}, {3}, 32, 5}, {{type}, {70}, 288, 65}}) {
          Case whole = shape;
          whole.n_columns = whole_blocks(type, shape.n_columns);
          CAPTURE(static_cast<int>(type));
          CAPTURE(shape.n_rows[0]);
          CHECK(worst_error_of(lab, path.path, operations, whole) < path.tolerance);
        }
      }
    });
  }

  TEST_CASE("rows may have any length where blocks are elements") {
    LAB();
    const std::vector<WeightType> types(std::begin(kPlainTypes), std::end(kPlainTypes));
    for_each_path(lab, types, {}, [&](const Path& path, const Operations& operations) {
      for (const WeightType type : types) {
        for (const std::uint32_t n_columns : {1U, 2U, 3U, 31U, 33U, 65U, 130U}) {
          CAPTURE(n_columns);
          CHECK(worst_error_of(lab, path.path, operations, {{type}, {35}, n_columns, 7}) <
                path.tolerance);
        }
      }
    });
  }

  TEST_CASE("results are scaled, added, and joined with their gates") {
    LAB();
    const WeightType q8 = WeightType::kQ8_0;
    const WeightType f32 = WeightType::kF32;
    const Case cases[] = {
        {{q8}, {37}, 96, 33, Store::kPlain, 0.5F, true},
        {{q8}, {37}, 96, 33, Store::kAdd, 0.25F, true},
        {{q8}, {37}, 96, 33, Store::kAdd},
        {{q8}, {74}, 96, 33, Store::kSwiGlu, 1, true},
        {{q8}, {74}, 96, 33, Store::kGeGlu},
        {{q8, q8}, {41, 41}, 96, 33, Store::kSwiGlu},
        {{q8, q8}, {41, 41}, 96, 33, Store::kGeGlu, 1, true},
        {{q8, f32, q8}, {41, 17, 80}, 96, 18, Store::kPlain, 1, true},
        {{q8, q8}, {5, 64}, 32, 32, Store::kAdd},
    };
    for_each_path(lab, {q8, f32}, {}, [&](const Path& path, const Operations& operations) {
      for (const Case& shape : cases) {
        CAPTURE(static_cast<int>(shape.store));
        CAPTURE(shape.types.size());
        CHECK(worst_error_of(lab, path.path, operations, shape) < path.tolerance);
      }
    });
  }

  TEST_CASE("columns are split where tiles are few, with the same results") {
    LAB();
    const WeightType q8 = WeightType::kQ8_0;
    const Case cases[] = {
        {{q8}, {37}, 1'120, 33, Store::kAdd, 0.25F, true, true},
        {{q8}, {74}, 1'120, 3, Store::kSwiGlu, 1, true, true},
        {{q8, q8}, {41, 41}, 1'024, 3, Store::kGeGlu, 1, true, true},
        {{q8, q8, q8}, {41, 3, 33}, 4'096, 3, Store::kPlain, 2, true, true},
    };
    for_each_path(lab, {q8}, splitting(), [&](const Path& path, const Operations& operations) {
      for (const Case& shape : cases) {
        CAPTURE(static_cast<int>(shape.store));
        std::size_t n_dispatches = 0;
        CHECK(worst_error_of(lab, path.path, operations, shape, &n_dispatches) < path.tolerance);
        // Else nothing was split: each matrix's product, and what joins its sums.
        CHECK(n_dispatches == (is_gated(shape.store) ? 2 : 2 * shape.types.size()));
      }
    });
  }

  TEST_CASE("the split writes its sums to the scratch memory, and only where there is some") {
    LAB();
    const auto operations = lab.operations({.weights = {WeightType::kF32},
                                            .caches = {},
                                            .product_path = ProductPath::kFloat,
                                            .tiling = splitting()});
    const auto weights = lab.tensor(random_floats(2 * 2'048, 1));
    const auto input = lab.tensor(random_floats(2'048, 2));
    const auto output = lab.empty(2 * sizeof(float));
    const auto scratch = lab.empty(kSplitScratchBytes);
    for (const bool has_scratch : {false, true}) {
      auto stream = Stream::create(lab.device());
      REQUIRE(stream.has_value());
      REQUIRE(stream->begin().has_value());
      operations.products_tiled(
          *stream,
          {.parts = {{{{WeightType::kF32, weights->address(), 2, 2'048}, 0, output->address()}}},
           .input = input->address(),
           .n_tokens = 1,
           .scratch = has_scratch ? scratch->address() : 0});
      CHECK(stream->dispatches().size() == (has_scratch ? 2 : 1));
      CHECK(stream->n_barriers() == (has_scratch ? 1 : 0));
    }
  }

  TEST_CASE("more tokens than one span of tiles holds") {
    LAB();
    for_each_path(lab, {WeightType::kF16}, {}, [&](const Path& path, const Operations& operations) {
      CHECK(worst_error_of(lab, path.path, operations, {{WeightType::kF16}, {70}, 32, 300}) <
            path.tolerance);
    });
  }

  TEST_CASE("the shapes that GPUs take are right, too") {
    LAB();
    if (under_validation()) return;  // minutes to compile there
    DeviceInfo gpu = lab.device().info();
    gpu.type = DeviceType::kDiscrete;
    const Tiling all = default_tiling(gpu);
    const auto check = [&](const Path& path, const TileShape& shape, WeightType type) {
      CAPTURE(path_name(path.path));
      CAPTURE(shape.lines);
      CAPTURE(shape.tokens);
      CAPTURE(shape.depth);
      CAPTURE(static_cast<int>(type));
      const Tiling one = {{{shape}}, {{shape}}, {{shape}}, {{shape}}};
      const auto operations = lab.operations(
          {.weights = {type}, .caches = {}, .product_path = path.path, .tiling = one});
      for (const Case& product :
           {Case{{type}, {150}, 96, 90}, {{type}, {150}, 64, 9, Store::kSwiGlu}}) {
        Case whole = product;
        whole.n_columns = whole_blocks(type, product.n_columns);
        CHECK(worst_error_of(lab, path.path, operations, whole) < path.tolerance);
      }
    };
    for (const Path& path : kPaths) {
      if (!has_path(lab.device().info(), path.path)) continue;
      for (const TileShape& shape : tiles_of(all, path.path).shapes)
        check(path, shape, WeightType::kQ4_0);
      // Those that tuning may choose held only what plain rows need, once: blocks want more.
      for (const TileShape& shape : tuned_shapes(gpu, path.path)) {
        for (const WeightType type : {WeightType::kF32, WeightType::kQ8_0, WeightType::kQ4_K})
          check(path, shape, type);
      }
    }
  }

  TEST_CASE("a few tokens take small tiles, many tokens large ones, where there are enough") {
    LAB();
    // In the order of Tiling::floats: small, for more tokens, for many lines.
    DeviceInfo gpu = lab.device().info();
    gpu.type = DeviceType::kDiscrete;
    gpu.max_shared_bytes = 32'768;
    CHECK(default_tiling(gpu).floats.shapes.size() == 3);
    gpu.max_shared_bytes = 16'384;
    CHECK(default_tiling(gpu).floats.shapes.size() == 1);
    CHECK(default_tiling(gpu).dots.shapes.size() == 1);
  }

  TEST_CASE("matrices that no tile is made of are none") {
    LAB();
    DeviceInfo gpu = lab.device().info();
    gpu.type = DeviceType::kDiscrete;
    gpu.optional.cooperative_matrix = false;
    gpu.matrix = {16, 16, 16};
    CHECK_FALSE(has_matrix_tiles(gpu));
    gpu.optional.cooperative_matrix = true;
    CHECK(has_matrix_tiles(gpu));
    gpu.matrix = {48, 16, 16};
    CHECK_FALSE(has_matrix_tiles(gpu));
  }

  TEST_CASE("the longest rows stay below the driver's loop limit in tiles") {
    LAB();
    if (under_validation()) return;  // the layers' own loops count too
    for_each_path(lab, {WeightType::kF16}, {}, [&](const Path& path, const Operations& operations) {
      CHECK(worst_error_of(lab, path.path, operations, {{WeightType::kF16}, {2}, kMaxColumns, 2}) <
            5 * path.tolerance);
    });
  }
}
