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

constexpr Pattern kDeepseekAsian = R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)";

// The letters of the second are Latin, Greek, Cyrillic and their kin, by number: several look like
// others. The fourth is published as \s+$, which is the same but tries each space of a run.
constexpr Pattern kDeepseekLlm[] = {
    R"([\r\n])",
    R"(\s?[A-Za-z)"
    R"(\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293})"
    R"(\x{295}-\x{2af}\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386})"
    R"(\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1}\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f})"
    R"(\x{531}-\x{556}\x{10a0}-\x{10c5}\x{13a0}-\x{13f5}\x{13f8}-\x{13fd}\x{1c90}-\x{1cba})"
    R"(\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15})"
    R"(\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b})"
    R"(\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4})"
    R"(\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4})"
    R"(\x{1ff6}-\x{1ffc}\x{2102}\x{2107}\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d}\x{2124})"
    R"(\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139}\x{213c}-\x{213f})"
    R"(\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4})"
    R"(\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d}\x{a680}-\x{a69b}\x{a722}-\x{a76f})"
    R"(\x{a771}-\x{a787}\x{a78b}-\x{a78e}\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17})"
    R"(\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10400}-\x{1044f}\x{104b0}-\x{104d3})"
    R"(\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df})"
    R"(\x{1e900}-\x{1e943})"
    R"(]+)",
    R"(\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3000}-\x{3002}]+)",
    R"((?<!\s)\s++\z)",
    kDeepseekAsian,
    R"(\p{N}+)"};

constexpr Pattern kDeepseekCoder[] = {
    R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kDeepseekAsian, R"(\p{N})"};

constexpr Pattern kDeepseekV3[] = {
    R"(\p{N}{1,3})",
    R"([\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)",
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
