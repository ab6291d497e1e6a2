#include "tests/fuzz/gguf_mutations.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "inference/gguf_format.h"

namespace kinglet::test {
namespace {

using inference::GgufType;
using Random = std::mt19937_64;

constexpr auto kString = static_cast<std::uint32_t>(GgufType::kString);
constexpr auto kArray = static_cast<std::uint32_t>(GgufType::kArray);

std::uint64_t scalar_bytes(std::uint32_t type) {
  return inference::scalar_bytes(GgufType{type});
}

/// Numbers at which sizes and counts go wrong.
std::uint64_t awkward_number(Random& random) {
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

/// Floats at which arithmetic goes wrong: Inf, NaN, subnormal, huge.
std::uint32_t awkward_float(Random& random) {
  constexpr std::uint32_t kFloats[] = {
      0x7f800000, 0xff800000, 0x7fc00000, 0x7fa00001, 0x00000001, 0x7f7fffff, 0x80000000};
  return kFloats[random() % std::size(kFloats)];
}

/// Reads from the front; everything is nothing after the first thing that is not there.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : rest_(bytes) {}

  std::span<const std::byte> take(std::uint64_t n) {
    if (n > rest_.size()) good_ = false;
    if (!good_) return {};
    const auto taken = rest_.first(n);
    rest_ = rest_.subspan(n);
    return taken;
  }
  template <class T>
  T number() {
    T value = {};
    const auto bytes = take(sizeof(T));
    if (good_) std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
  std::string text() { return std::string(inference::as_text(take(number<std::uint64_t>()))); }

  bool good() const { return good_; }
  std::span<const std::byte> rest() const { return rest_; }

 private:
  std::span<const std::byte> rest_;
  bool good_ = true;
};

/// All that follows a value's type.
Bytes take_value(Cursor& cursor, std::uint32_t type) {
  const std::byte* begin = cursor.rest().data();
  if (type == kString) {
    cursor.text();
  } else if (type == kArray) {
    const auto element = cursor.number<std::uint32_t>();
    const auto n = cursor.number<std::uint64_t>();
    if (element == kString) {
      for (std::uint64_t i = 0; i < n && cursor.good(); ++i)
        cursor.text();
    } else {
      const std::uint64_t bytes = scalar_bytes(element);
      cursor.take(bytes != 0 && n <= cursor.rest().size() / bytes ? n * bytes : ~std::uint64_t{0});
    }
  } else {
    cursor.take(scalar_bytes(type));
  }
  return cursor.good() ? Bytes(begin, cursor.rest().data()) : Bytes{};
}

/// Where the elements of an array value begin, and where the last one ends.
std::vector<std::size_t> element_places(const GgufWriter::Value& value) {
  Cursor cursor(value.bytes);
  const auto type = cursor.number<std::uint32_t>();
  const auto n = cursor.number<std::uint64_t>();
  std::vector<std::size_t> places;
  const auto mark = [&] { places.push_back(value.bytes.size() - cursor.rest().size()); };
  if (cursor.good()) mark();
  for (std::uint64_t i = 0; i < n && cursor.good(); ++i) {
    if (type == kString) {
      cursor.text();
    } else {
      cursor.take(scalar_bytes(type));
    }
    if (cursor.good() && scalar_bytes(type) + (type == kString) != 0) mark();
    if (places.size() <= i) break;
  }
  return places;
}

void put_number(Bytes& bytes, std::size_t at, std::uint64_t number, std::size_t width) {
  if (at >= bytes.size()) return;
  std::memcpy(&bytes[at], &number, std::min({width, sizeof(number), bytes.size() - at}));
}

void spoil_array(GgufWriter::Value& value, Random& random) {
  const auto places = element_places(value);
  if (places.size() < 2) return spoil_bytes(value.bytes, random());
  const std::uint64_t n = places.size() - 1;
  const std::size_t i = random() % n;
  const auto begin = value.bytes.begin() + static_cast<std::ptrdiff_t>(places[i]);
  const auto end = value.bytes.begin() + static_cast<std::ptrdiff_t>(places[i + 1]);
  switch (random() % 6) {
    case 0:
      put_number(value.bytes, 4, awkward_number(random), 8);
      break;
    case 1:
      put_number(value.bytes, 0, random() % 15, 4);
      break;
    case 2:  // one fewer, consistently
      value.bytes.erase(begin, end);
      put_number(value.bytes, 4, n - 1, 8);
      break;
    case 3: {  // one twice, consistently
      const Bytes copy(begin, end);
      value.bytes.insert(begin, copy.begin(), copy.end());
      put_number(value.bytes, 4, n + 1, 8);
      break;
    }
    case 4:  // of a string: its length
      put_number(value.bytes, places[i], awkward_number(random), places[i + 1] - places[i]);
      break;
    default:
      put_number(value.bytes, places[i], awkward_float(random), places[i + 1] - places[i]);
  }
}

void spoil_value(GgufWriter& file, Random& random) {
  // Keys that mean something, of which a file may lack some.
  constexpr const char* kKeys[] = {"general.alignment",
                                   "general.architecture",
                                   "split.count",
                                   "split.no",
                                   "tokenizer.ggml.bos_token_id",
                                   "tokenizer.ggml.model",
                                   "tokenizer.ggml.pre",
                                   "phi3.attention.sliding_window",
                                   "llama.attention.key_length",
                                   "gemma2.attn_logit_softcapping",
                                   "qwen2.rope.scaling.type"};
  const std::size_t i = random() % file.values.size();
  GgufWriter::Value& value = file.values[i];
  switch (random() % 8) {
    case 0:
      value.type = static_cast<std::uint32_t>(random() % 15);
      break;
    case 1:
      spoil_bytes(value.bytes, random());
      break;
    case 2:
      value.key = file.values[random() % file.values.size()].key;
      break;
    case 3:
      value.key = kKeys[random() % std::size(kKeys)];
      break;
    case 4:
      file.values.erase(file.values.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    default:
      if (value.type == kArray) return spoil_array(value, random);
      put_number(value.bytes,
                 0,
                 random() % 4 == 0 ? awkward_float(random) : awkward_number(random),
                 value.type == kString ? 8 : value.bytes.size());
  }
}

void spoil_tensor(GgufWriter& file, Random& random) {
  const std::size_t i = random() % file.tensors.size();
  GgufWriter::Tensor& tensor = file.tensors[i];
  GgufWriter::Tensor& other = file.tensors[random() % file.tensors.size()];
  switch (random() % 9) {
    case 0:
      tensor.type = static_cast<std::uint32_t>(random() % 40);
      break;
    case 1:
      tensor.shape.resize(random() % 6, awkward_number(random));
      break;
    case 2:
      if (!tensor.shape.empty()) {
        tensor.shape[random() % tensor.shape.size()] = awkward_number(random);
      }
      break;
    case 3:
      tensor.offset = awkward_number(random) & ~std::uint64_t{random() % 2 == 0 ? 31U : 0U};
      break;
    case 4:
      tensor.name = other.name;
      break;
    case 5:
      std::swap(tensor.name, other.name);
      break;
    case 6:
      file.tensors.erase(file.tensors.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    case 7:  // numbers that are none
      put_number(tensor.data,
                 random() % (tensor.data.size() + 1) / 2 * 2,
                 random() % 2 == 0 ? awkward_float(random) : 0x7c007c00,
                 4);
      break;
    default: {  // another block format, with as many bytes as it asks for
      const auto formats = inference::block_formats();
      const auto& format = *formats[random() % formats.size()];
      std::uint64_t n = 1;
      for (const std::uint64_t length : tensor.shape)
        n = n <= (1 << 20) ? n * std::min<std::uint64_t>(length, 1 << 20) : n;
      const auto bytes = format.bytes_of(n);
      if (!bytes || *bytes > (1 << 20)) break;
      tensor.type = static_cast<std::uint32_t>(format.type);
      tensor.data.resize(*bytes, static_cast<std::byte>(random()));
    }
  }
}

}  // namespace

std::optional<GgufWriter> read_layout(std::span<const std::byte> bytes) {
  constexpr std::uint64_t kMost = 1 << 16;
  Cursor cursor(bytes);
  GgufWriter file;
  file.magic = cursor.number<std::uint32_t>();
  file.version = cursor.number<std::uint32_t>();
  const auto n_tensors = cursor.number<std::uint64_t>();
  const auto n_values = cursor.number<std::uint64_t>();
  for (std::uint64_t i = 0; i < std::min(n_values, kMost) && cursor.good(); ++i) {
    std::string key = cursor.text();
    const auto type = cursor.number<std::uint32_t>();
    file.values.push_back({std::move(key), type, take_value(cursor, type)});
  }
  std::vector<std::uint64_t> offsets;
  for (std::uint64_t i = 0; i < std::min(n_tensors, kMost) && cursor.good(); ++i) {
    GgufWriter::Tensor& tensor = file.tensors.emplace_back();
    tensor.name = cursor.text();
    const auto n_dims = cursor.number<std::uint32_t>();
    for (std::uint32_t d = 0; d < std::min(n_dims, 8U); ++d)
      tensor.shape.push_back(cursor.number<std::uint64_t>());
    tensor.type = cursor.number<std::uint32_t>();
    offsets.push_back(cursor.number<std::uint64_t>());
  }
  if (!cursor.good()) return std::nullopt;
  const std::uint64_t header = bytes.size() - cursor.rest().size();
  const std::uint64_t base = (header + file.alignment - 1) / file.alignment * file.alignment;
  // As much data as lies before the next tensor's offset: what a good file's tensors have.
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const std::uint64_t size = bytes.size() - std::min<std::uint64_t>(base, bytes.size());
    const std::uint64_t begin = std::min(offsets[i], size);
    const std::uint64_t end = i + 1 < offsets.size() ? std::min(offsets[i + 1], size) : size;
    if (begin < end) {
      const auto data = bytes.subspan(base + begin, end - begin);
      file.tensors[i].data.assign(data.begin(), data.end());
    }
  }
  return file;
}

void spoil_layout(GgufWriter& file, std::uint64_t seed) {
  Random random(seed);
  for (std::uint64_t n = random() % 3 + 1; n > 0; --n) {
    const std::uint64_t what = random() % 16;
    if (what == 0) {
      file.n_values = awkward_number(random);
    } else if (what == 1) {
      file.n_tensors = awkward_number(random);
    } else if (what == 2) {
      (random() % 2 == 0 ? file.magic : file.version) ^= 1U << random() % 32;
    } else if (what < 10 || file.tensors.empty()) {
      if (!file.values.empty()) spoil_value(file, random);
    } else {
      spoil_tensor(file, random);
    }
  }
}

void spoil_bytes(Bytes& bytes, std::uint64_t seed) {
  Random random(seed);
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
      case 3:
        put_number(bytes, at, awkward_number(random), random() % 2 == 0 ? 8 : 4);
        break;
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

void spoil_gguf(Bytes& bytes, std::uint64_t seed) {
  auto layout = read_layout(bytes);
  if (layout) {
    spoil_layout(*layout, seed);
    bytes = layout->bytes();
  }
  if (!layout || seed % 3 == 0) spoil_bytes(bytes, seed);
}

}  // namespace kinglet::test
