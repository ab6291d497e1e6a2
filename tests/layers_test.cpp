// The layer table of ARCHITECTURE.md as code: reads every #include of ours.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace {

namespace fs = std::filesystem;

// Longest matching prefix wins: daemon/base lies below all layers, daemon above.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"daemon/base", {"daemon/base"}},
    {"vulkan", {"vulkan", "daemon/base"}},
    // A library of its own, because the broker links it without the engine.
    {"inference/tokenizer", {"inference/tokenizer", "daemon/base"}},
    {"inference", {"inference", "inference/tokenizer", "vulkan", "daemon/base"}},
    {"indexer", {"indexer", "daemon/base"}},
    {"lsp", {"lsp", "daemon/base"}},
    {"daemon",
     {"daemon", "daemon/base", "inference", "inference/tokenizer", "indexer", "lsp", "vulkan"}},
};

std::string layer_of(const std::string& path) {
  std::string best;
  for (const auto& [layer, allowed] : kMayInclude) {
    if (path.rfind(layer + "/", 0) == 0 && layer.size() > best.size()) best = layer;
  }
  return best;
}

bool is_source(const fs::path& path) {
  static const std::set<std::string> kExtensions = {".h", ".cpp", ".c"};
  return kExtensions.count(path.extension().string()) > 0;
}

}  // namespace

TEST_SUITE("layers") {
  TEST_CASE("no file includes a layer above its own") {
    const fs::path root = KINGLET_SOURCE_DIR;
    const std::regex include(R"re(^\s*#\s*include\s+"([^"]+)")re");
    int n_includes = 0;
    for (const std::string top : {"daemon", "vulkan", "inference", "indexer", "lsp"}) {
      for (auto entry = fs::recursive_directory_iterator(root / top);
           entry != fs::recursive_directory_iterator();
           ++entry) {
        if (entry->path().filename() == "node_modules") entry.disable_recursion_pending();
        if (!entry->is_regular_file() || !is_source(entry->path())) continue;
        const std::string file = fs::relative(entry->path(), root).generic_string();
        const auto& allowed = kMayInclude.at(layer_of(file));
        std::ifstream stream(entry->path());
        for (std::string line; std::getline(stream, line);) {
          std::smatch match;
          if (!std::regex_search(line, match, include)) continue;
          const std::string target = match[1];
          INFO(file << " includes " << target);
          const std::string layer = layer_of(target);
          // Every include of ours is written from the root, so an unknown folder is an error too.
          CHECK(!layer.empty());
          CHECK(allowed.count(layer) == 1);
          ++n_includes;
        }
      }
    }
    CHECK(n_includes > 0);
  }
}
