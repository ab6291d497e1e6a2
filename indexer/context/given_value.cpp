#include "indexer/context/given_value.h"

#include <algorithm>
#include <array>

#include "indexer/identifiers.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kMaxBetween = 120;    // bytes between a name and its value
constexpr std::size_t kMaxWithout = 256;    // bytes of a value without quotes
constexpr std::size_t kMaxArrayBound = 24;  // bytes of `[…]` behind a name
constexpr std::size_t kMaxPrefix = 3;       // letters before a quote: u8R"(…)"

// Calls that make a value of the literal in them, by the last word of their name.
constexpr std::string_view kMakers[] = {"from",
                                        "some",
                                        "Some",
                                        "string",
                                        "String",
                                        "string_view",
                                        "str",
                                        "bytes",
                                        "Secret",
                                        "SecretStr",
                                        "SecretString",
                                        "of",
                                        "Text"};
constexpr std::string_view kSigns[] = {"=", ":", ":=", "=>", "?=", "||=", "==", "==="};
// Before the key itself, in the header of that name.
constexpr std::string_view kSchemes[] = {"Bearer ", "Basic ", "bearer ", "basic ", "token "};

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

bool is_quote(char c) {
  return c == '"' || c == '\'' || c == '`';
}

bool is_one_of(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

// What ends a value without quotes.
constexpr auto kEndsBare = [] {
  std::array<bool, 256> ends{};
  for (const char c : std::string_view(" \t\r\n\"'`;,&<>(){}[]\\"))
    ends[static_cast<unsigned char>(c)] = true;
  return ends;
}();

class Reader {
 public:
  Reader(ByteRange name, std::string_view text)
      : text_(text), name_(name), limit_(std::min(text.size(), name.end + kMaxBetween)) {}

  std::optional<GivenValue> read() {
    at_ = name_.end;
    if (has_more() && text_[at_] == '>') return element();
    if (has_more() && is_quote(text_[at_])) ++at_;  // "password": …
    skip_brackets();
    const bool is_apart = skip_blanks();
    const std::size_t behind_name = at_;
    const std::string_view sign = read_sign();
    if (sign.empty()) return without_sign(is_apart);
    const bool is_tight = has_more() && !is_blank(text_[at_]) && text_[at_] != '\n';
    skip_to_value();
    if (const auto value = assigned()) return value;
    const std::size_t behind_sign = at_;
    at_ = behind_name;
    if (skip_type()) {
      skip_to_value();
      if (const auto value = assigned()) return value;
    }
    at_ = behind_sign;
    return without_quotes(sign, is_tight);
  }

 private:
  bool has_more() const { return at_ < limit_; }

  bool skip_blanks() {
    const std::size_t begin = at_;
    while (has_more() && is_blank(text_[at_]))
      ++at_;
    return at_ > begin;
  }

  // Of an index that the name ends, or an array's bound.
  void skip_brackets() {
    if (!has_more()) return;
    if (text_[at_] == ']') {
      ++at_;
    } else if (text_[at_] == '[') {
      std::size_t end = at_ + 1;
      while (end < limit_ && end - at_ < kMaxArrayBound && is_identifier_byte(text_[end]))
        ++end;
      if (end < limit_ && text_[end] == ']') at_ = end + 1;
    }
  }

  std::string_view read_sign() {
    std::size_t end = at_;
    while (end < limit_ && is_one_of(text_[end], "=:>?|"))
      ++end;
    const std::string_view sign = text_.substr(at_, end - at_);
    if (std::ranges::find(kSigns, sign) == std::end(kSigns)) return {};
    at_ = end;
    return sign;
  }

  // Blanks; the value of an assignment may stand on the next line.
  void skip_to_value() {
    skip_blanks();
    if (has_more() && text_[at_] == '\\') ++at_;
    if (has_more() && text_[at_] == '\r') ++at_;
    if (has_more() && text_[at_] == '\n') {
      ++at_;
      skip_blanks();
    }
  }

  // `: &'static str =`, ` string =`; whether one is there.
  bool skip_type() {
    while (has_more() && (is_identifier_byte(text_[at_]) || is_one_of(text_[at_], " :&*'?<>[].,|")))
      ++at_;
    if (!has_more() || text_[at_] != '=') return false;
    ++at_;
    return has_more() && text_[at_] != '=';
  }

  // `std::string(`, `(`, `new String(`: what may stand before a literal that is the value.
  void skip_makers() {
    constexpr int kMost = 3;
    for (int n = 0; n < kMost; ++n) {
      std::size_t end = at_;
      std::size_t word = at_;
      while (end < limit_ && (is_identifier_byte(text_[end]) || is_one_of(text_[end], ":.& "))) {
        if (!is_identifier_byte(text_[end])) word = end + 1;
        ++end;
      }
      if (end >= limit_ || !is_one_of(text_[end], "({")) return;
      const std::string_view maker = text_.substr(word, end - word);
      if (!maker.empty() && std::ranges::find(kMakers, maker) == std::end(kMakers)) return;
      at_ = end + 1;
      skip_to_value();
    }
  }

  std::optional<GivenValue> assigned() {
    // The first of a list may be anything.
    const bool is_list = has_more() && text_[at_] == '{';
    const auto value = in_quotes();
    if (!value) return std::nullopt;
    return GivenValue{*value, is_list ? Giving::kLoosely : Giving::kAssigned};
  }

  std::optional<ByteRange> in_quotes() {
    const std::size_t begin = at_;
    skip_makers();
    bool is_raw = false;
    for (std::size_t n = 0; has_more() && n <= kMaxPrefix; ++n) {
      if (is_quote(text_[at_])) return quoted(is_raw);
      if (!is_one_of(text_[at_], "bBfFrRuULl8@#")) break;
      is_raw |= text_[at_++] == 'R';
    }
    at_ = begin;
    return std::nullopt;
  }

  ByteRange quoted(bool is_raw) {
    const char quote = text_[at_];
    constexpr std::size_t kTriple = 3;
    const std::string_view here = text_.substr(at_, kTriple);
    const bool is_triple =
        here.size() == kTriple && std::ranges::all_of(here, [&](char c) { return c == quote; });
    at_ += is_triple ? kTriple : 1;
    if (is_triple) skip_to_value();
    if (is_raw) at_ = std::min(text_.find_first_of("(\n\"", at_), text_.size() - 1) + 1;
    for (const std::string_view scheme : kSchemes) {
      if (text_.substr(at_).starts_with(scheme)) at_ += scheme.size();
    }
    const std::array<char, 3> ends = {quote, '\n', is_raw ? ')' : quote};
    const std::size_t end = text_.find_first_of(std::string_view(ends.data(), ends.size()), at_);
    return range_to(std::min(end, text_.size()));
  }

  // An argument, a macro, a statement of its own kind, a type between the name and the sign.
  std::optional<GivenValue> without_sign(bool is_apart) {
    if (!has_more()) return std::nullopt;
    if (is_one_of(text_[at_], "({,")) {
      ++at_;
      skip_to_value();
    } else if (!is_apart) {
      return std::nullopt;
    } else if (name_.begin >= 2 && text_.substr(name_.begin - 2, 2) == "--") {
      return GivenValue{range_to(end_without_quotes()), Giving::kBare};
    } else if (is_identifier_byte(text_[at_]) && skip_type()) {
      skip_to_value();
    }
    const auto value = in_quotes();
    if (!value) return std::nullopt;
    return GivenValue{*value, Giving::kLoosely};
  }

  std::optional<GivenValue> without_quotes(std::string_view sign, bool is_tight) {
    if (sign != "=" && sign != ":") return std::nullopt;
    const std::size_t end = end_without_quotes();
    const bool ends_line = end == text_.size() || text_[end] == '\n' || text_[end] == '\r';
    const ByteRange value = range_to(end);
    if (is_tight && sign == "=") {
      if (end < text_.size() && is_one_of(text_[end], "([")) return std::nullopt;
      const bool is_line = ends_line && begins_line();
      // `password=options.password_1` is code.
      const bool is_name = std::ranges::all_of(
          value.of(text_), [](char c) { return is_identifier_byte(c) || c == '.'; });
      return GivenValue{value, is_line || !is_name ? Giving::kAssigned : Giving::kLoosely};
    }
    if (!ends_line || !begins_line()) return std::nullopt;
    return GivenValue{value, Giving::kBare};
  }

  std::size_t end_without_quotes() const {
    const std::size_t limit = std::min(text_.size(), at_ + kMaxWithout);
    std::size_t end = at_;
    while (end < limit && !kEndsBare[static_cast<unsigned char>(text_[end])])
      ++end;
    return end;
  }

  // Whether nothing but blanks and `export` stands before the name.
  bool begins_line() const {
    std::size_t begin = name_.begin;
    const auto skip_back = [&] {
      while (begin > 0 && is_blank(text_[begin - 1]))
        --begin;
    };
    skip_back();
    constexpr std::string_view kExport = "export";
    if (text_.substr(0, begin).ends_with(kExport)) begin -= kExport.size();
    skip_back();
    return begin == 0 || text_[begin - 1] == '\n' || text_[begin - 1] == '-';
  }

  // <password>…</password>
  std::optional<GivenValue> element() {
    ++at_;
    const std::size_t end = end_without_quotes();
    if (end >= text_.size() || text_[end] != '<') return std::nullopt;
    return GivenValue{range_to(end), Giving::kLoosely};
  }

  ByteRange range_to(std::size_t end) const {
    return {static_cast<std::uint32_t>(at_), static_cast<std::uint32_t>(std::max(at_, end))};
  }

  std::string_view text_;
  ByteRange name_;
  std::size_t limit_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<GivenValue> value_given_to(ByteRange name, std::string_view text) {
  return Reader(name, text).read();
}

}  // namespace kinglet::indexer
