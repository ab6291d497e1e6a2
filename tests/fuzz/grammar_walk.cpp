#include "tests/fuzz/grammar_walk.h"

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/fuzz/fuzz_target.h"
#include "tests/inference/grammar/grammar_lab.h"

namespace kinglet::test {
namespace {

using inference::grammar::Effect;
using inference::grammar::Machine;
using inference::grammar::StateId;

// Longer ones are drawn, but not read again: that takes the square of their length.
constexpr std::size_t kMostReadBytes = 60;
// Grammars whose shortest text is longer are not drawn from.
constexpr std::uint32_t kMostShortest = 200;

void check_machine(const Machine& machine) {
  require(machine.root < machine.rules.size(), "the root is a rule");
  for (const Machine::Rule& rule : machine.rules)
    require(rule.start < machine.states.size(), "a rule begins at a state");
  for (StateId state = 0; state < machine.states.size(); ++state) {
    require(machine.states[state].rule < machine.rules.size(), "a state is of a rule");
    int last = -1;
    for (const auto& edge : machine.edges_of(state)) {
      require(edge.first > last && edge.last >= edge.first, "edges are sorted and do not overlap");
      require(edge.to < machine.states.size(), "an edge leads to a state");
      last = edge.last;
    }
    for (const auto& call : machine.calls_of(state)) {
      require(call.rule < machine.rules.size() && call.to < machine.states.size(),
              "a call is of a rule and leads to a state");
    }
  }
}

/// Earley's algorithm on the machine: shares nothing with masks and distances. Nothing when it
/// would take too long.
class Reader {
 public:
  explicit Reader(const Machine& machine) : machine_(machine) {}

  enum class Answer { kNo, kYes, kTooLong };

  Answer read(std::string_view text) {
    sets_.assign(text.size() + 1, {});
    begin(machine_.root, 0);
    for (std::size_t i = 0; i <= text.size(); ++i) {
      complete(i);
      if (n_items_ > 200'000) return Answer::kTooLong;
      if (i == text.size()) break;
      for (const Item& item : sets_[i]) {
        const auto* edge = machine_.edge(item.state, static_cast<std::uint8_t>(text[i]));
        if (edge == nullptr || !is_open(item, edge->effect)) continue;
        add(i + 1, {edge->to, item.n_counted + counts(edge->effect), item.origin});
      }
    }
    for (const Item& item : sets_.back()) {
      const auto& state = machine_.states[item.state];
      if (item.origin == 0 && state.is_final && state.rule == machine_.root) return Answer::kYes;
    }
    return Answer::kNo;
  }

 private:
  struct Item {
    StateId state;
    std::uint32_t n_counted;
    std::size_t origin;
    auto operator<=>(const Item&) const = default;
  };

  static std::uint32_t counts(Effect effect) { return effect == Effect::kCount ? 1 : 0; }
  bool is_open(const Item& item, Effect effect) const {
    const Machine::Rule& rule = machine_.rules[machine_.states[item.state].rule];
    if (effect == Effect::kCount) return item.n_counted < rule.most;
    return effect != Effect::kEnough || item.n_counted >= rule.least;
  }
  void add(std::size_t i, const Item& item) { n_items_ += sets_[i].insert(item).second ? 1 : 0; }
  void begin(std::uint32_t rule, std::size_t i) { add(i, {machine_.rules[rule].start, 0, i}); }

  /// Calls and returns at one place, until nothing is new: rules may be empty.
  void complete(std::size_t i) {
    for (std::size_t before = 0; before != sets_[i].size();) {
      before = sets_[i].size();
      const std::vector<Item> items(sets_[i].begin(), sets_[i].end());
      for (const Item& item : items) {
        for (const auto& call : machine_.calls_of(item.state)) {
          if (is_open(item, call.effect)) begin(call.rule, i);
        }
        if (machine_.states[item.state].is_final) return_from(item, i);
        if (n_items_ > 200'000) return;
      }
    }
  }

  void return_from(const Item& done, std::size_t i) {
    const std::uint32_t rule = machine_.states[done.state].rule;
    const std::vector<Item> waiting(sets_[done.origin].begin(), sets_[done.origin].end());
    for (const Item& item : waiting) {
      for (const auto& call : machine_.calls_of(item.state)) {
        if (call.rule != rule || !is_open(item, call.effect)) continue;
        add(i, {call.to, item.n_counted + counts(call.effect), item.origin});
      }
    }
  }

  const Machine& machine_;
  std::vector<std::set<Item>> sets_;
  std::size_t n_items_ = 0;
};

}  // namespace

void walk_grammar(Machine machine,
                  std::uint64_t seed,
                  const std::function<void(std::string_view text)>& check) {
  check_machine(machine);
  const Machine original = machine;
  const GrammarLab lab(std::move(machine));
  const std::uint32_t shortest = lab.shortest();
  require(shortest < inference::grammar::kUnreachable, "a grammar that was accepted has a text");
  if (shortest > kMostShortest) return;
  std::mt19937 random(static_cast<std::uint32_t>(seed));
  for (const std::uint32_t slack : {0U, 1U, static_cast<std::uint32_t>(random() % 30)}) {
    const GrammarLab::Drawn drawn = lab.draw(shortest + slack, random);
    require(drawn.trouble.empty(),
            "a text drawn within " + std::to_string(shortest + slack) +
                " tokens is complete: " + drawn.trouble);
    check(drawn.text);
    if (drawn.text.size() > kMostReadBytes) continue;
    require(Reader(original).read(drawn.text) != Reader::Answer::kNo,
            "the grammar has the text that was drawn: " + drawn.text);
  }
  // Masks say what trying each token says; with little room and with plenty.
  if (original.states.size() > 5000) return;
  for (const std::uint32_t n_left : {shortest, shortest + 2}) {
    const std::string wrong = lab.check_mask(lab.state(), n_left);
    require(wrong.empty(), wrong);
  }
}

std::uint64_t seed_of(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace kinglet::test
