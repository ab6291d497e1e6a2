// Fuzz target "pattern": the regular expressions of JSON strings. Automata of patterns that mean
// the same are equal, state by state; and what is written under a pattern is found by it.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "inference/gguf_format.h"
#include "inference/grammar/json_schema.h"
#include "inference/grammar/pattern.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/grammar_walk.h"
#include "tests/fuzz/text_mutations.h"
#include "tests/inference/grammar/random_schema.h"

namespace kinglet::test {
namespace {

using inference::grammar::PatternAutomaton;

constexpr std::string_view kWords[] = {
    "^",     "$",    "|",   "(",    "(?:", ")",   "*",     "+",       "?",       "+?",  "{2}",
    "{0,3}", "{1,}", "{0}", "{99}", "[",   "[^",  "]",     "a-z",     "-",       "\\d", "\\D",
    "\\w",   "\\W",  "\\s", "\\S",  "\\n", "\\0", "\\x41", "\\u00e4", "\\ud83d", "\\b", "\\1",
    "\\.",   "\\",   ".",   "ä",    "中",  "😀",   "a",     "\"",      "/",       "(?=", "(?<n>"};

using Next = std::optional<std::uint32_t>;  // nothing: no text goes on so

Next step(const PatternAutomaton& automaton, Next state, std::uint32_t point) {
  if (!state) return std::nullopt;
  for (const auto& step : automaton.states[*state].steps) {
    if (point >= step.range.first && point <= step.range.last) return step.to;
  }
  return std::nullopt;
}

bool is_final(const PatternAutomaton& automaton, Next state) {
  return state && automaton.states[*state].is_final;
}

void check_automaton(const PatternAutomaton& automaton) {
  require(!automaton.states.empty(), "there is a start");
  for (const auto& state : automaton.states) {
    std::int64_t last = -1;
    for (const auto& step : state.steps) {
      require(step.range.first > last && step.range.last >= step.range.first,
              "steps are sorted and do not overlap");
      require(step.range.last <= inference::grammar::kLastCodePoint, "steps are of characters");
      require(step.to < automaton.states.size(), "a step leads to a state");
      last = step.range.last;
    }
  }
}

/// Both automata at once, over all texts that tell states apart; gives up after many pairs.
bool are_equal(const PatternAutomaton& a, const PatternAutomaton& b) {
  constexpr std::size_t kMostPairs = 3000;
  std::set<std::pair<Next, Next>> seen = {{0, 0}};
  std::vector<std::pair<Next, Next>> open = {{0, 0}};
  while (!open.empty() && seen.size() < kMostPairs) {
    const auto [at_a, at_b] = open.back();
    open.pop_back();
    if (is_final(a, at_a) != is_final(b, at_b)) return false;
    std::set<std::uint32_t> points = {0};
    const auto mark = [&](const PatternAutomaton& automaton, Next state) {
      if (!state) return;
      for (const auto& s : automaton.states[*state].steps)
        points.insert({s.range.first, s.range.last + 1});
    };
    mark(a, at_a);
    mark(b, at_b);
    for (const std::uint32_t point : points) {
      const std::pair next = {step(a, at_a, point), step(b, at_b, point)};
      if ((next.first || next.second) && seen.insert(next).second) open.push_back(next);
    }
  }
  return true;
}

bool accepts(const PatternAutomaton& automaton, const std::string& text) {
  Next state = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    std::uint32_t point = n == 1 ? lead : lead & (0x7fU >> n);
    for (std::size_t k = 1; k < n; ++k)
      point = point << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3fU);
    state = step(automaton, state, point);
    i += n;
  }
  return is_final(automaton, state);
}

bool use_pattern(std::span<const std::byte> bytes) {
  // Patterns come out of JSON texts: they are UTF-8. What is not, is replaced on the way.
  const nlohmann::json said = std::string(inference::as_text(bytes));
  const std::string text =
      nlohmann::json::parse(said.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  const auto automaton = inference::grammar::compile_pattern(text);
  if (!automaton) {
    require(!automaton.error().message.empty() && automaton.error().message.size() < 200,
            "a refusal says why, shortly");
    return false;
  }
  check_automaton(*automaton);
  if (automaton->states.size() < 500) {
    for (const std::string& same : {"(?:" + text + ")", text + "|" + text, "(" + text + "){1}"}) {
      const auto other = inference::grammar::compile_pattern(same);
      if (!other) continue;  // too big, now
      require(are_equal(*automaton, *other), "the same pattern in other words: " + same);
    }
  }
  const nlohmann::json schema = {{"type", "string"}, {"pattern", text}};
  auto machine = inference::grammar::compile_json_schema(schema.dump());
  if (!machine) return true;  // too big as a string of JSON, or without any text
  walk_grammar(*std::move(machine), seed_of(text), [&](std::string_view written) {
    const auto value = nlohmann::json::parse(written, nullptr, false);
    require(value.is_string(), "what is written is a JSON string: " + std::string(written));
    require(accepts(*automaton, value.get<std::string>()),
            "the pattern " + text + " is found in " + std::string(written));
  });
  return true;
}

}  // namespace

extern const FuzzTarget kPatternFuzz;
const FuzzTarget kPatternFuzz = {
    .name = "pattern",
    .use = use_pattern,
    .good = [](std::uint64_t seed) { return to_bytes(random_pattern(seed)); },
    .spoil = [](Bytes& bytes, std::uint64_t seed) { spoil_text(bytes, seed, kWords); },
    .most_bytes = std::size_t{256} << 20,
    .bytes_per_byte = 64,
};

}  // namespace kinglet::test
