// Which files of a root are worth indexing, and why the others are not. Runs in a parse worker.
// Nothing outside the root is opened: no link is followed, neither to a file nor to a folder (a
// link's target is indexed under its own name if it lies in the root), and only regular files are
// read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace kinglet::indexer {

enum class LeftOut : std::uint8_t {
  kIgnored,     // by a rule of .gitignore or .git/info/exclude
  kRepository,  // .git, .hg, .svn
  kSecret,      // .env, private keys, credentials
  kLink,        // a symbolic link
  kNotRegular,  // FIFO, socket, device
  kBadName,     // not UTF-8, or with control characters
  kUnreadable,  // the system said no, or it is gone
  kHuge,        // over ScanOptions::max_file_bytes
  kBinary,      // NUL bytes or a binary format's name
  kGenerated,   // says so in its head, or is minified
  kTooDeep,     // below ScanOptions::max_depth folders
  kTooMany,     // past ScanOptions::max_files
};
/// "ignored", "secret", …: one word for --explain and counts.
std::string_view name_of(LeftOut reason);

struct ScannedFile {
  std::string path;  // relative to the root, '/' between, UTF-8
  std::uint64_t n_bytes = 0;
  std::int64_t modified_ns = 0;  // since the epoch
  /// A hash of size, times and inode, never 0: while it stays, so does the content, if the stamp
  /// was safe when that was read (StampedText).
  std::uint64_t stamp = 0;
  friend bool operator==(const ScannedFile&, const ScannedFile&) = default;
};

struct SkippedPath {
  std::string path;  // a folder ends with '/'; bytes that are not UTF-8 are shown as \xNN
  LeftOut reason = LeftOut::kIgnored;
  std::string detail;  // the rule and its place, the size, the error
};

struct ScanOptions {
  std::uint64_t max_file_bytes = 2 << 20;
  std::size_t max_files = 1'000'000;
  std::size_t max_depth = 128;
  std::size_t max_skipped = 100'000;  // further skipped paths are counted, not listed
};

struct ScanResult {
  std::vector<ScannedFile> files;    // by path, bytewise
  std::vector<std::string> folders;  // that were looked into, by path; "" is the root
  std::vector<SkippedPath> skipped;  // by path, bytewise
  std::size_t n_skipped = 0;
};

struct StampedText {
  std::string text;
  /// ScannedFile::stamp of what was read. 0 when the file changed meanwhile or so shortly before
  /// that a change to come might leave the same times (git calls such files racy).
  std::uint64_t stamp = 0;
};

/// A repository's folder, held open: paths below it are resolved one component at a time without
/// links, so that a folder swapped for a link meanwhile leads nowhere.
class Root {
 public:
  /// kNotFound, kIo or kInvalidArgument (not a folder), naming the path.
  static Result<Root> open(const std::string& path);

  /// Regular files only. kInvalidArgument: a path that is absolute or has empty, "." or ".." parts;
  /// kNotFound, kUnsupported (a link, not a regular file, larger than max_bytes), kIo.
  Result<std::string> read(std::string_view path, std::uint64_t max_bytes) const;
  Result<StampedText> read_stamped(std::string_view path, std::uint64_t max_bytes) const;

  int descriptor() const { return fd_.get(); }

 private:
  explicit Root(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

/// Walks the root. Judges names, types, sizes and ignore rules; what only the bytes can tell is for
/// judge_content(), by whoever reads the file. Deterministic order. kCancelled.
Result<ScanResult> scan(const Root& root,
                        const ScanOptions& options = {},
                        const std::stop_token& stop = {});

/// Whether bytes are binary, generated or minified; `detail` in the answer says by which sign.
std::optional<SkippedPath> judge_content(std::string_view path, std::string_view text);

/// Why one path is not indexed, in scan()'s order of judgement and with its content; nothing if it
/// is. kNotFound when there is no such path.
Result<std::optional<SkippedPath>> explain(const Root& root,
                                           std::string_view path,
                                           const ScanOptions& options = {});

}  // namespace kinglet::indexer
