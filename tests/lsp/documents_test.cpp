#include "lsp/documents.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/lsp/naive_text.h"

namespace kinglet::lsp {
namespace {

const DocumentUri kUri = "file:///a.c";

Documents with_document(std::string text, PositionEncoding encoding = PositionEncoding::kUtf16) {
  Documents documents(encoding);
  REQUIRE(
      documents.open({{.uri = kUri, .languageId = "c", .version = 1, .text = std::move(text)}}));
  return documents;
}

TextDocumentContentChangeEvent edit(Position start, Position end, std::string text) {
  return {.range = Range{start, end}, .text = std::move(text)};
}

TextDocumentContentChangeEvent full(std::string text) {
  return {.range = std::nullopt, .text = std::move(text)};
}

DidChangeTextDocumentParams change_to(std::int32_t version,
                                      std::vector<TextDocumentContentChangeEvent> changes) {
  return {.textDocument = {.uri = kUri, .version = version},
          .contentChanges = std::move(changes),
          .malformed = std::nullopt};
}

// The text after one change, or why the mirror is now known to be wrong.
std::string after(const char* text, TextDocumentContentChangeEvent change) {
  Documents documents = with_document(text);
  const auto changed = documents.change(change_to(2, {std::move(change)}));
  const Document& document = *documents.find(kUri);
  CHECK(document.is_synced == changed.has_value());
  CHECK(document.version == 2);
  return changed ? std::string(document.text->text()) : changed.error().message;
}

}  // namespace

TEST_SUITE("lsp/documents") {
  TEST_CASE("changes apply") {
    CHECK(after("abc", edit({0, 1}, {0, 2}, "XY")) == "aXYc");
    CHECK(after("a\nb\nc", edit({0, 1}, {2, 0}, " ")) == "a c");
    CHECK(after("ab", edit({0, 9}, {0, 99}, "!")) == "ab!");     // columns clamp
    CHECK(after("ab\n", edit({1, 0}, {1, 0}, "c")) == "ab\nc");  // the line behind the last LF
    CHECK(after("ab", edit({1, 0}, {1, 0}, "\nc")) == "ab\nc");  // one past the last: the end
    CHECK(after("abc", full("new")) == "new");
    CHECK(after("a\nb", edit({0, 0}, {999, 0}, "all")) == "all");  // the whole document, as a range
    CHECK(after("a", edit({0, 0}, {4294967295U, 4294967295U}, "all")) == "all");
  }

  TEST_CASE("a change that cannot be right is known to be wrong") {
    const std::string tail = "; the document is not synced until its full text comes";
    CHECK(after("a", edit({2, 0}, {2, 0}, "x")) ==
          "file:///a.c version 2: change 0: line 2 is past the document's end (1 lines, counted "
          "from 0)" +
              tail);
    CHECK(after("a\nb", edit({1, 0}, {9, 0}, "x")) ==
          "file:///a.c version 2: change 0: line 9 is past the document's end (2 lines, counted "
          "from 0)" +
              tail);
    CHECK(after("ab", edit({0, 2}, {0, 1}, "x")) ==
          "file:///a.c version 2: change 0: its end precedes its start" + tail);
    CHECK(after("a😀b", edit({0, 2}, {0, 4}, "x")) ==
          "file:///a.c version 2: change 0: column 2 of line 0 cuts a character" + tail);
    CHECK(after("a😀", edit({0, 1}, {0, 2}, "x")) ==
          "file:///a.c version 2: change 0: column 2 of line 0 cuts a character" + tail);
  }

  TEST_CASE("a bad change spoils its whole batch, and only a full text heals") {
    Documents documents = with_document("abc");
    CHECK(!documents.change(change_to(2, {edit({0, 0}, {0, 1}, "x"), edit({7, 0}, {7, 0}, "y")})));
    CHECK(documents.find(kUri)->text->text() == "abc");
    // Right by itself, but on a text we do not have.
    CHECK(documents.change(change_to(3, {edit({0, 0}, {0, 0}, "z")})));
    CHECK(!documents.find(kUri)->is_synced);
    CHECK(documents.get({kUri}).error().code == static_cast<int>(ResponseCode::kContentModified));
    CHECK(documents.change(change_to(4, {full("fresh"), edit({0, 5}, {0, 5}, "!")})));
    CHECK(documents.get({kUri})->text->text() == "fresh!");
  }

  TEST_CASE(
      "while the text is unknown, a range is the whole of it only if no document is as long") {
    Documents documents = with_document("abc");
    CHECK(!documents.change(change_to(2, {edit({7, 0}, {7, 0}, "y")})));
    CHECK(documents.change(change_to(3, {edit({0, 0}, {5, 0}, "perhaps not all")})));
    CHECK(!documents.find(kUri)->is_synced);
    CHECK(documents.change(change_to(4, {edit({0, 0}, {2147483647, 0}, "all")})));
    CHECK(documents.get({kUri})->text->text() == "all");
  }

  TEST_CASE("a change that cannot even be read spoils the document it names") {
    for (
        const char* change :
        {R"({"textDocument":{"uri":"file:///a.c","version":2},"contentChanges":[{"text":"x","range":
              {"start":{"line":-1,"character":0},"end":{"line":0,"character":0}}}]})",
         R"({"textDocument":{"uri":"file:///a.c","version":2},"contentChanges":[{"text":7}]})",
         R"({"textDocument":{"uri":"file:///a.c","version":"2"},"contentChanges":[{"text":"x"}]})",
         R"({"textDocument":{"uri":"file:///a.c","version":2}})"}) {
      CAPTURE(change);
      Documents documents = with_document("abc");
      const auto params = read_json<DidChangeTextDocumentParams>(*parse_json(change), "params");
      REQUIRE(params);
      CHECK(!documents.change(*params));
      CHECK(!documents.find(kUri)->is_synced);
    }
    CHECK(!read_json<DidChangeTextDocumentParams>(*parse_json("{}"), "params"));
  }

  TEST_CASE("versions rise by any step") {
    Documents documents = with_document("a");
    CHECK(documents.change(change_to(40, {full("b")})));
    const auto repeated = documents.change(change_to(40, {edit({0, 0}, {0, 0}, "x")}));
    REQUIRE(!repeated);
    CHECK(repeated.error().message ==
          "file:///a.c version 40: versions must rise, this one follows 40; the document is not "
          "synced until its full text comes");
    CHECK(!documents.find(kUri)->is_synced);
  }

  TEST_CASE("a save with text heals and audits") {
    Documents documents = with_document("abc");
    CHECK(documents.save({{kUri}, std::nullopt}));
    CHECK(documents.save({{kUri}, "abc"}));
    // The client saved something else than its changes made: take it, and say so.
    CHECK(!documents.save({{kUri}, "abd"}));
    CHECK(documents.get({kUri})->text->text() == "abd");
    CHECK(!documents.change(change_to(2, {edit({9, 9}, {9, 9}, "")})));
    CHECK(documents.save({{kUri}, "healed"}));
    CHECK(documents.get({kUri})->text->text() == "healed");
  }

  TEST_CASE("documents that are not open are an error") {
    Documents documents = with_document("abc");
    CHECK(documents.close({{kUri}}));
    CHECK(!documents.close({{kUri}}));
    CHECK(!documents.change(change_to(2, {full("x")})));
    CHECK(!documents.save({{kUri}, "x"}));
    CHECK(documents.find(kUri) == nullptr);
    CHECK(documents.get({kUri}).error().message == "document not open: file:///a.c");
    CHECK(documents.all().empty());
  }

  TEST_CASE("a position is located in the document's encoding") {
    const Documents documents = with_document("é\nx", PositionEncoding::kUtf8);
    const auto place = documents.locate({kUri}, {0, 2});
    REQUIRE(place);
    CHECK(place->offset == ByteOffset{2});
    CHECK(documents.locate({kUri}, {2, 0}).error().code ==
          static_cast<int>(ResponseCode::kInvalidParams));
  }

  TEST_CASE("a holder's text does not change under it") {
    Documents documents = with_document("before");
    const Document held = *documents.get({kUri});
    CHECK(documents.change(change_to(2, {full("after")})));
    CHECK(held.text->text() == "before");
    CHECK(documents.find(kUri)->text->text() == "after");
  }

  TEST_CASE("random batches agree with a naive text or are known to be wrong") {
    std::mt19937 random(11);
    int n_wrong = 0;
    for (int script = 0; script < 60; ++script) {
      const auto encoding = static_cast<PositionEncoding>(script % 3);
      test::NaiveText naive(test::random_text(random, 40));
      Documents documents = with_document(naive.utf8(), encoding);
      for (std::int32_t version = 2; version < 60; ++version) {
        test::NaiveText next = naive;
        std::vector<TextDocumentContentChangeEvent> changes;
        bool is_right = true;
        for (std::uint32_t n = 1 + random() % 3; n > 0; --n) {
          Position start = next.random_position(random, encoding);
          Position end = next.random_position(random, encoding);
          if (end < start) std::swap(start, end);
          // The naive text knows where a column cuts a character: neither its own place nor past
          // the line's end.
          for (const Position at : {start, end}) {
            const Position snapped = next.snapped(at, encoding);
            const Position line_end = next.snapped({at.line, 4294967295U}, encoding);
            if (snapped != at && snapped != line_end) is_right = false;
            if (snapped != at && snapped == line_end && at.character < line_end.character) {
              is_right = false;
            }
          }
          const auto inserted = test::random_text(random, next.size() > 80 ? 1 : 8);
          changes.push_back(edit(start, end, test::to_utf8(inserted)));
          next.replace(start, end, encoding, inserted);
        }
        const bool applied = documents.change(change_to(version, changes)).has_value();
        REQUIRE(applied == is_right);
        REQUIRE(documents.find(kUri)->is_synced == is_right);
        naive = next;
        if (!is_right) {
          ++n_wrong;
          REQUIRE(documents.change(change_to(++version, {full(naive.utf8())})));
        }
        REQUIRE(documents.find(kUri)->text->text() == naive.utf8());
      }
    }
    CHECK(n_wrong > 100);  // the script does reach those
  }
}

}  // namespace kinglet::lsp
