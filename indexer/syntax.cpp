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

bool is_over_budget(TSParseState* state) {
  return static_cast<const Budget*>(state->payload)->expired();
}

}  // namespace

std::chrono::nanoseconds thread_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

Tree parse_tree(const TSLanguage* language, std::string_view text, const Budget& budget) {
  const std::unique_ptr<TSParser, ParserDeleter> parser(ts_parser_new());
  if (!ts_parser_set_language(parser.get(), language)) return nullptr;
  TSInput input{};
  input.payload = &text;
  input.read = read_all;
  input.encoding = TSInputEncodingUTF8;
  TSParseOptions options{};
  options.payload = const_cast<Budget*>(&budget);
  options.progress_callback = is_over_budget;
  return Tree(ts_parser_parse_with_options(parser.get(), nullptr, input, options));
}

}  // namespace kinglet::indexer
