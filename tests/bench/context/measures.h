// What a pack is worth for a hole, without any model.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/context/hole.h"
#include "indexer/index.h"
#include "tests/bench/context/corpus.h"

namespace kinglet::bench {

/// A name of at least five bytes in a hole that at most three other files of the repository define
/// and the file itself does not.
struct GoldSymbol {
  std::string name;
  bool is_seen = false;  // it also stands in the visible lines
  std::vector<indexer::Symbol> definitions;
  std::vector<std::string> bodies;  // whole, of at most 30 lines
};

/// A hole with all that is judged by it.
struct Task {
  const CorpusFile* file = nullptr;
  indexer::Hole hole;
  std::string gold;   // what was hidden
  std::string left;   // the file without it
  ByteRange visible;  // of `left`
  std::vector<GoldSymbol> symbols;

  std::string_view shown() const { return visible.of(left); }
};
/// `file` is of the corpus and outlives the task.
Task make_task(const Corpus& corpus, const CorpusFile& file, const indexer::Hole& hole);

/// One piece of the repository in a prompt.
struct Piece {
  std::string path;
  std::string text;
};

/// Symbols: how many there are and how many the pack serves, by whether they are seen.
struct Recall {
  std::size_t n = 0;
  std::size_t by_signature = 0;  // a whole signature, in text that parses there
  std::size_t by_body = 0;       // a whole definition of at most 30 lines
  std::size_t by_use = 0;        // a use, outside of its definitions' heads
};

struct Measures {
  Recall seen, unseen;
  std::size_t n_gold_tokens = 0;
  // Tokens of the hole inside a run of 4 or 8 that stands in the pack or the visible lines; in the
  // pack alone.
  std::size_t covered4 = 0, covered8 = 0, covered4_by_pack = 0;
  // Steps that writing the hole takes when up to 16 tokens after the longest match of the last ones
  // are tried at once; matches in the file alone, and in the pack, too.
  std::size_t steps_file = 0, steps_pack = 0;
  std::size_t n_pack_tokens = 0;  // words, as `covered4` counts
  std::size_t n_wasted = 0;       // of them in pieces that serve neither a symbol nor a run
};

Measures measure(const Task& task, const std::vector<Piece>& pack);

/// Words and single signs: what runs and drafts are counted in.
std::vector<std::string_view> words_of(std::string_view text);

}  // namespace kinglet::bench
