#include <algorithm>
#include <iterator>
#include <random>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "indexer/context/candidates.h"

namespace kinglet::indexer {
namespace {

SimilarCandidate similar(const std::string& path, const std::string& text, float score = 10) {
  SimilarCandidate candidate;
  candidate.hit.path = path;
  candidate.hit.range = {100, static_cast<std::uint32_t>(100 + text.size())};
  candidate.hit.score = score;
  candidate.text = text;
  candidate.first_line = 11;
  return candidate;
}

NearName near(const std::string& name, float weight = 1) {
  NearName near;
  near.name = name;
  near.weight = weight;
  near.distance = 1;
  return near;
}

struct PassageRequest {
  std::span<const NearName> names;
  std::span<const SimilarCandidate> similar;
  std::span<const std::string_view> packed = {};
  std::size_t budget_tokens = 0;
  float bytes_per_token = PassageChooser::kBytesPerToken;
  std::size_t tokens_per_file = 0;
  std::size_t max_tokens = 1'000'000;
};

std::vector<Passage> choose_passages(const PassageRequest& request) {
  return PassageChooser(request.names, request.similar, request.max_tokens)
      .choose({.packed = request.packed,
               .budget_tokens = request.budget_tokens,
               .bytes_per_token = request.bytes_per_token,
               .tokens_per_file = request.tokens_per_file});
}

PassageRequest request(const std::vector<NearName>& names,
                       const std::vector<SimilarCandidate>& candidates,
                       std::size_t budget) {
  return {.names = names, .similar = candidates, .budget_tokens = budget};
}

std::string text_of(const Passage& passage) {
  return std::string(passage.range.of(passage.similar->text));
}

std::vector<std::string> texts_of(const std::vector<Passage>& passages) {
  std::vector<std::string> texts;
  texts.reserve(passages.size());
  for (const Passage& passage : passages)
    texts.push_back(text_of(passage));
  return texts;
}

// What a passage is taken to cost.
double guess_of(const std::vector<Passage>& passages, const PassageRequest& request) {
  double n_tokens = 0;
  std::set<std::string> paths;
  for (const Passage& passage : passages) {
    const std::string& path = passage.similar->hit.path;
    n_tokens += static_cast<float>(passage.range.size()) / request.bytes_per_token;
    if (paths.insert(path).second) {
      n_tokens += static_cast<double>(request.tokens_per_file) +
                  static_cast<float>(path.size() + 1) / request.bytes_per_token;
    }
  }
  return n_tokens;
}

const std::string kOpen = "  Table table(3);\n  if (open_table(path, &table) != 0) return -1;\n";
const std::string kClose = "  close_channel(channel, table.size(), kNow);\n";
const std::string kOther = "  for (const auto& [key, value] : other) print(key, value);\n";

// Code of made-up words, with names of a neighborhood here and there.
std::vector<SimilarCandidate> made_up(std::mt19937& random) {
  std::vector<SimilarCandidate> candidates;
  const auto n = random() % 12 + 1;
  for (unsigned i = 0; i < n; ++i) {
    std::string text;
    for (auto lines = random() % 40; lines > 0; --lines) {
      text += std::string(random() % 4 * 2, ' ');
      for (auto words = random() % 9; words > 0; --words)
        text += (words % 3 == 0 ? "(" : " ") + std::string("name_") + std::to_string(random() % 30);
      text += random() % 5 == 0 ? "\r\n" : "\n";
    }
    if (random() % 3 == 0 && !text.empty()) text.pop_back();
    candidates.push_back(similar(
        "file_" + std::to_string(random() % 5) + ".cpp", text, 20.0F / static_cast<float>(i + 1)));
  }
  return candidates;
}

}  // namespace

TEST_SUITE("indexer/context/passages") {
  TEST_CASE("passages are whole lines between blank ones, with their place in the file") {
    const std::vector<NearName> names = {near("open_table"), near("close_channel")};
    const std::vector<SimilarCandidate> candidates = {
        similar("a.cpp", "\n" + kOpen + "\n  \n" + kClose)};
    const auto passages = choose_passages(request(names, candidates, 1000));
    REQUIRE(passages.size() == 2);
    const bool is_open_first = text_of(passages[0]) == kOpen;
    const Passage& open = passages[is_open_first ? 0 : 1];
    const Passage& close = passages[is_open_first ? 1 : 0];
    CHECK(text_of(open) == kOpen);
    CHECK(open.first_line == 12);
    CHECK(text_of(close) == kClose);
    CHECK(close.first_line == 16);
    CHECK(open.similar == candidates.data());
  }

  TEST_CASE("long stretches are cut where they come back to the left") {
    std::string text = "int first(int a) {\n";
    for (int i = 0; i < 7; ++i)
      text += "  call_" + std::to_string(i) + "(a, open_table, " + std::to_string(i) + ");\n";
    text += "}\n";
    std::string second = "int second(int b) {\n";
    for (int i = 0; i < 8; ++i)
      second += "  other_" + std::to_string(i) + "(b, open_table, " + std::to_string(i) + ");\n";
    const std::vector<NearName> names = {near("open_table")};
    const std::vector<SimilarCandidate> candidates = {similar("a.cpp", text + second)};
    auto texts = texts_of(choose_passages(request(names, candidates, 1000)));
    std::ranges::sort(texts);
    CHECK(texts == std::vector<std::string>{text, second});
  }

  TEST_CASE("what shares names with the line is worth more for what it costs") {
    const std::vector<NearName> names = {near("close_channel", 3), near("channel")};
    const std::vector<SimilarCandidate> candidates = {similar("a.cpp", kOther),
                                                      similar("b.cpp", kClose)};
    const auto passages = choose_passages(request(names, candidates, 1000));
    REQUIRE(passages.size() == 2);
    CHECK(text_of(passages[0]) == kClose);
    CHECK(passages[0].worth > passages[1].worth);
    CHECK(passages[1].worth > 0);
  }

  TEST_CASE("no run of words is paid for twice") {
    const std::vector<NearName> names = {near("open_table"), near("path")};
    const std::vector<SimilarCandidate> candidates = {
        similar("a.cpp", kOpen), similar("b.cpp", kOpen), similar("c.cpp", kOpen + kClose)};
    const auto passages = choose_passages(request(names, candidates, 1000));
    // The copies are worth nothing once one is taken; what one has besides is.
    for (const Passage& passage : passages) {
      if (&passage == &passages.front()) continue;
      CHECK(text_of(passage) != kOpen);
    }
    CHECK(passages.size() <= 2);
    // Spaces and line ends do not make it another.
    const std::vector<SimilarCandidate> spaced = {
        similar("a.cpp", kClose),
        similar("b.cpp", "close_channel( channel,\r\n\ttable.size(),kNow );\r\n")};
    CHECK(choose_passages(request(names, spaced, 1000)).size() == 1);
  }

  TEST_CASE("what is packed already is worth nothing") {
    const std::vector<NearName> names = {near("open_table"), near("close_channel")};
    const std::vector<SimilarCandidate> candidates = {similar("a.cpp", kOpen + "\n" + kClose)};
    PassageRequest asked = request(names, candidates, 1000);
    const std::string packed = "int main() {\n" + kOpen + "}\n";
    const std::vector<std::string_view> texts = {"", packed};
    asked.packed = texts;
    CHECK(texts_of(choose_passages(asked)) == std::vector<std::string>{kClose});
    const std::vector<std::string_view> all = {packed, kClose};
    asked.packed = all;
    CHECK(choose_passages(asked).empty());
  }

  TEST_CASE("what lies beyond so many tokens is not read") {
    const std::vector<NearName> names = {near("open_table"), near("close_channel", 3)};
    const std::vector<SimilarCandidate> candidates = {similar("a.cpp", kOpen),
                                                      similar("b.cpp", kClose)};
    PassageRequest asked = request(names, candidates, 1000);
    CHECK(choose_passages(asked).size() == 2);
    asked.max_tokens = kOpen.size() / 3 - 1;  // the chunk that goes over is read
    CHECK(texts_of(choose_passages(asked)) == std::vector<std::string>{kOpen});
  }

  TEST_CASE("without anything there is nothing to choose") {
    const std::vector<NearName> names = {near("open_table")};
    CHECK(choose_passages(request(names, {}, 1000)).empty());
    CHECK(choose_passages(request({}, {}, 0)).empty());
    for (const std::string text : {"", "\n", " \t\r\n\n", "a", "a b c\n"}) {
      const std::vector<SimilarCandidate> candidates = {similar("a.cpp", text)};
      CHECK(choose_passages(request(names, candidates, 1000)).empty());
      CHECK(choose_passages(request({}, candidates, 1000)).empty());
    }
    const std::vector<SimilarCandidate> candidates = {similar("a.cpp", kOpen)};
    CHECK(choose_passages(request(names, candidates, 0)).empty());
    // No name of it near: it was found, so it is worth a little.
    CHECK(choose_passages(request({}, candidates, 1000)).size() == 1);
  }

  TEST_CASE("within the guessed budget, whole lines, none twice, the same again") {
    std::mt19937 random(3);
    std::size_t n_passages = 0;
    for (int round = 0; round < 300; ++round) {
      const std::vector<SimilarCandidate> candidates = made_up(random);
      std::vector<NearName> names;
      for (auto n = random() % 6; n > 0; --n)
        names.push_back(
            near("name_" + std::to_string(random() % 30), 1.0F / static_cast<float>(n)));
      PassageRequest asked = request(names, candidates, random() % 400);
      asked.bytes_per_token = static_cast<float>(random() % 4 + 2);
      asked.tokens_per_file = random() % 5;
      std::vector<std::string_view> packed;
      if (random() % 2 == 0) packed.emplace_back(candidates.back().text);
      asked.packed = packed;

      const std::vector<Passage> passages = choose_passages(asked);
      REQUIRE(guess_of(passages, asked) <= static_cast<double>(asked.budget_tokens) + 0.01);
      for (std::size_t i = 0; i < passages.size(); ++i) {
        const Passage& passage = passages[i];
        const std::string& text = passage.similar->text;
        const auto [begin, end] = passage.range;
        REQUIRE(begin < end);
        REQUIRE(end <= text.size());
        REQUIRE((begin == 0 || text[begin - 1] == '\n'));
        REQUIRE((end == text.size() || text[end - 1] == '\n'));
        const auto n_before = std::ranges::count(text.substr(0, begin), '\n');
        REQUIRE(passage.first_line == passage.similar->first_line + n_before);
        for (std::size_t j = 0; j < i; ++j) {
          const bool is_same = passages[j].similar == passage.similar;
          REQUIRE(!(is_same && passages[j].range.overlaps(passage.range)));
        }
      }
      n_passages += passages.size();
      const std::vector<Passage> again = choose_passages(asked);
      REQUIRE(std::ranges::equal(passages, again, [](const Passage& a, const Passage& b) {
        return a.similar == b.similar && a.range == b.range && a.worth == b.worth;
      }));
    }
    CHECK(n_passages > 500);
  }

  TEST_CASE("one endless line, and very many short ones") {
    const std::vector<NearName> names = {near("open_table")};
    std::string endless;
    std::string short_lines;
    for (int i = 0; i < 100'000; ++i) {
      endless += "open_table(" + std::to_string(i) + ");";
      short_lines += "open_table(" + std::to_string(i) + ");\n";
    }
    const std::vector<SimilarCandidate> candidates = {similar("a.cpp", endless),
                                                      similar("b.cpp", short_lines)};
    const auto passages = choose_passages(request(names, candidates, 500));
    CHECK(!passages.empty());
    for (const Passage& passage : passages)
      CHECK(passage.similar->hit.path == "b.cpp");
  }
}

}  // namespace kinglet::indexer
