#include "indexer/parse.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "indexer/chunks.h"
#include "indexer/clean_text.h"
#include "indexer/definitions.h"
#include "indexer/identifiers.h"
#include "indexer/lexical.h"
#include "indexer/query.h"
#include "indexer/syntax.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kMinTermBytes = 3;
constexpr std::size_t kMaxNameBytes = 128;

// Names in order of appearance; sort() turns them into a record's sorted table.
class NameTable {
 public:
  /// Nothing for a name that is not fit for a record.
  std::optional<std::uint32_t> add(std::string_view name) {
    if (name.size() > kMaxNameBytes) return std::nullopt;
    const auto [known, is_new] = ids_.try_emplace(name, static_cast<std::uint32_t>(names_.size()));
    if (is_new) {
      if (!is_clean(name)) {
        ids_.erase(known);
        return std::nullopt;
      }
      names_.push_back(name);
    }
    return known->second;
  }

  /// The new index of each old one.
  std::vector<std::uint32_t> sort(std::vector<std::string>& sorted) const {
    std::vector<std::uint32_t> order(names_.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return names_[a] < names_[b];
    });
    std::vector<std::uint32_t> new_ids(names_.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) {
      new_ids[order[i]] = i;
      sorted.emplace_back(names_[order[i]]);
    }
    return new_ids;
  }

 private:
  std::unordered_map<std::string_view, std::uint32_t> ids_;  // views of the text
  std::vector<std::string_view> names_;
};

// What one walk over the tree collects.
struct Walked {
  std::vector<ByteRange> comments;
  std::vector<ByteRange> references;
  std::vector<ByteRange> errors;  // outermost error nodes
};

bool walk_tree(const CompiledQuery& query,
               TSNode root,
               std::string_view text,
               const Budget& budget,
               CutCosts& costs,
               Walked& out) {
  return walk(root, budget, [&](TSNode node, unsigned depth) {
    const ByteRange range{ts_node_start_byte(node), ts_node_end_byte(node)};
    if (ts_node_is_error(node) && (out.errors.empty() || out.errors.back().end <= range.begin)) {
      out.errors.push_back(range);
    }
    if (ts_node_is_named(node)) {
      const TSPoint first = ts_node_start_point(node);
      TSPoint last = ts_node_end_point(node);
      if (last.column == 0 && last.row > first.row) --last.row;
      if (depth > 0) costs.add_unit(first.row, last.row);
      switch (query.leaf_role(ts_node_symbol(node))) {
        case LeafRole::kNone:
          break;
        case LeafRole::kReference:
          if (range.size() > 0) out.references.push_back(range);
          break;
        case LeafRole::kReferenceText:
          for_each_identifier(range.of(text), [&](std::size_t at, std::string_view word) {
            const auto begin = range.begin + static_cast<std::uint32_t>(at);
            out.references.push_back({begin, begin + static_cast<std::uint32_t>(word.size())});
          });
          break;
        case LeafRole::kComment:
          out.comments.push_back(range);
          costs.add_comment(last.row);
          break;
      }
    }
    return true;
  });
}

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
  std::unordered_map<std::uint32_t, std::uint32_t> counts;
  for (const ByteRange& range : ranges) {
    Chunk chunk;
    chunk.range = range;
    chunk.hash = hash_chunk(range.of(text));
    counts.clear();
    for_each_identifier(range.of(text), [&](std::size_t, std::string_view word) {
      if (word.size() < kMinTermBytes) return;
      if (const auto name = names.add(word)) ++counts[*name];
    });
    for (const auto& [name, count] : counts)
      chunk.terms.push_back({name, count});
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
  Findings findings;
  Walked walked;
  CutCosts costs(lines.size());
  bool is_parsed = false;
  if (language.grammar == nullptr) {
    record.coverage = Coverage::kPlain;
  } else if (text.size() <= limits.max_grammar_bytes) {
    const Tree tree = parse_tree(language.grammar(), source, budget);
    if (tree) {
      const TSNode root = ts_tree_root_node(tree.get());
      is_parsed = run_query(language, root, source, budget, findings) &&
                  walk_tree(compiled_query(language), root, source, budget, costs, walked);
      record.coverage = ts_node_has_error(root) ? Coverage::kErrors : Coverage::kFull;
    }
    if (stop.stop_requested()) return cancelled();
  }
  if (!is_parsed) {
    // All or nothing: where the time ran out must not show.
    findings = {};
    walked = {};
    costs = CutCosts(lines.size());
    if (language.grammar != nullptr) record.coverage = Coverage::kLexical;
    walked.errors = {{0, record.n_bytes}};
  }
  for (const ByteRange& error : walked.errors) {
    find_lexical_definitions(language, source, error, findings.candidates);
  }
  if (stop.stop_requested()) return cancelled();

  record.definitions = settle(std::move(findings.candidates), language, source, walked.comments);
  record.imports = std::move(findings.imports);
  NameTable names;
  add_references(walked.references, text, names, record);
  const auto cut_costs = costs.finish(text, lines, is_parsed);
  add_chunks(cut_chunks(text, lines, cut_costs, limits.max_chunk_bytes), text, names, record);
  sort_names(names, record);
  return record;
}

}  // namespace kinglet::indexer
