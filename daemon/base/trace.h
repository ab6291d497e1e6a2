// What runs when: spans of every process and of the GPU on one time line, as a Chrome trace that
// ui.perfetto.dev opens. KINGLET_TRACE=FILE switches it on; off, a span costs a look at a flag.
//
// All processes append to the one file, which begins as a JSON list and is never closed (viewers do
// not mind): what a killed process had still to write is lost, the rest stays readable.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace kinglet::trace {

using Clock = std::chrono::steady_clock;

/// Whether KINGLET_TRACE names a file that can be written. Says on stderr, once, when it does not.
bool enabled();

/// From here to the end of the scope, on this thread's row. Names are short and of plain letters;
/// what is none is shown as "_".
class Span {
 public:
  explicit Span(std::string_view name);
  ~Span();
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  std::string_view name_;
  Clock::time_point begin_;
  bool is_on_;
};

/// On a row of its own, below the threads' ("GPU"). Nothing where tracing is off.
void record(std::string_view row,
            std::string_view name,
            Clock::time_point begin,
            Clock::duration length);

/// A trace file. Thread safety: any thread.
class Writer {
 public:
  /// Begins the file or appends to a trace that is there. kInvalidArgument for a file that is
  /// something else: nobody's work is written over.
  static Result<std::unique_ptr<Writer>> open(const std::filesystem::path& path);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// `row`: empty for this thread's own.
  void write(std::string_view row,
             std::string_view name,
             Clock::time_point begin,
             Clock::duration length);
  void flush();

 private:
  explicit Writer(UniqueFd file);
  int row_of(std::string_view row);
  void write_metadata(std::string_view kind, int row, std::string_view name);
  void flush_buffer();

  std::mutex mutex_;
  UniqueFd file_;
  std::string buffer_;
  Clock::time_point last_flush_;
  std::size_t n_bytes_ = 0;
  std::vector<std::string> rows_;  // named ones
  std::vector<int> threads_;       // whose names are written
};

}  // namespace kinglet::trace
