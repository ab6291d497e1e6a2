#include "indexer/clang/compile_commands.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "daemon/base/unique_fd.h"
#include "indexer/clang/flags.h"

namespace kinglet::indexer::clang {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxCommands = 200'000;
constexpr std::size_t kMaxBuildFolders = 32;  // of one folder
constexpr std::size_t kMaxProblems = 20;

constexpr auto kSourceEndings =
    std::to_array<std::string_view>({".c", ".cc", ".cpp", ".cxx", ".c++", ".C"});
constexpr auto kHeaderEndings =
    std::to_array<std::string_view>({".h", ".hh", ".hpp", ".hxx", ".h++", ".H", ".ipp", ".inl"});

bool has_ending(std::string_view path, std::span<const std::string_view> endings) {
  return std::ranges::any_of(endings, [&](std::string_view ending) {
    return path.size() > ending.size() && path.ends_with(ending);
  });
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view stem_of(std::string_view path) {
  path.remove_prefix(path.rfind('/') + 1);
  return path.substr(0, path.find('.'));
}

/// How near a file is to another: the same stem says most, then folders in common.
std::size_t nearness(std::string_view a, std::string_view b) {
  std::size_t n_common = 0;
  for (std::size_t i = 0; i < a.size() && i < b.size() && a[i] == b[i]; ++i) {
    if (a[i] == '/') ++n_common;
  }
  return n_common + (stem_of(a) == stem_of(b) ? 1000 : 0) + (folder_of(a) == folder_of(b) ? 1 : 0);
}

/// A regular file below the root, links resolved.
Result<std::string> read_inside(const std::string& file, const std::string& root) {
  std::error_code error;
  const std::string real = fs::canonical(file, error).string();
  if (error) return fail(ErrorCode::kNotFound, "not there");
  if (!is_below(real, root)) return fail(ErrorCode::kUnsupported, "a link out of the root");
  const UniqueFd fd(::open(real.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!fd.is_open() || ::fstat(fd.get(), &status) != 0) {
    return fail(ErrorCode::kIo, std::generic_category().message(errno));
  }
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kUnsupported, "not a regular file");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > CompileCommands::kMaxDatabaseBytes) {
    return fail(ErrorCode::kUnsupported, "larger than 64 MiB");
  }
  std::string text(size, '\0');
  std::size_t n_read = 0;
  while (n_read < size) {
    const ssize_t n = ::read(fd.get(), text.data() + n_read, size - n_read);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    n_read += static_cast<std::size_t>(n);
  }
  text.resize(n_read);
  return text;
}

/// Without -x: the language of another file's command is not this one's.
void drop_language(std::vector<std::string>& flags) {
  std::erase_if(flags, [](const std::string& flag) { return flag.starts_with("-x"); });
}

bool is_c_source(std::string_view path) {
  return path.ends_with(".c");
}

}  // namespace

bool is_header(std::string_view path) {
  return has_ending(path, kHeaderEndings);
}

bool is_c_family(std::string_view path) {
  return has_ending(path, kSourceEndings) || is_header(path);
}

/// Takes the database's strings as they come, without a tree of it: a hostile one may nest for ever
/// and hold anything. Entry: depth 2 (list, object); its arguments: depth 3.
class CommandHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  CommandHandler(CompilationDatabase& database, const std::string& root)
      : database_(database), root_(root) {}

  bool is_list() const { return is_list_; }

  bool null() override { return scalar(); }
  bool boolean(bool) override { return scalar(); }
  bool number_integer(number_integer_t) override { return scalar(); }
  bool number_unsigned(number_unsigned_t) override { return scalar(); }
  bool number_float(number_float_t, const string_t&) override { return scalar(); }
  bool binary(binary_t&) override { return scalar(); }

  bool string(string_t& text) override {
    if (depth_ == 2 && key_ == "directory") {
      folder_ = std::move(text);
    } else if (depth_ == 2 && key_ == "file") {
      file_ = std::move(text);
    } else if (depth_ == 2 && key_ == "command") {
      arguments_ = split_command(text);
    } else if (depth_ == 3 && key_ == "arguments" && is_arguments_) {
      arguments_.push_back(std::move(text));
    }
    return true;
  }
  bool start_object(std::size_t) override {
    if (depth_ == 0) return false;
    if (++depth_ == 2) {
      folder_.clear();
      file_.clear();
      arguments_.clear();
    }
    return true;
  }
  bool key(string_t& text) override {
    if (depth_ == 2) key_ = std::move(text);
    return true;
  }
  bool end_object() override {
    if (depth_-- == 2) take_entry();
    return database_.flags_of_.size() < kMaxCommands;
  }
  bool start_array(std::size_t) override {
    is_list_ = true;
    is_arguments_ = ++depth_ == 3 && key_ == "arguments";
    if (is_arguments_) arguments_.clear();
    return true;
  }
  bool end_array() override {
    is_arguments_ = false;
    --depth_;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool scalar() const { return depth_ > 0; }

  void take_entry() {
    if (file_.empty() || file_.find('\0') != std::string::npos) return;
    const std::string folder = make_absolute(folder_, root_);
    const std::string file = make_absolute(file_, folder);
    if (!is_below(file, root_) || file == root_ || !is_c_family(file)) return;
    auto flags = filter_flags(arguments_, {root_, folder});
    // The first one counts: other configurations of the same file come later.
    database_.flags_of_.try_emplace(file.substr(root_.size() + 1),
                                    database_.intern(std::move(flags)));
  }

  CompilationDatabase& database_;
  const std::string& root_;
  int depth_ = 0;
  bool is_list_ = false;
  bool is_arguments_ = false;
  std::string key_;
  std::string folder_;
  std::string file_;
  std::vector<std::string> arguments_;
};

// ---- one database

std::uint32_t CompilationDatabase::intern(std::vector<std::string> flags) {
  const auto [known, is_new] =
      interned_.try_emplace(flags, static_cast<std::uint32_t>(flag_lists_.size()));
  if (is_new) flag_lists_.push_back(std::move(flags));
  return known->second;
}

Result<CompilationDatabase> CompilationDatabase::parse_commands(std::string_view text,
                                                                const std::string& root) {
  CompilationDatabase database;
  CommandHandler handler(database, root);
  const bool is_whole = nlohmann::json::sax_parse(text, &handler);
  if (!handler.is_list()) return fail(ErrorCode::kCorrupt, "not a JSON list of commands");
  // Of a database that breaks off, the commands before count: builds write while we read.
  if (!is_whole && database.flags_of_.empty()) {
    return fail(ErrorCode::kCorrupt, "not well-formed JSON");
  }
  database.interned_.clear();
  return database;
}

CompilationDatabase CompilationDatabase::parse_flags(std::string_view text,
                                                     const std::string& root,
                                                     const std::string& folder) {
  std::vector<std::string> arguments;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' '))
      line.remove_suffix(1);
    if (!line.empty()) arguments.emplace_back(line);
  }
  CompilationDatabase database;
  database.is_for_all_ = true;
  database.intern(filter_flags(arguments, {root, folder}));
  return database;
}

std::vector<std::string> CompilationDatabase::files() const {
  std::vector<std::string> files;
  for (const auto& [path, flags] : flags_of_)
    files.push_back(path);
  return files;
}

std::optional<CompileCommand> CompilationDatabase::command_for(const std::string& path) const {
  if (is_for_all_) return CompileCommand{flag_lists_[0], CommandSource::kDatabase};
  const auto own = flags_of_.find(path);
  if (own != flags_of_.end()) {
    return CompileCommand{flag_lists_[own->second], CommandSource::kDatabase};
  }
  const std::pair<const std::string, std::uint32_t>* nearest = nullptr;
  std::size_t best = 0;
  for (const auto& entry : flags_of_) {
    // A C file's command says little of a C++ one; a header goes with either.
    if (!is_header(path) && is_c_source(path) != is_c_source(entry.first)) continue;
    const std::size_t near = nearness(path, entry.first);
    if (nearest != nullptr && near <= best) continue;
    nearest = &entry;
    best = near;
  }
  if (nearest == nullptr) return std::nullopt;
  CompileCommand command{flag_lists_[nearest->second], CommandSource::kSibling};
  if (is_header(path)) {
    drop_language(command.flags);
    command.flags.emplace_back(is_c_source(nearest->first) ? "-xc-header" : "-xc++-header");
  }
  return command;
}

// ---- the databases of a root

std::unique_ptr<CompilationDatabase> CompileCommands::read(const std::string& file) {
  auto text = read_inside(file, root_);
  if (!text && text.error().code == ErrorCode::kNotFound) return nullptr;
  auto database = std::move(text).and_then([&](std::string read) -> Result<CompilationDatabase> {
    if (file.ends_with(".json")) return CompilationDatabase::parse_commands(read, root_);
    return CompilationDatabase::parse_flags(read, root_, std::string(folder_of(file)));
  });
  if (database) return std::make_unique<CompilationDatabase>(*std::move(database));
  if (problems_.size() < kMaxProblems) {
    problems_.push_back(file.substr(root_.size() + 1) + ": " + database.error().message);
  }
  return nullptr;
}

const CompilationDatabase* CompileCommands::database_in(const std::string& folder) {
  const auto known = by_folder_.find(folder);
  if (known != by_folder_.end()) return known->second.get();
  std::vector<std::string> files = {"compile_commands.json",
                                    "build/compile_commands.json",
                                    "compile_flags.txt",
                                    "builddir/compile_commands.json",
                                    "out/compile_commands.json"};
  const auto add_folders = [&](const std::string& in, std::string_view prefix) {
    std::vector<std::string> found;
    std::error_code error;
    for (fs::directory_iterator entry(folder + "/" + in, error), end; !error && entry != end;
         entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      std::error_code ignored;
      if (name.starts_with(prefix) && entry->is_directory(ignored) && !entry->is_symlink(ignored)) {
        found.push_back((in.empty() ? "" : in + "/") + name + "/compile_commands.json");
      }
    }
    std::ranges::sort(found);
    found.resize(std::min(found.size(), kMaxBuildFolders));
    files.insert(files.end(), found.begin(), found.end());
  };
  add_folders("", "cmake-build-");
  add_folders("build", "");
  add_folders("out", "");
  std::unique_ptr<CompilationDatabase> database;
  for (const auto& file : files) {
    database = read(folder + "/" + file);
    if (database) break;
  }
  return by_folder_.emplace(folder, std::move(database)).first->second.get();
}

const CompilationDatabase* CompileCommands::database_above(const std::string& path) {
  std::string folder = root_ + "/" + path;
  while (folder.size() > root_.size()) {
    folder.resize(folder.rfind('/'));
    if (folder.size() < root_.size()) break;
    if (const auto* database = database_in(folder)) return database;
  }
  return nullptr;
}

CompileCommand CompileCommands::command_for(const std::string& path) {
  if (const auto* database = database_above(path)) {
    if (auto command = database->command_for(path)) return *std::move(command);
  }
  return infer(path);
}

std::vector<std::string> CompileCommands::units(std::span<const std::string> paths) {
  std::set<std::string> units;
  std::set<const CompilationDatabase*> seen;
  for (const auto& path : paths) {
    const auto* database = is_c_family(path) ? database_above(path) : nullptr;
    if (database == nullptr) continue;
    if (seen.insert(database).second) {
      for (auto& file : database->files())
        units.insert(std::move(file));
    }
    const auto command = database->command_for(path);
    if (command && command->source == CommandSource::kDatabase && !is_header(path)) {
      units.insert(path);
    }
  }
  return {units.begin(), units.end()};
}

CompileCommand CompileCommands::infer(const std::string& path) const {
  CompileCommand command;
  command.flags.emplace_back(is_c_source(path) ? "-std=c17" : "-std=c++20");
  if (is_header(path)) command.flags.emplace_back("-xc++-header");
  // From the file's folder up to the root: each, and what it calls its include folder.
  std::string folder = root_ + "/" + path;
  while (folder.size() > root_.size()) {
    folder.resize(folder.rfind('/'));
    if (folder.size() < root_.size()) break;
    std::error_code error;
    for (const char* name : {"", "/include", "/src", "/inc"}) {
      std::string include = folder + name;
      if (fs::is_directory(include, error)) command.flags.push_back("-I" + std::move(include));
    }
  }
  return command;
}

}  // namespace kinglet::indexer::clang
