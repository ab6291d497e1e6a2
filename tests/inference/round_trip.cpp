#include "tests/inference/round_trip.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <memory>
#include <string_view>
#include <tuple>

#include "inference/gguf.h"
#include "inference/tokenizer/line_segments.h"
#include "inference/tokenizer/utf8.h"
#include "inference/vocabulary_from_gguf.h"
#include "tests/support/shared.h"

namespace kinglet::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMaxFileBytes = 1 << 20;

bool is_source(const fs::path& path) {
  static constexpr std::array<std::string_view, 20> kEnds = {
      ".c",   ".cc",   ".cpp", ".css", ".cu", ".go", ".h",  ".hh", ".hpp", ".html",
      ".ipp", ".java", ".js",  ".lua", ".md", ".pl", ".py", ".rs", ".sh",  ".ts"};
  const std::string end = path.extension().string();
  return std::find(kEnds.begin(), kEnds.end(), end) != kEnds.end();
}

/// FNV-1a and a finisher: the standard library's hash differs between implementations.
std::uint64_t hash(const std::string& text, std::uint64_t seed) {
  std::uint64_t h = 0xcbf29ce484222325 ^ seed;
  for (const char c : text)
    h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return (h ^ h >> 29) * 0xbf58476d1ce4e5b9;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = inference::well_formed_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

std::vector<fs::path> source_files(const std::vector<fs::path>& folders,
                                   std::uint64_t n_bytes,
                                   std::uint64_t seed) {
  std::vector<std::tuple<std::uint64_t, fs::path, std::uintmax_t>> found;
  for (const fs::path& folder : folders) {
    std::error_code error;
    for (auto it = fs::recursive_directory_iterator(
             folder, fs::directory_options::skip_permission_denied, error);
         !error && it != fs::end(it);
         it.increment(error)) {
      const std::string name = it->path().filename().string();
      if (it->is_directory() && (name == ".git" || name == "build" || name == "node_modules")) {
        it.disable_recursion_pending();
      }
      if (it->is_symlink() || !it->is_regular_file() || !is_source(it->path())) continue;
      const std::uintmax_t size = it->file_size();
      if (size > kMaxFileBytes) continue;
      found.emplace_back(hash(it->path().string(), seed), it->path(), size);
    }
  }
  std::sort(found.begin(), found.end());
  std::vector<fs::path> files;
  std::uint64_t taken = 0;
  for (const auto& [order, path, size] : found) {
    if (taken >= n_bytes) break;
    files.push_back(path);
    taken += size;
  }
  return files;
}

RoundTripFigures round_trip(const inference::Tokenizer& tokenizer,
                            const std::vector<fs::path>& files) {
  RoundTripFigures figures;
  const bool splits_at_lines = inference::splits_at_lines(tokenizer);
  for (const fs::path& path : files) {
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto tokens = tokenizer.encode(text);
    ++figures.files;
    figures.bytes += text.size();
    figures.tokens += tokens.size();
    figures.not_utf8 += is_utf8(text) ? 0 : 1;
    for (const inference::TokenId id : tokens) {
      const auto kind = tokenizer.vocabulary().kind(id);
      figures.control_tokens += kind == inference::TokenKind::kControl ? 1 : 0;
    }
    if (tokenizer.decode(tokens) != text) figures.changed.push_back(path.string());
    if (splits_at_lines && !is_same_by_lines(tokenizer, text))
      figures.other_by_lines.push_back(path.string());
  }
  return figures;
}

bool is_same_by_lines(const inference::Tokenizer& tokenizer, std::string_view text) {
  constexpr inference::EncodeOptions kInside = {.space_prefix = inference::SpacePrefix::kNever};
  std::vector<inference::TokenId> by_lines;
  inference::for_each_line_segment(text, [&](std::string_view segment) {
    const auto part = tokenizer.encode(segment, kInside);
    by_lines.insert(by_lines.end(), part.begin(), part.end());
  });
  return by_lines == tokenizer.encode(text, kInside);
}

std::vector<std::pair<std::string, inference::Tokenizer>> real_tokenizers() {
  std::vector<std::pair<std::string, inference::Tokenizer>> tokenizers;
  const auto add = [&](const std::string& name, const fs::path& path) {
    const auto gguf = inference::Gguf::open(path).value();
    tokenizers.emplace_back(name,
                            inference::Tokenizer(std::make_shared<const inference::Vocabulary>(
                                inference::vocabulary_from_gguf(gguf).value())));
  };
  add("starter model",
      fs::path(KINGLET_SOURCE_DIR) / "inference/starter_model/kinglet-starter.gguf");
  for (const std::string name : {"phi-3", "qwen2", "deepseek-coder"}) {
    if (const auto path = shared("tokenizers/ggml-vocab-" + name + ".gguf")) add(name, *path);
  }
  return tokenizers;
}

}  // namespace kinglet::test
