// Matrices and caches may pass 4 GiB: what lies far behind their beginning is found. Nothing so big
// is allocated: the beginning lies where nobody looks, and only the end is there.
#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"
#include "tests/vulkan/weights.h"
#include "vulkan/operations.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

constexpr std::uint64_t kFar = std::uint64_t{5} << 30;

}  // namespace

TEST_SUITE("vulkan/addresses") {
  TEST_CASE("rows of a table of more than 4 GiB are found in every block format") {
    LAB();
    constexpr std::uint32_t kRows = 7;
    for (const WeightType type : all_weight_types()) {
      CAPTURE(static_cast<int>(type));
      const std::uint32_t n_columns = 16 * block_elements(type);
      const Weights table = random_weights(type, std::size_t{kRows} * n_columns, 3);
      const auto tensor = lab.tensor(table.bytes);
      const std::uint64_t bytes = row_bytes({type, 0, kRows, n_columns});
      const auto n_before = static_cast<std::uint32_t>(kFar / bytes / 16 * 16);
      const auto ids = lab.tensor(std::vector<std::uint32_t>{n_before + 6, n_before, n_before + 3});
      const auto output = lab.empty(std::size_t{3} * n_columns * sizeof(float));
      lab.run([&](Stream& stream) {
        lab.operations().get_rows(
            stream,
            {{type, tensor->address() - n_before * bytes, n_before + kRows, n_columns},
             ids->address(),
             3,
             output->address()});
      });
      std::vector<double> expected;
      for (const std::size_t row : {6, 0, 3}) {
        const auto first = table.elements.begin() + static_cast<std::ptrdiff_t>(row * n_columns);
        expected.insert(expected.end(), first, first + n_columns);
      }
      CHECK(worst_error(lab.read<float>(*output), expected) < 1e-6);
    }
  }

  TEST_CASE("pages of a cache of more than 4 GiB are written and read") {
    LAB();
    constexpr std::uint32_t kPage = 32;
    constexpr std::uint32_t kPositions = 2 * kPage;
    constexpr std::uint32_t kHeadDim = 64;
    constexpr std::uint32_t kKvHeads = 2;
    constexpr std::uint32_t kHeads = 4;
    for (const CacheType type :
         {CacheType::kF32, CacheType::kF16, CacheType::kQ8_0, CacheType::kQ4_0}) {
      CAPTURE(static_cast<int>(type));
      const std::uint64_t page_bytes =
          std::uint64_t{kPage} * kKvHeads * cache_row_bytes(type, kHeadDim);
      const auto n_before = static_cast<std::uint32_t>(kFar / page_bytes);
      const Operations operations = lab.operations(Formats{
          .weights = {}, .caches = {type}, .heads = {{kHeadDim, kHeads / kKvHeads, kPage}}});
      constexpr std::size_t kRow = std::size_t{kHeads + 2 * kKvHeads} * kHeadDim;
      const auto numbers = random_floats(kPositions * kRow, 9);
      std::vector<std::uint32_t> places(kPositions);
      for (std::uint32_t i = 0; i < kPositions; ++i)
        places[i] = i;
      const auto positions = lab.tensor(places);
      /// What attention sees, the two pages lying so many pages behind the cache's beginning.
      const auto attended = [&](std::uint32_t first_page) {
        const auto rows = lab.tensor(numbers);
        const auto keys = lab.empty(2 * page_bytes);
        const auto values = lab.empty(2 * page_bytes);
        const auto pages = lab.tensor(std::vector<std::uint32_t>{first_page + 1, first_page});
        const auto output = lab.empty(std::size_t{kPositions} * kHeads * kHeadDim * sizeof(float));
        const PagedCache cache = {.type = type,
                                  .keys = keys->address() - first_page * page_bytes,
                                  .values = values->address() - first_page * page_bytes,
                                  .pages = pages->address(),
                                  .page_tokens = kPage,
                                  .n_kv_heads = kKvHeads,
                                  .head_dim = kHeadDim};
        const DeviceAddress at = rows->address();
        RopeStore store;
        store.cache = cache;
        store.queries = at;
        store.keys = at + kHeads * kHeadDim * sizeof(float);
        store.values = store.keys + kKvHeads * kHeadDim * sizeof(float);
        store.positions = positions->address();
        store.n_tokens = kPositions;
        store.n_heads = kHeads;
        store.row_stride = kRow;
        Attention op;
        op.cache = cache;
        op.queries = at;
        op.positions = positions->address();
        op.output = output->address();
        op.n_tokens = kPositions;
        op.n_heads = kHeads;
        op.row_stride = kRow;
        op.max_context = kPositions;
        op.scale = 0.125F;
        const auto counters = lab.tensor(std::vector<std::uint32_t>(attention_counters(op)));
        const auto scratch =
            lab.empty(std::max<std::uint64_t>(attention_scratch_bytes(op), sizeof(float)));
        op.counters = counters->address();
        op.scratch = scratch->address();
        lab.run([&](Stream& stream) {
          operations.rope_store(stream, store);
          stream.barrier();
          operations.attention(stream, op);
        });
        return lab.read<float>(*output);
      };
      const auto near = attended(0);
      CHECK(near[0] == near[0]);
      CHECK(attended(n_before) == near);
    }
  }

  TEST_CASE("a tensor of more than a GiB takes one buffer") {
    LAB();
    // Qwen2.5-7B's embedding in f16. Only what is written takes memory.
    constexpr std::uint32_t kVocabulary = 152'064;
    constexpr std::uint32_t kColumns = 3'584;
    constexpr std::uint64_t kRowBytes = std::uint64_t{kColumns} * 2;
    if (lab.device().info().max_allocation_bytes < kVocabulary * kRowBytes)
      SKIP("the device has no such buffers");
    const auto table = Buffer::create(
        lab.device(), kVocabulary * kRowBytes, MemoryUse::kDevice, "token_embd.weight");
    REQUIRE(table.has_value());
    const Weights row = random_weights(WeightType::kF16, kColumns, 4);
    REQUIRE(upload(lab.device(), *table, (kVocabulary - 1) * kRowBytes, row.bytes).has_value());
    const auto ids = lab.tensor(std::vector<std::uint32_t>{kVocabulary - 1});
    const auto output = lab.empty(std::size_t{kColumns} * sizeof(float));
    lab.run([&](Stream& stream) {
      lab.operations().get_rows(stream,
                                {{WeightType::kF16, table->address(), kVocabulary, kColumns},
                                 ids->address(),
                                 1,
                                 output->address()});
    });
    CHECK(worst_error(lab.read<float>(*output), row.elements) < 1e-6);
  }
}
