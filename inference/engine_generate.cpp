// Engine::generate(): the loop from logits to text.
#include <algorithm>
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

}  // namespace

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

  /// `logits` are those after the prompt, which `current` holds; both are worked on. After an error
  /// what `current` holds may be what the error is about.
  Result<GenerateResult> run(Remembered& current,
                             std::span<float> logits,
                             const OnToken& on_token,
                             const std::stop_token& stop) {
    const std::uint32_t most = engine_.most_tokens(request_);
    std::string bytes;
    while (true) {
      const TokenMask* allowed = steering_.allowed(most - stats().n_generated);
      // Rows of the model's matrices beyond its vocabulary are padding: no token is theirs.
      const auto of_tokens = logits.first(engine_.tokenizer_->vocabulary().size());
      const TokenId token = TRY(sampler_.sample(of_tokens, allowed));
      if (stats().n_generated == 0) first_chosen_ = Clock::now();
      if (engine_.ends_generation(token, request_)) return end(StopReason::kStopToken, on_token);
      ++stats().n_generated;
      sampler_.accept(token);
      steering_.accept(token);
      bytes.clear();
      engine_.tokenizer_->append_piece(token, bytes);
      if (text_.add(token, bytes)) return end(StopReason::kStopString, on_token);
      if (steering_.must_end()) return end(StopReason::kComplete, on_token);
      if (stats().n_generated == request_.max_tokens) return end(StopReason::kMaxTokens, on_token);
      if (stats().n_generated == most) return end(StopReason::kContextFull, on_token);
      if (!give_out(on_token)) return end(StopReason::kCallback, {});
      const auto computed = engine_.compute(current, std::span(&token, 1), logits, stop);
      if (!computed) {
        if (computed.error().code != ErrorCode::kCancelled) {
          return tl::unexpected(computed.error());
        }
        return end(StopReason::kCancelled, {});
      }
    }
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
        steering_(std::move(steering)) {}

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

  GenerateResult end(StopReason reason, const OnToken& on_token) {
    text_.finish();
    give_out(on_token);
    result_.reason = reason;
    if (stats().n_generated > 0) stats().decode_seconds = seconds_since(first_chosen_);
    return std::move(result_);
  }

  Engine& engine_;
  const GenerateRequest& request_;
  Sampler sampler_;
  OutputText text_;
  Steering steering_;
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
  for (std::uint32_t i = 0; i < n; ++i) {
    GenerateResult& result = results[i];
    if (stop.stop_requested() || !computed) {
      result.reason = StopReason::kCancelled;
    } else if (request.max_tokens > 0) {
      OnToken on_own_token;
      if (on_token) {
        on_own_token = [&, i](TokenId token, std::string_view bytes) {
          return on_token(i, token, bytes);
        };
      }
      std::optional<Remembered> forked;
      if (n > 1) forked = fork(current);
      Remembered& own = forked ? *forked : current;
      std::vector<float> own_logits = logits;
      result = TRY(generations[i].run(own, own_logits, on_own_token, stop));
      if (i == 0 && forked) first = std::move(forked);
    }
    result.stats.n_prompt = n_prompt;
    result.stats.n_reused = i == 0 ? n_reused : n_prompt;
    result.stats.prefill_seconds = i == 0 ? prefill_seconds : 0;
    if (const auto given = generations[i].first_given()) {
      result.stats.time_to_first_token = std::chrono::duration<double>(*given - start).count();
    }
  }
  // The first is what is shown; of the others the prompt is worth keeping, and it holds that.
  remember(first ? std::move(*first) : std::move(current));
  return results;
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
