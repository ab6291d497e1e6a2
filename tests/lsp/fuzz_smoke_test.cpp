// The fuzz target on seeded mutations of the transcripts' bytes: every run of the tests fuzzes a
// little, and the target cannot rot.
#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "lsp/transport.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace kinglet::lsp::test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> conversations() {
  std::vector<std::string> conversations;
  for (const auto& entry :
       fs::directory_iterator(fs::path(KINGLET_SOURCE_DIR) / "tests/lsp/transcripts")) {
    std::ifstream stream(entry.path());
    std::string bytes;
    for (std::string line; std::getline(stream, line);) {
      if (line.rfind("--> ", 0) == 0) bytes += write_frame(line.substr(4));
    }
    conversations.push_back(bytes);
  }
  return conversations;
}

using Random = std::mt19937;

std::size_t below(Random& random, std::size_t bound) {
  return bound == 0 ? 0 : random() % bound;
}

void mutate(std::string& bytes, const std::string& other, Random& random) {
  static const std::vector<std::string> kWords = {"Content-Length: ",
                                                  "\r\n\r\n",
                                                  "-1",
                                                  "18446744073709551616",
                                                  "1e999",
                                                  "null",
                                                  "[]",
                                                  "{}",
                                                  "\"\\ud800\"",
                                                  "\xff",
                                                  std::string(1, '\0'),
                                                  "\"id\":1,",
                                                  "\"range\":null,",
                                                  "4294967295"};
  const std::size_t at = below(random, bytes.size());
  const std::size_t n = below(random, 40);
  switch (random() % 5) {
    case 0:
      bytes.erase(at, n);
      break;
    case 1:
      bytes.insert(at, kWords[below(random, kWords.size())]);
      break;
    case 2:
      bytes.insert(at, other.substr(below(random, other.size()), n * 8));
      break;
    case 3:
      if (!bytes.empty()) bytes[at] = static_cast<char>(random());
      break;
    default:
      // A digit for a digit: lengths, ids, lines and columns that are almost right.
      for (std::size_t i = at; i < bytes.size(); ++i) {
        if (bytes[i] < '0' || bytes[i] > '9') continue;
        bytes[i] = static_cast<char>('0' + below(random, 10));
        break;
      }
  }
}

}  // namespace

TEST_SUITE("lsp/fuzz") {
  TEST_CASE("hostile bytes never break the server") {
    const auto seeds = conversations();
    REQUIRE(!seeds.empty());
    Random random(20240607);
    for (int i = 0; i < 2000; ++i) {
      CAPTURE(i);
      std::string bytes = seeds[below(random, seeds.size())];
      const std::size_t n_mutations = below(random, 8);
      for (std::size_t m = 0; m < n_mutations; ++m) {
        mutate(bytes, seeds[below(random, seeds.size())], random);
      }
      bytes.insert(bytes.begin(), static_cast<char>(random()));
      CHECK(LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                   bytes.size()) == 0);
    }
  }
}

}  // namespace kinglet::lsp::test
