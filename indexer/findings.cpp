#include "indexer/findings.h"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

#include "indexer/flat_tree.h"
#include "indexer/identifiers.h"
#include "indexer/match.h"

namespace kinglet::indexer {
namespace {

// Matches in progress at one time in tree-sitter's matcher; more than any sane source needs, so
// that a hostile one costs no more than a constant factor.
constexpr std::uint32_t kMatchLimit = 1024;

// Turns matches into candidates and imports.
class Collector {
 public:
  Collector(const CompiledQuery& query,
            const Language& language,
            std::string_view text,
            Findings& findings)
      : query_(query), language_(language), text_(text), findings_(findings) {}

  void add(std::uint32_t pattern, std::span<const Captured> match) {
    if (!query_.holds(pattern, match, text_)) return;
    std::optional<ByteRange> inner;
    std::optional<Wrapper> wrapper;
    std::optional<ByteRange> import;
    std::optional<ByteRange> target;
    for (const Captured& captured : match) {
      switch (query_.capture_role(captured.capture)) {
        case CaptureRole::kInner:
          inner = captured.range;
          break;
        case CaptureRole::kOuter:
          wrapper = Wrapper{captured.range, true};
          break;
        case CaptureRole::kOuterLines:
          wrapper = Wrapper{captured.range, false};
          break;
        case CaptureRole::kImport:
          import = captured.range;
          break;
        case CaptureRole::kTarget:
          target = captured.range;
          break;
        default:
          break;
      }
    }
    if (inner && wrapper) {
      wrappers_.insert_or_assign({inner->begin, inner->end}, *wrapper);
    } else if (import && target) {
      std::string name = import_target(target->of(text_));
      if (!name.empty()) findings_.imports.push_back({std::move(name), *import});
    } else if (auto candidate = candidate_of(pattern, match)) {
      findings_.candidates.push_back(*std::move(candidate));
    }
  }

  void finish() {
    for (Candidate& candidate : findings_.candidates) {
      const ByteRange inner = candidate.signature;
      const auto wrapper = wrappers_.find({inner.begin, inner.end});
      if (wrapper == wrappers_.end()) continue;
      candidate.definition.range = wrapper->second.outer;
      if (wrapper->second.in_signature) candidate.signature = wrapper->second.outer;
    }
    std::sort(findings_.imports.begin(), findings_.imports.end(), [](const auto& a, const auto& b) {
      return std::tie(a.range.begin, a.target) < std::tie(b.range.begin, b.target);
    });
  }

 private:
  struct Wrapper {
    ByteRange outer;
    bool in_signature;
  };

  std::optional<Candidate> candidate_of(std::uint32_t pattern,
                                        std::span<const Captured> match) const {
    Candidate candidate;
    std::optional<ByteRange> name;
    std::optional<ByteRange> container;
    bool is_definition = false;
    for (const Captured& captured : match) {
      const ByteRange range = captured.range;
      switch (query_.capture_role(captured.capture)) {
        case CaptureRole::kDefinition:
          is_definition = true;
          candidate.definition.kind = query_.symbol_kind(captured.capture);
          candidate.definition.range = range;
          candidate.signature = range;
          break;
        case CaptureRole::kName:
          name = range;
          break;
        case CaptureRole::kBody:
          if (candidate.body.size() == 0) candidate.body = range;
          candidate.body.end = range.end;
          candidate.definition.has_body = true;
          break;
        case CaptureRole::kContent:
          candidate.definition.has_body = true;
          break;
        case CaptureRole::kDoc:
          candidate.doc = range;
          break;
        case CaptureRole::kTest:
          candidate.definition.is_test = true;
          break;
        case CaptureRole::kContainer:
          container = range;
          break;
        default:
          break;
      }
    }
    if (!is_definition || !name) return std::nullopt;
    candidate.rank = pattern;
    if (!set_name(candidate, text_, *name, language_.scope_separator)) return std::nullopt;
    if (container) set_container(candidate, text_, *container);
    return candidate;
  }

  const CompiledQuery& query_;
  const Language& language_;
  const std::string_view text_;
  Findings& findings_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Wrapper> wrappers_;  // by the inner's range
};

// The patterns that the tables do not know. False when the budget ran out.
bool run_rest(const CompiledQuery& query,
              const TSTree* tree,
              const Budget& budget,
              Collector& collector) {
  if (query.rest() == nullptr) return true;
  const QueryCursor cursor(ts_query_cursor_new());
  ts_query_cursor_set_match_limit(cursor.get(), kMatchLimit);
  TSQueryCursorOptions options{};
  options.payload = const_cast<Budget*>(&budget);
  options.progress_callback = [](TSQueryCursorState* state) {
    return static_cast<const Budget*>(state->payload)->expired();
  };
  ts_query_cursor_exec_with_options(cursor.get(), query.rest(), ts_tree_root_node(tree), &options);
  TSQueryMatch match{};
  std::vector<Captured> captured;
  while (ts_query_cursor_next_match(cursor.get(), &match)) {
    captured.clear();
    for (std::uint16_t i = 0; i < match.capture_count; ++i) {
      const TSNode node = match.captures[i].node;
      captured.push_back({query.capture_of(match.captures[i]),
                          {ts_node_start_byte(node), ts_node_end_byte(node)}});
    }
    collector.add(query.pattern_of(match), captured);
  }
  return !budget.expired();
}

}  // namespace

std::optional<Findings> find(const CompiledQuery& query,
                             const Language& language,
                             const TSTree* tree,
                             std::string_view text,
                             const Budget& budget,
                             CutCosts& costs,
                             FlatTree* kept) {
  Findings findings;
  Collector collector(query, language, text, findings);
  if (!run_rest(query, tree, budget, collector)) return std::nullopt;
  // Kept for the thread's next file, unless it was a large one.
  constexpr std::size_t kKeptNodes = 1 << 16;
  static thread_local FlatTree own;
  if (kept != nullptr)
    kept->update(tree);
  else
    own.read(tree);
  const std::vector<FlatNode>& nodes = kept != nullptr ? kept->nodes() : own.nodes();
  if (budget.expired()) return std::nullopt;

  Matcher matcher(nodes, budget);
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    const FlatNode& node = nodes[i];
    for (const CompiledQuery::Root& root : query.roots(node.kind)) {
      matcher.match(*root.test, i, [&](std::span<const Captured> match) {
        collector.add(root.pattern, match);
      });
    }
    if (matcher.is_out_of_time()) return std::nullopt;
    if (!node.is_named) continue;
    if (i > 0) costs.add_unit(node.first_row, node.last_row);
    const ByteRange range = node.range;
    switch (query.leaf_role(node.kind)) {
      case LeafRole::kNone:
        break;
      case LeafRole::kReference:
        if (range.size() > 2 && text[range.begin] == '`') {  // quoted: `in` of Swift and Kotlin
          findings.references.push_back({range.begin + 1, range.end - 1});
        } else if (range.size() > 0) {
          findings.references.push_back(range);
        }
        break;
      case LeafRole::kReferenceText:
        for_each_identifier(range.of(text), [&](std::size_t at, std::string_view word) {
          const auto begin = range.begin + static_cast<std::uint32_t>(at);
          findings.references.push_back({begin, begin + static_cast<std::uint32_t>(word.size())});
        });
        break;
      case LeafRole::kComment:
        findings.comments.push_back(range);
        costs.add_comment(node.last_row);
        break;
    }
    const bool is_outermost = findings.errors.empty() || findings.errors.back().end <= range.begin;
    if (node.kind == kErrorKind && is_outermost) findings.errors.push_back(range);
  }
  collector.finish();
  if (own.nodes().capacity() > kKeptNodes) own = {};
  return findings;
}

}  // namespace kinglet::indexer
