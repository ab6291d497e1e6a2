#include "indexer/pattern.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "indexer/flat_tree.h"
#include "indexer/identifiers.h"

namespace kinglet::indexer {
namespace {

bool is_white(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Of node kinds, fields, captures and predicates.
bool is_word_byte(char c) {
  return is_identifier_byte(c) || c == '-' || c == '.' || c == '?' || c == '!';
}

// The text from a position on, without white space and comments.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) { skip(); }

  std::size_t at() const { return at_; }
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }

  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    skip();
    return true;
  }

  // Of kinds and fields.
  std::string_view identifier() {
    const std::size_t begin = at_;
    while (!at_end() && is_identifier_byte(text_[at_]))
      ++at_;
    return taken(begin);
  }

  // Of captures and predicates, past '@' or '#'.
  std::string_view word() {
    const std::size_t begin = at_;
    while (!at_end() && is_word_byte(text_[at_]))
      ++at_;
    return taken(begin);
  }

  std::optional<std::string> string() {
    if (peek() != '"') return std::nullopt;
    std::string text;
    for (++at_; !at_end() && text_[at_] != '"'; ++at_) {
      if (text_[at_] != '\\' || at_ + 1 == text_.size()) {
        text += text_[at_];
        continue;
      }
      const char escaped = text_[++at_];
      text += escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped == 'r' ? '\r' : escaped;
    }
    if (at_end()) return std::nullopt;
    ++at_;
    skip();
    return text;
  }

 private:
  std::string_view taken(std::size_t begin) {
    const std::string_view word = text_.substr(begin, at_ - begin);
    skip();
    return word;
  }

  void skip() {
    while (!at_end()) {
      if (is_white(text_[at_])) {
        ++at_;
      } else if (text_[at_] == ';') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else {
        break;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

class PatternParser {
 public:
  PatternParser(std::string_view text, const TSLanguage* grammar, CaptureNames& captures)
      : in_(text), grammar_(grammar), captures_(captures) {}

  std::optional<Pattern> run() {
    ChildTest root;
    // ((node) (#predicate))
    const bool is_group = starts_group();
    if (is_group) in_.take('(');
    if (!element(root)) return std::nullopt;
    if (is_group) {
      while (in_.peek() == '(') {
        if (!predicate()) return std::nullopt;
      }
      if (!in_.take(')')) return std::nullopt;
    }
    if (!in_.at_end() || root.field != 0 || root.quantifier != Quantifier::kOne) {
      return std::nullopt;
    }
    // Error nodes are of no kind that a table has a place for.
    for (const NodeTest& node : root.alternatives) {
      if (node.kind == kErrorKind) return std::nullopt;
    }
    pattern_.roots = std::move(root.alternatives);
    return std::move(pattern_);
  }

 private:
  // "((" or "(["
  bool starts_group() const {
    Cursor ahead = in_;
    return ahead.take('(') && (ahead.peek() == '(' || ahead.peek() == '[');
  }

  // [field:] node or alternation, and what follows it: @captures, a quantifier.
  bool element(ChildTest& child) {
    if (is_identifier_byte(in_.peek()) && in_.peek() != '_') {
      const std::string_view name = in_.identifier();
      child.field = ts_language_field_id_for_name(
          grammar_, name.data(), static_cast<std::uint32_t>(name.size()));
      if (child.field == 0 || !in_.take(':')) return false;
    }
    if (in_.take('[')) {
      while (!in_.take(']')) {
        ChildTest one;
        if (!element(one)) return false;
        if (one.field != 0 || one.quantifier != Quantifier::kOne) return false;
        std::move(one.alternatives.begin(),
                  one.alternatives.end(),
                  std::back_inserter(child.alternatives));
        child.captures = child.captures || one.captures;
      }
      if (child.alternatives.empty()) return false;
    } else {
      NodeTest node;
      if (!single(node)) return false;
      child.captures = std::any_of(node.children.begin(),
                                   node.children.end(),
                                   [](const ChildTest& below) { return below.captures; });
      child.alternatives.push_back(std::move(node));
    }
    return suffixes(child);
  }

  bool suffixes(ChildTest& child) {
    for (;;) {
      const bool is_quantified = child.quantifier != Quantifier::kOne;
      if (in_.take('@')) {
        const std::uint16_t id = capture_id(captures_, in_.word());
        for (NodeTest& node : child.alternatives)
          node.captures.push_back(id);
        child.captures = true;
      } else if (in_.take('?')) {
        if (is_quantified) return false;
        child.quantifier = Quantifier::kOptional;
      } else if (in_.take('*')) {
        if (is_quantified) return false;
        child.quantifier = Quantifier::kAny;
      } else if (in_.take('+')) {
        if (is_quantified) return false;
        child.quantifier = Quantifier::kSome;
      } else {
        return true;
      }
    }
  }

  // "text", _ or (kind children…)
  bool single(NodeTest& node) {
    if (in_.peek() == '"') {
      const auto text = in_.string();
      if (!text) return false;
      node.kind = ts_language_symbol_for_name(
          grammar_, text->data(), static_cast<std::uint32_t>(text->size()), false);
      return node.kind != 0;
    }
    if (in_.take('_')) return true;
    if (!in_.take('(')) return false;
    const std::string_view name = in_.identifier();
    if (name == "_") {
      node.is_named = true;
    } else {
      node.kind = ts_language_symbol_for_name(
          grammar_, name.data(), static_cast<std::uint32_t>(name.size()), true);
      // A supertype stands for other kinds.
      if (node.kind == 0 ||
          (node.kind < ts_language_symbol_count(grammar_) &&
           ts_language_symbol_type(grammar_, node.kind) == TSSymbolTypeSupertype)) {
        return false;
      }
    }
    bool is_next = false;
    while (!in_.take(')')) {
      if (in_.at_end()) return false;
      if (in_.take('!')) {
        const std::string_view field = in_.identifier();
        node.absent.push_back(ts_language_field_id_for_name(
            grammar_, field.data(), static_cast<std::uint32_t>(field.size())));
        if (node.absent.back() == 0) return false;
      } else if (in_.take('.')) {
        is_next = true;
      } else if (is_predicate()) {
        if (!predicate()) return false;
      } else {
        ChildTest child;
        if (!element(child)) return false;
        child.is_next = std::exchange(is_next, false);
        node.children.push_back(std::move(child));
      }
    }
    if (is_next) {
      if (node.children.empty()) return false;
      node.children.back().is_last = true;
    }
    return true;
  }

  bool is_predicate() const {
    Cursor ahead = in_;
    return ahead.take('(') && ahead.peek() == '#';
  }

  // (#any-of? @capture "word"…)
  bool predicate() {
    if (!in_.take('(') || !in_.take('#')) return false;
    Predicate predicate;
    const auto test = predicate_test(in_.word());
    if (!test || !in_.take('@')) return false;
    predicate.test = *test;
    predicate.capture = capture_id(captures_, in_.word());
    while (auto word = in_.string())
      predicate.words.push_back(*std::move(word));
    pattern_.predicates.push_back(std::move(predicate));
    return in_.take(')');
  }

  Cursor in_;
  const TSLanguage* grammar_;
  CaptureNames& captures_;
  Pattern pattern_;
};

}  // namespace

std::optional<Predicate::Test> predicate_test(std::string_view name) {
  if (name == "any-of?" || name == "eq?") return Predicate::Test::kAnyOf;
  if (name == "prefix?") return Predicate::Test::kPrefix;
  return std::nullopt;
}

std::vector<PatternText> split_patterns(std::string_view query) {
  std::vector<PatternText> patterns;
  std::size_t depth = 0;
  for (std::size_t at = 0; at < query.size(); ++at) {
    const char c = query[at];
    if (c == ';') {
      at = std::min(query.find('\n', at), query.size());
    } else if (c == '"') {
      if (depth == 0) patterns.push_back({at, at});
      for (++at; at < query.size() && query[at] != '"'; ++at) {
        if (query[at] == '\\') ++at;
      }
    } else if (c == '(' || c == '[') {
      if (depth++ == 0) patterns.push_back({at, at});
    } else if ((c == ')' || c == ']') && depth > 0) {
      --depth;
    }
    // Captures behind it belong to it, too.
    if (!patterns.empty() && at < query.size() && !is_white(c) && c != ';') {
      patterns.back().end = at + 1;
    }
  }
  return patterns;
}

std::optional<Pattern> parse_pattern(std::string_view text,
                                     const TSLanguage* grammar,
                                     CaptureNames& captures) {
  return PatternParser(text, grammar, captures).run();
}

std::uint16_t capture_id(CaptureNames& captures, std::string_view name) {
  const auto known = std::find(captures.begin(), captures.end(), name);
  const auto id = static_cast<std::uint16_t>(known - captures.begin());
  if (known == captures.end()) captures.emplace_back(name);
  return id;
}

}  // namespace kinglet::indexer
