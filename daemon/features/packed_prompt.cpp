#include "daemon/features/packed_prompt.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/base/trace.h"
#include "indexer/scan.h"

namespace kinglet::daemon {

namespace {

// Some forty lines of code; as much as is not missed where the budget is small.
std::size_t typed_reserve(std::size_t budget) {
  return std::clamp<std::size_t>(budget / 8, 128, 512);
}

}  // namespace

Result<PackedPrompt> pack_prompt(const PackJob& job, const std::stop_token& stop) {
  const trace::Span span("pack prompt");
  const auto start = std::chrono::steady_clock::now();
  const PromptPlace place{.repository = job.repository, .path = job.path};
  std::optional<indexer::Root> root;
  if (!job.root.empty()) {
    // Without its folder a repository is no more than its current file.
    if (auto opened = indexer::Root::open(job.root.string())) root = *std::move(opened);
  }
  const indexer::PackOverhead overhead = job.writer->overhead(place);
  if (job.budget_tokens < overhead.fixed) {
    return fail(ErrorCode::kInvalidArgument,
                "a budget of " + std::to_string(job.budget_tokens) +
                    " tokens does not hold what the format \"" +
                    std::string(job.writer->format_name()) + "\" itself takes for " + job.path +
                    "; give " + std::to_string(overhead.fixed) + " or more");
  }
  indexer::PackRequest request{
      .path = job.path,
      .text = job.text->text(),
      .cursor = job.cursor,
      .budget_tokens = job.budget_tokens,
      .overhead = overhead,
      .typed_reserve_tokens = typed_reserve(job.budget_tokens),
      .shares = job.writer->shares(),
      .method = job.method,
      .count_tokens = [&](std::string_view text) { return job.writer->count_tokens(text); },
      .count_prefix_tokens =
          [&](std::string_view text) { return job.writer->count_prefix_tokens(text); },
      .read_text = [&](const std::string& path) -> std::optional<std::string> {
        if (!root) return std::nullopt;
        if (const auto open = job.open_texts.find(path); open != job.open_texts.end()) {
          return std::string(open->second->text());
        }
        auto text = root->read(path, job.max_file_bytes);
        if (!text) return std::nullopt;
        return *std::move(text);
      },
      .history = job.history.get(),
      .recent = job.recent};

  PackedPrompt packed;
  for (const auto& layout : job.kept) {
    auto retyped = indexer::retype(*layout, request);
    if (!retyped) continue;
    packed.layout = layout;
    packed.pack = std::make_shared<const indexer::Pack>(*std::move(retyped));
    break;
  }
  if (!packed.layout) {
    packed.pack = std::make_shared<const indexer::Pack>(
        TRY(indexer::pack(root ? job.index : indexer::Snapshot(), request, stop)));
    packed.layout = packed.pack;
  }
  packed.prompt = job.writer->write(*packed.pack, place);
  packed.budget_tokens = job.budget_tokens;
  packed.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return packed;
}

}  // namespace kinglet::daemon
