#include "daemon/features/prompt_parts.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "tests/daemon/double_vocabulary.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::daemon {
namespace {

using lsp::Json;

/// A file "a.c" of its own, in a format that knows no suffix: one token a byte.
PackJob job_for(const std::string& text, std::uint32_t cursor) {
  PackJob job;
  job.path = "a.c";
  job.text = std::make_shared<const lsp::TextBuffer>(text);
  job.cursor = ByteOffset{cursor};
  job.budget_tokens = 100;
  job.writer = std::make_shared<const PromptWriter>(test::double_vocabulary("model"));
  return job;
}

/// "REASON LINE TOKENS", one a line.
std::string parts_of(const Json& context) {
  std::string lines;
  for (const Json& part : context["parts"]) {
    lines += part["reason"].get<std::string>() + " " + part["line"].dump() + " " +
             part["tokens"].dump() + "\n";
  }
  return lines;
}

Json describe(const PackJob& job) {
  const auto packed = pack_prompt(job, {});
  REQUIRE(packed);
  Json context = describe_prompt(*packed, job, "");
  std::size_t n_tokens = 0;
  for (const Json& part : context["parts"])
    n_tokens += part["tokens"].get<std::size_t>();
  CHECK(n_tokens == packed->prompt.tokens.size());
  CHECK(context["ids"].size() == n_tokens);
  return context;
}

}  // namespace

TEST_SUITE("daemon/features/prompt_parts") {
  TEST_CASE("what the format has no place for is no part") {
    const Json context = describe(job_for("one\ntwo\nthree\n", 6));
    CHECK(context["format"] == "plain");
    CHECK(parts_of(context) == "format null 7\nprefix 1 4\ntyped 2 2\n");  // "// a.c\n"
    CHECK(context["budget"] == 100);
  }

  TEST_CASE("an empty text has no lines") {
    CHECK(parts_of(describe(job_for("", 0))) == "format null 7\nprefix null 0\ntyped null 0\n");
  }

  TEST_CASE("a prefix that was cut begins where it was cut") {
    std::string text;
    for (int i = 0; i < 50; ++i)
      text += "1234567890123456789\n";
    const auto cursor = static_cast<std::uint32_t>(text.size());
    PackJob job = job_for(text, cursor);
    const Json context = describe(job);
    const Json& prefix = context["parts"][1];
    CHECK(prefix["reason"] == "prefix");
    CHECK(prefix["tokens"] == 20 * (51 - prefix["line"].get<std::size_t>()));
  }

  TEST_CASE("a part is as old as its file") {
    const test::TemporaryFolder folder;
    PackJob job = job_for("one\n", 4);
    CHECK(describe(job)["parts"][1]["age"].is_null());
    job.root = folder.path();
    CHECK(describe(job)["parts"][1]["age"].is_null());
    std::ofstream(folder / "a.c") << "one\n";
    CHECK(describe(job)["parts"][1]["age"] <= 3600);
    const auto now = std::filesystem::file_time_type::clock::now();
    std::filesystem::last_write_time(folder / "a.c", now - std::chrono::hours(48));
    CHECK(describe(job)["parts"][1]["age"] >= 48 * 3600);
    std::filesystem::last_write_time(folder / "a.c", now + std::chrono::hours(48));
    CHECK(describe(job)["parts"][1]["age"] == 0);
  }

  TEST_CASE("a budget below what the format takes is an error that names it") {
    PackJob job = job_for("one\n", 4);
    job.budget_tokens = 6;
    const auto packed = pack_prompt(job, {});
    REQUIRE(!packed);
    CHECK(packed.error().message ==
          "a budget of 6 tokens does not hold what the format \"plain\" itself takes for a.c; give "
          "7 or more");
  }
}

}  // namespace kinglet::daemon
