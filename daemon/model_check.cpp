#include "daemon/model_check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <numbers>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>

#include "daemon/features/prompt.h"
#include "daemon/paths.h"
#include "inference/score.h"
#include "inference/tokenizer/token_trie.h"
#include "inference/tokenizer/tokenizer.h"

namespace kinglet::daemon {

namespace {

using inference::Executor;
using inference::TokenId;
using inference::Tokenizer;
using inference::TokenScore;
using inference::Vocabulary;
using Tokens = std::vector<TokenId>;

struct Range {
  double least = 0;
  double most = 0;
};

std::string number(double value, int decimals = 2) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

CheckLine line(std::string what, double measured, Range expected, std::string hint) {
  const bool is_good = measured >= expected.least && measured <= expected.most;
  return {.what = std::move(what),
          .measured = number(measured),
          .expected = number(expected.least) + " to " + number(expected.most),
          .verdict = is_good ? Verdict::kGood : Verdict::kBad,
          .hint = is_good ? "" : std::move(hint)};
}

CheckLine skipped(std::string what, std::string why) {
  return {.what = std::move(what),
          .measured = "-",
          .expected = std::move(why),
          .verdict = Verdict::kSkipped};
}

// ---- what a sound model of a size does

struct SizeClass {
  std::uint64_t n_parameters;  // up to
  Range code;                  // bits per byte
  Range prose;
  double misspelled;  // percent, at most: see check_spelling()
  // Bits of a passage, of those when it was said first; at most.
  double again_at_once;
  double again_later;
};

// Chosen: small models of code know no prose, and none under a quarter of a billion parameters says
// much about either.
constexpr std::array kSizes = {
    SizeClass{50'000'000, {0.3, 2.2}, {0.8, 3.6}, 4, 0.4, 0.9},
    SizeClass{1'000'000'000, {0.2, 1.3}, {0.5, 1.9}, 4, 0.4, 0.7},
    SizeClass{UINT64_MAX, {0.1, 0.95}, {0.3, 1.4}, 4, 0.4, 0.6},
};

const SizeClass& size_of(const inference::Model& model) {
  return *std::ranges::find_if(
      kSizes, [&](const SizeClass& size) { return model.n_parameters() <= size.n_parameters; });
}

double bits_of(std::span<const TokenScore> scores) {
  return std::accumulate(scores.begin(), scores.end(), 0.0, [](double sum, const TokenScore& one) {
    return sum + one.bits;
  });
}

class Checker {
 public:
  Checker(Executor& executor,
          const ChatTemplate* chat,
          const CheckTexts& texts,
          const CheckOptions& options,
          const std::stop_token& stop)
      : executor_(executor),
        texts_(texts),
        options_(options),
        stop_(stop),
        writer_(executor.model().vocabulary(), chat),
        max_tokens_(std::min<std::size_t>(options.max_tokens,
                                          executor.model().hyper_parameters().context_length)) {}

  Result<std::vector<CheckLine>> run() {
    check_round_trip();
    check_markers();
    check_merge_order();
    check_density("code", texts_.code, {1.8, 6});
    check_density("prose", texts_.prose, {1.6, 7});
    const SizeClass& size = size_of(executor_.model());
    TRY(check_text("code", texts_.code, size.code));
    TRY(check_text("prose", texts_.prose, size.prose));
    TRY(check_spelling());
    TRY(check_memory());
    TRY(check_turn());
    TRY(check_hole());
    return std::move(lines_);
  }

 private:
  void add(CheckLine line) {
    options_.on_line(line);
    lines_.push_back(std::move(line));
  }

  const Tokenizer& tokenizer() const { return writer_.tokenizer(); }
  const Vocabulary& vocabulary() const { return tokenizer().vocabulary(); }
  Tokens encode(std::string_view text) const {
    return tokenizer().encode(text, {.space_prefix = inference::SpacePrefix::kNever});
  }
  Tokens beginning() const {
    const TokenId bos = vocabulary().special().bos;
    if (vocabulary().add_bos() && bos != inference::kNoToken) return {bos};
    return {};
  }
  Result<std::vector<TokenScore>> score(const Tokens& tokens, std::size_t n_given) {
    return inference::score(executor_, tokens, n_given, stop_);
  }

  // ---- the tokenizer

  void check_round_trip() {
    std::string odd =
        "\r\n\ttab  two\n\n\n  \xF0\x9F\x90\xA6 \xE4\xB8\xAD\xE6\x96\x87 na\xC3\xAFve 0123456789 ";
    for (int byte = 0; byte < 256; ++byte)
      odd += static_cast<char>(byte);
    std::size_t n_lost = 0;
    for (const std::string& text : {texts_.code, texts_.prose, odd}) {
      std::string back;
      for (const TokenId token : encode(text))
        tokenizer().append_piece(token, back);
      n_lost += back == text ? 0 : 1;
    }
    add(line("texts that come back changed from tokens",
             static_cast<double>(n_lost),
             {0, 0},
             "the tokenizer is not this model's"));
  }

  void check_markers() {
    std::size_t n_markers = 0;
    std::size_t n_made = 0;
    for (TokenId id = 0; vocabulary().contains(id); ++id) {
      if (vocabulary().kind(id) != inference::TokenKind::kControl) continue;
      ++n_markers;
      const Tokens tokens = encode(vocabulary().text(id));
      n_made += std::ranges::any_of(tokens, [&](TokenId token) {
        return vocabulary().kind(token) == inference::TokenKind::kControl;
      });
    }
    add(line("control tokens that text can become, of " + std::to_string(n_markers),
             static_cast<double>(n_made),
             {0, 0},
             "a file could end the model's turn"));
    add(line("tokens that end a text",
             static_cast<double>(vocabulary().end_of_generation().size()),
             {1, 1000},
             "the model cannot say that it is done"));
  }

  /// SentencePiece joins the pair of the best score first. Each merge has a score of its own: equal
  /// ones, left by a conversion that lost them, join from the left, which still comes back as the
  /// same text.
  void check_merge_order() {
    const std::string what = "tokens without a merge score of their own, %";
    if (vocabulary().tokenizer() != inference::TokenizerKind::kSentencePieceBpe) {
      add(skipped(what, "the tokenizer has a list of merges instead"));
      return;
    }
    std::vector<float> scores;
    for (TokenId id = 0; vocabulary().contains(id); ++id) {
      if (vocabulary().kind(id) == inference::TokenKind::kNormal) {
        scores.push_back(vocabulary().score(id));
      }
    }
    const std::size_t n = std::max<std::size_t>(scores.size(), 1);
    std::ranges::sort(scores);
    const auto n_others = std::distance(std::unique(scores.begin(), scores.end()), scores.end());
    add(line(what,
             100 * static_cast<double>(n_others) / static_cast<double>(n),
             {0, 1},
             "tokenizer.ggml.scores was lost when the file was made: get another"));
  }

  void check_density(const std::string& name, const std::string& text, Range expected) {
    add(line(name + ": bytes per token",
             static_cast<double>(text.size()) / static_cast<double>(encode(text).size()),
             expected,
             "the tokenizer is not this model's, or its pre-tokenizer is another"));
  }

  // ---- the forward pass

  /// The same words twice: with little before them, and with all that fits.
  Result<void> check_text(const std::string& name, const std::string& text, Range expected) {
    constexpr std::size_t kScored = 512;
    constexpr std::size_t kNear = 512;
    const Tokens all = encode(text);
    const std::size_t n = std::min(all.size(), max_tokens_ - 1);
    const std::size_t n_scored = std::min(kScored, n / 2);
    const std::size_t n_near = std::min(kNear, n - n_scored);
    const auto bits_per_byte = [&](std::size_t n_before) -> Result<double> {
      Tokens tokens = beginning();
      const auto end = all.begin() + static_cast<std::ptrdiff_t>(n);
      tokens.insert(tokens.end(), end - static_cast<std::ptrdiff_t>(n_scored + n_before), end);
      const auto scores = TRY(score(tokens, tokens.size() - n_scored));
      std::string scored;
      for (const TokenId token : std::span(tokens).last(n_scored))
        tokenizer().append_piece(token, scored);
      return bits_of(scores) / static_cast<double>(scored.size());
    };
    const double near = TRY(bits_per_byte(n_near));
    add(line(name + ": bits per byte after " + std::to_string(n_near) + " tokens",
             near,
             expected,
             "tokenizer, rope or a tensor is read wrong (or this is no model of code)"));
    if (n - n_scored < 2 * n_near) {
      const std::string limit =
          options_.max_tokens > max_tokens_ ? "the model's context is " : "the test is limited to ";
      add(skipped(name + ": bits per byte after many more", limit + std::to_string(max_tokens_)));
      return {};
    }
    const std::size_t n_wanted = std::min(all.size(), options_.max_tokens - 1);
    if (n < n_wanted) {
      add(skipped(
          name + ": bits per byte after " + std::to_string(n_wanted - n_scored) + " tokens",
          "the model's context is " + std::to_string(max_tokens_) + ": what follows goes so far"));
    }
    const double far = TRY(bits_per_byte(n - n_scored));
    add(line(
        name + ": bits per byte after " + std::to_string(n - n_scored) + " tokens",
        far,
        expected,
        "rope's long factors or its scaling are wrong, or the context is longer than trained"));
    add(line(name + ": the same words with more before them, ratio",
             far / near,
             {0.2, 1.03},
             "more context makes this model worse: rope or the sliding window is wrong"));
    return {};
  }

  /// A model gives next to nothing to longer tokens that the text could go on with, too: in
  /// training its tokenizer would have taken them. What it gives them tells whose tokenizer this
  /// is.
  Result<void> check_spelling() {
    constexpr std::size_t kTokens = 768;
    Tokens tokens = beginning();
    const Tokens all = encode(texts_.code);
    const std::size_t n_given = tokens.size() + 64;
    const std::size_t n = std::min({kTokens, all.size(), max_tokens_ - tokens.size()});
    tokens.insert(tokens.end(), all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n));
    if (tokens.size() <= n_given) return {};
    const inference::TokenTrie trie(tokenizer());
    // Where each token's text begins in all of it.
    std::string spelled;
    std::vector<std::size_t> begins;
    for (const TokenId token : tokens) {
      begins.push_back(spelled.size());
      spelled += trie.text(token);
    }
    double own = 0;
    double others = 0;
    const auto visit = [&](std::size_t index, std::span<const float> logits) {
      const double sum = inference::log2_sum_exp(logits);
      const auto probability = [&](TokenId token) {
        const auto logit = static_cast<double>(logits[static_cast<std::size_t>(token)]);
        return std::exp2(logit / std::numbers::ln2 - sum);
      };
      own += probability(tokens[index]);
      auto node = inference::TokenTrie::kRoot;
      for (std::size_t at = begins[index]; at < spelled.size(); ++at) {
        const auto next = trie.child(node, static_cast<std::uint8_t>(spelled[at]));
        if (!next) break;
        node = *next;
        const bool is_longer = at - begins[index] >= trie.text(tokens[index]).size();
        if (!is_longer) continue;
        for (const TokenId token : trie.tokens_at(node))
          others += probability(token);
      }
    };
    TRY(inference::visit_logits(executor_, tokens, n_given, visit, stop_));
    add(line("code: the model's share for longer tokens of the same text, %",
             100 * others / (own + others),
             {0, size_of(executor_.model()).misspelled},
             "the tokenizer is not this model's, or its pre-tokenizer is another"));
    return {};
  }

  /// A passage said a second time is easy for whoever can look back to the first: attention does
  /// that by position, so a wrong rope cannot.
  Result<void> check_memory() {
    constexpr std::size_t kPassage = 192;
    const Tokens all = encode(texts_.code);
    if (all.size() < 2 * kPassage || max_tokens_ < 3 * kPassage) {
      add(skipped("a passage said again", "the model's context is too short"));
      return {};
    }
    const auto passage = std::span(all).subspan(all.size() / 2, kPassage);
    const auto ratio = [&](std::size_t n_between) -> Result<double> {
      Tokens tokens = beginning();
      const std::size_t n_first = std::max<std::size_t>(tokens.size(), 1);
      tokens.insert(tokens.end(), passage.begin(), passage.end());
      tokens.insert(
          tokens.end(), all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n_between));
      tokens.insert(tokens.end(), passage.begin(), passage.end());
      const auto scores = TRY(score(tokens, n_first));
      const std::span first = std::span(scores).first(kPassage - 1);
      return bits_of(std::span(scores).last(kPassage - 1)) / bits_of(first);
    };
    const SizeClass& size = size_of(executor_.model());
    const std::string hint = "the model does not find again what it has read: rope is wrong";
    add(line("a passage said again at once: bits, of those the first time",
             TRY(ratio(0)),
             {0, size.again_at_once},
             hint));
    const std::size_t n_between =
        std::min(all.size() / 2, max_tokens_ - 2 * kPassage - beginning().size());
    add(line("a passage said again after " + std::to_string(n_between) + " tokens: the same",
             TRY(ratio(n_between)),
             {0, size.again_later},
             hint + ", at that length"));
    return {};
  }

  // ---- the conversation

  Result<void> check_turn() {
    const ChatTemplate* chat = writer_.chat();
    if (chat == nullptr) {
      add(skipped("a turn of the conversation ends", "no known chat template"));
      return {};
    }
    std::string asked;
    for (const std::string_view part : {chat->system_begin,
                                        std::string_view("You answer in one word."),
                                        chat->system_end,
                                        chat->user_begin,
                                        std::string_view("What is the capital of France?"),
                                        chat->user_end,
                                        chat->assistant_begin}) {
      asked += part;
    }
    const auto before = read_layout(asked, vocabulary());
    const auto end = read_layout(chat->assistant_end, vocabulary());
    if (!before || !end || end->front().kind != PartKind::kControl) {
      add(skipped("a turn of the conversation ends", "its tokens are not in the vocabulary"));
      return {};
    }
    Tokens tokens = beginning();
    for (const Part& part : *before) {
      if (part.kind == PartKind::kControl) {
        tokens.push_back(part.token);
      } else {
        const Tokens text = encode(part.text);
        tokens.insert(tokens.end(), text.begin(), text.end());
      }
    }
    const std::size_t n_asked = tokens.size();
    const Tokens answer = encode("Paris");
    tokens.insert(tokens.end(), answer.begin(), answer.end());
    tokens.push_back(end->front().token);
    const auto scores = TRY(score(tokens, n_asked));
    add(line("chat: bits of a plain answer",
             bits_of(std::span(scores).first(answer.size())),
             {0, 6},
             "the template \"" + std::string(chat->name) + "\" is not this model's"));
    // "Paris." is as good.
    add(line("chat: tokens likelier than the turn's end behind it",
             scores.back().rank,
             {0, 3},
             "the template \"" + std::string(chat->name) + "\" is not this model's"));
    // An end in the midst of a word is out of place.
    Tokens cut(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(n_asked));
    cut.push_back(end->front().token);
    add(line("chat: bits of an end before any answer",
             TRY(score(cut, n_asked)).back().bits,
             {2, 1000},
             "the template \"" + std::string(chat->name) + "\" is not this model's"));
    return {};
  }

  // ---- filling in the middle

  struct Hole {
    indexer::Pack pack;
    std::string middle;
  };

  /// Lines cut out of the code, with what stands around them.
  std::vector<Hole> holes() const {
    constexpr std::size_t kHoles = 8;
    constexpr std::size_t kLinesBefore = 24;
    constexpr std::size_t kLinesAfter = 12;
    std::vector<std::string_view> lines;
    for (std::string_view left = texts_.code; !left.empty();) {
      const std::size_t n = std::min(left.find('\n'), left.size() - 1) + 1;
      lines.push_back(left.substr(0, n));
      left.remove_prefix(n);
    }
    std::vector<Hole> found;
    const std::size_t step = lines.size() / (kHoles + 1);
    for (std::size_t at = step; found.size() < kHoles && at + kLinesAfter < lines.size();
         at += std::max<std::size_t>(step, 1)) {
      if (at < kLinesBefore) continue;
      Hole hole;
      for (std::size_t i = at - kLinesBefore; i < at; ++i)
        hole.pack.prefix += lines[i];
      hole.middle = lines[at];
      for (std::size_t i = at + 1; i <= at + kLinesAfter; ++i)
        hole.pack.suffix += lines[i];
      found.push_back(std::move(hole));
    }
    return found;
  }

  Result<double> bits_of_middle(const Hole& hole, const std::string& suffix) {
    indexer::Pack pack = hole.pack;
    pack.suffix = suffix;
    Tokens tokens = writer_.write(pack, {"kinglet", "engine_client.cpp"}).tokens;
    const std::size_t n_given = tokens.size();
    const Tokens middle = encode(hole.middle);
    tokens.insert(tokens.end(), middle.begin(), middle.end());
    if (middle.empty() || tokens.size() > max_tokens_) return 0;
    return bits_of(TRY(score(tokens, n_given)));
  }

  Result<void> check_hole() {
    const std::string what = "fill in the middle: bits with the true suffix, of those with another";
    const std::string format(writer_.format_name());
    if (format == "plain" || format == "instruct") {
      add(skipped(what, "no tokens for it in the vocabulary"));
      return {};
    }
    const std::vector<Hole> found = holes();
    double with_own = 0;
    double with_another = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      with_own += TRY(bits_of_middle(found[i], found[i].pack.suffix));
      with_another +=
          TRY(bits_of_middle(found[i], found[(i + found.size() / 2) % found.size()].pack.suffix));
    }
    if (with_another == 0) {
      add(skipped(what, "the model's context is too short"));
      return {};
    }
    add(line(
        what,
        with_own / with_another,
        {0.2, 0.97},
        "the format \"" + format + "\" is not this model's, or it was not trained to fill in"));
    return {};
  }

  Executor& executor_;
  const CheckTexts& texts_;
  const CheckOptions& options_;
  const std::stop_token& stop_;
  PromptWriter writer_;
  std::size_t max_tokens_;
  std::vector<CheckLine> lines_;
};

Result<std::string> read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || text.empty()) {
    return fail(ErrorCode::kNotFound,
                "Cannot read " + path.string() + ", which comes with Kinglet. Install it anew.");
  }
  return text;
}

}  // namespace

Result<CheckTexts> load_check_texts() {
  const auto folder = TRY(share_folder()) / "check";
  CheckTexts texts;
  texts.code = TRY(read(folder / "code.txt"));
  texts.prose = TRY(read(folder / "prose.txt"));
  return texts;
}

Result<std::vector<CheckLine>> check_model(Executor& executor,
                                           const ChatTemplate* chat,
                                           const CheckTexts& texts,
                                           const CheckOptions& options,
                                           const std::stop_token& stop) {
  return Checker(executor, chat, texts, options, stop).run();
}

}  // namespace kinglet::daemon
