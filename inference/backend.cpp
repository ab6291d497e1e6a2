#include "inference/backend.h"

#include "daemon/base/trace.h"
#include "inference/sampler.h"

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
  if (options.max_tokens == 0 || (options.max_tokens > context && !options.beyond_context)) {
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

Result<void> Executor::check(const Sequence& sequence, std::span<const TokenId> tokens) const {
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
  return {};
}

Result<void> Executor::check_logits(std::size_t n_given, std::size_t n_rows) const {
  const std::size_t n_wanted = n_rows * model().hyper_parameters().n_vocabulary;
  if (n_given == n_wanted) return {};
  return fail(ErrorCode::kInvalidArgument,
              "logits: room for " + std::to_string(n_given) + " values, " +
                  std::to_string(n_wanted) + " wanted");
}

Result<void> Executor::forward(Sequence& sequence,
                               std::span<const TokenId> tokens,
                               LogitsWanted wanted,
                               std::span<float> logits,
                               const std::stop_token& stop) {
  const std::size_t n_vocabulary = model().hyper_parameters().n_vocabulary;
  TRY(check(sequence, tokens));
  TRY(check_logits(logits.size(),
                   wanted == LogitsWanted::kAll    ? tokens.size()
                   : wanted == LogitsWanted::kLast ? 1
                                                   : 0));
  sequence.adapters_ = adapters_;
  while (!tokens.empty()) {
    if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "forward pass cancelled");
    const std::size_t n = std::min<std::size_t>(tokens.size(), info_.chunk_tokens);
    const bool is_last = n == tokens.size();
    const std::size_t n_rows = wanted == LogitsWanted::kAll               ? n
                               : wanted == LogitsWanted::kLast && is_last ? 1
                                                                          : 0;
    TRY(run_chunk(sequence, tokens.first(n), logits.first(n_rows * n_vocabulary), stop));
    tokens = tokens.subspan(n);
    logits = logits.subspan(n_rows * n_vocabulary);
  }
  return {};
}

Result<void> Executor::make_room(Sequence& sequence, std::uint32_t n) {
  PageTable& table = sequence.table_;
  const std::uint32_t n_before = table.n_tokens();
  const std::optional<PageCopy> copy = TRY(table.reserve(n));
  if (!copy) return {};
  Result<void> copied = copy_page(*copy);
  // The fresh page does not hold what it should: forget its positions rather than trust them.
  if (!copied) table.truncate(n_before - copy->n_tokens);
  return copied;
}

Result<void> Executor::run_chunk(Sequence& sequence,
                                 std::span<const TokenId> tokens,
                                 std::span<float> logits,
                                 const std::stop_token& stop) {
  PageTable& table = sequence.table_;
  const auto n = static_cast<std::uint32_t>(tokens.size());
  const trace::Span span(n > 1 ? "prefill chunk" : "decode step");
  TRY(make_room(sequence, n));
  const Segment segment = {table.n_tokens(), n, table.pages()};
  Result<void> result = run({.tokens = tokens,
                             .segments = {&segment, 1},
                             .rope = sequence.rope_factor_set(),
                             .logits = logits,
                             .stop = stop});
  if (result) {
    table.commit(n);
  } else {
    table.truncate(segment.position);
  }
  return result;
}

Result<void> Executor::forward_each(std::span<Sequence* const> sequences,
                                    std::span<const TokenId> tokens,
                                    std::span<float> logits,
                                    const std::stop_token& stop) {
  const std::size_t most = std::min(std::uint32_t{kMaxSequences}, info_.chunk_tokens);
  if (sequences.empty() || sequences.size() > most || sequences.size() != tokens.size()) {
    return fail(ErrorCode::kInvalidArgument,
                std::to_string(tokens.size()) + " tokens for " + std::to_string(sequences.size()) +
                    " sequences: one for each of at most " + std::to_string(most));
  }
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    TRY(check(*sequences[i], tokens.subspan(i, 1)));
    if (sequences[i]->rope_factor_set() != sequences[0]->rope_factor_set()) {
      return fail(ErrorCode::kInvalidArgument,
                  "sequences with short and with long rope factors in one pass");
    }
    if (std::find(sequences.begin(),
                  sequences.begin() + static_cast<std::ptrdiff_t>(i),
                  sequences[i]) != sequences.begin() + static_cast<std::ptrdiff_t>(i)) {
      return fail(ErrorCode::kInvalidArgument, "one sequence twice in one pass");
    }
  }
  TRY(check_logits(logits.size(), tokens.size()));
  if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "forward pass cancelled");
  std::vector<Segment> segments;
  Result<void> result;
  for (Sequence* sequence : sequences) {
    result = make_room(*sequence, 1);
    if (!result) break;
    sequence->adapters_ = adapters_;
    segments.push_back({sequence->n_tokens(), 1, sequence->table_.pages()});
  }
  if (result) {
    result = run({.tokens = tokens,
                  .segments = segments,
                  .rope = sequences[0]->rope_factor_set(),
                  .logits = logits,
                  .stop = stop});
  }
  for (Sequence* sequence : sequences) {
    if (result) {
      sequence->table_.commit(1);
    } else {
      sequence->table_.truncate(sequence->n_tokens());  // what was reserved
    }
  }
  return result;
}

Result<std::uint32_t> Executor::decode_greedy(Sequence& sequence,
                                              TokenId token,
                                              std::span<TokenId> next,
                                              const std::stop_token& stop) {
  TRY(check(sequence, {&token, 1}));
  if (next.empty()) return fail(ErrorCode::kInvalidArgument, "no room for the next token");
  sequence.adapters_ = adapters_;
  if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "decoding cancelled");
  const trace::Span span("greedy steps");
  PageTable& table = sequence.table_;
  std::size_t most =
      std::min<std::size_t>(next.size(), sequence.max_tokens() - sequence.n_tokens());
  Result<void> room = make_room(sequence, static_cast<std::uint32_t>(most));
  while (!room && room.error().code == ErrorCode::kOutOfMemory && most > 1) {
    // Somebody else may hold the pages that later tokens want.
    most /= 2;
    room = make_room(sequence, static_cast<std::uint32_t>(most));
  }
  TRY(std::move(room));
  const Segment segment = {table.n_tokens(), 1, table.pages()};
  Result<std::uint32_t> n = run_greedy({.tokens = {&token, 1},
                                        .segments = {&segment, 1},
                                        .rope = sequence.rope_factor_set(),
                                        .logits = {},
                                        .stop = stop},
                                       next.first(most));
  if (n) table.commit(*n);
  table.truncate(table.n_tokens());  // what was reserved for more
  return n;
}

Result<std::uint32_t> Executor::run_greedy(const Batch& batch, std::span<TokenId> next) {
  greedy_logits_.resize(model().hyper_parameters().n_vocabulary);
  Batch with_logits = batch;
  with_logits.logits = greedy_logits_;
  TRY(run(with_logits));
  next[0] = TRY(likeliest(std::span(greedy_logits_).first(model().vocabulary()->size())));
  return 1;
}

std::optional<ProductPath> find_product_path(std::string_view name) {
  if (name == "auto") return ProductPath::kAuto;
  if (name == "float") return ProductPath::kFloat;
  if (name == "half") return ProductPath::kHalf;
  if (name == "integer-dot") return ProductPath::kIntegerDot;
  if (name == "matrix") return ProductPath::kMatrix;
  return std::nullopt;
}

std::optional<TuningUse> find_tuning_use(std::string_view name) {
  if (name == "default") return TuningUse::kWhereKept;
  if (name == "off") return TuningUse::kNever;
  return std::nullopt;
}

std::optional<Lowering> find_lowering(std::string_view name) {
  if (name == "fused") return Lowering::kFused;
  if (name == "unfused") return Lowering::kUnfused;
  return std::nullopt;
}

const Backend* find_backend(std::string_view name) {
  for (const Backend& backend : all_backends()) {
    if (backend.name == name) return &backend;
  }
  return nullptr;
}

}  // namespace kinglet::inference
