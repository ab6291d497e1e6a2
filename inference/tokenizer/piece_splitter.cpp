#include "inference/tokenizer/piece_splitter.h"

#include <cstdint>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "inference/tokenizer/utf8.h"

namespace kinglet::inference {
namespace {

// White space as Unicode 15 has it. PCRE2's own \s is ASCII's or, told to know Unicode, counts
// U+180E, which lost that property in Unicode 6.3, before all of these models were trained.
constexpr std::string_view kWhiteSpace =
    R"(\x09-\x0d\x20\x85\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

/// The pattern with \s and \S spelled out.
std::string with_white_space(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c != '\\' || i + 1 == pattern.size()) {
      in_class = c == '[' || (in_class && c != ']');
      out += c;
      continue;
    }
    const char escaped = pattern[++i];
    if (escaped == 's' && in_class) {
      out += kWhiteSpace;
    } else if (escaped == 's' || escaped == 'S') {
      out.append(escaped == 's' ? "[" : "[^").append(kWhiteSpace) += ']';
    } else {
      out.append(1, c) += escaped;
    }
  }
  return out;
}

}  // namespace

void PieceSplitter::Free::operator()(pcre2_real_code_8* code) const {
  pcre2_code_free(code);
}

void PieceSplitter::Scratch::Free::operator()(pcre2_real_match_data_8* data) const {
  pcre2_match_data_free(data);
}

PieceSplitter::Scratch::Scratch(const PieceSplitter& splitter) {
  for (std::size_t i = 0; i < splitter.patterns_.size(); ++i) {
    matches_.emplace_back(pcre2_match_data_create(1, nullptr));
    if (matches_.back() == nullptr) throw std::bad_alloc();
  }
}

PieceSplitter::PieceSplitter(const PreTokenizerRow& rule) {
  for (const std::string_view published : rule.patterns) {
    const std::string pattern = with_white_space(published);
    int error = 0;
    std::size_t at = 0;
    patterns_.emplace_back(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()),
                                         pattern.size(),
                                         PCRE2_UTF | PCRE2_NO_UTF_CHECK,
                                         &error,
                                         &at,
                                         nullptr));
    if (patterns_.back() == nullptr) {  // the patterns are ours: a bug, or no memory
      throw std::runtime_error("PCRE2 refuses a pre-tokenizer's pattern at its byte " +
                               std::to_string(at) + " with error " + std::to_string(error));
    }
    // Systems that forbid memory to be both written and run have the interpreter.
    if (pcre2_jit_compile(patterns_.back().get(), PCRE2_JIT_COMPLETE) != 0) {
      is_compiled_to_machine_code_ = false;
    }
  }
}

std::size_t PieceSplitter::well_formed_prefix(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    if (i + 8 <= text.size()) {
      std::uint64_t bytes = 0;
      std::memcpy(&bytes, text.data() + i, sizeof bytes);
      if ((bytes & 0x8080808080808080) == 0) {
        i += 8;
        continue;
      }
    }
    const std::size_t length = well_formed_length(text.substr(i));
    if (length == 0) break;
    i += length;
  }
  return i;
}

std::size_t PieceSplitter::broken_prefix(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size() && well_formed_length(text.substr(i)) == 0)
    ++i;
  return i;
}

PieceSplitter::Match PieceSplitter::next_match(std::size_t pattern,
                                               std::string_view text,
                                               std::size_t from,
                                               Scratch& scratch) const {
  const pcre2_code* code = patterns_[pattern].get();
  pcre2_match_data* data = scratch.matches_[pattern].get();
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  const int n =
      is_compiled_to_machine_code_
          ? pcre2_jit_match(code, subject, text.size(), from, 0, data, nullptr)
          : pcre2_match(code, subject, text.size(), from, PCRE2_NO_UTF_CHECK, data, nullptr);
  const Match none = {text.size(), text.size()};
  // Errors (no memory, a limit of PCRE2's) leave a long piece whole: coarser, but nothing is lost.
  if (n <= 0) return none;
  const std::size_t* bounds = pcre2_get_ovector_pointer(data);
  return bounds[0] < bounds[1] ? Match{bounds[0], bounds[1]} : none;
}

}  // namespace kinglet::inference
