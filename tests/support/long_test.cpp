#include "tests/support/long_test.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <stdexcept>

namespace kinglet::test {

namespace {

using nlohmann::json;

std::string output_of(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"),
                                                             ::pclose);
  std::string output;
  std::array<char, 256> buffer;
  while (pipe && std::fgets(buffer.data(), buffer.size(), pipe.get()) != nullptr) {
    output += buffer.data();
  }
  return output;
}

std::filesystem::path cache_folder() {
  if (const char* folder = std::getenv("KINGLET_DEV_CACHE")) return folder;
  if (const char* folder = std::getenv("XDG_CACHE_HOME")) {
    return std::filesystem::path(folder) / "kinglet-dev";
  }
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr ? home : ".") / ".cache/kinglet-dev";
}

}  // namespace

std::string current_commit() {
  const std::string git = std::string("git -C '") + KINGLET_SOURCE_DIR + "' ";
  std::string commit = output_of(git + "rev-parse --short HEAD 2>/dev/null");
  while (!commit.empty() && commit.back() == '\n')
    commit.pop_back();
  if (commit.empty()) return "unknown";
  // The pages of figures themselves change from run to run.
  const std::string changes =
      output_of(git + "status --porcelain --untracked-files=no -- . ':!docs/results' 2>/dev/null");
  return changes.empty() ? commit : commit + "+";
}

Checkpoint::Checkpoint(const std::string& name, std::uint64_t seed)
    : file_(cache_folder() / "long" /
            (name + "-" + std::to_string(seed) + "-" + current_commit() + ".json")) {
  std::ifstream in(file_);
  const json read = json::parse(in, nullptr, false);
  if (read.is_object()) state_ = read;
}

void Checkpoint::save(json state) {
  state_ = std::move(state);
  std::filesystem::create_directories(file_.parent_path());
  std::filesystem::path fresh = file_;
  fresh += ".new";
  {
    std::ofstream out(fresh);
    out << state_;
    if (!out.flush()) throw std::runtime_error("cannot write " + fresh.string());
  }
  std::filesystem::rename(fresh, file_);
}

void Checkpoint::clear() {
  std::filesystem::remove(file_);
  state_ = json::object();
}

void write_results(const std::string& name,
                   const std::string& title,
                   std::uint64_t seed,
                   const std::vector<std::pair<std::string, std::string>>& figures) {
  const std::filesystem::path folder = std::filesystem::path(KINGLET_SOURCE_DIR) / "docs/results";
  std::filesystem::create_directories(folder);
  std::ofstream out(folder / (name + ".md"));
  out << "# " << title << "\n\nCommit " << current_commit() << ", seed " << seed
      << ".\n\n| | |\n|---|---|\n";
  for (const auto& [what, figure] : figures)
    out << "| " << what << " | " << figure << " |\n";
  if (!out.flush()) throw std::runtime_error("cannot write docs/results/" + name + ".md");
}

}  // namespace kinglet::test
