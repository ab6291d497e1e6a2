// Cuts text into the pieces that byte-level BPE merges within, by a rule of pre_tokenizers.h.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "inference/tokenizer/pre_tokenizers.h"

// PCRE2's types, as its header declares them.
struct pcre2_real_code_8;
struct pcre2_real_match_data_8;

namespace kinglet::inference {

/// Immutable; any thread may use it, each with a Scratch of its own.
class PieceSplitter {
 public:
  /// What one walk over a text works with.
  class Scratch {
   public:
    explicit Scratch(const PieceSplitter& splitter);

   private:
    friend class PieceSplitter;
    struct Free {
      void operator()(pcre2_real_match_data_8* data) const;
    };
    // One for each pattern: an outer match is still being read while its pieces are cut.
    std::vector<std::unique_ptr<pcre2_real_match_data_8, Free>> matches_;
  };

  explicit PieceSplitter(const PreTokenizerRow& rule);

  /// Calls take(piece) for the pieces of a text, in order; together they are the text. Bytes that
  /// are not well-formed UTF-8 are pieces of their own, each run of them one.
  template <class Take>
  void split(std::string_view text, Scratch& scratch, const Take& take) const {
    while (!text.empty()) {
      const std::size_t n = well_formed_prefix(text);
      if (n > 0) split_by(0, text.substr(0, n), scratch, take);
      text.remove_prefix(n);
      const std::size_t n_broken = broken_prefix(text);
      if (n_broken > 0) take(text.substr(0, n_broken));
      text.remove_prefix(n_broken);
    }
  }

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  struct Match {
    std::size_t begin;
    std::size_t end;  // begin == end: there is no further match
  };

  static std::size_t well_formed_prefix(std::string_view text);
  static std::size_t broken_prefix(std::string_view text);

  /// The first match of a pattern that begins at `from` or later.
  Match next_match(std::size_t pattern,
                   std::string_view text,
                   std::size_t from,
                   Scratch& scratch) const;

  template <class Take>
  void split_by(std::size_t pattern,
                std::string_view text,
                Scratch& scratch,
                const Take& take) const {
    if (pattern == patterns_.size()) {
      take(text);
      return;
    }
    std::size_t done = 0;
    while (done < text.size()) {
      const Match match = next_match(pattern, text, done, scratch);
      if (match.begin > done) {
        split_by(pattern + 1, text.substr(done, match.begin - done), scratch, take);
      }
      if (match.begin == match.end) return;
      split_by(pattern + 1, text.substr(match.begin, match.end - match.begin), scratch, take);
      done = match.end;
    }
  }

  std::vector<std::unique_ptr<pcre2_real_code_8, Free>> patterns_;
  bool is_compiled_to_machine_code_ = true;
};

}  // namespace kinglet::inference
