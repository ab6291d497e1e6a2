#include "daemon/features/prompt.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace {

using kinglet::daemon::Prompt;
using kinglet::daemon::PromptPlace;
using kinglet::daemon::PromptWriter;
using kinglet::indexer::Pack;
using kinglet::inference::TokenId;
using kinglet::inference::TokenKind;
using kinglet::inference::Vocabulary;
using kinglet::inference::VocabularyParts;

enum class Knows { kNothing, kFim, kFimAndFiles };

// One token a byte (ids 1 to 256), then control tokens.
std::shared_ptr<const Vocabulary> vocabulary(Knows knows) {
  std::vector<std::string> texts = {"<unk>"};
  std::vector<TokenKind> kinds = {TokenKind::kUnknown};
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", byte);
    texts.emplace_back(text);
    kinds.push_back(TokenKind::kByte);
  }
  VocabularyParts parts;
  parts.special.unknown = 0;
  const auto control = [&](const char* text) {
    texts.emplace_back(text);
    kinds.push_back(TokenKind::kControl);
    return static_cast<TokenId>(texts.size() - 1);
  };
  if (knows != Knows::kNothing) {
    parts.special.fim_pre = control("<pre>");
    parts.special.fim_suf = control("<suf>");
    parts.special.fim_mid = control("<mid>");
  }
  if (knows == Knows::kFimAndFiles) {
    parts.special.fim_rep = control("<rep>");
    parts.special.fim_sep = control("<sep>");
  }
  parts.texts.assign(texts.begin(), texts.end());
  parts.scores.assign(texts.size(), 0);
  parts.kinds = kinds;
  auto made = Vocabulary::create(parts);
  REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().message));
  return std::make_shared<const Vocabulary>(*std::move(made));
}

std::string spelled(const PromptWriter& writer, const Prompt& prompt) {
  std::string text;
  for (const TokenId token : prompt.tokens) {
    const auto& known = writer.tokenizer().vocabulary();
    if (known.kind(token) == TokenKind::kControl) {
      text += known.text(token);
    } else {
      writer.tokenizer().append_piece(token, text);
    }
  }
  return text;
}

Pack small_pack() {
  Pack pack;
  auto& chunk = pack.chunks.emplace_back();
  chunk.path = "b.py";
  chunk.header = "b.py\n";
  chunk.text = "def f(): ...\n";
  pack.prefix = "import b\n";
  pack.suffix = "print(<pre>)\n";
  pack.typed = "x = b.";
  return pack;
}

constexpr PromptPlace kPlace{"repo", "dir/a.py"};

}  // namespace

TEST_SUITE("daemon/prompt") {
  TEST_CASE("models that know files get the repository layout") {
    const PromptWriter writer(vocabulary(Knows::kFimAndFiles));
    CHECK(writer.format_name() == "repository");
    CHECK(spelled(writer, writer.write(small_pack(), kPlace)) ==
          "<rep>repo\n<sep>b.py\ndef f(): ...\n<sep>dir/a.py\n"
          "<pre>import b\n<suf>print(<pre>)\n<mid>x = b.");
  }

  TEST_CASE("models that know one file get the repository before its prefix") {
    const PromptWriter writer(vocabulary(Knows::kFim));
    CHECK(spelled(writer, writer.write(small_pack(), kPlace)) ==
          "<pre>b.py\ndef f(): ...\ndir/a.py\nimport b\n<suf>print(<pre>)\n<mid>x = b.");
  }

  TEST_CASE("other models continue the text, and no budget goes to a suffix") {
    const PromptWriter writer(vocabulary(Knows::kNothing));
    CHECK(spelled(writer, writer.write(small_pack(), kPlace)) ==
          "b.py\ndef f(): ...\ndir/a.py\nimport b\nx = b.");
    CHECK(writer.shares().prefix_of_file == 1);
  }

  TEST_CASE("text that imitates a marker stays text") {
    const PromptWriter writer(vocabulary(Knows::kFimAndFiles));
    const Prompt prompt = writer.write(small_pack(), kPlace);
    const TokenId pre = writer.tokenizer().vocabulary().special().fim_pre;
    CHECK(std::count(prompt.tokens.begin(), prompt.tokens.end(), pre) == 1);
  }

  TEST_CASE("typing only appends") {
    const PromptWriter writer(vocabulary(Knows::kFimAndFiles));
    Pack pack = small_pack();
    const Prompt before = writer.write(pack, kPlace);
    pack.typed += "f(";
    const Prompt after = writer.write(pack, kPlace);
    CHECK(before.n_frozen == after.n_frozen);
    CHECK(std::equal(before.tokens.begin(), before.tokens.end(), after.tokens.begin()));
  }

  TEST_CASE("counts add exactly") {
    for (const Knows knows : {Knows::kFim, Knows::kFimAndFiles}) {
      const PromptWriter writer(vocabulary(knows));
      const Pack pack = small_pack();
      const auto overhead = writer.overhead(kPlace);
      std::size_t n = overhead.fixed;
      for (const auto& chunk : pack.chunks) {
        n += overhead.per_chunk + writer.count_tokens(chunk.header) +
             writer.count_tokens(chunk.text);
      }
      n += writer.count_tokens(pack.prefix) + writer.count_tokens(pack.suffix) +
           writer.count_tokens(pack.typed);
      CHECK(writer.write(pack, kPlace).tokens.size() == n);
    }
  }
}
