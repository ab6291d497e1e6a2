#include "inference/backend.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace kinglet::inference {

Executor::Executor(std::shared_ptr<const Model> model, ExecutorInfo info, std::uint32_t n_kv_tokens)
    : model_(std::move(model)),
      info_(std::move(info)),
      pool_(pages_for(n_kv_tokens)),
      adapters_(std::make_shared<const Adapters>()) {}

Result<void> Executor::set_adapters(Adapters adapters) {
  for (const Adapter& adapter : adapters) {
    const std::string name(adapter.lora->name());
    if (!adapter.lora->is_for(model())) {
      return fail(ErrorCode::kInvalidArgument,
                  "adapter " + name + " was loaded for another model than " + model().name());
    }
    constexpr float kMost = 1000;
    if (!(std::fabs(adapter.scale) <= kMost)) {
      return fail(ErrorCode::kInvalidArgument,
                  "adapter " + name + ": a scale of " + std::to_string(adapter.scale) +
                      " is not within -1000 to 1000");
    }
  }
  std::erase_if(adapters, [](const Adapter& adapter) { return adapter.scale == 0; });
  if (adapters == *adapters_) return {};
  TRY(place_adapters(adapters));
  adapters_ = std::make_shared<const Adapters>(std::move(adapters));
  return {};
}

bool Executor::can_continue(const Sequence& sequence) const {
  return sequence.n_tokens() == 0 || sequence.adapters_ == adapters_ ||
         *sequence.adapters_ == *adapters_;
}

Result<Sequence> Executor::new_sequence(const SequenceOptions& options) {
  const std::uint32_t context = model().hyper_parameters().context_length;
  if (options.max_tokens == 0 || options.max_tokens > context) {
    return fail(ErrorCode::kInvalidArgument,
                "a sequence of " + std::to_string(options.max_tokens) +
                    " tokens: " + model().name() + " takes 1 to " + std::to_string(context));
  }
  if (pages_for(options.max_tokens) > pool_.n_pages()) {
    return fail(ErrorCode::kInvalidArgument,
                "a sequence of " + std::to_string(options.max_tokens) +
                    " tokens: the KV cache has room for " +
                    std::to_string(std::uint64_t{pool_.n_pages()} * kPageTokens));
  }
  const RopeFactorSet rope =
      options.rope_factor_set.value_or(model().rope_factor_set(options.max_tokens));
  TRY(prepare_rope(rope, options.max_tokens));
  return Sequence(PageTable(pool_), rope, options.max_tokens);
}

Sequence Executor::fork(const Sequence& origin, std::uint32_t n_tokens) {
  Sequence fork(origin.table_.fork(n_tokens), origin.rope_, origin.max_tokens_);
  fork.adapters_ = origin.adapters_;
  return fork;
}

void Executor::truncate(Sequence& sequence, std::uint32_t n_tokens) {
  sequence.table_.truncate(n_tokens);
}

Result<void> Executor::forward(Sequence& sequence,
                               std::span<const TokenId> tokens,
                               LogitsWanted wanted,
                               std::span<float> logits,
                               const std::stop_token& stop) {
  const std::size_t n_vocabulary = model().hyper_parameters().n_vocabulary;
  if (tokens.empty()) return fail(ErrorCode::kInvalidArgument, "no tokens to compute");
  if (tokens.size() > sequence.max_tokens() - sequence.n_tokens()) {
    return fail(ErrorCode::kInvalidArgument,
                std::to_string(tokens.size()) + " tokens after " +
                    std::to_string(sequence.n_tokens()) + ": the sequence holds at most " +
                    std::to_string(sequence.max_tokens()));
  }
  for (const TokenId token : tokens) {
    if (token < 0 || static_cast<std::size_t>(token) >= n_vocabulary) {
      return fail(ErrorCode::kInvalidArgument,
                  "token " + std::to_string(token) + " is not in the model's vocabulary of " +
                      std::to_string(n_vocabulary));
    }
  }
  if (!can_continue(sequence)) {
    return fail(ErrorCode::kInvalidArgument, "the sequence was computed with other adapters");
  }
  sequence.adapters_ = adapters_;
  const std::size_t n_wanted = wanted == LogitsWanted::kAll    ? tokens.size()
                               : wanted == LogitsWanted::kLast ? 1
                                                               : 0;
  if (logits.size() != n_wanted * n_vocabulary) {
    return fail(ErrorCode::kInvalidArgument,
                "logits: room for " + std::to_string(logits.size()) + " values, " +
                    std::to_string(n_wanted * n_vocabulary) + " wanted");
  }
  while (!tokens.empty()) {
    if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "forward pass cancelled");
    const std::size_t n = std::min<std::size_t>(tokens.size(), info_.chunk_tokens);
    const bool is_last = n == tokens.size();
    const std::size_t n_rows = wanted == LogitsWanted::kAll               ? n
                               : wanted == LogitsWanted::kLast && is_last ? 1
                                                                          : 0;
    TRY(run_chunk(sequence,
                  Batch{.tokens = tokens.first(n),
                        .position = sequence.n_tokens(),
                        .pages = {},
                        .rope = sequence.rope_factor_set(),
                        .logits = logits.first(n_rows * n_vocabulary),
                        .stop = stop}));
    tokens = tokens.subspan(n);
    logits = logits.subspan(n_rows * n_vocabulary);
  }
  return {};
}

Result<void> Executor::run_chunk(Sequence& sequence, Batch batch) {
  PageTable& table = sequence.table_;
  const auto n = static_cast<std::uint32_t>(batch.tokens.size());
  const std::optional<PageCopy> copy = TRY(table.reserve(n));
  batch.pages = table.pages();
  if (copy) {
    if (Result<void> copied = copy_page(*copy); !copied) {
      // The fresh page does not hold what it should: forget its positions rather than trust them.
      table.truncate(batch.position - copy->n_tokens);
      return copied;
    }
  }
  Result<void> result = run(batch);
  if (result) {
    table.commit(n);
  } else {
    table.truncate(batch.position);
  }
  return result;
}

const Backend* find_backend(std::string_view name) {
  for (const Backend& backend : all_backends()) {
    if (backend.name == name) return &backend;
  }
  return nullptr;
}

}  // namespace kinglet::inference
