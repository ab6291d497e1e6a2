#include "inference/vocabulary_from_gguf.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inference/gguf_format.h"
#include "inference/tokenizer/kinds.h"
#include "inference/tokenizer/pre_tokenizers.h"

namespace kinglet::inference {
namespace {

using TokenIds = std::unordered_map<std::string_view, TokenId>;

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

/// Texts that converters write for rows of the embedding that no token uses: "[PAD32022]".
bool is_filler(std::string_view text, std::size_t id) {
  return text == "[PAD" + std::to_string(id) + "]";
}

// Those with bars, "<|end|>", are known by their shape.
constexpr std::string_view kControlNames[] = {
    "<s>",           "</s>",         "<unk>",        "<pad>",           "<bos>",
    "<eos>",         "<mask>",       "<cls>",        "<sep>",           "<start_of_turn>",
    "<end_of_turn>", "[INST]",       "[/INST]",      "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]",
    "<fim_prefix>",  "<fim_suffix>", "<fim_middle>", "<fim_pad>",       "<reponame>",
    "<repo_name>",   "<filename>",   "<file_sep>",   "[PREFIX]",        "[SUFFIX]",
    "[MIDDLE]",
};

/// Texts that are control tokens whatever their kind in the file says: files are known that mark
/// "</s>" or "<|end|>" as text, which would let a source file end the model's turn.
bool looks_like_control(std::string_view text) {
  if (std::find(std::begin(kControlNames), std::end(kControlNames), text) !=
      std::end(kControlNames)) {
    return true;
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

/// Tokens that merging can make are text to the model, whatever they look like: Qwen2's vocabulary
/// has "<s>" as letters and signs.
using MadeByMerging = std::vector<bool>;

Result<std::vector<TokenKind>> read_kinds(const Gguf& gguf,
                                          std::span<const std::string_view> texts,
                                          const MadeByMerging& made_by_merging) {
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
    if (is_text && is_filler(texts[i], i)) kind = TokenKind::kUnused;
    if (is_text && looks_like_control(texts[i]) && !made_by_merging[i]) kind = TokenKind::kControl;
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

Result<void> read_special(const Gguf& gguf,
                          const TokenIds& ids,
                          const MadeByMerging& made_by_merging,
                          VocabularyParts& parts) {
  const auto id_of_first = [&](std::span<const std::string_view> names) {
    for (const std::string_view name : names) {
      const auto found = ids.find(name);
      if (!name.empty() && found != ids.end() &&
          !made_by_merging[static_cast<std::size_t>(found->second)]) {
        return found->second;
      }
    }
    return kNoToken;
  };
  for (const SpecialSource& source : kSources) {
    TokenId& id = parts.special.*source.id;
    id = TRY(read_id(gguf, source.key, parts.texts.size()));
    if (id == kNoToken && !gguf.has(source.key)) id = id_of_first(source.names);
  }
  for (const std::string_view key : kEndKeys) {
    const TokenId id = TRY(read_id(gguf, key, parts.texts.size()));
    if (id != kNoToken) parts.end_of_generation.push_back(id);
  }
  for (const std::string_view name : kEndNames) {
    const TokenId id = id_of_first(std::span(&name, 1));
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

/// The merges "left right" as pairs of tokens.
Result<std::vector<Merge>> read_merges(const Gguf& gguf, const TokenIds& ids) {
  constexpr std::string_view kKey = "tokenizer.ggml.merges";
  const auto lines = TRY(gguf.require_array<std::string_view>(kKey));
  std::vector<Merge> merges;
  merges.reserve(lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t space = lines[i].find(' ', 1);
    const auto left = ids.find(lines[i].substr(0, space));
    const auto right =
        space == std::string_view::npos ? ids.end() : ids.find(lines[i].substr(space + 1));
    if (left == ids.end() || right == ids.end()) {
      return damaged(gguf, kKey, "has an element " + std::to_string(i) + " that is not two tokens");
    }
    merges.push_back({left->second, right->second});
  }
  return merges;
}

MadeByMerging made_by(std::span<const Merge> merges,
                      const TokenIds& ids,
                      std::span<const std::string_view> texts) {
  MadeByMerging made(texts.size());
  std::string joined;
  for (const auto [left, right] : merges) {
    joined.assign(texts[static_cast<std::size_t>(left)])
        .append(texts[static_cast<std::size_t>(right)]);
    const auto id = ids.find(joined);
    if (id != ids.end()) made[static_cast<std::size_t>(id->second)] = true;
  }
  return made;
}

Result<const PreTokenizerRow*> read_pre_tokenizer(const Gguf& gguf) {
  constexpr std::string_view kKey = "tokenizer.ggml.pre";
  const auto name = TRY(gguf.get<std::string_view>(kKey));
  if (!name) {
    return fail(ErrorCode::kUnsupported,
                gguf.name() + ": key '" + std::string(kKey) +
                    "' is missing, so that nobody knows how the model's text is cut; get a file "
                    "that was converted after May 2024");
  }
  const PreTokenizerRow* row = find_pre_tokenizer(*name);
  if (row == nullptr) {
    return fail(
        ErrorCode::kUnsupported,
        gguf.name() + ": key '" + std::string(kKey) + "' is " + quoted(*name) +
            ", a rule that is not supported; get a model with one of: " + pre_tokenizer_names());
  }
  return row;
}

/// Phi-3's and Phi-3.5's control tokens swallow the white space after them, these three aside. No
/// key says so: it stands in the tokenizer.json that the files were converted from.
std::vector<TokenId> tokens_that_strip(const Gguf& gguf, const VocabularyParts& parts) {
  const auto architecture = gguf.get<std::string_view>("general.architecture");
  if (!architecture || *architecture != "phi3" ||
      parts.tokenizer != TokenizerKind::kSentencePieceBpe) {
    return {};
  }
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < parts.texts.size(); ++i) {
    const std::string_view text = parts.texts[i];
    if (parts.kinds[i] != TokenKind::kControl || text == "<unk>" || text == "<s>" ||
        text == "<|endoftext|>") {
      continue;
    }
    tokens.push_back(static_cast<TokenId>(i));
  }
  return tokens;
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
  TokenIds ids;
  ids.reserve(parts.texts.size());
  for (std::size_t i = 0; i < parts.texts.size(); ++i)
    ids.emplace(parts.texts[i], static_cast<TokenId>(i));
  const PreTokenizerRow* pre_tokenizer = nullptr;
  if (row->has_merges) {
    pre_tokenizer = TRY(read_pre_tokenizer(gguf));
    parts.pre_tokenizer = pre_tokenizer->rule;
    parts.merges = TRY(read_merges(gguf, ids));
    parts.scores.assign(parts.texts.size(), 0);
  } else {
    parts.scores = TRY(gguf.require_array<float>("tokenizer.ggml.scores"));
  }
  const MadeByMerging made_by_merging = made_by(parts.merges, ids, parts.texts);
  parts.kinds = TRY(read_kinds(gguf, parts.texts, made_by_merging));
  TRY(read_special(gguf, ids, made_by_merging, parts));
  parts.strip_after = tokens_that_strip(gguf, parts);
  // Where a file is silent: SentencePiece's own defaults, or those of the models with the rule.
  parts.add_bos = TRY(gguf.get<bool>("tokenizer.ggml.add_bos_token"))
                      .value_or(pre_tokenizer == nullptr || pre_tokenizer->add_bos);
  parts.add_eos = TRY(gguf.get<bool>("tokenizer.ggml.add_eos_token")).value_or(false);
  if (!row->has_merges) {
    parts.add_space_prefix = TRY(gguf.get<bool>("tokenizer.ggml.add_space_prefix")).value_or(true);
  }

  auto vocabulary = Vocabulary::create(parts);
  if (!vocabulary) {
    return fail(vocabulary.error().code,
                gguf.name() + ": its tokenizer (keys tokenizer.ggml.*) cannot be used: " +
                    vocabulary.error().message);
  }
  return vocabulary;
}

}  // namespace kinglet::inference
