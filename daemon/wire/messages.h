// Everything our processes say to each other. Requests go from the broker to a worker, answers come
// back under the same request number: any number of partial answers (Token, LoadProgress,
// FilesFound, ParseBegan), then exactly one final one (Loaded, AdaptersSet, Generated, Scanned,
// Parsed, FileText, Hashed, HistoryRead, ClangPlanned, ClangIndexed, ClangHovered, Status or
// Failed). A change to any field list is a new kWireVersion.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/wire/frame.h"

namespace kinglet {
/// For the wire's checks: an ErrorCode beyond this one is not ours.
constexpr ErrorCode last_value(ErrorCode) {
  return ErrorCode::kInternal;
}
}  // namespace kinglet

namespace kinglet::daemon::wire {

enum class MessageType : std::uint16_t {
  // to any worker
  kCancel = 1,
  kGetStatus = 2,
  // from any worker
  kFailed = 3,
  kStatus = 4,
  // to the engine
  kLoad = 16,
  kGenerate = 17,
  kSetAdapters = 18,
  // from the engine
  kLoadProgress = 32,
  kLoaded = 33,
  kToken = 34,
  kGenerated = 35,
  kAdaptersSet = 36,
  // to a parse worker
  kQuarantine = 48,
  kScan = 49,
  kParse = 50,
  kReadFile = 51,
  kHashFiles = 52,
  kReadHistory = 53,
  // from a parse worker
  kFilesFound = 64,
  kScanned = 65,
  kParseBegan = 66,
  kParsed = 67,
  kFileText = 68,
  kHashed = 69,
  kHistoryRead = 70,
  // to a clang worker, besides kQuarantine
  kClangPlan = 80,
  kClangIndex = 81,
  kClangHover = 82,
  // from a clang worker, besides kParseBegan
  kClangPlanned = 96,
  kClangIndexed = 97,
  kClangHovered = 98,
};

// ---- to and from any worker

/// Stop the request of this frame's number. It still gets its one final answer: Failed(kCancelled)
/// or, when it was done already, its result. No answer of its own.
struct Cancel {
  static constexpr auto kType = MessageType::kCancel;
  static constexpr auto fields() { return std::tuple(); }
};

struct Failed {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;

  static constexpr auto kType = MessageType::kFailed;
  static constexpr auto fields() { return std::tuple(&Failed::code, &Failed::message); }
};

/// Are you there? Answered at once, whatever is being computed.
struct GetStatus {
  static constexpr auto kType = MessageType::kGetStatus;
  static constexpr auto fields() { return std::tuple(); }
};

struct Status {
  bool busy = false;
  std::string doing;  // for people: "generating", "idle"

  static constexpr auto kType = MessageType::kStatus;
  static constexpr auto fields() { return std::tuple(&Status::busy, &Status::doing); }
};

// ---- engine

/// An adapter on the model.
struct Adapter {
  std::string path;
  double scale = 1;

  static constexpr auto fields() { return std::tuple(&Adapter::path, &Adapter::scale); }
  friend bool operator==(const Adapter&, const Adapter&) = default;
};

struct Load {
  std::string model_path;
  std::vector<Adapter> adapters;     // put on at once; one that does not suit fails the load
  std::string backend;               // auto, cpu, vulkan
  std::string device;                // part of a Vulkan device's name; empty: the best
  std::string kv_format;             // f32, f16, q8, q4
  std::string activations = "int8";  // of the CPU backend: int8, f32
  std::uint32_t threads = 0;         // of the CPU backend; 0: as many as there are fast cores
  std::uint32_t context_tokens = 0;  // the longest prompt and completion together; 0: the model's

  static constexpr auto kType = MessageType::kLoad;
  static constexpr auto fields() {
    return std::tuple(&Load::model_path,
                      &Load::adapters,
                      &Load::backend,
                      &Load::device,
                      &Load::kv_format,
                      &Load::activations,
                      &Load::threads,
                      &Load::context_tokens);
  }
};

/// Other adapters on the model that is there, instead of all it has. When it fails, the engine goes
/// on with those it had.
struct SetAdapters {
  std::vector<Adapter> adapters;

  static constexpr auto kType = MessageType::kSetAdapters;
  static constexpr auto fields() { return std::tuple(&SetAdapters::adapters); }
};

struct AdaptersSet {
  static constexpr auto kType = MessageType::kAdaptersSet;
  static constexpr auto fields() { return std::tuple(); }
};

struct LoadProgress {
  double fraction = 0;  // 0 to 1

  static constexpr auto kType = MessageType::kLoadProgress;
  static constexpr auto fields() { return std::tuple(&LoadProgress::fraction); }
};

struct ModelInfo {
  std::string name;          // general.name of the file
  std::string architecture;  // phi3
  std::string backend;       // cpu, vulkan
  std::string device;        // name of the processor or GPU
  std::string driver;
  bool on_software_gpu = false;      // a Vulkan driver that computes on the processor, slowly
  std::uint32_t context_tokens = 0;  // the longest sequence
  std::uint64_t model_bytes = 0;     // weights
  std::uint64_t device_bytes = 0;    // weights, cache and scratch on the device
  std::string chat_template;         // a row of features/chat_template.cpp; empty: it does not chat

  static constexpr auto fields() {
    return std::tuple(&ModelInfo::name,
                      &ModelInfo::architecture,
                      &ModelInfo::backend,
                      &ModelInfo::device,
                      &ModelInfo::driver,
                      &ModelInfo::on_software_gpu,
                      &ModelInfo::context_tokens,
                      &ModelInfo::model_bytes,
                      &ModelInfo::device_bytes,
                      &ModelInfo::chat_template);
  }
};

struct Loaded {
  ModelInfo info;
  std::string vocabulary;  // as Vocabulary::serialize() gives it; checked again by deserialize()

  static constexpr auto kType = MessageType::kLoaded;
  static constexpr auto fields() { return std::tuple(&Loaded::info, &Loaded::vocabulary); }
};

struct Sampling {
  double temperature = 0;   // 0: greedy
  std::uint32_t top_k = 0;  // 0: all
  double top_p = 1;
  double min_p = 0;
  double repetition_penalty = 1;
  double presence_penalty = 0;
  double frequency_penalty = 0;
  std::uint32_t penalty_tokens = 64;
  std::uint64_t seed = 0;

  static constexpr auto fields() {
    return std::tuple(&Sampling::temperature,
                      &Sampling::top_k,
                      &Sampling::top_p,
                      &Sampling::min_p,
                      &Sampling::repetition_penalty,
                      &Sampling::presence_penalty,
                      &Sampling::frequency_penalty,
                      &Sampling::penalty_tokens,
                      &Sampling::seed);
  }
};

/// Whether the end of the prompt may be taken back and written anew in other tokens.
enum class Healing : std::uint8_t { kNo, kYes };
constexpr Healing last_value(Healing) {
  return Healing::kYes;
}

struct Generate {
  std::vector<std::int32_t> tokens = {};  // the prompt
  std::uint32_t max_tokens = 0;           // of the completion
  Sampling sampling = {};
  std::vector<std::int32_t> stop_tokens = {};
  std::vector<std::string> stop_strings = {};  // nothing of them is ever sent
  Healing healing = Healing::kNo;

  static constexpr auto kType = MessageType::kGenerate;
  static constexpr auto fields() {
    return std::tuple(&Generate::tokens,
                      &Generate::max_tokens,
                      &Generate::sampling,
                      &Generate::stop_tokens,
                      &Generate::stop_strings,
                      &Generate::healing);
  }
};

struct Token {
  std::int32_t id = 0;
  // What the token adds to the text; not always whole characters, and nothing of what healing took
  // back.
  std::string bytes = {};
  // With the first token of a healed prompt: so many of the prompt's last tokens were taken back.
  // The completion may have as many tokens more.
  std::uint32_t n_taken_back = 0;

  static constexpr auto kType = MessageType::kToken;
  static constexpr auto fields() {
    return std::tuple(&Token::id, &Token::bytes, &Token::n_taken_back);
  }
};

enum class StopReason : std::uint8_t { kMaxTokens, kStopToken, kContextFull, kStopString };
constexpr StopReason last_value(StopReason) {
  return StopReason::kStopString;
}

struct Generated {
  StopReason stop_reason = StopReason::kMaxTokens;
  std::uint32_t n_prompt = 0;     // tokens of the prompt
  std::uint32_t n_reused = 0;     // of these, already computed
  std::uint32_t n_generated = 0;  // tokens of the completion
  double prefill_seconds = 0;
  double decode_seconds = 0;
  double first_token_seconds = 0;  // from the request's arrival in the engine

  static constexpr auto kType = MessageType::kGenerated;
  static constexpr auto fields() {
    return std::tuple(&Generated::stop_reason,
                      &Generated::n_prompt,
                      &Generated::n_reused,
                      &Generated::n_generated,
                      &Generated::prefill_seconds,
                      &Generated::decode_seconds,
                      &Generated::first_token_seconds);
  }
};

// ---- parse worker

/// Contents never to parse again, as ParseBegan named them. No answer.
struct Quarantine {
  std::vector<std::string> content_hashes;

  static constexpr auto kType = MessageType::kQuarantine;
  static constexpr auto fields() { return std::tuple(&Quarantine::content_hashes); }
};

struct Scan {
  std::string root;  // absolute
  std::uint64_t max_file_bytes = 0;
  std::uint64_t max_files = 0;
  std::vector<std::string> exclude;  // patterns as in .gitignore

  static constexpr auto kType = MessageType::kScan;
  static constexpr auto fields() {
    return std::tuple(&Scan::root, &Scan::max_file_bytes, &Scan::max_files, &Scan::exclude);
  }
};

struct FoundFile {
  std::string path;  // relative to the root, with forward slashes
  std::uint64_t n_bytes = 0;
  std::int64_t modified_ns = 0;  // since the epoch
  std::uint64_t stamp = 0;       // indexer::ScannedFile::stamp

  static constexpr auto fields() {
    return std::tuple(
        &FoundFile::path, &FoundFile::n_bytes, &FoundFile::modified_ns, &FoundFile::stamp);
  }
};

struct SkippedPath {
  std::string path;    // a folder ends with '/'
  std::string reason;  // one word: ignored, secret, huge
  std::string detail;  // the rule and its place, the size, the error

  static constexpr auto fields() {
    return std::tuple(&SkippedPath::path, &SkippedPath::reason, &SkippedPath::detail);
  }
};

struct FilesFound {
  std::vector<FoundFile> files;
  std::vector<SkippedPath> skipped;
  std::vector<std::string> folders;  // that were looked into; "" is the root

  static constexpr auto kType = MessageType::kFilesFound;
  static constexpr auto fields() {
    return std::tuple(&FilesFound::files, &FilesFound::skipped, &FilesFound::folders);
  }
};

/// The sums of all FilesFound; n_skipped also counts paths that were too many to list.
struct Scanned {
  std::uint64_t n_files = 0;
  std::uint64_t n_skipped = 0;

  static constexpr auto kType = MessageType::kScanned;
  static constexpr auto fields() { return std::tuple(&Scanned::n_files, &Scanned::n_skipped); }
};

struct Parse {
  std::string root;                 // the repository; nothing outside it is read
  std::string path;                 // relative to root; names the language by its ending
  std::optional<std::string> text;  // an editor's unsaved text; else the file is read
  std::uint64_t max_file_bytes = 0;
  std::string known_hash = {};  // of a content whose record is there; empty: none
  /// Which open document the text is of: the worker keeps its tree for the next text of the same
  /// one, whose record then need not be exact. 0: none.
  std::uint64_t document = 0;

  static constexpr auto kType = MessageType::kParse;
  static constexpr auto fields() {
    return std::tuple(&Parse::root,
                      &Parse::path,
                      &Parse::text,
                      &Parse::max_file_bytes,
                      &Parse::known_hash,
                      &Parse::document);
  }
};

/// Read a file below a root, and nothing more.
struct ReadFile {
  std::string root;
  std::string path;  // relative to root
  std::uint64_t max_file_bytes = 0;

  static constexpr auto kType = MessageType::kReadFile;
  static constexpr auto fields() {
    return std::tuple(&ReadFile::root, &ReadFile::path, &ReadFile::max_file_bytes);
  }
};

/// Read files below a root and say what they are, so that those whose records are kept need no
/// parser. Answered by Hashed.
struct HashFiles {
  std::string root;
  std::vector<std::string> paths;  // relative to root
  std::uint64_t max_file_bytes = 0;

  static constexpr auto kType = MessageType::kHashFiles;
  static constexpr auto fields() {
    return std::tuple(&HashFiles::root, &HashFiles::paths, &HashFiles::max_file_bytes);
  }
};

/// Sent before the parser sees the text: should the worker die now, this content did it.
struct ParseBegan {
  std::string content_hash;  // 16 bytes, xxh3-128

  static constexpr auto kType = MessageType::kParseBegan;
  static constexpr auto fields() { return std::tuple(&ParseBegan::content_hash); }
};

struct Parsed {
  std::string record;  // as serialize(FileRecord) gives it; check with deserialize()
  std::optional<SkippedPath> skipped;  // its content says that it is not to be indexed: no record
  bool is_unchanged = false;           // it has Parse::known_hash: no record
  std::uint64_t stamp = 0;             // of the file; 0: not known, or not to be relied on
  std::uint64_t record_version = 0;    // indexer::record_version() of the worker's program
  bool is_exact = true;  // false: how it was typed shows (indexer::ParsedFile::is_exact())

  static constexpr auto kType = MessageType::kParsed;
  static constexpr auto fields() {
    return std::tuple(&Parsed::record,
                      &Parsed::skipped,
                      &Parsed::is_unchanged,
                      &Parsed::stamp,
                      &Parsed::record_version,
                      &Parsed::is_exact);
  }
};

/// What one of HashFiles::paths is.
struct HashedFile {
  std::string content_hash;  // empty: it could not be read; Parse says why
  std::string language;      // by name and content
  std::uint64_t stamp = 0;   // as in Parsed
  std::optional<SkippedPath> skipped;

  static constexpr auto fields() {
    return std::tuple(
        &HashedFile::content_hash, &HashedFile::language, &HashedFile::stamp, &HashedFile::skipped);
  }
};

struct Hashed {
  std::vector<HashedFile> files;  // in the order of HashFiles::paths
  std::uint64_t record_version = 0;

  static constexpr auto kType = MessageType::kHashed;
  static constexpr auto fields() { return std::tuple(&Hashed::files, &Hashed::record_version); }
};

struct FileText {
  std::string text;

  static constexpr auto kType = MessageType::kFileText;
  static constexpr auto fields() { return std::tuple(&FileText::text); }
};

/// Which files changed together, by the git history of a root? Answered by HistoryRead.
struct ReadHistory {
  std::string root;
  std::string known_commit;  // of the history that is known; empty: none is

  static constexpr auto kType = MessageType::kReadHistory;
  static constexpr auto fields() {
    return std::tuple(&ReadHistory::root, &ReadHistory::known_commit);
  }
};

struct HistoryRead {
  /// As serialize(ChangeHistory) gives it; check with deserialize_history(). Nothing: HEAD is at
  /// known_commit, or there is no history (and known_commit was empty).
  std::optional<std::string> history;

  static constexpr auto kType = MessageType::kHistoryRead;
  static constexpr auto fields() { return std::tuple(&HistoryRead::history); }
};

// ---- clang worker: one root for its whole life, the first request's

/// Which files have a command of their own? Reads the compilation databases anew.
struct ClangPlan {
  std::string root;                // absolute
  std::vector<std::string> paths;  // of C and C++ files, relative to root

  static constexpr auto kType = MessageType::kClangPlan;
  static constexpr auto fields() { return std::tuple(&ClangPlan::root, &ClangPlan::paths); }
};

struct ClangPlanned {
  std::vector<std::string> units;     // relative to root, sorted
  std::vector<std::string> problems;  // of databases, for people

  static constexpr auto kType = MessageType::kClangPlanned;
  static constexpr auto fields() {
    return std::tuple(&ClangPlanned::units, &ClangPlanned::problems);
  }
};

struct UnsavedFile {
  std::string path;  // relative to root
  std::string text;

  static constexpr auto fields() { return std::tuple(&UnsavedFile::path, &UnsavedFile::text); }
};

/// Whether functions of headers are parsed again that an earlier unit has parsed.
enum class HeaderBodies : std::uint8_t { kOnce, kAgain };
constexpr HeaderBodies last_value(HeaderBodies) {
  return HeaderBodies::kAgain;
}

/// Parse a file as a translation unit, and say who is declared and used where.
struct ClangIndex {
  std::string root;
  std::string path;  // relative to root
  std::vector<UnsavedFile> unsaved;
  HeaderBodies header_bodies = HeaderBodies::kOnce;

  static constexpr auto kType = MessageType::kClangIndex;
  static constexpr auto fields() {
    return std::tuple(
        &ClangIndex::root, &ClangIndex::path, &ClangIndex::unsaved, &ClangIndex::header_bodies);
  }
};

struct ClangIndexed {
  std::string record;       // as serialize(UnitRecord) gives it; check with deserialize()
  std::uint8_t source = 0;  // of its command, a clang::CommandSource
  double seconds = 0;       // of processor time

  static constexpr auto kType = MessageType::kClangIndexed;
  static constexpr auto fields() {
    return std::tuple(&ClangIndexed::record, &ClangIndexed::source, &ClangIndexed::seconds);
  }
};

/// What stands at a point, in words.
struct ClangHover {
  std::string root;
  std::string unit;  // its main file
  std::string path;  // the file of the point, which the unit includes
  std::uint32_t offset = 0;
  std::vector<UnsavedFile> unsaved;

  static constexpr auto kType = MessageType::kClangHover;
  static constexpr auto fields() {
    return std::tuple(&ClangHover::root,
                      &ClangHover::unit,
                      &ClangHover::path,
                      &ClangHover::offset,
                      &ClangHover::unsaved);
  }
};

struct HoverText {
  std::string name;
  std::string type;           // as the compiler spells it
  std::string signature;      // as written, on one line
  std::string doc;            // the comment as written
  std::string declared_path;  // relative to root, or absolute outside it
  std::uint32_t declared_line = 0;
  std::uint32_t declared_column = 0;  // in bytes
  std::uint64_t key = 0;              // a clang::SymbolKey

  static constexpr auto fields() {
    return std::tuple(&HoverText::name,
                      &HoverText::type,
                      &HoverText::signature,
                      &HoverText::doc,
                      &HoverText::declared_path,
                      &HoverText::declared_line,
                      &HoverText::declared_column,
                      &HoverText::key);
  }
};

struct ClangHovered {
  std::optional<HoverText> text;
  std::uint8_t source = 0;  // as in ClangIndexed

  static constexpr auto kType = MessageType::kClangHovered;
  static constexpr auto fields() { return std::tuple(&ClangHovered::text, &ClangHovered::source); }
};

}  // namespace kinglet::daemon::wire
