// usage: typing_bench FOLDER [--places N] [--lines N] [--seed S] [--budgets 8192,32768]
//                     [--pause LINES] [--vocabulary MODEL.gguf]
// What a key costs: types lines of a repository's files where they stand, key by key as editors
// take them, and counts the tokens of each prompt that the engine would have to compute, which
// remembers its last prompts. Closing brackets and indentation come by themselves; now and then
// something wrong is typed and deleted again. Then the cursor jumps to another function and back,
// and to the next file. After each so many LINES (0: never) the typing pauses long enough for a new
// layout to be computed in the background, which costs no key anything.
//
// The formats are those that place the text before the cursor differently; all are counted with the
// words of one vocabulary, with other control tokens.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "daemon/features/packed_prompt.h"
#include "inference/gguf.h"
#include "inference/vocabulary_from_gguf.h"
#include "tests/bench/context/corpus.h"

namespace kinglet::bench {
namespace {

using daemon::PackJob;
using daemon::PromptWriter;
using inference::TokenId;
using inference::Vocabulary;
using Random = std::mt19937_64;

struct Options {
  std::string folder;
  std::size_t n_places = 16;
  std::size_t n_lines = 12;
  std::size_t pause = 0;
  std::uint64_t seed = 1;
  std::vector<std::size_t> budgets = {8192, 32768};
  std::string vocabulary = "inference/starter_model/kinglet-starter.gguf";
};

[[noreturn]] void die(const std::string& message) {
  std::fprintf(stderr, "typing_bench: %s\n", message.c_str());
  std::exit(1);
}

// ---- formats

/// The same words, with these control tokens in place of those for filling in the middle.
std::shared_ptr<const Vocabulary> with_controls(const Vocabulary& words,
                                                const std::vector<std::string>& controls) {
  inference::VocabularyParts parts;
  parts.tokenizer = words.tokenizer();
  for (TokenId id = 0; words.contains(id); ++id) {
    parts.texts.push_back(words.text(id));
    parts.scores.push_back(words.score(id));
    parts.kinds.push_back(words.kind(id));
  }
  for (const std::string& control : controls) {
    if (words.find(control)) continue;
    parts.texts.push_back(control);
    parts.scores.push_back(0);
    parts.kinds.push_back(inference::TokenKind::kControl);
  }
  const inference::SpecialTokens& special = words.special();
  parts.special.bos = special.bos;
  parts.special.eos = special.eos;
  parts.special.unknown = special.unknown;
  parts.pre_tokenizer = words.pre_tokenizer();
  parts.merges.assign(words.merges().begin(), words.merges().end());
  parts.add_bos = words.add_bos();
  parts.add_space_prefix = words.add_space_prefix();
  auto vocabulary = Vocabulary::create(parts);
  if (!vocabulary) die(vocabulary.error().message);
  return std::make_shared<const Vocabulary>(*std::move(vocabulary));
}

std::vector<std::shared_ptr<const PromptWriter>> all_writers(const std::string& path) {
  const auto file = inference::Gguf::open(path);
  if (!file) die(file.error().message);
  auto read = inference::vocabulary_from_gguf(*file);
  if (!read) die(read.error().message);
  const auto words = std::make_shared<const Vocabulary>(*std::move(read));
  const std::vector<std::string> turns = {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"};
  return {std::make_shared<const PromptWriter>(words),
          std::make_shared<const PromptWriter>(with_controls(*words, {"[SUFFIX]", "[PREFIX]"})),
          std::make_shared<const PromptWriter>(with_controls(*words, turns),
                                               daemon::find_chat_template("phi3"))};
}

// ---- the editor

/// A document and its cursor. Closing brackets come by themselves, and are stepped over.
class Editor {
 public:
  Editor(std::string text, std::size_t cursor) : text_(std::move(text)), cursor_(cursor) {}

  const std::string& text() const { return text_; }
  std::size_t cursor() const { return cursor_; }
  void go_to(std::size_t cursor) { cursor_ = cursor; }

  void type(char c) {
    if (closers_.ends_with(c) && text_.substr(cursor_).starts_with(c)) {
      closers_.pop_back();
      ++cursor_;
      return;
    }
    text_.insert(cursor_++, 1, c);
    constexpr std::string_view kOpening = "([{\"";
    constexpr std::string_view kClosing = ")]}\"";
    if (const std::size_t pair = kOpening.find(c); pair != std::string_view::npos) {
      text_.insert(cursor_, 1, kClosing[pair]);
      closers_ += kClosing[pair];
    }
  }
  void erase() { text_.erase(--cursor_, 1); }

  /// One key, the indentation of the new line included. Between braces the closing one gets a line
  /// of its own.
  void enter(std::string_view indentation) {
    const bool is_between = cursor_ > 0 && text_[cursor_ - 1] == '{' && closers_.ends_with('}') &&
                            text_.substr(cursor_).starts_with('}');
    if (is_between) {
      const std::size_t line = text_.rfind('\n', cursor_ - 1) + 1;
      const std::size_t code = text_.find_first_not_of(" \t", line);
      text_.insert(cursor_, "\n" + text_.substr(line, code - line));
    }
    text_.insert(cursor_, "\n" + std::string(indentation));
    cursor_ += 1 + indentation.size();
  }

  /// Behind a closing brace that waits below, if one does.
  bool step_out() {
    const std::size_t next = text_.find_first_not_of(" \t\n", cursor_);
    if (!closers_.ends_with('}') || next == std::string::npos || text_[next] != '}') return false;
    closers_.pop_back();
    cursor_ = next + 1;
    return true;
  }

 private:
  std::string text_;
  std::size_t cursor_;
  std::string closers_;  // that came by themselves, the nearest last
};

// ---- what is computed

/// The prompts that the engine remembers.
class Remembered {
 public:
  /// Tokens of a prompt that are to be computed: behind the longest beginning that is there.
  std::size_t compute(const std::vector<TokenId>& prompt) {
    std::size_t best = prompts_.size();
    std::size_t n_best = 0;
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      const auto [end, _] = std::ranges::mismatch(prompts_[i], prompt);
      const auto n = static_cast<std::size_t>(end - prompts_[i].begin());
      if (n <= n_best) continue;
      best = i;
      n_best = n;
    }
    // Little of it is lost: it goes on as the new one.
    if (best < prompts_.size() && prompts_[best].size() - n_best <= kLittle)
      prompts_.erase(prompts_.begin() + static_cast<std::ptrdiff_t>(best));
    prompts_.insert(prompts_.begin(), prompt);
    if (prompts_.size() > kMaxPrompts) prompts_.pop_back();
    return std::max<std::size_t>(prompt.size() - n_best, 1);  // the last one's logits are wanted
  }

 private:
  static constexpr std::size_t kMaxPrompts = 4;
  static constexpr std::size_t kLittle = 64;
  std::vector<std::vector<TokenId>> prompts_;  // last used first
};

enum Kind : std::uint8_t { kInLine, kNewLine, kToFunction, kBack, kToFile, kKinds };

struct Result {
  std::array<std::vector<std::size_t>, kKinds> n_computed;
  std::size_t n_tokens_of_keys = 0;  // of prompts while somebody types
  std::size_t n_new_layouts = 0;     // while somebody types
};

// ---- the replay

struct Place {
  const CorpusFile* file;
  std::size_t begin;  // of the lines that are typed
  std::size_t end;
  std::size_t elsewhere;  // in another function, before or after
};

std::vector<std::size_t> line_starts(std::string_view text) {
  std::vector<std::size_t> starts = {0};
  for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
    starts.push_back(at + 1);
  return starts;
}

std::vector<Place> choose_places(const Corpus& corpus, const Options& options) {
  constexpr std::size_t kFar = 40;  // lines
  Random random(options.seed);
  std::vector<const CorpusFile*> files;
  for (const CorpusFile& file : corpus.files()) {
    const auto n_lines = static_cast<std::size_t>(std::ranges::count(file.text, '\n'));
    if (!file.language->is_data && n_lines > 2 * (options.n_lines + kFar)) files.push_back(&file);
  }
  if (files.empty()) die("no file of " + options.folder + " is long enough");
  std::ranges::shuffle(files, random);
  std::vector<Place> places;
  for (std::size_t i = 0; i < options.n_places; ++i) {
    const CorpusFile& file = *files[i % files.size()];
    const std::vector<std::size_t> starts = line_starts(file.text);
    const std::size_t line = random() % (starts.size() - options.n_lines - 1);
    std::size_t other = 0;
    do {
      other = random() % starts.size();
    } while (other + kFar > line && other < line + options.n_lines + kFar);
    places.push_back({&file, starts[line], starts[line + options.n_lines], starts[other]});
  }
  return places;
}

class Replay {
 public:
  Replay(const Corpus& corpus,
         std::shared_ptr<const indexer::ChangeHistory> history,
         const Options& options,
         std::shared_ptr<const PromptWriter> writer)
      : corpus_(corpus),
        history_(std::move(history)),
        options_(options),
        writer_(std::move(writer)) {}

  Result run(const std::vector<Place>& places, std::size_t budget) {
    budget_ = budget;
    for (const Place& place : places)
      type(place);
    return std::move(result_);
  }

 private:
  void type(const Place& place) {
    const std::string& whole = place.file->text;
    Editor editor(whole.substr(0, place.begin) + "\n" + whole.substr(place.end), place.begin);
    file_ = place.file;
    index_ = corpus_.with(*file_, editor.text());
    kept_.clear();
    ask(editor, kToFile);
    std::string_view lines = std::string_view(whole).substr(place.begin, place.end - place.begin);
    for (std::size_t n_typed = 0; !lines.empty(); ++n_typed) {
      if (options_.pause > 0 && n_typed > 0 && n_typed % options_.pause == 0) renew(editor);
      const std::string_view line = lines.substr(0, lines.find('\n'));
      lines.remove_prefix(std::min(line.size() + 1, lines.size()));
      type_line(editor, line, n_typed == 0);
    }
    const std::size_t before = editor.cursor();
    editor.go_to(place.elsewhere < place.begin
                     ? place.elsewhere
                     : place.elsewhere - place.end + place.begin + editor.text().size() -
                           (whole.size() - place.end + place.begin));
    ask(editor, kToFunction);
    editor.go_to(before);
    ask(editor, kBack);
  }

  void type_line(Editor& editor, std::string_view line, bool is_first) {
    const std::size_t n_blanks = std::min(line.find_first_not_of(" \t"), line.size());
    std::string_view code = line.substr(n_blanks);
    if (code.starts_with('}') && editor.step_out()) {
      ask(editor, kNewLine);
      code.remove_prefix(1);
    } else if (!is_first) {
      editor.enter(line.substr(0, n_blanks));
      ask(editor, kNewLine);
    } else {
      code = line;
    }
    for (const char c : code) {
      if (random_() % 40 == 0) slip(editor);
      editor.type(c);
      // Within a character no client asks.
      if (static_cast<unsigned char>(c) < 0x80) ask(editor, kInLine);
    }
  }

  void slip(Editor& editor) {
    const std::size_t n = random_() % 5 + 1;
    for (std::size_t i = 0; i < n; ++i) {
      editor.type(static_cast<char>('a' + random_() % 26));
      ask(editor, kInLine);
    }
    for (std::size_t i = 0; i < n; ++i) {
      editor.erase();
      ask(editor, kInLine);
    }
  }

  using Layouts = std::vector<std::shared_ptr<const indexer::Pack>>;

  daemon::PackedPrompt pack(const Editor& editor, const Layouts& kept) const {
    PackJob job;
    job.root = options_.folder;
    job.repository = "repository";
    job.path = file_->path;
    job.index = index_;
    job.history = history_;
    job.text = std::make_shared<const lsp::TextBuffer>(editor.text());
    job.cursor = ByteOffset{static_cast<std::uint32_t>(editor.cursor())};
    job.budget_tokens = budget_;
    job.max_file_bytes = 1 << 21;
    job.writer = writer_;
    job.kept = kept;
    auto packed = daemon::pack_prompt(job, {});
    if (!packed) die(packed.error().message);
    if (packed->prompt.tokens.size() != packed->pack->n_tokens)
      die("a prompt is not what was counted");
    return *std::move(packed);
  }

  void ask(const Editor& editor, Kind kind) {
    const daemon::PackedPrompt packed = pack(editor, kept_);
    const std::vector<TokenId>& tokens = packed.prompt.tokens;
    result_.n_computed[kind].push_back(remembered_.compute(tokens));
    if (kind == kInLine || kind == kNewLine) {
      result_.n_tokens_of_keys += tokens.size();
      result_.n_new_layouts += packed.layout == packed.pack ? 1 : 0;
    }
    keep(packed.layout);
  }

  void renew(const Editor& editor) {
    const daemon::PackedPrompt packed = pack(editor, {});
    remembered_.compute(packed.prompt.tokens);
    keep(packed.layout);
  }

  // As InlineCompletions does it.
  void keep(const std::shared_ptr<const indexer::Pack>& layout) {
    std::erase(kept_, layout);
    kept_.insert(kept_.begin(), layout);
    if (kept_.size() > 4) kept_.pop_back();
  }

  const Corpus& corpus_;
  std::shared_ptr<const indexer::ChangeHistory> history_;
  const Options& options_;
  std::shared_ptr<const PromptWriter> writer_;
  std::size_t budget_ = 0;
  const CorpusFile* file_ = nullptr;
  indexer::Snapshot index_;
  Layouts kept_;
  Remembered remembered_;
  Random random_{7};
  Result result_;
};

// ---- the table

double mean(const std::vector<std::size_t>& values) {
  const auto sum = std::accumulate(values.begin(), values.end(), std::size_t{0});
  return values.empty() ? 0 : static_cast<double>(sum) / static_cast<double>(values.size());
}

/// "MEAN P95 MOST"
std::string spread(std::vector<std::size_t> values) {
  if (values.empty()) return "-";
  std::ranges::sort(values);
  char text[64];
  std::snprintf(text,
                sizeof text,
                "%.1f %zu %zu",
                mean(values),
                values[(values.size() - 1) * 95 / 100],
                values.back());
  return text;
}

void print(std::string_view format, std::size_t budget, const Result& result) {
  const auto sum = [&](Kind kind) {
    const auto& values = result.n_computed[kind];
    return std::accumulate(values.begin(), values.end(), std::size_t{0});
  };
  const double computed = static_cast<double>(sum(kInLine) + sum(kNewLine));
  std::printf("%-14.*s %6zu %6zu  %-14s %-14s %8.0f %8.0f %8.0f %8.2f %% %6zu\n",
              static_cast<int>(format.size()),
              format.data(),
              budget,
              result.n_computed[kInLine].size() + result.n_computed[kNewLine].size(),
              spread(result.n_computed[kInLine]).c_str(),
              spread(result.n_computed[kNewLine]).c_str(),
              mean(result.n_computed[kToFunction]),
              mean(result.n_computed[kBack]),
              mean(result.n_computed[kToFile]),
              100 - 100 * computed / static_cast<double>(result.n_tokens_of_keys),
              result.n_new_layouts);
}

int run(const Options& options) {
  const Corpus corpus = Corpus::load(options.folder);
  const std::vector<Place> places = choose_places(corpus, options);
  const auto history = std::make_shared<const indexer::ChangeHistory>(
      indexer::read_history(options.folder).value_or(indexer::ChangeHistory()));
  std::printf("Tokens computed a key: mean, 95th percentile, most; at a jump: mean.\n");
  std::printf("%-14s %6s %6s  %-14s %-14s %8s %8s %8s %10s %6s\n",
              "format",
              "budget",
              "keys",
              "in a line",
              "at a new line",
              "function",
              "back",
              "file",
              "reused",
              "anew");
  for (const auto& writer : all_writers(options.vocabulary)) {
    for (const std::size_t budget : options.budgets) {
      print(writer->format_name(),
            budget,
            Replay(corpus, history, options, writer).run(places, budget));
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace
}  // namespace kinglet::bench

int main(int argc, char** argv) {
  try {
    kinglet::bench::Options options;
    CLI::App app("What a key costs");
    app.add_option("folder", options.folder)->required();
    app.add_option("--places", options.n_places)->capture_default_str();
    app.add_option("--lines", options.n_lines, "That are typed at each place")
        ->capture_default_str();
    app.add_option("--pause", options.pause, "Lines between two pauses; 0: none")
        ->capture_default_str();
    app.add_option("--seed", options.seed)->capture_default_str();
    app.add_option("--budgets", options.budgets)->delimiter(',')->capture_default_str();
    app.add_option("--vocabulary", options.vocabulary)->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    return kinglet::bench::run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "typing_bench: %s\n", error.what());
    return 1;
  }
}
