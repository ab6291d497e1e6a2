// Test material that is not in the repository (real vocabularies and their vectors). Found through
// one variable; tests that want it SKIP() without it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace kinglet::test {

inline std::optional<std::filesystem::path> shared(const std::filesystem::path& relative) {
  const char* root = std::getenv("KINGLET_SHARED");
  if (root == nullptr || *root == '\0') return std::nullopt;
  auto path = std::filesystem::path(root) / relative;
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path;
}

}  // namespace kinglet::test
