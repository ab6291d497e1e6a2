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

constexpr std::array<std::pair<std::string_view, CaptureRole>, 11> kRoles = {{
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
    {"container", CaptureRole::kContainer},
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
  const std::string_view capture = pattern.substr(close + 1);
  if (capture == " @reference") return LeafPattern{kind, LeafRole::kReference};
  if (capture == " @reference.text") return LeafPattern{kind, LeafRole::kReferenceText};
  if (capture == " @comment") return LeafPattern{kind, LeafRole::kComment};
  return std::nullopt;
}

std::string place(std::string_view query, std::size_t offset) {
  const std::string_view before = query.substr(0, std::min(offset, query.size()));
  return "line " + std::to_string(1 + std::count(before.begin(), before.end(), '\n'));
}

std::string_view string_of(const TSQuery* query, std::uint32_t id) {
  std::uint32_t size = 0;
  const char* data = ts_query_string_value_for_id(query, id, &size);
  return {data, size};
}

}  // namespace

Result<CompiledQuery> CompiledQuery::compile(const Language& language, MatchBy by) {
  const TSLanguage* grammar = language.grammar();
  CompiledQuery compiled;
  compiled.leaf_roles_.resize(ts_language_symbol_count(grammar), LeafRole::kNone);
  CaptureNames names;
  const std::vector<PatternText> places = split_patterns(language.query);
  compiled.patterns_.resize(places.size());
  std::vector<std::uint32_t> rest;
  for (std::uint32_t i = 0; i < places.size(); ++i) {
    const std::string_view text = places[i].of(language.query);
    if (compiled.add_leaf(text, grammar)) continue;
    auto pattern = by == MatchBy::kTables ? parse_pattern(text, grammar, names) : std::nullopt;
    if (pattern) {
      compiled.patterns_[i] = *std::move(pattern);
    } else {
      rest.push_back(i);
    }
  }
  if (!rest.empty()) TRY(compiled.compile_rest(language, places, rest, names));
  TRY(compiled.set_roles(names, std::string(language.name) + ".scm"));
  compiled.add_roots(grammar);
  return compiled;
}

// A bare node's role. False when the pattern is another one.
bool CompiledQuery::add_leaf(std::string_view pattern, const TSLanguage* grammar) {
  const auto leaf = leaf_pattern(pattern);
  if (!leaf) return false;
  bool is_known = false;
  // One visible name may stand for several symbols of the grammar.
  for (std::size_t i = 0; i < leaf_roles_.size(); ++i) {
    const auto symbol = static_cast<TSSymbol>(i);
    if (ts_language_symbol_type(grammar, symbol) == TSSymbolTypeRegular &&
        leaf->kind == ts_language_symbol_name(grammar, symbol)) {
      leaf_roles_[symbol] = leaf->role;
      is_known = true;
    }
  }
  return is_known;
}

// What became no table, by tree-sitter, which also says what is wrong with it.
Result<void> CompiledQuery::compile_rest(const Language& language,
                                         const std::vector<PatternText>& places,
                                         const std::vector<std::uint32_t>& rest,
                                         CaptureNames& names) {
  const std::string file = std::string(language.name) + ".scm";
  // The others are left out, but lines and offsets stay.
  std::string text(language.query);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c != '\n'; }, ' ');
  for (const std::uint32_t i : rest) {
    text.replace(
        places[i].begin, places[i].of(language.query).size(), places[i].of(language.query));
  }
  std::uint32_t error_offset = 0;
  TSQueryError error = TSQueryErrorNone;
  rest_.reset(ts_query_new(language.grammar(),
                           text.data(),
                           static_cast<std::uint32_t>(text.size()),
                           &error_offset,
                           &error));
  TSQuery* query = rest_.get();
  if (query == nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                file + ", " + place(language.query, error_offset) +
                    ": not a valid pattern near \"" +
                    std::string(language.query.substr(error_offset, 30)) + "\"");
  }
  for (std::uint32_t id = 0; id < ts_query_capture_count(query); ++id) {
    std::uint32_t size = 0;
    const char* data = ts_query_capture_name_for_id(query, id, &size);
    rest_captures_.push_back(capture_id(names, {data, size}));
  }
  for (std::uint32_t i = 0; i < ts_query_pattern_count(query); ++i) {
    const std::uint32_t begin = ts_query_start_byte_for_pattern(query, i);
    const auto after = std::upper_bound(
        places.begin(), places.end(), begin, [](std::uint32_t at, const PatternText& pattern) {
          return at < pattern.begin;
        });
    const auto pattern =
        static_cast<std::uint32_t>(std::max<std::ptrdiff_t>(after - places.begin() - 1, 0));
    rest_patterns_.push_back(pattern);

    std::uint32_t n_steps = 0;
    const TSQueryPredicateStep* steps = ts_query_predicates_for_pattern(query, i, &n_steps);
    for (std::uint32_t step = 0; step < n_steps; ++step) {
      const std::string_view name = string_of(query, steps[step++].value_id);
      const auto test = predicate_test(name);
      if (!test || steps[step].type != TSQueryPredicateStepTypeCapture) {
        return fail(ErrorCode::kInvalidArgument,
                    file + ", " + place(language.query, begin) + ": unknown predicate #" +
                        std::string(name));
      }
      Predicate predicate;
      predicate.test = *test;
      predicate.capture = rest_captures_[steps[step++].value_id];
      for (; steps[step].type == TSQueryPredicateStepTypeString; ++step) {
        predicate.words.emplace_back(string_of(query, steps[step].value_id));
      }
      patterns_[pattern].predicates.push_back(std::move(predicate));
    }
  }
  return {};
}

Result<void> CompiledQuery::set_roles(const CaptureNames& names, const std::string& file) {
  for (const std::string& name : names) {
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
        return fail(ErrorCode::kInvalidArgument, file + ": no symbol kind for @" + name);
      }
      capture.kind = static_cast<SymbolKind>(kind);
    } else if (!name.starts_with('_') && !name.starts_with("reference") && name != "comment") {
      const auto* role = std::find_if(
          kRoles.begin(), kRoles.end(), [&](const auto& row) { return row.first == name; });
      if (role == kRoles.end()) {
        return fail(ErrorCode::kInvalidArgument, file + ": unknown capture @" + name);
      }
      capture.role = role->second;
    }
    captures_.push_back(capture);
  }
  return {};
}

void CompiledQuery::add_roots(const TSLanguage* grammar) {
  roots_.resize(ts_language_symbol_count(grammar));
  for (std::uint32_t i = 0; i < patterns_.size(); ++i) {
    for (const NodeTest& root : patterns_[i].roots) {
      for (std::size_t kind = 0; kind < roots_.size(); ++kind) {
        if (root.kind == NodeTest::kAny || root.kind == kind) roots_[kind].push_back({i, &root});
      }
    }
  }
}

bool CompiledQuery::holds(std::uint32_t pattern,
                          std::span<const Captured> match,
                          std::string_view text) const {
  const auto holds_for = [&](const Predicate& predicate, std::string_view captured) {
    return std::any_of(
        predicate.words.begin(), predicate.words.end(), [&](const std::string& word) {
          return predicate.test == Predicate::Test::kAnyOf ? captured == word
                                                           : captured.starts_with(word);
        });
  };
  const std::vector<Predicate>& predicates = patterns_[pattern].predicates;
  return std::all_of(predicates.begin(), predicates.end(), [&](const Predicate& predicate) {
    return std::any_of(match.begin(), match.end(), [&](const Captured& captured) {
      return captured.capture == predicate.capture && holds_for(predicate, captured.range.of(text));
    });
  });
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
