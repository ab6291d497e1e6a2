#include "tests/inference/grammar/schema_check.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <vector>

#include <nlohmann/json.hpp>

#include "inference/engine.h"
#include "inference/grammar/json_schema.h"
#include "tests/inference/grammar/random_schema.h"
#include "tests/inference/synthetic_gguf.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::test {

using Json = nlohmann::ordered_json;

namespace {

const std::string kFolder = std::string(KINGLET_SOURCE_DIR) + "/tests/inference/grammar/schemas";

/// The validator's line of figures.
Json validate(const std::filesystem::path& samples) {
  const std::string command = "node '" + kFolder + "/validate.mjs' '" + samples.string() + "'";
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run: " + command);
  std::string said;
  for (int c = 0; (c = std::fgetc(pipe)) != EOF;)
    said += static_cast<char>(c);
  if (::pclose(pipe) != 0) throw std::runtime_error("failed: " + command);
  return Json::parse(said);
}

}  // namespace

bool can_check_schemas() {
  return std::filesystem::exists(kFolder + "/node_modules/ajv") &&
         std::system("node --version > /dev/null 2>&1") == 0;
}

SchemaFigures check_schemas(std::uint64_t first, std::uint64_t n) {
  const TemporaryFolder folder;
  SyntheticModel shape;
  shape.hidden = 64;
  shape.layers = 1;
  shape.ffn = 128;
  shape.vocab = 512;
  write_synthetic_gguf(shape, (folder / "model.gguf").string());
  auto loaded = inference::Engine::load({.model_path = folder / "model.gguf",
                                         .backend = inference::BackendChoice::kCpu,
                                         .n_threads = 1});
  if (!loaded) throw std::runtime_error(loaded.error().message);
  inference::Engine& engine = **loaded;

  SchemaFigures figures;
  std::ofstream samples(folder / "samples");
  for (std::uint64_t seed = first; seed < first + n; ++seed) {
    ++figures.n_schemas;
    const Json schema = random_schema(seed);
    std::mt19937_64 random(seed + 1'000'000'007);
    auto machine = inference::grammar::compile_json_schema(schema.dump());
    if (!machine) {
      ++figures.n_refused;
      const std::string& why = machine.error().message;
      const bool is_right = why.find("cannot be satisfied") != std::string::npos ||
                            why.find("left recursion") != std::string::npos;
      if (!is_right) figures.trouble += schema.dump() + ": " + why + "\n";
      continue;
    }
    auto constraint = engine.constrain(std::move(*machine));
    if (!constraint) throw std::runtime_error(constraint.error().message);
    const std::uint32_t shortest = (*constraint)->shortest();
    inference::GenerateRequest request;
    for (int i = 0; i < 4; ++i)
      request.prompt.push_back(static_cast<inference::TokenId>(random() % 512));
    request.constraint = *constraint;
    request.sampler = {.temperature = 1.5F, .seed = seed};
    const std::uint32_t slack =
        static_cast<std::uint32_t>(random() % 2 == 0 ? random() % 4 : random() % 80);
    if (shortest > 1) {
      request.max_tokens = shortest - 1;
      if (engine.generate(request).has_value()) {
        figures.trouble += schema.dump() + ": a limit below the shortest text was accepted\n";
      } else {
        ++figures.n_small_refused;
      }
    }
    request.max_tokens = shortest + slack;
    const auto result = engine.generate(request);
    if (!result) {
      figures.trouble += schema.dump() + ": " + result.error().message + "\n";
      continue;
    }
    ++figures.n_outputs;
    if (slack < 4) ++figures.n_tight;
    figures.n_tokens += result->tokens.size();
    // Bytes that are no UTF-8 are written as what they are not: the validator will not parse them.
    samples << Json{{"schema", schema}, {"output", result->text}}.dump(
                   -1, ' ', false, Json::error_handler_t::replace)
            << '\n';
  }
  samples.close();
  const Json said = validate(folder / "samples");
  if (said["outputs"] != figures.n_outputs) {
    figures.trouble += "the validator has seen " + said["outputs"].dump() + " outputs\n";
  }
  figures.n_parsed = said["parsed"];
  figures.n_valid = said["valid"];
  for (const Json& sample : said["trouble"])
    figures.trouble += sample.dump() + "\n";
  return figures;
}

}  // namespace kinglet::test
