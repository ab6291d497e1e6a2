// Secrets as people leave them in repositories: for tests that none gets out.
#pragma once

#include <string>
#include <vector>

namespace kinglet::test {

/// One statement of a file. Values are random and made when they are asked for, so that no scanner
/// takes the tests for a leak; they are the same in each run.
struct PlantedSecret {
  std::string file_name;  // its end tells the language
  std::string before;
  std::string value;  // that no prompt may hold; of a private key one line
  std::string after;
  std::string text() const { return before + value + after; }
};

/// Keys of all makers that secrets.cpp knows, passwords in URLs, private keys, and what is given to
/// names that say what it is, in many languages.
std::vector<PlantedSecret> planted_secrets();

}  // namespace kinglet::test
