// `kinglet logits`: what a model says after each token, as numbers in a file. For people who
// compare engines: every path of the computation can be chosen, and the default is the exact one.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daemon/commands/model_flags.h"
#include "daemon/commands/text_file.h"
#include "daemon/commands/token_ids.h"
#include "daemon/commands/verbs.h"

namespace kinglet::daemon {

namespace {

using inference::TokenId;

struct LogitsOptions {
  ModelFlags model;
  std::string tokens;
  std::string out;
  std::string rope = "auto";
  bool all = false;
  std::uint32_t last = 0;
};

Result<std::vector<TokenId>> read_tokens(const std::string& path) {
  const std::string text = TRY(read_text_file(path));
  auto tokens = TRY(parse_token_ids(text, path));
  if (tokens.empty()) return fail(ErrorCode::kInvalidArgument, path + " holds no tokens");
  return tokens;
}

Result<std::optional<inference::RopeFactorSet>> rope_factor_set(const std::string& name) {
  if (name == "auto") return std::optional<inference::RopeFactorSet>();
  if (name == "short") return std::optional(inference::RopeFactorSet::kShort);
  if (name == "long") return std::optional(inference::RopeFactorSet::kLong);
  return fail(ErrorCode::kInvalidArgument, "--rope \"" + name + "\" is not auto, short or long");
}

/// What is asked for and only the model can tell to be wrong.
Result<void> check_request(const LogitsOptions& options,
                           std::span<const TokenId> tokens,
                           std::optional<inference::RopeFactorSet> rope,
                           const inference::Model& model) {
  const std::uint32_t n_vocabulary = model.hyper_parameters().n_vocabulary;
  const auto bad = std::find_if(tokens.begin(), tokens.end(), [&](TokenId token) {
    return token < 0 || static_cast<std::uint32_t>(token) >= n_vocabulary;
  });
  if (bad != tokens.end()) {
    return fail(ErrorCode::kInvalidArgument,
                options.tokens + ": word " + std::to_string(bad - tokens.begin() + 1) + ": token " +
                    std::to_string(*bad) + " is not in the model's vocabulary of " +
                    std::to_string(n_vocabulary) +
                    "; write the file with `kinglet tokenize` and this model");
  }
  if (rope == inference::RopeFactorSet::kLong &&
      model.weight(inference::Role::kRopeFactorsLong) == nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                "--rope long: the model has no long rope factors; leave --rope out");
  }
  return {};
}

/// Rows of float32, in the machine's byte order, which is the file's: little-endian. Deletes the
/// file unless finish() was reached: half a file must not be taken for a whole one.
class LogitsFile {
 public:
  static Result<LogitsFile> create(const std::string& path) {
    std::FILE* file = std::fopen(path.c_str(), "wb");
    if (file == nullptr) {
      return fail(ErrorCode::kIo,
                  "cannot write \"" + path + "\": " + std::strerror(errno) +
                      "; give another path with --out");
    }
    return LogitsFile(path, file);
  }
  LogitsFile(LogitsFile&&) = default;
  LogitsFile& operator=(LogitsFile&&) = delete;
  ~LogitsFile() {
    if (!file_) return;
    file_.reset();
    std::error_code ignored;
    if (std::filesystem::is_regular_file(path_, ignored)) std::filesystem::remove(path_, ignored);
  }

  Result<void> write(std::span<const float> numbers) {
    if (std::fwrite(numbers.data(), sizeof(float), numbers.size(), file_.get()) != numbers.size()) {
      return problem();
    }
    return {};
  }
  Result<void> finish() {
    if (std::fflush(file_.get()) != 0) return problem();
    file_.reset();
    return {};
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  LogitsFile(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}
  tl::unexpected<Error> problem() const {
    return fail(ErrorCode::kIo, "cannot write all of " + path_ + "; is the disk full?");
  }

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

Result<void> check_numbers(std::span<const float> logits,
                           std::size_t first_position,
                           std::size_t n_vocabulary) {
  const auto bad =
      std::find_if(logits.begin(), logits.end(), [](float x) { return !std::isfinite(x); });
  if (bad == logits.end()) return {};
  const auto at = static_cast<std::size_t>(bad - logits.begin());
  return fail(ErrorCode::kNumeric,
              "after position " + std::to_string(first_position + at / n_vocabulary) +
                  " the logit of token " + std::to_string(at % n_vocabulary) + " is " +
                  std::to_string(*bad) + ": the model file is damaged or a kernel is wrong");
}

Result<int> run(const LogitsOptions& options) {
  using inference::LogitsWanted;
  const std::vector<TokenId> tokens = TRY(read_tokens(options.tokens));
  const auto n_tokens = static_cast<std::uint32_t>(tokens.size());
  const auto rope = TRY(rope_factor_set(options.rope));
  const inference::Backend* backend = TRY(options.model.backend());
  inference::ExecutorOptions executor_options = TRY(options.model.executor_options());
  executor_options.n_kv_tokens = n_tokens;
  if (options.last > n_tokens) {
    return fail(ErrorCode::kInvalidArgument,
                "--last " + std::to_string(options.last) + ": there are " +
                    std::to_string(n_tokens) + " tokens");
  }
  auto model = TRY(inference::Model::load(options.model.model()));
  TRY(check_request(options, tokens, rope, *model));
  const auto executor = TRY(backend->create(std::move(model), executor_options));
  auto adapters = TRY(options.model.load_adapters(executor->model()));
  TRY(executor->set_adapters(std::move(adapters)));
  inference::Sequence sequence =
      TRY(executor->new_sequence({.max_tokens = n_tokens, .rope_factor_set = rope}));

  LogitsFile file = TRY(LogitsFile::create(options.out));
  const std::uint32_t n_wanted = options.last > 0 ? options.last : n_tokens;
  std::span<const TokenId> left = tokens;
  if (n_wanted < n_tokens) {
    TRY(executor->forward(sequence, left.first(n_tokens - n_wanted), LogitsWanted::kNone, {}));
    left = left.last(n_wanted);
  }
  // In pieces: all logits of a long text are more than memory holds.
  const std::size_t n_vocabulary = executor->model().hyper_parameters().n_vocabulary;
  const std::size_t n_piece = executor->info().chunk_tokens;
  std::vector<float> logits;
  while (!left.empty()) {
    const auto piece = left.first(std::min(left.size(), n_piece));
    const std::size_t first_position = sequence.n_tokens();
    logits.resize(piece.size() * n_vocabulary);
    TRY(executor->forward(sequence, piece, LogitsWanted::kAll, logits));
    TRY(check_numbers(logits, first_position, n_vocabulary));
    TRY(file.write(logits));
    left = left.subspan(piece.size());
  }
  TRY(file.finish());
  const auto& info = executor->info();
  std::printf("%u positions x %zu logits, on %s (%s), %s activations, %s cache\n",
              n_wanted,
              n_vocabulary,
              info.device.name.c_str(),
              info.backend.c_str(),
              info.activations == inference::Activations::kF32 ? "f32" : "8-bit",
              std::string(inference::name_of(info.kv_format)).c_str());
  return 0;
}

}  // namespace

Action logits_command(CLI::App& app) {
  auto options = std::make_shared<LogitsOptions>();
  options->model.add_to(app, "cpu", "f32");
  app.add_option("--tokens", options->tokens, "File of token ids, separated by white space")
      ->required();
  app.add_option("--out", options->out, "File to write: little-endian float32, a row a position")
      ->required();
  app.add_option("--rope", options->rope, "Rope factors: auto (by the length), short or long")
      ->capture_default_str();
  auto* all = app.add_flag("--all", options->all, "Of all positions (the default)");
  app.add_option("--last", options->last, "Only of the last K positions")
      ->check(CLI::Range(std::uint32_t{1}, std::numeric_limits<std::uint32_t>::max()))
      ->excludes(all);
  return [options] { return run(*options); };
}

}  // namespace kinglet::daemon
