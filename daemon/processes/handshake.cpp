#include "daemon/processes/handshake.h"

#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace kinglet::daemon {

namespace {

constexpr std::string_view kMagic = "KINGLET";
constexpr std::array<std::pair<Purpose, std::string_view>, 3> kPurposes = {{
    {Purpose::kLsp, "lsp"},
    {Purpose::kStatus, "status"},
    {Purpose::kStop, "stop"},
}};

/// Cuts the next word off the line's front.
std::string_view next_word(std::string_view& line) {
  const auto end = std::min(line.find(' '), line.size());
  const auto word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<int> read_number(std::string_view word) {
  int number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size() || number < 0) return std::nullopt;
  return number;
}

/// The part both lines share.
Result<Welcome> read_head(std::string_view& line) {
  if (next_word(line) != kMagic) {
    return fail(ErrorCode::kCorrupt, "The other end of the socket is not Kinglet.");
  }
  const auto protocol = read_number(next_word(line));
  const auto version = next_word(line);
  if (!protocol || version.empty()) {
    return fail(ErrorCode::kCorrupt, "The other end of the socket sent half a greeting.");
  }
  return Welcome{.protocol = *protocol, .version = std::string(version)};
}

std::optional<std::array<int, 3>> read_version(std::string_view text) {
  std::array<int, 3> parts{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto end = i < 2 ? text.find('.') : text.size();
    if (end == std::string_view::npos) return std::nullopt;
    const auto number = read_number(text.substr(0, end));
    if (!number) return std::nullopt;
    parts[i] = *number;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

}  // namespace

std::string write_hello(const Hello& hello) {
  std::string_view purpose;
  for (const auto& [value, name] : kPurposes) {
    if (value == hello.purpose) purpose = name;
  }
  return std::string(kMagic) + " " + std::to_string(hello.protocol) + " " + hello.version + " " +
         std::string(purpose) + " " + hello.settings + "\n";
}

Result<Hello> read_hello(std::string_view line) {
  auto head = TRY(read_head(line));
  const auto word = next_word(line);
  for (const auto& [purpose, name] : kPurposes) {
    if (name != word) continue;
    return Hello{.protocol = head.protocol,
                 .version = std::move(head.version),
                 .purpose = purpose,
                 .settings = line.empty() ? "{}" : std::string(line)};
  }
  return fail(ErrorCode::kCorrupt, "A client came with an unknown purpose.");
}

std::string write_welcome(const Welcome& welcome) {
  return std::string(kMagic) + " " + std::to_string(welcome.protocol) + " " + welcome.version +
         "\n";
}

Result<Welcome> read_welcome(std::string_view line) {
  return read_head(line);
}

bool is_newer(std::string_view a, std::string_view b) {
  return read_version(a) > read_version(b);
}

}  // namespace kinglet::daemon
