// Fuzz target "shards": the three parts of a model, side by side in a folder. The input is the
// parts one after the other, each behind its length (four bytes).
#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "inference/gguf.h"
#include "inference/model.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/gguf_mutations.h"
#include "tests/inference/synthetic_gguf.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::test {
namespace {

using inference::Gguf;

std::vector<Bytes> split(std::span<const std::byte> bytes) {
  std::vector<Bytes> parts;
  while (bytes.size() >= sizeof(std::uint32_t) && parts.size() < 3) {
    std::uint32_t size = 0;
    std::memcpy(&size, bytes.data(), sizeof size);
    bytes = bytes.subspan(sizeof size);
    const auto part = bytes.first(std::min<std::size_t>(size, bytes.size()));
    parts.emplace_back(part.begin(), part.end());
    bytes = bytes.subspan(part.size());
  }
  return parts;
}

Bytes join(const std::vector<Bytes>& parts) {
  Bytes bytes;
  for (const Bytes& part : parts) {
    const auto size = static_cast<std::uint32_t>(part.size());
    const auto length = std::as_bytes(std::span(&size, 1));
    bytes.insert(bytes.end(), length.begin(), length.end());
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  return bytes;
}

bool use_shards(std::span<const std::byte> bytes) {
  static const TemporaryFolder kFolder;
  const std::vector<Bytes> parts = split(bytes);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto path = kFolder / kPartNames[i];
    std::filesystem::remove(path);
    if (i < parts.size()) write_file(path.string(), parts[i]);
  }
  // The path of any of them opens all.
  const std::string path = (kFolder / kPartNames[bytes.size() % 3]).string();
  auto gguf = Gguf::open(path);
  if (!gguf) {
    require(gguf.error().message.find((kFolder.path() / "m-0000").string()) != std::string::npos,
            "a refusal names a part");
    return false;
  }
  for (const inference::TensorInfo& tensor : gguf->tensors()) {
    require(gguf->find_tensor(tensor.name) == &tensor, "a tensor is found by its name");
    require(tensor.data.size() == tensor.format().bytes_of(tensor.n_elements()).value(),
            "a tensor has the bytes of its shape");
  }
  (void)gguf->check_finite();  // reads all there is
  require(gguf->check_unchanged().has_value(), "files that nobody touched have not changed");
  if (const auto model = inference::Model::from_gguf(*std::move(gguf)); !model) {
    require(model.error().message.find(path) == 0, "a refused model names the file");
  }
  return true;
}

Bytes good_shards(std::uint64_t seed) {
  static const GgufWriter kWhole = synthetic_gguf({.hidden = 64, .layers = 1, .ffn = 64});
  std::vector<Bytes> parts;
  for (const GgufWriter& part : three_parts(kWhole))
    parts.push_back(part.bytes());
  // A single file under a part's name is fine as well, when it does not say that it is a part.
  if (seed % 16 == 15) parts.assign(3, kWhole.bytes());
  return join(parts);
}

void spoil_shards(Bytes& bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Bytes> parts = split(bytes);
  if (parts.empty()) return;
  const std::size_t i = random() % parts.size();
  const std::size_t k = random() % parts.size();
  switch (random() % 8) {
    case 0:
      std::swap(parts[i], parts[k]);
      break;
    case 1:
      parts[i] = parts[k];
      break;
    case 2:
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    case 3:
      parts[i].resize(parts[i].size() - random() % (parts[i].size() + 1));
      break;
    default:
      spoil_gguf(parts[i], seed);
  }
  bytes = join(parts);
}

}  // namespace

extern const FuzzTarget kShardsFuzz;
const FuzzTarget kShardsFuzz = {
    .name = "shards",
    .use = use_shards,
    .good = good_shards,
    .spoil = spoil_shards,
    .most_bytes = std::size_t{16} << 20,
    .bytes_per_byte = 16,
};

}  // namespace kinglet::test
