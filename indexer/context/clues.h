// What the current file and similar code say of names and files: what speaks for a definition.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "indexer/context/candidates.h"
#include "indexer/name_slots.h"

namespace kinglet::indexer {

// Tens of thousands of names are looked up for one prompt.
struct TextHash {
  using is_avalanching = void;
  std::uint64_t operator()(std::string_view text) const { return NameSlots::hash(text); }
};
template <class Value>
using TextMap = boost::unordered_flat_map<std::string_view, Value, TextHash>;
template <class Text>
using TextSet = boost::unordered_flat_set<Text, TextHash>;

/// A name that more files define says nothing about which one is meant.
inline constexpr std::size_t kMaxDefiningFiles = 12;
/// One that no more define, and that the lines around the cursor have, says much.
inline constexpr std::size_t kMaxShownFiles = 3;

/// Calls `visit(hash)` for the words that a name is made of: "ReadFile_at2" has read and file.
template <class Visit>
void for_each_word_of(std::string_view name, Visit visit) {
  std::uint64_t hash = 0;
  std::size_t n_bytes = 0;
  const auto flush = [&] {
    if (n_bytes >= 3) visit(hash);
    hash = 0;
    n_bytes = 0;
  };
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool is_upper = c >= 'A' && c <= 'Z';
    const bool is_lower = c >= 'a' && c <= 'z';
    if (!is_upper && !is_lower) {
      flush();
      continue;
    }
    if (is_upper && i > 0 && name[i - 1] >= 'a' && name[i - 1] <= 'z') flush();
    hash = hash * 31 + static_cast<std::uint64_t>(is_upper ? c - 'A' + 'a' : c);
    ++n_bytes;
  }
  flush();
}

class Clues {
 public:
  /// All outlive it, and what it gives points into them.
  Clues(const Snapshot& index, const std::vector<NearName>& names, const SignatureRequest& request);

  struct InFile {
    std::uint32_t n_uses = 0;
    std::size_t distance = std::numeric_limits<std::size_t>::max();  // bytes, of the next
  };
  struct Together {
    float sum = 0;   // of the scores of similar chunks that use it, as a share of all
    float best = 0;  // of them, as a share of the best of all
    const SimilarCandidate* last = nullptr;
  };
  /// Definitions of one name, by path and place.
  struct Definitions {
    std::span<const SymbolView> views;
    std::size_t n_files = 0;
  };
  /// What all definitions of one file share.
  struct FileFacts {
    float affinity = 0;  // how much the current file uses of it, 0 to 1
    bool is_twin = false;
    bool is_imported = false;
    bool is_near = false;  // in the same folder
    bool is_own = false;
    float recent = 0;    // someone was there lately, 0 to 1
    float together = 0;  // how often the two changed together, 0 to 1
    const std::vector<std::uint32_t>* shown_places =
        nullptr;  // where it defines names near the line
  };

  const NearName* near(std::string_view name) const;      // or null
  const InFile* in_file(std::string_view name) const;     // or null
  const Together* together(std::string_view name) const;  // or null
  /// Names of the file, then those of similar code, each once.
  const std::vector<std::string_view>& names() const { return all_names_; }
  bool has(std::string_view name) const {
    return in_file_.contains(name) || together_.contains(name);
  }
  /// How near the closest name stands that has this word, 0 to 1.
  float weight_of_word(std::uint64_t word) const;
  /// Uses `views` for what it has not looked up yet.
  Definitions definitions_of(std::string_view name, std::vector<SymbolView>& views) const;
  FileFacts facts_of(std::string_view path) const;
  /// Files whose definitions the current one uses, the most first.
  const std::vector<std::string>& related_files() const { return related_; }
  const std::string& language() const { return language_; }

 private:
  void look_at_file();
  void look_at_similar();
  void find_related_files();
  bool is_imported(std::string_view path) const;

  const Snapshot& index_;
  const std::vector<NearName>& names_;
  const SignatureRequest& request_;
  std::set<std::string, std::less<>> imports_;  // ends of paths
  std::string language_;
  TextMap<const NearName*> near_;
  boost::unordered_flat_map<std::uint64_t, float> words_;
  TextMap<InFile> in_file_;
  TextMap<Together> together_;
  std::vector<std::string_view> all_names_;
  // Of the file's names: begin and end in views_, number of files.
  struct Range {
    std::size_t begin, end, n_files;
  };
  TextMap<Range> definitions_;
  std::vector<SymbolView> views_;
  TextMap<std::vector<std::uint32_t>> shown_places_;  // by path
  TextMap<float> affinity_;                           // by path
  TextMap<float> changed_;                            // files, by how often with this one
  float most_affine_ = 1;
  std::vector<std::string> related_;
};

}  // namespace kinglet::indexer
