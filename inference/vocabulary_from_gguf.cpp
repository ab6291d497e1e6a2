#include "inference/vocabulary_from_gguf.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/tokenizer/kinds.h"

namespace kinglet::inference {
namespace {

/// Where a special token comes from: a key, else the first of these names that is a token. Up to
/// seven names; empty ones end the list.
struct SpecialSource {
  TokenId SpecialTokens::*id;
  std::string_view key;
  std::array<std::string_view, 7> names;
};

constexpr SpecialSource kSources[] = {
    {&SpecialTokens::bos, "tokenizer.ggml.bos_token_id", {"<s>"}},
    {&SpecialTokens::eos, "tokenizer.ggml.eos_token_id", {"</s>"}},
    {&SpecialTokens::unknown, "tokenizer.ggml.unknown_token_id", {"<unk>"}},
    {&SpecialTokens::padding, "tokenizer.ggml.padding_token_id", {}},
    {&SpecialTokens::fim_pre,
     "tokenizer.ggml.fim_pre_token_id",
     {"<|fim_prefix|>",
      "<fim-prefix>",
      "<fim_prefix>",
      "<\uff5cfim\u2581begin\uff5c>",
      "<PRE>",
      "\u2581<PRE>",
      "<|code_prefix|>"}},
    {&SpecialTokens::fim_suf,
     "tokenizer.ggml.fim_suf_token_id",
     {"<|fim_suffix|>",
      "<fim-suffix>",
      "<fim_suffix>",
      "<\uff5cfim\u2581hole\uff5c>",
      "<SUF>",
      "\u2581<SUF>",
      "<|code_suffix|>"}},
    {&SpecialTokens::fim_mid,
     "tokenizer.ggml.fim_mid_token_id",
     {"<|fim_middle|>",
      "<fim-middle>",
      "<fim_middle>",
      "<\uff5cfim\u2581end\uff5c>",
      "<MID>",
      "\u2581<MID>",
      "<|code_middle|>"}},
    {&SpecialTokens::fim_pad,
     "tokenizer.ggml.fim_pad_token_id",
     {"<|fim_pad|>", "<fim-pad>", "<fim_pad>"}},
    {&SpecialTokens::fim_rep,
     "tokenizer.ggml.fim_rep_token_id",
     {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<repo_name>", "<reponame>", "<REPO>"}},
    {&SpecialTokens::fim_sep, "tokenizer.ggml.fim_sep_token_id", {"<|file_sep|>", "<file_sep>"}},
};

constexpr std::string_view kEndKeys[] = {"tokenizer.ggml.eot_token_id",
                                         "tokenizer.ggml.eom_token_id"};

// Files name one end token, models use several: Phi-3 ends a turn with <|end|>, a text with
// <|endoftext|>.
constexpr std::string_view kEndNames[] = {"<|end|>",
                                          "<|endoftext|>",
                                          "<|im_end|>",
                                          "<|eot_id|>",
                                          "<|eom_id|>",
                                          "<|end_of_text|>",
                                          "<end_of_turn>",
                                          "<EOT>",
                                          "\u2581<EOT>",
                                          "<\uff5cend\u2581of\u2581sentence\uff5c>"};

/// Texts that are control tokens whatever their kind in the file says: files are known that mark
/// "</s>" or "<|end|>" as text, which would let a source file end the model's turn.
bool looks_like_control(std::string_view text) {
  for (const std::string_view name :
       {"<s>", "</s>", "<unk>", "<pad>", "<bos>", "<eos>", "<mask>", "<cls>", "<sep>"}) {
    if (text == name) return true;
  }
  const auto is_name = [](std::string_view inside) {
    return !inside.empty() && std::all_of(inside.begin(), inside.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '-' || static_cast<unsigned char>(c) >= 0x80;
    });
  };
  for (const std::string_view bar : {"|", "\uff5c"}) {
    const std::size_t n = 1 + bar.size();
    if (text.size() > 2 * n && text.front() == '<' && text.back() == '>' &&
        text.substr(1, bar.size()) == bar && text.substr(text.size() - n, bar.size()) == bar &&
        is_name(text.substr(n, text.size() - 2 * n))) {
      return true;
    }
  }
  return false;
}

tl::unexpected<Error> damaged(const Gguf& gguf, std::string_view key, const std::string& what) {
  return fail(
      ErrorCode::kCorrupt,
      gguf.name() + ": key '" + std::string(key) + "' " + what + "; get another copy of the model");
}

Result<std::vector<TokenKind>> read_kinds(const Gguf& gguf,
                                          std::span<const std::string_view> texts) {
  constexpr std::string_view kKey = "tokenizer.ggml.token_type";
  const auto numbers = TRY(gguf.require_array<std::int32_t>(kKey));
  if (numbers.size() != texts.size()) {
    return damaged(gguf,
                   kKey,
                   "has " + std::to_string(numbers.size()) + " elements for " +
                       std::to_string(texts.size()) + " tokens");
  }
  std::vector<TokenKind> kinds;
  kinds.reserve(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] < static_cast<int>(TokenKind::kNormal) ||
        numbers[i] > static_cast<int>(TokenKind::kByte)) {
      return damaged(gguf,
                     kKey,
                     "gives token " + std::to_string(i) + " the type " +
                         std::to_string(numbers[i]) + "; 1 to 6 exist");
    }
    auto kind = static_cast<TokenKind>(numbers[i]);
    const bool is_text = kind == TokenKind::kNormal || kind == TokenKind::kUserDefined;
    if (is_text && looks_like_control(texts[i])) kind = TokenKind::kControl;
    kinds.push_back(kind);
  }
  return kinds;
}

/// The id under a key, kNoToken without it; in range.
Result<TokenId> read_id(const Gguf& gguf, std::string_view key, std::size_t n_tokens) {
  const auto id = TRY(gguf.get<std::int64_t>(key));
  if (!id || *id == -1 || *id == 0xffffffff) return kNoToken;  // both are written for "none"
  if (*id < 0 || static_cast<std::uint64_t>(*id) >= n_tokens) {
    return damaged(gguf,
                   key,
                   "is " + std::to_string(*id) + ", but there are only " +
                       std::to_string(n_tokens) + " tokens");
  }
  return static_cast<TokenId>(*id);
}

TokenId id_of_first(std::span<const std::string_view> names,
                    std::span<const std::string_view> texts) {
  for (const std::string_view name : names) {
    if (name.empty()) continue;
    const auto found = std::find(texts.begin(), texts.end(), name);
    if (found != texts.end()) return static_cast<TokenId>(found - texts.begin());
  }
  return kNoToken;
}

Result<void> read_special(const Gguf& gguf, VocabularyParts& parts) {
  for (const SpecialSource& source : kSources) {
    TokenId& id = parts.special.*source.id;
    id = TRY(read_id(gguf, source.key, parts.texts.size()));
    if (id == kNoToken && !gguf.has(source.key)) id = id_of_first(source.names, parts.texts);
  }
  for (const std::string_view key : kEndKeys) {
    const TokenId id = TRY(read_id(gguf, key, parts.texts.size()));
    if (id != kNoToken) parts.end_of_generation.push_back(id);
  }
  for (const std::string_view name : kEndNames) {
    const TokenId id = id_of_first(std::span(&name, 1), parts.texts);
    if (id != kNoToken) parts.end_of_generation.push_back(id);
  }
  // A model that writes one of these has finished its part: what follows is another file.
  for (const auto fim : {&SpecialTokens::fim_pre,
                         &SpecialTokens::fim_suf,
                         &SpecialTokens::fim_mid,
                         &SpecialTokens::fim_pad,
                         &SpecialTokens::fim_rep,
                         &SpecialTokens::fim_sep}) {
    if (parts.special.*fim != kNoToken) parts.end_of_generation.push_back(parts.special.*fim);
  }
  return {};
}

std::string kinds_we_have() {
  std::string list;
  for (const TokenizerKindRow& row : tokenizer_kinds()) {
    if (!list.empty()) list += ", ";
    list += row.gguf_name;
  }
  return list;
}

}  // namespace

Result<Vocabulary> vocabulary_from_gguf(const Gguf& gguf) {
  const auto model = TRY(gguf.require<std::string_view>("tokenizer.ggml.model"));
  const TokenizerKindRow* row = find_tokenizer_kind(model);
  if (row == nullptr) {
    return fail(ErrorCode::kUnsupported,
                gguf.name() +
                    ": key 'tokenizer.ggml.model' names a tokenizer that is not "
                    "supported yet; get a model with one of: " +
                    kinds_we_have());
  }
  VocabularyParts parts;
  parts.tokenizer = row->kind;
  parts.texts = TRY(gguf.require_array<std::string_view>("tokenizer.ggml.tokens"));
  parts.scores = TRY(gguf.require_array<float>("tokenizer.ggml.scores"));
  parts.kinds = TRY(read_kinds(gguf, parts.texts));
  TRY(read_special(gguf, parts));
  // SentencePiece's own defaults, where a file is silent.
  parts.add_bos = TRY(gguf.get<bool>("tokenizer.ggml.add_bos_token")).value_or(true);
  parts.add_eos = TRY(gguf.get<bool>("tokenizer.ggml.add_eos_token")).value_or(false);
  parts.add_space_prefix = TRY(gguf.get<bool>("tokenizer.ggml.add_space_prefix")).value_or(true);

  auto vocabulary = Vocabulary::create(parts);
  if (!vocabulary) {
    return fail(vocabulary.error().code,
                gguf.name() + ": its tokenizer (keys tokenizer.ggml.*) cannot be used: " +
                    vocabulary.error().message);
  }
  return vocabulary;
}

}  // namespace kinglet::inference
