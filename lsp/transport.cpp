#include "lsp/transport.h"

#include <algorithm>
#include <utility>

namespace kinglet::lsp {
namespace {

constexpr std::string_view kContentLength = "content-length:";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool starts_with_content_length(std::string_view text) {
  if (text.size() < kContentLength.size()) return false;
  return std::equal(kContentLength.begin(), kContentLength.end(), text.begin(), [](char a, char b) {
    return a == lower(b);
  });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

// A decimal length within the cap; nothing else is one ("-1", "+5", "0x10", "5 6").
std::optional<std::size_t> parse_length(std::string_view text) {
  text = trim(text);
  if (text.empty()) return std::nullopt;
  std::size_t length = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    length = length * 10 + static_cast<std::size_t>(c - '0');
    if (length > kMaxBodyBytes) return std::nullopt;
  }
  return length;
}

struct Search {
  std::size_t found = std::string_view::npos;  // a whole, valid Content-Length line starts here
  std::size_t resume = 0;                      // else: where one may have begun
};

// Looks for "Content-Length: N" up to a line end.
Search find_header(std::string_view text, std::size_t from) {
  for (std::size_t at = from; at < text.size(); ++at) {
    at = text.find_first_of("Cc", at);
    if (at == std::string_view::npos) break;
    const std::string_view rest = text.substr(at);
    if (rest.size() < kContentLength.size()) {
      const bool may_become_one =
          std::equal(rest.begin(), rest.end(), kContentLength.begin(), [](char a, char b) {
            return lower(a) == b;
          });
      if (may_become_one) return {.resume = at};
      continue;
    }
    if (!starts_with_content_length(rest)) continue;
    const std::string_view value = rest.substr(kContentLength.size(), kMaxHeaderBytes);
    const std::size_t line_end = value.find_first_of("\r\n");
    if (line_end != std::string_view::npos) {
      if (parse_length(value.substr(0, line_end))) return {.found = at};
      continue;
    }
    // Unfinished: worth waiting for while it still looks like a number.
    const bool may_become_one = value.size() < kMaxHeaderBytes &&
                                value.find_first_not_of("0123456789 \t") == std::string_view::npos;
    if (may_become_one) return {.resume = at};
  }
  return {.resume = text.size()};
}

}  // namespace

std::vector<Frame> FrameReader::feed(std::string_view bytes) {
  std::vector<Frame> frames;
  pending_ += bytes;
  while (step(frames)) {
  }
  // Once per feed, not per frame: a flood of tiny ones must not cost their square.
  pending_.erase(0, begin_);
  begin_ = 0;
  return frames;
}

std::optional<Error> FrameReader::finish() const {
  if (state_ == State::kResync || (state_ == State::kHeader && rest().empty())) {
    return std::nullopt;  // what was dropped has been reported
  }
  return Error{ErrorCode::kCorrupt, "the input ended inside a message"};
}

bool FrameReader::step(std::vector<Frame>& frames) {
  switch (state_) {
    case State::kHeader:
      return step_header(frames);
    case State::kBody:
      return step_body(frames);
    case State::kResync:
      return step_resync();
  }
  return false;
}

void FrameReader::give_up(std::vector<Frame>& frames, std::string why) {
  frames.push_back(fail(ErrorCode::kCorrupt,
                        "malformed message: " + std::move(why) + "; skipped to the next header"));
  state_ = State::kResync;
  // One byte further, or the same header would be found, and given up, for ever.
  scanned_ = 1;
}

bool FrameReader::step_header(std::vector<Frame>& frames) {
  // The header ends at its first empty line. A line that is no header at all is not waited for: a
  // peer that does not speak the protocol may never send an empty one.
  std::optional<std::string_view> length;
  const std::string_view text = rest();
  for (std::size_t line_start = 0;;) {
    const std::size_t line_end = text.find('\n', line_start);
    if (line_end == std::string_view::npos) {
      if (text.size() > kMaxHeaderBytes) {
        give_up(frames, "a header above " + std::to_string(kMaxHeaderBytes) + " bytes");
        return true;
      }
      return false;
    }
    std::string_view line = text.substr(line_start, line_end - line_start);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line_end + 1 > kMaxHeaderBytes) {
      give_up(frames, "a header above " + std::to_string(kMaxHeaderBytes) + " bytes");
      return true;
    }
    if (line.empty()) {
      if (line_start == 0) {  // stray line ends between messages are harmless
        begin_ += line_end + 1;
        return true;
      }
      if (!length) {
        give_up(frames, "a header without Content-Length");
        return true;
      }
      const auto n_bytes = parse_length(*length);
      if (!n_bytes) {
        give_up(frames,
                "Content-Length is not a number from 0 to " + std::to_string(kMaxBodyBytes));
        return true;
      }
      begin_ += line_end + 1;
      body_bytes_ = *n_bytes;
      scanned_ = 0;
      state_ = State::kBody;
      return true;
    }
    if (line.find(':') == std::string_view::npos) {
      give_up(frames, "a line that is no header");
      return true;
    }
    if (starts_with_content_length(line)) {
      if (length) {
        give_up(frames, "two Content-Length headers");
        return true;
      }
      length = line.substr(kContentLength.size());
    }
    line_start = line_end + 1;
  }
}

bool FrameReader::step_body(std::vector<Frame>& frames) {
  // A header among the body's bytes: the body came shorter than announced.
  const Search search = find_header(rest().substr(0, body_bytes_), scanned_);
  if (search.found != std::string_view::npos) {
    frames.push_back(fail(ErrorCode::kCorrupt,
                          "malformed message: " + std::to_string(body_bytes_) +
                              " bytes announced, " + std::to_string(search.found) +
                              " came before the next header"));
    begin_ += search.found;
    scanned_ = 0;
    state_ = State::kHeader;
    return true;
  }
  scanned_ = search.resume;
  if (rest().size() < body_bytes_) return false;
  frames.emplace_back(std::string(rest().substr(0, body_bytes_)));
  begin_ += body_bytes_;
  scanned_ = 0;
  state_ = State::kHeader;
  return true;
}

bool FrameReader::step_resync() {
  const Search search = find_header(rest(), scanned_);
  const bool is_found = search.found != std::string_view::npos;
  begin_ += is_found ? search.found : search.resume;
  scanned_ = 0;
  if (is_found) state_ = State::kHeader;
  return is_found;
}

std::string write_frame(std::string_view body) {
  std::string frame = "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  frame += body;
  return frame;
}

}  // namespace kinglet::lsp
