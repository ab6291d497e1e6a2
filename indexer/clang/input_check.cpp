#include "indexer/clang/input_check.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/unique_fd.h"
#include "indexer/clang/flags.h"

namespace kinglet::indexer::clang {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxFiles = 20'000;
constexpr std::size_t kMaxFileBytes = std::size_t{16} << 20;

struct Include {
  std::string name;
  bool is_quoted = false;
};

std::string_view skip_blanks(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(" \t"), text.size()));
}

/// `#include <name>` and its kin. Comments and inactive parts are not told apart: a file that is
/// named there is looked at in vain.
std::vector<Include> includes_of(std::string_view text) {
  static constexpr auto kDirectives =
      std::to_array<std::string_view>({"include_next", "include", "import", "embed"});
  std::vector<Include> includes;
  for (std::size_t at = text.find('#'); at != std::string_view::npos; at = text.find('#', at + 1)) {
    std::string_view rest = skip_blanks(text.substr(at + 1));
    const auto directive = std::ranges::find_if(
        kDirectives, [&](std::string_view candidate) { return rest.starts_with(candidate); });
    if (directive == kDirectives.end()) continue;
    rest = skip_blanks(rest.substr(directive->size()));
    if (rest.empty() || (rest[0] != '"' && rest[0] != '<')) continue;
    const std::size_t end = rest.find(rest[0] == '"' ? '"' : '>', 1);
    if (end == std::string_view::npos || end > 4096) continue;
    const std::string_view name = rest.substr(1, end - 1);
    if (name.find('\n') == std::string_view::npos && !name.empty()) {
      includes.push_back({std::string(name), rest[0] == '"'});
    }
  }
  return includes;
}

std::optional<std::string> read_regular(const std::string& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!fd.is_open() || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  std::string text(std::min<std::size_t>(static_cast<std::size_t>(status.st_size), kMaxFileBytes),
                   '\0');
  const ssize_t n = ::read(fd.get(), text.data(), text.size());
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return text;
}

class Checker {
 public:
  explicit Checker(const UnitRequest& request) : request_(request) {
    for (std::size_t i = 0; i < request.flags.size(); ++i) {
      const std::string& flag = request.flags[i];
      if (flag.starts_with("-I")) folders_.push_back(flag.substr(2));
      const bool has_value = i + 1 < request.flags.size();
      if (has_value && (flag == "-iquote" || flag == "-isystem" || flag == "-idirafter")) {
        folders_.push_back(request.flags[++i]);
      } else if (has_value && (flag == "-include" || flag == "-imacros")) {
        waiting_.push_back(request.flags[++i]);
      }
    }
    waiting_.push_back(make_absolute(request.path, request.root));
  }

  Result<void> run() {
    while (!waiting_.empty()) {
      const std::string file = std::move(waiting_.back());
      waiting_.pop_back();
      if (!seen_.insert(file).second) continue;
      if (seen_.size() > kMaxFiles) {
        return fail(ErrorCode::kUnsupported, request_.path + " includes too many files.");
      }
      TRY(check(file));
    }
    return {};
  }

 private:
  const std::string* unsaved_text(const std::string& file) const {
    for (const auto& unsaved : request_.unsaved) {
      if (file == make_absolute(unsaved.path, request_.root)) return &unsaved.text;
    }
    return nullptr;
  }

  Result<void> check(const std::string& file) {
    if (const std::string* unsaved = unsaved_text(file)) {
      follow(file, *unsaved);
      return {};
    }
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) return {};  // the parser's error
    if (!S_ISREG(status.st_mode)) {
      return fail(ErrorCode::kUnsupported,
                  request_.path + " reads " + file + ", which is not a regular file.");
    }
    std::error_code error;
    const std::string real = fs::canonical(file, error).string();
    const bool is_inside = !error && is_below(real, request_.root);
    if (!is_inside && !is_system_folder(real)) {
      return fail(ErrorCode::kUnsupported,
                  request_.path + " reads " + real +
                      ", which is neither in the repository nor a system header.");
    }
    if (!is_inside) return {};
    if (const auto text = read_regular(real)) follow(file, *text);
    return {};
  }

  /// Every place where an include may be found: which one the parser takes depends on more than we
  /// see.
  void follow(const std::string& file, std::string_view text) {
    const std::string own_folder = fs::path(file).parent_path().string();
    for (const Include& include : includes_of(text)) {
      if (include.is_quoted) add(make_absolute(include.name, own_folder));
      if (include.name[0] == '/') add(make_absolute(include.name, "/"));
      for (const std::string& folder : folders_) {
        if (is_below(folder, request_.root)) add(make_absolute(include.name, folder));
      }
    }
  }

  void add(std::string file) {
    struct stat status {};
    if (seen_.contains(file) || ::stat(file.c_str(), &status) != 0) return;
    if (S_ISDIR(status.st_mode)) return;  // passed over by the parser, too
    waiting_.push_back(std::move(file));
  }

  const UnitRequest& request_;
  std::vector<std::string> folders_;
  std::vector<std::string> waiting_;
  std::set<std::string> seen_;
};

}  // namespace

Result<void> check_inputs(const UnitRequest& request) {
  return Checker(request).run();
}

bool limit_reading(const std::string& root, const std::vector<std::string>& more_folders) {
  // The first version's rights; later ones only add what a reader does not need.
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs =
      LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
      LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
      LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
      LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
      LANDLOCK_ACCESS_FS_MAKE_SYM;
  const UniqueFd rules(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!rules.is_open()) return false;
  std::vector<std::string> folders = {root, "/usr", "/opt", "/nix/store", "/gnu/store"};
  folders.insert(folders.end(), more_folders.begin(), more_folders.end());
  for (const std::string& folder : folders) {
    const UniqueFd fd(::open(folder.c_str(), O_PATH | O_CLOEXEC));
    if (!fd.is_open()) continue;
    landlock_path_beneath_attr rule{};
    rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    rule.parent_fd = fd.get();
    ::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  }
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return ::syscall(SYS_landlock_restrict_self, rules.get(), 0) == 0;
}

}  // namespace kinglet::indexer::clang
