// The verbs that run a model in their own process, against the engine called directly.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "inference/engine.h"
#include "inference/tokenizer/tokenizer.h"
#include "tests/daemon/home.h"
#include "tests/inference/synthetic_gguf.h"
#include "tests/inference/synthetic_lora.h"

namespace kinglet::test {
namespace {

namespace fs = std::filesystem;
using inference::LogitsWanted;
using inference::TokenId;

std::vector<float> read_floats(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<float> floats(bytes.size() / sizeof(float));
  std::memcpy(floats.data(), bytes.data(), floats.size() * sizeof(float));
  return floats;
}

/// A home with a model that has long and short rope factors.
struct ModelHome : Home {
  explicit ModelHome(SyntheticModel shape = {.context = 256, .original_context = 32}) {
    write_synthetic_gguf(shape, model);
  }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(*this / name) << text;
    return *this / name;
  }

  std::string model = *this / "model.gguf";
  std::string out = *this / "logits.f32";
};

const std::string kTwelve = "5 6 7\n300\t301 302 303\r\n 304 305 9 10 11\n";
const std::vector<TokenId> kTwelveTokens = {5, 6, 7, 300, 301, 302, 303, 304, 305, 9, 10, 11};

std::vector<float> expected_logits(const ModelHome& home,
                                   inference::KvFormat kv_format,
                                   inference::RopeFactorSet rope) {
  const auto model = *inference::Model::load(home.model);
  const auto executor =
      *inference::find_backend("cpu")->create(model, {.kv_format = kv_format, .n_kv_tokens = 64});
  auto sequence = *executor->new_sequence({.max_tokens = 12, .rope_factor_set = rope});
  std::vector<float> logits(kTwelveTokens.size() * model->hyper_parameters().n_vocabulary);
  REQUIRE(executor->forward(sequence, kTwelveTokens, LogitsWanted::kAll, logits));
  return logits;
}

}  // namespace

TEST_SUITE("daemon/commands/model_verbs") {
  TEST_CASE("logits: a row for each position, exact unless told") {
    const ModelHome home;
    const std::string ids = home.file("ids.txt", kTwelve);
    const auto logits = [&](std::vector<std::string> more) {
      std::vector<std::string> arguments = {
          "logits", home.model, "--tokens", ids, "--out", home.out};
      arguments.insert(arguments.end(), more.begin(), more.end());
      const auto outcome = home.run(arguments);
      INFO(outcome.output);
      CHECK(outcome.exit_code == 0);
      return read_floats(home.out);
    };
    using inference::KvFormat;
    using inference::RopeFactorSet;
    const auto exact = expected_logits(home, KvFormat::kF32, RopeFactorSet::kShort);
    CHECK(logits({}) == exact);
    CHECK(logits({"--all", "--rope", "auto", "--backend", "cpu"}) == exact);
    CHECK(logits({"--last", "2"}) ==
          std::vector<float>(exact.end() - static_cast<std::ptrdiff_t>(exact.size() / 6),
                             exact.end()));
    const auto f16 = expected_logits(home, KvFormat::kF16, RopeFactorSet::kShort);
    CHECK(logits({"--kv", "f16"}) == f16);
    CHECK(f16 != exact);
    const auto long_factors = expected_logits(home, KvFormat::kF32, RopeFactorSet::kLong);
    CHECK(logits({"--rope", "long"}) == long_factors);
    CHECK(long_factors != exact);
  }

  TEST_CASE("logits: what cannot be is refused by name, and leaves no file") {
    const ModelHome home;
    const std::string ids = home.file("ids.txt", kTwelve);
    const auto refuse = [&](std::vector<std::string> arguments, const std::string& message) {
      arguments.insert(arguments.begin(), {"logits", home.model, "--out", home.out});
      const auto outcome = home.run(arguments);
      CHECK(outcome.exit_code == 1);
      CHECK(outcome.output == "kinglet: " + message + "\n");
      CHECK(!fs::exists(home.out));
    };
    const auto bad = home.file("bad.txt", "1 2 1e3");
    refuse({"--tokens", bad},
           bad + ": word 3, \"1e3\", is no token id; give numbers separated by white space");
    refuse({"--tokens", home.file("empty.txt", " \n")},
           (home / "empty.txt").string() + " holds no tokens");
    refuse({"--tokens", home / "none.txt"},
           "cannot read " + (home / "none.txt").string() + ": No such file or directory");
    fs::create_directory(home / "folder");
    refuse({"--tokens", home / "folder"},
           "cannot read " + (home / "folder").string() + ": Is a directory");
    const auto big = home.file("big.txt", "1 384");
    refuse({"--tokens", big},
           big +
               ": word 2: token 384 is not in the model's vocabulary of 384; write the file with "
               "`kinglet tokenize` and this model");
    const ModelHome plain({.context = 256});
    const auto no_long =
        plain.run({"logits", plain.model, "--tokens", ids, "--out", home.out, "--rope", "long"});
    CHECK(no_long.exit_code == 1);
    CHECK(no_long.output ==
          "kinglet: --rope long: the model has no long rope factors; leave --rope out\n");
    const auto last =
        home.run({"logits", home.model, "--tokens", ids, "--out", home.out, "--last", "0"});
    CHECK(last.exit_code == 2);
    CHECK(last.output.size() < 200);
    const auto nowhere = home.run({"logits", home.model, "--tokens", ids, "--out", ""});
    CHECK(nowhere.output ==
          "kinglet: cannot write \"\": No such file or directory; give another path with --out\n");
    refuse({"--tokens", ids, "--last", "13"}, "--last 13: there are 12 tokens");
    refuse({"--tokens", ids, "--rope", "middle"}, "--rope \"middle\" is not auto, short or long");
    refuse({"--tokens", ids, "--backend", "metal"},
           "--backend \"metal\" is neither cpu nor vulkan");
    CHECK(home.run({"logits", home.model, "--tokens", ids}).exit_code == 2);
  }

  TEST_CASE("weights that are no numbers are reported, and never become text") {
    const ModelHome home;
    GgufWriter writer = synthetic_gguf({});
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::memcpy(writer.tensor("blk.1.ffn_down.weight").data.data(), &nan, sizeof nan);
    write_file(home.model, writer.bytes());
    const auto logits = home.run(
        {"logits", home.model, "--tokens", home.file("ids.txt", kTwelve), "--out", home.out});
    CHECK(logits.exit_code == 1);
    CHECK(logits.output.find("tensor 'blk.1.ffn_down.weight' has numbers that are") !=
          std::string::npos);
    CHECK(!fs::exists(home.out));
    const auto text = home.run({"generate", home.model, "-p", "int", "--backend", "cpu"});
    CHECK(text.exit_code == 1);
    CHECK(text.output == logits.output);
  }

  TEST_CASE("generate prints what the engine generates, as it comes") {
    const ModelHome home;
    const auto engine = *inference::Engine::load(
        {.model_path = home.model, .backend = inference::BackendChoice::kCpu, .n_context = 32});
    const auto& tokenizer = engine->tokenizer();
    const auto expected = [&](inference::SamplerOptions sampler) {
      inference::GenerateRequest request;
      request.prompt =
          tokenizer.encode("return value", {.ends = inference::TextEnds::kByVocabulary});
      request.max_tokens = 12;
      request.sampler = sampler;
      std::string text;
      const auto result = engine->generate(request, [&](TokenId, std::string_view bytes) {
        text += bytes;
        return true;
      });
      REQUIRE(result);
      return text;
    };
    const auto generate = [&](std::vector<std::string> more, const char* n = "12") {
      std::vector<std::string> arguments = {
          "generate", home.model, "-p", "return value", "-n", n, "--backend", "cpu"};
      arguments.insert(arguments.end(), more.begin(), more.end());
      const auto outcome = home.run(arguments);
      CHECK(outcome.exit_code == 0);
      return outcome.output;
    };
    const std::string greedy = expected({});
    CHECK(!greedy.empty());
    CHECK(generate({}) == greedy);
    const std::string drawn = expected({.temperature = 0.9F, .seed = 7});
    CHECK(generate({"--temperature", "0.9", "--seed", "7"}) == drawn);
    CHECK(drawn != greedy);
    CHECK(generate({}, "0").empty());
    const std::string other = expected({.temperature = 0.9F, .seed = 8});
    CHECK(generate({"--candidates", "2", "--temperature", "0.9", "--seed", "7"}) ==
          "== 1 of 2 (--seed 7)\n" + drawn + "\n== 2 of 2 (--seed 8)\n" + other + "\n");
    CHECK(generate({"--presence-penalty", "9"}) == expected({.presence_penalty = 9}));
    CHECK(generate({"--frequency-penalty", "9"}) == expected({.frequency_penalty = 9}));
    CHECK(expected({.frequency_penalty = 9}) != greedy);
    const std::string schema = home.model + ".schema.json";
    std::ofstream(schema)
        << R"({"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]})";
    CHECK(std::regex_match(generate({"--json-schema", schema}),
                           std::regex(R"(\{\s*"a":\s*-?\d+\s*\})")));
    const auto too_few =
        home.run({"generate", home.model, "-p", "x", "-n", "2", "--json-schema", schema});
    CHECK(too_few.exit_code == 1);
    CHECK(too_few.output.find("tokens at least") != std::string::npos);
    for (const char* option : {"--json-schema", "--grammar"}) {
      const auto folder = home.run({"generate", home.model, "-p", "x", option, home / "."});
      CHECK(folder.exit_code == 1);
      CHECK(folder.output ==
            "kinglet: cannot read " + (home / ".").string() + ": Is a directory\n");
    }
    const std::string stop = greedy.substr(2, 3);
    if (stop.find('\0') == std::string::npos) {
      CHECK(generate({"--stop", stop}) == greedy.substr(0, greedy.find(stop)));
    }
    CHECK(generate({"--stats"}).find("prompt of") != std::string::npos);
  }

  TEST_CASE("--path names one of the ways to multiply") {
    const ModelHome home{SyntheticModel{}};
    const auto wrong = home.run({"generate", home.model, "-p", "x", "--path", "scenic"});
    CHECK(wrong.exit_code == 1);
    CHECK(wrong.output ==
          "kinglet: --path \"scenic\" is none of auto, float, half, integer-dot, matrix\n");
  }

  TEST_CASE("--tuning is on or off") {
    const ModelHome home{SyntheticModel{}};
    const auto wrong = home.run({"generate", home.model, "-p", "x", "--tuning", "a piano"});
    CHECK(wrong.exit_code == 1);
    CHECK(wrong.output == "kinglet: --tuning \"a piano\" is neither default nor off\n");
    CHECK(home.run({"generate", home.model, "-p", "x", "-n", "1", "--tuning", "off"}).exit_code ==
          0);
  }

  TEST_CASE("--fast multiplies with activations of 8 bits") {
    SyntheticModel shape;
    shape.type = inference::TensorType::kQ4_0;
    const ModelHome home{shape};
    const std::string ids = home.file("ids.txt", kTwelve);
    const auto logits = [&](const std::vector<std::string>& flags) {
      std::vector<std::string> arguments = {
          "logits", home.model, "--tokens", ids, "--out", home.out};
      arguments.insert(arguments.end(), flags.begin(), flags.end());
      const auto outcome = home.run(arguments);
      INFO(outcome.output);
      CHECK(outcome.exit_code == 0);
      return read_floats(home.out);
    };
    const auto exact = logits({});
    const auto fast = logits({"--fast"});
    REQUIRE(fast.size() == exact.size());
    double greatest = 0;
    for (std::size_t i = 0; i < fast.size(); ++i)
      greatest = std::max(greatest, std::fabs(double{fast[i]} - exact[i]));
    CHECK(greatest > 1e-4);
    CHECK(greatest < 0.5);
  }

  TEST_CASE("--lora puts adapters on, with their scales") {
    const ModelHome home{SyntheticModel{}};
    const GgufWriter model_file = synthetic_gguf({});
    const std::string lora = home / "a=b.gguf";
    write_file(lora, synthetic_lora(model_file, {.rank = 4, .alpha = 8}).bytes());
    const std::string ids = home.file("ids.txt", kTwelve);
    const auto run = [&](const std::vector<std::string>& flags) {
      std::vector<std::string> arguments = {
          "logits", home.model, "--tokens", ids, "--out", home.out};
      arguments.insert(arguments.end(), flags.begin(), flags.end());
      return home.run(arguments);
    };
    const auto logits = [&](const std::vector<std::string>& flags) {
      const auto outcome = run(flags);
      INFO(outcome.output);
      CHECK(outcome.exit_code == 0);
      return read_floats(home.out);
    };
    const auto plain = logits({});
    const auto whole = logits({"--lora", lora + "=1"});
    CHECK(whole != plain);
    CHECK(logits({"--lora", lora + "=0.5", "--lora", lora + "=0.5"}) != plain);
    CHECK(logits({"--lora", lora + "=0"}) == plain);

    const auto model = *inference::Model::load(home.model);
    const auto executor =
        *inference::find_backend("cpu")->create(model, {.kv_format = inference::KvFormat::kF32});
    REQUIRE(executor->set_adapters({{*inference::Lora::load(lora, *model), 1}}));
    auto sequence = *executor->new_sequence({.max_tokens = 12});
    std::vector<float> expected(plain.size());
    REQUIRE(executor->forward(sequence, kTwelveTokens, LogitsWanted::kAll, expected));
    CHECK(whole == expected);

    CHECK(home.run({"generate", home.model, "-p", "int", "-n", "4", "--lora", lora + "=1"})
              .exit_code == 0);
    CHECK(run({"--lora", lora}).output ==
          "kinglet: --lora " + lora + ": \"b.gguf\" is no scale; give FILE=NUMBER\n");
    CHECK(run({"--lora", home.model}).output ==
          "kinglet: " + home.model + ": not an adapter: general.type is missing\n");
  }

  TEST_CASE("bench says of each test how fast it was; a trace shows when") {
    ModelHome home;
    const fs::path trace = home / "trace.json";
    home.set("KINGLET_TRACE", trace);
    const auto outcome = home.run({"bench",
                                   home.model,
                                   "--backend",
                                   "cpu",
                                   "--prefill",
                                   "16",
                                   "--depth",
                                   "0,256,100000",
                                   "--decode",
                                   "4",
                                   "--seconds",
                                   "0.05",
                                   "--json"});
    INFO(outcome.output);
    REQUIRE(outcome.exit_code == 0);
    Json rows = Json::parse(outcome.output);
    // A line for each, so that one who stops it has those before.
    CHECK(std::ranges::count(outcome.output, '\n') == static_cast<std::ptrdiff_t>(rows.size()) + 2);
    // Loaded from the page cache and, where the file leaves it, from the disk.
    Json loads = Json::array();
    while (!rows.empty() && rows[0]["test"] == "load") {
      loads.push_back(rows[0]);
      rows.erase(rows.begin());
    }
    REQUIRE((loads.size() == 1 || loads.size() == 2));
    CHECK(loads[0]["from_disk"] == false);
    for (const Json& row : loads) {
      CHECK(row["bytes_per_s"] > 0);
      CHECK(row["read_bytes_per_s"] > 0);
      CHECK(row["share_of_limit"] > 0);
      CHECK(row["tokens_per_s"].is_null());
    }
    REQUIRE(rows.size() == 4);
    const char* const tests[] = {"prefill", "decode", "decode", "decode"};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const Json& row = rows[i];
      CHECK(row["test"] == tests[i]);
      CHECK(row["backend"] == "cpu");
      CHECK(row["kv"] == "f16");
      CHECK(row["tokens_per_s"].is_number() == (i < 3));
      CHECK(row["share_of_limit"].is_number() == (i < 3));
      CHECK(row["bytes_per_token"] > 0);
      // Nothing is recorded on a CPU.
      for (const char* key : {"stages_per_layer", "dispatches_per_layer", "cpu_us_per_token"}) {
        REQUIRE(row.contains(key));
        CHECK(row[key].is_null());
      }
    }
    CHECK(rows[2]["depth"] == 252);
    CHECK(rows[3]["skipped"] == "more than the context holds");

    std::ifstream file(trace);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    REQUIRE(text.ends_with(",\n"));
    text.replace(text.size() - 2, 1, "]");
    std::vector<std::string> spans;
    for (const Json& event : Json::parse(text))
      if (event["ph"] == "X") spans.push_back(event["name"]);
    for (const char* span : {"read model file", "prefill chunk", "greedy steps"})
      CHECK(std::ranges::count(spans, span) >= 1);
  }
}

}  // namespace kinglet::test
