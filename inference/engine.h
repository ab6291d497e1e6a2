// The engine: a model on a device, token sequences in, token streams out.
//
// It remembers the last sequences it computed. A request begins at the longest prefix of its prompt
// that one of them holds, so a keystroke computes what it changed and no more. Results do not
// depend on what is remembered (beyond the backend's precision class; on the CPU, not at all).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/result.h"
#include "inference/backend.h"
#include "inference/constraint.h"
#include "inference/sampler.h"
#include "inference/tokenizer/token_trie.h"

namespace kinglet::inference {

enum class BackendChoice : std::uint8_t {
  kAuto,  // a real GPU, else the CPU; a software driver only when asked for
  kCpu,
  kVulkan,
};

enum class LoadStage : std::uint8_t { kReadingModel, kPlacingWeights, kReady };

struct EngineOptions {
  std::filesystem::path model_path = {};
  BackendChoice backend = BackendChoice::kAuto;
  std::string device = {};  ///< as in ExecutorOptions
  KvFormat kv_format = KvFormat::kF16;
  Activations activations = Activations::kF32;
  /// In their place, where the CPU computes.
  std::optional<Activations> cpu_activations = std::nullopt;
  ProductPath product_path = ProductPath::kAuto;  ///< GPU
  TuningUse tuning = TuningUse::kWhereKept;       ///< GPU
  /// The longest prompt and output together. 0: the model's context length, at most 16384.
  std::uint32_t n_context = 0;
  /// How many computed sequences are remembered; common prefixes are stored once, the least
  /// recently used go first.
  std::uint32_t n_sequences = 4;
  /// Positions the KV cache holds for all of them. 0: twice n_context; never less than n_context.
  std::uint32_t n_kv_tokens = 0;
  std::uint32_t n_threads = 0;
  std::uint32_t chunk_tokens = 0;
  std::filesystem::path cache_folder = {};  ///< as in ExecutorOptions
  /// Called on the loading thread; fraction is of the stage.
  std::function<void(LoadStage stage, float fraction)> progress = {};
};

struct EngineInfo {
  std::string model_name;
  std::string architecture;
  std::uint64_t n_parameters = 0;
  std::uint64_t weight_bytes = 0;
  std::uint32_t n_layers = 0;
  std::uint32_t n_vocabulary = 0;
  std::uint32_t n_context = 0;      ///< of this engine
  std::uint32_t model_context = 0;  ///< of the model
  ExecutorInfo executor;
  double load_seconds = 0;
  /// Why `auto` did not take a GPU, when it did not; empty otherwise.
  std::string fallback_reason;
};

struct GenerateRequest {
  std::vector<TokenId> prompt = {};  ///< 1 to n_context - 1 tokens
  /// 0 computes the prompt and generates nothing: the next request that begins so starts at once.
  std::uint32_t max_tokens = 128;
  SamplerOptions sampler = {};
  /// Generation ends before these, and before the vocabulary's end of sequence; neither is given
  /// out.
  std::vector<TokenId> stop_tokens = {};
  /// Generation ends before the first of these that is complete in the text, wherever tokens part
  /// it; nothing of it is given out. Limits: OutputText.
  std::vector<std::string> stop_strings = {};
  /// The text continues the prompt with this, which is not given out: what heal() took back. At
  /// most 1024 bytes.
  std::string begins_with = {};
  /// What follows is a text of this grammar (of constrain()), complete within max_tokens and the
  /// context. Not together with stop tokens and stop strings.
  std::shared_ptr<Constraint> constraint = {};
};

enum class StopReason : std::uint8_t {
  kMaxTokens,
  kStopToken,
  kStopString,
  kComplete,   // nothing more can follow under the request's constraint
  kCallback,   // on_token returned false
  kCancelled,  // the stop token; what was computed stays remembered
  kContextFull,
};
std::string_view name_of(StopReason reason);

struct GenerateStats {
  std::uint32_t n_prompt = 0;
  std::uint32_t n_reused = 0;     ///< of the prompt, taken from a remembered sequence
  std::uint32_t n_generated = 0;  ///< computed: also those that a stop string took away
  double prefill_seconds = 0;
  double decode_seconds = 0;       ///< after the first token
  double time_to_first_token = 0;  ///< seconds; 0 when there was none
  double prefill_tokens_per_second() const;
  double decode_tokens_per_second() const;
};

struct GenerateResult {
  /// Those given out, and their text. A stop string may leave of the last one's text only a part,
  /// `begins_with` of the first ones nothing.
  std::vector<TokenId> tokens;
  std::string text;
  StopReason reason = StopReason::kMaxTokens;
  GenerateStats stats;
};

/// Gets each token as soon as no stop string can take it away, with its bytes (which may end inside
/// a UTF-8 character, or be none). Return false to end the generation; this token still counts.
using OnToken = std::function<bool(TokenId token, std::string_view bytes)>;
/// The same for several candidates, numbered from 0; false ends this candidate.
using OnCandidateToken =
    std::function<bool(std::uint32_t candidate, TokenId token, std::string_view bytes)>;

/// One thread at a time; stop tokens may be triggered from any.
class Engine {
 public:
  static Result<std::unique_ptr<Engine>> load(const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const EngineInfo& info() const { return info_; }
  const Model& model() const { return executor_->model(); }
  const Tokenizer& tokenizer() const { return *tokenizer_; }

  /// Cancellation is no error: the result says kCancelled and holds the tokens so far. Errors:
  /// kInvalidArgument for a request that cannot be served (empty or too long a prompt, a token
  /// outside the vocabulary, sampler options, stop strings, a constraint that takes more tokens),
  /// kNumeric for logits that are not numbers, and the device's own. After an error the engine can
  /// be used again, unless it was kDeviceLost.
  Result<GenerateResult> generate(const GenerateRequest& request,
                                  const OnToken& on_token = {},
                                  const std::stop_token& stop = {});

  /// `n` continuations of one prompt, which is computed once and whose pages they share: as
  /// many at a time as a pass takes and the cache has room for. Candidate i draws with the
  /// request's seed + i, so the first is what generate() gives. Errors besides generate()'s:
  /// kInvalidArgument for 0 or more than kMaxCandidates, and for several greedy ones, which would
  /// all be the same.
  static constexpr std::uint32_t kMaxCandidates = 64;
  Result<std::vector<GenerateResult>> generate_candidates(const GenerateRequest& request,
                                                          std::uint32_t n,
                                                          const OnCandidateToken& on_token = {},
                                                          const std::stop_token& stop = {});

  /// Token healing (see take_back()): moves the end of the request's prompt to `begins_with`, where
  /// that helps, and raises `max_tokens` by as much. Returns how many tokens were taken back. Does
  /// nothing to a request that has a `begins_with` already.
  std::uint32_t heal(GenerateRequest& request);
  /// A grammar for requests to this engine; used often, it gets faster. Errors: Constraint's.
  Result<std::shared_ptr<Constraint>> constrain(grammar::Machine machine);
  /// Of the tokenizer's vocabulary; made when it is first asked for.
  const TokenTrie& token_trie();

  /// Logits after each token (kAll: (tokens.size(), n_vocabulary)) or the last one (kLast:
  /// (n_vocabulary)), computed afresh; what is remembered for generate() may be dropped.
  Result<std::vector<float>> logits(std::span<const TokenId> tokens,
                                    LogitsWanted wanted,
                                    const std::stop_token& stop = {});

  /// As Executor::set_adapters(). Sequences computed with other adapters stay remembered, and are
  /// gone on from when those are used again. Adapters are loaded for model().
  Result<void> set_adapters(Adapters adapters) {
    return executor_->set_adapters(std::move(adapters));
  }

  /// Drops all remembered sequences.
  void forget();

 private:
  class Generation;
  struct Wave;

  struct Remembered {
    std::vector<TokenId> tokens;  // exactly those the sequence holds
    Sequence sequence;
  };

  Engine() = default;
  /// The remembered sequence to go on from, as far as `prompt` goes, or an empty one. Room for
  /// `n_total` tokens.
  Result<Remembered> begin(std::span<const TokenId> prompt, std::uint32_t n_total);
  /// Executor::forward, forgetting other sequences when pages run out.
  Result<void> compute(Remembered& current,
                       std::span<const TokenId> tokens,
                       std::span<float> logits,
                       const std::stop_token& stop);
  /// Executor::forward_each and Executor::decode_greedy, likewise.
  Result<void> compute_each(std::span<Remembered* const> sequences,
                            std::span<const TokenId> tokens,
                            std::span<float> logits,
                            const std::stop_token& stop);
  Result<std::uint32_t> compute_greedy(Remembered& current,
                                       TokenId token,
                                       std::span<TokenId> next,
                                       const std::stop_token& stop);
  /// Makes room where pages ran out and some can be had.
  bool forget_one_for(const Error& error);
  void truncate(Remembered& current, std::size_t n_tokens);
  /// How many candidates after a prompt go on at once.
  std::uint32_t n_together(const Remembered& prompt, const GenerateRequest& request) const;
  /// Runs them to their ends; returns what the first one computed.
  Result<Remembered> run_together(const Remembered& prompt,
                                  std::span<const float> prompt_logits,
                                  const Wave& wave,
                                  const OnCandidateToken& on_token,
                                  const std::stop_token& stop);
  Remembered fork(const Remembered& origin);
  /// That may be generated: what is asked for, as far as there is room.
  std::uint32_t most_tokens(const GenerateRequest& request) const;
  bool ends_generation(TokenId token, const GenerateRequest& request) const;
  void remember(Remembered current);

  std::unique_ptr<Executor> executor_;
  std::unique_ptr<const Tokenizer> tokenizer_;
  std::optional<TokenTrie> trie_;
  EngineInfo info_;
  std::uint32_t n_sequences_ = 0;
  std::vector<Remembered> remembered_;  // most recently used first; destroyed before executor_
};

}  // namespace kinglet::inference
