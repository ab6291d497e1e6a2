#include "inference/gguf.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <type_traits>
#include <utility>

#include "inference/gguf_format.h"

namespace kinglet::inference {

Result<Gguf> Gguf::open(const std::filesystem::path& path) {
  return open_whole(TRY(open_one(path)), path);
}

Result<Gguf> Gguf::open_one(const std::filesystem::path& path) {
  Gguf gguf;
  gguf.name_ = path.string();
  gguf.file_ = TRY(MappedFile::open(path));
  gguf.bytes_ = gguf.file_->bytes();
  TRY(gguf.read_header());
  return gguf;
}

Result<Gguf> Gguf::parse(std::span<const std::byte> bytes, std::string name) {
  Gguf gguf;
  gguf.name_ = std::move(name);
  gguf.bytes_ = bytes;
  TRY(gguf.read_header());
  return gguf;
}

const Gguf::Value* Gguf::find_value(std::string_view key) const {
  const auto found = std::lower_bound(
      values_.begin(), values_.end(), key, [](const Value& value, std::string_view k) {
        return value.key < k;
      });
  return found != values_.end() && found->key == key ? &*found : nullptr;
}

const TensorInfo* Gguf::find_tensor(std::string_view name) const {
  const auto found = std::lower_bound(
      tensors_by_name_.begin(),
      tensors_by_name_.end(),
      name,
      [this](std::uint32_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
  if (found == tensors_by_name_.end() || tensors_[*found].name != name) return nullptr;
  return &tensors_[*found];
}

std::optional<std::string_view> Gguf::index_names() {
  auto& order = tensors_by_name_;
  order.resize(tensors_.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) {
    return tensors_[a].name < tensors_[b].name;
  });
  const auto twin =
      std::adjacent_find(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) {
        return tensors_[a].name == tensors_[b].name;
      });
  if (twin == order.end()) return std::nullopt;
  return tensors_[*twin].name;
}

std::uint64_t Gguf::n_bytes() const {
  std::uint64_t sum = bytes_.size();
  for (const Gguf& part : parts_)
    sum += part.n_bytes();
  return sum;
}

Result<void> Gguf::check_finite() const {
  for (const TensorInfo& tensor : tensors_)
    TRY(check_finite(tensor));
  return {};
}

Result<void> Gguf::check_finite(const TensorInfo& tensor) const {
  if (tensor.format().all_finite(tensor.data)) return {};
  return fail(ErrorCode::kNumeric,
              name_ + ": tensor " + quoted(tensor.name) +
                  " has numbers that are infinite or none (NaN): the file is damaged; download it "
                  "again");
}

const MappedFile* Gguf::file_of(std::span<const std::byte> bytes) const {
  const std::span<const std::byte> mapped = file_ ? file_->bytes() : std::span<const std::byte>();
  const std::less<> before;
  if (!mapped.empty() && !before(bytes.data(), mapped.data()) &&
      before(bytes.data(), mapped.data() + mapped.size())) {
    return &*file_;
  }
  for (const Gguf& part : parts_) {
    if (const MappedFile* const file = part.file_of(bytes)) return file;
  }
  return nullptr;
}

void Gguf::release(std::span<const std::byte> bytes) const {
  if (const MappedFile* const file = file_of(bytes)) file->release(bytes);
}

void Gguf::prefetch(std::span<const std::byte> bytes) const {
  if (const MappedFile* const file = file_of(bytes)) file->prefetch(bytes);
}

Result<void> Gguf::check_unchanged() const {
  if (file_) TRY(file_->check_unchanged());
  for (const Gguf& part : parts_)
    TRY(part.check_unchanged());
  return {};
}

namespace {

/// One value of type `type` at `from` as a T; nothing when the types differ or it does not fit.
template <class T>
std::optional<T> convert(GgufType type, std::span<const std::byte> bytes) {
  const auto fit = [](auto value) -> std::optional<T> {
    if constexpr (std::is_integral_v<T>) {
      if (!std::in_range<T>(value)) return std::nullopt;
    } else if constexpr (sizeof(value) > sizeof(T)) {  // f64 to f32
      if (std::fabs(value) > std::numeric_limits<T>::max()) return std::nullopt;
    }
    return static_cast<T>(value);
  };
  const std::byte* from = bytes.data();
  if constexpr (std::is_same_v<T, std::string_view>) {
    if (type == GgufType::kString) return as_text(bytes);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (type == GgufType::kBool) return load<std::uint8_t>(from) != 0;
  } else if constexpr (std::is_floating_point_v<T>) {
    if (type == GgufType::kFloat32) return fit(load<float>(from));
    if (type == GgufType::kFloat64) return fit(load<double>(from));
  } else {
    switch (type) {
      case GgufType::kUint8:
        return fit(load<std::uint8_t>(from));
      case GgufType::kInt8:
        return fit(load<std::int8_t>(from));
      case GgufType::kUint16:
        return fit(load<std::uint16_t>(from));
      case GgufType::kInt16:
        return fit(load<std::int16_t>(from));
      case GgufType::kUint32:
        return fit(load<std::uint32_t>(from));
      case GgufType::kInt32:
        return fit(load<std::int32_t>(from));
      case GgufType::kUint64:
        return fit(load<std::uint64_t>(from));
      case GgufType::kInt64:
        return fit(load<std::int64_t>(from));
      default:
        break;
    }
  }
  return std::nullopt;
}

template <class T>
const char* wanted_name() {
  if constexpr (std::is_same_v<T, bool>) return "a bool";
  if constexpr (std::is_same_v<T, std::string_view>) return "a string";
  if constexpr (std::is_floating_point_v<T>) return "a float";
  if constexpr (std::is_unsigned_v<T>) return "an integer from 0 up";
  return "an integer";
}

tl::unexpected<Error> missing(const std::string& file, std::string_view key) {
  return fail(ErrorCode::kCorrupt,
              file + ": key " + quoted(key) + " is missing; get a complete model file");
}

template <class T>
tl::unexpected<Error> wrong_type(const std::string& file,
                                 std::string_view key,
                                 const std::string& found) {
  return fail(ErrorCode::kCorrupt,
              file + ": key " + quoted(key) + " must hold " + wanted_name<T>() + ", it holds " +
                  found + " that is none or is out of range; get another copy of the model");
}

}  // namespace

template <class T>
Result<std::optional<T>> Gguf::get(std::string_view key) const {
  const Value* value = find_value(key);
  if (value == nullptr) return std::optional<T>{};
  if (value->type != GgufType::kArray) {
    if (const auto converted = convert<T>(value->type, value->bytes)) return converted;
  }
  return wrong_type<T>(name_, key, type_name(value->type));
}

template <class T>
Result<T> Gguf::require(std::string_view key) const {
  const auto value = TRY(get<T>(key));
  if (!value) return missing(name_, key);
  return *value;
}

template <class T>
Result<std::optional<std::vector<T>>> Gguf::get_array(std::string_view key) const {
  const Value* value = find_value(key);
  if (value == nullptr) return std::optional<std::vector<T>>{};
  const std::string type = type_name(value->type);
  if (value->type != GgufType::kArray) return wrong_type<T>(name_, key, type + ", not an array,");
  const std::string element = type + " element of type " + type_name(value->element_type);
  const std::uint64_t element_bytes = scalar_bytes(value->element_type);
  if ((element_bytes == 0) != std::is_same_v<T, std::string_view>) {
    return wrong_type<T>(name_, key, element);
  }
  std::vector<T> out;
  out.reserve(value->n_elements);
  std::span<const std::byte> rest = value->bytes;
  for (std::uint64_t i = 0; i < value->n_elements; ++i) {
    std::uint64_t n = element_bytes;
    if (n == 0) {
      // The lengths were checked when the file was opened, but a mapped file can change since.
      if (rest.size() >= 8) n = load<std::uint64_t>(rest.data());
      if (rest.size() < 8 || n > rest.size() - 8) {
        return fail(ErrorCode::kIo, name_ + " was changed while in use; load it again");
      }
      rest = rest.subspan(8);
    }
    const auto converted = convert<T>(value->element_type, rest.first(n));
    if (!converted) return wrong_type<T>(name_, key, element);
    out.push_back(*converted);
    rest = rest.subspan(n);
  }
  return out;
}

template <class T>
Result<std::vector<T>> Gguf::require_array(std::string_view key) const {
  auto array = TRY(get_array<T>(key));
  if (!array) return missing(name_, key);
  return *std::move(array);
}

template Result<std::optional<bool>> Gguf::get(std::string_view) const;
template Result<bool> Gguf::require(std::string_view) const;
template Result<std::optional<std::uint32_t>> Gguf::get(std::string_view) const;
template Result<std::uint32_t> Gguf::require(std::string_view) const;
template Result<std::optional<std::int32_t>> Gguf::get(std::string_view) const;
template Result<std::int32_t> Gguf::require(std::string_view) const;
template Result<std::optional<std::uint64_t>> Gguf::get(std::string_view) const;
template Result<std::uint64_t> Gguf::require(std::string_view) const;
template Result<std::optional<std::int64_t>> Gguf::get(std::string_view) const;
template Result<std::int64_t> Gguf::require(std::string_view) const;
template Result<std::optional<float>> Gguf::get(std::string_view) const;
template Result<float> Gguf::require(std::string_view) const;
template Result<std::optional<double>> Gguf::get(std::string_view) const;
template Result<double> Gguf::require(std::string_view) const;
template Result<std::optional<std::string_view>> Gguf::get(std::string_view) const;
template Result<std::string_view> Gguf::require(std::string_view) const;

template Result<std::optional<std::vector<std::uint32_t>>> Gguf::get_array(std::string_view) const;
template Result<std::vector<std::uint32_t>> Gguf::require_array(std::string_view) const;
template Result<std::optional<std::vector<std::int32_t>>> Gguf::get_array(std::string_view) const;
template Result<std::vector<std::int32_t>> Gguf::require_array(std::string_view) const;
template Result<std::optional<std::vector<float>>> Gguf::get_array(std::string_view) const;
template Result<std::vector<float>> Gguf::require_array(std::string_view) const;
template Result<std::optional<std::vector<std::string_view>>> Gguf::get_array(
    std::string_view) const;
template Result<std::vector<std::string_view>> Gguf::require_array(std::string_view) const;

}  // namespace kinglet::inference
