#include "daemon/features/indexed_texts.h"

#include <algorithm>
#include <utility>

#include "indexer/identifiers.h"

namespace kinglet::daemon {
namespace {

// A name that moved farther than this is another one.
constexpr std::size_t kMaxMove = 32 << 10;

bool is_word_at(std::string_view text, std::size_t at, std::string_view word) {
  if (text.substr(std::min(at, text.size()), word.size()) != word) return false;
  const std::size_t end = at + word.size();
  return (at == 0 || !indexer::is_identifier_byte(text[at - 1])) &&
         (end == text.size() || !indexer::is_identifier_byte(text[end]));
}

}  // namespace

IndexedTexts::IndexedTexts(const std::filesystem::path& root,
                           indexer::Snapshot snapshot,
                           OpenTexts open,
                           std::uint64_t max_file_bytes)
    : snapshot_(std::move(snapshot)), open_(std::move(open)), max_file_bytes_(max_file_bytes) {
  if (auto opened = indexer::Root::open(root.string())) root_ = *std::move(opened);
}

const IndexedTexts::Known& IndexedTexts::look_up(const std::string& path) {
  const auto [entry, is_new] = known_.try_emplace(path);
  Known& known = entry->second;
  if (!is_new) return known;
  const auto info = snapshot_.file(path);
  if (const auto open = open_.find(path); open != open_.end()) {
    known.text = open->second;
    known.hash = indexer::hash_content(known.text->text());
    known.is_indexed = info && known.hash == info->hash;
    return known;
  }
  if (!info || !root_) return known;
  auto text = root_->read(path, max_file_bytes_);
  if (!text || indexer::hash_content(*text) != info->hash) return known;
  known.text = std::make_shared<const lsp::TextBuffer>(*std::move(text));
  known.hash = info->hash;
  known.is_indexed = true;
  return known;
}

std::shared_ptr<const lsp::TextBuffer> IndexedTexts::find(const std::string& path) {
  return look_up(path).text;
}

std::shared_ptr<const lsp::TextBuffer> IndexedTexts::find_indexed(const std::string& path) {
  const Known& known = look_up(path);
  return known.is_indexed ? known.text : nullptr;
}

std::shared_ptr<const lsp::TextBuffer> IndexedTexts::find_exact(const std::string& path,
                                                                const indexer::ContentHash& hash) {
  const Known& known = look_up(path);
  if (known.text) return known.hash == hash ? known.text : nullptr;
  const auto [entry, is_new] = on_disk_.try_emplace(path);
  Known& read = entry->second;
  if (is_new && root_) {
    if (auto text = root_->read(path, max_file_bytes_)) {
      read.hash = indexer::hash_content(*text);
      read.text = std::make_shared<const lsp::TextBuffer>(*std::move(text));
    }
  }
  if (!read.text || read.hash != hash) return nullptr;
  // The index has no places in it that could be wrong.
  if (!snapshot_.file(path)) known_[path] = {read.text, hash, true};
  return read.text;
}

std::optional<indexer::ContentHash> IndexedTexts::hash_of(const std::string& path) {
  const Known& known = look_up(path);
  return known.text ? std::optional(known.hash) : std::nullopt;
}

std::optional<ByteRange> IndexedTexts::locate(const std::string& path,
                                              ByteRange range,
                                              std::string_view name) {
  const Known& known = look_up(path);
  if (!known.text) return std::nullopt;
  if (known.is_indexed) return range;
  const std::string_view text = known.text->text();
  const auto found = [&](std::size_t at) {
    return ByteRange{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + name.size())};
  };
  if (name.empty()) return std::nullopt;
  if (is_word_at(text, range.begin, name)) return found(range.begin);
  const std::size_t begin = range.begin > kMaxMove ? range.begin - kMaxMove : 0;
  std::optional<ByteRange> nearest;
  std::size_t distance = kMaxMove;
  for (std::size_t at = text.find(name, begin); at < std::size_t{range.begin} + kMaxMove;
       at = text.find(name, at + 1)) {
    const std::size_t move = at > range.begin ? at - range.begin : range.begin - at;
    if (move >= distance || !is_word_at(text, at, name)) continue;
    nearest = found(at);
    distance = move;
  }
  return nearest;
}

std::optional<lsp::Range> IndexedTexts::locate(const std::string& path,
                                               ByteRange range,
                                               std::string_view name,
                                               lsp::PositionEncoding encoding) {
  const auto found = locate(path, range, name);
  if (!found) return std::nullopt;
  return lsp_range(*find(path), *found, encoding);
}

lsp::Range lsp_range(const lsp::TextBuffer& text, ByteRange range, lsp::PositionEncoding encoding) {
  return {text.position(ByteOffset{range.begin}, encoding),
          text.position(ByteOffset{range.end}, encoding)};
}

}  // namespace kinglet::daemon
