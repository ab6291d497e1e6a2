// The check finds nothing wrong with the model that comes with Kinglet, and says so of what is
// spoiled: rope, tokenizer, weights.
#include "daemon/model_check.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "inference/model.h"
#include "tests/inference/synthetic_gguf.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::daemon {
namespace {

const std::filesystem::path kSource = KINGLET_SOURCE_DIR;

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

CheckTexts texts() {
  return {content(kSource / "daemon/check/code.txt"), content(kSource / "daemon/check/prose.txt")};
}

std::string starter() {
  return content(kSource / "inference/starter_model/kinglet-starter.gguf");
}

struct Checked {
  std::vector<CheckLine> lines;

  const CheckLine& line(std::string_view begin) const {
    const auto found = std::ranges::find_if(
        lines, [&](const CheckLine& line) { return line.what.starts_with(begin); });
    REQUIRE_MESSAGE(found != lines.end(), std::string(begin));
    return *found;
  }
  bool is_red(std::string_view begin) const { return line(begin).verdict == Verdict::kBad; }
  std::ptrdiff_t n_red() const {
    return std::ranges::count(lines, Verdict::kBad, &CheckLine::verdict);
  }
};

Checked check(const std::filesystem::path& file, const char* chat = "", std::size_t n = 1025) {
  auto model = inference::Model::load(file);
  REQUIRE_MESSAGE(model, (model ? "" : model.error().message));
  const auto executor = inference::find_backend("cpu")->create(
      *model,
      {.n_kv_tokens = std::min<std::uint32_t>(static_cast<std::uint32_t>(n),
                                              (*model)->hyper_parameters().context_length)});
  REQUIRE(executor);
  CheckOptions options;
  options.max_tokens = n;
  std::size_t n_told = 0;
  options.on_line = [&](const CheckLine&) { ++n_told; };
  const CheckTexts both = texts();
  auto lines = check_model(**executor, find_chat_template(chat), both, options);
  REQUIRE_MESSAGE(lines, (lines ? "" : lines.error().message));
  CHECK(n_told == lines->size());
  for (const CheckLine& line : *lines) {
    CHECK((line.verdict == Verdict::kBad) == !line.hint.empty());
  }
  return {*std::move(lines)};
}

/// Where the value of a key begins, its type passed over.
std::size_t value_of(const std::string& gguf, std::string_view key) {
  const std::size_t at = gguf.find(key);
  REQUIRE(at != std::string::npos);
  return at + key.size() + sizeof(std::uint32_t);
}

void change_scores(std::string& gguf, const std::function<float(float)>& change) {
  const std::size_t at = value_of(gguf, "tokenizer.ggml.scores");
  std::uint64_t n = 0;
  std::memcpy(&n, &gguf[at + 4], sizeof n);
  REQUIRE(n == 4096);
  std::vector<float> scores(n);
  std::memcpy(scores.data(), &gguf[at + 12], n * sizeof(float));
  std::ranges::transform(scores, scores.begin(), change);
  std::memcpy(&gguf[at + 12], scores.data(), n * sizeof(float));
}

Checked check_spoiled(const std::function<void(std::string& gguf)>& spoil) {
  const test::TemporaryFolder folder;
  std::string gguf = starter();
  spoil(gguf);
  const auto file = folder / "spoiled.gguf";
  std::ofstream(file, std::ios::binary) << gguf;
  return check(file);
}

}  // namespace

TEST_SUITE("daemon/model_check") {
  TEST_CASE("the texts are long enough, and end in whole lines") {
    const CheckTexts both = texts();
    CHECK(both.code.size() > 20'000);
    CHECK(both.prose.size() > 20'000);
    CHECK(both.code.ends_with('\n'));
    CHECK(both.prose.ends_with('\n'));
  }

  TEST_CASE("the model that comes with Kinglet is in range everywhere") {
    const Checked checked =
        check(kSource / "inference/starter_model/kinglet-starter.gguf", "", 6144);
    for (const CheckLine& line : checked.lines) {
      INFO(line.what << ": " << line.measured);
      CHECK(line.verdict != Verdict::kBad);
    }
    CHECK(checked.line("a turn of").verdict == Verdict::kSkipped);
    // Its context is 2048 tokens: what is compared is that, not 6k.
    CHECK(checked.line("code: bits per byte after 1535").verdict == Verdict::kGood);
    for (const char* longer :
         {"code: bits per byte after 5631", "prose: bits per byte after 5631"}) {
      CHECK(checked.line(longer).verdict == Verdict::kSkipped);
      CHECK(checked.line(longer).expected.starts_with("the model's context is 2048"));
    }
  }

  TEST_CASE("a wrong rope shows") {
    const Checked checked = check_spoiled([](std::string& gguf) {
      const float base = 50;
      std::memcpy(&gguf[value_of(gguf, "phi3.rope.freq_base")], &base, sizeof base);
    });
    CHECK(checked.is_red("a passage said again at once"));
    CHECK(checked.is_red("a passage said again after"));
    CHECK(!checked.is_red("texts that come back"));
  }

  TEST_CASE("a wrong tokenizer shows") {
    // The last merges come first.
    const Checked checked = check_spoiled(
        [](std::string& gguf) { change_scores(gguf, [](float score) { return -score; }); });
    CHECK(checked.is_red("code: bits per byte after 512"));
    CHECK(checked.is_red("code: the model's share for longer tokens"));
    CHECK(!checked.is_red("a passage said again at once"));
    CHECK(!checked.is_red("tokens without a merge score"));
  }

  TEST_CASE("merge scores that were lost show, though every text still comes back") {
    const Checked checked =
        check_spoiled([](std::string& gguf) { change_scores(gguf, [](float) { return 0.0F; }); });
    CHECK(checked.is_red("tokens without a merge score of their own"));
    CHECK(!checked.is_red("texts that come back"));
  }

  TEST_CASE("random weights are red wherever a model has something to know") {
    const test::TemporaryFolder folder;
    const std::string file = folder / "random.gguf";
    test::write_synthetic_gguf({.context = 4096}, file);
    // A template without tokens of its own suits any vocabulary.
    const Checked checked = check(file, "llama2", 2100);
    for (const char* what : {"code: bytes per token",
                             "code: bits per byte after 512",
                             "code: bits per byte after 1587",
                             "prose: bits per byte after 512",
                             "a passage said again at once",
                             "chat: bits of a plain answer",
                             "chat: tokens likelier",
                             "fill in the middle"}) {
      INFO(what << ": " << checked.line(what).measured);
      CHECK(checked.is_red(what));
    }
  }
}

}  // namespace kinglet::daemon
