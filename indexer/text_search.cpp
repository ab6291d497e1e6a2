#include "indexer/text_search.h"

#include <array>
#include <functional>
#include <string>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace kinglet::indexer {
namespace {

// Steps and depth of backtracking in one match: what a sensible expression never needs on a file.
constexpr std::uint32_t kMaxSteps = 2'000'000;
constexpr std::uint32_t kMaxHeapKib = 16 << 10;

struct FreeData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

std::string message_of(int code) {
  std::array<PCRE2_UCHAR, 256> message{};
  pcre2_get_error_message(code, message.data(), message.size());
  return reinterpret_cast<const char*>(message.data());
}

}  // namespace

void TextPattern::Free::operator()(pcre2_real_code_8* code) const {
  pcre2_code_free(code);
}

Result<TextPattern> TextPattern::compile(const TextQuery& query) {
  if (query.text.empty())
    return fail(ErrorCode::kInvalidArgument, "there is nothing to search for");
  if (query.text.size() > kMaxPatternBytes) {
    return fail(
        ErrorCode::kInvalidArgument,
        "the text to search for is longer than " + std::to_string(kMaxPatternBytes) + " bytes");
  }
  TextPattern pattern;
  if (!query.is_regex && !query.ignores_case) {
    pattern.text_ = query.text;
    return pattern;
  }
  // Sources in UTF-8 are read as such; what is not UTF-8 matches byte by byte.
  std::uint32_t flags =
      PCRE2_MULTILINE | PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
  if (query.ignores_case) flags |= PCRE2_CASELESS;
  if (!query.is_regex) flags = (flags & ~std::uint32_t{PCRE2_MULTILINE}) | PCRE2_LITERAL;
  if (!query.is_regex) flags &= ~std::uint32_t{PCRE2_NEVER_BACKSLASH_C};
  int error = 0;
  std::size_t at = 0;
  pattern.code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(query.text.data()),
                                    query.text.size(),
                                    flags,
                                    &error,
                                    &at,
                                    nullptr));
  if (!pattern.code_) {
    return fail(
        ErrorCode::kInvalidArgument,
        "the regular expression is wrong at byte " + std::to_string(at) + ": " + message_of(error));
  }
  // Without it matching is slower, and the same.
  (void)pcre2_jit_compile(pattern.code_.get(), PCRE2_JIT_COMPLETE);
  return pattern;
}

Result<void> TextPattern::find(std::string_view text,
                               const std::function<bool(ByteRange)>& visit) const {
  const auto range = [](std::size_t begin, std::size_t end) {
    return ByteRange{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  };
  if (!code_) {
    for (std::size_t at = text.find(text_); at != std::string_view::npos;
         at = text.find(text_, at + text_.size())) {
      if (!visit(range(at, at + text_.size()))) break;
    }
    return {};
  }
  const std::unique_ptr<pcre2_match_data, FreeData> data(
      pcre2_match_data_create_from_pattern(code_.get(), nullptr));
  const std::unique_ptr<pcre2_match_context, FreeContext> context(
      pcre2_match_context_create(nullptr));
  if (!data || !context) return fail(ErrorCode::kOutOfMemory, "no memory to search with");
  pcre2_set_match_limit(context.get(), kMaxSteps);
  pcre2_set_heap_limit(context.get(), kMaxHeapKib);
  for (std::size_t at = 0; at <= text.size();) {
    const int n = pcre2_match(code_.get(),
                              reinterpret_cast<PCRE2_SPTR>(text.data()),
                              text.size(),
                              at,
                              PCRE2_NOTEMPTY,
                              data.get(),
                              context.get());
    if (n == PCRE2_ERROR_NOMATCH) return {};
    if (n < 0) {
      return fail(ErrorCode::kUnsupported, "the regular expression gave up: " + message_of(n));
    }
    const std::size_t* ends = pcre2_get_ovector_pointer(data.get());
    // \K can move a match's beginning behind its end.
    if (ends[1] <= ends[0] || ends[1] <= at) return {};
    if (!visit(range(ends[0], ends[1]))) return {};
    at = ends[1];
  }
  return {};
}

}  // namespace kinglet::indexer
