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
#include "tests/inference/synthetic_gguf.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::test {

using Json = nlohmann::ordered_json;

namespace {

const std::string kFolder = std::string(KINGLET_SOURCE_DIR) + "/tests/inference/grammar/schemas";

/// A schema of everything that is supported, from a seed.
class RandomSchema {
 public:
  explicit RandomSchema(std::uint64_t seed) : random_(seed) {}

  Json document() {
    n_definitions_ = below(3);
    Json schema = value(0);
    if (!schema.is_object()) schema = Json{{"type", "array"}, {"items", schema}};
    for (std::size_t i = 0; i < n_definitions_; ++i)
      schema["$defs"]["d" + std::to_string(i)] = value(1);
    return schema;
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }
  bool chance(std::size_t one_in) { return below(one_in) == 0; }
  template <class T>
  T pick(const std::vector<T>& list) {
    return list[below(list.size())];
  }

  Json value(int depth) {
    // Deeper down, what holds others becomes rare.
    const std::size_t kind = below(depth < 3 ? 14 : 7);
    switch (kind) {
      case 0:
      case 1:
        return string();
      case 2:
      case 3:
        return number();
      case 4:
        return Json{{"type", pick<std::string>({"null", "boolean"})}};
      case 5:
        return values();
      case 6:
        if (n_definitions_ > 0) {
          return Json{{"$ref", "#/$defs/d" + std::to_string(below(n_definitions_))}};
        }
        return chance(30) ? Json(false) : Json::object();
      case 7:
      case 8:
      case 9:
        return object(depth);
      case 10:
      case 11:
        return array(depth);
      case 12: {
        Json schema = {{"anyOf", Json::array()}};
        for (std::size_t i = 1 + below(3); i > 0; --i)
          schema["anyOf"].push_back(value(depth + 1));
        return schema;
      }
      default:
        return Json{{"type", {pick<std::string>({"integer", "array", "object"}), "string"}}};
    }
  }

  Json string() {
    Json schema = {{"type", "string"}};
    if (chance(3)) schema["minLength"] = below(6);
    if (chance(3)) schema["maxLength"] = 3 + below(10);
    if (chance(4)) schema["pattern"] = pattern();
    return schema;
  }

  std::string pattern() {
    std::string text;
    for (std::size_t i = 1 + below(3); i > 0; --i) {
      text += pick<std::string>({"a",
                                 "[a-z]",
                                 "[^a-z\"]",
                                 "\\d",
                                 "\\w",
                                 "\\s",
                                 ".",
                                 "(ab|c)",
                                 "ü",
                                 "(x|[0-9]+)",
                                 "\\.",
                                 "\\\\",
                                 "\"",
                                 "(?:de)"});
      text += pick<std::string>({"", "", "*", "+", "?", "{2}", "{1,3}", "{0,2}?"});
    }
    if (chance(2)) text = "^" + text;
    if (chance(2)) text += "$";
    if (chance(6)) text += "|^$";
    return text;
  }

  Json number() {
    const bool is_integer = chance(2);
    Json schema = {{"type", is_integer ? "integer" : "number"}};
    const auto limit = [&]() -> Json {
      const auto whole = static_cast<int>(below(4000)) - 2000;
      if (is_integer || chance(2)) return whole;
      return whole / pick<double>({8.0, 10.0, 1000.0});
    };
    if (chance(3)) schema[chance(2) ? "minimum" : "exclusiveMinimum"] = limit();
    if (chance(3)) schema[chance(2) ? "maximum" : "exclusiveMaximum"] = limit();
    return schema;
  }

  Json literal() {
    return pick<Json>({Json("red"),
                       Json("gr\"ün\n"),
                       Json(""),
                       Json(7),
                       Json(-2.5),
                       Json(nullptr),
                       Json(true),
                       Json::array({1, "a"}),
                       Json{{"k", Json::array()}}});
  }

  Json values() {
    if (chance(3)) return Json{{"const", literal()}};
    Json schema = {{"enum", Json::array()}};
    for (std::size_t i = 1 + below(4); i > 0; --i)
      schema["enum"].push_back(literal());
    return schema;
  }

  Json object(int depth) {
    Json schema = {{"type", "object"}};
    const std::vector<std::string> names = {"name", "na", "id", "in", "a b", "ä\"", "", "x/y"};
    for (std::size_t i = below(5); i > 0; --i) {
      const std::string name = pick(names);
      schema["properties"][name] = value(depth + 1);
      if (chance(2)) schema["required"].push_back(name);
    }
    if (schema.contains("required")) {
      // Names are required once.
      Json once = Json::array();
      for (const Json& name : schema["required"]) {
        if (std::find(once.begin(), once.end(), name) == once.end()) once.push_back(name);
      }
      schema["required"] = once;
    }
    if (chance(4)) schema["additionalProperties"] = chance(2) ? Json(chance(2)) : value(depth + 1);
    return schema;
  }

  Json array(int depth) {
    Json schema = {{"type", "array"}};
    if (chance(4)) {
      schema["prefixItems"] = Json::array();
      for (std::size_t i = 1 + below(3); i > 0; --i)
        schema["prefixItems"].push_back(value(depth + 1));
    }
    if (!chance(4)) schema["items"] = value(depth + 1);
    if (chance(3)) schema["minItems"] = below(4);
    if (chance(3)) schema["maxItems"] = 1 + below(5);
    return schema;
  }

  std::mt19937_64 random_;
  std::size_t n_definitions_ = 0;
};

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
    const Json schema = RandomSchema(seed).document();
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
