#include "tests/bench/context/measures.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "indexer/flat_tree.h"
#include "indexer/identifiers.h"
#include "indexer/lexical.h"
#include "indexer/parse.h"
#include "indexer/syntax.h"

namespace kinglet::bench {

using indexer::for_each_identifier;

namespace {

constexpr std::size_t kMinNameBytes = 5;
constexpr std::size_t kMaxDefiningFiles = 3;
constexpr std::ptrdiff_t kMaxBodyLines = 30;
constexpr std::size_t kMaxDraft = 16;
constexpr std::size_t kMaxContext = 8;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

// Without white space; where each byte was.
struct Squeezed {
  std::string text;
  std::vector<std::uint32_t> offsets;
};
Squeezed squeeze(std::string_view text) {
  Squeezed squeezed;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_space(text[i])) continue;
    // A macro's lines are joined by backslashes, its signature is one line.
    if (text[i] == '\\' && (i + 1 == text.size() || is_space(text[i + 1]))) continue;
    squeezed.text += text[i];
    squeezed.offsets.push_back(static_cast<std::uint32_t>(i));
  }
  return squeezed;
}

std::unordered_set<std::string_view> names_of(std::string_view text) {
  std::unordered_set<std::string_view> names;
  for_each_identifier(text, [&](std::size_t, std::string_view name) { names.insert(name); });
  return names;
}

// A piece as its measures need it.
class Prepared {
 public:
  Prepared(const Piece& piece, const CorpusFile* file)
      : piece_(piece), language_(file != nullptr ? file->language : nullptr) {}

  bool has_name(const std::string& name) {
    if (names_.empty()) names_ = names_of(piece_.text);
    return names_.contains(name);
  }

  /// Where a text stands in the piece, white space aside, and the piece parses there.
  bool holds(std::string_view wanted) {
    if (squeezed_.offsets.empty()) squeezed_ = squeeze(piece_.text);
    std::string text = squeeze(wanted).text;
    // `typedef struct {...} Name`: the members may stand there, or not.
    constexpr std::string_view kLeftOut = "{...}";
    if (const std::size_t left_out = text.find(kLeftOut); left_out != std::string::npos)
      text = text.substr(left_out + kLeftOut.size() - 1);
    if (text.empty()) return false;
    for (std::size_t at = squeezed_.text.find(text); at != std::string::npos;
         at = squeezed_.text.find(text, at + 1)) {
      const ByteRange range{squeezed_.offsets[at], squeezed_.offsets[at + text.size() - 1] + 1};
      if (parses(range)) return true;
    }
    return false;
  }

  /// Uses of a name besides those in its heads.
  bool uses(const std::string& name, const std::vector<indexer::Symbol>& definitions) {
    if (!has_name(name)) return false;
    std::size_t n_all = 0;
    for_each_identifier(piece_.text,
                        [&](std::size_t, std::string_view word) { n_all += word == name ? 1 : 0; });
    std::set<std::string> heads;
    for (const indexer::Symbol& symbol : definitions)
      heads.insert(squeeze(symbol.definition.signature).text);
    std::size_t n_heads = 0;
    for (const std::string& head : heads) {
      for (std::size_t at = squeezed_.text.find(head); at != std::string::npos && !head.empty();
           at = squeezed_.text.find(head, at + head.size())) {
        ++n_heads;
      }
    }
    return n_all > n_heads;
  }

 private:
  bool parses(ByteRange range) {
    if (!is_parsed_) parse();
    return std::ranges::none_of(errors_, [&](ByteRange error) { return error.overlaps(range); });
  }

  void parse() {
    is_parsed_ = true;
    if (language_ == nullptr) return;
    // As the index reads it: without macros that are no part of the language.
    const auto blanked = language_->lexical == indexer::LexicalForm::kBraces
                             ? indexer::blank_macros(piece_.text)
                             : std::nullopt;
    const auto tree = indexer::parse_tree(language_->grammar(),
                                          blanked ? *blanked : piece_.text,
                                          {indexer::thread_time() + std::chrono::seconds(10), {}});
    indexer::FlatTree flat;
    if (tree) flat.read(tree.get());
    for (const indexer::FlatNode& node : flat.nodes()) {
      // The whole of a cut piece may be one error whose parts are fine.
      if (node.kind == indexer::kErrorKind) collect(flat, node);
    }
  }

  // What of an error is not a node of its own: what the parser made nothing of.
  void collect(const indexer::FlatTree& flat, const indexer::FlatNode& error) {
    const auto& nodes = flat.nodes();
    auto child = static_cast<std::size_t>(&error - nodes.data()) + 1;
    std::uint32_t at = error.range.begin;
    for (; child < error.past; child = nodes[child].past) {
      const indexer::FlatNode& node = nodes[child];
      // A word or a sign that stands for itself is not understood; a unit with parts is.
      if (node.past == child + 1) continue;
      if (node.range.begin > at) errors_.push_back({at, node.range.begin});
      at = node.range.end;
    }
    if (error.range.end > at) errors_.push_back({at, error.range.end});
  }

  const Piece& piece_;
  const indexer::Language* language_;
  std::unordered_set<std::string_view> names_;
  Squeezed squeezed_;
  bool is_parsed_ = false;
  std::vector<ByteRange> errors_;
};

using Gram = std::uint64_t;
Gram hash_words(const std::string_view* words, std::size_t n) {
  Gram hash = 1469598103934665603ULL;
  for (std::size_t i = 0; i < n; ++i)
    hash = hash * 1099511628211ULL ^ std::hash<std::string_view>()(words[i]);
  return hash;
}

void add_grams(const std::vector<std::string_view>& words,
               std::size_t n,
               std::unordered_set<Gram>& grams) {
  for (std::size_t i = 0; i + n <= words.size(); ++i)
    grams.insert(hash_words(&words[i], n));
}

std::vector<bool> covered(const std::vector<std::string_view>& gold,
                          std::size_t n,
                          const std::unordered_set<Gram>& grams) {
  std::vector<bool> is_covered(gold.size(), false);
  for (std::size_t i = 0; i + n <= gold.size(); ++i) {
    if (!grams.contains(hash_words(&gold[i], n))) continue;
    std::fill_n(is_covered.begin() + static_cast<std::ptrdiff_t>(i), n, true);
  }
  return is_covered;
}

std::size_t count(const std::vector<bool>& bits) {
  return static_cast<std::size_t>(std::ranges::count(bits, true));
}

// Drafts by what followed the longest match of the last words, the latest one of them.
class Drafter {
 public:
  void add(const std::vector<std::string_view>& words) {
    const std::size_t begin = words_.size();
    words_.insert(words_.end(), words.begin(), words.end());
    words_.emplace_back();  // no match across texts
    for (std::size_t n = 1; n <= kMaxContext; ++n) {
      for (std::size_t i = begin; i + n < words_.size(); ++i)
        ends_[n][hash_words(&words_[i], n)] = i + n;
    }
  }

  std::size_t steps(std::vector<std::string_view> before,
                    const std::vector<std::string_view>& gold) {
    std::size_t n_steps = 0;
    for (std::size_t at = 0; at < gold.size();) {
      ++n_steps;
      const std::size_t draft = find(before);
      std::size_t n_right = 0;
      while (n_right < kMaxDraft && at + n_right < gold.size() && draft + n_right < words_.size() &&
             words_[draft + n_right] == gold[at + n_right] && !gold[at + n_right].empty()) {
        ++n_right;
      }
      // A step gives what was right and one more.
      for (std::size_t i = 0; i <= n_right && at < gold.size(); ++i)
        before.push_back(gold[at++]);
    }
    return n_steps;
  }

 private:
  std::size_t find(const std::vector<std::string_view>& before) const {
    for (std::size_t n = std::min(kMaxContext, before.size()); n > 0; --n) {
      const auto known = ends_[n].find(hash_words(&before[before.size() - n], n));
      if (known != ends_[n].end()) return known->second;
    }
    return words_.size();
  }

  std::vector<std::string_view> words_;
  std::unordered_map<Gram, std::size_t> ends_[kMaxContext + 1];
};

}  // namespace

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    if (is_space(text[at])) {
      at = end;
      continue;
    }
    if (indexer::is_identifier_byte(text[at])) {
      while (end < text.size() && indexer::is_identifier_byte(text[end]))
        ++end;
    }
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

namespace {

// Namespaces and modules have no signature that tells anything; a test's name is often a sentence.
bool is_gold(const indexer::Definition& definition) {
  return definition.kind < indexer::SymbolKind::kModule &&
         definition.kind != indexer::SymbolKind::kNamespace && !definition.signature.empty() &&
         !definition.is_test;
}

// A column of SQL is not what a variable of the same name in Python means.
bool is_language_of(const indexer::Symbol& symbol, const CorpusFile& file) {
  const auto family = [](std::string_view name) -> std::string_view {
    if (name == "cpp") return "c";
    if (name == "typescript" || name == "tsx") return "javascript";
    return name;
  };
  return family(symbol.language) == family(file.language->name);
}

}  // namespace

Task make_task(const Corpus& corpus, const CorpusFile& file, const indexer::Hole& hole) {
  indexer::HiddenText hidden = indexer::hide(file.text, hole.range);
  Task task{.file = &file,
            .hole = hole,
            .gold = std::string(hole.range.of(file.text)),
            .left = std::move(hidden.text),
            .visible = hidden.visible,
            .symbols = {}};
  const auto visible = names_of(task.shown());
  // Names in code: words of comments and strings are none.
  const auto record = indexer::parse_file(*file.language, file.text);
  if (!record) return task;
  std::set<std::string_view> met;
  for (const indexer::Reference& reference : record->references) {
    const std::string_view name = record->names[reference.name_idx];
    if (!hole.range.contains(reference.offset) || name.size() < kMinNameBytes ||
        !met.insert(name).second) {
      continue;
    }
    const std::size_t n_files = corpus.index().n_defining_files(name);
    if (n_files == 0 || n_files > kMaxDefiningFiles) continue;
    GoldSymbol gold{.name = std::string(name),
                    .is_seen = visible.contains(name),
                    .definitions = {},
                    .bodies = {}};
    bool is_own = false;
    for (indexer::Symbol& symbol : corpus.index().definitions(name)) {
      is_own = is_own || symbol.path == file.path;
      const indexer::Definition& definition = symbol.definition;
      if (!is_gold(definition) || !is_language_of(symbol, file)) continue;
      const CorpusFile* file_of = corpus.find(symbol.path);
      const std::string_view body = definition.range.of(file_of->text);
      if (definition.has_body && std::ranges::count(body, '\n') < kMaxBodyLines)
        gold.bodies.emplace_back(body);
      gold.definitions.push_back(std::move(symbol));
    }
    if (!is_own && !gold.definitions.empty()) task.symbols.push_back(std::move(gold));
  }
  return task;
}

Measures measure(const Task& task, const std::vector<Piece>& pack) {
  // A piece's language is its file's: a few lines of a header do not tell C from C++.
  std::map<std::string_view, const indexer::Language*> languages;
  for (const GoldSymbol& symbol : task.symbols) {
    for (const indexer::Symbol& definition : symbol.definitions)
      languages[definition.path] = indexer::find_language(definition.language);
  }
  std::vector<CorpusFile> files;
  files.reserve(pack.size());
  for (const Piece& piece : pack) {
    const auto known = languages.find(piece.path);
    files.push_back(
        {piece.path,
         {},
         known != languages.end() ? known->second : &indexer::language_of(piece.path, piece.text)});
  }
  std::vector<Prepared> pieces;
  pieces.reserve(pack.size());
  for (std::size_t i = 0; i < pack.size(); ++i)
    pieces.emplace_back(pack[i], files[i].language->grammar != nullptr ? &files[i] : nullptr);
  std::vector<bool> is_useful(pack.size(), false);

  Measures measures;
  for (const GoldSymbol& symbol : task.symbols) {
    Recall& recall = symbol.is_seen ? measures.seen : measures.unseen;
    ++recall.n;
    bool has_signature = false;
    bool has_body = false;
    bool has_use = false;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      if (!pieces[i].has_name(symbol.name)) continue;
      is_useful[i] = true;
      for (const indexer::Symbol& definition : symbol.definitions) {
        has_signature = has_signature || pieces[i].holds(definition.definition.signature);
      }
      for (const std::string& body : symbol.bodies)
        has_body = has_body || pieces[i].holds(body);
      has_use = has_use || pieces[i].uses(symbol.name, symbol.definitions);
    }
    recall.by_signature += has_signature ? 1 : 0;
    recall.by_body += has_body ? 1 : 0;
    recall.by_use += has_use ? 1 : 0;
  }

  const auto gold = words_of(task.gold);
  measures.n_gold_tokens = gold.size();
  std::unordered_set<Gram> grams4, grams8;
  std::unordered_set<Gram> gold4;
  add_grams(gold, 4, gold4);
  std::vector<std::vector<std::string_view>> words;
  words.reserve(pack.size());
  for (std::size_t i = 0; i < pack.size(); ++i) {
    words.push_back(words_of(pack[i].text));
    std::unordered_set<Gram> own;
    add_grams(words.back(), 4, own);
    is_useful[i] =
        is_useful[i] || std::ranges::any_of(gold4, [&](Gram gram) { return own.contains(gram); });
    grams4.insert(own.begin(), own.end());
    add_grams(words.back(), 8, grams8);
    measures.n_pack_tokens += words.back().size();
    measures.n_wasted += is_useful[i] ? 0 : words.back().size();
  }
  measures.covered4_by_pack = count(covered(gold, 4, grams4));
  const std::uint32_t at = task.hole.range.begin;
  const auto before =
      words_of(std::string_view(task.left).substr(task.visible.begin, at - task.visible.begin));
  const auto after = words_of(std::string_view(task.left).substr(at, task.visible.end - at));
  for (const auto* part : {&before, &after}) {
    add_grams(*part, 4, grams4);
    add_grams(*part, 8, grams8);
  }
  measures.covered4 = count(covered(gold, 4, grams4));
  measures.covered8 = count(covered(gold, 8, grams8));

  Drafter file_drafter;
  Drafter drafter;
  for (const auto& piece : words)
    drafter.add(piece);
  for (Drafter* each : {&file_drafter, &drafter}) {
    each->add(after);
    each->add(before);
  }
  measures.steps_file = file_drafter.steps(before, gold);
  measures.steps_pack = drafter.steps(before, gold);
  return measures;
}

}  // namespace kinglet::bench
