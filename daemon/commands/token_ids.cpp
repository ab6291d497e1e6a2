#include "daemon/commands/token_ids.h"

#include <algorithm>
#include <charconv>

namespace kinglet::daemon {

using inference::TokenId;

Result<std::vector<TokenId>> parse_token_ids(std::string_view text, const std::string& where) {
  constexpr std::string_view kWhite = " \t\r\n\f\v";
  std::vector<TokenId> tokens;
  for (std::size_t at = text.find_first_not_of(kWhite); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(kWhite, at), text.size());
    const std::string_view word = text.substr(at, end - at);
    TokenId token = 0;
    const auto parsed = std::from_chars(word.data(), word.data() + word.size(), token);
    if (parsed.ec != std::errc() || parsed.ptr != word.data() + word.size()) {
      return fail(ErrorCode::kInvalidArgument,
                  where + ": word " + std::to_string(tokens.size() + 1) + ", \"" +
                      std::string(word.substr(0, 32)) +
                      "\", is no token id; give numbers separated by white space");
    }
    tokens.push_back(token);
    at = text.find_first_not_of(kWhite, end);
  }
  return tokens;
}

}  // namespace kinglet::daemon
