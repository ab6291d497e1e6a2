#include "daemon/features/prompt.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "inference/gguf.h"
#include "inference/vocabulary_from_gguf.h"
#include "tests/support/shared.h"
#include "tests/support/skip.h"

namespace {

using kinglet::daemon::find_chat_template;
using kinglet::daemon::Prompt;
using kinglet::daemon::PromptPlace;
using kinglet::daemon::PromptWriter;
using kinglet::indexer::Pack;
using kinglet::inference::SpecialTokens;
using kinglet::inference::TokenId;
using kinglet::inference::TokenKind;
using kinglet::inference::Vocabulary;
using kinglet::inference::VocabularyParts;

// One token a byte (ids 1 to 256), then the control tokens, by their texts.
VocabularyParts parts_with(std::span<const std::string> controls, std::vector<std::string>& texts) {
  texts = {"<unk>"};
  std::vector<TokenKind> kinds = {TokenKind::kUnknown};
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(byte));
    texts.emplace_back(text);
    kinds.push_back(TokenKind::kByte);
  }
  for (const std::string& control : controls) {
    texts.push_back(control);
    kinds.push_back(TokenKind::kControl);
  }
  VocabularyParts parts;
  parts.special.unknown = 0;
  parts.texts.assign(texts.begin(), texts.end());
  parts.scores.assign(texts.size(), 0);
  parts.kinds = kinds;
  return parts;
}

using Roles = std::map<std::string, TokenId SpecialTokens::*>;
const Roles kFim = {
    {"<pre>", &SpecialTokens::fim_pre},
    {"<suf>", &SpecialTokens::fim_suf},
    {"<mid>", &SpecialTokens::fim_mid},
};
const Roles kFimAndFiles = {
    {"<pre>", &SpecialTokens::fim_pre},
    {"<suf>", &SpecialTokens::fim_suf},
    {"<mid>", &SpecialTokens::fim_mid},
    {"<rep>", &SpecialTokens::fim_rep},
    {"<sep>", &SpecialTokens::fim_sep},
};

enum class SpacePrefix : bool { kNo, kYes };

/// Control tokens with a role, and others that have only their names.
std::shared_ptr<const Vocabulary> vocabulary(const Roles& roles,
                                             std::vector<std::string> named = {},
                                             SpacePrefix space = SpacePrefix::kNo) {
  const std::size_t n_named = named.size();
  for (const auto& [text, role] : roles)
    named.push_back(text);
  std::vector<std::string> texts;
  VocabularyParts parts = parts_with(named, texts);
  auto id = static_cast<TokenId>(257 + n_named);
  for (const auto& [text, role] : roles)
    parts.special.*role = id++;
  parts.add_space_prefix = space == SpacePrefix::kYes;
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

/// The prompt of small_pack() for a vocabulary with these control tokens, found by their names.
std::string prompt_with(std::vector<std::string> named, SpacePrefix space = SpacePrefix::kNo) {
  const PromptWriter writer(vocabulary({}, std::move(named), space));
  return std::string(writer.format_name()) + ": " +
         spelled(writer, writer.write(small_pack(), kPlace));
}

const std::vector<std::string> kPhi3Tokens = {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"};

PromptWriter instruct_writer() {
  return PromptWriter(vocabulary({}, kPhi3Tokens), find_chat_template("phi3"));
}

void check_counts(const PromptWriter& writer, const Pack& pack) {
  const auto overhead = writer.overhead(kPlace);
  std::size_t n = overhead.fixed;
  for (const auto& chunk : pack.chunks) {
    n += overhead.per_chunk + writer.count_tokens(chunk.header) + writer.count_tokens(chunk.text);
  }
  n += writer.count_prefix_tokens(pack.prefix) + writer.count_tokens(pack.suffix) +
       writer.count_tokens(pack.typed);
  CHECK(writer.write(pack, kPlace).tokens.size() == n);
}

}  // namespace

TEST_SUITE("daemon/prompt") {
  TEST_CASE("models that know files get the repository layout") {
    const PromptWriter writer(vocabulary(kFimAndFiles));
    CHECK(writer.format_name() == "qwen2.5-coder");
    CHECK(spelled(writer, writer.write(small_pack(), kPlace)) ==
          "<rep>repo\n<sep>b.py\ndef f(): ...\n<sep>dir/a.py\n"
          "<pre>import b\n<suf>print(<pre>)\n<mid>x = b.");
  }

  TEST_CASE("models that know one file get the repository in comments before its prefix") {
    const PromptWriter writer(vocabulary(kFim));
    CHECK(writer.format_name() == "file");
    CHECK(spelled(writer, writer.write(small_pack(), kPlace)) ==
          "<pre># b.py\ndef f(): ...\n# dir/a.py\nimport b\n<suf>print(<pre>)\n<mid>x = b.");
    CHECK(spelled(writer, writer.write({}, {"repo", "dir/a.cpp"})) ==
          "<pre>// dir/a.cpp\n<suf><mid>");
  }

  TEST_CASE("families are known by the names of their tokens") {
    CHECK(
        prompt_with(
            {"<repo_name>", "<file_sep>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>"}) ==
        "starcoder2: <repo_name>repo<file_sep>b.py\ndef f(): ...\n<file_sep><fim_prefix>dir/a.py\n"
        "import b\n<fim_suffix>print(<pre>)\n<fim_middle>x = b.");
    CHECK(
        prompt_with({"<reponame>", "<filename>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>"}) ==
        "starcoder: <reponame>repo<filename>b.py\ndef f(): ...\n<fim_prefix><filename>dir/a.py\n"
        "import b\n<fim_suffix>print(<pre>)\n<fim_middle>x = b.");
    CHECK(prompt_with({"<\uff5cfim\u2581begin\uff5c>",
                       "<\uff5cfim\u2581hole\uff5c>",
                       "<\uff5cfim\u2581end\uff5c>"}) ==
          "deepseek-coder: #b.py\ndef f(): ...\n#dir/a.py\n<\uff5cfim\u2581begin\uff5c>import b\n"
          "<\uff5cfim\u2581hole\uff5c>print(<pre>)\n<\uff5cfim\u2581end\uff5c>x = b.");
    CHECK(
        prompt_with({"<|file_separator|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"}) ==
        "codegemma: b.py\ndef f(): ...\n<|file_separator|>dir/a.py\n<|fim_prefix|>import b\n"
        "<|fim_suffix|>print(<pre>)\n<|fim_middle|>x = b.");
  }

  TEST_CASE("a suffix-first family says the suffix first, and appends all the same") {
    CHECK(prompt_with({"[SUFFIX]", "[PREFIX]"}, SpacePrefix::kYes) ==
          "codestral: [SUFFIX]print(<pre>)\n[PREFIX] +++++ b.py\ndef f(): ...\n\n+++++ dir/a.py\n"
          "import b\nx = b.");
    const PromptWriter writer(vocabulary({}, {"[SUFFIX]", "[PREFIX]"}));
    CHECK(writer.write({}, kPlace).closing == "+++++ ");
  }

  TEST_CASE("CodeLlama's prefix begins with the space that it was trained to see") {
    CHECK(prompt_with({"\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>"}, SpacePrefix::kYes) ==
          "codellama: \u2581<PRE> # repo\n# b.py\ndef f(): ...\n# dir/a.py\nimport b\n"
          "\u2581<SUF>print(<pre>)\n\u2581<MID>x = b.");
  }

  TEST_CASE("names that are only text make no family") {
    std::vector<std::string> texts;
    const std::vector<std::string> names = {"[SUFFIX]", "[PREFIX]"};
    VocabularyParts parts = parts_with(names, texts);
    parts.kinds[257] = parts.kinds[258] = TokenKind::kNormal;
    const auto made = std::make_shared<const Vocabulary>(Vocabulary::create(parts).value());
    CHECK(PromptWriter(made).format_name() == "plain");
  }

  TEST_CASE("other models continue the text, and no budget goes to a suffix") {
    const PromptWriter writer(vocabulary({}));
    CHECK(writer.format_name() == "plain");
    CHECK(spelled(writer, writer.write(small_pack(), kPlace)) ==
          "# b.py\ndef f(): ...\n# dir/a.py\nimport b\nx = b.");
    CHECK(writer.shares().prefix_of_file == 1);
  }

  TEST_CASE("an instruct model's answer is opened with the end of the prefix") {
    const PromptWriter writer = instruct_writer();
    CHECK(writer.format_name() == "instruct");
    Pack pack = small_pack();
    pack.prefix = "import first\n";
    for (int i = 1; i <= 12; ++i)
      pack.prefix += "line" + std::to_string(i) + "()\n";
    const Prompt prompt = writer.write(pack, kPlace);
    const std::string text = spelled(writer, prompt);
    INFO(text);
    CHECK(text.starts_with("<|system|>\nYou complete source code"));
    CHECK(text.find("<|end|>\n<|user|>\nFrom the repository repo:\nb.py\n```\ndef f(): ...\n```\n"
                    "After the gap, dir/a.py goes on with:\n```\nprint(<pre>)\n```\n"
                    "Before the gap, it begins with:\n```python\nimport first\n```\n") !=
          std::string::npos);
    CHECK(
        text.ends_with("<|end|>\n<|assistant|>\n```python\nline1()\nline2()\nline3()\nline4()\n"
                       "line5()\nline6()\nline7()\nline8()\nline9()\nline10()\nline11()\n"
                       "line12()\nx = b."));
    CHECK(prompt.closing == "```");
    // A file that holds fences is fenced with more.
    CHECK(writer.write(pack, {"repo", "a.md"}).closing == "`````");
  }

  TEST_CASE("an instruct model that fills in the middle does so") {
    std::vector<std::string> named = kPhi3Tokens;
    CHECK(PromptWriter(vocabulary(kFim, named), find_chat_template("phi3")).format_name() ==
          "file");
    // And one that lacks a token of its template does not chat.
    named.pop_back();
    CHECK(PromptWriter(vocabulary({}, named), find_chat_template("phi3")).format_name() == "plain");
  }

  TEST_CASE("the answer ends at each token that a layout is made of") {
    const PromptWriter writer = instruct_writer();
    CHECK(writer.stop_tokens() == std::vector<TokenId>{257, 258, 259, 260});
  }

  TEST_CASE("text that imitates a marker stays text") {
    const PromptWriter writer(vocabulary(kFimAndFiles));
    const Prompt prompt = writer.write(small_pack(), kPlace);
    const TokenId pre = writer.tokenizer().vocabulary().special().fim_pre;
    CHECK(std::count(prompt.tokens.begin(), prompt.tokens.end(), pre) == 1);
    // Nor do a folder's and a file's name become layout.
    CHECK(spelled(writer, writer.write({}, {"$path{pre}", "{sep}$repo"})) ==
          "<rep>$path{pre}\n<sep>{sep}$repo\n<pre><suf><mid>");
  }

  TEST_CASE("typing only appends, whatever the format") {
    const auto check = [](const PromptWriter& writer) {
      Pack pack = small_pack();
      const Prompt before = writer.write(pack, kPlace);
      pack.typed += "f(";
      const Prompt after = writer.write(pack, kPlace);
      CHECK(before.n_frozen == after.n_frozen);
      CHECK(std::equal(before.tokens.begin(), before.tokens.end(), after.tokens.begin()));
    };
    check(PromptWriter(vocabulary(kFimAndFiles)));
    check(PromptWriter(vocabulary({}, {"[SUFFIX]", "[PREFIX]"})));
    check(instruct_writer());
  }

  TEST_CASE("counts add exactly") {
    Pack pack = small_pack();
    for (int i = 0; i < 20; ++i)
      pack.prefix += "line\n";
    for (const Roles* roles : {&kFim, &kFimAndFiles}) {
      check_counts(PromptWriter(vocabulary(*roles)), pack);
    }
    check_counts(instruct_writer(), pack);
    check_counts(instruct_writer(), small_pack());
    check_counts(instruct_writer(), Pack());
  }

  TEST_CASE("Phi-3's own vocabulary: the instruct recipe, counted exactly") {
    const auto file = kinglet::test::shared("tokenizers/ggml-vocab-phi-3.gguf");
    if (!file) SKIP("KINGLET_SHARED is not set");
    const auto gguf = kinglet::inference::Gguf::open(*file);
    REQUIRE(gguf);
    const auto phi3 =
        std::make_shared<const Vocabulary>(kinglet::inference::vocabulary_from_gguf(*gguf).value());
    // The file has no template; its tokens tell.
    const auto* chat = kinglet::daemon::choose_chat_template("", *phi3);
    REQUIRE(chat != nullptr);
    CHECK(chat->name == "phi3");
    const PromptWriter writer(phi3, chat);
    CHECK(writer.format_name() == "instruct");
    Pack pack = small_pack();
    for (int i = 0; i < 20; ++i)
      pack.prefix += "    value = call(\n\n        1)\n";
    check_counts(writer, pack);
    const Prompt prompt = writer.write(pack, kPlace);
    const auto count = [&](TokenId token) {
      return std::count(prompt.tokens.begin(), prompt.tokens.end(), token);
    };
    CHECK(count(32006) == 1);  // <|system|>
    CHECK(count(32010) == 1);  // <|user|>
    CHECK(count(32001) == 1);  // <|assistant|>
    CHECK(count(32007) == 2);  // <|end|>
  }
}
