// Gguf::read_header(): the untrusted half of the reader. Everything here is about refusing.
#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include "inference/gguf.h"
#include "inference/gguf_format.h"

namespace kinglet::inference {
namespace {

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr std::uint32_t kVersion = 3;

// Far above any real file (the largest have 2,000 tensors and 150,000 tokens), and low enough that
// what is allocated before a file is refused stays small.
constexpr std::uint64_t kMaxValues = 65'536;
constexpr std::uint64_t kMaxTensors = 65'536;
constexpr std::uint64_t kMaxKeyBytes = 65'535;     // by the format
constexpr std::uint64_t kMaxTensorNameBytes = 64;  // by the format
constexpr std::uint64_t kMaxStringBytes = 16 << 20;
constexpr std::uint64_t kMaxArrayElements = 1 << 26;
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kMinAlignment = 8;
constexpr std::uint64_t kMaxAlignment = 4096;

// The fewest bytes one of them takes: no count may promise more of them than there are bytes left.
constexpr std::uint64_t kMinValueBytes = 8 + 1 + 4 + 1;           // key, type, value
constexpr std::uint64_t kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // name, dimensions, type, offset

std::string readable_formats() {
  std::string list;
  for (const BlockFormat* format : block_formats()) {
    if (!list.empty()) list += ", ";
    list += format->name;
  }
  return list;
}

}  // namespace

/// Reads the header from front to back. `where_` names what is being read, for errors.
class GgufParser {
 public:
  explicit GgufParser(Gguf& gguf) : gguf_(gguf), bytes_(gguf.bytes_) {}

  Result<void> parse() {
    TRY(read_preamble());
    TRY(read_values());
    TRY(read_alignment());
    TRY(read_tensors());
    return check_overlaps();
  }

 private:
  template <class T>
  Result<T> read() {
    const auto bytes = TRY(take(sizeof(T)));
    return load<T>(bytes.data());
  }

  Result<std::span<const std::byte>> take(std::uint64_t n) {
    if (n > left()) return truncated(n);
    const auto bytes = bytes_.subspan(position_, n);
    position_ += n;
    return bytes;
  }

  Result<std::string_view> read_string(std::uint64_t max_bytes) {
    const auto n = TRY(read<std::uint64_t>());
    if (n > max_bytes) {
      return corrupt("has a string of " + std::to_string(n) + " bytes; at most " +
                     std::to_string(max_bytes) + " are possible");
    }
    return as_text(TRY(take(n)));
  }

  Result<void> read_preamble() {
    where_ = "the header";
    if (bytes_.size() < 4 || load<std::uint32_t>(bytes_.data()) != kMagic) {
      return fail(ErrorCode::kInvalidArgument,
                  gguf_.name_ +
                      " is not a GGUF file (it does not begin with 'GGUF'); give a model "
                      "in GGUF format");
    }
    position_ = 4;
    const auto version = TRY(read<std::uint32_t>());
    if (version != kVersion) {
      const bool swapped = version != 0 && __builtin_bswap32(version) <= kVersion;
      return fail(
          ErrorCode::kUnsupported,
          gguf_.name_ + " is " +
              (swapped ? "a big-endian GGUF file" : "GGUF version " + std::to_string(version)) +
              "; only little-endian version 3 is read: convert it with current tools");
    }
    n_tensors_ = TRY(read<std::uint64_t>());
    n_values_ = TRY(read<std::uint64_t>());
    TRY(check_count("tensors", n_tensors_, kMaxTensors, kMinTensorBytes));
    return check_count("key/value pairs", n_values_, kMaxValues, kMinValueBytes);
  }

  Result<void> read_values() {
    gguf_.values_.reserve(n_values_);
    for (std::uint64_t i = 0; i < n_values_; ++i) {
      where_ = "key number " + std::to_string(i);
      Gguf::Value value;
      value.key = TRY(read_string(kMaxKeyBytes));
      if (value.key.empty()) return corrupt("has no name");
      where_ = "key " + quoted(value.key);
      value.type = GgufType{TRY(read<std::uint32_t>())};
      TRY(read_value(value));
      gguf_.values_.push_back(value);
    }
    std::sort(gguf_.values_.begin(), gguf_.values_.end(), [](const auto& a, const auto& b) {
      return a.key < b.key;
    });
    const auto twin = std::adjacent_find(
        gguf_.values_.begin(), gguf_.values_.end(), [](const auto& a, const auto& b) {
          return a.key == b.key;
        });
    if (twin == gguf_.values_.end()) return {};
    where_ = "key " + quoted(twin->key);
    return corrupt("is there twice");
  }

  /// Reads what follows the type; value.type may be anything.
  Result<void> read_value(Gguf::Value& value) {
    if (value.type == GgufType::kString) {
      const auto text = TRY(read_string(kMaxStringBytes));
      value.bytes = std::as_bytes(std::span(text));
      return {};
    }
    if (value.type == GgufType::kArray) return read_array(value);
    const std::uint64_t n_bytes = scalar_bytes(value.type);
    if (n_bytes == 0) return unknown_type(value.type);
    value.bytes = TRY(take(n_bytes));
    return value.type == GgufType::kBool ? check_bools(value.bytes) : Result<void>{};
  }

  Result<void> read_array(Gguf::Value& value) {
    value.element_type = GgufType{TRY(read<std::uint32_t>())};
    value.n_elements = TRY(read<std::uint64_t>());
    const std::uint64_t start = position_;
    if (value.element_type == GgufType::kString) {
      TRY(check_count("elements", value.n_elements, kMaxArrayElements, 8));
      for (std::uint64_t i = 0; i < value.n_elements; ++i)
        TRY(read_string(kMaxStringBytes));
      value.bytes = bytes_.subspan(start, position_ - start);
      return {};
    }
    if (value.element_type == GgufType::kArray) {
      return fail(ErrorCode::kUnsupported,
                  at() + " is an array of arrays, which no model we know of has");
    }
    const std::uint64_t element_bytes = scalar_bytes(value.element_type);
    if (element_bytes == 0) return unknown_type(value.element_type);
    TRY(check_count("elements", value.n_elements, kMaxArrayElements, element_bytes));
    value.bytes = TRY(take(value.n_elements * element_bytes));
    return value.element_type == GgufType::kBool ? check_bools(value.bytes) : Result<void>{};
  }

  Result<void> check_bools(std::span<const std::byte> bytes) {
    const bool good =
        std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b <= std::byte{1}; });
    return good ? Result<void>{} : corrupt("has a bool that is neither 0 nor 1");
  }

  Result<void> read_alignment() {
    where_ = "key 'general.alignment'";
    alignment_ = TRY(gguf_.get<std::uint64_t>("general.alignment")).value_or(kDefaultAlignment);
    if (alignment_ < kMinAlignment || alignment_ > kMaxAlignment ||
        !std::has_single_bit(alignment_)) {
      return corrupt("is " + std::to_string(alignment_) + "; it must be a power of two from 8 to " +
                     std::to_string(kMaxAlignment));
    }
    return {};
  }

  Result<void> read_tensors() {
    // The infos end where the data begins, so offsets are kept until all are read.
    std::vector<std::uint64_t> offsets;
    offsets.reserve(n_tensors_);
    gguf_.tensors_.reserve(n_tensors_);
    for (std::uint64_t i = 0; i < n_tensors_; ++i) {
      where_ = "tensor number " + std::to_string(i);
      TensorInfo tensor;
      tensor.name = TRY(read_string(kMaxTensorNameBytes));
      if (tensor.name.empty()) return corrupt("has no name");
      where_ = "tensor " + quoted(tensor.name);
      TRY(read_shape(tensor));
      TRY(read_type(tensor));
      offsets.push_back(TRY(read<std::uint64_t>()));
      gguf_.tensors_.push_back(tensor);
    }
    // A file without tensors (a vocabulary alone) may end before its padding does.
    const std::uint64_t rounded = (position_ + alignment_ - 1) / alignment_ * alignment_;
    gguf_.data_offset_ = std::min<std::uint64_t>(rounded, bytes_.size());
    for (std::size_t i = 0; i < offsets.size(); ++i)
      TRY(place(gguf_.tensors_[i], rounded, offsets[i]));
    return index_names();
  }

  Result<void> read_shape(TensorInfo& tensor) {
    tensor.n_dims = TRY(read<std::uint32_t>());
    if (tensor.n_dims < 1 || tensor.n_dims > tensor.shape.size()) {
      return corrupt("has " + std::to_string(tensor.n_dims) + " dimensions; 1 to 4 are possible");
    }
    std::uint64_t n_elements = 1;
    for (std::uint32_t i = 0; i < tensor.n_dims; ++i) {
      tensor.shape[i] = TRY(read<std::uint64_t>());
      if (tensor.shape[i] == 0 ||
          __builtin_mul_overflow(n_elements, tensor.shape[i], &n_elements)) {
        return corrupt("has an impossible dimension: " + std::to_string(tensor.shape[i]));
      }
    }
    return {};
  }

  Result<void> read_type(TensorInfo& tensor) {
    const auto number = TRY(read<std::uint32_t>());
    const BlockFormat* format = find_block_format(number);
    if (format == nullptr) {
      return fail(ErrorCode::kUnsupported,
                  at() + " has type " + tensor_type_name(number) +
                      ", which is not supported yet; get the model in one of " +
                      readable_formats());
    }
    tensor.type = format->type;
    if (tensor.shape[0] % format->block_elements != 0) {
      return corrupt("has rows of " + std::to_string(tensor.shape[0]) + " numbers, but " +
                     std::string(format->name) + " stores them by " +
                     std::to_string(format->block_elements));
    }
    return {};
  }

  /// Sets tensor.data from the offset that the file gives, relative to `base`.
  Result<void> place(TensorInfo& tensor, std::uint64_t base, std::uint64_t offset) {
    where_ = "tensor " + quoted(tensor.name);
    if (offset % alignment_ != 0) {
      return corrupt("lies at offset " + std::to_string(offset) +
                     ", no multiple of the alignment " + std::to_string(alignment_));
    }
    const auto n_bytes = tensor.format().bytes_of(tensor.n_elements());
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    if (!n_bytes || __builtin_add_overflow(base, offset, &begin) ||
        __builtin_add_overflow(begin, *n_bytes, &end)) {
      return corrupt("is larger than any file");
    }
    if (end > bytes_.size()) {
      return fail(ErrorCode::kCorrupt,
                  gguf_.name_ + " is truncated: " + where_ + " needs bytes " +
                      std::to_string(begin) + ".." + std::to_string(end) + ", the file has " +
                      std::to_string(bytes_.size()) + "; download it again");
    }
    tensor.data = bytes_.subspan(begin, *n_bytes);
    return {};
  }

  Result<void> index_names() {
    const auto twin = gguf_.index_names();
    if (!twin) return {};
    where_ = "tensor " + quoted(*twin);
    return corrupt("is there twice");
  }

  Result<void> check_overlaps() {
    std::vector<std::uint32_t> order(gguf_.tensors_.size());
    std::iota(order.begin(), order.end(), 0);
    const auto& tensors = gguf_.tensors_;
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return tensors[a].data.data() < tensors[b].data.data();
    });
    for (std::size_t i = 1; i < order.size(); ++i) {
      const TensorInfo& before = tensors[order[i - 1]];
      const TensorInfo& after = tensors[order[i]];
      if (before.data.data() + before.data.size() > after.data.data()) {
        where_ = "tensor " + quoted(after.name);
        return corrupt("overlaps tensor " + quoted(before.name));
      }
    }
    return {};
  }

  /// No count is believed that the bytes left could not hold.
  Result<void> check_count(const char* what,
                           std::uint64_t n,
                           std::uint64_t max,
                           std::uint64_t min_bytes) {
    if (n > max) {
      return corrupt("promises " + std::to_string(n) + " " + what + "; at most " +
                     std::to_string(max) + " are possible");
    }
    if (n > left() / min_bytes) return truncated(n * min_bytes);
    return {};
  }

  std::uint64_t left() const { return bytes_.size() - position_; }

  std::string at() const { return gguf_.name_ + ": " + where_; }

  tl::unexpected<Error> corrupt(const std::string& what) const {
    return fail(ErrorCode::kCorrupt,
                at() + " " + what + ": the file is damaged; download it again");
  }

  tl::unexpected<Error> unknown_type(GgufType type) const {
    return corrupt("has a value of type number " +
                   std::to_string(static_cast<std::uint32_t>(type)) + ", which does not exist");
  }

  tl::unexpected<Error> truncated(std::uint64_t n_bytes) const {
    return fail(ErrorCode::kCorrupt,
                gguf_.name_ + " is truncated: " + where_ + " needs bytes " +
                    std::to_string(position_) + ".." + std::to_string(position_ + n_bytes) +
                    " at least, the file has " + std::to_string(bytes_.size()) +
                    "; download it again");
  }

  Gguf& gguf_;
  std::span<const std::byte> bytes_;
  std::uint64_t position_ = 0;
  std::uint64_t n_values_ = 0;
  std::uint64_t n_tensors_ = 0;
  std::uint64_t alignment_ = kDefaultAlignment;
  std::string where_;
};

Result<void> Gguf::read_header() {
  return GgufParser(*this).parse();
}

}  // namespace kinglet::inference
