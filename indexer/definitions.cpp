#include "indexer/definitions.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "indexer/clean_text.h"
#include "indexer/identifiers.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kMaxNameBytes = 200;
constexpr std::size_t kMaxSignatureBytes = 600;
constexpr std::size_t kMaxVariableSignatureBytes = 200;
constexpr std::size_t kMaxDocBytes = 500;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

std::string_view trim(std::string_view text, std::string_view also = {}) {
  const auto drop = [&](char c) { return is_space(c) || also.find(c) != std::string_view::npos; };
  while (!text.empty() && drop(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && drop(text.back()))
    text.remove_suffix(1);
  return text;
}

// The longest beginning of at most `max` bytes that ends with a whole character.
std::string_view cut_to(std::string_view text, std::size_t max) {
  if (text.size() <= max) return text;
  while (max > 0 && (static_cast<unsigned char>(text[max]) & 0xC0) == 0x80)
    --max;
  return text.substr(0, max);
}

// One line: each run of white space becomes a space.
std::string on_one_line(std::string_view text) {
  std::string line;
  for (const char c : clean(text)) {
    if (!is_space(c)) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  if (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

// The text without its comments. `comments` are in order.
std::string without_comments(std::string_view text,
                             ByteRange range,
                             const std::vector<ByteRange>& comments) {
  std::string kept;
  std::uint32_t at = range.begin;
  auto comment = std::lower_bound(
      comments.begin(), comments.end(), range.begin, [](const ByteRange& c, std::uint32_t begin) {
        return c.begin < begin;
      });
  for (; comment != comments.end() && comment->begin < range.end; ++comment) {
    if (comment->begin > at) kept += text.substr(at, comment->begin - at);
    kept += ' ';
    at = std::max(at, std::min(comment->end, range.end));
  }
  kept += text.substr(at, range.end - at);
  return kept;
}

// Of `robj *ok, *err, *empty[4]` what it says of one name: `robj *err`. As it is where it says
// nothing of the name alone.
std::string declaration_of(std::string_view name, const std::string& line) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= line.size(); ++at) {
    const char c = at < line.size() ? line[at] : ',';
    if (c == '(' || c == '[' || c == '{' || c == '<') ++depth;
    if (c == ')' || c == ']' || c == '}' || c == '>') --depth;
    if (c != ',' || (depth > 0 && at < line.size())) continue;
    parts.push_back(trim(std::string_view(line).substr(begin, at - begin)));
    begin = at + 1;
  }
  const auto name_in = [](std::string_view part) {
    part = part.substr(0, part.find_first_of("[=:{("));
    part = trim(part);
    std::size_t from = part.size();
    while (from > 0 && is_identifier_byte(part[from - 1]))
      --from;
    return part.substr(from);
  };
  const std::string_view first = name_in(parts.front());
  const auto own = std::ranges::find(parts, name, name_in);
  if (first.empty() || own == parts.end()) return line;
  if (own == parts.begin()) return std::string(parts.front());
  std::string_view type =
      std::string_view(line).substr(0, static_cast<std::size_t>(first.data() - line.data()));
  type = trim(type, "*&");
  return std::string(type) + " " + std::string(*own);
}

std::string signature_of(const Candidate& candidate,
                         const Language& language,
                         std::string_view text,
                         const std::vector<ByteRange>& comments) {
  const SymbolKind kind = candidate.definition.kind;
  const bool is_value =
      kind == SymbolKind::kVariable || kind == SymbolKind::kField || kind == SymbolKind::kConstant;
  const std::size_t max = is_value ? kMaxVariableSignatureBytes : kMaxSignatureBytes;
  ByteRange head = candidate.signature;
  std::string tail;
  if (candidate.body.size() > 0) {
    head.end = candidate.body.begin;
    const std::uint32_t body_end = candidate.body.end;
    const ByteRange rest{
        body_end, std::min<std::uint32_t>(candidate.signature.end, body_end + kMaxSignatureBytes)};
    if (rest.end > rest.begin) tail = trim(without_comments(text, rest, comments), ";");
  }
  // An initializer may be a megabyte: no more of it than can be kept after collapsing.
  head.end = std::min<std::uint32_t>(head.end, head.begin + 8 * kMaxSignatureBytes);
  std::string raw(trim(without_comments(text, head, comments), ";{=\\"));
  if (!tail.empty()) raw += " { ... } " + tail;
  std::string line = on_one_line(raw);
  const bool is_list = language.lexical == LexicalForm::kBraces && is_value && line.size() > max &&
                       line.find(',') < line.find('=');
  if (is_list) line = declaration_of(candidate.definition.name, line);
  if (line.size() > max) line = std::string(cut_to(line, max)) + " ...";
  return line;
}

// A comment's lines without the markers of any language.
std::string comment_text(std::string_view comment) {
  std::string out;
  for (const auto& [open, close] : {std::pair<std::string_view, std::string_view>{"--[[", "]]"},
                                    std::pair<std::string_view, std::string_view>{"<!--", "-->"}}) {
    if (!comment.starts_with(open)) continue;
    comment.remove_prefix(open.size());
    if (comment.ends_with(close)) comment.remove_suffix(close.size());
  }
  while (!comment.empty()) {
    const std::size_t end = std::min(comment.find('\n'), comment.size());
    std::string_view line = trim(comment.substr(0, end));
    if (line.ends_with("*/")) line.remove_suffix(2);
    while (!line.empty() &&
           std::string_view("/*#!<").find(line.front()) != std::string_view::npos) {
      line.remove_prefix(1);
    }
    if (line.starts_with("--")) line = trim(line, "-");
    line = trim(line);
    if (!line.empty()) {
      if (!out.empty()) out += '\n';
      out += line;
    }
    comment.remove_prefix(std::min(end + 1, comment.size()));
  }
  return out;
}

// From the quotes of any kind, with prefixes as in r"""…""".
std::string_view docstring_text(std::string_view literal) {
  const std::size_t quote = literal.find_first_of("\"'");
  if (quote == std::string_view::npos) return literal;
  return trim(literal.substr(quote), "\"'");
}

std::string trim_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    if (!line.empty()) {
      if (!out.empty()) out += '\n';
      out += line;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

// Whether only indentation stands before it on its line. Looks back no further than any indentation
// reaches: a line may be megabytes long.
bool begins_line(std::string_view text, std::size_t at) {
  constexpr std::size_t kMaxIndentation = 256;
  for (std::size_t n = 0; at > 0 && n < kMaxIndentation; ++n) {
    --at;
    if (text[at] == '\n') return true;
    if (!is_space(text[at])) return false;
  }
  return at == 0;
}

// The comments that stand directly above `begin`, each on lines of its own.
std::string comment_above(std::uint32_t begin,
                          std::string_view text,
                          const std::vector<ByteRange>& comments) {
  auto comment = std::upper_bound(
      comments.begin(), comments.end(), begin, [](std::uint32_t at, const ByteRange& c) {
        return at < c.end;
      });
  std::uint32_t top = begin;
  std::string doc;
  while (comment != comments.begin()) {
    --comment;
    const std::string_view gap = text.substr(comment->end, top - comment->end);
    if (!trim(gap).empty() || std::count(gap.begin(), gap.end(), '\n') > 1) break;
    if (!begins_line(text, comment->begin)) break;
    top = comment->begin;
    const std::string_view whole = comment->of(text);
    if (whole.starts_with("#[")) continue;  // an attribute of Rust
    const std::string lines = comment_text(whole);
    doc = lines + (lines.empty() || doc.empty() ? "" : "\n") + doc;
  }
  return doc;
}

std::string doc_of(const Candidate& candidate,
                   std::string_view text,
                   const std::vector<ByteRange>& comments) {
  std::string doc = candidate.doc.size() > 0
                        ? trim_lines(docstring_text(candidate.doc.of(text)))
                        : comment_above(candidate.definition.range.begin, text, comments);
  return std::string(trim(cut_to(clean(doc), kMaxDocBytes)));
}

// Error recovery in C and C++ takes `if (x) {…}` for a function now and then, and `API int (*f)(…)`
// for one that is called int.
bool is_keyword(std::string_view name) {
  constexpr std::string_view kKeywords[] = {
      "if",    "else",   "for",    "while",   "do",        "switch",  "case",   "return",
      "catch", "sizeof", "public", "private", "protected", "default", "void",   "bool",
      "char",  "short",  "int",    "long",    "float",     "double",  "signed", "unsigned"};
  return std::find(std::begin(kKeywords), std::end(kKeywords), name) != std::end(kKeywords);
}

bool is_scope(SymbolKind kind) {
  switch (kind) {
    case SymbolKind::kFunction:
    case SymbolKind::kMethod:
    case SymbolKind::kClass:
    case SymbolKind::kStruct:
    case SymbolKind::kUnion:
    case SymbolKind::kEnum:
    case SymbolKind::kNamespace:
    case SymbolKind::kInterface:
    case SymbolKind::kModule:
    case SymbolKind::kKey:
    case SymbolKind::kHeading:
    case SymbolKind::kTable:
      return true;
    default:
      return false;
  }
}

bool is_callable(SymbolKind kind) {
  return kind == SymbolKind::kFunction || kind == SymbolKind::kMethod;
}

bool has_members(SymbolKind kind) {
  return kind == SymbolKind::kClass || kind == SymbolKind::kStruct || kind == SymbolKind::kUnion ||
         kind == SymbolKind::kEnum || kind == SymbolKind::kInterface;
}

// `## Heading ##`
std::string_view without_closing_marks(std::string_view heading) {
  const std::size_t last = heading.find_last_not_of('#');
  if (last == std::string_view::npos || heading[last] != ' ') return heading;
  return trim(heading.substr(0, last));
}

}  // namespace

void set_container(Candidate& candidate, std::string_view text, ByteRange container) {
  if (candidate.is_qualified) return;
  candidate.definition.container = on_one_line(cut_to(container.of(text), kMaxNameBytes));
  candidate.is_qualified = !candidate.definition.container.empty();
}

bool set_name(Candidate& candidate,
              std::string_view text,
              ByteRange name,
              std::string_view scope_separator) {
  // A test's name is a string or a list of parameters.
  const SymbolKind kind = candidate.definition.kind;
  std::string_view words = trim(name.of(text));
  if (kind == SymbolKind::kHeading) {
    words = without_closing_marks(words);
  } else if (kind >= SymbolKind::kKey || words.find_first_of("\"'`") == 0) {
    words = trim(words, "\"'`");
  } else {
    words = trim(words, "\"'`()");
    // Ruby's symbols.
    if (words.size() > 1 && words[0] == ':' && words[1] != ':') words.remove_prefix(1);
  }
  auto begin = static_cast<std::uint32_t>(words.data() - text.data());

  // The last separator outside template arguments, and not past `operator`, whose own name may hold
  // any sign.
  std::size_t depth = 0;
  std::size_t last = std::string_view::npos;
  std::size_t first_angle = std::string_view::npos;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::string_view rest = words.substr(at);
    if (depth == 0 && rest.starts_with("operator")) break;
    if (words[at] == '<') {
      if (depth++ == 0) first_angle = at;
    } else if (words[at] == '>') {
      if (depth > 0) --depth;
    } else if (depth == 0 && rest.starts_with(scope_separator)) {
      last = at;
      at += scope_separator.size() - 1;
      first_angle = std::string_view::npos;
    }
  }
  const auto without_arguments = [](std::string_view scope) {
    std::string kept;
    std::size_t angles = 0;
    for (const char c : scope) {
      if (c == '<') ++angles;
      if (angles == 0) kept += c;
      if (c == '>' && angles > 0) --angles;
    }
    return kept;
  };
  // `namespace a::b` and a string with "::" in it are names as they stand.
  const bool may_split = kind != SymbolKind::kNamespace && kind < SymbolKind::kKey &&
                         !candidate.definition.is_test && !words.starts_with('[');
  if (may_split && last != std::string_view::npos) {
    candidate.definition.container = on_one_line(without_arguments(words.substr(0, last)));
    candidate.is_qualified = !candidate.definition.container.empty();
    const std::size_t after = last + scope_separator.size();
    words.remove_prefix(after);
    begin += static_cast<std::uint32_t>(after);
    if (first_angle != std::string_view::npos) first_angle -= after;
  }
  if (may_split && first_angle != std::string_view::npos && first_angle > 0) {
    words = words.substr(0, first_angle);
  }
  // A conversion's declarator goes on: `operator bool() const`.
  if (words.starts_with("operator ") && words.ends_with("const")) words.remove_suffix(5);
  words = trim(words);
  if (words.starts_with("operator ") && words.ends_with("()")) words.remove_suffix(2);
  // What a grammar takes for a name where it has lost its way.
  if (candidate.definition.kind == SymbolKind::kVariable &&
      (words.find('(') != std::string_view::npos ||
       candidate.definition.container.find(' ') != std::string::npos)) {
    return false;
  }
  const std::string one_line = on_one_line(words);
  candidate.definition.name = std::string(cut_to(one_line, kMaxNameBytes));
  candidate.definition.name_range = {begin, begin + static_cast<std::uint32_t>(words.size())};
  return !candidate.definition.name.empty() &&
         candidate.definition.range.begin <= candidate.definition.name_range.begin &&
         candidate.definition.name_range.end <= candidate.definition.range.end;
}

std::string import_target(std::string_view written) {
  return on_one_line(trim(cut_to(written, 4096), "\"'<>"));
}

std::vector<Definition> settle(std::vector<Candidate> candidates,
                               const Language& language,
                               std::string_view text,
                               const std::vector<ByteRange>& comments) {
  // One name, one definition; of two that are as good the one that begins nearest to the name.
  std::stable_sort(
      candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
        return std::tie(a.definition.name_range.begin, a.rank, b.definition.range.begin) <
               std::tie(b.definition.name_range.begin, b.rank, a.definition.range.begin);
      });
  candidates.erase(std::unique(candidates.begin(),
                               candidates.end(),
                               [](const Candidate& a, const Candidate& b) {
                                 return a.definition.name_range.begin ==
                                        b.definition.name_range.begin;
                               }),
                   candidates.end());

  // Outer before inner; a test before what else its macro looks like.
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    const auto key = [](const Candidate& c) {
      return std::tuple(c.definition.range.begin,
                        UINT32_MAX - c.definition.range.end,
                        !c.definition.is_test,
                        c.definition.name_range.begin);
    };
    return key(a) < key(b);
  });

  std::vector<Definition> definitions;
  std::vector<const Candidate*> scopes;  // that hold the current definition, outermost first
  const Candidate* test = nullptr;
  for (Candidate& candidate : candidates) {
    Definition& definition = candidate.definition;
    if (language.lexical == LexicalForm::kBraces && is_keyword(definition.name)) continue;
    if (definition.is_test) {
      test = &candidate;
    } else if (test != nullptr && test->definition.range == definition.range) {
      continue;
    }
    while (!scopes.empty() && scopes.back()->definition.range.end < definition.range.end) {
      scopes.pop_back();
    }
    const Candidate* scope = nullptr;
    for (auto i = scopes.rbegin(); i != scopes.rend() && scope == nullptr; ++i) {
      // A constructor's parameter may be a field of its class.
      if (definition.kind == SymbolKind::kField && is_callable((*i)->definition.kind)) continue;
      // `struct Foo {…} foo;` has one range and two names that do not hold each other.
      if ((*i)->definition.range != definition.range &&
          definition.range.begin < (*i)->definition.range.end) {
        scope = *i;
      }
    }
    if (scope != nullptr && is_callable(scope->definition.kind)) {
      const bool is_local = definition.kind == SymbolKind::kVariable ||
                            definition.kind == SymbolKind::kConstant ||
                            (is_callable(definition.kind) && !definition.has_body);
      if (is_local) continue;
    }
    if (definition.kind == SymbolKind::kFunction &&
        (candidate.is_qualified || (scope != nullptr && has_members(scope->definition.kind)))) {
      definition.kind = SymbolKind::kMethod;
    }
    if (definition.kind == SymbolKind::kMacro) {
      definition.container.clear();
    } else if (scope != nullptr) {
      std::string container = scope->definition.container;
      for (const std::string& part : {scope->definition.name, definition.container}) {
        if (part.empty()) continue;
        if (!container.empty()) container += language.scope_separator;
        container += part;
      }
      definition.container = std::string(cut_to(container, kMaxNameBytes));
    }
    definition.signature = signature_of(candidate, language, text, comments);
    definition.doc = doc_of(candidate, text, comments);
    definitions.push_back(definition);
    // Scopes nest as deep as the source does: enough for containers, not for an attack.
    if (is_scope(definition.kind) && definition.has_body && scopes.size() < 64) {
      scopes.push_back(&candidate);
    }
  }
  return definitions;
}

}  // namespace kinglet::indexer
