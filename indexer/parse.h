// From a file's bytes to its record. Runs in a parse worker: bytes are hostile.
#pragma once

#include <chrono>
#include <cstddef>
#include <stop_token>
#include <string_view>

#include "daemon/base/result.h"
#include "indexer/language.h"
#include "indexer/record.h"

namespace kinglet::indexer {

struct ParseLimits {
  /// Larger files are not given to the grammar (Coverage::kLexical).
  std::size_t max_grammar_bytes = 4 << 20;
  /// Larger files are an error, kUnsupported; a record's offsets have 32 bits.
  std::size_t max_bytes = 64 << 20;
  /// CPU time for the syntax tree and its queries; past it the record is Coverage::kLexical.
  std::chrono::milliseconds max_time{2000};
  /// Chunks have at most this many bytes, a single longer line apart: that is left out.
  std::size_t max_chunk_bytes = 1600;
};

/// Any bytes give a record: invalid UTF-8, NULs, unclosed brackets are input, not errors. The same
/// bytes give the same record unless max_time ran out. Fails with kCancelled when `stop` was
/// requested, kUnsupported over max_bytes. Safe on several threads.
Result<FileRecord> parse_file(const Language& language,
                              std::string_view text,
                              const ParseLimits& limits = {},
                              const std::stop_token& stop = {});

}  // namespace kinglet::indexer
