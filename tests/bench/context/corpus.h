// The files that the benchmark packs from, and their index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/index.h"
#include "indexer/language.h"
#include "indexer/record.h"

namespace kinglet::bench {

struct CorpusFile {
  std::string path;
  std::string text;
  const indexer::Language* language = nullptr;
};

/// Files of a folder that have a grammar, of at most 1.2 MB, without vendored ones and without
/// those that are nearly the same as a file with a shorter path: of these every line would be found
/// word by word.
class Corpus {
 public:
  /// Ends the program when the folder cannot be read.
  static Corpus load(const std::string& folder);

  const std::vector<CorpusFile>& files() const { return files_; }
  const CorpusFile* find(std::string_view path) const;
  const indexer::Snapshot& index() const { return snapshot_; }
  /// The index as it is once a file's text is another.
  indexer::Snapshot with(const CorpusFile& file, const std::string& text) const;
  std::size_t n_bytes() const;
  std::size_t n_left_out() const { return n_left_out_; }

 private:
  std::vector<CorpusFile> files_;  // by path
  std::map<std::string_view, std::size_t> by_path_;
  indexer::Snapshot snapshot_;
  std::size_t n_left_out_ = 0;
};

}  // namespace kinglet::bench
