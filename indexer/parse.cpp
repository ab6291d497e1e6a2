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
#include "indexer/query.h"
#include "indexer/syntax.h"
#include "indexer/tree_arena.h"

namespace kinglet::indexer {
namespace {

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
  record.chunks.reserve(ranges.size());
  for (const ByteRange& range : ranges) {
    Chunk chunk;
    chunk.range = range;
    chunk.hash = hash_chunk(range.of(text));
    counted.clear();
    for_each_identifier(range.of(text), [&](std::size_t, std::string_view word) {
      if (word.size() < kMinTermBytes) return;
      const auto name = names.add(word);
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

}  // namespace

Result<FileRecord> parse_file(const Language& language,
                              std::string_view text,
                              const ParseLimits& limits,
                              const std::stop_token& stop) {
  const auto cancelled = [] { return fail(ErrorCode::kCancelled, "parse: cancelled"); };
  if (stop.stop_requested()) return cancelled();
  if (text.size() >
      std::min<std::size_t>(limits.max_bytes, std::numeric_limits<std::int32_t>::max())) {
    return fail(ErrorCode::kUnsupported,
                "parse: " + std::to_string(text.size()) + " bytes are more than the limit of " +
                    std::to_string(limits.max_bytes));
  }

  FileRecord record;
  record.language = language.name;
  record.hash = hash_content(text);
  record.n_bytes = static_cast<std::uint32_t>(text.size());
  const std::vector<std::uint32_t> lines = line_starts(text);
  record.n_lines = static_cast<std::uint32_t>(lines.size());

  // What the grammar sees has the same length as the text.
  std::optional<std::string> blanked;
  if (language.lexical == LexicalForm::kBraces) blanked = blank_macros(text);
  const std::string_view source = blanked ? std::string_view(*blanked) : text;

  // Compiled once in a process, and not on this file's account.
  if (language.grammar != nullptr) compiled_query(language);
  const Budget budget{thread_time() + limits.max_time, stop};
  std::optional<Findings> found;
  CutCosts costs(lines.size());
  if (language.grammar == nullptr) {
    record.coverage = Coverage::kPlain;
  } else if (text.size() <= limits.max_grammar_bytes) {
    const TreeArena arena;
    Tree tree = parse_tree(language.grammar(), source, budget);
    if (tree) {
      found = find(compiled_query(language), language, tree.get(), source, budget, costs);
      const bool has_errors = ts_node_has_error(ts_tree_root_node(tree.get()));
      record.coverage = has_errors ? Coverage::kErrors : Coverage::kFull;
      TreeArena::forget(std::move(tree));
    }
    if (stop.stop_requested()) return cancelled();
  }
  const bool is_parsed = found.has_value();
  if (!is_parsed) {
    costs = CutCosts(lines.size());
    if (language.grammar != nullptr) record.coverage = Coverage::kLexical;
    found.emplace().errors = {{0, record.n_bytes}};
  }
  Findings& findings = *found;
  for (const ByteRange& error : findings.errors) {
    find_lexical_definitions(language, source, error, findings.candidates);
  }
  if (stop.stop_requested()) return cancelled();

  record.definitions = settle(std::move(findings.candidates), language, source, findings.comments);
  record.imports = std::move(findings.imports);
  NameTable names;
  add_references(findings.references, text, names, record);
  const auto cut_costs = costs.finish(text, lines, is_parsed);
  add_chunks(cut_chunks(text, lines, cut_costs, limits.max_chunk_bytes), text, names, record);
  sort_names(names, record);
  return record;
}

}  // namespace kinglet::indexer
