#include "indexer/context/enclosing.h"

#include <algorithm>

#include "indexer/language.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kMaxNames = 4;
constexpr std::size_t kMinNameBytes = 3;
constexpr float kWeight = 1;  // about that of one use on the line above

bool has_inside(SymbolKind kind) {
  switch (kind) {
    case SymbolKind::kFunction:
    case SymbolKind::kMethod:
    case SymbolKind::kClass:
    case SymbolKind::kStruct:
    case SymbolKind::kUnion:
    case SymbolKind::kInterface:
      return true;
    default:
      return false;
  }
}

// Where indentation ends a function, the line below its last one is still in it: people write
// there.
bool holds(const SymbolView& symbol, std::string_view before) {
  if (symbol.range.begin >= before.size()) return false;
  if (symbol.range.end > before.size()) return true;
  const Language* const language = find_language(symbol.language);
  return language != nullptr && language->lexical == LexicalForm::kIndented &&
         before.find_first_not_of(" \t\r\n", symbol.range.end) == std::string_view::npos;
}

}  // namespace

std::vector<std::string> enclosing_names(const Snapshot& index,
                                         std::string_view path,
                                         std::string_view before) {
  struct Around {
    ByteRange range;
    std::string name;
    std::string container;
  };
  std::vector<Around> around;
  index.for_each_definition_in(path, [&](const SymbolView& symbol) {
    // The index may know an older state of the file.
    if (symbol.has_body && has_inside(symbol.kind) && holds(symbol, before) &&
        symbol.name_range.end <= before.size() && symbol.name_range.of(before) == symbol.name) {
      around.push_back({symbol.range, std::string(symbol.name), std::string(symbol.container)});
    }
  });
  std::ranges::stable_sort(around, {}, [](const Around& one) { return one.range.size(); });
  std::vector<std::string> names;
  const auto add = [&](std::string_view name) {
    if (name.size() >= kMinNameBytes && names.size() < kMaxNames &&
        std::ranges::find(names, name) == names.end())
      names.emplace_back(name);
  };
  for (const Around& one : around) {
    add(one.name);
    // Outside of its type's head a member still says whose it is.
    const std::size_t scope = one.container.find_last_of(":.\\");
    add(std::string_view(one.container).substr(scope == std::string::npos ? 0 : scope + 1));
  }
  return names;
}

void add_enclosing(const std::vector<std::string>& enclosing, std::vector<NearName>& names) {
  for (const std::string& name : enclosing) {
    const auto known = std::ranges::find(names, name, &NearName::name);
    if (known == names.end()) {
      names.insert(names.begin(), {name, 1, kWeight, false});
    } else {
      known->weight = std::max(known->weight, kWeight);
      known->distance = 1;
    }
  }
}

}  // namespace kinglet::indexer
