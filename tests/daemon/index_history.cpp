#include "tests/daemon/index_history.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>
#include <sys/stat.h>

namespace kinglet::test {

namespace fs = std::filesystem;

// --- the index -----------------------------------------------------------------------------------

IndexWorld::IndexWorld(const fs::path& root,
                       const fs::path& store,
                       daemon::IndexMemory memory,
                       std::chrono::milliseconds file_deadline)
    : parser_(io_.get_executor(),
              {.spawn = {.program = KINGLET_PROGRAM, .arguments = {"parse-worker"}},
               .file_deadline = file_deadline}) {
  indexer::StoreOptions options;
  options.file = store;
  thread_ = std::make_unique<daemon::IndexThread>(
      io_.get_executor(), std::move(options), std::move(memory));
  repository_ = std::make_shared<daemon::Repository>(root, daemon::Config(), parser_, *thread_);
}

IndexWorld::~IndexWorld() {
  repository_.reset();
  parser_.shut_down();
  thread_.reset();
}

void IndexWorld::run_until(const std::string& what, const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    io_.restart();
    io_.run_one_for(std::chrono::milliseconds(20));
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("never: " + what);
  }
}

void IndexWorld::refresh() {
  repository_->refresh();
  run_until("indexed", [&] { return repository_->is_settled(); });
}

std::string fresh_dump(const fs::path& root) {
  IndexWorld world(root, {});
  world.refresh();
  return world.dump();
}

std::string difference(const std::string& a, const std::string& b) {
  if (a == b) return "";
  std::istringstream lines_a(a);
  std::istringstream lines_b(b);
  std::string line_a;
  std::string line_b;
  std::string file;
  for (std::size_t n = 1;; ++n) {
    const bool has_a = static_cast<bool>(std::getline(lines_a, line_a));
    const bool has_b = static_cast<bool>(std::getline(lines_b, line_b));
    if (!has_a && !has_b) return "";
    if (has_a && line_a.starts_with("file ")) file = line_a;
    if (has_a && has_b && line_a == line_b) continue;
    return "line " + std::to_string(n) + ", in " + file + "\n- " + (has_a ? line_a : "(end)") +
           "\n+ " + (has_b ? line_b : "(end)");
  }
}

// --- the repository ------------------------------------------------------------------------------

ChangingTree::ChangingTree(fs::path root, std::uint64_t seed, std::size_t n_files)
    : root_(std::move(root)), random_(seed) {
  fs::create_directories(root_);
  git("init -q -b main .");
  for (std::size_t i = 0; i < n_files; ++i)
    write(new_path(), source());
  git("add -A");
  git("commit -q -m first");
}

void ChangingTree::git(const std::string& arguments) const {
  const std::string command = "cd '" + root_.string() +
                              "' && git -c user.name=t -c user.email=t@t -c gc.auto=0 " +
                              arguments + " >/dev/null 2>&1";
  // Some are to fail: a switch that would overwrite, a commit of nothing.
  (void)!std::system(command.c_str());
}

void ChangingTree::write(const std::string& path, const std::string& text) {
  std::error_code ignored;
  fs::create_directories((root_ / path).parent_path(), ignored);
  std::ofstream(root_ / path, std::ios::trunc) << text;
}

std::string ChangingTree::source() {
  std::string text = "#include \"common.h\"\n";
  for (std::size_t n = 1 + below(5); n > 0; --n) {
    const std::string name = "name_" + std::to_string(below(40));
    text += "// About " + name + ".\nint " + name + "(int a) {\n  return helper_" +
            std::to_string(below(40)) + "(a) + " + std::to_string(below(1000)) + ";\n}\n";
  }
  return text;
}

std::vector<std::string> ChangingTree::files() const {
  std::vector<std::string> files;
  std::error_code ignored;
  for (auto entry = fs::recursive_directory_iterator(root_, ignored);
       entry != fs::recursive_directory_iterator();
       entry.increment(ignored)) {
    if (entry->path().filename() == ".git") entry.disable_recursion_pending();
    if (entry->is_regular_file(ignored)) {
      files.push_back(fs::relative(entry->path(), root_).generic_string());
    }
  }
  std::ranges::sort(files);
  return files;
}

std::string ChangingTree::some_file() {
  const auto all = files();
  return all.empty() ? "a.c" : all[below(all.size())];
}

std::string ChangingTree::new_path() {
  static const char* const kEndings[] = {".c", ".c", ".cpp", ".py", ".h", ".txt", ".md"};
  std::string path;
  for (std::size_t depth = below(3); depth > 0; --depth)
    path += "d" + std::to_string(below(4)) + "/";
  return path + "f" + std::to_string(below(60)) + kEndings[below(std::size(kEndings))];
}

std::string ChangingTree::step() {
  std::error_code ignored;
  switch (below(13)) {
    case 0:
    case 1: {
      const std::string path = some_file();
      write(path, source());
      return "edit " + path;
    }
    case 2:
    case 3: {
      const std::string path = new_path();
      write(path, source());
      return "write " + path;
    }
    case 4: {
      const std::string path = some_file();
      fs::remove(root_ / path, ignored);
      return "delete " + path;
    }
    case 5: {
      const std::string from = some_file();
      const std::string to = new_path();
      fs::create_directories((root_ / to).parent_path(), ignored);
      fs::rename(root_ / from, root_ / to, ignored);
      return "rename " + from + " to " + to;
    }
    case 6: {
      const std::string from = "d" + std::to_string(below(4));
      const std::string to = "d" + std::to_string(below(6));
      fs::rename(root_ / from, root_ / to, ignored);
      return "rename folder " + from + " to " + to;
    }
    case 7: {
      const std::string folder = "d" + std::to_string(below(4));
      fs::remove_all(root_ / folder, ignored);
      return "delete folder " + folder;
    }
    case 8: {
      const std::string name = "branch" + std::to_string(branches_.size());
      git("add -A");
      git("commit -q -m more");
      git("checkout -q -b " + name);
      branches_.push_back(name);
      return "branch " + name;
    }
    case 9:
    case 10: {
      const std::string& branch = branches_[below(branches_.size())];
      git("add -A");
      git("commit -q -m more");
      git("checkout -q " + branch);
      return "switch to " + branch;
    }
    case 11: {
      static const char* const kRules[] = {"*.txt\n", "d1/\n", "f1*\n!f11.c\n", "", "/d0\n*.md\n"};
      const std::string rules = kRules[below(std::size(kRules))];
      const std::string folder = below(3) == 0 ? "d2/" : "";
      write(folder + ".gitignore", rules);
      return "rules in " + folder + ": " + rules;
    }
    default: {
      // What a stamp of size and time alone would not see.
      const std::string path = some_file();
      struct stat before {};
      if (::stat((root_ / path).c_str(), &before) != 0) return "nothing";
      std::ifstream in(root_ / path);
      std::string text{std::istreambuf_iterator<char>(in), {}};
      for (char& c : text) {
        if (c >= '0' && c <= '9') c = static_cast<char>('0' + below(10));
      }
      write(path, text);
      const timespec times[2] = {before.st_atim, before.st_mtim};
      ::utimensat(AT_FDCWD, (root_ / path).c_str(), times, 0);
      return "rewrite with its time " + path;
    }
  }
}

}  // namespace kinglet::test
