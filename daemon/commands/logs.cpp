// `kinglet logs`
#include <algorithm>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/commands/verbs.h"
#include "daemon/paths.h"

namespace kinglet::daemon {

namespace {

namespace fs = std::filesystem;

struct Options {
  std::string process;
  std::size_t n_lines = 100;
  bool follow = false;
};

/// A log file and how far it has been shown.
struct Shown {
  std::string process;
  fs::path file;
  std::uintmax_t offset = 0;
};

void print(const Shown& log, const std::string& line) {
  std::printf("%-12s %s\n", log.process.c_str(), line.c_str());
}

void print_tail(Shown& log, std::size_t n_lines) {
  std::ifstream stream(log.file);
  std::deque<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(std::move(line));
    if (lines.size() > n_lines) lines.pop_front();
  }
  for (const auto& line : lines)
    print(log, line);
  std::error_code ignored;
  log.offset = fs::file_size(log.file, ignored);
}

void print_new(Shown& log) {
  std::error_code error;
  const auto size = fs::file_size(log.file, error);
  if (error) return;
  if (size < log.offset) log.offset = 0;  // rotated
  if (size == log.offset) return;
  std::ifstream stream(log.file);
  stream.seekg(static_cast<std::streamoff>(log.offset));
  for (std::string line; std::getline(stream, line);) {
    if (stream.eof()) break;  // half a line: next time
    print(log, line);
    log.offset = static_cast<std::uintmax_t>(stream.tellg());
  }
  std::fflush(stdout);
}

Result<std::vector<Shown>> find_logs(const Paths& paths, const std::string& process) {
  std::vector<Shown> logs;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(paths.state, error)) {
    const std::string name = entry.path().filename();
    // Rotated ones are called NAME.1.log.
    if (!name.ends_with(".log") || std::count(name.begin(), name.end(), '.') != 1) continue;
    const std::string of = name.substr(0, name.size() - 4);
    if (process.empty() || process == of) logs.push_back({of, entry.path(), 0});
  }
  std::ranges::sort(logs, {}, &Shown::process);
  if (logs.empty()) {
    return fail(ErrorCode::kNotFound,
                "There is no log" + (process.empty() ? "" : " of " + process) + " in " +
                    paths.state.string() + " yet. The daemon writes it once an editor starts it.");
  }
  return logs;
}

Result<int> run(const Options& options) {
  const auto paths = TRY(find_paths());
  auto logs = TRY(find_logs(paths, options.process));
  for (auto& log : logs)
    print_tail(log, options.n_lines);
  std::fflush(stdout);
  while (options.follow) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    for (auto& log : logs)
      print_new(log);
  }
  return 0;
}

}  // namespace

Action logs_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("process",
                 options->process,
                 "daemon, engine, parse-worker, clang-worker or stderr; else all");
  app.add_option("-n,--lines", options->n_lines, "How many lines of each")->capture_default_str();
  app.add_flag("-f,--follow", options->follow, "Go on with what comes");
  return [options] { return run(*options); };
}

}  // namespace kinglet::daemon
