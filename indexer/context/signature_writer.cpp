#include "indexer/context/signature_writer.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <tuple>

namespace kinglet::indexer {
namespace {

bool is_type(SymbolKind kind) {
  return kind == SymbolKind::kClass || kind == SymbolKind::kStruct || kind == SymbolKind::kUnion ||
         kind == SymbolKind::kInterface;
}
bool is_function(SymbolKind kind) {
  return kind == SymbolKind::kFunction || kind == SymbolKind::kMethod;
}

// Where the index leaves the members of a type out: `typedef struct { ... } name`.
// Bytes; of a longer one only the members that are wanted.
constexpr std::size_t kMaxWholeEnum = 300;
constexpr std::string_view kLeftOut = "{ ... }";

// A signature is one line; a macro's may have been several.
std::string head_of(const Definition& definition) {
  std::string head;
  head.reserve(definition.signature.size());
  for (std::size_t i = 0; i < definition.signature.size(); ++i) {
    const bool is_continuation =
        definition.signature[i] == '\\' &&
        (i + 1 == definition.signature.size() || definition.signature[i + 1] == ' ');
    if (is_continuation) {
      ++i;
    } else {
      head += definition.signature[i];
    }
  }
  return head;
}

// `Point(int x) : x_(x)`: what initializes belongs to a body.
bool has_initializers(std::string_view signature) {
  const std::size_t close = signature.rfind(") :");
  return close != std::string_view::npos && signature.find("::", close) != close + 2;
}

// `Point::Point(int x)`: a declaration of it outside of its class is no code, and no type says that
// it is one.
bool is_constructor_outside(const Definition& definition) {
  const std::string& container = definition.container;
  const std::size_t scope = container.rfind("::");
  const std::string_view owner =
      std::string_view(container).substr(scope == std::string::npos ? 0 : scope + 2);
  const bool is_constructor = definition.name == owner || definition.name.starts_with('~');
  return is_constructor && definition.signature.find("::" + definition.name) != std::string::npos;
}

std::string_view ending(const Definition& definition, const SignatureForm& form) {
  const std::string_view head = definition.signature;
  if (head.starts_with('#')) return {};
  if (definition.kind == SymbolKind::kEnumerator)
    return head.starts_with("case ") ? std::string_view() : ",";
  if (head.ends_with(';') || head.ends_with('}')) {
    return form.close_scope.ends_with(';') && head.ends_with('}') ? form.end : std::string_view();
  }
  if (is_function(definition.kind)) {
    if (!definition.has_body && !form.end.empty()) return form.end;
    if (form.body == ";" && (has_initializers(head) || is_constructor_outside(definition)))
      return " {}";
    // Where a body is what comes after a colon, only a head with one has it.
    return form.body == " ..." && !head.ends_with(':') ? std::string_view() : form.body;
  }
  if (is_type(definition.kind) || definition.kind == SymbolKind::kEnum) {
    if (head.find('{') != std::string_view::npos) return form.end;
    if (head.ends_with(')') && form.field_end == ",") return form.end;  // struct Metres(f64)
    return form.type_body == " ..." && !head.ends_with(':') ? std::string_view() : form.type_body;
  }
  if (definition.kind == SymbolKind::kField) return form.field_end;
  if (definition.kind == SymbolKind::kMacro) return form.type_body;
  return form.end;
}

std::string_view beginning(const Definition& definition, const SignatureForm& form) {
  const bool is_named_type = is_type(definition.kind) || definition.kind == SymbolKind::kType;
  const std::string_view word = definition.kind == SymbolKind::kVariable   ? form.variable
                                : definition.kind == SymbolKind::kConstant ? form.constant
                                : is_named_type                            ? form.type
                                                                           : std::string_view();
  return definition.signature.starts_with(word) ? std::string_view() : word;
}

std::string line(const Definition& definition, const SignatureForm& form) {
  std::string head = head_of(definition);
  if (const std::size_t left_out = head.find(kLeftOut); left_out != std::string::npos)
    head.replace(left_out, kLeftOut.size(), "{}");
  return std::string(beginning(definition, form)) + head + std::string(ending(definition, form)) +
         "\n";
}

}  // namespace

const std::vector<Symbol>& SignatureWriter::scopes_in(const std::string& path) {
  const auto [entry, is_new] = scopes_.try_emplace(path);
  std::vector<Symbol>& scopes = entry->second;
  if (!is_new) return scopes;
  index_.for_each_definition_in(path, [&](const SymbolView& symbol) {
    if (symbol.has_body && (is_type(symbol.kind) || symbol.kind == SymbolKind::kEnum))
      scopes.push_back(symbol.symbol());
  });
  return scopes;
}

/// The innermost type around it. Code of functions has types of its own: those do not count.
const Symbol* SignatureWriter::scope_of(const Symbol& symbol, const Language& language) {
  const Definition& inner = symbol.definition;
  const Symbol* scope = nullptr;
  for (const Symbol& outer : scopes_in(symbol.path)) {
    const ByteRange whole = outer.definition.range;
    if (whole.begin > inner.range.begin) break;
    if (whole.end < inner.range.end || outer.definition.name_range == inner.name_range) continue;
    if (outer.definition.kind != SymbolKind::kEnum) {
      std::string name = outer.definition.container;
      if (!name.empty()) name += language.scope_separator;
      if (name + outer.definition.name != inner.container) continue;
    } else if (inner.kind != SymbolKind::kEnumerator) {
      continue;
    }
    scope = &outer;
  }
  return scope;
}

std::string SignatureWriter::line_of(const Symbol& symbol) {
  const Language* language = find_language(symbol.language);
  return language == nullptr ? std::string() : line(symbol.definition, language->signature);
}

std::string SignatureWriter::write(std::vector<const Symbol*> symbols) {
  if (symbols.empty()) return {};
  const Language* language = find_language(symbols.front()->language);
  if (language == nullptr) return {};
  const SignatureForm& form = language->signature;
  std::sort(symbols.begin(), symbols.end(), [](const Symbol* a, const Symbol* b) {
    const auto key = [](const Symbol* symbol) {
      return std::tuple(symbol->definition.range.begin,
                        UINT32_MAX - symbol->definition.range.end,
                        symbol->definition.name_range.begin);
    };
    return key(a) < key(b);
  });

  // Members under their type, types and the rest in the file's order.
  struct Unit {
    const Symbol* head = nullptr;  // null: an enum without a name
    std::vector<const Symbol*> members;
  };
  std::map<std::uint32_t, Unit> units;  // by the head's place
  constexpr std::string_view kNameless = "enum";
  Unit* nameless = nullptr;  // the last one: what follows joins it
  for (const Symbol* symbol : symbols) {
    const Symbol* scope = scope_of(*symbol, *language);
    const bool is_nameless = scope == nullptr && form.close_scope == "};" &&
                             symbol->definition.kind == SymbolKind::kEnumerator;
    if (scope != nullptr) {
      Unit& unit = units[scope->definition.name_range.begin];
      unit.head = scope;
      unit.members.push_back(symbol);
    } else if (is_nameless) {
      if (nameless == nullptr) nameless = &units[symbol->definition.name_range.begin];
      nameless->members.push_back(symbol);
    } else {
      units[symbol->definition.name_range.begin].head = symbol;
    }
    if (!is_nameless) nameless = nullptr;
  }
  std::string text;
  for (const auto& [place, unit] : units) {
    if (unit.members.empty()) {
      text += line_of(*unit.head);
      continue;
    }
    std::string head =
        unit.head != nullptr ? head_of(unit.head->definition) : std::string(kNameless);
    // An enum's signature has its members in it.
    if (unit.head != nullptr && unit.head->definition.kind == SymbolKind::kEnum) {
      const std::size_t open = head.find('{');
      if (open != std::string::npos && head.size() <= kMaxWholeEnum) {
        text += line_of(*unit.head);
        continue;
      }
      head.resize(
          std::min(open == std::string::npos ? open : head.find_last_not_of(' ', open - 1) + 1,
                   head.size()));
    }
    std::string close(form.close_scope);
    if (const std::size_t left_out = head.find(kLeftOut); left_out != std::string::npos) {
      close = "}" + head.substr(left_out + kLeftOut.size()) + std::string(form.end);
      head.resize(left_out > 0 && head[left_out - 1] == ' ' ? left_out - 1 : left_out);
    }
    if (unit.head != nullptr) text += beginning(unit.head->definition, form);
    text += head + std::string(form.open_scope) + "\n";
    std::string_view last;  // `int a, b;` defines two and is one line
    for (const Symbol* member : unit.members) {
      if (member->definition.signature == last) continue;
      last = member->definition.signature;
      text += "  " + line_of(*member);
    }
    if (!close.empty()) text += close + "\n";
  }
  return text;
}

}  // namespace kinglet::indexer
