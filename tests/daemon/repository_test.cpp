// Repositories with real parse workers, a store and a disk that changes.
#include "daemon/repository.h"

#include <cstdlib>
#include <fstream>
#include <utility>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "tests/daemon/index_history.h"

namespace kinglet::test {
namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::trunc) << text;
}

/// So far back that stamps are relied on.
void age() {
  ::usleep(80'000);
}

}  // namespace

TEST_SUITE("daemon/repository") {
  TEST_CASE("a warm start parses nothing and is what a fresh index is") {
    TemporaryFolder folder;
    const auto root = folder / "repo";
    const auto store = folder / "index.sqlite3";
    const ChangingTree tree(root, 1, 150);
    write(root / "data.bin", std::string("\0\1\2\0", 4) + std::string(100, '\0'));
    age();
    const std::string fresh = fresh_dump(root);
    {
      IndexWorld world(root, store);
      world.refresh();
      CHECK(world.repository().status().n_parsed > 100);
      CHECK(difference(world.dump(), fresh) == "");
    }
    IndexWorld world(root, store);
    world.refresh();
    CHECK(world.repository().status().n_changed == 0);
    CHECK(world.repository().status().n_parsed == 0);
    CHECK(world.repository().status().left_out.at("binary") == 1);
    CHECK(difference(world.dump(), fresh) == "");
  }

  TEST_CASE("a second worktree and a branch that was there before parse nothing") {
    TemporaryFolder folder;
    const auto root = folder / "repo";
    const auto store = folder / "index.sqlite3";
    ChangingTree tree(root, 2, 60);
    age();
    {
      IndexWorld world(root, store);
      world.refresh();
      tree.git("checkout -q -b other");
      for (int i = 0; i < 20; ++i)
        tree.write("new" + std::to_string(i) + ".c", tree.source());
      tree.git("add -A");
      tree.git("commit -q -m more");
      world.refresh();
      CHECK(world.repository().status().n_parsed >= 15);
      tree.git("checkout -q main");
      world.refresh();
      CHECK(world.repository().status().n_parsed == 0);
      tree.git("checkout -q other");
      world.refresh();
      // Only what differs was looked at, and its contents were known.
      CHECK(world.repository().status().n_changed == 20);
      CHECK(world.repository().status().n_parsed == 0);
      CHECK(difference(world.dump(), fresh_dump(root)) == "");
    }
    tree.git("worktree add -q ../second main");
    IndexWorld second(folder / "second", store);
    second.refresh();
    CHECK(second.repository().status().n_parsed == 0);
    CHECK(difference(second.dump(), fresh_dump(folder / "second")) == "");
  }

  TEST_CASE("the git history is read with the index, and again when HEAD has moved") {
    TemporaryFolder folder;
    const auto root = folder / "repo";
    ChangingTree tree(root, 6, 4);
    const auto commit = [&](const std::vector<std::string>& files) {
      for (const auto& file : files)
        tree.write(file, tree.source());
      tree.git("add -A");
      tree.git("commit -q -m more");
    };
    commit({"new/a.c", "new/b.c"});
    IndexWorld world(root, {});
    const auto refreshed = [&] {
      world.refresh();
      world.run_until("read", [&] { return !world.repository().is_reading_history(); });
      return world.repository().history();
    };
    CHECK(world.repository().history()->files().empty());
    const auto first = refreshed();
    CHECK(first->n_commits() == 2);
    CHECK(first->together("new/a.c").front().path == "new/b.c");
    tree.write("new/a.c", tree.source());
    CHECK(refreshed() == first);
    {
      const auto watching = world.repository().keep_watched();
      refreshed();
      commit({"new/a.c", "new/c.c"});
      world.run_until("read again",
                      [&] { return world.repository().history()->find("new/c.c") != nullptr; });
    }
    CHECK(first->find("new/c.c") == nullptr);
    std::filesystem::remove_all(root / ".git");
    CHECK(refreshed()->files().empty());
    CHECK(world.parser().status().n_deaths == 0);
  }

  TEST_CASE("a history that ends the workers is left alone, and the index is there") {
    TemporaryFolder folder;
    const auto root = folder / "repo";
    const ChangingTree tree(root, 8, 4);
    // A pipe that is to be configuration never ends, nor does its reader.
    std::ofstream(root / ".git/config", std::ios::app) << "[include]\n\tpath = pipe\n";
    REQUIRE(::mkfifo((root / ".git/pipe").c_str(), 0600) == 0);
    IndexWorld world(root, {}, {}, std::chrono::milliseconds(1'000));
    for (int n = 0; n < 3; ++n) {
      world.refresh();
      world.run_until("tried", [&] { return !world.repository().is_reading_history(); });
      CHECK(world.repository().history()->files().empty());
      CHECK(world.repository().snapshot().n_files() >= 4);
    }
    CHECK(world.parser().status().n_deaths == 2);
  }

  TEST_CASE("an index grown by any history is what a fresh one is (40 steps)") {
    TemporaryFolder folder;
    const auto root = folder / "repo";
    const auto store = folder / "index.sqlite3";
    ChangingTree tree(root, 3);
    auto world = std::make_unique<IndexWorld>(root, store);
    bool has_killed = false;
    for (int step = 0; step < 40; ++step) {
      std::string what = tree.step();
      // Content that was there at two deaths is never parsed again: here it is not its fault.
      if (std::exchange(has_killed, false) || tree.below(6) == 0) {
        // Begins anew with what it kept.
        world.reset();
        world = std::make_unique<IndexWorld>(root, store);
        what += ", restart";
      }
      world->repository().refresh();
      if (tree.below(4) == 0) what += ", " + tree.step() + " meanwhile";
      if (tree.below(5) == 0) {
        // A worker dies in the middle of it.
        world->run_until("moved on", [n = tree.below(9)]() mutable { return n-- == 0; });
        for (const pid_t pid : world->parser().status().pids)
          ::kill(pid, SIGKILL);
        what += ", kill";
        has_killed = true;
        world->run_until("indexed", [&] { return world->repository().is_settled(); });
      }
      world->run_until("indexed", [&] { return world->repository().is_settled(); });
      world->refresh();
      INFO("step " << step << ": " << what);
      REQUIRE(difference(world->dump(), fresh_dump(root)) == "");
    }
  }

  TEST_CASE("a watched repository follows the disk by itself (40 steps)") {
    TemporaryFolder folder;
    const auto root = folder / "repo";
    ChangingTree tree(root, 4);
    IndexWorld world(root, folder / "index.sqlite3");
    const auto watching = world.repository().keep_watched();
    world.refresh();
    CHECK(world.repository().watched_how() == "inotify");
    for (int step = 0; step < 40; ++step) {
      std::string what;
      for (std::size_t n = 1 + tree.below(3); n > 0; --n)
        what += tree.step() + "; ";
      const std::string fresh = fresh_dump(root);
      INFO("step " << step << ": " << what);
      try {
        world.run_until("the same", [&] { return world.dump() == fresh; });
      } catch (const std::exception&) {
      }
      REQUIRE(difference(world.dump(), fresh) == "");
    }
  }

  TEST_CASE("without room for watches the disk is scanned from time to time") {
    TemporaryFolder folder;
    const auto root = folder / "repo";
    ChangingTree tree(root, 5);
    IndexWorld world(root, {});
    world.refresh();
    const auto watch =
        std::make_shared<daemon::RepositoryWatch>(world.repository(), world.thread());
    watch->start(2);
    world.run_until("limited", [&] { return watch->how() != "inotify"; });
    CHECK(watch->how().find("more than 2 folders") != std::string::npos);
    tree.write("late.c", tree.source());
    world.run_until("found",
                    [&] { return world.repository().snapshot().file("late.c").has_value(); });
    CHECK(difference(world.dump(), fresh_dump(root)) == "");
  }

  TEST_CASE("eight watches for the whole user: part two" * doctest::skip()) {
    TemporaryFolder folder;
    const auto root = folder / "repo";
    ChangingTree tree(root, 7, 10);
    for (int i = 0; i < 12; ++i)
      tree.write("folder" + std::to_string(i) + "/a.c", tree.source());
    IndexWorld world(root, {});
    const auto watching = world.repository().keep_watched();
    world.refresh();
    world.run_until("limited", [&] { return world.repository().watched_how() != "inotify"; });
    CHECK(world.repository().watched_how().find("max_user_watches") != std::string::npos);
    tree.write("folder3/late.c", tree.source());
    world.run_until(
        "found", [&] { return world.repository().snapshot().file("folder3/late.c").has_value(); });
    CHECK(difference(world.dump(), fresh_dump(root)) == "");
  }

  TEST_CASE("eight watches for the whole user are too few, and the disk is scanned") {
    // In a user namespace of its own, whose limit is ours to set.
    const std::string limited =
        "unshare -Ur sh -c 'echo 8 > /proc/sys/user/max_inotify_watches && ";
    if (std::system((limited + "true' 2>/dev/null").c_str()) != 0) {
      MESSAGE("skipped: no user namespaces here");
      return;
    }
    const std::string self = std::filesystem::read_symlink("/proc/self/exe");
    CHECK(std::system(
              (limited + "exec " + self + " --no-skip --test-case=\"eight watches*part two\"'")
                  .c_str()) == 0);
  }

  TEST_CASE("an index that is not to take so much memory lies in files, and is the same") {
    const TemporaryFolder folder;
    const auto root = folder / "repository";
    ChangingTree tree(root, 5, 1);
    for (int i = 0; i < 1'500; ++i)
      tree.write("m" + std::to_string(i % 7) + "/f" + std::to_string(i) + ".c", tree.source());
    std::filesystem::create_directory(folder / "files");
    // This process alone takes more: whatever is worth a file goes there.
    IndexWorld world(root, {}, {.limit = 2 << 20, .folder = folder / "files"});
    world.refresh();
    for (int step = 0; step < 10; ++step) {
      tree.step();
      world.refresh();
    }
    const auto stats = world.repository().snapshot().stats();
    CHECK(stats.in_files > stats.memory);
    CHECK(difference(world.dump(), fresh_dump(root)) == "");
    CHECK(std::filesystem::is_empty(folder / "files"));
  }

  TEST_CASE("a single file is read again at once, and taken out when it is gone") {
    TemporaryFolder folder;
    const auto root = folder / "repo";
    write(root / "a.c", "int first(void) { return 1; }\n");
    IndexWorld world(root, folder / "index.sqlite3");
    world.refresh();
    write(root / "a.c", "int second(void) { return 1; }\n");
    world.repository().refresh_file("a.c");
    world.run_until("read",
                    [&] { return !world.repository().snapshot().definitions("second").empty(); });
    CHECK(world.repository().snapshot().definitions("first").empty());
    std::filesystem::remove(root / "a.c");
    world.repository().refresh_file("a.c");
    world.run_until("gone", [&] { return !world.repository().snapshot().file("a.c"); });
  }

  TEST_CASE("files that somebody looks at are indexed first") {
    TemporaryFolder folder;
    const auto root = folder / "repo";
    for (int i = 0; i < 300; ++i)
      write(root / ("f" + std::to_string(i) + ".c"), "int f(void) { return 1; }\n");
    write(root / "looked_at.txt", "words of the last kind to be read\n");
    IndexWorld world(root, {});
    world.repository().prefer("looked_at.txt");
    world.repository().refresh();
    world.run_until(
        "read", [&] { return world.repository().snapshot().file("looked_at.txt").has_value(); });
    CHECK(world.repository().snapshot().stats().n_files < 200);
  }
}

}  // namespace kinglet::test
