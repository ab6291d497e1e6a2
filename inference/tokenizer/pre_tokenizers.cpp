#include "inference/tokenizer/pre_tokenizers.h"

#include <array>

namespace kinglet::inference {
namespace {

using Names = std::string_view;
using Pattern = std::string_view;

constexpr Names kGpt2Names[] = {"gpt-2", "phi-2", "mellum", "mpt", "olmo"};
constexpr Names kLlamaBpeNames[] = {"llama-bpe", "llama3", "llama-v3", "falcon3"};
constexpr Names kDbrxNames[] = {"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"};
constexpr Names kQwen2Names[] = {"qwen2", "deepseek-r1-qwen", "stablelm2", "megrez"};
constexpr Names kQwen35Names[] = {"qwen35"};
constexpr Names kGpt4oNames[] = {"gpt-4o", "llama4"};
constexpr Names kTekkenNames[] = {"tekken"};
constexpr Names kStarcoderNames[] = {
    "starcoder", "refact", "command-r", "smollm", "codeshell", "minerva-7b", "mellum2"};
constexpr Names kDeepseekLlmNames[] = {"deepseek-llm"};
constexpr Names kDeepseekCoderNames[] = {"deepseek-coder"};
constexpr Names kDeepseekV3Names[] = {"deepseek-v3"};
constexpr Names kSeedCoderNames[] = {"seed-coder"};
constexpr Names kFalconNames[] = {"falcon"};
constexpr Names kDefaultNames[] = {"default"};

// GPT-2's own, of 2019: English contractions, words, numbers and signs, each with one space before.
constexpr Pattern kGpt2Words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

constexpr Pattern kGpt2[] = {kGpt2Words};

constexpr Pattern kLlamaBpe[] = {
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"};

constexpr Pattern kQwen2[] = {
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"};

constexpr Pattern kQwen35[] = {
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
    R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

constexpr Pattern kGpt4o[] = {
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

constexpr Pattern kTekken[] = {
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

constexpr Pattern kStarcoder[] = {R"(\p{N})", kGpt2Words};

// The fourth is published as \s+$, which is the same but tries each space of a long run anew.
constexpr Pattern kDeepseekLlm[] = {
    R"([\r\n])",
    R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅ)"
    R"(ὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿ)"
    R"(ﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+)",
    R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)",
    R"((?<!\s)\s++\z)",
    R"([一-龥ࠀ-一가-퟿]+)",
    R"(\p{N}+)"};

constexpr Pattern kDeepseekCoder[] = {
    R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", R"([一-龥ࠀ-一가-퟿]+)", R"(\p{N})"};

constexpr Pattern kDeepseekV3[] = {
    R"(\p{N}{1,3})",
    R"([一-龥぀-ゟ゠-ヿ]+)",
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

constexpr Pattern kSeedCoder[] = {
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"};

constexpr Pattern kFalcon[] = {R"([\p{P}\$\+<=>\^~\|`]+)", kGpt2Words, R"([0-9][0-9][0-9])"};

// What files converted before rules had names were given.
constexpr Pattern kDefault[] = {
    R"([\p{P}\$\+<=>\^~\|]+)", kGpt2Words, R"(\p{N}+)", R"([0-9][0-9][0-9])"};

constexpr std::array kRows = {
    PreTokenizerRow{PreTokenizer::kGpt2, kGpt2Names, kGpt2, false, false},
    PreTokenizerRow{PreTokenizer::kLlamaBpe, kLlamaBpeNames, kLlamaBpe, true, true},
    PreTokenizerRow{PreTokenizer::kDbrx, kDbrxNames, kLlamaBpe, false, false},
    PreTokenizerRow{PreTokenizer::kQwen2, kQwen2Names, kQwen2, false, false},
    PreTokenizerRow{PreTokenizer::kQwen35, kQwen35Names, kQwen35, false, false},
    PreTokenizerRow{PreTokenizer::kGpt4o, kGpt4oNames, kGpt4o, false, false},
    PreTokenizerRow{PreTokenizer::kTekken, kTekkenNames, kTekken, true, true},
    PreTokenizerRow{PreTokenizer::kStarcoder, kStarcoderNames, kStarcoder, false, false},
    PreTokenizerRow{PreTokenizer::kDeepseekLlm, kDeepseekLlmNames, kDeepseekLlm, false, false},
    PreTokenizerRow{
        PreTokenizer::kDeepseekCoder, kDeepseekCoderNames, kDeepseekCoder, false, false},
    PreTokenizerRow{PreTokenizer::kDeepseekV3, kDeepseekV3Names, kDeepseekV3, false, false},
    PreTokenizerRow{PreTokenizer::kSeedCoder, kSeedCoderNames, kSeedCoder, false, false},
    PreTokenizerRow{PreTokenizer::kFalcon, kFalconNames, kFalcon, false, false},
    PreTokenizerRow{PreTokenizer::kDefault, kDefaultNames, kDefault, false, false},
};

}  // namespace

std::span<const PreTokenizerRow> pre_tokenizers() {
  return kRows;
}

const PreTokenizerRow* find_pre_tokenizer(PreTokenizer rule) {
  for (const PreTokenizerRow& row : kRows) {
    if (row.rule == rule) return &row;
  }
  return nullptr;
}

const PreTokenizerRow* find_pre_tokenizer(std::string_view gguf_name) {
  for (const PreTokenizerRow& row : kRows) {
    for (const std::string_view name : row.gguf_names) {
      if (name == gguf_name) return &row;
    }
  }
  return nullptr;
}

std::string pre_tokenizer_names() {
  std::string names;
  for (const PreTokenizerRow& row : kRows) {
    for (const std::string_view name : row.gguf_names) {
      if (!names.empty()) names += ", ";
      names += name;
    }
  }
  return names;
}

}  // namespace kinglet::inference
