#include "indexer/context/secrets.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "indexer/context/given_value.h"
#include "indexer/identifiers.h"

namespace kinglet::indexer {
namespace {

constexpr std::string_view kMask = "***";
constexpr std::size_t kMaxNameBytes = 100;

// A key that its maker marks with a prefix, and how many characters follow at least.
struct KeyForm {
  std::string_view prefix;
  std::size_t min_rest;
};
constexpr KeyForm kKeyForms[] = {
    {"AKIA", 16},
    {"ASIA", 16},
    {"ghp_", 30},
    {"gho_", 30},
    {"ghu_", 30},
    {"ghs_", 30},
    {"ghr_", 30},
    {"github_pat_", 30},
    {"glpat-", 18},
    {"sk-", 20},
    {"sk_live_", 16},
    {"sk_test_", 16},
    {"rk_live_", 16},
    {"pk_live_", 16},
    {"whsec_", 20},
    {"xoxb-", 16},
    {"xoxp-", 16},
    {"xoxa-", 16},
    {"xoxr-", 16},
    {"xapp-", 16},
    {"AIza", 35},
    {"ya29.", 20},
    {"npm_", 30},
    {"pypi-", 40},
    {"SG.", 30},
    {"hf_", 30},
    {"dop_v1_", 40},
    {"shpat_", 28},
    {"EAACEdEose0cBA", 8},
    {"GOCSPX-", 20},
    {"hvs.", 20},
    {"dckr_pat_", 20},
    {"AGE-SECRET-KEY-1", 30},
    {"hooks.slack.com/services", 30},
};

// Words in a name (lower case, without '_' and '-') that make a random value given to it a secret.
struct SecretWord {
  std::string_view word;
  std::uint32_t letters;  // nearly every name lacks one of them

  // NOLINTNEXTLINE(google-explicit-constructor): so that the table is one of words.
  constexpr SecretWord(const char* text) : word(text), letters(letters_of(word)) {}

  static constexpr std::uint32_t letters_of(std::string_view text) {
    std::uint32_t letters = 0;
    for (const char c : text)
      letters |= 1U << (static_cast<unsigned char>(c) % 32);  // of both cases
    return letters;
  }
};
constexpr SecretWord kSecretWords[] = {
    "password",   "passwd",     "passphrase", "secret",        "apikey",        "accesskey",
    "accountkey", "privatekey", "token",      "authkey",       "authorization", "credential",
    "pwd",        "dbpass",     "signingkey", "encryptionkey", "masterkey",     "sessionkey",
    "sharedkey",  "deploykey",  "hmackey"};
// … where they are all of a name.
constexpr std::string_view kSecretNames[] = {"pass", "pw", "sig"};
// Values that are written to be read.
constexpr std::string_view kSampleValues[] = {
    "example", "placeholder", "changeme", "your", "xxxx", "dummy", "sample", "****"};

std::size_t first_two(std::string_view word) {
  return static_cast<std::size_t>(static_cast<unsigned char>(word[0])) << 8 |
         static_cast<unsigned char>(word[1]);
}

bool is_key_byte(char c) {
  return (static_cast<unsigned char>(c) < 0x80 && is_identifier_byte(c)) || c == '-' || c == '.' ||
         c == '+' || c == '/' || c == '=' || c == '~';
}

std::string lower_letters(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '_' || c == '-') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

// Bits per character.
double entropy(std::string_view text) {
  std::array<int, 256> counts{};
  for (const char c : text)
    ++counts[static_cast<unsigned char>(c)];
  double bits = 0;
  for (const int count : counts) {
    if (count == 0) continue;
    const double share = count / static_cast<double>(text.size());
    bits -= share * std::log2(share);
  }
  return bits;
}

// `${NAME}`, `$NAME`, "%s": where a value will be put.
bool is_template(std::string_view value) {
  constexpr std::string_view kMarks[] = {"${", "$(", "%s", "%d", "%v", "%(", "%{", "{{"};
  const bool is_name = value.starts_with('$') && std::ranges::all_of(value.substr(1), [](char c) {
                         return is_identifier_byte(c);
                       });
  return is_name || std::ranges::any_of(kMarks, [&](std::string_view mark) {
           return value.find(mark) != std::string_view::npos;
         });
}

// Code and prose in quotes have blanks and brackets, too; few of their words go from letters to
// digits and back.
bool is_mixed_up(std::string_view value) {
  constexpr std::size_t kMaxBytes = 64;
  constexpr std::string_view kStrong = "!@#^&*$";
  constexpr int kFew = 2;
  constexpr int kMany = 4;
  int n_changes = 0;
  int most_changes = 0;  // of one word
  for (std::size_t i = 1; i < value.size(); ++i) {
    if (value[i] == ' ') n_changes = 0;
    if (is_digit(value[i]) != is_digit(value[i - 1]) && value[i] != ' ' && value[i - 1] != ' ')
      most_changes = std::max(most_changes, ++n_changes);
  }
  const bool has_strong = value.find_first_of(kStrong) != std::string_view::npos;
  return value.size() <= kMaxBytes && most_changes >= (has_strong ? kFew : kMany);
}

bool looks_random(std::string_view value) {
  constexpr std::size_t kMinBytes = 8;
  constexpr std::size_t kMaxBytes = 4096;
  if (value.size() < kMinBytes || value.size() > kMaxBytes) return false;
  bool has_digit = false;
  bool has_letter = false;
  bool has_sign = false;
  if (value.find_first_of(" {<(\\") != std::string_view::npos && !is_mixed_up(value)) return false;
  for (const char c : value) {
    has_digit |= is_digit(c);
    has_letter |= (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    has_sign |= !is_identifier_byte(c);
  }
  if (is_template(value)) return false;
  const std::string words = lower_letters(value);
  for (const std::string_view sample : kSampleValues) {
    if (words.find(sample) != std::string::npos) return false;
  }
  // A short one with a bit of everything repeats some of it.
  return has_letter && (has_digit || has_sign) &&
         entropy(value) >= (has_digit && has_sign ? 2.5 : 2.75);
}

// Most names are followed by something else.
bool may_give(std::string_view text, std::size_t at) {
  if (at >= text.size()) return false;
  switch (text[at]) {
    case ' ':
    case '\t':
    case '=':
    case ':':
    case '"':
    case '\'':
    case '`':
    case '[':
    case ']':
    case '(':
    case '{':
    case ',':
    case '>':
    case '?':
    case '|':
      return true;
    default:
      return false;
  }
}

bool names_secret(std::string_view name) {
  if (name.size() > kMaxNameBytes) return false;
  const std::uint32_t letters = SecretWord::letters_of(name);
  std::string words;
  return std::ranges::any_of(kSecretWords,
                             [&](const SecretWord& secret) {
                               if ((letters & secret.letters) != secret.letters) return false;
                               if (words.empty()) words = lower_letters(name);
                               return words.find(secret.word) != std::string::npos;
                             }) ||
         std::ranges::any_of(kSecretNames, [&](std::string_view whole) {
           return name.size() <= whole.size() + 1 && lower_letters(name) == whole;
         });
}

// Whether a value is random enough for the way in which it is given.
bool is_secret(std::string_view value, Giving giving) {
  if (!looks_random(value)) return false;
  if (giving == Giving::kAssigned) return true;
  bool has_upper = false;
  bool has_lower = false;
  bool has_digit = false;
  bool has_sign = false;
  int n_changes = 0;  // between letters and digits
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    has_upper |= c >= 'A' && c <= 'Z';
    has_lower |= c >= 'a' && c <= 'z';
    has_digit |= is_digit(c);
    has_sign |= c == '!' || c == '@' || c == '#' || c == '^';
    if (i > 0 && is_digit(c) != is_digit(value[i - 1])) ++n_changes;
  }
  constexpr int kManyChanges = 4;
  const bool is_mixed = n_changes >= kManyChanges || (has_sign && has_digit);
  return is_mixed || (giving == Giving::kLoosely && has_upper && has_lower && has_digit);
}

// ---- private keys

constexpr std::size_t kMaxBlock = 16 << 10;
constexpr std::size_t kFullKeyLine = 32;  // characters; what has as many is no word of code

// What a line holds besides blanks, and besides what makes it a part of a literal or a comment.
std::string_view core_of(std::string_view line) {
  constexpr std::string_view kAround = " \t\r\"'`,;+#*()";
  while (!line.empty()) {
    if (kAround.find(line.back()) != std::string_view::npos) {
      line.remove_suffix(1);
    } else if (line.ends_with("\\n") || line.ends_with("\\r")) {
      line.remove_suffix(2);
    } else {
      break;
    }
  }
  const std::size_t begin = line.find_first_not_of(kAround);
  return begin == std::string_view::npos ? std::string_view() : line.substr(begin);
}

bool is_base64(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (is_identifier_byte(c) && c != '_' && static_cast<unsigned char>(c) < 0x80) ||
           c == '+' || c == '/' || c == '=';
  });
}

// Of a private key whose begin or end stands next to it.
bool is_key_line(std::string_view line) {
  const std::string_view core = core_of(line);
  const bool is_bare = core.size() + (line.ends_with('\r') ? 1 : 0) == line.size();
  return !core.empty() && (is_bare || core.size() >= kFullKeyLine) && is_base64(core);
}

// Where a key ends whose end is not in the text: `text` begins with the line that begins it.
std::size_t end_of_key(std::string_view text) {
  std::size_t end = std::min(text.find('\n'), text.size());
  while (end < text.size()) {
    const std::size_t next = std::min(text.find('\n', end + 1), text.size());
    const std::string_view line = text.substr(end + 1, next - end - 1);
    const bool is_header = line.starts_with("Proc-Type: ") || line.starts_with("DEK-Info: ");
    if (!is_header && !core_of(line).empty() && !is_key_line(line)) break;
    end = next;
  }
  return end;
}

// Where a key begins whose begin is not in the text: the text ends with it.
std::size_t begin_of_key(std::string_view text) {
  std::size_t begin = text.rfind('\n') + 1;
  if (!core_of(text.substr(begin)).empty()) {
    // All in one line, with `\n` in it.
    begin = text.size();
    while (begin > 0 && (is_base64(text.substr(begin - 1, 1)) || text[begin - 1] == '\\'))
      --begin;
    return begin;
  }
  for (bool is_last = true; begin > 0; is_last = false) {
    const std::size_t previous = text.substr(0, begin - 1).rfind('\n') + 1;
    const std::string_view line = text.substr(previous, begin - 1 - previous);
    const std::string_view core = core_of(line);
    // A key's last line is a short one.
    if (!is_key_line(line) && (!is_last || core.empty() || !is_base64(core))) break;
    begin = previous;
  }
  return begin;
}

// Blocks of lines from -----BEGIN … PRIVATE KEY----- on, found from a text's begin to its end. A
// part of a text may hold a block's begin or its end alone.
class KeyBlocks {
 public:
  explicit KeyBlocks(std::string_view text) : text_(text) {}

  std::optional<ByteRange> at(std::size_t dashes) {
    const std::string_view rest = text_.substr(dashes, kMaxBlock);
    const std::string_view head = rest.substr(0, std::min<std::size_t>(rest.find('\n'), 100));
    if (head.find("PRIVATE KEY") == std::string_view::npos) return std::nullopt;
    std::size_t begin = dashes;
    std::size_t end = dashes;
    if (head.starts_with("-----BEGIN ")) {
      const std::size_t marked = next_end(dashes);
      end = marked - dashes < kMaxBlock ? marked : dashes + end_of_key(rest);
    } else if (head.starts_with("-----END ")) {
      // No further than to the last mark, so that nothing is looked at again and again.
      const std::size_t reach = std::min(dashes - last_mark_, kMaxBlock);
      begin = dashes - reach + begin_of_key(text_.substr(dashes - reach, reach));
    } else {
      return std::nullopt;
    }
    last_mark_ = dashes;
    return ByteRange{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  }

 private:
  // Where the next end stands; past the text where none does.
  std::size_t next_end(std::size_t from) {
    if (next_end_ < from || from == 0)
      next_end_ = std::min(text_.find("-----END ", from), text_.size() + kMaxBlock);
    return next_end_;
  }

  std::string_view text_;
  std::size_t last_mark_ = 0;
  std::size_t next_end_ = 0;
};

// Full lines of it, one below the other: what a part of a text shows of a key without its begin
// and its end, and of other data that tells a model nothing.
void add_base64_lines(std::string_view text, std::vector<ByteRange>& secrets) {
  constexpr std::size_t kMinLine = 60;
  constexpr std::size_t kMaxLine = 200;
  ByteRange block{0, 0};
  int n_lines = 0;
  // Up to the line behind the last line feed, which may be empty.
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    const bool may_be_data = line.size() >= kMinLine && line.size() <= kMaxLine;
    const std::string_view core = may_be_data ? core_of(line) : std::string_view();
    const bool is_data = core.size() >= kMinLine && is_base64(core) &&
                         std::ranges::any_of(core, is_digit) &&
                         std::ranges::any_of(core, [](char c) { return c >= 'a' && c <= 'z'; }) &&
                         std::ranges::any_of(core, [](char c) { return c >= 'A' && c <= 'Z'; });
    if (is_data) {
      const auto begin = static_cast<std::uint32_t>(core.data() - text.data());
      if (n_lines++ == 0) block.begin = begin;
      block.end = begin + static_cast<std::uint32_t>(core.size());
    }
    if (!is_data || end == text.size()) {
      if (n_lines >= 2) secrets.push_back(block);
      n_lines = 0;
    }
    at = end + 1;
  }
}

// user:password@ after a scheme; `at` is past "://".
std::optional<ByteRange> url_password(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at, 300);
  const std::size_t end = std::min(rest.find_first_of("/ \t\n\"'`<>?#"), rest.size());
  const std::string_view authority = rest.substr(0, end);
  const std::size_t sign = authority.rfind('@');
  const std::size_t colon = authority.find(':');
  if (sign == std::string_view::npos || colon == std::string_view::npos || colon + 1 >= sign) {
    return std::nullopt;
  }
  const std::string_view password = authority.substr(colon + 1, sign - colon - 1);
  if (password.find('{') != std::string_view::npos || is_template(password)) return std::nullopt;
  const auto begin = static_cast<std::uint32_t>(at + colon + 1);
  return ByteRange{begin, begin + static_cast<std::uint32_t>(password.size())};
}

// With the words before it: `api-key` is one name where `key` is a word.
ByteRange whole_name(std::string_view text, std::size_t begin, std::size_t end) {
  while (begin > 0 && end - begin < kMaxNameBytes && text[begin - 1] == '-' && begin > 1 &&
         is_identifier_byte(text[begin - 2])) {
    --begin;
    while (begin > 0 && end - begin < kMaxNameBytes && is_identifier_byte(text[begin - 1]))
      --begin;
  }
  return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
}

constexpr std::string_view kWebToken = "eyJ";  // JSON in base 64

// Few words begin like one: their first two bytes tell.
bool begins_like_key(std::string_view word) {
  static const auto kBegins = [] {
    std::bitset<std::size_t{1} << 16> begins;
    const auto add = [&](std::string_view prefix) { begins.set(first_two(prefix)); };
    add(kWebToken);
    for (const KeyForm& form : kKeyForms)
      add(form.prefix);
    return begins;
  }();
  if (word.size() < 2 || !kBegins[first_two(word)]) return false;
  return word.starts_with(kWebToken) ||
         std::any_of(std::begin(kKeyForms), std::end(kKeyForms), [&](const KeyForm& form) {
           return word.starts_with(form.prefix);
         });
}

bool is_known_key(std::string_view word) {
  // header.payload.signature of a JSON web token
  if (word.starts_with(kWebToken) && word.size() > 40 &&
      word.find(".eyJ") != std::string_view::npos) {
    return true;
  }
  return std::any_of(std::begin(kKeyForms), std::end(kKeyForms), [&](const KeyForm& form) {
    if (!word.starts_with(form.prefix) || word.size() < form.prefix.size() + form.min_rest) {
      return false;
    }
    const std::string_view rest = word.substr(form.prefix.size());
    return std::any_of(rest.begin(), rest.end(), is_digit) && entropy(rest) >= 2.5;
  });
}

}  // namespace

std::vector<ByteRange> find_secrets(std::string_view text) {
  std::vector<ByteRange> secrets;
  KeyBlocks key_blocks(text);
  const auto add = [&](ByteRange range) {
    if (range.size() > 0) secrets.push_back(range);
  };
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == ':' && text.substr(at, 3) == "://") {
      if (const auto range = url_password(text, at + 3)) add(*range);
      at += 3;
      continue;
    }
    if (!is_key_byte(text[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    if (text[at] == '-' && text.substr(at, 5) == "-----") {
      if (const auto range = key_blocks.at(at)) {
        add(*range);
        at = std::max<std::size_t>(range->end, at + 5);
        continue;
      }
    }
    // `KEY=value` is one run of these bytes: the name ends where it stops being one.
    while (at < text.size() && is_identifier_byte(text[at]))
      ++at;
    if (const ByteRange name = whole_name(text, begin, at);
        at > begin && may_give(text, at) && names_secret(name.of(text))) {
      const auto given = value_given_to(name, text);
      if (given && is_secret(given->range.of(text), given->giving)) {
        add(given->range);
        at = given->range.end;
        continue;
      }
    }
    if (begins_like_key(text.substr(begin, 24))) {
      std::size_t end = begin;
      while (end < text.size() && is_key_byte(text[end]) && text[end] != '=')
        ++end;
      if (is_known_key(text.substr(begin, end - begin))) {
        add({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
        at = end;
      } else if (end - begin > 256) {
        at = end;  // no run of such bytes is read twice
      }
    }
    if (at == begin) ++at;
  }
  add_base64_lines(text, secrets);
  // A block's end reaches back over words already seen.
  std::sort(
      secrets.begin(), secrets.end(), [](ByteRange a, ByteRange b) { return a.begin < b.begin; });
  std::vector<ByteRange> disjoint;
  for (const ByteRange range : secrets) {
    if (!disjoint.empty() && range.begin < disjoint.back().end) {
      disjoint.back().end = std::max(disjoint.back().end, range.end);
    } else {
      disjoint.push_back(range);
    }
  }
  return disjoint;
}

std::string mask(std::string_view text, ByteRange part, const std::vector<ByteRange>& secrets) {
  std::string out;
  std::uint32_t at = part.begin;
  auto secret = std::lower_bound(
      secrets.begin(), secrets.end(), part.begin, [](const ByteRange& range, std::uint32_t begin) {
        return range.end <= begin;
      });
  for (; secret != secrets.end() && secret->begin < part.end; ++secret) {
    if (secret->begin > at) out += text.substr(at, secret->begin - at);
    out += kMask;
    at = std::min(secret->end, part.end);
  }
  return out += text.substr(at, part.end - at);
}

std::vector<ByteRange> find_secrets_around(std::string_view text, ByteRange part) {
  // As far as a private key reaches, and to the end of what is given to a name.
  constexpr std::size_t kReachBefore = kMaxBlock;
  constexpr std::size_t kReachAfter = 1 << 10;
  const std::uint32_t begin = part.begin - std::min<std::uint32_t>(part.begin, kReachBefore);
  std::vector<ByteRange> secrets = find_secrets(text.substr(begin, part.end + kReachAfter - begin));
  for (ByteRange& secret : secrets)
    secret = {secret.begin + begin, secret.end + begin};
  return secrets;
}

std::string mask(std::string_view text) {
  return mask(text, {0, static_cast<std::uint32_t>(text.size())}, find_secrets(text));
}

}  // namespace kinglet::indexer
