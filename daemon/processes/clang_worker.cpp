#include "daemon/processes/clang_worker.h"

#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <spdlog/spdlog.h>

#include "daemon/base/cpu_time.h"
#include "daemon/processes/worker_loop.h"
#include "daemon/wire/messages.h"
#include "indexer/clang/compile_commands.h"
#include "indexer/clang/hover.h"
#include "indexer/clang/input_check.h"
#include "indexer/clang/library.h"
#include "indexer/clang/translation_unit.h"
#include "indexer/clang/unit_record.h"
#include "indexer/record.h"
#include "indexer/scan.h"

namespace kinglet::daemon {

namespace clang = indexer::clang;

namespace {

/// Heap and stacks together; the deep stack's address space counts, used or not.
constexpr rlim_t kMaxDataBytes = rlim_t{1536} << 20;
/// Somebody is compiling while we index.
constexpr int kNiceness = 5;
constexpr std::uint64_t kMaxMainBytes = 8 << 20;

std::string hash_bytes(std::string_view text) {
  const auto hash = indexer::hash_content(text);
  std::string bytes(16, '\0');
  std::memcpy(bytes.data(), &hash.high, 8);
  std::memcpy(bytes.data() + 8, &hash.low, 8);
  return bytes;
}

/// All of it belongs to the computing thread.
class ClangWorker {
 public:
  Result<void> handle(const wire::Frame& frame, wire::Channel& answers) {
    switch (frame.type) {
      case wire::MessageType::kQuarantine: {
        auto quarantine = TRY(wire::decode<wire::Quarantine>(frame));
        for (auto& hash : quarantine.content_hashes)
          quarantine_.insert(std::move(hash));
        return {};
      }
      case wire::MessageType::kClangPlan:
        return plan(frame.request, TRY(wire::decode<wire::ClangPlan>(frame)), answers);
      case wire::MessageType::kClangIndex:
        return index(frame.request, TRY(wire::decode<wire::ClangIndex>(frame)), answers);
      case wire::MessageType::kClangHover:
        return hover(frame.request, TRY(wire::decode<wire::ClangHover>(frame)), answers);
      default:
        return fail(ErrorCode::kUnsupported, "A clang worker does not know this message.");
    }
  }

 private:
  /// The first request's root is this process's, for good.
  Result<void> prepare(const std::string& root) {
    if (!given_root_.empty()) {
      if (root == given_root_) return {};
      return fail(ErrorCode::kInvalidArgument, "This clang worker serves another root.");
    }
    library_ = TRY(clang::Library::load());
    std::error_code error;
    root_ = std::filesystem::canonical(root, error).string();
    if (error) return fail(ErrorCode::kNotFound, "There is no folder " + root + ".");
    given_root_ = root;
    if (!clang::limit_reading(root_, {library_->resource_folder()})) {
      spdlog::info("This kernel has no Landlock: only our own checks keep libclang inside.");
    }
    session_ = std::make_unique<clang::Session>(*library_);
    commands_ = std::make_unique<clang::CompileCommands>(root_);
    return {};
  }

  Result<void> plan(std::uint64_t request, const wire::ClangPlan& wanted, wire::Channel& answers) {
    TRY(prepare(wanted.root));
    commands_ = std::make_unique<clang::CompileCommands>(root_);
    wire::ClangPlanned planned;
    planned.units = commands_->units(wanted.paths);
    planned.problems = commands_->problems();
    return answers.send(request, planned);
  }

  /// The request to libclang, once it is known to be harmless as far as that can be seen.
  Result<clang::UnitRequest> prepare_unit(std::uint64_t request,
                                          const std::string& path,
                                          std::vector<wire::UnsavedFile> unsaved,
                                          const std::vector<std::string>& flags,
                                          wire::Channel& answers) {
    clang::UnitRequest unit{.root = root_, .path = path, .flags = flags, .unsaved = {}};
    const auto folder = TRY(indexer::Root::open(root_));
    // Open files are seldom unlike those on disk, and libclang skips the bodies of system headers
    // only in units without unsaved text: half of the time and of the memory.
    for (auto& file : unsaved) {
      const auto on_disk = folder.read(file.path, kMaxMainBytes);
      if (on_disk && *on_disk == file.text) continue;
      unit.unsaved.push_back({std::move(file.path), std::move(file.text)});
    }
    std::string identity;
    bool is_main_unsaved = false;
    for (const auto& file : unit.unsaved) {
      is_main_unsaved = is_main_unsaved || file.path == path;
      identity += file.path + '\0' + file.text + '\0';
    }
    if (!is_main_unsaved) identity += TRY(folder.read(path, kMaxMainBytes));
    for (const auto& flag : flags)
      identity += '\0' + flag;
    const std::string hash = hash_bytes(identity);
    if (quarantine_.contains(hash)) {
      return fail(ErrorCode::kUnsupported,
                  path + " is left out: with these flags it ended two clang workers.");
    }
    TRY(answers.send(request, wire::ParseBegan{hash}));
    TRY(clang::check_inputs(unit));
    return unit;
  }

  Result<void> index(std::uint64_t request, wire::ClangIndex wanted, wire::Channel& answers) {
    TRY(prepare(wanted.root));
    const auto command = commands_->command_for(wanted.path);
    const auto unit =
        TRY(prepare_unit(request, wanted.path, std::move(wanted.unsaved), command.flags, answers));
    if (wanted.header_bodies == wire::HeaderBodies::kAgain) session_->start_over();
    Result<std::string> record;
    const double begin = thread_seconds();
    double seconds = 0;
    TRY(clang::run_with_deep_stack([&] {
      record = session_->parse(unit, clang::Bodies::kOnceInSession)
                   .map([&](const clang::TranslationUnit& parsed) {
                     return clang::serialize(clang::record_unit(parsed, unit.path));
                   });
      seconds = thread_seconds();
    }));
    seconds += thread_seconds() - begin;
    ::malloc_trim(0);
    if (!record) return tl::unexpected(record.error());
    return answers.send(request,
                        wire::ClangIndexed{.record = *std::move(record),
                                           .source = static_cast<std::uint8_t>(command.source),
                                           .seconds = seconds});
  }

  Result<void> hover(std::uint64_t request, wire::ClangHover wanted, wire::Channel& answers) {
    TRY(prepare(wanted.root));
    const auto command = commands_->command_for(wanted.unit);
    const auto unit =
        TRY(prepare_unit(request, wanted.unit, std::move(wanted.unsaved), command.flags, answers));
    Result<std::optional<clang::HoverText>> text;
    TRY(clang::run_with_deep_stack([&] {
      // A session of its own: what it parses is not to be missing in a record.
      clang::Session session(*library_);
      text =
          session.parse(unit, clang::Bodies::kAll).map([&](const clang::TranslationUnit& parsed) {
            return clang::hover(parsed, wanted.path, wanted.offset);
          });
    }));
    ::malloc_trim(0);
    if (!text) return tl::unexpected(text.error());
    wire::ClangHovered hovered;
    hovered.source = static_cast<std::uint8_t>(command.source);
    if (*text) hovered.text = to_wire(**text);
    return answers.send(request, hovered);
  }

  static wire::HoverText to_wire(const clang::HoverText& text) {
    return {.name = text.name,
            .type = text.type,
            .signature = text.signature,
            .doc = text.doc,
            .declared_path = text.declared.path,
            .declared_line = text.declared.line,
            .declared_column = text.declared.column,
            .key = static_cast<std::uint64_t>(text.key)};
  }

  std::set<std::string> quarantine_;
  std::string given_root_;
  std::string root_;  // its links resolved
  // Each outlives what follows it.
  std::unique_ptr<const clang::Library> library_;
  std::unique_ptr<clang::Session> session_;
  std::unique_ptr<clang::CompileCommands> commands_;
};

}  // namespace

int run_clang_worker(UniqueFd socket) {
  const rlimit data{kMaxDataBytes, kMaxDataBytes};
  ::setrlimit(RLIMIT_DATA, &data);
  (void)::nice(kNiceness);
  ::mallopt(M_ARENA_MAX, 1);
  ClangWorker worker;
  return run_worker(std::move(socket),
                    [&](const wire::Frame& frame, const std::stop_token&, wire::Channel& to) {
                      return worker.handle(frame, to);
                    });
}

}  // namespace kinglet::daemon
