// Seeded phi3 models of any shape, as GGUF files: small enough for tests, complete enough to load
// and generate. One seed and shape give the same bytes on every machine.
#pragma once

#include <cstdint>
#include <string>

#include "inference/quant/block_format.h"
#include "tests/inference/gguf_writer.h"

namespace kinglet::test {

struct SyntheticModel {
  std::uint64_t seed = 1;
  std::uint32_t hidden = 128;
  std::uint32_t layers = 2;
  std::uint32_t heads = 4;
  std::uint32_t kv_heads = 2;
  std::uint32_t head_dim = 0;  // 0: hidden / heads
  std::uint32_t rope_dim = 0;  // 0: head_dim; less is partial rotary
  std::uint32_t ffn = 256;
  std::uint32_t vocab = 384;  // at least kMinSyntheticVocab
  std::uint32_t context = 2048;
  /// 0: the context. Less: long and short rope factors come with the model, and long ones count
  /// beyond this many tokens.
  std::uint32_t original_context = 0;
  float rope_base = 10'000;
  float rms_epsilon = 1e-5F;
  bool tied = false;  // the token embedding is the output matrix, too
  bool add_bos = true;
  bool add_space_prefix = false;
  /// Of all matrices; norms and rope factors are always F32. hidden, heads * head_dim and
  /// ffn must be whole numbers of its blocks.
  inference::TensorType type = inference::TensorType::kF32;
  /// Of token_embd and output, where it differs.
  std::optional<inference::TensorType> embedding_type = std::nullopt;
};

/// 3 specials, 256 bytes, 6 fill-in-the-middle tokens.
constexpr std::uint32_t kMinSyntheticVocab = 265;

/// Ids in every synthetic vocabulary: <unk> 0, <s> 1, </s> 2, bytes from 3, then the
/// fill-in-the-middle tokens pre, suf, mid, pad, rep, sep.
constexpr std::int32_t kSyntheticFirstByte = 3;
constexpr std::int32_t kSyntheticFimPre = 259;

/// The whole file, open to damage. Throws std::invalid_argument when the shape is impossible.
/// Matrices are N(0, 1) / sqrt(n_in) (1.5 times that for queries and keys), the embedding N(0, 1),
/// norms 1 + 0.1 N(0, 1).
GgufWriter synthetic_gguf(const SyntheticModel& model);

/// Writes it; a test's path is its own business.
void write_synthetic_gguf(const SyntheticModel& model, const std::string& path);

}  // namespace kinglet::test
