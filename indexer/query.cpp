#include "indexer/query.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "indexer/identifiers.h"

namespace kinglet::indexer {
namespace {

constexpr std::array<std::pair<std::string_view, CaptureRole>, 10> kRoles = {{
    {"name", CaptureRole::kName},
    {"body", CaptureRole::kBody},
    {"content", CaptureRole::kContent},
    {"doc", CaptureRole::kDoc},
    {"test", CaptureRole::kTest},
    {"inner", CaptureRole::kInner},
    {"outer", CaptureRole::kOuter},
    {"outer.lines", CaptureRole::kOuterLines},
    {"import", CaptureRole::kImport},
    {"target", CaptureRole::kTarget},
}};

struct LeafPattern {
  std::string_view kind;
  LeafRole role;
};

// "(kind) @reference", nothing else.
std::optional<LeafPattern> leaf_pattern(std::string_view pattern) {
  const std::size_t close = pattern.find(')');
  if (pattern.empty() || pattern[0] != '(' || close == std::string_view::npos) return std::nullopt;
  const std::string_view kind = pattern.substr(1, close - 1);
  if (!std::all_of(kind.begin(), kind.end(), is_identifier_byte)) return std::nullopt;
  std::string_view capture = pattern.substr(close + 1);
  while (!capture.empty() && (capture.back() == '\n' || capture.back() == ' ')) {
    capture.remove_suffix(1);
  }
  if (capture == " @reference") return LeafPattern{kind, LeafRole::kReference};
  if (capture == " @reference.text") return LeafPattern{kind, LeafRole::kReferenceText};
  if (capture == " @comment") return LeafPattern{kind, LeafRole::kComment};
  return std::nullopt;
}

std::string place(std::string_view query, std::size_t offset) {
  const std::string_view before = query.substr(0, std::min(offset, query.size()));
  return "line " + std::to_string(1 + std::count(before.begin(), before.end(), '\n'));
}

}  // namespace

Result<CompiledQuery> CompiledQuery::compile(const Language& language) {
  const std::string file = std::string(language.name) + ".scm";
  const TSLanguage* grammar = language.grammar();
  CompiledQuery compiled;
  std::uint32_t error_offset = 0;
  TSQueryError error = TSQueryErrorNone;
  compiled.query_.reset(ts_query_new(grammar,
                                     language.query.data(),
                                     static_cast<std::uint32_t>(language.query.size()),
                                     &error_offset,
                                     &error));
  TSQuery* query = compiled.query_.get();
  if (query == nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                file + ", " + place(language.query, error_offset) +
                    ": not a valid pattern near \"" +
                    std::string(language.query.substr(error_offset, 30)) + "\"");
  }

  for (std::uint32_t id = 0; id < ts_query_capture_count(query); ++id) {
    std::uint32_t size = 0;
    const char* data = ts_query_capture_name_for_id(query, id, &size);
    const std::string_view name(data, size);
    Capture capture;
    constexpr std::string_view kDefinition = "definition.";
    if (name.starts_with(kDefinition)) {
      capture.role = CaptureRole::kDefinition;
      int kind = 0;
      while (kind < kSymbolKinds &&
             name_of(static_cast<SymbolKind>(kind)) != name.substr(kDefinition.size())) {
        ++kind;
      }
      if (kind == kSymbolKinds) {
        return fail(ErrorCode::kInvalidArgument,
                    file + ": no symbol kind for @" + std::string(name));
      }
      capture.kind = static_cast<SymbolKind>(kind);
    } else if (!name.starts_with('_') && !name.starts_with("reference") && name != "comment") {
      const auto* role = std::find_if(
          kRoles.begin(), kRoles.end(), [&](const auto& row) { return row.first == name; });
      if (role == kRoles.end()) {
        return fail(ErrorCode::kInvalidArgument, file + ": unknown capture @" + std::string(name));
      }
      capture.role = role->second;
    }
    compiled.captures_.push_back(capture);
  }

  const std::uint32_t n_patterns = ts_query_pattern_count(query);
  compiled.predicates_.resize(n_patterns);
  compiled.leaf_roles_.resize(ts_language_symbol_count(grammar), LeafRole::kNone);
  for (std::uint32_t pattern = 0; pattern < n_patterns; ++pattern) {
    const std::uint32_t begin = ts_query_start_byte_for_pattern(query, pattern);
    const std::uint32_t end = ts_query_end_byte_for_pattern(query, pattern);
    if (const auto leaf = leaf_pattern(language.query.substr(begin, end - begin))) {
      // One visible name may stand for several symbols of the grammar.
      for (std::size_t i = 0; i < compiled.leaf_roles_.size(); ++i) {
        const auto symbol = static_cast<TSSymbol>(i);
        if (ts_language_symbol_type(grammar, symbol) == TSSymbolTypeRegular &&
            leaf->kind == ts_language_symbol_name(grammar, symbol)) {
          compiled.leaf_roles_[symbol] = leaf->role;
        }
      }
      ts_query_disable_pattern(query, pattern);
      continue;
    }

    std::uint32_t n_steps = 0;
    const TSQueryPredicateStep* steps = ts_query_predicates_for_pattern(query, pattern, &n_steps);
    const auto word = [&](std::uint32_t step) {
      std::uint32_t size = 0;
      const char* data = ts_query_string_value_for_id(query, steps[step].value_id, &size);
      return std::string(data, size);
    };
    for (std::uint32_t step = 0; step < n_steps; ++step) {
      Predicate predicate{};
      const std::string name = word(step++);
      if (name == "any-of?") {
        predicate.test = Predicate::Test::kAnyOf;
      } else if (name == "prefix?") {
        predicate.test = Predicate::Test::kPrefix;
      } else {
        std::string message = file + ", " + place(language.query, begin);
        message += ": unknown predicate #";
        message += name;
        return fail(ErrorCode::kInvalidArgument, std::move(message));
      }
      predicate.capture = steps[step++].value_id;
      for (; steps[step].type == TSQueryPredicateStepTypeString; ++step) {
        predicate.words.push_back(word(step));
      }
      compiled.predicates_[pattern].push_back(std::move(predicate));
    }
  }
  return compiled;
}

bool CompiledQuery::holds(const TSQueryMatch& match, std::string_view text) const {
  for (const Predicate& predicate : predicates_[match.pattern_index]) {
    bool any = false;
    for (std::uint16_t i = 0; i < match.capture_count && !any; ++i) {
      if (match.captures[i].index != predicate.capture) continue;
      const std::uint32_t begin = ts_node_start_byte(match.captures[i].node);
      const std::uint32_t end = ts_node_end_byte(match.captures[i].node);
      const std::string_view captured = text.substr(begin, end - begin);
      any =
          std::any_of(predicate.words.begin(), predicate.words.end(), [&](const std::string& word) {
            return predicate.test == Predicate::Test::kAnyOf ? captured == word
                                                             : captured.starts_with(word);
          });
    }
    if (!any) return false;
  }
  return true;
}

const CompiledQuery& compiled_query(const Language& language) {
  static std::mutex mutex;
  static std::map<std::string_view, CompiledQuery> compiled;
  const std::lock_guard lock(mutex);
  if (const auto known = compiled.find(language.name); known != compiled.end()) {
    return known->second;
  }
  auto query = CompiledQuery::compile(language);
  if (!query) {
    // A query file is part of the program: the test of the table compiles each one.
    std::fprintf(stderr, "kinglet: %s\n", query.error().message.c_str());
    std::abort();
  }
  return compiled.emplace(language.name, *std::move(query)).first->second;
}

}  // namespace kinglet::indexer
