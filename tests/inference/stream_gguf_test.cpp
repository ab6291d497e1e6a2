#include "tests/inference/stream_gguf.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "inference/model.h"
#include "inference/tokenizer/vocabulary.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::test {

namespace {

Bytes bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_SUITE("inference/stream_gguf") {
  TEST_CASE("a streamed file is the one made in memory") {
    const TemporaryFolder folder;
    for (const char* architecture : {"phi3", "starcoder2"}) {
      const SyntheticModel model{.architecture = architecture,
                                 .seed = 3,
                                 .hidden = 256,
                                 .heads = 4,
                                 .ffn = 512,
                                 .context = 256,
                                 .original_context = 64,
                                 .mix = "Q4_K_M"};
      const std::uint64_t n_bytes = stream_gguf({.model = model}, folder / "model.gguf");
      Bytes expected = synthetic_gguf(model).bytes();
      expected.resize((expected.size() + 31) / 32 * 32);
      CHECK(n_bytes == expected.size());
      CHECK((bytes_of(folder / "model.gguf") == expected));
    }
  }

  TEST_CASE("repeated rows begin at other blocks of random ones") {
    const TemporaryFolder folder;
    const SyntheticModel model{.hidden = 256, .heads = 4, .type = inference::TensorType::kQ4_0};
    stream_gguf({.model = model, .n_random_elements = 1024}, folder / "model.gguf");
    const auto loaded = inference::Model::load(folder / "model.gguf");
    REQUIRE(loaded.has_value());
    const inference::Weight& weight = (*loaded)->required(inference::Role::kAttentionOutput, 1);
    const std::string first(reinterpret_cast<const char*>(weight.data.data()), 4 * 144);
    for (std::size_t row = 4; row < weight.n_rows; ++row) {
      const std::string bytes(reinterpret_cast<const char*>(weight.row(row).data()), 18);
      CHECK(first.find(bytes) != std::string::npos);
    }
  }

  TEST_CASE("a hollow file is as long, has the same keys and tensors, and takes no room") {
    const TemporaryFolder folder;
    const SyntheticModel model{
        .hidden = 256, .layers = 8, .heads = 4, .ffn = 2'048, .original_context = 64};
    const std::uint64_t n_bytes = stream_gguf({.model = model}, folder / "full.gguf");
    CHECK(stream_gguf({.model = model, .hollow = true}, folder / "model.gguf") == n_bytes);
    CHECK(std::filesystem::file_size(folder / "model.gguf") == n_bytes);
    struct stat status = {};
    REQUIRE(::stat((folder / "model.gguf").c_str(), &status) == 0);
    CHECK(static_cast<std::uint64_t>(status.st_blocks) * 512 < n_bytes / 10);
    const auto full = inference::Model::load(folder / "full.gguf");
    const auto hollow = inference::Model::load(folder / "model.gguf");
    REQUIRE(full.has_value());
    REQUIRE(hollow.has_value());
    CHECK((*hollow)->weight_bytes() == (*full)->weight_bytes());
    CHECK((*hollow)->vocabulary()->size() == (*full)->vocabulary()->size());
    const inference::Weight& weight = (*hollow)->required(inference::Role::kFeedForwardDown, 7);
    CHECK(weight.data.size() == std::size_t{256} * 2'048 * 4);
    CHECK(std::ranges::all_of(weight.data, [](std::byte b) { return b == std::byte{0}; }));
  }

  TEST_CASE("a vocabulary is taken from another file") {
    const TemporaryFolder folder;
    write_synthetic_gguf({.vocab = 400}, folder / "other.gguf");
    stream_gguf({.model = {.seed = 2, .vocab = 0}, .vocabulary_from = folder / "other.gguf"},
                folder / "same.gguf");
    stream_gguf({.model = {.seed = 2, .vocab = 450}, .vocabulary_from = folder / "other.gguf"},
                folder / "wider.gguf");
    const auto other = inference::Model::load(folder / "other.gguf");
    const auto same = inference::Model::load(folder / "same.gguf");
    const auto wider = inference::Model::load(folder / "wider.gguf");
    REQUIRE((other.has_value() && same.has_value() && wider.has_value()));
    CHECK((*same)->hyper_parameters().n_vocabulary == 400);
    CHECK((*wider)->hyper_parameters().n_vocabulary == 450);
    CHECK((*same)->vocabulary()->serialize() == (*other)->vocabulary()->serialize());
    CHECK_THROWS_AS(stream_gguf({.model = {.vocab = 300}, .vocabulary_from = folder / "other.gguf"},
                                folder / "narrower.gguf"),
                    std::invalid_argument);
  }
}

}  // namespace kinglet::test
