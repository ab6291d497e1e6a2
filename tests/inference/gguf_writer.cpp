#include "tests/inference/gguf_writer.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace kinglet::test {
namespace {

using inference::GgufType;

template <class T>
void append(Bytes& out, T number) {
  const auto bytes = std::as_bytes(std::span(&number, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_string(Bytes& out, std::string_view text) {
  append(out, std::uint64_t{text.size()});
  const auto bytes = std::as_bytes(std::span(text));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <class T>
constexpr std::uint32_t type_number() {
  GgufType type = GgufType::kFloat64;
  if (std::is_same_v<T, bool>) type = GgufType::kBool;
  if (std::is_same_v<T, std::uint8_t>) type = GgufType::kUint8;
  if (std::is_same_v<T, std::int8_t>) type = GgufType::kInt8;
  if (std::is_same_v<T, std::uint16_t>) type = GgufType::kUint16;
  if (std::is_same_v<T, std::int16_t>) type = GgufType::kInt16;
  if (std::is_same_v<T, std::uint32_t>) type = GgufType::kUint32;
  if (std::is_same_v<T, std::int32_t>) type = GgufType::kInt32;
  if (std::is_same_v<T, std::uint64_t>) type = GgufType::kUint64;
  if (std::is_same_v<T, std::int64_t>) type = GgufType::kInt64;
  if (std::is_same_v<T, float>) type = GgufType::kFloat32;
  return static_cast<std::uint32_t>(type);
}

constexpr auto kStringNumber = static_cast<std::uint32_t>(GgufType::kString);
constexpr auto kArrayNumber = static_cast<std::uint32_t>(GgufType::kArray);

template <class List>
auto& find_in(List& list, std::string_view name, std::string List::value_type::*member) {
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const auto& x) { return x.*member == name; });
  if (found == list.end()) throw std::out_of_range("no such entry: " + std::string(name));
  return *found;
}

}  // namespace

template <class T>
void GgufWriter::put(std::string key, T value) {
  Value& entry = values.emplace_back(Value{std::move(key), type_number<T>(), {}});
  append(entry.bytes, value);
}

void GgufWriter::put_string(std::string key, std::string_view value) {
  Value& entry = values.emplace_back(Value{std::move(key), kStringNumber, {}});
  append_string(entry.bytes, value);
}

template <class T>
void GgufWriter::put_array(std::string key, std::span<const T> elements) {
  Value& entry = values.emplace_back(Value{std::move(key), kArrayNumber, {}});
  append(entry.bytes, type_number<T>());
  append(entry.bytes, std::uint64_t{elements.size()});
  for (const T element : elements)
    append(entry.bytes, element);
}

void GgufWriter::put_strings(std::string key, std::span<const std::string> elements) {
  Value& entry = values.emplace_back(Value{std::move(key), kArrayNumber, {}});
  append(entry.bytes, kStringNumber);
  append(entry.bytes, std::uint64_t{elements.size()});
  for (const std::string& element : elements)
    append_string(entry.bytes, element);
}

template void GgufWriter::put(std::string, bool);
template void GgufWriter::put(std::string, std::uint8_t);
template void GgufWriter::put(std::string, std::int8_t);
template void GgufWriter::put(std::string, std::uint16_t);
template void GgufWriter::put(std::string, std::int16_t);
template void GgufWriter::put(std::string, std::uint32_t);
template void GgufWriter::put(std::string, std::int32_t);
template void GgufWriter::put(std::string, std::uint64_t);
template void GgufWriter::put(std::string, std::int64_t);
template void GgufWriter::put(std::string, float);
template void GgufWriter::put(std::string, double);
template void GgufWriter::put_array(std::string, std::span<const std::int8_t>);
template void GgufWriter::put_array(std::string, std::span<const std::uint32_t>);
template void GgufWriter::put_array(std::string, std::span<const std::int32_t>);
template void GgufWriter::put_array(std::string, std::span<const float>);

void GgufWriter::add(std::string name,
                     inference::TensorType type,
                     std::vector<std::uint64_t> shape,
                     Bytes data) {
  tensors.push_back({std::move(name),
                     static_cast<std::uint32_t>(type),
                     std::move(shape),
                     std::move(data),
                     std::nullopt});
}

void GgufWriter::add_floats(std::string name,
                            inference::TensorType type,
                            std::vector<std::uint64_t> shape,
                            std::span<const float> numbers) {
  const inference::BlockFormat& format = inference::block_format(type);
  std::uint64_t n_elements = 1;
  for (const std::uint64_t n : shape)
    n_elements *= n;
  if (n_elements != numbers.size() || shape.at(0) % format.block_elements != 0) {
    throw std::invalid_argument(name + ": the shape does not fit the numbers or the block format");
  }
  Bytes data(format.bytes_of(n_elements).value());
  format.quantize(numbers, data);
  add(std::move(name), type, std::move(shape), std::move(data));
}

GgufWriter::Value& GgufWriter::value(std::string_view key) {
  return find_in(values, key, &Value::key);
}

GgufWriter::Tensor& GgufWriter::tensor(std::string_view name) {
  return find_in(tensors, name, &Tensor::name);
}

void GgufWriter::remove_value(std::string_view key) {
  const Value* entry = &value(key);
  values.erase(values.begin() + (entry - values.data()));
}

Bytes GgufWriter::bytes() const {
  const auto aligned = [this](std::uint64_t n) {
    return (n + alignment - 1) / alignment * alignment;
  };
  Bytes out;
  append(out, magic);
  append(out, version);
  append(out, n_tensors.value_or(tensors.size()));
  append(out, n_values.value_or(values.size()));
  for (const Value& entry : values) {
    append_string(out, entry.key);
    append(out, entry.type);
    out.insert(out.end(), entry.bytes.begin(), entry.bytes.end());
  }
  std::uint64_t offset = 0;
  for (const Tensor& entry : tensors) {
    append_string(out, entry.name);
    append(out, static_cast<std::uint32_t>(entry.shape.size()));
    for (const std::uint64_t n : entry.shape)
      append(out, n);
    append(out, entry.type);
    append(out, entry.offset.value_or(offset));
    offset = aligned(offset + entry.data.size());
  }
  for (const Tensor& entry : tensors) {
    out.resize(aligned(out.size()));
    out.insert(out.end(), entry.data.begin(), entry.data.end());
  }
  return out;
}

std::vector<GgufWriter> three_parts(const GgufWriter& whole) {
  std::vector<GgufWriter> parts(3);
  parts[0].values = whole.values;
  for (std::uint16_t i = 0; i < 3; ++i) {
    parts[i].put<std::uint16_t>("split.no", i);
    parts[i].put<std::uint16_t>("split.count", 3);
    parts[i].put<std::int32_t>("split.tensors.count",
                               static_cast<std::int32_t>(whole.tensors.size()));
  }
  for (std::size_t i = 0; i < whole.tensors.size(); ++i)
    parts[i * 3 / whole.tensors.size()].tensors.push_back(whole.tensors[i]);
  return parts;
}

void write_file(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.exceptions(std::ios::failbit | std::ios::badbit);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
}

}  // namespace kinglet::test
