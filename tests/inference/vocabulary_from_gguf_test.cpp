#include "inference/vocabulary_from_gguf.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "inference/tokenizer/pre_tokenizers.h"
#include "inference/tokenizer/tokenizer.h"
#include "tests/inference/synthetic_gguf.h"
#include "tests/inference/tokenizer/test_vocabulary.h"
#include "tests/support/shared.h"
#include "tests/support/skip.h"

namespace kinglet::inference {
namespace {

using test::GgufWriter;

GgufWriter good_file() {
  test::SyntheticModel model;
  model.hidden = 32;
  model.layers = 0;
  model.heads = 1;
  model.kv_heads = 1;
  return test::synthetic_gguf(model);
}

Result<Vocabulary> changed(const std::function<void(GgufWriter&)>& change) {
  GgufWriter writer = good_file();
  change(writer);
  const test::Bytes bytes = writer.bytes();
  const auto gguf = Gguf::parse(bytes, "m.gguf");
  REQUIRE(gguf);
  return vocabulary_from_gguf(*gguf);
}

std::string refusal(const std::function<void(GgufWriter&)>& spoil) {
  const auto vocabulary = changed(spoil);
  return vocabulary ? "" : vocabulary.error().message;
}

/// Replaces the tokens array, whose texts `change` has changed.
void change_tokens(GgufWriter& writer,
                   const std::function<void(std::vector<std::string>&)>& change) {
  const test::Bytes bytes = writer.bytes();
  const auto gguf = Gguf::parse(bytes, "m.gguf").value();
  const auto old = gguf.require_array<std::string_view>("tokenizer.ggml.tokens").value();
  std::vector<std::string> texts(old.begin(), old.end());
  change(texts);
  writer.remove_value("tokenizer.ggml.tokens");
  writer.put_strings("tokenizer.ggml.tokens", texts);
}

std::string read_all(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (std::size_t at = 0; (at = text.find(separator, from)) != std::string::npos;) {
    parts.push_back(text.substr(from, at - from));
    from = at + separator.size();
  }
  parts.push_back(text.substr(from));
  return parts;
}

/// The vocabulary read from a file with the keys of a byte-level one; no rule where it is empty.
Result<Vocabulary> from_keys(const test::ByteLevelVocabulary& vocabulary,
                             const std::string& rule,
                             const std::optional<std::vector<std::string>>& merges = {}) {
  GgufWriter writer;
  std::vector<std::int32_t> kinds;
  for (const TokenKind kind : vocabulary.kinds)
    kinds.push_back(static_cast<std::int32_t>(kind));
  std::vector<std::string> lines;
  for (const auto [left, right] : vocabulary.options.merges) {
    lines.push_back(vocabulary.texts[static_cast<std::size_t>(left)] + " " +
                    vocabulary.texts[static_cast<std::size_t>(right)]);
  }
  writer.put_string("general.architecture", "llama");
  writer.put_string("tokenizer.ggml.model", "gpt2");
  if (!rule.empty()) writer.put_string("tokenizer.ggml.pre", rule);
  writer.put_strings("tokenizer.ggml.tokens", vocabulary.texts);
  writer.put_array<std::int32_t>("tokenizer.ggml.token_type", kinds);
  writer.put_strings("tokenizer.ggml.merges", merges.value_or(lines));
  const test::Bytes bytes = writer.bytes();
  const auto gguf = Gguf::parse(bytes, "m.gguf");
  REQUIRE(gguf);
  return vocabulary_from_gguf(*gguf);
}

Tokenizer open_tokenizer(const std::filesystem::path& path) {
  const auto gguf = Gguf::open(path);
  REQUIRE(gguf);
  const auto vocabulary = vocabulary_from_gguf(*gguf);
  REQUIRE(vocabulary);
  return Tokenizer(std::make_shared<const Vocabulary>(*vocabulary));
}

}  // namespace

TEST_SUITE("inference/vocabulary_from_gguf") {
  TEST_CASE("a vocabulary is filled from the keys of a file") {
    const auto vocabulary = changed([](GgufWriter&) {});
    REQUIRE(vocabulary);
    CHECK(vocabulary->size() == 384);
    CHECK(vocabulary->special().bos == 1);
    CHECK(vocabulary->special().eos == 2);
    CHECK(vocabulary->special().unknown == 0);
    CHECK(vocabulary->special().padding == kNoToken);
    CHECK(vocabulary->special().fim_pre == test::kSyntheticFimPre);
    CHECK(vocabulary->special().fim_suf == test::kSyntheticFimPre + 1);
    CHECK(vocabulary->special().fim_mid == test::kSyntheticFimPre + 2);
    CHECK(vocabulary->special().fim_sep == test::kSyntheticFimPre + 5);
    CHECK(vocabulary->kind(test::kSyntheticFirstByte) == TokenKind::kByte);
    CHECK(vocabulary->add_bos());
    CHECK_FALSE(vocabulary->add_space_prefix());
    CHECK(vocabulary->is_end_of_generation(2));
    CHECK(vocabulary->is_end_of_generation(vocabulary->special().fim_sep));
  }

  TEST_CASE("fill-in-the-middle tokens are known by name, too") {
    const auto vocabulary = changed([](GgufWriter& w) {
      for (const char* key : {"pre", "suf", "mid", "pad", "rep", "sep"}) {
        w.remove_value("tokenizer.ggml.fim_" + std::string(key) + "_token_id");
      }
      change_tokens(w, [](std::vector<std::string>& texts) {
        texts[259] = "<|fim_prefix|>";
        texts[260] = "<fim_suffix>";
        texts[261] = "<\uff5cfim\u2581end\uff5c>";
        texts[262] = "<|file_sep|>";
      });
    });
    REQUIRE(vocabulary);
    CHECK(vocabulary->special().fim_pre == 259);
    CHECK(vocabulary->special().fim_suf == 260);
    CHECK(vocabulary->special().fim_mid == 261);
    CHECK(vocabulary->special().fim_sep == 262);
    CHECK(vocabulary->special().fim_rep == kNoToken);
  }

  TEST_CASE("a file's keys go before known names, and -1 is no token") {
    const auto vocabulary = changed([](GgufWriter& w) {
      change_tokens(w, [](std::vector<std::string>& texts) { texts[264] = "<|fim_prefix|>"; });
      w.remove_value("tokenizer.ggml.fim_suf_token_id");
      w.put<std::uint32_t>("tokenizer.ggml.fim_suf_token_id", 0xffffffff);
      w.remove_value("tokenizer.ggml.eos_token_id");
      w.put<std::int32_t>("tokenizer.ggml.eos_token_id", -1);
    });
    REQUIRE(vocabulary);
    CHECK(vocabulary->special().fim_pre == 259);
    CHECK(vocabulary->special().fim_suf == kNoToken);
    CHECK(vocabulary->special().eos == kNoToken);
  }

  TEST_CASE("what a file does not say is taken as SentencePiece does") {
    const auto vocabulary = changed([](GgufWriter& w) {
      for (const char* key : {"add_bos_token",
                              "add_eos_token",
                              "add_space_prefix",
                              "bos_token_id",
                              "eos_token_id",
                              "unknown_token_id"}) {
        w.remove_value("tokenizer.ggml." + std::string(key));
      }
    });
    REQUIRE(vocabulary);
    CHECK(vocabulary->add_bos());
    CHECK_FALSE(vocabulary->add_eos());
    CHECK(vocabulary->add_space_prefix());
    CHECK(vocabulary->special().bos == 1);
    CHECK(vocabulary->special().eos == 2);
    CHECK(vocabulary->special().unknown == 0);
  }

  TEST_CASE("tokens that are written like control tokens are none of text") {
    const auto vocabulary = changed([](GgufWriter& w) {
      change_tokens(w, [](std::vector<std::string>& texts) {
        texts[380] = "<|assistant|>";
        texts[381] = "<\uff5cUser\uff5c>";
        texts[382] = "<|>";
        texts[383] = "<||>";
      });
    });
    REQUIRE(vocabulary);
    CHECK(vocabulary->kind(380) == TokenKind::kControl);
    CHECK(vocabulary->kind(381) == TokenKind::kControl);
    CHECK(vocabulary->kind(382) == TokenKind::kNormal);
    CHECK(vocabulary->kind(383) == TokenKind::kNormal);
  }

  TEST_CASE("keys that are missing, of a wrong type or contradictory are errors by name") {
    CHECK(refusal([](GgufWriter& w) { w.remove_value("tokenizer.ggml.tokens"); }) ==
          "m.gguf: key 'tokenizer.ggml.tokens' is missing; get a complete model file");
    CHECK(refusal([](GgufWriter& w) { w.remove_value("tokenizer.ggml.scores"); }) ==
          "m.gguf: key 'tokenizer.ggml.scores' is missing; get a complete model file");
    CHECK(refusal([](GgufWriter& w) {
            w.remove_value("tokenizer.ggml.model");
            w.put_string("tokenizer.ggml.model", "gpt2\x1b");
          }) ==
          "m.gguf: key 'tokenizer.ggml.model' names a tokenizer that is not supported yet; "
          "get a model with one of: llama, gpt2");
    CHECK(refusal([](GgufWriter& w) {
            w.remove_value("tokenizer.ggml.token_type");
            const std::vector<std::int32_t> kinds(383, 1);
            w.put_array<std::int32_t>("tokenizer.ggml.token_type", kinds);
          }) ==
          "m.gguf: key 'tokenizer.ggml.token_type' has 383 elements for 384 tokens; get "
          "another copy of the model");
    CHECK(refusal([](GgufWriter& w) {
            w.remove_value("tokenizer.ggml.token_type");
            std::vector<std::int32_t> kinds(384, 1);
            kinds[9] = 257;  // 1 when cut to a byte
            w.put_array<std::int32_t>("tokenizer.ggml.token_type", kinds);
          }) ==
          "m.gguf: key 'tokenizer.ggml.token_type' gives token 9 the type 257; 1 to 6 exist; "
          "get another copy of the model");
    CHECK(refusal([](GgufWriter& w) {
            w.remove_value("tokenizer.ggml.scores");
            const std::vector<float> scores(3, 1);
            w.put_array<float>("tokenizer.ggml.scores", scores);
          }) ==
          "m.gguf: its tokenizer (keys tokenizer.ggml.*) cannot be used: it has 384 tokens, "
          "but 3 scores and 384 kinds");
    CHECK(refusal([](GgufWriter& w) {
            w.remove_value("tokenizer.ggml.eos_token_id");
            w.put<std::uint32_t>("tokenizer.ggml.eos_token_id", 384);
          }) ==
          "m.gguf: key 'tokenizer.ggml.eos_token_id' is 384, but there are only 384 tokens; "
          "get another copy of the model");
    CHECK(refusal([](GgufWriter& w) {
            w.put_string("tokenizer.ggml.eot_token_id", "2");
          }).find("key 'tokenizer.ggml.eot_token_id' must hold an integer") != std::string::npos);
  }

  TEST_CASE("a byte-level vocabulary: merges, rule, and what a silent file means") {
    test::ByteLevelVocabulary parts;
    parts.merge("i", "n");
    const TokenId eos = parts.add("<|endoftext|>", TokenKind::kControl);
    for (const std::string name : {"qwen2", "llama-bpe"}) {
      CAPTURE(name);
      const auto vocabulary = from_keys(parts, name);
      REQUIRE(vocabulary);
      CHECK(vocabulary->tokenizer() == TokenizerKind::kByteLevelBpe);
      CHECK(vocabulary->pre_tokenizer() == find_pre_tokenizer(name)->rule);
      CHECK(vocabulary->merges().size() == 1);
      CHECK(vocabulary->is_end_of_generation(eos));
      CHECK(vocabulary->special().bos == kNoToken);
      CHECK(vocabulary->add_bos() == (name == "llama-bpe"));
      CHECK_FALSE(vocabulary->add_eos());
      CHECK_FALSE(vocabulary->add_space_prefix());
    }
  }

  TEST_CASE("what merging makes is text, however it looks; what it does not is none") {
    test::ByteLevelVocabulary parts;
    parts.merge("<", "s");
    const TokenId made = parts.merge("<s", ">");
    const TokenId named = parts.add("<fim_prefix>");  // marked as text by a bad converter
    const TokenId added = parts.add("</s>", TokenKind::kUserDefined);
    const TokenId think = parts.add("<think>", TokenKind::kUserDefined);
    const TokenId filler = parts.add("[PAD261]", TokenKind::kUserDefined);
    const TokenId bracket = parts.add("[PAD9]", TokenKind::kUserDefined);
    const TokenId turn = parts.add("<start_of_turn>", TokenKind::kUserDefined);
    const auto vocabulary = from_keys(parts, "starcoder");
    REQUIRE(vocabulary);
    CHECK(vocabulary->kind(turn) == TokenKind::kControl);
    CHECK(vocabulary->kind(made) == TokenKind::kNormal);
    CHECK(vocabulary->special().bos == kNoToken);
    CHECK(vocabulary->special().fim_pre == named);
    CHECK(vocabulary->kind(named) == TokenKind::kControl);
    CHECK(vocabulary->kind(added) == TokenKind::kControl);
    CHECK(vocabulary->special().eos == added);
    CHECK(vocabulary->kind(think) == TokenKind::kUserDefined);
    REQUIRE(filler == 261);
    CHECK(vocabulary->kind(filler) == TokenKind::kUnused);
    CHECK(vocabulary->kind(bracket) == TokenKind::kUserDefined);  // not its own number
  }

  TEST_CASE("rules and merges that cannot be used are errors by name") {
    test::ByteLevelVocabulary parts;
    parts.merge("i", "n");
    const auto message = [&](const std::string& rule, const std::vector<std::string>& merges) {
      const auto vocabulary = from_keys(parts, rule, merges);
      return vocabulary ? "" : vocabulary.error().message;
    };
    CHECK(message("qwen2", {"i n"}).empty());
    CHECK(message("qwen99\x1b", {"i n"}) ==
          "m.gguf: key 'tokenizer.ggml.pre' is 'qwen99\\x1b', a rule that is not supported; get a "
          "model "
          "with one of: " +
              pre_tokenizer_names());
    CHECK(
        message("", {"i n"}) ==
        "m.gguf: key 'tokenizer.ggml.pre' is missing, so that nobody knows how the model's text is "
        "cut; get a file that was converted after May 2024");
    for (const char* merge : {"in", "i", "", " ", "i x y", "xx n", "i  n"}) {
      CAPTURE(merge);
      CHECK(message("qwen2", {"i n", merge}) ==
            "m.gguf: key 'tokenizer.ggml.merges' has an element 1 that is not two tokens; get "
            "another "
            "copy of the model");
    }
    CHECK(message("qwen2", {"n i"}) ==
          "m.gguf: its tokenizer (keys tokenizer.ggml.*) cannot be used: merge 0 joins tokens 110 "
          "and 105 to a text that is no token");
  }

  TEST_CASE("published vocabularies give the tokens of their reference vectors") {
    for (const std::string name : {"phi-3", "qwen2", "deepseek-coder"}) {
      CAPTURE(name);
      const auto path = test::shared("tokenizers/ggml-vocab-" + name + ".gguf");
      if (!path) SKIP("no shared test material");
      const Tokenizer tokenizer = open_tokenizer(*path);
      const auto texts = split(read_all(path->string() + ".inp"), "\n__ggml_vocab_test__\n");
      auto lines = split(read_all(path->string() + ".out"), "\n");
      if (lines.back().empty()) lines.pop_back();
      REQUIRE(texts.size() >= lines.size());
      REQUIRE(lines.size() > 40);
      for (std::size_t i = 0; i < lines.size(); ++i) {
        std::istringstream numbers(lines[i]);
        const std::vector<TokenId> expected{std::istream_iterator<TokenId>(numbers), {}};
        CAPTURE(texts[i]);
        CHECK(tokenizer.encode(texts[i]) == expected);
        CHECK(tokenizer.decode(expected) == texts[i]);
      }
      MESSAGE(name << ": " << lines.size() << " vectors of " << texts.size() << " texts");
    }
  }

  TEST_CASE("Phi-3: names of control tokens are text, or tokens that swallow white space") {
    const auto path = test::shared("tokenizers/ggml-vocab-phi-3.gguf");
    if (!path) SKIP("no shared test material");
    const Tokenizer tokenizer = open_tokenizer(*path);
    const Vocabulary& vocabulary = tokenizer.vocabulary();
    CHECK(vocabulary.special().bos == 1);
    CHECK(vocabulary.special().eos == 32'000);
    CHECK(vocabulary.is_end_of_generation(32'007));  // <|end|>
    for (const char* text : {"</s>", "<|end|>", "<|endoftext|>", "<s>", "<|user|>\n"}) {
      for (const TokenId id : tokenizer.encode(text)) {
        CHECK(vocabulary.kind(id) != TokenKind::kControl);
      }
    }
    constexpr EncodeOptions kPrompt = {.ends = TextEnds::kByVocabulary,
                                       .control_names = ControlNames::kTokens};
    // As transformers and llama.cpp have it.
    CHECK(tokenizer.encode("<|user|>\nHi<|end|>\n<|assistant|>\n", kPrompt) ==
          std::vector<TokenId>{1, 32'010, 6324, 32'007, 32'001});
    CHECK(tokenizer.encode("<s>\n", {.control_names = ControlNames::kTokens}) ==
          std::vector<TokenId>{1, 29'871, 13});
  }

  TEST_CASE("Qwen2: BOS and EOS are put by the file's rules, names are tokens on demand alone") {
    const auto path = test::shared("tokenizers/ggml-vocab-qwen2.gguf");
    if (!path) SKIP("no shared test material");
    const Tokenizer tokenizer = open_tokenizer(*path);
    const Vocabulary& vocabulary = tokenizer.vocabulary();
    CHECK_FALSE(vocabulary.add_bos());
    CHECK(vocabulary.is_end_of_generation(151'645));  // <|im_end|>
    CHECK(vocabulary.kind(151'700) == TokenKind::kUnused);
    const std::string prompt = "<|im_start|>user\nHi<|im_end|>\n";
    CHECK(tokenizer.encode(prompt, {.control_names = ControlNames::kTokens}) ==
          std::vector<TokenId>{151'644, 872, 198, 13'048, 151'645, 198});
    const auto as_text = tokenizer.encode(prompt + "[PAD151700]");
    CHECK(std::all_of(as_text.begin(), as_text.end(), [](TokenId id) { return id < 151'643; }));
    CHECK(tokenizer.decode(as_text) == prompt + "[PAD151700]");
    CHECK(tokenizer.decode(tokenizer.encode(prompt, {.control_names = ControlNames::kTokens}),
                           ControlNames::kTokens) == prompt);
  }

  TEST_CASE("DeepSeek-Coder: fill-in-the-middle tokens by name, and bytes without a token") {
    const auto path = test::shared("tokenizers/ggml-vocab-deepseek-coder.gguf");
    if (!path) SKIP("no shared test material");
    const Tokenizer tokenizer = open_tokenizer(*path);
    const Vocabulary& vocabulary = tokenizer.vocabulary();
    CHECK(vocabulary.special().fim_pre == 32'016);
    CHECK(vocabulary.special().fim_suf == 32'015);
    CHECK(vocabulary.special().fim_mid == 32'017);
    CHECK(vocabulary.add_bos());
    CHECK(tokenizer.encode("\u00f5") == std::vector<TokenId>{32'000});  // user-defined
    CHECK(tokenizer.decode(std::vector<TokenId>{32'000}) == "\u00f5");
    // Latin-1: no UTF-8 has these bytes, and this vocabulary has no tokens for the last two.
    const std::string latin1 = "na\xefve \xfc\xf6";
    const auto tokens = tokenizer.encode(latin1);
    CHECK(tokenizer.decode(tokens) == latin1);
    CHECK(vocabulary.kind(tokens.back()) == TokenKind::kUnused);
  }
}

}  // namespace kinglet::inference
