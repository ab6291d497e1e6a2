// Fuzz target "json_schema": schemas as tools send them. What is written under one that was
// accepted is JSON, by another parser than ours. (That it validates, too, is for a validator of
// somebody else's to say: tests/inference/grammar/schema_check_test.cpp.)
#include <string>

#include <nlohmann/json.hpp>

#include "inference/gguf_format.h"
#include "inference/grammar/json_schema.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/grammar_walk.h"
#include "tests/fuzz/text_mutations.h"
#include "tests/inference/grammar/random_schema.h"

namespace kinglet::test {
namespace {

constexpr std::string_view kWords[] = {"{",
                                       "}",
                                       "[",
                                       "]",
                                       ",",
                                       ":",
                                       "\"",
                                       "true",
                                       "false",
                                       "null",
                                       "0",
                                       "-1",
                                       "1e9",
                                       "1.5",
                                       "99999999999999999999",
                                       "1e400",
                                       "-0.0",
                                       "\"type\":",
                                       "\"string\"",
                                       "\"object\"",
                                       "\"array\"",
                                       "\"integer\"",
                                       "\"number\"",
                                       "\"properties\":{",
                                       "\"required\":[",
                                       "\"additionalProperties\":",
                                       "\"items\":",
                                       "\"prefixItems\":[",
                                       "\"minItems\":",
                                       "\"maxItems\":",
                                       "\"minLength\":",
                                       "\"maxLength\":",
                                       "\"pattern\":\"",
                                       "\"minimum\":",
                                       "\"exclusiveMaximum\":",
                                       "\"enum\":[",
                                       "\"const\":",
                                       "\"anyOf\":[",
                                       "\"allOf\":[",
                                       "\"$ref\":\"#\"",
                                       "\"$ref\":\"#/$defs/d0\"",
                                       "\"$ref\":\"#/properties/name\"",
                                       "\"$defs\":{",
                                       "~1",
                                       "~0",
                                       "%25",
                                       "%",
                                       "\\u0000",
                                       "\\ud83d",
                                       "\\u00e4",
                                       "ä",
                                       "\xff",
                                       "\xed\xa0\x80",
                                       "\"x-\":",
                                       "{}"};

bool use_json_schema(std::span<const std::byte> bytes) {
  const std::string_view text = inference::as_text(bytes);
  auto machine = inference::grammar::compile_json_schema(text);
  if (!machine) {
    const std::string& why = machine.error().message;
    require(why.find('#') == 0 || why.find("schema") != why.npos || why.find("grammar") != why.npos,
            "a refusal names a place: " + why.substr(0, 200));
    return false;
  }
  walk_grammar(*std::move(machine), seed_of(text), [](std::string_view written) {
    require(nlohmann::json::accept(written), "what is written is JSON: " + std::string(written));
  });
  return true;
}

}  // namespace

extern const FuzzTarget kJsonSchemaFuzz;
const FuzzTarget kJsonSchemaFuzz = {
    .name = "json_schema",
    .use = use_json_schema,
    .good = [](std::uint64_t seed) { return to_bytes(random_schema(seed).dump()); },
    .spoil = [](Bytes& bytes, std::uint64_t seed) { spoil_text(bytes, seed, kWords); },
    .most_bytes = std::size_t{192} << 20,
    .bytes_per_byte = 256,
};

}  // namespace kinglet::test
