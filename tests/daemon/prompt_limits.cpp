#include "tests/daemon/prompt_limits.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <string_view>
#include <utility>

#include "daemon/features/packed_prompt.h"
#include "indexer/language.h"
#include "indexer/parse.h"
#include "tests/inference/round_trip.h"

namespace kinglet::test {
namespace {

namespace fs = std::filesystem;
using daemon::PackedPrompt;
using daemon::PackJob;
using daemon::PromptPlace;
using daemon::PromptWriter;
using inference::SpecialTokens;
using inference::TokenId;
using inference::TokenKind;
using inference::Vocabulary;
using inference::VocabularyParts;

constexpr std::size_t kMostTokens = 131'072;
constexpr std::uint64_t kMaxFileBytes = 1 << 20;
constexpr int kTailLines = 12;  // of a prefix that an instruct model's answer begins with

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// ---- formats

// A prompt format by the control tokens that choose it.
struct FormatTokens {
  std::string_view name;  // of the format
  std::vector<std::string> controls;
  std::map<std::string, TokenId SpecialTokens::*> roles;
  const daemon::ChatTemplate* chat = nullptr;
};

std::vector<FormatTokens> formats() {
  return {{.name = "file",
           .controls = {"<pre>", "<suf>", "<mid>"},
           .roles = {{"<pre>", &SpecialTokens::fim_pre},
                     {"<suf>", &SpecialTokens::fim_suf},
                     {"<mid>", &SpecialTokens::fim_mid}}},
          {.name = "codestral", .controls = {"[SUFFIX]", "[PREFIX]"}, .roles = {}},
          {.name = "instruct",
           .controls = {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"},
           .roles = {},
           .chat = daemon::find_chat_template("phi3")},
          {.name = "plain", .controls = {}, .roles = {}}};
}

// The same text tokens, with the control tokens of another format and no others: those that it has
// get other names, so that no format is chosen by them.
std::shared_ptr<const Vocabulary> with_format(const Vocabulary& vocabulary,
                                              const FormatTokens& format) {
  std::vector<std::string> texts;
  VocabularyParts parts;
  for (std::size_t i = 0; i < vocabulary.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    texts.emplace_back(vocabulary.text(id));
    if (vocabulary.kind(id) == TokenKind::kControl) texts.back() += "~" + std::to_string(i);
    parts.kinds.push_back(vocabulary.kind(id));
    parts.scores.push_back(vocabulary.score(id));
  }
  parts.tokenizer = vocabulary.tokenizer();
  parts.special.bos = vocabulary.special().bos;
  parts.special.eos = vocabulary.special().eos;
  parts.special.unknown = vocabulary.special().unknown;
  for (const std::string& control : format.controls) {
    if (const auto role = format.roles.find(control); role != format.roles.end())
      parts.special.*role->second = static_cast<TokenId>(texts.size());
    texts.push_back(control);
    parts.kinds.push_back(TokenKind::kControl);
    parts.scores.push_back(0);
  }
  parts.texts.assign(texts.begin(), texts.end());
  parts.pre_tokenizer = vocabulary.pre_tokenizer();
  parts.merges.assign(vocabulary.merges().begin(), vocabulary.merges().end());
  parts.add_bos = vocabulary.add_bos();
  parts.add_space_prefix = vocabulary.add_space_prefix();
  return std::make_shared<const Vocabulary>(Vocabulary::create(parts).value());
}

// ---- what a prompt says

std::string spelled(const PromptWriter& writer, const std::vector<TokenId>& tokens) {
  const Vocabulary& vocabulary = writer.tokenizer().vocabulary();
  std::string text;
  for (const TokenId token : tokens) {
    if (vocabulary.kind(token) == TokenKind::kControl) {
      text += vocabulary.text(token);
    } else {
      writer.tokenizer().append_piece(token, text);
    }
  }
  return text;
}

std::size_t begin_of_last_lines(std::string_view text, int n_lines) {
  std::size_t begin = text.size();
  for (; n_lines > 0 && begin > 0; --n_lines) {
    const std::size_t line_feed = text.substr(0, begin - 1).rfind('\n');
    begin = line_feed == std::string_view::npos ? 0 : line_feed + 1;
  }
  return begin;
}

// The pack's texts in the order in which the prompt has them.
std::vector<std::string_view> texts_of(const indexer::Pack& pack, const PromptWriter& writer) {
  const std::string_view prefix = pack.prefix;
  const bool in_two = writer.format_name() == "instruct";
  const std::size_t tail = in_two ? begin_of_last_lines(prefix, kTailLines) : prefix.size();
  std::vector<std::string_view> texts;
  for (const daemon::PartKind kind : writer.order()) {
    if (kind == daemon::PartKind::kPrefix) texts.push_back(prefix.substr(0, tail));
    if (kind == daemon::PartKind::kSuffix) texts.emplace_back(pack.suffix);
    if (kind != daemon::PartKind::kChunks) continue;
    for (const indexer::PackedChunk& chunk : pack.chunks) {
      texts.emplace_back(chunk.header);
      texts.emplace_back(chunk.text);
    }
  }
  texts.push_back(prefix.substr(tail));
  texts.emplace_back(pack.typed);
  return texts;
}

// Empty: the prompt is the format's own text and the pack's, each in its place.
std::string trouble_of_text(const PackedPrompt& packed,
                            const PromptWriter& writer,
                            const PromptPlace& place) {
  const std::string text = spelled(writer, packed.prompt.tokens);
  std::size_t at = 0;
  std::size_t n_bytes = 0;
  for (const std::string_view part : texts_of(*packed.pack, writer)) {
    at = text.find(part, at);
    if (at == std::string::npos) return "a text of the pack is not in the prompt";
    at += part.size();
    n_bytes += part.size();
  }
  if (!text.ends_with(packed.pack->typed)) return "the prompt does not end with what was typed";
  indexer::Pack none;
  const std::size_t own = spelled(writer, writer.write(none, place).tokens).size();
  none.chunks.emplace_back();
  const std::size_t per_chunk = spelled(writer, writer.write(none, place).tokens).size() - own;
  n_bytes += own + per_chunk * packed.pack->chunks.size();
  return n_bytes == text.size() ? "" : "the prompt holds more than the pack and the format";
}

std::string trouble_of(const PackedPrompt& packed, const PackJob& job) {
  const indexer::Pack& pack = *packed.pack;
  const PromptPlace place{.repository = job.repository, .path = job.path};
  const auto overhead = job.writer->overhead(place);
  if (packed.prompt.tokens.size() > job.budget_tokens) return "over budget";
  if (packed.prompt.tokens.size() != pack.n_tokens) return "the pack counts other tokens";
  std::size_t n_chunks = 0;
  for (const indexer::PackedChunk& chunk : pack.chunks)
    n_chunks += chunk.n_tokens;
  if (n_chunks != pack.n_tokens_chunks) return "the chunks' tokens do not add up";
  if (overhead.fixed + n_chunks + pack.n_tokens_prefix + pack.n_tokens_suffix +
          pack.n_tokens_typed !=
      pack.n_tokens) {
    return "the parts' tokens do not add up";
  }
  const auto n_frozen = packed.prompt.tokens.size() - pack.n_tokens_typed;
  if (packed.prompt.n_frozen != n_frozen) return "not frozen up to what is typed";
  return trouble_of_text(packed, *job.writer, place);
}

// In the language of its whole file: a header of C++ may have signatures that look like C.
bool parses(const indexer::PackedChunk& chunk, const indexer::Snapshot& index) {
  const auto file = index.file(chunk.path);
  const indexer::Language* language = file ? indexer::find_language(file->language) : nullptr;
  if (language == nullptr) return false;
  const auto record = indexer::parse_file(*language, chunk.text);
  return record && record->coverage != indexer::Coverage::kErrors;
}

// ---- places and budgets

std::size_t random_budget(std::mt19937_64& random, std::size_t overhead) {
  switch (random() % 16) {
    case 0:
      return overhead - std::min<std::size_t>(overhead, 1);
    case 1:
      return overhead + random() % 4;
    case 2:
      return random() % 64;
    default: {
      const double power = static_cast<double>(random() % 10'000) / 9'999;
      return static_cast<std::size_t>(std::pow(static_cast<double>(kMostTokens), power));
    }
  }
}

}  // namespace

void PromptLimitFigures::add(const PromptLimitFigures& more) {
  n_cursors += more.n_cursors;
  n_refused += more.n_refused;
  n_prompts += more.n_prompts;
  n_tokens += more.n_tokens;
  n_budget += more.n_budget;
  n_similar += more.n_similar;
  n_signatures += more.n_signatures;
  n_unparsed_signatures += more.n_unparsed_signatures;
  broken.insert(broken.end(), more.broken.begin(), more.broken.end());
}

PromptLimits::PromptLimits(const fs::path& root, const std::vector<fs::path>& files) : root_(root) {
  std::vector<std::pair<std::string, indexer::FileRecord>> records;
  for (const fs::path& file : files) {
    const std::string path = file.lexically_relative(root).generic_string();
    const std::string text = read(file);
    auto record = indexer::parse_file(indexer::language_of(path, text), text);
    if (!record) continue;
    paths_.push_back(path);
    records.emplace_back(path, *std::move(record));
  }
  index_.put(std::move(records));
  for (const auto& [name, tokenizer] : real_tokenizers()) {
    const auto add = [&, &vocabulary_name = name](std::shared_ptr<const Vocabulary> vocabulary,
                                                  const daemon::ChatTemplate* chat) {
      writers_.push_back(std::make_shared<const PromptWriter>(std::move(vocabulary), chat));
      writer_names_.push_back(vocabulary_name + ", " + std::string(writers_.back()->format_name()));
    };
    add(tokenizer.shared_vocabulary(), nullptr);
    for (const FormatTokens& format : formats())
      add(with_format(tokenizer.vocabulary(), format), format.chat);
  }
}

PromptLimitFigures PromptLimits::check(std::uint64_t seed,
                                       std::uint64_t first_cursor,
                                       std::uint64_t n_cursors) const {
  PromptLimitFigures figures;
  for (std::uint64_t i = 0; i < n_cursors; ++i)
    check_one(seed, first_cursor + i, figures);
  return figures;
}

void PromptLimits::check_one(std::uint64_t seed,
                             std::uint64_t cursor,
                             PromptLimitFigures& figures) const {
  std::seed_seq words{seed, cursor};
  std::mt19937_64 random(words);
  const std::size_t writer = random() % writers_.size();
  PackJob job;
  job.root = root_;
  job.repository = root_.filename().string();
  job.path = paths_[random() % paths_.size()];
  job.index = index_.snapshot();
  job.max_file_bytes = kMaxFileBytes;
  job.writer = writers_[writer];
  std::string text = read(root_ / job.path);
  // Some of them past the end.
  job.cursor = ByteOffset{static_cast<std::uint32_t>(random() % (text.size() + 20))};
  job.text = std::make_shared<const lsp::TextBuffer>(text);
  const std::size_t overhead =
      job.writer->overhead({.repository = job.repository, .path = job.path}).fixed;
  job.budget_tokens = random_budget(random, overhead);
  const auto fail = [&](const std::string& what) {
    figures.broken.push_back(what + ": cursor " + std::to_string(cursor) + ", " + job.path +
                             " at " + std::to_string(value(job.cursor)) + ", " +
                             std::to_string(job.budget_tokens) + " tokens, " +
                             writer_names_[writer]);
  };
  const auto check_pack = [&]() -> std::optional<PackedPrompt> {
    auto packed = pack_prompt(job, {});
    if (job.budget_tokens < overhead) {
      ++figures.n_refused;
      if (packed || packed.error().code != ErrorCode::kInvalidArgument) fail("not refused");
      return std::nullopt;
    }
    if (!packed) {
      fail(packed.error().message);
      return std::nullopt;
    }
    ++figures.n_prompts;
    figures.n_tokens += packed->prompt.tokens.size();
    figures.n_budget += job.budget_tokens;
    if (const std::string trouble = trouble_of(*packed, job); !trouble.empty()) fail(trouble);
    return *std::move(packed);
  };

  ++figures.n_cursors;
  const auto packed = check_pack();
  if (!packed) return;
  for (const indexer::PackedChunk& chunk : packed->pack->chunks) {
    const bool is_signature = chunk.reason == indexer::PackReason::kSignature;
    ++(is_signature ? figures.n_signatures : figures.n_similar);
    if (is_signature && !parses(chunk, job.index)) ++figures.n_unparsed_signatures;
  }
  // Someone types there: the same layout, as long as it holds.
  const std::string typed = std::string(random() % 3, '\n') + std::string(random() % 200, 'x');
  const std::size_t at = job.text->is_boundary(job.cursor) ? value(job.cursor) : 0;
  text.insert(std::min(at, text.size()), typed);
  job.text = std::make_shared<const lsp::TextBuffer>(text);
  job.cursor = ByteOffset{static_cast<std::uint32_t>(at + typed.size())};
  job.kept = {packed->layout};
  check_pack();
}

}  // namespace kinglet::test
