// How a repository's C and C++ files are compiled: from its compilation databases, found as clangd
// finds them, and guessed where there is none. Nothing is run for it, and no file outside the root
// is read.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"

namespace kinglet::indexer::clang {

/// How sure a command is.
enum class CommandSource : std::uint8_t {
  kDatabase,  // the file's own
  kSibling,   // of the file nearest to it that has one
  kInferred,  // no database: a language version and the likely include folders
};

struct CompileCommand {
  std::vector<std::string> flags;  // past filter_flags()
  CommandSource source = CommandSource::kInferred;
};

/// By the file's ending.
bool is_c_family(std::string_view path);
bool is_header(std::string_view path);

/// One compile_commands.json or compile_flags.txt.
class CompilationDatabase {
 public:
  /// `text` of compile_commands.json. Commands of files outside the root are left out, as is what
  /// is not well formed. Errors: kCorrupt when it is no JSON list.
  static Result<CompilationDatabase> parse_commands(std::string_view text, const std::string& root);
  /// `text` of compile_flags.txt, one flag a line, for all files below `folder` (absolute).
  static CompilationDatabase parse_flags(std::string_view text,
                                         const std::string& root,
                                         const std::string& folder);

  /// Files with a command of their own; relative to the root, sorted.
  std::vector<std::string> files() const;
  std::optional<CompileCommand> command_for(const std::string& path) const;

 private:
  friend class CommandHandler;
  std::uint32_t intern(std::vector<std::string> flags);

  std::map<std::string, std::uint32_t> flags_of_;  // by path; numbers of flag_lists_
  std::vector<std::vector<std::string>> flag_lists_;
  std::map<std::vector<std::string>, std::uint32_t> interned_;
  bool is_for_all_ = false;
};

/// The databases of one root, read when a file first asks for them.
class CompileCommands {
 public:
  /// `root` is absolute, its links resolved.
  explicit CompileCommands(std::string root) : root_(std::move(root)) {}

  /// In the nearest folder above the file that has a database. Looked for in each folder:
  /// compile_commands.json there and in build/, compile_flags.txt, and compile_commands.json in
  /// common build folders (cmake-build-*, builddir, out, build/*, out/*). A database may be a link
  /// that leads to another place below the root.
  CompileCommand command_for(const std::string& path);

  /// Those of `paths` (and of what databases above them name) that have a command of their own;
  /// sorted.
  std::vector<std::string> units(std::span<const std::string> paths);

  /// Databases that were found and are of no use, for people: "build/compile_commands.json: …".
  const std::vector<std::string>& problems() const { return problems_; }

  static constexpr std::size_t kMaxDatabaseBytes = std::size_t{64} << 20;

 private:
  const CompilationDatabase* database_in(const std::string& folder);
  const CompilationDatabase* database_above(const std::string& path);
  std::unique_ptr<CompilationDatabase> read(const std::string& file);
  CompileCommand infer(const std::string& path) const;

  std::string root_;
  std::map<std::string, std::unique_ptr<CompilationDatabase>> by_folder_;  // null: none there
  std::vector<std::string> problems_;
};

}  // namespace kinglet::indexer::clang
