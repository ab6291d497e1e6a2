// `kinglet tokenize`: text to token ids and back, exactly as the engine does it. For scripts, and
// for people who compare tokenizers.
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/commands/token_ids.h"
#include "daemon/commands/verbs.h"
#include "inference/gguf.h"
#include "inference/tokenizer/tokenizer.h"
#include "inference/vocabulary_from_gguf.h"

namespace kinglet::daemon {
namespace {

using inference::ControlNames;
using inference::TokenId;
using inference::Tokenizer;

struct TokenizeOptions {
  std::string model;
  bool control = false;
  bool bos = false;
  bool detokenize = false;
  bool many = false;

  ControlNames control_names() const {
    return control ? ControlNames::kTokens : ControlNames::kText;
  }
};

Result<std::string> read_standard_input() {
  std::string text;
  std::array<char, 1 << 16> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), stdin))
    text.append(buffer.data(), n);
  if (std::ferror(stdin) != 0) {
    return fail(ErrorCode::kIo, std::string("cannot read standard input: ") + std::strerror(errno));
  }
  return text;
}

Result<void> write_standard_output(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() &&
      std::fflush(stdout) == 0) {
    return {};
  }
  return fail(ErrorCode::kIo, std::string("cannot write standard output: ") + std::strerror(errno));
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// A line of ids for each text.
Result<void> tokenize(const Tokenizer& tokenizer,
                      const TokenizeOptions& options,
                      std::string_view input) {
  const auto texts = options.many ? split(input, '\0') : std::vector{input};
  for (const std::string_view text : texts) {
    std::string line;
    for (const TokenId token : tokenizer.encode(
             text,
             {.ends = options.bos ? inference::TextEnds::kByVocabulary : inference::TextEnds::kBare,
             .control_names = options.control_names()})) {
      if (!line.empty()) line += ' ';
      line += std::to_string(token);
    }
    TRY(write_standard_output(line += '\n'));
  }
  return {};
}

/// The text of all ids or, of many, that of each line, with a NUL between two.
Result<void> detokenize(const Tokenizer& tokenizer,
                        const TokenizeOptions& options,
                        std::string_view input) {
  const inference::Vocabulary& vocabulary = tokenizer.vocabulary();
  if (options.many && input.ends_with('\n')) input.remove_suffix(1);
  const auto lines = options.many ? split(input, '\n') : std::vector{input};
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string where =
        options.many ? "standard input, line " + std::to_string(i + 1) : "standard input";
    const auto tokens = TRY(parse_token_ids(lines[i], where));
    for (const TokenId token : tokens) {
      if (vocabulary.contains(token)) continue;
      return fail(ErrorCode::kInvalidArgument,
                  where + ": the model has no token " + std::to_string(token) +
                      "; its tokens are 0 to " + std::to_string(vocabulary.size() - 1));
    }
    std::string text = i == 0 ? std::string() : std::string(1, '\0');
    text += tokenizer.decode(tokens, options.control_names());
    TRY(write_standard_output(text));
  }
  return {};
}

Result<int> run(const TokenizeOptions& options) {
  const auto gguf = TRY(inference::Gguf::open(options.model));
  const Tokenizer tokenizer(
      std::make_shared<const inference::Vocabulary>(TRY(inference::vocabulary_from_gguf(gguf))));
  const std::string input = TRY(read_standard_input());
  TRY(options.detokenize ? detokenize(tokenizer, options, input)
                         : tokenize(tokenizer, options, input));
  return 0;
}

}  // namespace

Action tokenize_command(CLI::App& app) {
  auto options = std::make_shared<TokenizeOptions>();
  app.add_option("MODEL", options->model, "A GGUF file; its vocabulary is enough")->required();
  app.add_flag("--control",
               options->control,
               "Names of control tokens are these tokens; without it they are text");
  auto* bos = app.add_flag(
      "--bos", options->bos, "With the begin and end tokens that the model's rules ask for");
  app.add_flag("--detokenize", options->detokenize, "From ids to text")->excludes(bos);
  app.add_flag(
      "-0", options->many, "Many texts, separated by NUL: a line of ids for each (and back)");
  return [options] { return run(*options); };
}

}  // namespace kinglet::daemon
