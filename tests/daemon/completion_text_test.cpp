#include "daemon/features/completion_text.h"

#include <doctest/doctest.h>

#include <string>

using kinglet::daemon::CompletionSite;
using kinglet::daemon::ModelState;
using kinglet::daemon::shown_text;

namespace {

// `|` marks the cursor; the text begins with the cursor's line.
CompletionSite site_of(const std::string& text) {
  const std::size_t cursor = text.find('|');
  const std::size_t line_end = std::min(text.find('\n'), text.size());
  const std::string_view view = text;
  return {view.substr(0, cursor),
          view.substr(cursor + 1, line_end - cursor - 1),
          view.substr(std::min(line_end + 1, view.size()))};
}

std::string finished(const std::string& text, const std::string& raw) {
  return shown_text(site_of(text), raw, ModelState::kFinished).text;
}

bool is_complete(const std::string& text, const std::string& raw) {
  return shown_text(site_of(text), raw, ModelState::kRunning).complete;
}

}  // namespace

TEST_SUITE("daemon/completion_text") {
  TEST_CASE("what the rest of the line holds is not said twice") {
    CHECK(finished("print(|)", "name)") == "name");
    CHECK(finished("print(|)", "f(a), b)") == "f(a), b");
    CHECK(finished("print(|)", "f(a)") == "f(a)");
    CHECK(finished("x = \"|\"", "abc\"") == "abc");
    CHECK(finished("f(|, b)", "a, b)") == "a");
    CHECK(finished("a[|]", "i] = 3") == "i");
  }

  TEST_CASE("one line only when code follows the cursor") {
    CHECK(finished("f(|, b)", "a\nfoo()\n") == "a");
    CHECK(is_complete("f(|, b)", "a\n"));
    CHECK_FALSE(is_complete("f(|, b)", "a"));
  }

  TEST_CASE("ends before a line that the suffix already holds") {
    CHECK(finished("  a = |\n  return a\n", "1\n  return a\n") == "1");
    CHECK(is_complete("  a = |\n  return a\n", "1\n  return a\n"));
  }

  TEST_CASE("ends before a line that closes the answer, wherever it comes") {
    const auto with_fence = [](const std::string& text, const std::string& raw, ModelState state) {
      CompletionSite site = site_of(text);
      site.closing = "```";
      return shown_text(site, raw, state);
    };
    const auto running = ModelState::kRunning;
    CHECK(with_fence("a = |", "1\nb = 2\n```\nThat is all.", running).text == "1\nb = 2");
    CHECK(with_fence("a = |", "1\nb = 2\n```", running).complete);
    // Held back while it may become one.
    CHECK(with_fence("a = |", "1\n``", running).text == "1");
    CHECK_FALSE(with_fence("a = |", "1\n``", running).complete);
    CHECK(with_fence("a = |", "1\n``x``", running).text == "1\n``x``");
    // The output may begin with it when nothing was typed, and only then.
    CHECK(with_fence("|", "```\nmore", running).text.empty());
    CHECK(with_fence("|", "```\nmore", running).complete);
    CHECK(with_fence("|", "``", running).text.empty());
    CHECK(with_fence("|", "``", ModelState::kFinished).text == "``");
    CHECK(with_fence("x = |", "```", running).text == "```");
    // In the middle of a line it is code.
    CHECK(with_fence("a = |", "\"```\"\n", running).text == "\"```\"");
  }

  TEST_CASE("ends at a dedent and at a second blank line") {
    CHECK(finished("  if x: |\n", "\n    y()\nz()\n") == "\n    y()");
    CHECK(finished("|", "a\n\n\nb\n") == "a");
    CHECK(finished("|", "a\n\nb\n") == "a\n\nb");
  }

  TEST_CASE("a line is not said three times running") {
    CHECK(finished("|", "foo();\nfoo();\nfoo();\nfoo();\n") == "foo();\nfoo();");
    CHECK(finished("|", "  }\n  }\n  }\n}\n") == "  }\n  }\n  }\n}");
  }

  TEST_CASE("a line that repeats itself ends the completion") {
    CHECK(is_complete("|", "f(int>(int>(int>(int>(int>(int>("));
    CHECK_FALSE(is_complete("|", "f(int a, int b, int c, int d"));
    CHECK_FALSE(is_complete("|", "{0, 0, 0, 0, 0}"));
  }

  TEST_CASE("a character cut in the middle waits for its last byte") {
    CHECK(finished("|", "a\xC3") == "a");
    CHECK(finished("|", "a\xC3\xA9") == "a\xC3\xA9");
    CHECK(finished("|", "\xF0\x9F\x90") == "");
  }

  TEST_CASE("the text only grows while the model runs") {
    const std::string raws[] = {"foo(a, b)  # note\n    bar(\"x\")\n\n    baz()\nend\n",
                                "\n    return f(a)\n\n\nclass A:\n",
                                "x) + y) + z\n",
                                "a\n  return a\n",
                                "foo();\nfoo();\nfoo();\nfoo();\n"};
    const std::string sites[] = {
        "    |\n  return a\n", "    y = (|)\n", "|", "  z = [|]  # c\n", "  f(|, b)\n"};
    for (const std::string& site : sites) {
      for (const std::string& raw : raws) {
        std::string before;
        for (std::size_t n = 0; n <= raw.size(); ++n) {
          const std::string now =
              shown_text(site_of(site), raw.substr(0, n), ModelState::kRunning).text;
          INFO(site << raw.substr(0, n));
          CHECK(now.substr(0, before.size()) == before);
          before = now;
        }
        CHECK(finished(site, raw).substr(0, before.size()) == before);
      }
    }
  }
}
