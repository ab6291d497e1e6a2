// Seeded models of any architecture and shape, as GGUF files: small enough for tests, complete
// enough to load and generate. One seed and shape give the same bytes on every machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inference/quant/block_format.h"
#include "tests/inference/gguf_writer.h"

namespace kinglet::test {

struct SyntheticModel {
  std::string architecture = "phi3";
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
  /// 0: the context. Less: the model was stretched, as rope_scaling says, by context /
  /// original_context.
  std::uint32_t original_context = 0;
  /// "linear", "yarn", "llama3" (rope_freqs.weight) or "longrope" (long and short factors, the long
  /// ones for sequences beyond the original context; phi3 alone). Empty: what the architecture has,
  /// longrope for phi3 and linear for others.
  std::string rope_scaling = {};
  float rope_base = 10'000;
  float rms_epsilon = 1e-5F;
  std::uint32_t sliding_window = 0;  // 0: the file does not say
  bool optional_biases = false;      // of llama and granite
  bool tied = false;                 // the token embedding is the output matrix, too
  bool add_bos = true;
  bool add_space_prefix = false;
  /// Of all matrices; norms and rope factors are always F32. hidden, heads * head_dim and
  /// ffn must be whole numbers of its blocks.
  inference::TensorType type = inference::TensorType::kF32;
  /// Of token_embd and output, where it differs.
  std::optional<inference::TensorType> embedding_type = std::nullopt;
  /// "Q4_K_M" or "Q5_K_M": the types of the matrices are those that the field's tools choose.
  std::string mix = {};
};

/// 3 specials, 256 bytes, 6 fill-in-the-middle tokens.
constexpr std::uint32_t kMinSyntheticVocab = 265;

/// Ids in every synthetic vocabulary: <unk> 0, <s> 1, </s> 2, bytes from 3, then the
/// fill-in-the-middle tokens pre, suf, mid, pad, rep, sep.
constexpr std::int32_t kSyntheticFirstByte = 3;
constexpr std::int32_t kSyntheticFimPre = 259;

/// A tensor before its numbers are made: rows of normally distributed ones.
struct SyntheticTensor {
  /// Rows that are distributed alike.
  struct Part {
    std::uint64_t n_rows;
    double mean;
    double deviation;
  };
  std::string name;
  inference::TensorType type;
  std::uint64_t n_columns = 0;
  std::vector<Part> parts = {};
  std::vector<float> numbers = {};  // where they are not random

  std::uint64_t n_rows() const;
  /// In GGUF order; vectors have one dimension.
  std::vector<std::uint64_t> shape() const;
  /// (n_rows, n_columns) of the rows from first_row on. A row's numbers depend on the seed, the
  /// tensor's name and the row alone.
  std::vector<float> rows(std::uint64_t seed, std::uint64_t first_row, std::uint64_t n_rows) const;
};

/// The file's keys without its vocabulary. Throws std::invalid_argument when the shape is
/// impossible.
GgufWriter synthetic_keys(const SyntheticModel& model);
/// The vocabulary's keys.
void put_synthetic_vocabulary(GgufWriter& writer, const SyntheticModel& model);
/// In the order of the file. Matrices are N(0, 1) / sqrt(n_in) (1.5 times that for queries and
/// keys), the embedding N(0, 1) (less where the model scales it up), norms 1 + 0.1 N(0, 1), biases
/// 0.3 N(0, 1).
std::vector<SyntheticTensor> synthetic_tensors(const SyntheticModel& model);

/// The whole file, open to damage.
GgufWriter synthetic_gguf(const SyntheticModel& model);

/// Writes it; a test's path is its own business.
void write_synthetic_gguf(const SyntheticModel& model, const std::string& path);

}  // namespace kinglet::test
