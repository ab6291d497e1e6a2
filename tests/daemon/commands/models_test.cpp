// `kinglet models`, as a person types it.
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "tests/daemon/home.h"
#include "tests/inference/synthetic_gguf.h"

namespace kinglet::daemon {
namespace {

using test::Home;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

const std::string kStarter =
    std::string(KINGLET_SOURCE_DIR) + "/inference/starter_model/kinglet-starter.gguf";

}  // namespace

TEST_SUITE("daemon/commands/models") {
  TEST_CASE("list: the files there are, and which is used") {
    const Home home;
    const auto list = home.run({"models", "list"});
    CHECK(list.exit_code == 0);
    CHECK(contains(list.output, "* "));
    CHECK(contains(list.output, "kinglet-starter.gguf\n  Kinglet starter 3.1M (phi3, "));

    test::write_synthetic_gguf({}, home / "mine.gguf");
    std::ofstream(home / "damaged.gguf") << "GGUF, or not";
    home.write_config({{"model", home / "mine.gguf"}});
    const auto chosen = home.run({"models", "list"});
    CHECK(contains(chosen.output, "* " + (home / "mine.gguf").string()));
    CHECK(contains(chosen.output, "damaged.gguf\n  cannot be read"));
    CHECK(contains(chosen.output, "kinglet-starter.gguf"));
  }

  TEST_CASE("show: the starter model at a glance") {
    const Home home;
    const auto shown = home.run({"models", "show", kStarter});
    INFO(shown.output);
    CHECK(shown.exit_code == 0);
    for (const char* row :
         {"model          Kinglet starter 3.1M (phi3)",
          "shape          6 layers of 192, 3 heads of 64 (1 of keys and values)",
          "formats        Q8_0 100 %, F32 < 1 %",
          "context        2048 tokens; rope base 10000\n",
          "4096 tokens, ends with <|endoftext|>",
          "fill in        yes, in the format of qwen2.5-coder",
          "chat           no template",
          "memory                 2k         4k        32k       128k",
          "cache a token  f16 1.5 KiB, q8 0.8 KiB, q4 0.4 KiB",
          "not supported  nothing that the header tells of; `kinglet models test` "}) {
      INFO(row);
      CHECK(contains(shown.output, row));
    }
  }

  TEST_CASE("show: what is not supported is named, with what can be said all the same") {
    const Home home;
    auto gguf = test::synthetic_gguf({});
    gguf.remove_value("general.architecture");
    gguf.put_string("general.architecture", "mamba");
    test::write_file(home / "mamba.gguf", gguf.bytes());
    const auto shown = home.run({"models", "show", home / "mamba.gguf"});
    INFO(shown.output);
    CHECK(shown.exit_code == 1);
    CHECK(contains(shown.output, "architecture   mamba"));
    CHECK(contains(shown.output, "not supported  "));
    CHECK(contains(shown.output, "formats        F32 100 %"));

    // What a file says of itself cannot speak to the terminal.
    gguf.remove_value("general.architecture");
    gguf.put_string("general.architecture", "phi3");
    gguf.remove_value("general.name");
    gguf.put_string("general.name", "\x1b[31mred\nall is well\xc2\x9b" + std::string(1 << 20, 'x'));
    test::write_file(home / "mamba.gguf", gguf.bytes());
    const auto hostile = home.run({"models", "show", home / "mamba.gguf"});
    CHECK(contains(hostile.output, "model          \\x1b[31mred\\x0aall is well\xc2\\x9bxxx"));
    home.write_config({{"model", home / "mamba.gguf"}});
    const auto listed = home.run({"models", "list"});
    CHECK(contains(listed.output, "\n  \\x1b[31mred\\x0aall is well"));
    for (const std::string& output : {hostile.output, listed.output}) {
      CHECK(output.size() < 4000);
      CHECK(!contains(output, "\x1b"));
    }

    const auto none = home.run({"models", "show", home / "none.gguf"});
    CHECK(none.exit_code == 1);
    CHECK(contains(none.output, (home / "none.gguf").string()));
  }

  TEST_CASE("test: a sound model is 0, another is 1 and its red lines say why") {
    const Home home;
    const auto good = home.run({"models", "test", "--quick", kStarter});
    INFO(good.output);
    CHECK(good.exit_code == 0);
    CHECK(contains(good.output, "All in range."));

    test::write_synthetic_gguf({}, home / "random.gguf");
    const auto bad = home.run({"models", "test", "--quick", home / "random.gguf"});
    INFO(bad.output);
    CHECK(bad.exit_code == 1);
    CHECK(contains(bad.output, "RED  code: bits per byte after 512"));
    CHECK(contains(bad.output, "rope or a tensor is read wrong"));
    CHECK(contains(bad.output, "out of range."));
  }

  TEST_CASE("without a word of what to do, or a file, the usage is told") {
    const Home home;
    CHECK(home.run({"models"}).exit_code == 2);
    CHECK(home.run({"models", "show"}).exit_code == 2);
  }
}

}  // namespace kinglet::daemon
