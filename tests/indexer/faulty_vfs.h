// Disks that fail and files that were damaged, for tests of the store.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace kinglet::indexer {

/// SQLite's own file system, of which one call fails. One at a time.
class FaultyVfs {
 public:
  FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;
  ~FaultyVfs();

  const char* name() const { return "faulty"; }
  /// SQLite's codes that calls are made to fail with.
  static std::vector<int> errors();
  /// The call with this number, from 0, fails with an error, and so do all later ones that write if
  /// the disk is full.
  void fail_at(std::uint64_t call, int error);
  void fail_never();
  bool has_failed() const;
};

/// A copy with flipped bits, cut off, with noise, repeated or foreign pages, or of nothing but
/// noise.
std::string damaged(const std::string& good, std::mt19937_64& random);

}  // namespace kinglet::indexer
