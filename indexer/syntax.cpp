#include "indexer/syntax.h"

#include <cstdint>
#include <ctime>

namespace kinglet::indexer {
namespace {

struct ParserDeleter {
  void operator()(TSParser* parser) const { ts_parser_delete(parser); }
};

const char* read_all(void* payload, uint32_t byte, TSPoint /*position*/, uint32_t* n_bytes) {
  const auto& text = *static_cast<const std::string_view*>(payload);
  *n_bytes = byte < text.size() ? static_cast<uint32_t>(text.size() - byte) : 0;
  return *n_bytes == 0 ? "" : text.data() + byte;
}

// The parser asks every hundred steps. What a step takes depends on the text: a comment that never
// ends is read to the text's end, again and again. The thread's clock is a system call, so it is
// looked at when another one, which is not, has ticked.
struct Progress {
  const Budget& budget;
  std::int64_t last_tick = 0;
};

bool is_over_budget(TSParseState* state) {
  auto& progress = *static_cast<Progress*>(state->payload);
  timespec tick{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &tick);
  if (tick.tv_nsec == progress.last_tick) return false;
  progress.last_tick = tick.tv_nsec;
  return progress.budget.expired();
}

}  // namespace

std::chrono::nanoseconds thread_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

Tree parse_tree(const TSLanguage* language,
                std::string_view text,
                const Budget& budget,
                const TSTree* old) {
  if (budget.expired()) return nullptr;
  const std::unique_ptr<TSParser, ParserDeleter> parser(ts_parser_new());
  if (!ts_parser_set_language(parser.get(), language)) return nullptr;
  TSInput input{};
  input.payload = &text;
  input.read = read_all;
  input.encoding = TSInputEncodingUTF8;
  TSParseOptions options{};
  Progress progress{budget};
  options.payload = &progress;
  options.progress_callback = is_over_budget;
  return Tree(ts_parser_parse_with_options(parser.get(), old, input, options));
}

}  // namespace kinglet::indexer
