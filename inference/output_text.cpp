#include "inference/output_text.h"

#include <algorithm>
#include <utility>

namespace kinglet::inference {
namespace {

/// The longest end of `text` with which `stop` begins, but not all of it.
std::size_t begun(std::string_view text, std::string_view stop) {
  for (std::size_t n = std::min(text.size(), stop.size() - 1); n > 0; --n) {
    if (text.substr(text.size() - n) == stop.substr(0, n)) return n;
  }
  return 0;
}

}  // namespace

Result<OutputText> OutputText::create(std::vector<std::string> stops, std::size_t n_skipped) {
  if (stops.size() > kMaxStops) {
    return fail(ErrorCode::kInvalidArgument,
                std::to_string(stops.size()) + " stop strings: at most " +
                    std::to_string(kMaxStops) + " are looked for");
  }
  for (const std::string& stop : stops) {
    if (stop.empty()) return fail(ErrorCode::kInvalidArgument, "a stop string is empty");
    if (stop.size() > kMaxStopBytes) {
      return fail(ErrorCode::kInvalidArgument,
                  "a stop string has " + std::to_string(stop.size()) + " bytes; at most " +
                      std::to_string(kMaxStopBytes) + " are looked for");
    }
  }
  return OutputText(std::move(stops), n_skipped);
}

bool OutputText::add(TokenId token, std::string_view bytes) {
  const std::size_t n_skipped = std::min(n_to_skip_, bytes.size());
  n_to_skip_ -= n_skipped;
  bytes.remove_prefix(n_skipped);
  const std::size_t n_old = text_.size();
  text_ += bytes;
  held_.push_back({token, bytes.size()});

  std::size_t end = std::string::npos;
  std::size_t n_begun = 0;
  for (const std::string& stop : stops_) {
    // It is complete only now, so it ends within the new bytes.
    const std::size_t from = n_old - std::min(n_old, stop.size() - 1);
    end = std::min(end, text_.find(stop, from));
    n_begun = std::max(n_begun, begun(text_, stop));
  }
  stopped_ = end != std::string::npos;
  if (stopped_) text_.resize(end);
  n_sure_ = stopped_ ? end : text_.size() - n_begun;
  return stopped_;
}

void OutputText::finish() {
  n_sure_ = text_.size();
}

bool OutputText::next(Piece& piece) {
  if (held_.empty()) return false;
  const std::size_t n_bytes = held_.front().n_bytes;
  // What is skipped waits for what is not: tokens without text come with the first that has some.
  if (!stopped_ && (n_to_skip_ > 0 || n_bytes > n_sure_)) return false;
  const bool is_cut = n_bytes > text_.size();
  if (is_cut && text_.empty()) {
    held_.clear();
    return false;
  }
  piece.token = held_.front().token;
  piece.bytes = text_.substr(0, n_bytes);
  text_.erase(0, piece.bytes.size());
  n_sure_ -= piece.bytes.size();
  held_.pop_front();
  if (is_cut) held_.clear();
  return true;
}

}  // namespace kinglet::inference
