#include "indexer/history.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/skip.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::indexer {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

bool has_git() {
  static const bool has = std::system("git --version >/dev/null 2>&1") == 0;
  return has;
}

// A repository, its commits made by `git fast-import`: one second after the other.
class Repository {
 public:
  Repository() { git("init -q -b main ."); }

  fs::path path() const { return folder_ / "repository"; }
  fs::path beside(const std::string& name) const { return folder_ / name; }

  // Its mark. A path with a '-' before it is deleted.
  int commit(const Strings& paths, const std::string& branch = "main", int merged = 0) {
    const int mark = ++n_marks_;
    stream_ += "commit refs/heads/" + branch + "\nmark :" + std::to_string(mark) +
               "\ncommitter t <t@t> " + std::to_string(1'700'000'000 + mark) + " +0000\ndata 0\n";
    if (merged != 0) stream_ += "merge :" + std::to_string(merged) + "\n";
    for (const std::string& path : paths) {
      if (path.starts_with('-')) {
        stream_ += "D " + path.substr(1) + "\n";
      } else {
        write("100644", path, "text " + std::to_string(mark) + "\n");
      }
    }
    return mark;
  }
  // To the last commit.
  void write(const std::string& mode, const std::string& path, const std::string& text) {
    stream_ += "M " + mode + " inline " + path + "\ndata " + std::to_string(text.size()) + "\n" +
               text + "\n";
  }
  void write_module(const std::string& path) {
    stream_ += "M 160000 " + std::string(40, '1') + " " + path + "\n";
  }
  void branch(const std::string& name, int from) {
    stream_ += "reset refs/heads/" + name + "\nfrom :" + std::to_string(from) + "\n\n";
  }
  void import(const std::string& how = "") {
    std::ofstream(beside("stream")) << stream_;
    git(how + "fast-import --quiet <../stream");
    stream_.clear();
  }
  void git(const std::string& arguments) const {
    fs::create_directories(path());
    const std::string command = "cd '" + path().string() +
                                "' && git -c user.name=t -c user.email=t@t -c gc.auto=0 "
                                "-c protocol.file.allow=always " +
                                arguments + " >/dev/null 2>&1";
    REQUIRE_MESSAGE(std::system(command.c_str()) == 0, command);
  }

 private:
  test::TemporaryFolder folder_;
  std::string stream_;
  int n_marks_ = 0;
};

ChangeHistory read(const fs::path& root, const HistoryOptions& options = {}) {
  auto history = read_history(root.string(), options);
  REQUIRE_MESSAGE(history.has_value(), history.error().message);
  return *std::move(history);
}

std::string error_of(const fs::path& root) {
  const auto history = read_history(root.string());
  const auto head = head_commit(root.string());
  if (history || head) return "none";
  CHECK(history.error().code == head.error().code);
  CHECK(history.error().message.find(root.string()) != std::string::npos);
  return history.error().code == ErrorCode::kNotFound  ? "not found"
         : history.error().code == ErrorCode::kCorrupt ? "corrupt"
                                                       : "another";
}

Strings paths_of(const ChangeHistory& history) {
  Strings paths;
  for (const ChangedFile& file : history.files())
    paths.push_back(file.path);
  return paths;
}

// "path share, …" in hundredths.
std::string together(const ChangeHistory& history, const std::string& path) {
  std::string all;
  for (const Companion& companion : history.together(path)) {
    all += (all.empty() ? "" : ", ") + std::string(companion.path) + " " +
           std::to_string(std::lround(100 * companion.share));
  }
  return all;
}

double weight(double n_files, double age) {
  return 100 / (100 + age) / n_files;
}

std::string share(double some, double all) {
  return std::to_string(std::lround(100 * some / all));
}

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

// How a process ends that reads a history.
enum class End : std::uint8_t { kWhole, kLess, kNever, kDies };
End read_apart(const fs::path& root, const ChangeHistory& whole) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const itimerval most = {.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = 300'000}};
    ::setitimer(ITIMER_PROF, &most, nullptr);
    const auto history = read_history(root.string());
    ::_exit(history && *history == whole ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGPROF ? End::kNever : End::kDies;
  return WEXITSTATUS(status) == 0 ? End::kWhole : End::kLess;
}

// Twelve commits in folders, with a merge.
void import_some(Repository& repository, const std::string& how = "") {
  for (int i = 0; i < 8; ++i)
    repository.commit({"a.c", "src/" + std::to_string(i % 3) + ".c", "src/deep/er/x.h"});
  repository.branch("other", 4);
  const int other = repository.commit({"src/other.c", "a.c"}, "other");
  repository.commit({"src/1.c", "README"});
  repository.commit({}, "main", other);
  repository.commit({"src/1.c", "src/2.c"});
  repository.import(how);
}

}  // namespace

TEST_SUITE("indexer/history") {
  TEST_CASE("commits with few files and late ones weigh more") {
    if (!has_git()) SKIP("no git");
    Repository repository;
    repository.commit({"a", "b", "c", "d"});
    repository.commit({"a", "c"});
    repository.commit({"b"});
    repository.commit({"a", "b"});
    repository.import();
    const ChangeHistory history = read(repository.path());
    CHECK(history.n_commits() == 4);
    CHECK(paths_of(history) == Strings{"a", "b", "c", "d"});
    const double all_of_a = weight(2, 0) + weight(2, 2) + weight(4, 3);
    CHECK(together(history, "a") == "b " + share(weight(2, 0) + weight(4, 3), all_of_a) + ", c " +
                                        share(weight(2, 2) + weight(4, 3), all_of_a) + ", d " +
                                        share(weight(4, 3), all_of_a));
    // Of equals by path.
    CHECK(together(history, "d") == "a 100, b 100, c 100");
    CHECK(together(history, "none") == "");
    REQUIRE(history.find("c") != nullptr);
    CHECK(history.find("c")->n_changes == 2);
    CHECK(history.find("c")->age == 2);
    CHECK(history.find("b")->n_changes == 3);
    CHECK(history.find("b")->age == 0);
    CHECK(history.find("none") == nullptr);
    CHECK(history.commit() == *head_commit(repository.path().string()));
    CHECK(history.commit().size() == 40);
  }

  TEST_CASE("at most twenty companions, and none by a commit of too many files") {
    if (!has_git()) SKIP("no git");
    Repository repository;
    Strings many;
    for (int i = 0; i < 31; ++i)
      many.push_back("f" + std::to_string(100 + i));
    repository.commit(many);
    repository.commit({"f100", "f130"});
    repository.import();
    ChangeHistory history = read(repository.path());
    CHECK(history.n_commits() == 2);
    CHECK(together(history, "f100") == "f130 100");
    CHECK(history.files().size() == 2);
    history = read(repository.path(), {.max_files = 31});
    CHECK(history.together("f100").size() == ChangedFile::kMaxOthers);
    CHECK(history.together("f100").front().path == "f130");
    CHECK(history.together("f100").back().path == "f119");
  }

  TEST_CASE("merges do not count, what they merge does, and what is no more is left out") {
    if (!has_git()) SKIP("no git");
    Repository repository;
    const int first = repository.commit({"a", "b"});
    repository.branch("side", first);
    const int side = repository.commit({"b", "c"}, "side");
    repository.commit({"a", "gone"});
    repository.commit({"c", "evil"}, "main", side);
    repository.commit({"-gone"});
    // A link instead of a file, and a repository within.
    repository.commit({});
    repository.write("120000", "b", "a");
    repository.write_module("module");
    repository.import();
    const ChangeHistory history = read(repository.path());
    CHECK(paths_of(history) == Strings{"a", "b", "c"});
    CHECK(history.n_commits() == 5);
    CHECK(history.find("b")->n_changes == 3);
    CHECK(history.find("a")->n_changes == 2);
    CHECK(history.find("a")->age == 2);
    CHECK(together(history, "c") == "b 100");
  }

  TEST_CASE("an earlier commit has an earlier history") {
    if (!has_git()) SKIP("no git");
    Repository repository;
    repository.commit({"a", "b"});
    repository.commit({"a", "c"});
    repository.import();
    const ChangeHistory before = read(repository.path(), {.from = "main~1"});
    CHECK(together(before, "a") == "b 100");
    CHECK(before == read(repository.path(), {.from = before.commit()}));
    CHECK(before.commit() != *head_commit(repository.path().string()));
    CHECK(read_history(repository.path().string(), {.from = "never"}).error().code ==
          ErrorCode::kNotFound);
  }

  TEST_CASE("below a folder of the work tree, paths are relative to it") {
    if (!has_git()) SKIP("no git");
    Repository repository;
    repository.commit({"src/in/a", "src/in/b", "src/out", "top"});
    repository.commit({"src/in/a", "src/in/deep/c"});
    for (int i = 0; i < 5; ++i)
      repository.commit({"top"});
    repository.import();
    repository.git("reset -q --hard");
    fs::create_directories(repository.path() / "new");
    const ChangeHistory history = read(repository.path() / "src/in");
    CHECK(paths_of(history) == Strings{"a", "b", "deep/c"});
    CHECK(history.n_commits() == 2);
    CHECK(history == read(repository.path() / "src/../src/in/"));
    CHECK(read(repository.path() / "new").files().empty());
    CHECK(read(repository.path() / "new").commit() == history.commit());
    CHECK(read(repository.path() / "src/in", {.max_commits = 1}).n_commits() == 1);
  }

  TEST_CASE("a work tree beside, and clones with few commits or files") {
    if (!has_git()) SKIP("no git");
    Repository repository;
    import_some(repository);
    repository.git("config uploadpack.allowFilter true");
    const ChangeHistory history = read(repository.path());
    CHECK(history.n_commits() == 11);
    repository.git("worktree add -q ../second main~1");
    CHECK(read(repository.beside("second")).commit() != history.commit());
    CHECK(read(repository.beside("second")).n_commits() == 10);
    repository.git("clone -q --shared . ../shared");
    CHECK(read(repository.beside("shared")) == history);
    const std::string from = "'file://" + repository.path().string() + "' ";
    repository.git("clone -q --depth 3 " + from + "../shallow");
    // The oldest of them is no beginning: what it changed is not known.
    CHECK(read(repository.beside("shallow")).n_commits() == 1);
    CHECK(together(read(repository.beside("shallow")), "src/1.c") == "src/2.c 100");
    repository.git("clone -q --filter=blob:none --no-checkout " + from + "../partial");
    CHECK(read(repository.beside("partial")) == history);
    repository.git("-C ../partial sparse-checkout set src");
    CHECK(read(repository.beside("partial")) == history);
  }

  TEST_CASE("where there is no history, an error says so") {
    const test::TemporaryFolder folder;
    CHECK(error_of(folder / "missing") == "not found");
    CHECK(error_of(folder.path()) == "not found");
    fs::create_directories(folder / "empty/.git");
    CHECK(error_of(folder / "empty") == "not found");
    fs::create_directories(folder / "file");
    for (const std::string text : {"", "gitdir: ../elsewhere\n", "gitdir: .git\n", "\xff\xfe"}) {
      std::ofstream(folder / "file" / ".git", std::ios::trunc) << text;
      CHECK(error_of(folder / "file") != "none");
    }
    if (!has_git()) SKIP("no git");
    Repository repository;
    CHECK(error_of(repository.path()) == "not found");  // no commit yet
    import_some(repository);
    repository.git("clone -q --bare . ../bare");
    CHECK(error_of(repository.beside("bare")) == "not found");
    const fs::path git = repository.path() / ".git";
    fs::copy(git, repository.beside("kept"), fs::copy_options::recursive);
    const auto spoil = [&](const std::string& name, const std::string& text) {
      std::ofstream(git / name, std::ios::trunc | std::ios::binary) << text;
      std::string error = error_of(repository.path());
      fs::remove_all(git);
      fs::copy(repository.beside("kept"), git, fs::copy_options::recursive);
      return error;
    };
    CHECK(spoil("HEAD", "") != "none");
    CHECK(spoil("HEAD", "ref: refs/heads/none\n") == "not found");
    CHECK(spoil("HEAD", std::string(40, '1')) != "none");
    CHECK(spoil("refs/heads/main", "no id\n") != "none");
    CHECK(spoil("config", "[core") == "corrupt");
    CHECK(spoil("config", "[core]\n\trepositoryformatversion = 7\n") == "corrupt");
    CHECK(spoil("config", "[core]\n\tworktree = ../../elsewhere\n") != "none");
    CHECK(error_of(repository.path()) == "none");
  }

  TEST_CASE("another user's repository is read") {
    if (!has_git()) SKIP("no git");
    if (::geteuid() != 0) SKIP("only root can give files away");
    Repository repository;
    import_some(repository);
    for (const auto& entry : fs::recursive_directory_iterator(repository.path()))
      REQUIRE(::lchown(entry.path().c_str(), 65'534, 65'534) == 0);
    REQUIRE(::lchown(repository.path().c_str(), 65'534, 65'534) == 0);
    CHECK(read(repository.path()).n_commits() == 11);
  }

  TEST_CASE("limits end it, with what was read until then") {
    if (!has_git()) SKIP("no git");
    Repository repository;
    import_some(repository);
    const ChangeHistory history = read(repository.path(), {.max_commits = 2});
    CHECK(history.n_commits() == 2);
    CHECK(paths_of(history) == Strings{"README", "src/1.c", "src/2.c"});
    CHECK(read(repository.path(), {.max_seconds = 0}).files().empty());
    std::stop_source stop;
    stop.request_stop();
    CHECK(read_history(repository.path().string(), {}, stop.get_token()).error().code ==
          ErrorCode::kCancelled);
  }

  TEST_CASE("the same repository has the same history, and its bytes are it again") {
    if (!has_git()) SKIP("no git");
    Repository repository;
    import_some(repository);
    const ChangeHistory history = read(repository.path());
    CHECK(history.together("a.c").size() > 3);
    repository.git("repack -q -a -d");
    CHECK(read(repository.path()) == history);
    const auto again = deserialize_history(serialize(history));
    REQUIRE(again);
    CHECK(*again == history);
    CHECK(deserialize_history(serialize({})) == ChangeHistory());
  }

  TEST_CASE("bytes that are not a history's are refused (2,000 of them)") {
    std::vector<ChangedFile> files;
    for (std::uint32_t i = 0; i < 6; ++i)
      files.push_back({.path = std::string(1, static_cast<char>('a' + i)),
                       .n_changes = i + 1,
                       .age = 2,
                       .others = {{(i + 1) % 6, 900}, {(i + 2) % 6, 300}, {(i + 3) % 6, 1}}});
    const std::string bytes = serialize(ChangeHistory(std::string(40, 'f'), 9, files));
    REQUIRE(deserialize_history(bytes));
    for (std::size_t n = 0; n < bytes.size(); ++n)
      CHECK(!deserialize_history(bytes.substr(0, n)));
    CHECK(!deserialize_history(bytes + '\0'));
    const auto refuses = [&](auto change) {
      auto others = files;
      change(others);
      return !deserialize_history(serialize(ChangeHistory("", 9, others)));
    };
    CHECK(refuses([](auto& changed) { changed[1].path = "a"; }));
    CHECK(refuses([](auto& changed) { changed[0].path = ""; }));
    CHECK(refuses([](auto& changed) { changed[0].n_changes = 0; }));
    CHECK(refuses([](auto& changed) { changed[0].n_changes = 8; }));
    CHECK(refuses([](auto& changed) { changed[0].others[0].file = 0; }));
    CHECK(refuses([](auto& changed) { changed[0].others[0].file = 6; }));
    CHECK(refuses([](auto& changed) { changed[0].others[0].share = 1; }));
    CHECK(refuses([](auto& changed) { changed[0].others[2].share = 0; }));
    CHECK(refuses([](auto& changed) { changed[0].others[0].share = ChangedFile::kWhole + 1; }));
    CHECK(refuses([](auto& changed) { changed[0].others[1] = changed[0].others[0]; }));
    CHECK(!refuses([](auto&) {}));
    std::mt19937_64 random(1);
    for (int round = 0; round < 2'000; ++round) {
      std::string changed = bytes;
      for (std::size_t n = 1 + random() % 4; n > 0; --n)
        changed[random() % changed.size()] = static_cast<char>(random());
      // What is taken can be asked.
      if (const auto history = deserialize_history(changed)) {
        for (const ChangedFile& file : history->files())
          CHECK(history->together(file.path).size() == file.others.size());
      }
    }
  }

  TEST_CASE("damaged repositories end nothing, but for packs the process (600 of them)") {
    if (!has_git()) SKIP("no git");
    for (const bool is_packed : {false, true}) {
      Repository repository;
      import_some(repository,
                  is_packed ? "-c fastimport.unpackLimit=1 " : "-c fastimport.unpackLimit=1000 ");
      const ChangeHistory whole = read(repository.path());
      REQUIRE(whole.n_commits() == 11);
      const std::vector<fs::path> files = files_below(repository.path() / ".git");
      for (const fs::path& file : files)
        fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
      std::mt19937_64 random(2);
      int n_less = 0;
      int n_dead = 0;
      for (int round = 0; round < 300; ++round) {
        const fs::path& file = files[random() % files.size()];
        const std::string before = bytes_of(file);
        std::string changed = before;
        if (changed.empty() || random() % 8 == 0) {
          changed.resize(random() % (before.size() + 20));
        }
        for (std::size_t n = random() % 6; n > 0 && !changed.empty(); --n)
          changed[random() % changed.size()] = static_cast<char>(random());
        std::ofstream(file, std::ios::trunc | std::ios::binary) << changed;
        const End end = read_apart(repository.path(), whole);
        CHECK_MESSAGE(end != End::kNever, file.string());
        if (end == End::kLess) ++n_less;
        if (end == End::kDies) ++n_dead;
        std::ofstream(file, std::ios::trunc | std::ios::binary) << before;
      }
      CHECK(n_less > 10);
      // libgit2 1.5 believes the offsets in a pack's index, and reads what is not there.
      CHECK(n_dead <= (is_packed ? 10 : 0));
      CHECK(read(repository.path()) == whole);
    }
  }
}

}  // namespace kinglet::indexer
