#include "vulkan/operations/tune.h"

#include <algorithm>
#include <limits>
#include <span>
#include <string>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "vulkan/operations.h"
#include "vulkan/operations/support.h"

namespace kinglet::vulkan {

namespace {

// Sizes of a 3 to 8 billion model's matrices, in elements; whole blocks of every format.
constexpr std::uint32_t kColumns = 4'096;
constexpr std::uint32_t kManyRows = 8'192;
constexpr std::uint32_t kFewRows = 2'048;
constexpr std::uint32_t kPrefillTokens = 512;
// Of what is short.
constexpr int kRepeats = 4;
// Query heads of a KV head that any number of rows cuts otherwise.
constexpr std::uint32_t kMostGroup = 8;

struct Amounts {
  std::uint64_t weight_bytes;  // more than caches hold, so that they do not answer
  std::uint32_t n_rows;
  std::uint32_t n_tokens;
  int n_runs;
  double warm_up_seconds;  // clocks rise under load
  std::uint32_t n_kv_heads;
  std::uint32_t context;
};
constexpr Amounts kGpu = {std::uint64_t{96} << 20, kManyRows, kPrefillTokens, 4, 0.1, 8, 8'192};
// For tests: that everything works.
constexpr Amounts kSoftware = {std::uint64_t{1} << 20, 64, 32, 1, 0, 1, 128};

class Bench {
 public:
  static Result<Bench> create(const Device& device, const Formats& formats) {
    const Amounts& amounts = device.info().type == DeviceType::kSoftware ? kSoftware : kGpu;
    // Of its own, so that the losers do not end in the file of those that are used.
    auto pipelines = TRY(Pipelines::create(device));
    auto weights = TRY(make(device, amounts.weight_bytes));
    auto input = TRY(make(device, floats(amounts.n_tokens, kColumns)));
    auto output = TRY(make(device, floats(amounts.n_tokens, amounts.n_rows)));
    auto scratch = TRY(make(device, kSplitScratchBytes));
    return Bench(formats,
                 amounts,
                 std::move(pipelines),
                 std::move(weights),
                 std::move(input),
                 std::move(output),
                 std::move(scratch));
  }

  /// Of a decoding step's products, large and small ones, each waiting for the one before.
  Result<std::optional<double>> one_token(WeightType type, const Tuning& tuning) {
    return seconds(products_of(type, tuning), [&](const Operations& operations, Stream& stream) {
      std::uint64_t at = 0;
      for (int i = 0;; ++i) {
        const std::uint32_t few = std::min(kFewRows, amounts_.n_rows);
        const Matrix matrix = {
            type, weights_.address() + at, i % 2 == 0 ? few : amounts_.n_rows, kColumns};
        const std::uint64_t bytes = matrix.n_rows * row_bytes(matrix);
        if (at + bytes > weights_.size()) break;
        multiply(operations, stream, matrix, 1);
        at += (bytes + kMatrixAlignment - 1) / kMatrixAlignment * kMatrixAlignment;
      }
    });
  }

  /// Of a prompt's: a product of many rows, and one of few.
  Result<std::optional<double>> many_tokens(WeightType type, TileKind kind, const Tuning& tuning) {
    Formats formats = products_of(type, tuning);
    // By name, so that shapes which the driver cannot compile are told from those that it can.
    if (kind == TileKind::kMatrices) formats.product_path = ProductPath::kMatrix;
    return seconds(formats, [&](const Operations& operations, Stream& stream) {
      for (const std::uint32_t n_rows : {amounts_.n_rows, amounts_.n_rows / 8}) {
        multiply(
            operations, stream, {type, weights_.address(), n_rows, kColumns}, amounts_.n_tokens);
      }
    });
  }

  /// Of one token at the end of a long context, its key and value stored as in a decoding step: in
  /// one dispatch where the numbers allow it.
  Result<std::optional<double>> attention(CacheType type,
                                          const HeadShape& heads,
                                          const Tuning& tuning) {
    const Device& device = pipelines_->device();
    const std::uint32_t n_pages = divide_up(amounts_.context, heads.page_tokens);
    const std::uint64_t cache_bytes = std::uint64_t{n_pages} * heads.page_tokens *
                                      amounts_.n_kv_heads * cache_row_bytes(type, heads.head_dim);
    const std::uint64_t values_at =
        (cache_bytes + kMatrixAlignment - 1) / kMatrixAlignment * kMatrixAlignment;
    const std::uint32_t n_heads = amounts_.n_kv_heads * heads.group;
    const std::uint32_t row_stride = (n_heads + 2 * amounts_.n_kv_heads) * heads.head_dim;
    if (values_at + cache_bytes > weights_.size() || floats(1, row_stride) > input_.size() ||
        floats(amounts_.context, heads.head_dim) > weights_.size()) {
      return std::nullopt;
    }
    Attention op;
    op.cache = {.type = type,
                .keys = weights_.address(),
                .values = weights_.address() + values_at,
                .page_tokens = heads.page_tokens,
                .n_kv_heads = amounts_.n_kv_heads,
                .head_dim = heads.head_dim};
    op.queries = input_.address();
    op.output = output_.address();
    op.n_tokens = 1;
    op.n_heads = n_heads;
    op.row_stride = row_stride;
    op.max_context = amounts_.context;
    op.scale = 1;
    // The position, the counters, the pages: numbers that do matter.
    std::vector<std::uint32_t> words(1 + attention_counters(op));
    words[0] = amounts_.context - 1;
    const std::uint64_t pages_at = words.size() * sizeof(words[0]);
    for (std::uint32_t page = 0; page < n_pages; ++page)
      words.push_back(page);
    const auto bytes = std::as_bytes(std::span(words));
    const Buffer numbers = TRY(make(device, bytes.size()));
    TRY(upload(device, numbers, 0, bytes));
    const Buffer scratch =
        TRY(make(device, std::max(attention_scratch_bytes(op), std::uint64_t{4})));
    op.positions = numbers.address();
    op.counters = numbers.address() + sizeof(words[0]);
    op.cache.pages = numbers.address() + pages_at;
    op.scratch = scratch.address();
    const DeviceAddress keys = op.queries + floats(n_heads, heads.head_dim);
    const RopeStore store = {.cache = op.cache,
                             .queries = op.queries,
                             .keys = keys,
                             .values = keys + floats(amounts_.n_kv_heads, heads.head_dim),
                             .positions = op.positions,
                             .table = weights_.address(),  // any numbers do
                             .n_tokens = 1,
                             .n_heads = n_heads,
                             .n_rotated = heads.head_dim / 2 * 2,
                             .row_stride = row_stride};
    const Formats formats = {.weights = {}, .caches = {type}, .tuning = tuning, .heads = {heads}};
    return seconds(formats, [&](const Operations& operations, Stream& stream) {
      for (int i = 0; i < kRepeats; ++i) {
        stream.barrier();
        if (operations.can_store_and_attend(store, op)) {
          operations.store_and_attend(stream, store, op);
          continue;
        }
        operations.rope_store(stream, store);
        stream.barrier();
        operations.attention(stream, op);
      }
    });
  }

  Result<void> warm_up(WeightType type) {
    double spent = 0;
    while (spent < amounts_.warm_up_seconds)
      spent += TRY(one_token(type, {})).value_or(amounts_.warm_up_seconds);
    return {};
  }

 private:
  Bench(const Formats& formats,
        const Amounts& amounts,
        std::unique_ptr<Pipelines> pipelines,
        Buffer weights,
        Buffer input,
        Buffer output,
        Buffer scratch)
      : path_(formats.product_path),
        amounts_(amounts),
        pipelines_(std::move(pipelines)),
        weights_(std::move(weights)),
        input_(std::move(input)),
        output_(std::move(output)),
        scratch_(std::move(scratch)) {}

  static Result<Buffer> make(const Device& device, std::uint64_t bytes) {
    return Buffer::create(device, bytes, MemoryUse::kDevice, "tuning");
  }

  static std::uint64_t floats(std::uint32_t n_rows, std::uint32_t n_columns) {
    return std::uint64_t{n_rows} * n_columns * sizeof(float);
  }

  void multiply(const Operations& operations,
                Stream& stream,
                const Matrix& matrix,
                std::uint32_t n_tokens) const {
    stream.barrier();
    operations.products(stream,
                        {.parts = {{{.weights = matrix, .output = output_.address()}}},
                         .input = input_.address(),
                         .n_tokens = n_tokens,
                         .scratch = scratch_.address()});
  }

  Formats products_of(WeightType type, const Tuning& tuning) const {
    return {.weights = {type}, .caches = {}, .product_path = path_, .tuning = tuning};
  }

  /// The shortest of some runs; what the numbers are does not matter to the time.
  template <class Record>
  Result<std::optional<double>> seconds(const Formats& formats, const Record& record) {
    const auto operations = Operations::create(*pipelines_, formats);
    if (!operations) {
      // A driver may not get along with a kernel of just these numbers.
      if (operations.error().code == ErrorCode::kDeviceLost)
        return tl::unexpected(operations.error());
      return std::nullopt;
    }
    Stream stream = TRY(Stream::create(pipelines_->device()));
    TRY(stream.begin());
    record(*operations, stream);
    TRY(stream.end());
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < amounts_.n_runs; ++i)
      best = std::min(best, TRY(stream.run()));
    return best;
  }

  ProductPath path_;
  Amounts amounts_;
  std::unique_ptr<Pipelines> pipelines_;
  Buffer weights_;
  Buffer input_;
  Buffer output_;
  Buffer scratch_;
};

/// Numbers of the paths that may be taken, and the choice between them.
std::vector<Knob> one_token_knobs(const DeviceInfo& device, ProductPath path, WeightType type) {
  const std::optional<Knob> choice = dot_knob(device, type);
  // Bytes are never chosen for who did not ask for them: they are of another class of precision.
  if (path != ProductPath::kIntegerDot || !choice) return vec_knobs(device, type, false);
  std::vector<Knob> knobs = vec_knobs(device, type, true);
  knobs.push_back(*choice);
  // If floats were not chosen, these change nothing, and nothing is compiled for them.
  for (Knob& knob : vec_knobs(device, type, false))
    knobs.push_back(std::move(knob));
  return knobs;
}

}  // namespace

std::uint64_t candidates_hash(const DeviceInfo& device) {
  std::string all;
  const auto add_number = [&](std::uint32_t number) { all += std::to_string(number) + ' '; };
  const auto add = [&](std::span<const Knob> knobs) {
    for (const Knob& knob : knobs) {
      all += knob.name + ' ';
      for (const std::uint32_t value : knob.values)
        add_number(value);
    }
  };
  for (const WeightType type : all_weight_types()) {
    add(vec_knobs(device, type, false));
    if (const std::optional<Knob> choice = dot_knob(device, type)) {
      add(vec_knobs(device, type, true));
      add({&*choice, 1});
    }
  }
  for (const TileKind kind :
       {TileKind::kFloats, TileKind::kHalves, TileKind::kDots, TileKind::kMatrices}) {
    const std::vector<Knob> knobs = tiling_knobs(device, kind);
    add(knobs);
    // The first is a number in a list of shapes.
    for (const std::uint32_t value : knobs.front().values) {
      Tuning tuning;
      tuning.set(knobs.front().name, value);
      const Tiling tiling = tuned_tiling(device, tuning);
      for (const auto* tiles : {&tiling.floats, &tiling.halves, &tiling.dots, &tiling.matrices}) {
        for (const TileShape& shape : tiles->shapes) {
          for (const std::uint32_t number :
               {shape.lines, shape.tokens, shape.line_sums, shape.token_sums, shape.depth})
            add_number(number);
        }
      }
    }
  }
  for (const CacheType type : Formats().caches)
    add(attention_knobs(type, kMostGroup));
  return XXH3_64bits(all.data(), all.size());
}

Result<Tuning> tune(const Device& device,
                    const Formats& formats,
                    std::chrono::duration<double> budget,
                    Tuning known) {
  std::optional<Bench> bench;
  std::vector<Trial> trials;
  for (const WeightType type : formats.weights) {
    trials.push_back(
        {one_token_knobs(device.info(), formats.product_path, type),
         [&bench, type](const Tuning& tuning) { return bench->one_token(type, tuning); }});
  }
  // What tiles hold does not depend on the format they were read from.
  if (!formats.weights.empty()) {
    const WeightType type = formats.weights.front();
    const TileKind kind = tile_kind(device.info(), formats.product_path, type);
    trials.push_back(
        {tiling_knobs(device.info(), kind), [&bench, type, kind](const Tuning& tuning) {
           return bench->many_tokens(type, kind, tuning);
         }});
  }
  for (const CacheType type : formats.caches) {
    for (const HeadShape& heads : formats.heads) {
      trials.push_back(
          {attention_knobs(type, heads.group), [&bench, type, heads](const Tuning& tuning) {
             return bench->attention(type, heads, tuning);
           }});
    }
  }
  std::erase_if(trials, [&](const Trial& trial) { return is_known(trial, known); });
  if (trials.empty() || formats.weights.empty()) return known;
  bench = TRY(Bench::create(device, formats));
  TRY(bench->warm_up(formats.weights.front()));
  return search(trials, budget, std::move(known));
}

}  // namespace kinglet::vulkan
