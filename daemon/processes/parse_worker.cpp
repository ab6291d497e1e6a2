#include "daemon/processes/parse_worker.h"

#include <algorithm>
#include <list>
#include <set>
#include <string>
#include <utility>

#include <malloc.h>

#include "daemon/processes/worker_loop.h"
#include "daemon/wire/content_hash.h"
#include "daemon/wire/messages.h"
#include "indexer/history.h"
#include "indexer/ignore_rules.h"
#include "indexer/language.h"
#include "indexer/parse.h"
#include "indexer/parsed_file.h"
#include "indexer/record.h"
#include "indexer/record_version.h"
#include "indexer/scan.h"

namespace kinglet::daemon {

namespace {

/// Found files of one message.
constexpr std::size_t kBatch = 1000;

std::string hash_bytes(std::string_view text) {
  return wire::bytes_of(indexer::hash_content(text));
}

wire::SkippedPath to_wire(const indexer::SkippedPath& skipped) {
  return {.path = skipped.path,
          .reason = std::string(indexer::name_of(skipped.reason)),
          .detail = skipped.detail};
}

/// The user's own patterns, which hold for a path when they match it or a folder above it.
class Exclusions {
 public:
  explicit Exclusions(const std::vector<std::string>& patterns)
      : rules_(joined(patterns), "exclude") {}

  std::optional<wire::SkippedPath> find(const std::string& path) const {
    if (rules_.empty()) return std::nullopt;
    for (std::size_t end = path.find('/'); end != std::string::npos;
         end = path.find('/', end + 1)) {
      if (auto skipped = match(path, path.substr(0, end), true)) return skipped;
    }
    return match(path, path, false);
  }

 private:
  static std::string joined(const std::vector<std::string>& patterns) {
    std::string text;
    for (const auto& pattern : patterns)
      text += pattern + "\n";
    return text;
  }

  std::optional<wire::SkippedPath> match(const std::string& path,
                                         const std::string& part,
                                         bool is_folder) const {
    const auto match = rules_.match(part, is_folder);
    if (!match || !match->is_ignored) return std::nullopt;
    return wire::SkippedPath{path, "excluded", match->rule};
  }

  indexer::IgnoreRules rules_;
};

/// Trees of the documents that were asked for last.
class OpenTexts {
 public:
  indexer::ParsedFile& get(std::uint64_t document, const indexer::Language& language) {
    const auto known = std::find_if(files_.begin(), files_.end(), [&](const File& file) {
      return file.document == document && &file.text.language() == &language;
    });
    if (known != files_.end()) {
      files_.splice(files_.begin(), files_, known);
    } else {
      files_.push_front({document, indexer::ParsedFile(language)});
      if (files_.size() > kMaxFiles) files_.pop_back();
    }
    return files_.front().text;
  }

 private:
  /// A tree takes some ten times its text.
  static constexpr std::size_t kMaxFiles = 4;
  struct File {
    std::uint64_t document;
    indexer::ParsedFile text;
  };
  std::list<File> files_;  // the latest first
};

/// All of it belongs to the computing thread.
class ParseWorker {
 public:
  Result<void> handle(const wire::Frame& frame,
                      const std::stop_token& stop,
                      wire::Channel& answers) {
    switch (frame.type) {
      case wire::MessageType::kQuarantine: {
        auto quarantine = TRY(wire::decode<wire::Quarantine>(frame));
        for (auto& hash : quarantine.content_hashes)
          quarantine_.insert(std::move(hash));
        return {};
      }
      case wire::MessageType::kScan:
        return scan(frame.request, TRY(wire::decode<wire::Scan>(frame)), stop, answers);
      case wire::MessageType::kParse:
        return parse(frame.request, TRY(wire::decode<wire::Parse>(frame)), stop, answers);
      case wire::MessageType::kHashFiles:
        return hash_files(frame.request, TRY(wire::decode<wire::HashFiles>(frame)), stop, answers);
      case wire::MessageType::kReadFile:
        return read_file(frame.request, TRY(wire::decode<wire::ReadFile>(frame)), answers);
      case wire::MessageType::kReadHistory:
        return read_history(
            frame.request, TRY(wire::decode<wire::ReadHistory>(frame)), stop, answers);
      default:
        return fail(ErrorCode::kUnsupported, "A parse worker does not know this message.");
    }
  }

 private:
  Result<void> scan(std::uint64_t request,
                    const wire::Scan& wanted,
                    const std::stop_token& stop,
                    wire::Channel& answers) {
    const auto root = TRY(indexer::Root::open(wanted.root));
    indexer::ScanOptions options;
    options.max_file_bytes = wanted.max_file_bytes;
    options.max_files = wanted.max_files;
    const auto result = TRY(indexer::scan(root, options, stop));
    const Exclusions exclusions(wanted.exclude);
    wire::FilesFound batch;
    wire::Scanned sums{.n_files = 0, .n_skipped = result.n_skipped};
    const auto send_batch = [&](std::size_t at_least) -> Result<void> {
      if (batch.files.size() + batch.skipped.size() + batch.folders.size() < at_least) return {};
      return answers.send(request, std::exchange(batch, {}));
    };
    for (const auto& file : result.files) {
      if (auto excluded = exclusions.find(file.path)) {
        batch.skipped.push_back(std::move(*excluded));
        ++sums.n_skipped;
      } else {
        batch.files.push_back({file.path, file.n_bytes, file.modified_ns, file.stamp});
        ++sums.n_files;
      }
      TRY(send_batch(kBatch));
    }
    for (const auto& skipped : result.skipped) {
      batch.skipped.push_back(to_wire(skipped));
      TRY(send_batch(kBatch));
    }
    for (const auto& folder : result.folders) {
      batch.folders.push_back(folder);
      TRY(send_batch(kBatch));
    }
    TRY(send_batch(1));
    return answers.send(request, sums);
  }

  Result<void> parse(std::uint64_t request,
                     wire::Parse wanted,
                     const std::stop_token& stop,
                     wire::Channel& answers) {
    const bool is_on_disk = !wanted.text;
    const auto [text, stamp] = is_on_disk
                                   ? TRY(read(wanted.root, wanted.path, wanted.max_file_bytes))
                                   : indexer::StampedText{std::move(*wanted.text), 0};
    const std::string hash = hash_bytes(text);
    wire::Parsed parsed{.record = {},
                        .skipped = {},
                        .is_unchanged = false,
                        .stamp = stamp,
                        .record_version = indexer::record_version(),
                        .is_exact = true};
    if (hash == wanted.known_hash) {
      parsed.is_unchanged = true;
      return answers.send(request, parsed);
    }
    if (quarantine_.contains(hash)) {
      return fail(ErrorCode::kUnsupported,
                  wanted.path + " is left out: its content ended two parse workers.");
    }
    TRY(answers.send(request, wire::ParseBegan{hash}));
    if (const auto skipped = indexer::judge_content(wanted.path, text)) {
      parsed.skipped = to_wire(*skipped);
    } else {
      const indexer::Language& language = indexer::language_of(wanted.path, text);
      if (wanted.document == 0) {
        parsed.record = indexer::serialize(TRY(indexer::parse_file(language, text, {}, stop)));
      } else {
        indexer::ParsedFile& file = open_texts_.get(wanted.document, language);
        parsed.record = indexer::serialize(TRY(file.update(text, {}, stop)));
        parsed.is_exact = file.is_exact();
      }
    }
    return answers.send(request, parsed);
  }

  Result<void> read_file(std::uint64_t request,
                         const wire::ReadFile& wanted,
                         wire::Channel& answers) {
    auto read_text = TRY(read(wanted.root, wanted.path, wanted.max_file_bytes));
    return answers.send(request, wire::FileText{std::move(read_text.text)});
  }

  static Result<void> hash_files(std::uint64_t request,
                                 const wire::HashFiles& wanted,
                                 const std::stop_token& stop,
                                 wire::Channel& answers) {
    const auto root = TRY(indexer::Root::open(wanted.root));
    wire::Hashed hashed{.files = {}, .record_version = indexer::record_version()};
    for (const std::string& path : wanted.paths) {
      if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "It was cancelled.");
      wire::HashedFile& file = hashed.files.emplace_back();
      const auto content = root.read_stamped(path, wanted.max_file_bytes);
      if (!content) continue;
      file.content_hash = hash_bytes(content->text);
      file.stamp = content->stamp;
      if (const auto skipped = indexer::judge_content(path, content->text)) {
        file.skipped = to_wire(*skipped);
      } else {
        file.language = indexer::language_of(path, content->text).name;
      }
    }
    return answers.send(request, hashed);
  }

  static Result<void> read_history(std::uint64_t request,
                                   const wire::ReadHistory& wanted,
                                   const std::stop_token& stop,
                                   wire::Channel& answers) {
    const auto head = indexer::head_commit(wanted.root);
    // Most folders without a history never have one: no error, and no line in the log.
    const bool has_none = !head && head.error().code == ErrorCode::kNotFound;
    if (has_none && wanted.known_commit.empty()) return answers.send(request, wire::HistoryRead{});
    if (head && *head == wanted.known_commit) return answers.send(request, wire::HistoryRead{});
    const auto history =
        has_none ? indexer::ChangeHistory() : TRY(indexer::read_history(wanted.root, {}, stop));
    return answers.send(request, wire::HistoryRead{indexer::serialize(history)});
  }

  static Result<indexer::StampedText> read(const std::string& root,
                                           const std::string& path,
                                           std::uint64_t max_bytes) {
    return TRY(indexer::Root::open(root)).read_stamped(path, max_bytes);
  }

  std::set<std::string> quarantine_;
  OpenTexts open_texts_;
};

}  // namespace

int run_parse_worker(UniqueFd socket) {
  // Each file takes and gives back some megabytes. Between files the heap keeps them: fresh pages
  // cost a seventh of an edit's time. run_worker() gives them back when there is nothing to do.
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 32 << 20);
  ParseWorker worker;
  return run_worker(std::move(socket),
                    [&](const wire::Frame& frame, const std::stop_token& stop, wire::Channel& to) {
                      return worker.handle(frame, stop, to);
                    });
}

}  // namespace kinglet::daemon
