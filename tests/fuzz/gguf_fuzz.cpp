#include "tests/fuzz/gguf_fuzz.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "inference/gguf.h"
#include "inference/tokenizer/tokenizer.h"
#include "inference/vocabulary_from_gguf.h"
#include "tests/inference/synthetic_gguf.h"

namespace kinglet::test {
namespace {

using inference::Gguf;
using inference::TensorInfo;

void require(bool promise) {
  if (!promise) std::abort();
}

void use_values(const Gguf& gguf) {
  for (const char* key : {"general.name", "phi3.block_count", "tokenizer.ggml.tokens"}) {
    (void)gguf.get<std::string_view>(key);
    (void)gguf.get<std::uint32_t>(key);
    (void)gguf.get<double>(key);
    (void)gguf.get<bool>(key);
    (void)gguf.get_array<std::string_view>(key);
    (void)gguf.get_array<std::int32_t>(key);
    (void)gguf.get_array<float>(key);
  }
}

void use_tensor(const Gguf& gguf, const TensorInfo& tensor) {
  require(gguf.find_tensor(tensor.name) == &tensor);
  const auto& format = tensor.format();
  require(tensor.data.size() == format.bytes_of(tensor.n_elements()).value());
  // The last row: the end is where a wrong size shows.
  const std::size_t row_bytes = format.bytes_of(tensor.shape[0]).value();
  std::vector<float> row(tensor.shape[0]);
  format.dequantize(tensor.data.last(row_bytes), row);
}

void use_vocabulary(const Gguf& gguf) {
  const auto vocabulary = inference::vocabulary_from_gguf(gguf);
  if (!vocabulary) {
    require(vocabulary.error().message.find(gguf.name()) != std::string::npos);
    return;
  }
  const auto serialized = vocabulary->serialize();
  const auto back = inference::Vocabulary::deserialize(serialized);
  require(back && back->hash() == vocabulary->hash());
  const inference::Tokenizer tokenizer(std::make_shared<const inference::Vocabulary>(*back));
  constexpr std::string_view kText = "int main() {\n  return \u2581\xff</s><|fim_pre|>;\n}";
  const auto tokens = tokenizer.encode(kText);
  require(tokenizer.decode(tokens) == kText);
  for (const inference::TokenId token : tokens) {
    require(back->kind(token) != inference::TokenKind::kControl);
  }
}

SyntheticModel small_model() {
  SyntheticModel model;
  model.hidden = 32;
  model.layers = 1;
  model.heads = 2;
  model.kv_heads = 1;
  model.ffn = 32;
  model.vocab = kMinSyntheticVocab + 15;
  model.context = 64;
  model.original_context = 16;
  model.type = inference::TensorType::kQ4_0;
  model.embedding_type = inference::TensorType::kQ8_0;
  return model;
}

/// Numbers at which sizes and counts go wrong.
std::uint64_t awkward_number(std::mt19937_64& random) {
  constexpr std::uint64_t kNumbers[] = {0,
                                        1,
                                        3,
                                        31,
                                        33,
                                        0x7f,
                                        0xff,
                                        0x7fff'ffff,
                                        0x8000'0000,
                                        0xffff'ffff,
                                        0x1'0000'0000,
                                        0x0fff'ffff'ffff'ffff,
                                        0x4000'0000'0000'0000,
                                        0x7fff'ffff'ffff'ffff,
                                        0x8000'0000'0000'0000,
                                        0xffff'ffff'ffff'ffe0,
                                        0xffff'ffff'ffff'ffff};
  return kNumbers[random() % std::size(kNumbers)] + (random() % 4 == 0 ? random() % 64 : 0);
}

void spoil_field(GgufWriter& writer, std::mt19937_64& random) {
  auto& value = writer.values[random() % writer.values.size()];
  auto& tensor = writer.tensors[random() % writer.tensors.size()];
  switch (random() % 10) {
    case 0:
      writer.n_values = awkward_number(random);
      break;
    case 1:
      writer.n_tensors = awkward_number(random);
      break;
    case 2:
      value.type = static_cast<std::uint32_t>(random() % 15);
      break;
    case 3:
      spoil_bytes(value.bytes, random());
      break;
    case 4:
      value.key = writer.values[random() % writer.values.size()].key;
      break;
    case 5:
      tensor.type = static_cast<std::uint32_t>(random() % 40);
      break;
    case 6:
      tensor.shape.resize(random() % 6, awkward_number(random));
      break;
    case 7:
      if (!tensor.shape.empty()) {
        tensor.shape[random() % tensor.shape.size()] = awkward_number(random);
      }
      break;
    case 8:
      tensor.offset = awkward_number(random) & ~std::uint64_t{random() % 2 == 0 ? 31U : 0U};
      break;
    default:
      tensor.name = writer.tensors[random() % writer.tensors.size()].name;
  }
}

}  // namespace

bool use_gguf(std::span<const std::byte> bytes) {
  const auto gguf = Gguf::parse(bytes, "fuzzed.gguf");
  if (!gguf) {
    require(gguf.error().message.find("fuzzed.gguf") == 0);
    return false;
  }
  use_values(*gguf);
  const TensorInfo* before = nullptr;
  for (const TensorInfo& tensor : gguf->tensors()) {
    use_tensor(*gguf, tensor);
    before = &tensor;
  }
  require(before == nullptr || gguf->data_offset() < gguf->n_bytes());
  use_vocabulary(*gguf);
  return true;
}

Bytes good_gguf() {
  return synthetic_gguf(small_model()).bytes();
}

Bytes spoiled_gguf(std::uint64_t seed) {
  static const GgufWriter kGood = synthetic_gguf(small_model());
  std::mt19937_64 random(seed);
  GgufWriter writer = kGood;
  for (std::uint64_t n = random() % 3 + 1; n > 0; --n)
    spoil_field(writer, random);
  Bytes bytes = writer.bytes();
  if (random() % 3 == 0) spoil_bytes(bytes, random());
  return bytes;
}

void spoil_bytes(Bytes& bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::uint64_t n = random() % 4 + 1; n > 0 && !bytes.empty(); --n) {
    // Three times in four near the front, where the lengths are.
    const std::size_t range =
        random() % 4 == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 4096);
    const std::size_t at = random() % range;
    const std::size_t length = std::min<std::size_t>(random() % 64, bytes.size() - at);
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (random() % 6) {
      case 0:
        bytes[at] ^= static_cast<std::byte>(1U << random() % 8);
        break;
      case 1:
        bytes[at] = static_cast<std::byte>(random());
        break;
      case 2:
      case 3: {
        const std::uint64_t number = awkward_number(random);
        const std::size_t size =
            std::min<std::size_t>(random() % 2 == 0 ? 8 : 4, bytes.size() - at);
        std::memcpy(&bytes[at], &number, size);
        break;
      }
      case 4:
        bytes.erase(begin, begin + static_cast<std::ptrdiff_t>(length));
        break;
      default: {
        const Bytes copy(begin, begin + static_cast<std::ptrdiff_t>(length));
        bytes.insert(begin, copy.begin(), copy.end());
      }
    }
  }
}

}  // namespace kinglet::test
