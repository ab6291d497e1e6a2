// The rules by which byte-level BPE models cut text into pieces before merging: one row each. A
// model file names its rule (tokenizer.ggml.pre); merging by another rule gives other tokens than
// the model was trained on, and no error ever tells.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kinglet::inference {

/// In serialized vocabularies: the numbers may not change.
enum class PreTokenizer : std::uint8_t {
  kNone = 0,
  kGpt2 = 1,
  kLlamaBpe = 2,
  kDbrx = 3,
  kQwen2 = 4,
  kQwen35 = 5,
  kGpt4o = 6,
  kTekken = 7,
  kStarcoder = 8,
  kDeepseekLlm = 9,
  kDeepseekCoder = 10,
  kDeepseekV3 = 11,
  kSeedCoder = 12,
  kFalcon = 13,
  kDefault = 14,
};

struct PreTokenizerRow {
  PreTokenizer rule;
  std::span<const std::string_view> gguf_names;  // values of tokenizer.ggml.pre
  /// Regular expressions as the models publish them, UTF-8. The first cuts the text into its
  /// matches and what lies between them; each next one cuts all these pieces in the same way.
  std::span<const std::string_view> patterns;
  /// A piece that is a token as it stands is that token, whatever merging would make of it.
  bool whole_pieces;
  bool add_bos;  // where the model file does not say
};

std::span<const PreTokenizerRow> pre_tokenizers();

/// nullptr for a number or name without a row.
const PreTokenizerRow* find_pre_tokenizer(PreTokenizer rule);
const PreTokenizerRow* find_pre_tokenizer(std::string_view gguf_name);

/// All names, for messages: "a, b, c".
std::string pre_tokenizer_names();

}  // namespace kinglet::inference
