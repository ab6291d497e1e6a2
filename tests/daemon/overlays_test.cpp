// Unsaved documents over a repository's index, parsed by real workers.
#include "daemon/features/overlays.h"

#include <fstream>
#include <string>

#include <boost/asio/thread_pool.hpp>

#include <doctest/doctest.h>

#include "lsp/uri.h"
#include "tests/daemon/index_history.h"

namespace kinglet::test {
namespace {

class Editing {
 public:
  Editing() {
    std::ofstream(root / "a.c") << "int saved(void) { return 1; }\n";
    std::ofstream(root / "b.c") << "int other(void) { return saved(); }\n";
    std::ofstream(root / ".gitignore") << "ignored.c\n";
    std::ofstream(root / "ignored.c") << "int ignored(void) { return 1; }\n";
    world.refresh();
  }

  lsp::Document document(const std::string& name, const std::string& text) {
    return {.uri = lsp::uri_from_path((root / name).string()),
            .languageId = "c",
            .version = ++version_,
            .text = std::make_shared<const lsp::TextBuffer>(text),
            .is_synced = true};
  }
  void type(daemon::Overlays& overlays, const std::string& name, const std::string& text) {
    overlays.update(document(name, text), repository);
  }
  bool defines(const daemon::Overlays& overlays, const std::string& name) const {
    return !overlays.snapshot_of(*repository).definitions(name).empty();
  }
  void wait_for(const daemon::Overlays& overlays, const std::string& name) {
    world.run_until(name, [&] { return defines(overlays, name); });
  }

 private:
  TemporaryFolder folder_;
  int version_ = 0;

 public:
  std::filesystem::path root = folder_.path();
  IndexWorld world{root, {}};
  std::shared_ptr<daemon::Repository> repository = world.repository().shared_from_this();
  boost::asio::thread_pool pool{1};
  daemon::Overlays first{world.thread().protocol(), pool.get_executor(), world.parser()};
  daemon::Overlays second{world.thread().protocol(), pool.get_executor(), world.parser()};
};

}  // namespace

TEST_SUITE("daemon/features/overlays") {
  TEST_CASE("two editors with different texts of one file each see their own") {
    Editing editing;
    editing.type(editing.first, "a.c", "int mine(void) { return 1; }\n");
    editing.type(editing.second, "a.c", "int yours(void) { return 1; }\n");
    editing.wait_for(editing.first, "mine");
    editing.wait_for(editing.second, "yours");
    CHECK(!editing.defines(editing.first, "yours"));
    CHECK(!editing.defines(editing.second, "mine"));
    CHECK(!editing.defines(editing.first, "saved"));
    // The other file, and the index that all share, are as they were.
    CHECK(editing.defines(editing.first, "other"));
    CHECK(editing.repository->snapshot().definitions("saved").size() == 1);
    CHECK(editing.repository->snapshot().definitions("mine").empty());
    CHECK(editing.first.texts_of(*editing.repository).contains("a.c"));
    const auto sites = editing.first.snapshot_of(*editing.repository).references("saved");
    CHECK(sites.size() == 1);
  }

  TEST_CASE("the last of many changes counts") {
    Editing editing;
    for (int i = 0; i < 30; ++i)
      editing.type(
          editing.first, "a.c", "int typed_" + std::to_string(i) + "(void) { return 1; }\n");
    editing.wait_for(editing.first, "typed_29");
    CHECK(!editing.defines(editing.first, "typed_0"));
  }

  TEST_CASE("a closed document is what the disk holds") {
    Editing editing;
    const auto document = editing.document("a.c", "int mine(void) { return 1; }\n");
    editing.first.update(document, editing.repository);
    editing.wait_for(editing.first, "mine");
    editing.first.forget(document.uri);
    CHECK(!editing.defines(editing.first, "mine"));
    CHECK(editing.defines(editing.first, "saved"));
  }

  TEST_CASE("an open text stays its editor's when the disk changes beneath it") {
    Editing editing;
    editing.type(editing.first, "a.c", "int saved(void) { return 1; }\n");
    std::ofstream(editing.root / "a.c") << "int changed(void) { return 1; }\n";
    editing.world.refresh();
    CHECK(editing.defines(editing.second, "changed"));
    editing.wait_for(editing.first, "saved");
    CHECK(!editing.defines(editing.first, "changed"));
    CHECK(editing.first.texts_of(*editing.repository).contains("a.c"));
  }

  TEST_CASE("what was typed and taken back lays nothing over") {
    Editing editing;
    editing.type(editing.first, "a.c", "int mine(void) { return 1; }\n");
    editing.wait_for(editing.first, "mine");
    editing.type(editing.first, "a.c", "int saved(void) { return 1; }\n");
    editing.wait_for(editing.first, "saved");
    CHECK(editing.first.texts_of(*editing.repository).empty());
  }

  TEST_CASE("a file that was not saved yet is there, one that rules leave out is not") {
    Editing editing;
    editing.type(editing.first, "ignored.c", "int secret_ignored(void) { return 1; }\n");
    editing.type(editing.first, ".env", "PASSWORD=secret_env\n");
    editing.type(editing.first, "new.c", "int brand_new(void) { return 1; }\n");
    editing.wait_for(editing.first, "brand_new");
    CHECK(!editing.defines(editing.first, "secret_ignored"));
    CHECK(!editing.first.snapshot_of(*editing.repository).file(".env"));
  }
}

}  // namespace kinglet::test
