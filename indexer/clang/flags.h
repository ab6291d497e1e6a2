// What of a compiler's command line reaches libclang. A repository's compile_commands.json was
// written by strangers: flags there can load plugins, write files and crash the parser. So what
// passes is on a list; everything else is dropped without a word.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::indexer::clang {

/// Where a command runs.
struct CommandPlace {
  std::string root;    // absolute
  std::string folder;  // absolute
};

/// A command line as its arguments, as a POSIX shell splits it: quotes and backslashes, and nothing
/// else of a shell; "$(x)" and "a;b" are text.
std::vector<std::string> split_command(std::string_view command);

/// The flags of a command line that change what a source means: include folders, macros, the
/// language and its version, and switches like -fno-exceptions. `arguments` may begin with a
/// compiler, and wrappers before it. Dropped: all files named, everything that reads, writes or
/// runs something else (response files, plugins, -Xclang, -o, -B, --sysroot and -resource-dir, …),
/// include folders that are neither below the root nor the system's (is_system_folder()), forced
/// includes from outside the root, and what is not known. Filtering twice is filtering once.
std::vector<std::string> filter_flags(std::span<const std::string> arguments,
                                      const CommandPlace& place);

/// Folders of installed headers: /usr, /opt, /nix/store, /gnu/store, without "..".
bool is_system_folder(std::string_view path);

/// `path` made absolute against `folder`, without "." and ".." parts; links are not looked at.
std::string make_absolute(std::string_view path, std::string_view folder);

/// Whether `path` is `folder` or lies below it. Both absolute, without "..".
bool is_below(std::string_view path, std::string_view folder);

}  // namespace kinglet::indexer::clang
