#include "daemon/eval/result_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace kinglet::daemon {

namespace fs = std::filesystem;
using lsp::Json;

Result<ResultFile> ResultFile::open(const fs::path& path) {
  std::error_code error;
  if (fs::exists(path, error) && !fs::is_regular_file(path, error)) {
    return fail(ErrorCode::kInvalidArgument,
                path.string() + " is no regular file; give another one with --output");
  }
  // Rows hold code.
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.is_open()) {
    return fail(ErrorCode::kIo,
                "cannot write " + path.string() + ": " + std::strerror(errno) +
                    "; give another file with --output");
  }
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) return fail(ErrorCode::kIo, "cannot read " + path.string());

  ResultFile file(path, std::move(fd));
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    auto row = lsp::parse_json(rest.substr(0, end));
    const bool is_row =
        row && row->is_object() && row->contains("key") && row->at("key").is_string();
    if (end == std::string_view::npos && (is_row || !file.rows_.empty())) break;
    if (!is_row) {
      return fail(ErrorCode::kInvalidArgument,
                  path.string() +
                      " holds something else than results of kinglet eval; give another file "
                      "with --output, or delete it");
    }
    std::string key = row->at("key").get<std::string>();
    file.rows_.insert_or_assign(std::move(key), *std::move(row));
    rest.remove_prefix(end + 1);
  }
  if (!rest.empty() &&
      ::ftruncate(file.fd_.get(), static_cast<off_t>(text.size() - rest.size())) != 0) {
    return fail(ErrorCode::kIo, "cannot write " + path.string() + ": " + std::strerror(errno));
  }
  return file;
}

const Json* ResultFile::find(const std::string& key) const {
  const auto row = rows_.find(key);
  return row == rows_.end() ? nullptr : &row->second;
}

Result<void> ResultFile::add(const Json& row) {
  const std::string line = lsp::to_text(row) + '\n';
  // At once, so that two runs that write to one file do not mix their lines.
  const ssize_t n = ::write(fd_.get(), line.data(), line.size());
  if (n != static_cast<ssize_t>(line.size())) {
    return fail(ErrorCode::kIo,
                "cannot write " + path_.string() + ": " +
                    (n < 0 ? std::strerror(errno) : "the disk is full") +
                    "; what is there stays, the same command goes on from it");
  }
  rows_.insert_or_assign(row["key"].get<std::string>(), row);
  return {};
}

}  // namespace kinglet::daemon
