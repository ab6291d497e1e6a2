#include "indexer/match.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <doctest/doctest.h>
#include <tree_sitter/api.h>

#include "indexer/chunks.h"
#include "indexer/findings.h"
#include "indexer/flat_tree.h"
#include "indexer/language.h"
#include "indexer/query.h"
#include "indexer/syntax.h"
#include "tests/indexer/golden.h"

namespace kinglet::indexer {
namespace {

Budget plenty() {
  return {thread_time() + std::chrono::minutes(1), {}};
}

struct Parsed {
  Tree tree;
  FlatTree flat;
};

Parsed parse(const Language& language, const std::string& text) {
  Parsed parsed;
  parsed.tree = parse_tree(language.grammar(), text, plenty());
  REQUIRE(parsed.tree);
  parsed.flat.read(parsed.tree.get());
  return parsed;
}

// What each match of one pattern captured, in order.
std::vector<std::string> matches(const char* language_name,
                                 const std::string& pattern,
                                 const std::string& text) {
  const Language& language = *find_language(language_name);
  CaptureNames names;
  const auto compiled = parse_pattern(pattern, language.grammar(), names);
  REQUIRE(compiled);
  const Parsed parsed = parse(language, text);
  const Budget budget = plenty();
  Matcher matcher(parsed.flat.nodes(), budget);
  std::vector<std::string> all;
  for (std::uint32_t i = 0; i < parsed.flat.nodes().size(); ++i) {
    for (const NodeTest& root : compiled->roots) {
      if (root.kind != parsed.flat.nodes()[i].kind) continue;
      matcher.match(root, i, [&](std::span<const Captured> match) {
        std::string one;
        for (const Captured& captured : match) {
          one += (one.empty() ? "" : " ") + names[captured.capture] + "=" +
                 std::string(captured.range.of(text));
        }
        all.push_back(one);
      });
    }
  }
  return all;
}

using Found = std::vector<std::string>;

// Every golden input, whole and damaged.
template <class Visit>
void for_each_text(Visit visit) {
  std::mt19937 random(11);
  for (const auto& folder : std::filesystem::directory_iterator(test::golden_folder())) {
    if (!folder.is_directory()) continue;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
      if (entry.path().stem() != "input") continue;
      const std::string whole = test::read_text_file(entry.path());
      const Language& language = language_of(entry.path().string(), whole);
      if (language.grammar == nullptr) continue;
      visit(language, whole);
      for (int round = 0; round < 60; ++round) {
        std::string text = whole;
        for (unsigned n = 1 + random() % 6; n > 0 && !text.empty(); --n) {
          const std::size_t at = random() % text.size();
          if (random() % 2 == 0) {
            text.erase(at, random() % 20);
          } else {
            text.insert(at, 1, "}{()\"\n<>'*,;"[random() % 12]);
          }
        }
        visit(language, text);
      }
    }
  }
}

// By what it found, for comparison.
std::vector<std::tuple<std::uint32_t, std::uint32_t, std::string, std::string, std::uint32_t>> keys(
    const Findings& findings) {
  std::vector<std::tuple<std::uint32_t, std::uint32_t, std::string, std::string, std::uint32_t>>
      all;
  for (const Candidate& candidate : findings.candidates) {
    const Definition& definition = candidate.definition;
    all.emplace_back(definition.name_range.begin,
                     definition.range.end,
                     definition.name + (definition.has_body ? " body" : ""),
                     std::string(name_of(definition.kind)),
                     candidate.rank);
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

}  // namespace

TEST_SUITE("indexer/match") {
  TEST_CASE("a flat tree is what tree-sitter's cursor sees") {
    std::size_t n_nodes = 0;
    for_each_text([&](const Language& language, const std::string& text) {
      const Parsed parsed = parse(language, text);
      TSTreeCursor cursor = ts_tree_cursor_new(ts_tree_root_node(parsed.tree.get()));
      std::vector<std::uint32_t> open;
      bool same = true;
      for (std::uint32_t i = 0;; ++i) {
        if (i >= parsed.flat.nodes().size()) {
          same = false;
          break;
        }
        const TSNode node = ts_tree_cursor_current_node(&cursor);
        const FlatNode& flat = parsed.flat.nodes()[i];
        const TSPoint end = ts_node_end_point(node);
        const std::uint32_t first_row = ts_node_start_point(node).row;
        const std::uint32_t last_row =
            end.column == 0 && end.row > first_row ? end.row - 1 : end.row;
        same = same && flat.range.begin == ts_node_start_byte(node) &&
               flat.range.end == ts_node_end_byte(node) && flat.kind == ts_node_symbol(node) &&
               flat.is_named == ts_node_is_named(node) && flat.first_row == first_row &&
               flat.last_row == last_row &&
               (ts_node_is_extra(node) || flat.field == ts_tree_cursor_current_field_id(&cursor));
        ++n_nodes;
        if (ts_tree_cursor_goto_first_child(&cursor)) {
          open.push_back(i);
          continue;
        }
        bool moved = true;
        same = same && flat.past == i + 1;
        while (!ts_tree_cursor_goto_next_sibling(&cursor)) {
          moved = ts_tree_cursor_goto_parent(&cursor);
          if (!moved) break;
          same = same && parsed.flat.nodes()[open.back()].past == i + 1;
          open.pop_back();
        }
        if (moved) continue;
        same = same && i + 1 == parsed.flat.nodes().size();
        break;
      }
      ts_tree_cursor_delete(&cursor);
      INFO(language.name << ":\n" << text);
      CHECK(same);
    });
    CHECK(n_nodes > 10'000);
  }

  TEST_CASE("the tables find what tree-sitter's matcher finds") {
    // Of alternations in alternations tree-sitter forgets the field of all but the first, so it
    // misses members that are defined outside of their class; nothing else may differ.
    std::size_t n_found = 0;
    std::size_t n_more = 0;
    // Compiled once: some grammars take a second.
    std::map<std::string_view, Result<CompiledQuery>> by_tables;
    std::map<std::string_view, Result<CompiledQuery>> by_tree_sitter;
    for_each_text([&](const Language& language, const std::string& text) {
      if (!by_tables.contains(language.name)) {
        by_tables.emplace(language.name, CompiledQuery::compile(language));
        by_tree_sitter.emplace(language.name,
                               CompiledQuery::compile(language, MatchBy::kTreeSitter));
      }
      const auto& tables = by_tables.at(language.name);
      const auto& tree_sitter = by_tree_sitter.at(language.name);
      REQUIRE(tables);
      REQUIRE(tree_sitter);
      const Parsed parsed = parse(language, text);
      CutCosts costs(line_starts(text).size());
      const Budget budget = plenty();
      const auto ours = find(*tables, language, parsed.tree.get(), text, budget, costs);
      const auto theirs = find(*tree_sitter, language, parsed.tree.get(), text, budget, costs);
      REQUIRE(ours);
      REQUIRE(theirs);
      const auto our_keys = keys(*ours);
      const auto their_keys = keys(*theirs);
      n_found += our_keys.size();
      INFO(language.name << ":\n" << text);
      std::vector<std::string> lost;
      for (const auto& key : their_keys) {
        if (!std::binary_search(our_keys.begin(), our_keys.end(), key)) {
          lost.push_back(std::get<2>(key));
        }
      }
      CHECK(lost == std::vector<std::string>{});
      for (const auto& key : our_keys) {
        if (std::binary_search(their_keys.begin(), their_keys.end(), key)) continue;
        ++n_more;
        CHECK(std::get<3>(key) == "variable");
      }
      CHECK(ours->imports == theirs->imports);
      CHECK(ours->references.size() == theirs->references.size());
    });
    CHECK(n_found > 3'000);
    CHECK(n_more * 50 < n_found);
  }

  TEST_CASE("all ways of choosing a child are matches") {
    CHECK(matches("python", "(pattern_list (identifier) @name)", "a, b, c = f()\n") ==
          Found{"name=a", "name=b", "name=c"});
  }

  TEST_CASE("what may be there is captured when it is there") {
    const std::string optional =
        "(assignment left: (identifier) @name type: (type)? @type right: (_)? @value)";
    CHECK(matches("python", optional, "a = 1\nb: int = 2\nc: str\n") ==
          Found{"name=a value=1", "name=b type=int value=2", "name=c type=str"});
  }

  TEST_CASE("anchors hold named siblings together") {
    const std::string doc = "(block . (expression_statement (string) @doc))";
    CHECK(matches("python", doc, "def f():\n  'yes'\n  'no'\n") == Found{"doc='yes'"});
    CHECK(matches("python", doc, "def f():\n  x\n  'no'\n") == Found{});
    CHECK(matches("python", "(pattern_list (identifier) @last .)", "a, b = 1, 2\n") ==
          Found{"last=b"});
  }

  TEST_CASE("repeated children are taken as runs") {
    CHECK(matches("python",
                  "(module (comment)+ @doc . (expression_statement (identifier) @name))",
                  "# a\n# b\nx\n# c\ny\n") == Found{"doc=# a doc=# b name=x", "doc=# c name=y"});
    CHECK(matches("c", "(declaration \"const\"? (_) @first)", "int x;\n").size() == 2);
  }

  TEST_CASE("fields that may not be there, alternations and anonymous nodes are asked") {
    const std::string pattern = "(struct_specifier !name body: (_) @body)";
    CHECK(matches("c", pattern, "struct A {};\nstruct { int x; } y;\n") ==
          Found{"body={ int x; }"});
    CHECK(matches("c",
                  "(declaration declarator: [(identifier) @name (pointer_declarator) @pointer])",
                  "int a, *b;\n") == Found{"name=a", "pointer=*b"});
    CHECK(matches("c", "(binary_expression \"+\" right: (_) @right)", "int x = 1 + 2 - 3;\n") ==
          Found{"right=2"});
  }

  TEST_CASE("patterns beyond the known part are left to tree-sitter") {
    const Language& python = *find_language("python");
    CaptureNames names;
    for (const char* pattern : {"(ERROR) @name",
                                "((identifier) @a (identifier) @b)",
                                "(no_such_node) @name",
                                "(identifier",
                                "(identifier) @name (#match? @name \"x\")",
                                "(module (MISSING identifier) @name)",
                                "(expression) @name"}) {
      INFO(pattern);
      CHECK(!parse_pattern(pattern, python.grammar(), names));
    }
    Language mixed = python;
    mixed.query =
        "(module (expression_statement (expression) @name) @definition.constant)\n"
        "(class_definition name: (identifier) @name (#eq? @name \"Yes\")) @definition.class\n";
    const auto query = CompiledQuery::compile(mixed);
    REQUIRE(query);
    CHECK(query->rest() != nullptr);
    const std::string text = "class Yes: pass\nclass No: pass\nword\n";
    const Parsed parsed = parse(mixed, text);
    CutCosts costs(3);
    const Budget budget = plenty();
    const auto found = find(*query, mixed, parsed.tree.get(), text, budget, costs);
    REQUIRE(found);
    REQUIRE(found->candidates.size() == 2);
    CHECK(found->candidates[0].definition.name == "word");
    CHECK(found->candidates[0].rank == 0);
    CHECK(found->candidates[1].definition.name == "Yes");
    CHECK(found->candidates[1].rank == 1);
  }

  TEST_CASE("what is wrong with a query file is told by its place") {
    Language broken = *find_language("c");
    broken.query = "(identifier) @reference\n\n(no_such_node) @definition.function\n";
    const auto query = CompiledQuery::compile(broken);
    REQUIRE(!query);
    CHECK(query.error().message.find("c.scm, line 3: not a valid pattern near \"no_such_node") ==
          0);
    broken.query = "((identifier) @name (#sounds-like? @name \"x\"))";
    const auto predicate = CompiledQuery::compile(broken);
    REQUIRE(!predicate);
    CHECK(predicate.error().message == "c.scm, line 1: unknown predicate #sounds-like?");
    broken.query = "(identifier) @definition.nonsense";
    CHECK(!CompiledQuery::compile(broken));
  }

  TEST_CASE("query files are right in tree-sitter's eyes, too") {
    for (const Language& language : all_languages()) {
      if (language.grammar == nullptr) continue;
      const auto query = CompiledQuery::compile(language, MatchBy::kTreeSitter);
      if (!query) FAIL(query.error().message);
      CHECK(query);
    }
  }
}

}  // namespace kinglet::indexer
