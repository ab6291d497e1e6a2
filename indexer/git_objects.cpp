#include "indexer/git_objects.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <git2.h>
#include <git2/sys/odb_backend.h>
#define ZLIB_CONST
#include <zlib.h>

#include "indexer/scan.h"

namespace kinglet::indexer {
namespace {

/// Of a file and of what it holds. Trees of folders with a million files are smaller.
constexpr std::size_t kMaxBytes = std::size_t{64} << 20;
/// Folders of objects that borrow from each other; as many as git follows.
constexpr std::size_t kMaxFolders = 6;

struct EndInflate {
  void operator()(z_stream* stream) const { ::inflateEnd(stream); }
};

/// Nothing: it is no whole zlib stream, or holds too much.
std::optional<std::string> inflate(std::string_view bytes) {
  z_stream stream = {};
  if (::inflateInit(&stream) != Z_OK) return std::nullopt;
  const std::unique_ptr<z_stream, EndInflate> end(&stream);
  stream.next_in = reinterpret_cast<const Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string text;
  for (int code = Z_OK; code != Z_STREAM_END;) {
    std::array<char, 16 << 10> buffer;
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = buffer.size();
    code = ::inflate(&stream, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END) return std::nullopt;
    text.append(buffer.data(), buffer.size() - stream.avail_out);
    if (text.size() > kMaxBytes) return std::nullopt;
  }
  return text;
}

struct LooseObject {
  git_object_t type = GIT_OBJECT_INVALID;
  std::string_view data;
};

/// "tree 123", a zero byte, and as many bytes.
std::optional<LooseObject> split(const std::string& text) {
  const std::size_t space = text.find(' ');
  const std::size_t zero = text.find('\0');
  if (space == std::string::npos || zero == std::string::npos || zero < space) return std::nullopt;
  std::size_t size = 0;
  const char* const end = text.data() + zero;
  const auto [stop, error] = std::from_chars(text.data() + space + 1, end, size);
  const LooseObject object{.type = git_object_string2type(text.substr(0, space).c_str()),
                           .data = std::string_view(text).substr(zero + 1)};
  if (error != std::errc() || stop != end || size != object.data.size()) return std::nullopt;
  return object;
}

struct LooseObjects : git_odb_backend {
  explicit LooseObjects(Root folder) : git_odb_backend{}, root(std::move(folder)) {
    git_odb_init_backend(this, GIT_ODB_BACKEND_VERSION);
    read = read_object;
    free = [](git_odb_backend* backend) { delete static_cast<LooseObjects*>(backend); };
  }

  static int read_object(void** data,
                         std::size_t* size,
                         git_object_t* type,
                         git_odb_backend* backend,
                         const git_oid* id) {
    std::array<char, GIT_OID_HEXSZ + 1> name{};
    git_oid_tostr(name.data(), name.size(), id);
    const std::string hex = name.data();
    const Root& root = static_cast<LooseObjects*>(backend)->root;
    const auto file = root.read(hex.substr(0, 2) + "/" + hex.substr(2), kMaxBytes);
    const auto text = file ? inflate(*file) : std::nullopt;
    const auto object = text ? split(*text) : std::nullopt;
    if (!object) return GIT_ENOTFOUND;
    *data = git_odb_backend_data_alloc(backend, std::max<std::size_t>(object->data.size(), 1));
    if (*data == nullptr) return GIT_ERROR;
    std::ranges::copy(object->data, static_cast<char*>(*data));
    *size = object->data.size();
    *type = object->type;
    return GIT_OK;
  }

  Root root;
};

/// Folders that this one borrows from, as its info/alternates says.
std::vector<std::string> alternates_of(const std::string& folder, const Root& root) {
  std::vector<std::string> folders;
  const std::string text = root.read("info/alternates", kMaxBytes).value_or("");
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    if (!line.empty() && line[0] != '#') {
      folders.push_back((std::filesystem::path(folder) / line).string());
    }
    begin = end + 1;
  }
  return folders;
}

}  // namespace

git_odb* open_git_objects(const std::string& folder) {
  git_odb* objects = nullptr;
  if (git_odb_new(&objects) != 0) return nullptr;
  std::vector<std::string> folders = {folder};
  for (std::size_t i = 0; i < folders.size() && i < kMaxFolders; ++i) {
    auto root = Root::open(folders[i]);
    if (!root) continue;
    std::ranges::move(alternates_of(folders[i], *root), std::back_inserter(folders));
    // The database owns what is added to it, and asks packs first.
    auto* const loose = new LooseObjects(*std::move(root));
    if (git_odb_add_backend(objects, loose, 1) != 0) delete loose;
    git_odb_backend* packs = nullptr;
    if (git_odb_backend_pack(&packs, folders[i].c_str()) != 0) continue;
    if (git_odb_add_backend(objects, packs, 2) != 0) packs->free(packs);
  }
  return objects;
}

}  // namespace kinglet::indexer
