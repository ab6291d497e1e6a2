// Reader of GGUF version 3, the file format of models: typed key/value pairs, then a list of
// tensors, then their numbers, each aligned. Format: github.com/ggml-org/ggml, docs/gguf.md.
//
// Any bytes are read right or refused. A file that opens has: no two keys and no two tensors of one
// name; values whose sizes lie inside the file; tensors of 1 to 4 dimensions, none of them 0, in a
// block format we read (quant/all.cpp), each aligned, inside the file, overlapping no other. What
// the numbers and values mean is the reader's business (vocabulary_from_gguf, model).
//
// A model may lie in parts, NAME-00001-of-00003.gguf and so on, side by side. The path of any of
// them opens all: values are the first part's, tensors those of all parts, each name once, together
// as many as the parts say.
//
// Errors name the file, the key or tensor, and the way out:
//   kNotFound         no such file, or a part of a model is missing
//   kInvalidArgument  not a GGUF file at all
//   kUnsupported      another version, byte order or tensor type
//   kCorrupt          truncated (says so: download it again), self-contradictory, or parts that do
//                     not belong together
// Refusing costs no more memory than twice the header and 16 MiB.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "inference/mapped_file.h"
#include "inference/quant/block_format.h"

namespace kinglet::inference {

/// Types of values, numbered as in the file.
enum class GgufType : std::uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

struct TensorInfo {
  std::string_view name;
  TensorType type = TensorType::kF32;
  std::uint32_t n_dims = 0;
  /// GGUF order: shape[0] is the length of a row, whose numbers lie side by side; unused ones
  /// are 1. A matrix that maps n_in to n_out numbers is {n_in, n_out}.
  std::array<std::uint64_t, 4> shape = {1, 1, 1, 1};
  std::span<const std::byte> data;

  std::uint64_t n_elements() const { return shape[0] * shape[1] * shape[2] * shape[3]; }
  std::uint64_t n_rows() const { return shape[1] * shape[2] * shape[3]; }
  const BlockFormat& format() const { return block_format(type); }
};

/// Immutable once open; its const methods may be called from any thread. All views it hands out
/// point into the file and live as long as the Gguf (moving it keeps them valid).
class Gguf {
 public:
  static Result<Gguf> open(const std::filesystem::path& path);

  /// Reads one file from memory, even if it is a part of a model. `bytes` is borrowed and must
  /// outlive the result. `name` is for errors.
  static Result<Gguf> parse(std::span<const std::byte> bytes, std::string name);

  /// The path or name it was opened under.
  const std::string& name() const { return name_; }
  /// Bytes of the file, of all parts together.
  std::uint64_t n_bytes() const;
  /// Offset of the first tensor's bytes in the (first) file: all before it is header.
  std::uint64_t data_offset() const { return data_offset_; }

  /// The value of a key, or nothing when the file has no such key.
  /// T: bool, std::uint32_t, std::int32_t, std::uint64_t, std::int64_t (any integer type of the
  /// file whose value fits), float, double (either float type), std::string_view.
  /// Error kCorrupt: the value has another type or does not fit T.
  template <class T>
  Result<std::optional<T>> get(std::string_view key) const;
  /// The same, and a missing key is an error (kCorrupt), too.
  template <class T>
  Result<T> require(std::string_view key) const;

  /// The value of a key that holds an array. T: std::uint32_t, std::int32_t (integers of any width
  /// that fit), float, std::string_view.
  template <class T>
  Result<std::optional<std::vector<T>>> get_array(std::string_view key) const;
  template <class T>
  Result<std::vector<T>> require_array(std::string_view key) const;

  bool has(std::string_view key) const { return find_value(key) != nullptr; }

  /// In the order of the file, and of the parts.
  std::span<const TensorInfo> tensors() const { return tensors_; }
  const TensorInfo* find_tensor(std::string_view name) const;

  /// kNumeric when a tensor has a number that is Inf or NaN; names it. Reads all tensors.
  Result<void> check_finite() const;
  /// The same of one tensor.
  Result<void> check_finite(const TensorInfo& tensor) const;

  /// Bytes of a tensor that are read no more, or seldom: see MappedFile::release(). Nothing happens
  /// to bytes that parse() was given.
  void release(std::span<const std::byte> bytes) const;

  /// Bytes of tensors that are read soon: see MappedFile::prefetch(). Likewise.
  void prefetch(std::span<const std::byte> bytes) const;

  /// kIo when the file, or that of a part, changed since open(); always fine for parse().
  Result<void> check_unchanged() const;

 private:
  friend class GgufParser;
  struct Value {
    std::string_view key;
    GgufType type = GgufType::kUint8;
    GgufType element_type = GgufType::kUint8;  // of an array
    std::uint64_t n_elements = 1;              // of an array
    std::span<const std::byte> bytes;          // without type and element count
  };

  static Result<Gguf> open_one(const std::filesystem::path& path);
  /// The whole model that `part` belongs to, if it is one; in gguf_parts.cpp.
  static Result<Gguf> open_whole(Gguf part, const std::filesystem::path& path);
  Result<void> add_part(Gguf part);

  /// Fills all below from bytes_; in gguf_parser.cpp.
  Result<void> read_header();
  /// Fills tensors_by_name_. The result is a name that is there twice, if there is one.
  std::optional<std::string_view> index_names();
  const Value* find_value(std::string_view key) const;
  /// The mapped file that these bytes are of; null when they are of none.
  const MappedFile* file_of(std::span<const std::byte> bytes) const;

  std::string name_;
  std::optional<MappedFile> file_;
  std::span<const std::byte> bytes_;
  std::uint64_t data_offset_ = 0;
  std::vector<Value> values_;  // sorted by key
  std::vector<TensorInfo> tensors_;
  std::vector<std::uint32_t> tensors_by_name_;  // indices into tensors_
  std::vector<Gguf> parts_;                     // beyond the first, whose members are those above
};

}  // namespace kinglet::inference
