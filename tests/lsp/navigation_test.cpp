#include "lsp/navigation.h"

#include <doctest/doctest.h>

namespace kinglet::lsp {

TEST_SUITE("lsp/navigation") {
  TEST_CASE("results are written as the specification has them") {
    const Range range{{1, 2}, {1, 5}};
    CHECK(Json(DefinitionResult{}) == Json::array());
    CHECK(
        Json(DefinitionResult{std::vector<Location>{{"file:///a", range}}}).dump() ==
        R"([{"range":{"end":{"character":5,"line":1},"start":{"character":2,"line":1}},"uri":"file:///a"}])");
    const Json link =
        DefinitionResult{std::vector<LocationLink>{{range, "file:///a", range, range}}};
    CHECK(link[0].size() == 4);
    CHECK(Json(HoverResult{}).is_null());
    CHECK(Json(HoverResult{MarkupContent{true, "x"}, {}}).dump() ==
          R"({"contents":{"kind":"markdown","value":"x"}})");
    CHECK(Json(DocumentHighlight{range, DocumentHighlightKind::kWrite})["kind"] == 3);
    DocumentSymbol outer{.name = "A",
                         .detail = "",
                         .kind = SymbolKind::kClass,
                         .range = range,
                         .selectionRange = range,
                         .children = {}};
    outer.children.push_back(outer);
    const Json tree = DocumentSymbolResult{std::vector<DocumentSymbol>{outer}};
    CHECK(tree[0]["children"][0]["kind"] == 5);
    CHECK(!tree[0].contains("detail"));
    CHECK(!tree[0]["children"][0].contains("children"));
    const Json list =
        std::vector<SymbolInformation>{{"f", SymbolKind::kFunction, {"file:///a", range}, "A"}};
    CHECK(list[0]["containerName"] == "A");
  }

  TEST_CASE("params are read with the specification's defaults, and errors name the member") {
    const auto references = read_json<ReferenceParams>(
        Json::parse(R"({"textDocument":{"uri":"u"},"position":{"line":1,"character":2}})"),
        "params");
    REQUIRE(references);
    CHECK(!references->context.includeDeclaration);
    const auto symbols =
        read_json<WorkspaceSymbolParams>(Json::parse(R"({"query":"q"})"), "params");
    REQUIRE(symbols);
    CHECK(symbols->query == "q");
    CHECK(!symbols->limit);
    CHECK(read_json<WorkspaceSymbolParams>(Json::parse(R"({"query":1})"), "params")
              .error()
              .message.starts_with("params.query: expected a string"));
    CHECK(!read_json<DocumentSymbolParams>(Json::object(), "params"));
    CHECK(!read_json<SearchParams>(Json::object(), "params"));
    CHECK(read_json<DumpParams>(Json::object(), "params")->page == 0);
  }

  TEST_CASE("what a client can show is read from its capabilities") {
    const auto capabilities = read_json<ClientCapabilities>(
        Json::parse(R"({"textDocument":{"definition":{"linkSupport":true},
                        "documentSymbol":{"hierarchicalDocumentSymbolSupport":true},
                        "hover":{"contentFormat":["plaintext","markdown"]}}})"),
        "capabilities");
    REQUIRE(capabilities);
    CHECK(capabilities->definitionLinks);
    CHECK(capabilities->hierarchicalSymbols);
    CHECK(capabilities->markdownHover);
    CHECK(!read_json<ClientCapabilities>(Json::object(), "capabilities")->markdownHover);
  }
}

}  // namespace kinglet::lsp
