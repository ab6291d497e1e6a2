// Parsing with libclang. For a worker process alone: what is parsed here may end or hang it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "indexer/clang/library.h"

namespace kinglet::indexer::clang {

/// A file's text as an editor has it.
struct UnsavedText {
  std::string path;  // relative to the root
  std::string text;
};

struct UnitRequest {
  std::string root;                // absolute; links in it are resolved
  std::string path;                // of the main file, relative to the root
  std::vector<std::string> flags;  // as filter_flags() lets them through
  std::vector<UnsavedText> unsaved;
};

/// A parsed unit. The session that made it outlives it.
class TranslationUnit {
 public:
  TranslationUnit(TranslationUnit&& other) noexcept;
  TranslationUnit& operator=(TranslationUnit&&) = delete;
  TranslationUnit(const TranslationUnit&) = delete;
  TranslationUnit& operator=(const TranslationUnit&) = delete;
  ~TranslationUnit();

  const Library& library() const { return library_; }
  CXTranslationUnit get() const { return unit_; }
  /// With '/' at its end.
  const std::string& root() const { return root_; }

  /// A file's path: relative to the root if it is below it, else absolute; empty for what is no
  /// file. Its links are resolved.
  std::string path_of(CXFile file) const;
  static bool is_inside(const std::string& path) { return !path.empty() && path[0] != '/'; }

  std::uint32_t n_errors() const;

 private:
  friend class Session;
  TranslationUnit(const Library& library, CXTranslationUnit unit, std::string root)
      : library_(library), unit_(unit), root_(std::move(root)) {}

  const Library& library_;
  CXTranslationUnit unit_;
  std::string root_;
};

/// How much of the functions is parsed.
enum class Bodies : std::uint8_t {
  kAll,
  /// Those of headers only in the first unit of the session that includes them: a quarter of the
  /// time of a C++ repository (leveldb's 39 units: 14.7 instead of 19.8 seconds).
  kOnceInSession,
};

class Session {
 public:
  explicit Session(const Library& library);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// Errors: kUnsupported when libclang makes nothing of it. A unit with errors is a unit.
  Result<TranslationUnit> parse(const UnitRequest& request, Bodies bodies);
  /// The next unit is parsed as the first one.
  void start_over();

 private:
  const Library& library_;
  CXIndex index_ = nullptr;
  CXIndexAction action_ = nullptr;
};

/// Calls `work` on a thread with a stack for deeply nested sources, and waits for it. libclang's
/// own threads of 8 MiB do not hold 10,000 chained `else if`.
/// Errors: kOutOfMemory when there is no room for the stack.
Result<void> run_with_deep_stack(const std::function<void()>& work);

}  // namespace kinglet::indexer::clang
