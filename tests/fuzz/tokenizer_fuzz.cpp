// Two fuzz targets. "tokenizer": a model file that holds a vocabulary, and a text for it (the last
// four bytes are the text's length). "vocabulary": the bytes by which the engine hands a vocabulary
// to the broker.
#include "tests/fuzz/tokenizer_fuzz.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "inference/gguf.h"
#include "inference/gguf_format.h"
#include "inference/tokenizer/token_trie.h"
#include "inference/tokenizer/tokenizer.h"
#include "inference/vocabulary_from_gguf.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/gguf_mutations.h"
#include "tests/fuzz/text_mutations.h"
#include "tests/inference/tokenizer/test_vocabulary.h"

namespace kinglet::test {
namespace {

using inference::TokenId;
using inference::Tokenizer;
using inference::TokenKind;
using inference::Vocabulary;

/// Some byte-level vocabularies cannot spell every byte (byte_level_bpe.h); what they spell they
/// give back.
bool spells_all_bytes(const Tokenizer& tokenizer) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    if (tokenizer.decode(tokenizer.encode(text)) != text) return false;
  }
  return true;
}

void use_text(const Tokenizer& tokenizer, std::string_view text, bool must_return) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  const std::vector<TokenId> tokens = tokenizer.encode(text);
  // A byte that cannot be spelled is written as U+FFFD.
  require(tokens.size() <= 3 * text.size() + 3, "a byte takes few tokens");
  std::string pieces;
  for (const TokenId token : tokens) {
    require(vocabulary.contains(token), "tokens are of the vocabulary");
    require(vocabulary.kind(token) != TokenKind::kControl, "text never becomes a control token");
    require(!vocabulary.is_end_of_generation(token), "text never becomes an end of generation");
    tokenizer.append_piece(token, pieces);
  }
  const std::string back = tokenizer.decode(tokens);
  require(pieces.ends_with(back) && pieces.size() <= back.size() + 1,
          "pieces together are the text, but for a prefixed space");
  if (must_return) require(back == text, "decode(encode(text)) is the text");
  for (const auto names : {inference::ControlNames::kText, inference::ControlNames::kTokens}) {
    const auto whole = tokenizer.encode(text,
                                        {.space_prefix = inference::SpacePrefix::kNever,
                                         .ends = inference::TextEnds::kByVocabulary,
                                         .control_names = names});
    for (const TokenId token : whole)
      require(vocabulary.contains(token), "tokens are of the vocabulary");
    (void)tokenizer.decode(whole, names);
  }
  // Ids that are none are nothing.
  const std::vector<TokenId> strange = {
      -1, static_cast<TokenId>(vocabulary.size()), std::numeric_limits<TokenId>::max()};
  require(tokenizer.decode(strange).empty(), "ids outside the vocabulary are no text");
}

void use_trie(const Tokenizer& tokenizer) {
  const inference::TokenTrie trie(tokenizer);
  for (TokenId id = 0; tokenizer.vocabulary().contains(id); ++id) {
    const std::string_view text = trie.text(id);
    if (text.empty()) continue;
    const auto node = trie.find(text);
    require(node.has_value(), "the trie has each token's text");
    const auto tokens = trie.tokens_at(*node);
    require(std::find(tokens.begin(), tokens.end(), id) != tokens.end(),
            "the trie has each token at its text");
  }
}

GgufWriter vocabulary_file(std::uint64_t seed) {
  GgufWriter file;
  file.put_string("general.architecture", "llama");
  file.put<bool>("tokenizer.ggml.add_bos_token", seed % 2 == 0);
  if (seed % 3 == 0) {
    const TestVocabulary words = code_vocabulary();
    file.put_string("tokenizer.ggml.model", "llama");
    file.put<bool>("tokenizer.ggml.add_space_prefix", seed % 4 < 2);
    file.put_strings("tokenizer.ggml.tokens", words.texts);
    file.put_array<float>("tokenizer.ggml.scores", words.scores);
    std::vector<std::int32_t> kinds;
    for (std::size_t i = 0; i < words.kinds.size(); ++i) {
      // Some are matched in text before all others, some are never made.
      const bool is_word = words.kinds[i] == TokenKind::kNormal;
      kinds.push_back(
          is_word && seed % 5 == 1 && i % 7 == 0
              ? static_cast<int>(i % 2 == 0 ? TokenKind::kUserDefined : TokenKind::kUnused)
              : static_cast<int>(words.kinds[i]));
    }
    file.put_array<std::int32_t>("tokenizer.ggml.token_type", kinds);
  } else {
    ByteLevelVocabulary words;
    for (const char* word : {"return", " the", "    ", "int", "don't", "123", "\n\n", "ä"})
      words.add_word(word);
    words.add("<|endoftext|>", TokenKind::kControl);
    words.add("<|user|>", TokenKind::kUserDefined);
    const auto rules = inference::pre_tokenizers();
    file.put_string("tokenizer.ggml.model", "gpt2");
    file.put_string("tokenizer.ggml.pre", rules[seed / 3 % rules.size()].gguf_names.front());
    file.put_strings("tokenizer.ggml.tokens", words.texts);
    std::vector<std::int32_t> kinds;
    for (const TokenKind kind : words.kinds)
      kinds.push_back(static_cast<std::int32_t>(kind));
    file.put_array<std::int32_t>("tokenizer.ggml.token_type", kinds);
    std::vector<std::string> merges;
    for (const inference::Merge& merge : words.options.merges) {
      merges.push_back(words.texts[static_cast<std::size_t>(merge.left)] + " " +
                       words.texts[static_cast<std::size_t>(merge.right)]);
    }
    file.put_strings("tokenizer.ggml.merges", merges);
    file.put<std::uint32_t>("tokenizer.ggml.eos_token_id",
                            static_cast<std::uint32_t>(words.texts.size() - 2));
  }
  return file;
}

constexpr std::string_view kTexts[] = {
    "int main() {\n  return 0;\n}\n",
    "don't \tstop 12345 \u00e4\u00e4\u4e2d\u6587 <|endoftext|></s><s>\r\n\r\n   x",
    "",
    "\xff\xfe\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
constexpr std::string_view kWords[] = {
    " ",    "\n",       "\r\n",          "\t",     "\u2581",   "\u3000",       "\u200b",
    "'s",   "'LL",      "999",           "\u0661", "\u01c5",   "e\u0301",      "\U0001f600",
    "</s>", "<|user|>", "<|endoftext|>", "<0x0A>", "\xf0\x9f", "\xed\xa0\x80", "_",
    "A",    "_a1"};

struct Input {
  Bytes file;
  std::string text;
};

Input split(std::span<const std::byte> bytes) {
  std::uint32_t n_text = 0;
  if (bytes.size() >= sizeof n_text) {
    std::memcpy(&n_text, bytes.data() + bytes.size() - sizeof n_text, sizeof n_text);
    bytes = bytes.first(bytes.size() - sizeof n_text);
  }
  n_text = static_cast<std::uint32_t>(std::min<std::size_t>(n_text, bytes.size()));
  const auto file = bytes.first(bytes.size() - n_text);
  return {Bytes(file.begin(), file.end()), std::string(inference::as_text(bytes.last(n_text)))};
}

Bytes join(const Input& input) {
  Bytes bytes = input.file;
  const auto text = std::as_bytes(std::span(input.text));
  bytes.insert(bytes.end(), text.begin(), text.end());
  const auto n_text = static_cast<std::uint32_t>(input.text.size());
  const auto length = std::as_bytes(std::span(&n_text, 1));
  bytes.insert(bytes.end(), length.begin(), length.end());
  return bytes;
}

bool use_tokenizer(std::span<const std::byte> bytes) {
  const Input input = split(bytes);
  const auto gguf = inference::Gguf::parse(input.file, "fuzzed.gguf");
  if (!gguf) return false;
  const auto vocabulary = inference::vocabulary_from_gguf(*gguf);
  if (!vocabulary) {
    require(vocabulary.error().message.find("fuzzed.gguf: ") == 0 &&
                vocabulary.error().message.size() < 2000,
            "a refusal names the file, in reasonable words");
    return false;
  }
  use_vocabulary(*vocabulary, input.text);
  return true;
}

Bytes good_tokenizer(std::uint64_t seed) {
  return join({vocabulary_file(seed).bytes(), std::string(kTexts[seed / 7 % std::size(kTexts)])});
}

void spoil_tokenizer(Bytes& bytes, std::uint64_t seed) {
  Input input = split(bytes);
  if (seed % 4 != 0) spoil_text(input.text, seed, kWords);
  if (seed % 4 < 2) spoil_gguf(input.file, seed);
  bytes = join(input);
}

bool use_serialized(std::span<const std::byte> bytes) {
  const auto vocabulary = Vocabulary::deserialize(bytes);
  if (!vocabulary) {
    require(!vocabulary.error().message.empty(), "a refusal says why");
    return false;
  }
  use_vocabulary(*vocabulary, kTexts[bytes.size() % std::size(kTexts)]);
  return true;
}

Bytes good_serialized(std::uint64_t seed) {
  const Bytes file = vocabulary_file(seed).bytes();
  const auto gguf = inference::Gguf::parse(file, "good.gguf");
  return inference::vocabulary_from_gguf(gguf.value()).value().serialize();
}

}  // namespace

void use_vocabulary(const Vocabulary& vocabulary, std::string_view text) {
  const auto serialized = vocabulary.serialize();
  const auto back = Vocabulary::deserialize(serialized);
  require(back.has_value(), "a vocabulary survives its serialization");
  require(back->hash() == vocabulary.hash(), "a vocabulary keeps its hash");
  const Tokenizer tokenizer(std::make_shared<const Vocabulary>(*back));
  const bool must_return = back->tokenizer() == inference::TokenizerKind::kSentencePieceBpe ||
                           spells_all_bytes(tokenizer);
  use_text(tokenizer, text, must_return);
  use_trie(tokenizer);
}

extern const FuzzTarget kTokenizerFuzz;
const FuzzTarget kTokenizerFuzz = {
    .name = "tokenizer",
    .use = use_tokenizer,
    .good = good_tokenizer,
    .spoil = spoil_tokenizer,
    .most_bytes = std::size_t{32} << 20,
    .bytes_per_byte = 64,
};

extern const FuzzTarget kVocabularyFuzz;
const FuzzTarget kVocabularyFuzz = {
    .name = "vocabulary",
    .use = use_serialized,
    .good = good_serialized,
    .spoil = spoil_bytes,
    .most_bytes = std::size_t{32} << 20,
    .bytes_per_byte = 64,
};

}  // namespace kinglet::test
