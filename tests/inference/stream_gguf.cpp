#include "tests/inference/stream_gguf.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

namespace kinglet::test {

namespace {

constexpr std::uint64_t kAlignment = 32;
constexpr std::uint64_t kManyElements = std::uint64_t{1} << 28;
constexpr std::uint64_t kFewElements = std::uint64_t{1} << 18;

std::uint64_t aligned(std::uint64_t n) {
  return (n + kAlignment - 1) / kAlignment * kAlignment;
}

/// Walks the keys of a GGUF file as they lie in it.
class RawKeys {
 public:
  explicit RawKeys(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto bytes = std::as_bytes(std::span(text));
    bytes_.assign(bytes.begin(), bytes.end());
    at_ = 16;
    n_left_ = take<std::uint64_t>();
  }

  std::optional<GgufWriter::Value> next() {
    if (n_left_ == 0) return std::nullopt;
    --n_left_;
    GgufWriter::Value value;
    value.key = take_string();
    value.type = take<std::uint32_t>();
    const std::size_t begin = at_;
    skip(value.type);
    value.bytes.assign(bytes_.begin() + static_cast<std::ptrdiff_t>(begin),
                       bytes_.begin() + static_cast<std::ptrdiff_t>(at_));
    return value;
  }

 private:
  template <class T>
  T take() {
    T value = 0;
    if (at_ + sizeof(T) > bytes_.size()) throw std::runtime_error("a vocabulary file cut short");
    std::memcpy(&value, &bytes_[at_], sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  std::string take_string() {
    const auto n = take<std::uint64_t>();
    if (n > bytes_.size() - at_) throw std::runtime_error("a vocabulary file cut short");
    at_ += n;
    return {reinterpret_cast<const char*>(&bytes_[at_ - n]), n};
  }

  void skip(std::uint32_t type) {
    using inference::GgufType;
    switch (static_cast<GgufType>(type)) {
      case GgufType::kString:
        take_string();
        return;
      case GgufType::kArray: {
        const auto element = take<std::uint32_t>();
        for (auto n = take<std::uint64_t>(); n > 0; --n)
          skip(element);
        return;
      }
      case GgufType::kUint8:
      case GgufType::kInt8:
      case GgufType::kBool:
        take<std::uint8_t>();
        return;
      case GgufType::kUint16:
      case GgufType::kInt16:
        take<std::uint16_t>();
        return;
      case GgufType::kUint32:
      case GgufType::kInt32:
      case GgufType::kFloat32:
        take<std::uint32_t>();
        return;
      case GgufType::kUint64:
      case GgufType::kInt64:
      case GgufType::kFloat64:
        take<std::uint64_t>();
        return;
    }
    throw std::runtime_error("a vocabulary file with a value of an unknown type");
  }

  Bytes bytes_;
  std::size_t at_ = 0;
  std::uint64_t n_left_ = 0;
};

std::vector<GgufWriter::Value> vocabulary_of(const std::filesystem::path& path,
                                             std::uint32_t& n_tokens) {
  std::vector<GgufWriter::Value> values;
  RawKeys keys(path);
  while (std::optional<GgufWriter::Value> value = keys.next()) {
    if (!value->key.starts_with("tokenizer.")) continue;
    if (value->key == "tokenizer.ggml.tokens") {
      std::uint64_t n = 0;  // behind the elements' type
      std::memcpy(&n, value->bytes.data() + 4, sizeof(n));
      n_tokens = static_cast<std::uint32_t>(n);
    }
    values.push_back(std::move(*value));
  }
  if (n_tokens == 0) throw std::runtime_error(path.string() + " has no vocabulary");
  return values;
}

/// Calls body(begin, end) for parts of [0, n), each on a thread of its own.
template <class Body>
void in_parallel(std::uint64_t n, const Body& body) {
  const std::uint64_t n_threads = std::max(std::thread::hardware_concurrency(), 1U);
  const std::uint64_t share = (n + n_threads - 1) / n_threads;
  std::vector<std::jthread> threads;
  for (std::uint64_t begin = 0; begin < n; begin += share) {
    threads.emplace_back([&body, begin, end = std::min(begin + share, n)] { body(begin, end); });
  }
}

class TensorWriter {
 public:
  TensorWriter(const SyntheticTensor& tensor, std::uint64_t seed, std::uint64_t n_random)
      : tensor_(tensor),
        format_(inference::block_format(tensor.type)),
        seed_(seed),
        n_random_rows_(std::max<std::uint64_t>(n_random / tensor.n_columns, 1)),
        row_bytes_(format_.bytes_of(tensor.n_columns).value()),
        bytes_(row_bytes_ * tensor.n_rows()) {}

  Bytes write() {
    if (tensor_.parts.empty()) random_rows(0, 1);
    std::uint64_t begin = 0;
    for (const SyntheticTensor::Part& part : tensor_.parts) {
      const std::uint64_t n = std::min(part.n_rows, n_random_rows_);
      in_parallel(
          n, [&](std::uint64_t from, std::uint64_t to) { random_rows(begin + from, begin + to); });
      for (std::uint64_t row = n; row < part.n_rows; ++row)
        copy_row(begin, n, begin + row);
      begin += part.n_rows;
    }
    return std::move(bytes_);
  }

 private:
  void random_rows(std::uint64_t begin, std::uint64_t end) {
    for (std::uint64_t row = begin; row < end; ++row) {
      const std::vector<float> numbers = tensor_.rows(seed_, row, 1);
      format_.quantize(numbers, std::span(bytes_).subspan(row * row_bytes_, row_bytes_));
    }
  }

  /// One of the n rows from `first` on, turned by whole blocks.
  void copy_row(std::uint64_t first, std::uint64_t n, std::uint64_t row) {
    const std::uint64_t random = (row + seed_) * 0x9e3779b97f4a7c15;
    const std::uint64_t from = (first + (random >> 40) % n) * row_bytes_;
    const std::uint64_t n_blocks = tensor_.n_columns / format_.block_elements;
    const std::uint64_t turned = (random >> 8 & 0xffffffff) % n_blocks * format_.block_bytes;
    std::byte* to = &bytes_[row * row_bytes_];
    std::memcpy(to, &bytes_[from + turned], row_bytes_ - turned);
    std::memcpy(to + row_bytes_ - turned, &bytes_[from], turned);
  }

  const SyntheticTensor& tensor_;
  const inference::BlockFormat& format_;
  std::uint64_t seed_;
  std::uint64_t n_random_rows_;
  std::uint64_t row_bytes_;
  Bytes bytes_;
};

}  // namespace

std::uint64_t stream_gguf(const StreamedGguf& gguf, const std::filesystem::path& path) {
  SyntheticModel model = gguf.model;
  std::vector<GgufWriter::Value> vocabulary;
  if (gguf.vocabulary_from) {
    std::uint32_t n_tokens = 0;
    vocabulary = vocabulary_of(*gguf.vocabulary_from, n_tokens);
    if (model.vocab == 0) model.vocab = n_tokens;
    if (model.vocab < n_tokens) {
      throw std::invalid_argument("the vocabulary has " + std::to_string(n_tokens) + " tokens");
    }
  }
  GgufWriter header = synthetic_keys(model);
  if (gguf.vocabulary_from) {
    for (GgufWriter::Value& value : vocabulary)
      header.values.push_back(std::move(value));
  } else {
    put_synthetic_vocabulary(header, model);
  }
  const std::vector<SyntheticTensor> tensors = synthetic_tensors(model);
  std::uint64_t n_elements = 0;
  std::uint64_t n_bytes = 0;
  for (const SyntheticTensor& tensor : tensors) {
    const auto size = inference::block_format(tensor.type).bytes_of(tensor.n_columns);
    if (!size) throw std::invalid_argument(tensor.name + ": its rows are no whole blocks");
    header.add(tensor.name, tensor.type, tensor.shape(), {});
    header.tensors.back().offset = n_bytes;
    n_bytes += aligned(*size * tensor.n_rows());
    n_elements += tensor.n_columns * tensor.n_rows();
  }
  const std::uint64_t n_random =
      gguf.n_random_elements.value_or(n_elements > kManyElements ? kFewElements : kManyElements);

  std::ofstream file(path, std::ios::binary);
  const auto write = [&](Bytes bytes) {
    bytes.resize(aligned(bytes.size()));
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  };
  write(header.bytes());
  for (const SyntheticTensor& tensor : tensors) {
    if (gguf.hollow && tensor.numbers.empty()) {
      const auto size = inference::block_format(tensor.type).bytes_of(tensor.n_columns).value();
      file.seekp(static_cast<std::streamoff>(aligned(size * tensor.n_rows())), std::ios::cur);
    } else {
      write(TensorWriter(tensor, model.seed, n_random).write());
    }
  }
  const auto n_written = static_cast<std::uint64_t>(file.tellp());
  file.close();
  if (file && gguf.hollow) std::filesystem::resize_file(path, n_written);
  if (!file) throw std::runtime_error("cannot write " + path.string());
  return n_written;
}

}  // namespace kinglet::test
