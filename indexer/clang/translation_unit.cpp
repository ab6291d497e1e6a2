#include "indexer/clang/translation_unit.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include <pthread.h>

namespace kinglet::indexer::clang {

namespace {

/// Address space; only what is used takes memory.
constexpr std::size_t kStackBytes = std::size_t{512} << 20;

}  // namespace

TranslationUnit::TranslationUnit(TranslationUnit&& other) noexcept
    : library_(other.library_),
      unit_(std::exchange(other.unit_, nullptr)),
      root_(std::move(other.root_)) {}

TranslationUnit::~TranslationUnit() {
  if (unit_ != nullptr) library_->clang_disposeTranslationUnit(unit_);
}

std::string TranslationUnit::path_of(CXFile file) const {
  if (file == nullptr) return {};
  std::string path = library_.take(library_->clang_File_tryGetRealPathName(file));
  if (path.empty()) path = library_.take(library_->clang_getFileName(file));
  if (path.find("/.") != std::string::npos) {
    path = std::filesystem::path(path).lexically_normal().string();
  }
  if (path.empty() || path[0] != '/') return {};
  return path.starts_with(root_) ? path.substr(root_.size()) : path;
}

std::uint32_t TranslationUnit::n_errors() const {
  std::uint32_t n_errors = 0;
  const unsigned n = library_->clang_getNumDiagnostics(unit_);
  for (unsigned i = 0; i < n; ++i) {
    CXDiagnostic diagnostic = library_->clang_getDiagnostic(unit_, i);
    if (library_->clang_getDiagnosticSeverity(diagnostic) >= kSeverityError) ++n_errors;
    library_->clang_disposeDiagnostic(diagnostic);
  }
  return n_errors;
}

Session::Session(const Library& library) : library_(library) {
  // Parse on the caller's thread, whose stack we choose.
  ::setenv("LIBCLANG_NOTHREADS", "1", 1);
  start_over();
}

Session::~Session() {
  library_->clang_IndexAction_dispose(action_);
  library_->clang_disposeIndex(index_);
}

void Session::start_over() {
  if (action_ != nullptr) library_->clang_IndexAction_dispose(action_);
  if (index_ != nullptr) library_->clang_disposeIndex(index_);
  index_ = library_->clang_createIndex(/*exclude_pch=*/0, /*show_diagnostics=*/0);
  action_ = library_->clang_IndexAction_create(index_);
}

Result<TranslationUnit> Session::parse(const UnitRequest& request, Bodies bodies) {
  const std::string root = request.root + (request.root.ends_with('/') ? "" : "/");
  std::vector<std::string> arguments = request.flags;
  arguments.push_back("-working-directory=" + root);
  // Warnings are the compiler's business; a unit full of errors still says much.
  arguments.insert(arguments.end(), {"-w", "-ferror-limit=0", "-fno-spell-checking"});
  if (!library_.resource_folder().empty()) {
    arguments.insert(arguments.end(), {"-resource-dir", library_.resource_folder()});
  }
  std::vector<const char*> pointers;
  pointers.reserve(arguments.size());
  for (const auto& argument : arguments)
    pointers.push_back(argument.c_str());
  std::vector<std::string> unsaved_paths;
  for (const auto& unsaved : request.unsaved)
    unsaved_paths.push_back(root + unsaved.path);
  std::vector<CXUnsavedFile> unsaved_files;
  for (std::size_t i = 0; i < unsaved_paths.size(); ++i) {
    const std::string& text = request.unsaved[i].text;
    unsaved_files.push_back({unsaved_paths[i].c_str(), text.data(), text.size()});
  }
  IndexerCallbacks callbacks{};
  CXTranslationUnit unit = nullptr;
  const std::string path = root + request.path;
  int failed = 0;
  if (unsaved_files.empty()) {
    failed = library_->clang_indexSourceFile(
        action_,
        nullptr,
        &callbacks,
        sizeof callbacks,
        kSuppressWarnings | (bodies == Bodies::kOnceInSession ? kSkipParsedBodiesInSession : 0U),
        path.c_str(),
        pointers.data(),
        static_cast<int>(pointers.size()),
        nullptr,
        0,
        &unit,
        kDetailedPreprocessingRecord | kKeepGoing);
  } else {
    // clang_indexSourceFile() frees unsaved texts when it returns, and its unit still points to
    // them and frees them again.
    failed = library_->clang_parseTranslationUnit2(index_,
                                                   path.c_str(),
                                                   pointers.data(),
                                                   static_cast<int>(pointers.size()),
                                                   unsaved_files.data(),
                                                   static_cast<unsigned>(unsaved_files.size()),
                                                   kDetailedPreprocessingRecord | kKeepGoing,
                                                   &unit);
  }
  if (unit == nullptr) {
    return fail(ErrorCode::kUnsupported,
                "libclang makes nothing of " + request.path + " (its error " +
                    std::to_string(failed) + ").");
  }
  return TranslationUnit(library_, unit, root);
}

Result<void> run_with_deep_stack(const std::function<void()>& work) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_t thread{};
  const int error = pthread_create(
      &thread,
      &attributes,
      [](void* argument) -> void* {
        (*static_cast<const std::function<void()>*>(argument))();
        return nullptr;
      },
      const_cast<std::function<void()>*>(&work));
  pthread_attr_destroy(&attributes);
  if (error != 0) return fail(ErrorCode::kOutOfMemory, "There is no room for a thread's stack.");
  pthread_join(thread, nullptr);
  return {};
}

}  // namespace kinglet::indexer::clang
