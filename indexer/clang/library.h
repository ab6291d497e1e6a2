// libclang, loaded when it is wanted and there. It is a suggestion, not a dependency: everything
// builds and runs without it, and answers about C and C++ stay syntactic.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "daemon/base/result.h"
#include "indexer/clang/api.h"

namespace kinglet::indexer::clang {

/// What to install on Debian: the library, and the headers that belong to the compiler itself
/// (stddef.h, immintrin.h).
inline constexpr const char* kPackages = "libclang1-19 libclang-common-19-dev";

/// Only for a process that may die: what libclang parses can end it.
class Library {
 public:
  /// The names to try, the best first.
  static std::span<const char* const> names();

  /// Loads the first of `names` that is there and complete.
  /// Errors: kNotFound, with the packages that turn semantics on.
  static Result<std::unique_ptr<const Library>> load(
      std::span<const char* const> names = Library::names());

  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  /// The library stays loaded: LLVM's static objects do not survive dlclose() on every version.
  ~Library() = default;

  const Api* operator->() const { return &api_; }
  /// "Debian clang version 19.1.7".
  const std::string& version() const { return version_; }
  /// The compiler's own headers, for -resource-dir; empty when they are not installed.
  const std::string& resource_folder() const { return resource_folder_; }

  /// The text, released.
  std::string take(CXString text) const;

 private:
  Library() = default;

  Api api_;
  std::string version_;
  std::string resource_folder_;
};

}  // namespace kinglet::indexer::clang
