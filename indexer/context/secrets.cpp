#include "indexer/context/secrets.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "indexer/identifiers.h"

namespace kinglet::indexer {
namespace {

constexpr std::string_view kMask = "***";

// A key that its maker marks with a prefix, and how many characters follow at least.
struct KeyForm {
  std::string_view prefix;
  std::size_t min_rest;
};
constexpr KeyForm kKeyForms[] = {
    {"AKIA", 16},     {"ASIA", 16},     {"ghp_", 30},        {"gho_", 30},          {"ghu_", 30},
    {"ghs_", 30},     {"ghr_", 30},     {"github_pat_", 30}, {"glpat-", 18},        {"sk-", 20},
    {"sk_live_", 16}, {"sk_test_", 16}, {"rk_live_", 16},    {"pk_live_", 16},      {"whsec_", 20},
    {"xoxb-", 16},    {"xoxp-", 16},    {"xoxa-", 16},       {"xoxr-", 16},         {"xapp-", 16},
    {"AIza", 35},     {"ya29.", 20},    {"npm_", 30},        {"pypi-", 40},         {"SG.", 30},
    {"hf_", 30},      {"dop_v1_", 40},  {"shpat_", 28},      {"EAACEdEose0cBA", 8},
};

// Words in a name (lower case, without '_' and '-') that make a random value given to it a secret.
constexpr std::string_view kSecretWords[] = {"password",
                                             "passwd",
                                             "passphrase",
                                             "secret",
                                             "apikey",
                                             "accesskey",
                                             "privatekey",
                                             "token",
                                             "authkey",
                                             "credential",
                                             "pwd",
                                             "signingkey",
                                             "encryptionkey"};
// Values that are written to be read.
constexpr std::string_view kSampleValues[] = {
    "example", "placeholder", "changeme", "your", "xxxx", "dummy", "sample", "****"};

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

bool looks_random(std::string_view value) {
  constexpr std::size_t kMinBytes = 8;
  constexpr std::size_t kMaxBytes = 4096;
  if (value.size() < kMinBytes || value.size() > kMaxBytes) return false;
  bool has_digit = false;
  bool has_letter = false;
  bool has_sign = false;
  for (const char c : value) {
    if (c == ' ' || c == '{' || c == '$' || c == '<' || c == '%' || c == '(' || c == '\\')
      return false;
    has_digit |= is_digit(c);
    has_letter |= (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    has_sign |= !is_identifier_byte(c);
  }
  const std::string words = lower_letters(value);
  for (const std::string_view sample : kSampleValues) {
    if (words.find(sample) != std::string::npos) return false;
  }
  return has_letter && (has_digit || has_sign) && entropy(value) >= 2.75;
}

bool names_secret(std::string_view name) {
  if (name.size() > 100) return false;
  const std::string words = lower_letters(name);
  return std::any_of(std::begin(kSecretWords), std::end(kSecretWords), [&](std::string_view word) {
    return words.find(word) != std::string::npos;
  });
}

// The value that an assignment gives: `= "…"`, `: '…'`, `=…` to the end of the word. `at` is past
// the name.
std::optional<ByteRange> assigned_value(std::string_view text, std::size_t at) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  const std::size_t limit = std::min(text.size(), at + 40);
  if (at < limit && (text[at] == '"' || text[at] == '\'')) ++at;  // "password": …
  if (at < limit && text[at] == ']') ++at;
  while (at < limit && blank(text[at]))
    ++at;
  const std::size_t sign = at;
  while (at < limit && (text[at] == '=' || text[at] == ':' || text[at] == '>'))
    ++at;
  if (at == sign || at - sign > 2 || text.substr(sign, at - sign) == "==") return std::nullopt;
  const bool is_tight = at < text.size() && !blank(text[at]);
  while (at < limit && blank(text[at]))
    ++at;
  if (at >= text.size()) return std::nullopt;
  const char quote = text[at];
  std::size_t end = 0;
  if (quote == '"' || quote == '\'' || quote == '`') {
    end = text.find_first_of(std::string{quote, '\n'}, ++at);
    if (end == std::string_view::npos) end = text.size();
  } else if (is_tight && text[sign] == '=') {
    for (end = at; end < text.size() && is_key_byte(text[end]); ++end) {
    }
  } else {
    return std::nullopt;
  }
  return ByteRange{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end)};
}

// A block of lines from -----BEGIN … PRIVATE KEY----- on. A part of a text may hold its end alone.
std::optional<ByteRange> key_block(std::string_view text, std::size_t dashes) {
  constexpr std::size_t kMaxBlock = 16 << 10;
  const std::string_view rest = text.substr(dashes, kMaxBlock);
  const std::size_t head_end = rest.find('\n');
  const std::string_view head = rest.substr(0, std::min<std::size_t>(head_end, 100));
  if (head.find("PRIVATE KEY") == std::string_view::npos) return std::nullopt;
  if (head.starts_with("-----BEGIN ")) {
    const std::size_t end = rest.find("-----END ");
    const std::size_t past = end == std::string_view::npos ? rest.size() : end;
    return ByteRange{static_cast<std::uint32_t>(dashes), static_cast<std::uint32_t>(dashes + past)};
  }
  if (!head.starts_with("-----END ")) return std::nullopt;
  std::size_t begin = dashes;
  while (begin > 0 && dashes - begin < kMaxBlock &&
         (is_key_byte(text[begin - 1]) || text[begin - 1] == '\n' || text[begin - 1] == '\r')) {
    --begin;
  }
  return ByteRange{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(dashes)};
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
  if (password.find_first_of("{$%") != std::string_view::npos) return std::nullopt;
  const auto begin = static_cast<std::uint32_t>(at + colon + 1);
  return ByteRange{begin, begin + static_cast<std::uint32_t>(password.size())};
}

bool begins_like_key(std::string_view word) {
  return word.starts_with("eyJ") ||
         std::any_of(std::begin(kKeyForms), std::end(kKeyForms), [&](const KeyForm& form) {
           return word.starts_with(form.prefix);
         });
}

bool is_known_key(std::string_view word) {
  // header.payload.signature of a JSON web token
  if (word.starts_with("eyJ") && word.size() > 40 && word.find(".eyJ") != std::string_view::npos) {
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
  const auto add = [&](ByteRange range) {
    if (range.size() > 0) secrets.push_back(range);
  };
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at, 3) == "://") {
      if (const auto range = url_password(text, at + 3)) add(*range);
      at += 3;
      continue;
    }
    if (!is_key_byte(text[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    if (text.substr(at, 5) == "-----") {
      if (const auto range = key_block(text, at)) {
        add(*range);
        at = std::max<std::size_t>(range->end, at + 5);
        continue;
      }
    }
    // `KEY=value` is one run of these bytes: the name ends where it stops being one.
    while (at < text.size() && is_identifier_byte(text[at]))
      ++at;
    if (at > begin) {
      const auto value = assigned_value(text, at);
      if (value && looks_random(value->of(text)) && names_secret(text.substr(begin, at - begin))) {
        add(*value);
        at = value->end;
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

std::string mask(std::string_view text) {
  return mask(text, {0, static_cast<std::uint32_t>(text.size())}, find_secrets(text));
}

}  // namespace kinglet::indexer
