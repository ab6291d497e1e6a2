// Engine::generate(): the loop from logits to text.
#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "inference/engine.h"
#include "inference/output_text.h"
#include "inference/steering.h"

namespace kinglet::inference {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

OnToken for_candidate(const OnCandidateToken& on_token, std::uint32_t candidate) {
  if (!on_token) return {};
  return [&on_token, candidate](TokenId token, std::string_view bytes) {
    return on_token(candidate, token, bytes);
  };
}

}  // namespace

/// Candidates that go on together.
struct Engine::Wave {
  std::span<Generation> generations;
  std::span<GenerateResult> results;
  std::uint32_t first_candidate;
};

/// One candidate, from the logits after the prompt to its result.
class Engine::Generation {
 public:
  /// `request` must outlive it. Errors: what its parts refuse of the request.
  static Result<Generation> create(Engine& engine,
                                   const GenerateRequest& request,
                                   std::uint32_t candidate) {
    SamplerOptions options = request.sampler;
    options.seed += candidate;
    Sampler sampler = TRY(Sampler::create(options));
    for (const TokenId token : request.prompt)
      sampler.accept(token);
    OutputText text = TRY(OutputText::create(request.stop_strings, request.begins_with.size()));
    Steering steering;
    if (!request.begins_with.empty() || request.constraint) {
      if (request.constraint && (!request.stop_tokens.empty() || !request.stop_strings.empty())) {
        return fail(ErrorCode::kInvalidArgument,
                    "a constrained output ends where it is complete: stop tokens and stop strings "
                    "cannot be asked for besides");
      }
      steering = TRY(Steering::create(engine.token_trie(),
                                      request.begins_with,
                                      request.constraint,
                                      engine.most_tokens(request)));
    }
    return Generation(engine, request, std::move(sampler), std::move(text), std::move(steering));
  }

  /// From the logits after the prompt, which `own` holds, to the end; both are worked on. After an
  /// error what `own` holds may be what the error is about.
  Result<GenerateResult> run(Remembered& own,
                             std::span<float> logits,
                             const OnToken& on_token,
                             const std::stop_token& stop) {
    TokenId token = TRY(choose(logits));
    while (!take(token, on_token)) {
      const Result<TokenId> next = this->next(own, token, logits, stop);
      if (next) {
        token = *next;
      } else if (next.error().code == ErrorCode::kCancelled) {
        end(StopReason::kCancelled, {});
        break;
      } else {
        return tl::unexpected(next.error());
      }
    }
    return finish(own);
  }

  /// One of several that go on together: the logits after the token it took last.
  Result<TokenId> choose(std::span<const float> logits) {
    const TokenMask* allowed = steering_.allowed(most_ - stats().n_generated);
    // Rows of the model's matrices beyond its vocabulary are padding: no token is theirs.
    return sampler_.sample(logits.first(engine_.tokenizer_->vocabulary().size()), allowed);
  }

  /// Takes a chosen token and gives out what is sure; true when it was the last.
  bool take(TokenId token, const OnToken& on_token) {
    if (stats().n_generated == 0) first_chosen_ = Clock::now();
    if (engine_.ends_generation(token, request_)) return end(StopReason::kStopToken, on_token);
    ++stats().n_generated;
    sampler_.accept(token);
    steering_.accept(token);
    bytes_.clear();
    engine_.tokenizer_->append_piece(token, bytes_);
    if (text_.add(token, bytes_)) return end(StopReason::kStopString, on_token);
    if (steering_.must_end()) return end(StopReason::kComplete, on_token);
    if (stats().n_generated == request_.max_tokens) return end(StopReason::kMaxTokens, on_token);
    if (stats().n_generated == most_) return end(StopReason::kContextFull, on_token);
    if (!give_out(on_token)) return end(StopReason::kCallback, {});
    return false;
  }

  bool end(StopReason reason, const OnToken& on_token) {
    text_.finish();
    give_out(on_token);
    result_.reason = reason;
    if (stats().n_generated > 0) stats().decode_seconds = seconds_since(first_chosen_);
    return true;
  }

  /// After the end. What was computed ahead is forgotten.
  GenerateResult finish(Remembered& own) {
    // The last token of a generation was never computed, but for one that is none of the text's.
    const std::size_t n_known = request_.prompt.size() + stats().n_generated -
                                (result_.reason == StopReason::kStopToken ? 0 : 1);
    engine_.truncate(own, n_known);
    return std::move(result_);
  }

  /// When the first token was given out.
  std::optional<Clock::time_point> first_given() const { return first_given_; }

 private:
  Generation(Engine& engine,
             const GenerateRequest& request,
             Sampler sampler,
             OutputText text,
             Steering steering)
      : engine_(engine),
        request_(request),
        sampler_(std::move(sampler)),
        text_(std::move(text)),
        steering_(std::move(steering)),
        most_(engine.most_tokens(request)) {}

  GenerateStats& stats() { return result_.stats; }

  /// False when the callback wants no more.
  bool give_out(const OnToken& on_token) {
    OutputText::Piece piece;
    while (text_.next(piece)) {
      if (!first_given_) first_given_ = Clock::now();
      result_.tokens.push_back(piece.token);
      result_.text += piece.bytes;
      if (on_token && !on_token(piece.token, piece.bytes)) return false;
    }
    return true;
  }

  /// The token after `token`, which was taken: chosen here from its logits, or on the device, which
  /// then chose several at once.
  Result<TokenId> next(Remembered& own,
                       TokenId token,
                       std::span<float> logits,
                       const std::stop_token& stop) {
    if (n_used_ < n_ahead_) return ahead_[n_used_++];
    if (!sampler_.is_greedy() || !steering_.is_free()) {
      if (auto computed = engine_.compute(own, std::span(&token, 1), logits, stop); !computed) {
        return tl::unexpected(computed.error());
      }
      return choose(logits);
    }
    const std::size_t n_wanted = std::min<std::size_t>(ahead_.size(), most_ - stats().n_generated);
    n_ahead_ = TRY(engine_.compute_greedy(own, token, std::span(ahead_).first(n_wanted), stop));
    n_used_ = 1;
    return ahead_[0];
  }

  Engine& engine_;
  const GenerateRequest& request_;
  Sampler sampler_;
  OutputText text_;
  Steering steering_;
  const std::uint32_t most_;  // tokens that may come in all
  std::string bytes_;         // of the token being taken
  std::array<TokenId, 64> ahead_;
  std::uint32_t n_ahead_ = 0;  // in the sequence, but for the last
  std::uint32_t n_used_ = 0;   // of them
  GenerateResult result_;
  Clock::time_point first_chosen_;
  std::optional<Clock::time_point> first_given_;
};

Result<GenerateResult> Engine::generate(const GenerateRequest& request,
                                        const OnToken& on_token,
                                        const std::stop_token& stop) {
  OnCandidateToken on_candidate_token;
  if (on_token) {
    on_candidate_token = [&](std::uint32_t, TokenId token, std::string_view bytes) {
      return on_token(token, bytes);
    };
  }
  auto results = TRY(generate_candidates(request, 1, on_candidate_token, stop));
  return std::move(results.front());
}

Result<std::vector<GenerateResult>> Engine::generate_candidates(const GenerateRequest& request,
                                                                std::uint32_t n,
                                                                const OnCandidateToken& on_token,
                                                                const std::stop_token& stop) {
  const Clock::time_point start = Clock::now();
  const std::span<const TokenId> prompt = request.prompt;
  if (prompt.empty()) return fail(ErrorCode::kInvalidArgument, "the prompt is empty");
  if (prompt.size() >= info_.n_context) {
    return fail(ErrorCode::kInvalidArgument,
                "the prompt has " + std::to_string(prompt.size()) + " tokens; this engine takes " +
                    std::to_string(info_.n_context - 1) +
                    ". Pack less, or load it with a larger context");
  }
  if (n == 0 || n > kMaxCandidates) {
    return fail(ErrorCode::kInvalidArgument,
                std::to_string(n) + " candidates: 1 to " + std::to_string(kMaxCandidates) +
                    " can be asked for");
  }
  if (n > 1 && request.sampler.temperature == 0) {
    return fail(ErrorCode::kInvalidArgument,
                "several greedy candidates would all be the same: set a temperature");
  }
  std::vector<Generation> generations;
  for (std::uint32_t i = 0; i < n; ++i)
    generations.push_back(TRY(Generation::create(*this, request, i)));

  const auto n_prompt = static_cast<std::uint32_t>(prompt.size());
  Remembered current = TRY(begin(prompt, n_prompt + most_tokens(request)));
  const auto n_reused = static_cast<std::uint32_t>(current.tokens.size());
  std::vector<float> logits(request.max_tokens != 0 ? info_.n_vocabulary : 0);
  const auto computed = compute(current, prompt.subspan(n_reused), logits, stop);
  const double prefill_seconds = seconds_since(start);
  if (!computed && computed.error().code != ErrorCode::kCancelled) {
    return tl::unexpected(computed.error());
  }
  std::vector<GenerateResult> results(n);
  std::optional<Remembered> first;
  if (stop.stop_requested() || !computed) {
    for (GenerateResult& result : results)
      result.reason = StopReason::kCancelled;
  } else if (n == 1 && request.max_tokens > 0) {
    results[0] = TRY(generations[0].run(current, logits, for_candidate(on_token, 0), stop));
  } else if (request.max_tokens > 0) {
    for (std::uint32_t begin = 0; begin < n;) {
      if (stop.stop_requested()) {
        results[begin++].reason = StopReason::kCancelled;
        continue;
      }
      // As many at once as a pass takes and the cache has room for.
      const std::uint32_t end = std::min(begin + n_together(current, request), n);
      Wave wave = {.generations = std::span(generations).subspan(begin, end - begin),
                   .results = std::span(results).subspan(begin, end - begin),
                   .first_candidate = begin};
      auto kept = TRY(run_together(current, logits, wave, on_token, stop));
      if (begin == 0) first = std::move(kept);
      begin = end;
    }
  }
  for (std::uint32_t i = 0; i < n; ++i) {
    GenerateStats& stats = results[i].stats;
    stats.n_prompt = n_prompt;
    stats.n_reused = i == 0 ? n_reused : n_prompt;
    stats.prefill_seconds = i == 0 ? prefill_seconds : 0;
    if (const auto given = generations[i].first_given()) {
      stats.time_to_first_token = std::chrono::duration<double>(*given - start).count();
    }
  }
  // The first is what is shown; of the others the prompt is worth keeping, and it holds that.
  remember(first ? std::move(*first) : std::move(current));
  return results;
}

std::uint32_t Engine::n_together(const Remembered& prompt, const GenerateRequest& request) const {
  const auto n_prompt = static_cast<std::uint32_t>(prompt.tokens.size());
  // Beside the prompt's whole pages, which are shared.
  const std::uint32_t n_own = pages_for(n_prompt + most_tokens(request)) - n_prompt / kPageTokens;
  const std::uint32_t most = std::min(Executor::kMaxSequences, executor_->info().chunk_tokens);
  return std::clamp<std::uint32_t>(executor_->n_free_pages() / std::max(n_own, 1U), 1, most);
}

Result<Engine::Remembered> Engine::run_together(const Remembered& prompt,
                                                std::span<const float> prompt_logits,
                                                const Wave& wave,
                                                const OnCandidateToken& on_token,
                                                const std::stop_token& stop) {
  struct Running {
    std::uint32_t index;  // in the wave
    TokenId token;        // taken, not computed
  };
  const auto on_own_token = [&](std::uint32_t index) {
    return for_candidate(on_token, wave.first_candidate + index);
  };
  std::vector<Remembered> own;
  std::vector<Running> running;
  for (std::uint32_t i = 0; i < wave.generations.size(); ++i) {
    own.push_back(fork(prompt));
    const TokenId token = TRY(wave.generations[i].choose(prompt_logits));
    if (!wave.generations[i].take(token, on_own_token(i))) running.push_back({i, token});
  }
  std::vector<float> logits;
  while (!running.empty()) {
    std::vector<Remembered*> sequences;
    std::vector<TokenId> tokens;
    for (const Running& one : running) {
      sequences.push_back(&own[one.index]);
      tokens.push_back(one.token);
    }
    logits.resize(running.size() * info_.n_vocabulary);
    const auto computed = compute_each(sequences, tokens, logits, stop);
    if (!computed && computed.error().code != ErrorCode::kCancelled) {
      return tl::unexpected(computed.error());
    }
    std::vector<Running> still;
    for (std::size_t row = 0; row < running.size(); ++row) {
      Generation& generation = wave.generations[running[row].index];
      if (!computed) {
        generation.end(StopReason::kCancelled, {});
        continue;
      }
      const auto of_row = std::span(logits).subspan(row * info_.n_vocabulary, info_.n_vocabulary);
      const TokenId token = TRY(generation.choose(of_row));
      if (generation.take(token, on_own_token(running[row].index))) continue;
      still.push_back({running[row].index, token});
    }
    running = std::move(still);
  }
  for (std::uint32_t i = 0; i < wave.generations.size(); ++i)
    wave.results[i] = wave.generations[i].finish(own[i]);
  return std::move(own.front());
}

std::uint32_t Engine::most_tokens(const GenerateRequest& request) const {
  const auto n_prompt = static_cast<std::uint32_t>(request.prompt.size());
  return std::min(request.max_tokens, info_.n_context - n_prompt);
}

Result<std::shared_ptr<Constraint>> Engine::constrain(grammar::Machine machine) {
  return Constraint::create(std::move(machine), token_trie(), tokenizer_->vocabulary());
}

Engine::Remembered Engine::fork(const Remembered& origin) {
  return {origin.tokens, executor_->fork(origin.sequence, origin.sequence.n_tokens())};
}

std::uint32_t Engine::heal(GenerateRequest& request) {
  if (!request.begins_with.empty()) return 0;
  TakenBack taken = take_back(token_trie(), request.prompt);
  request.prompt.resize(request.prompt.size() - taken.n_tokens);
  request.begins_with = std::move(taken.text);
  const auto n = static_cast<std::uint32_t>(taken.n_tokens);
  if (request.max_tokens > 0) request.max_tokens += n;
  return n;
}

const TokenTrie& Engine::token_trie() {
  if (!trie_) trie_.emplace(*tokenizer_);
  return *trie_;
}

}  // namespace kinglet::inference
