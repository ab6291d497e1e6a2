#include "daemon/base/trace.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace kinglet::trace {

namespace {

constexpr std::size_t kBuffer = 64 << 10;
constexpr std::chrono::milliseconds kFlushEvery{200};
// A forgotten trace must not fill the disk.
constexpr std::size_t kMostBytes = std::size_t{256} << 20;
// Rows that are no threads have numbers that no thread has (pid_max is at most 2^22).
constexpr int kFirstRow = 1 << 24;

std::string plain(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  std::string result(text.substr(0, kLongest));
  for (char& c : result) {
    const bool is_plain = c >= ' ' && c <= '~' && c != '"' && c != '\\';
    if (!is_plain) c = '_';
  }
  return result;
}

std::int64_t nanoseconds(Clock::duration duration) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

/// Microseconds with three decimals: what the format wants, without a float's rounding.
std::string microseconds(Clock::duration duration) {
  const std::int64_t ns = std::max<std::int64_t>(nanoseconds(duration), 0);
  std::string text = std::to_string(ns / 1'000) + ".";
  const std::string decimals = std::to_string(ns % 1'000);
  return text.append(3 - decimals.size(), '0') + decimals;
}

int thread_id() {
  thread_local const int id = static_cast<int>(::syscall(SYS_gettid));
  return id;
}

/// "kinglet engine": the program and its verb.
std::string process_name() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string program;
  std::string verb;
  std::getline(file, program, '\0');
  std::getline(file, verb, '\0');
  program = program.substr(program.find_last_of('/') + 1);
  return verb.empty() ? program : program + " " + verb;
}

std::string thread_name() {
  std::ifstream file("/proc/self/task/" + std::to_string(thread_id()) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

Writer* open_wanted() {
  const char* const path = std::getenv("KINGLET_TRACE");  // NOLINT(concurrency-mt-unsafe): nobody
                                                          // sets variables in a running process
  if (path == nullptr || *path == '\0') return nullptr;
  auto writer = Writer::open(path);
  if (!writer) {
    std::fprintf(stderr, "kinglet: KINGLET_TRACE: %s\n", writer.error().message.c_str());
    return nullptr;
  }
  // Never destroyed: spans may end while the process does.
  return writer->release();
}

Writer* writer() {
  static Writer* const instance = [] {
    Writer* const opened = open_wanted();
    if (opened != nullptr) std::atexit([] { writer()->flush(); });
    return opened;
  }();
  return instance;
}

}  // namespace

bool enabled() {
  return writer() != nullptr;
}

Span::Span(std::string_view name) : name_(name), is_on_(enabled()) {
  if (is_on_) begin_ = Clock::now();
}

Span::~Span() {
  if (is_on_) writer()->write({}, name_, begin_, Clock::now() - begin_);
}

void record(std::string_view row,
            std::string_view name,
            Clock::time_point begin,
            Clock::duration length) {
  if (enabled()) writer()->write(row, name, begin, length);
}

Result<std::unique_ptr<Writer>> Writer::open(const std::filesystem::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file.is_open()) {
    return fail(ErrorCode::kIo, "cannot write " + path.string() + ": " + std::strerror(errno));
  }
  char first = 0;
  const ssize_t n = ::pread(file.get(), &first, 1, 0);
  if (n == 1 && first != '[') {
    return fail(ErrorCode::kInvalidArgument,
                path.string() + " is there and no trace; name a new file");
  }
  std::unique_ptr<Writer> writer(new Writer(std::move(file)));
  if (n == 0) writer->buffer_ = "[\n";
  writer->write_metadata("process_name", 0, process_name());
  writer->flush();  // so that the next process finds the list begun
  return writer;
}

Writer::Writer(UniqueFd file) : file_(std::move(file)), last_flush_(Clock::now()) {}

Writer::~Writer() {
  flush();
}

void Writer::write(std::string_view row,
                   std::string_view name,
                   Clock::time_point begin,
                   Clock::duration length) {
  const std::scoped_lock lock(mutex_);
  if (!file_.is_open()) return;
  const int id = row_of(row);
  buffer_ += R"({"ph":"X","pid":)" + std::to_string(::getpid()) + R"(,"tid":)" +
             std::to_string(id) + R"(,"ts":)" + microseconds(begin.time_since_epoch()) +
             R"(,"dur":)" + microseconds(length) + R"(,"name":")" + plain(name) + "\"},\n";
  if (buffer_.size() >= kBuffer || Clock::now() - last_flush_ >= kFlushEvery) flush_buffer();
}

void Writer::flush() {
  const std::scoped_lock lock(mutex_);
  flush_buffer();
}

int Writer::row_of(std::string_view row) {
  if (row.empty()) {
    const int id = thread_id();
    if (std::ranges::find(threads_, id) == threads_.end()) {
      threads_.push_back(id);
      write_metadata("thread_name", id, thread_name());
    }
    return id;
  }
  const auto found = std::ranges::find(rows_, row);
  const int id = kFirstRow + static_cast<int>(found - rows_.begin());
  if (found == rows_.end()) {
    rows_.emplace_back(row);
    write_metadata("thread_name", id, row);
  }
  return id;
}

void Writer::write_metadata(std::string_view kind, int row, std::string_view name) {
  buffer_ += R"({"ph":"M","pid":)" + std::to_string(::getpid()) + R"(,"tid":)" +
             std::to_string(row) + R"(,"name":")" + std::string(kind) + R"(","args":{"name":")" +
             plain(name) + "\"}},\n";
}

void Writer::flush_buffer() {
  last_flush_ = Clock::now();
  if (!file_.is_open() || buffer_.empty()) return;
  // In one call: lines of several processes do not mix.
  const ssize_t n = ::write(file_.get(), buffer_.data(), buffer_.size());
  n_bytes_ += buffer_.size();
  const bool is_full = n_bytes_ >= kMostBytes;
  if (n != static_cast<ssize_t>(buffer_.size()) || is_full) {
    std::fprintf(stderr,
                 "kinglet: the trace ends here: %s\n",
                 is_full ? "it is long enough" : std::strerror(errno));
    file_ = UniqueFd();
  }
  buffer_.clear();
}

}  // namespace kinglet::trace
