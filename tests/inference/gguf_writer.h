// Writes GGUF files for tests: good ones, and each kind of damaged one. Whatever a test wants to
// spoil is a plain member, written as it stands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/gguf.h"

namespace kinglet::test {

using Bytes = std::vector<std::byte>;

class GgufWriter {
 public:
  struct Value {
    std::string key;
    std::uint32_t type;  // as in the file, which need not be a GgufType
    Bytes bytes;         // all that follows the type
  };
  struct Tensor {
    std::string name;
    std::uint32_t type;
    std::vector<std::uint64_t> shape;
    Bytes data;
    std::optional<std::uint64_t> offset;  // else behind the tensor before it
  };

  std::uint32_t magic = 0x46554747;
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;            // used for the layout; the key is the test's business
  std::optional<std::uint64_t> n_values;   // else as many as there are
  std::optional<std::uint64_t> n_tensors;  // likewise
  std::vector<Value> values;
  std::vector<Tensor> tensors;

  /// T: bool, the integer types of 8 to 64 bits, float, double.
  template <class T>
  void put(std::string key, T value);
  void put_string(std::string key, std::string_view value);
  template <class T>
  void put_array(std::string key, std::span<const T> elements);
  void put_strings(std::string key, std::span<const std::string> elements);

  void add(std::string name,
           inference::TensorType type,
           std::vector<std::uint64_t> shape,
           Bytes data);
  /// Quantizes to `type` first.
  void add_floats(std::string name,
                  inference::TensorType type,
                  std::vector<std::uint64_t> shape,
                  std::span<const float> numbers);

  Value& value(std::string_view key);
  Tensor& tensor(std::string_view name);
  void remove_value(std::string_view key);

  Bytes bytes() const;
};

/// The model in three parts, as the field's tools cut one: the keys of the model are in the first.
std::vector<GgufWriter> three_parts(const GgufWriter& whole);
/// What the files of the parts are called.
constexpr const char* kPartNames[] = {
    "m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"};

/// Writes bytes to a file; throws when that fails.
void write_file(const std::string& path, std::span<const std::byte> bytes);

}  // namespace kinglet::test
