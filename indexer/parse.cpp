#include "indexer/parse.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "indexer/chunks.h"
#include "indexer/clean_text.h"
#include "indexer/definitions.h"
#include "indexer/findings.h"
#include "indexer/identifiers.h"
#include "indexer/lexical.h"
#include "indexer/names.h"
#include "indexer/parsed_file.h"
#include "indexer/query.h"
#include "indexer/syntax.h"
#include "indexer/tree_arena.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kMaxKeys = 5000;
constexpr std::size_t kMinTermBytes = 3;

std::vector<std::uint32_t> definition_starts(const std::vector<Definition>& definitions) {
  std::vector<std::uint32_t> starts;
  starts.reserve(definitions.size());
  for (const Definition& definition : definitions)
    starts.push_back(definition.name_range.begin);
  std::sort(starts.begin(), starts.end());
  return starts;
}

void add_references(const std::vector<ByteRange>& ranges,
                    std::string_view text,
                    NameTable& names,
                    FileRecord& record) {
  const std::vector<std::uint32_t> defined = definition_starts(record.definitions);
  record.references.reserve(ranges.size());
  for (const ByteRange& range : ranges) {
    if (std::binary_search(defined.begin(), defined.end(), range.begin)) continue;
    if (const auto name = names.add(range.of(text))) {
      record.references.push_back({*name, range.begin});
    }
  }
}

void add_chunks(const std::vector<ByteRange>& ranges,
                std::string_view text,
                NameTable& names,
                FileRecord& record) {
  std::vector<std::uint32_t> counts;  // by name, of the chunk at hand
  std::vector<std::uint32_t> counted;
  auto reference = record.references.begin();
  record.chunks.reserve(ranges.size());
  for (const ByteRange& range : ranges) {
    Chunk chunk;
    chunk.range = range;
    chunk.hash = hash_chunk(range.of(text));
    counted.clear();
    for_each_identifier(range.of(text), [&](std::size_t at, std::string_view word) {
      if (word.size() < kMinTermBytes) return;
      // Most words are references, and known by their places.
      const std::size_t offset = range.begin + at;
      while (reference != record.references.end() && reference->offset < offset)
        ++reference;
      const bool is_reference = reference != record.references.end() &&
                                reference->offset == offset &&
                                names[reference->name_idx].size() == word.size();
      const auto name = is_reference ? reference->name_idx : names.add(word);
      if (!name) return;
      if (*name >= counts.size()) counts.resize(names.size() * 2, 0);
      if (counts[*name]++ == 0) counted.push_back(*name);
    });
    chunk.terms.reserve(counted.size());
    for (const std::uint32_t name : counted)
      chunk.terms.push_back({name, std::exchange(counts[name], 0)});
    record.chunks.push_back(std::move(chunk));
  }
}

void sort_names(const NameTable& names, FileRecord& record) {
  const std::vector<std::uint32_t> new_ids = names.sort(record.names);
  for (Reference& reference : record.references)
    reference.name_idx = new_ids[reference.name_idx];
  for (Chunk& chunk : record.chunks) {
    for (Term& term : chunk.terms)
      term.name_idx = new_ids[term.name_idx];
    std::sort(chunk.terms.begin(), chunk.terms.end(), [](const Term& a, const Term& b) {
      return a.name_idx < b.name_idx;
    });
  }
}

// A file of data may hold a hundred thousand keys: nested ones go first.
void leave_out_keys(std::vector<Definition>& definitions) {
  if (definitions.size() <= kMaxKeys) return;
  std::erase_if(definitions, [](const Definition& key) { return !key.container.empty(); });
  if (definitions.size() > kMaxKeys) definitions.resize(kMaxKeys);
}

Result<void> check_size(std::string_view text, const ParseLimits& limits) {
  if (text.size() <=
      std::min<std::size_t>(limits.max_bytes, std::numeric_limits<std::int32_t>::max())) {
    return {};
  }
  return fail(ErrorCode::kUnsupported,
              "parse: " + std::to_string(text.size()) + " bytes are more than the limit of " +
                  std::to_string(limits.max_bytes));
}

// What the grammar sees; it has the same length as the text.
class Source {
 public:
  Source(const Language& language, std::string_view text) : text_(text) {
    if (language.lexical == LexicalForm::kBraces) blanked_ = blank_macros(text);
  }
  std::string_view text() const { return blanked_ ? std::string_view(*blanked_) : text_; }

 private:
  std::string_view text_;
  std::optional<std::string> blanked_;
};

// `tree` is null when the text was not parsed to its end. `kept`: as find() takes it.
Result<FileRecord> make_record(const Language& language,
                               std::string_view text,
                               std::string_view source,
                               const TSTree* tree,
                               const ParseLimits& limits,
                               const Budget& budget,
                               FlatTree* kept = nullptr) {
  const auto cancelled = [] { return fail(ErrorCode::kCancelled, "parse: cancelled"); };
  if (budget.stop.stop_requested()) return cancelled();
  FileRecord record;
  record.language = language.name;
  record.hash = hash_content(text);
  record.n_bytes = static_cast<std::uint32_t>(text.size());
  const std::vector<std::uint32_t> lines = line_starts(text);
  record.n_lines = static_cast<std::uint32_t>(lines.size());

  std::optional<Findings> found;
  CutCosts costs(lines.size());
  record.coverage = language.grammar == nullptr ? Coverage::kPlain : Coverage::kLexical;
  if (tree != nullptr) {
    found = find(compiled_query(language), language, tree, source, budget, costs, kept);
    if (budget.stop.stop_requested()) return cancelled();
  }
  const bool is_parsed = found.has_value();
  if (is_parsed) {
    const bool has_errors = ts_node_has_error(ts_tree_root_node(tree));
    record.coverage = has_errors ? Coverage::kErrors : Coverage::kFull;
  } else {
    costs = CutCosts(lines.size());
    found.emplace().errors = {{0, record.n_bytes}};
  }
  Findings& findings = *found;
  for (const ByteRange& error : findings.errors) {
    find_lexical_definitions(language, source, error, findings.candidates);
  }
  if (budget.stop.stop_requested()) return cancelled();

  record.definitions = settle(std::move(findings.candidates), language, source, findings.comments);
  if (language.is_data) leave_out_keys(record.definitions);
  record.imports = std::move(findings.imports);
  NameTable names;
  add_references(findings.references, text, names, record);
  const auto cut_costs = costs.finish(text, lines, is_parsed);
  add_chunks(cut_chunks(text, lines, cut_costs, limits.max_chunk_bytes), text, names, record);
  sort_names(names, record);
  return record;
}

TSPoint point_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t line = before.rfind('\n');
  return {static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n')),
          static_cast<std::uint32_t>(line == std::string_view::npos ? offset : offset - line - 1)};
}

// Tells the tree what lies between the beginning and the end that both texts have.
void edit_tree(TSTree* tree, std::string_view before, std::string_view after) {
  const std::size_t shorter = std::min(before.size(), after.size());
  const auto begin = static_cast<std::size_t>(
      std::mismatch(
          before.begin(), before.begin() + static_cast<std::ptrdiff_t>(shorter), after.begin())
          .first -
      before.begin());
  std::size_t n_same = 0;  // at the end
  while (n_same < shorter - begin &&
         before[before.size() - 1 - n_same] == after[after.size() - 1 - n_same]) {
    ++n_same;
  }
  TSInputEdit edit{};
  edit.start_byte = static_cast<std::uint32_t>(begin);
  edit.old_end_byte = static_cast<std::uint32_t>(before.size() - n_same);
  edit.new_end_byte = static_cast<std::uint32_t>(after.size() - n_same);
  edit.start_point = point_at(before, begin);
  edit.old_end_point = point_at(before, edit.old_end_byte);
  edit.new_end_point = point_at(after, edit.new_end_byte);
  ts_tree_edit(tree, &edit);
}

}  // namespace

Result<FileRecord> parse_file(const Language& language,
                              std::string_view text,
                              const ParseLimits& limits,
                              const std::stop_token& stop) {
  TRY(check_size(text, limits));
  const Source source(language, text);
  // Compiled once in a process, and not on this file's account.
  if (language.grammar != nullptr) compiled_query(language);
  const Budget budget{thread_time() + limits.max_time, stop};
  if (language.grammar == nullptr || text.size() > limits.max_grammar_bytes) {
    return make_record(language, text, source.text(), nullptr, limits, budget);
  }
  const TreeArena arena;
  Tree tree = parse_tree(language.grammar(), source.text(), budget);
  auto record = make_record(language, text, source.text(), tree.get(), limits, budget);
  TreeArena::forget(std::move(tree));
  return record;
}

struct ParsedFile::State {
  const Language& language;
  std::string source = {};  // that the tree is of
  Tree tree = {};
  FlatTree flat = {};
  bool is_exact = true;
};

ParsedFile::ParsedFile(const Language& language) : state_(new State{language}) {}
ParsedFile::ParsedFile(ParsedFile&& other) noexcept = default;
ParsedFile& ParsedFile::operator=(ParsedFile&& other) noexcept = default;
ParsedFile::~ParsedFile() = default;

const Language& ParsedFile::language() const {
  return state_->language;
}

bool ParsedFile::is_exact() const {
  return state_->is_exact;
}

Result<FileRecord> ParsedFile::update(std::string text,
                                      const ParseLimits& limits,
                                      const std::stop_token& stop) {
  TRY(check_size(text, limits));
  const Language& language = state_->language;
  std::string source(Source(language, text).text());
  if (language.grammar != nullptr) compiled_query(language);
  const Budget budget{thread_time() + limits.max_time, stop};
  Tree tree;
  bool was_reused = false;
  if (language.grammar != nullptr && text.size() <= limits.max_grammar_bytes) {
    was_reused = state_->tree != nullptr;
    if (state_->tree) edit_tree(state_->tree.get(), state_->source, source);
    tree = parse_tree(language.grammar(), source, budget, state_->tree.get());
  }
  auto record = make_record(language, text, source, tree.get(), limits, budget, &state_->flat);
  state_->is_exact = !was_reused || !record || record->coverage != Coverage::kErrors;
  // Also when it was cancelled: the old tree fits no text any more.
  state_->tree = std::move(tree);
  state_->source = std::move(source);
  return record;
}

}  // namespace kinglet::indexer
