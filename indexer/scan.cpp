#include "indexer/scan.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <system_error>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "indexer/clean_text.h"
#include "indexer/ignore_rules.h"
#include "indexer/judge.h"

namespace kinglet::indexer {
namespace {

constexpr std::array<std::string_view, 12> kReasonNames = {"ignored",
                                                           "repository",
                                                           "secret",
                                                           "link",
                                                           "not-regular",
                                                           "bad-name",
                                                           "unreadable",
                                                           "huge",
                                                           "binary",
                                                           "generated",
                                                           "too-deep",
                                                           "too-many"};
constexpr std::uint64_t kMaxRuleBytes = 1 << 20;

std::string system_error(int error) {
  return std::generic_category().message(error);
}

bool is_good_name(std::string_view name) {
  return is_clean(name) && name.find_first_of("\n\t") == std::string_view::npos;
}

// For people: bytes that are no good in a path as \xNN.
std::string shown(std::string_view path) {
  if (is_good_name(path)) return std::string(path);
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F) {
      out += c;
    } else {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\x%02x", byte);
      out += escape.data();
    }
  }
  return out;
}

// One component below an open folder; never through a link, never waiting for a FIFO's writer.
UniqueFd open_below(int folder, const std::string& name, int flags) {
  return UniqueFd(
      ::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags));
}

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::uint64_t stamp_of(const struct stat& status) {
  const std::array<std::uint64_t, 4> fields = {
      static_cast<std::uint64_t>(status.st_size),
      static_cast<std::uint64_t>(nanoseconds(status.st_mtim)),
      static_cast<std::uint64_t>(nanoseconds(status.st_ctim)),
      static_cast<std::uint64_t>(status.st_ino)};
  return std::max<std::uint64_t>(XXH3_64bits(fields.data(), sizeof(fields)), 1);
}

// Whether the file's times lie so far back that a later change would show in them. Kernels stamp
// with the last timer tick (at most 10 ms), file systems without fractions with whole seconds (or
// two).
bool is_settled(const struct stat& status) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto is_old = [&](const timespec& time) {
    const std::int64_t margin = time.tv_nsec == 0 ? 2'100'000'000 : 50'000'000;
    return nanoseconds(time) + margin < nanoseconds(now);
  };
  return is_old(status.st_mtim) && is_old(status.st_ctim);
}

// Regular files only; `what` names the file in errors.
Result<StampedText> read_below(int folder,
                               const std::string& name,
                               std::uint64_t max_bytes,
                               const std::string& what) {
  const UniqueFd fd = open_below(folder, name, 0);
  if (!fd.is_open()) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR)
      return fail(ErrorCode::kNotFound, what + ": no such file");
    if (error == ELOOP || error == ENXIO) {
      return fail(ErrorCode::kUnsupported, what + ": a link or not a regular file, not read");
    }
    return fail(ErrorCode::kIo, what + ": " + system_error(error));
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0)
    return fail(ErrorCode::kIo, what + ": " + system_error(errno));
  const bool was_settled = is_settled(status);
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::kUnsupported, what + ": not a regular file, not read");
  }
  const auto too_large = [&] {
    return fail(ErrorCode::kUnsupported,
                what + ": larger than the limit of " + std::to_string(max_bytes) + " bytes");
  };
  if (static_cast<std::uint64_t>(status.st_size) > max_bytes) return too_large();
  // The file may change while it is read: what counts is what read() gives.
  std::string text;
  text.resize(static_cast<std::size_t>(status.st_size) + 1);
  std::size_t n_read = 0;
  while (true) {
    if (n_read == text.size()) text.resize(text.size() * 2);
    const ssize_t n = ::read(fd.get(), text.data() + n_read, text.size() - n_read);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(ErrorCode::kIo, what + ": " + system_error(errno));
    if (n == 0) break;
    n_read += static_cast<std::size_t>(n);
    if (n_read > max_bytes) return too_large();
  }
  text.resize(n_read);
  struct stat after {};
  const bool is_same = ::fstat(fd.get(), &after) == 0 && stamp_of(after) == stamp_of(status) &&
                       n_read == static_cast<std::uint64_t>(status.st_size);
  return StampedText{std::move(text), was_settled && is_same ? stamp_of(status) : 0};
}

// The ignore rules that hold in a folder, with those of the folders above.
class RuleStack {
 public:
  /// Reads the rules of a folder at `path` ("" or "a/b/").
  void push(int folder, const std::string& path) {
    std::string text;
    if (auto rules = read_below(folder, ".gitignore", kMaxRuleBytes, ""))
      text = std::move(rules->text);
    levels_.push_back({path.size(), IgnoreRules(text, path + ".gitignore")});
  }
  void pop() { levels_.pop_back(); }

  /// The repository's own list, which yields to every .gitignore.
  void push_exclude(const Root& root) {
    std::string text;
    if (auto rules = root.read(".git/info/exclude", kMaxRuleBytes)) text = *std::move(rules);
    levels_.push_back({0, IgnoreRules(text, ".git/info/exclude")});
  }

  /// The rule that leaves the path out, if one does.
  std::optional<std::string> ignoring(std::string_view path, bool is_folder) const {
    for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
      if (level->rules.empty()) continue;
      if (auto match = level->rules.match(path.substr(level->prefix), is_folder)) {
        return match->is_ignored ? std::optional(std::move(match->rule)) : std::nullopt;
      }
    }
    return std::nullopt;
  }

 private:
  struct Level {
    std::size_t prefix;  // bytes of the path that name the folder
    IgnoreRules rules;
  };
  std::vector<Level> levels_;
};

// Judges one entry of a folder by everything but its bytes.
std::optional<Judgement> judge_entry(const std::string& name,
                                     const std::string& path,
                                     const struct stat& status,
                                     const RuleStack& rules,
                                     const ScanOptions& options) {
  if (name == ".git" || name == ".hg" || name == ".svn") {
    return Judgement{LeftOut::kRepository, "a version control folder"};
  }
  if (!is_good_name(name)) {
    return Judgement{LeftOut::kBadName, "a name that is not UTF-8, or has invisible characters"};
  }
  if (S_ISLNK(status.st_mode)) {
    return Judgement{LeftOut::kLink, "a link: indexed under its own name if that lies in the root"};
  }
  const bool is_folder = S_ISDIR(status.st_mode);
  if (!is_folder && !S_ISREG(status.st_mode)) {
    return Judgement{LeftOut::kNotRegular, "a FIFO, socket or device"};
  }
  if (auto rule = rules.ignoring(path, is_folder)) {
    return Judgement{LeftOut::kIgnored, *std::move(rule)};
  }
  if (is_folder) return std::nullopt;
  if (auto judgement = judge_name(name)) return judgement;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > options.max_file_bytes) {
    return Judgement{
        LeftOut::kHuge,
        std::to_string(size) + " bytes, the limit is " + std::to_string(options.max_file_bytes)};
  }
  return std::nullopt;
}

class Scanner {
 public:
  Scanner(const ScanOptions& options, const std::stop_token& stop)
      : options_(options), stop_(stop) {}

  Result<ScanResult> run(const Root& root) {
    rules_.push_exclude(root);
    scan_folder(root.descriptor(), "", 0);
    if (stop_.stop_requested()) return fail(ErrorCode::kCancelled, "scan: cancelled");
    const auto by_path = [](const auto& a, const auto& b) { return a.path < b.path; };
    std::sort(result_.files.begin(), result_.files.end(), by_path);
    std::sort(result_.skipped.begin(), result_.skipped.end(), by_path);
    std::sort(result_.folders.begin(), result_.folders.end());
    return std::move(result_);
  }

 private:
  void skip(const std::string& path, LeftOut reason, std::string detail) {
    ++result_.n_skipped;
    if (result_.skipped.size() < options_.max_skipped) {
      result_.skipped.push_back({shown(path), reason, std::move(detail)});
    }
  }

  // Sorted, so that limits always cut the same files off. Nothing when the folder is unreadable.
  static std::optional<std::vector<std::string>> names_in(int folder) {
    // A descriptor of its own: reading moves its position.
    UniqueFd own(::openat(folder, ".", O_RDONLY | O_CLOEXEC | O_DIRECTORY));
    if (!own.is_open()) return std::nullopt;
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), &::closedir);
    if (!stream) return std::nullopt;
    own.release();
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(stream.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  // `path` is "" or ends with '/'. Recursion ends at options_.max_depth.
  void scan_folder(int folder, const std::string& path, std::size_t depth) {
    const auto names = names_in(folder);
    if (!names) return skip(path, LeftOut::kUnreadable, system_error(errno));
    result_.folders.push_back(path.substr(0, path.size() - (path.empty() ? 0 : 1)));
    rules_.push(folder, path);
    for (const std::string& name : *names) {
      if (stop_.stop_requested()) break;
      visit(folder, path + name, name, depth);
    }
    rules_.pop();
  }

  void visit(int folder, const std::string& path, const std::string& name, std::size_t depth) {
    struct stat status {};
    if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return skip(path, LeftOut::kUnreadable, system_error(errno));
    }
    const bool is_folder = S_ISDIR(status.st_mode);
    const std::string slashed = is_folder ? path + "/" : path;
    if (auto judgement = judge_entry(name, path, status, rules_, options_)) {
      return skip(slashed, judgement->reason, std::move(judgement->detail));
    }
    if (is_folder) {
      if (depth + 1 >= options_.max_depth) {
        return skip(
            slashed, LeftOut::kTooDeep, "below " + std::to_string(options_.max_depth) + " folders");
      }
      const UniqueFd inner = open_below(folder, name, O_DIRECTORY);
      if (!inner.is_open()) return skip(slashed, LeftOut::kUnreadable, system_error(errno));
      return scan_folder(inner.get(), slashed, depth + 1);
    }
    if (result_.files.size() >= options_.max_files) {
      return skip(path,
                  LeftOut::kTooMany,
                  "past the first " + std::to_string(options_.max_files) + " files");
    }
    result_.files.push_back({path,
                             static_cast<std::uint64_t>(status.st_size),
                             nanoseconds(status.st_mtim),
                             stamp_of(status)});
  }

  const ScanOptions& options_;
  const std::stop_token& stop_;
  RuleStack rules_;
  ScanResult result_;
};

// The components of a path below the root, or an error that names it.
Result<std::vector<std::string>> components(std::string_view path) {
  std::vector<std::string> parts;
  for (std::string_view rest = path;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part.empty() || part == "." || part == ".." || part.find('\0') != std::string_view::npos) {
      return fail(ErrorCode::kInvalidArgument,
                  shown(path) + ": not a path below the root (no empty, \".\" or \"..\" parts)");
    }
    parts.emplace_back(part);
    if (slash == std::string_view::npos) return parts;
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace

std::string_view name_of(LeftOut reason) {
  return kReasonNames.at(static_cast<std::size_t>(reason));
}

Result<Root> Root::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  if (!fd.is_open()) {
    const int error = errno;
    if (error == ENOENT) return fail(ErrorCode::kNotFound, path + ": no such folder");
    if (error == ENOTDIR) return fail(ErrorCode::kInvalidArgument, path + ": not a folder");
    return fail(ErrorCode::kIo, path + ": " + system_error(error));
  }
  return Root(std::move(fd));
}

Result<std::string> Root::read(std::string_view path, std::uint64_t max_bytes) const {
  return TRY(read_stamped(path, max_bytes)).text;
}

Result<StampedText> Root::read_stamped(std::string_view path, std::uint64_t max_bytes) const {
  const auto parts = TRY(components(path));
  UniqueFd folder;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    const int above = i == 0 ? descriptor() : folder.get();
    UniqueFd inner = open_below(above, parts[i], O_DIRECTORY);
    if (!inner.is_open()) {
      const int error = errno;
      if (error == ENOENT) return fail(ErrorCode::kNotFound, shown(path) + ": no such file");
      if (error == ELOOP || error == ENOTDIR) {
        return fail(ErrorCode::kUnsupported, shown(path) + ": leads through a link or a file");
      }
      return fail(ErrorCode::kIo, shown(path) + ": " + system_error(error));
    }
    folder = std::move(inner);
  }
  const int last = folder.is_open() ? folder.get() : descriptor();
  return read_below(last, parts.back(), max_bytes, shown(path));
}

Result<ScanResult> scan(const Root& root, const ScanOptions& options, const std::stop_token& stop) {
  return Scanner(options, stop).run(root);
}

Result<std::optional<SkippedPath>> explain(const Root& root,
                                           std::string_view path,
                                           const ScanOptions& options) {
  const auto parts = TRY(components(path));
  RuleStack rules;
  rules.push_exclude(root);
  UniqueFd folder;
  std::string so_far;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const int above = i == 0 ? root.descriptor() : folder.get();
    rules.push(above, so_far);
    so_far += parts[i];
    struct stat status {};
    if (::fstatat(above, parts[i].c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return fail(errno == ENOENT || errno == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo,
                  shown(so_far) + ": " + system_error(errno));
    }
    const bool is_folder = S_ISDIR(status.st_mode);
    if (auto judgement = judge_entry(parts[i], so_far, status, rules, options)) {
      return SkippedPath{
          shown(so_far) + (is_folder ? "/" : ""), judgement->reason, std::move(judgement->detail)};
    }
    if (!is_folder) {
      if (i + 1 < parts.size()) return fail(ErrorCode::kNotFound, shown(path) + ": no such file");
      const auto text = read_below(above, parts[i], options.max_file_bytes, shown(path));
      if (!text) return SkippedPath{shown(path), LeftOut::kUnreadable, text.error().message};
      return judge_content(path, text->text);
    }
    if (i + 1 >= options.max_depth) {
      return SkippedPath{shown(so_far) + "/",
                         LeftOut::kTooDeep,
                         "below " + std::to_string(options.max_depth) + " folders"};
    }
    folder = open_below(above, parts[i], O_DIRECTORY);
    if (!folder.is_open()) {
      return SkippedPath{shown(so_far) + "/", LeftOut::kUnreadable, system_error(errno)};
    }
    so_far += '/';
  }
  return std::optional<SkippedPath>();
}

}  // namespace kinglet::indexer
