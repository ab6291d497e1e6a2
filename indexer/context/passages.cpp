// Which lines of similar code are worth their tokens.
//
// A chunk of forty lines is taken for three of them. So chunks are cut into passages of a few
// lines, and each is worth the runs of words in it that the code to be written may well have: a run
// stands in places that share names with the line, the more of them and the closer, the likelier;
// and none is worth anything a second time. Passages are taken by worth for their cost, each time
// the best of those that are left.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>
#include <queue>
#include <unordered_set>
#include <utility>

#include <boost/unordered/unordered_flat_map.hpp>

#include "indexer/context/candidates.h"
#include "indexer/identifiers.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kRun = 4;  // words
// Lines of a passage; it ends at the least indented one between the two.
constexpr std::size_t kMinLines = 6;
constexpr std::size_t kMaxLines = 12;
// Of a run's weight: what it has anywhere in its chunk, besides what names around it give.
constexpr float kBaseWeight = 0.3F;
constexpr int kLinesAround = 4;
// Weight at which a run is as likely as not to be as good as certain.
constexpr float kHalfWeight = 4;
// What a passage breaks in a reader's text, in tokens.
constexpr float kTokensOfBreak = 6;
// Below, in runs for a token, it is noise.
constexpr float kMinWorth = 0.0003F;
constexpr int kMaxMisses = 24;
constexpr std::uint32_t kNotNear = UINT32_MAX;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

struct Line {
  ByteRange range;  // with its end
  std::uint32_t indentation = 0;
  bool is_blank = true;
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    Line line{{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end)}, 0, true};
    for (; at < end && line.is_blank; ++at) {
      line.indentation += text[at] == '\t' ? 4 : 1;
      line.is_blank = is_blank(text[at]);
    }
    lines.push_back(line);
    at = end;
  }
  return lines;
}

// Calls `visit(hash, word)` for words and single signs; `word` is empty for a sign.
template <class Visit>
void for_each_word(std::string_view text, Visit visit) {
  constexpr std::uint64_t kPrime = 1099511628211ULL;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at++;
    if (is_blank(text[begin])) continue;
    std::uint64_t hash = static_cast<unsigned char>(text[begin]);
    const bool is_word = is_identifier_byte(text[begin]);
    for (; is_word && at < text.size() && is_identifier_byte(text[at]); ++at)
      hash = hash * kPrime ^ static_cast<unsigned char>(text[at]);
    visit(hash * 0x9E3779B97F4A7C15ULL, is_word ? text.substr(begin, at - begin) : "");
  }
}

// The last words of a text, as one number.
class Run {
 public:
  /// Whether there are enough words by now.
  bool add(std::uint64_t word) {
    last_[n_words_++ % kRun] = word;
    return n_words_ >= kRun;
  }
  std::uint64_t hash() const {
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < kRun; ++i) {
      hash = (hash ^ last_[(n_words_ + i) % kRun]) * 0x9E3779B97F4A7C15ULL;
      hash ^= hash >> 29;
    }
    return hash;
  }

 private:
  std::array<std::uint64_t, kRun> last_{};
  std::size_t n_words_ = 0;
};

// Ids of runs by their hashes; there are tens of thousands, for a few milliseconds.
class RunTable {
 public:
  explicit RunTable(std::size_t n_most) : slots_(std::bit_ceil(2 * n_most + 2)) {}

  /// A new one has the id `n`.
  std::uint32_t find_or_add(std::uint64_t hash, std::uint32_t n) {
    Slot& slot = slot_of(hash);
    if (slot.past_id == 0) slot = {hash, n + 1};
    return slot.past_id - 1;
  }
  std::optional<std::uint32_t> find(std::uint64_t hash) {
    const Slot& slot = slot_of(hash);
    return slot.past_id == 0 ? std::nullopt : std::optional(slot.past_id - 1);
  }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t past_id = 0;  // 0: empty
  };
  // Its own, or the empty one where it would be.
  Slot& slot_of(std::uint64_t hash) {
    for (std::size_t at = hash;; ++at) {
      Slot& slot = slots_[at & (slots_.size() - 1)];
      if (slot.past_id == 0 || slot.hash == hash) return slot;
    }
  }
  std::vector<Slot> slots_;
};

}  // namespace

class PassageChooser::Reading {
 public:
  Reading(std::span<const NearName> names,
          std::span<const SimilarCandidate> similar,
          std::size_t max_tokens)
      : names_(names) {
    read(similar, max_tokens);
    std::size_t n_words = 0;
    for (const Chunk& chunk : chunks_)
      n_words += chunk.words.size();
    ids_ = RunTable(n_words);
    weigh_names();
    weigh_lines();
    for (const Chunk& chunk : chunks_)
      cut(chunk);
    for (float& weight : runs_)
      weight = weight / (weight + kHalfWeight);
  }

  std::vector<Passage> choose(const Request& request) {
    request_ = request;
    for (const std::string_view text : request.packed)
      skip(text);
    // By worth as it was; equal ones in their order.
    std::priority_queue<std::pair<float, std::ptrdiff_t>> queue;
    for (std::size_t i = 0; i < cuts_.size(); ++i)
      queue.emplace(worth_of(cuts_[i]), -static_cast<std::ptrdiff_t>(i));
    std::vector<Passage> chosen;
    float used = 0;
    for (int n_misses = 0; !queue.empty() && n_misses < kMaxMisses;) {
      const std::ptrdiff_t place = queue.top().second;
      queue.pop();
      const Cut& cut = cuts_[static_cast<std::size_t>(-place)];
      const float worth = worth_of(cut);
      if (worth < kMinWorth) continue;
      if (!queue.empty() && worth < queue.top().first) {
        queue.emplace(worth, place);
        continue;
      }
      const float cost = cost_of(cut);
      if (used + cost > static_cast<float>(request_.budget_tokens)) {
        ++n_misses;
        continue;
      }
      n_misses = 0;
      used += cost;
      for (std::uint32_t i = cut.first_run; i < cut.past_run; ++i)
        runs_[run_ids_[i]] = 0;
      paths_.insert(cut.similar->hit.path);
      chosen.push_back({.similar = cut.similar,
                        .range = cut.range,
                        .first_line = cut.first_line,
                        .worth = worth});
    }
    return chosen;
  }

 private:
  struct Word {
    std::uint64_t hash;
    std::uint32_t near;  // index of the neighborhood's name that it is, or kNotNear
    std::uint32_t line;
  };
  struct Chunk {
    const SimilarCandidate* similar;
    std::vector<Line> lines;
    std::vector<Word> words;
    std::vector<float> closeness;  // of each line
  };
  struct Cut {
    const SimilarCandidate* similar;
    ByteRange range;
    std::uint32_t first_line;
    std::uint32_t first_run, past_run;  // of run_ids_
  };

  std::uint32_t id_of(std::uint64_t run) {
    const std::uint32_t id = ids_.find_or_add(run, static_cast<std::uint32_t>(runs_.size()));
    if (id == runs_.size()) runs_.push_back(0);
    return id;
  }

  // What is packed already is worth nothing more.
  void skip(std::string_view text) {
    Run run;
    for_each_word(text, [&](std::uint64_t hash, std::string_view) {
      if (!run.add(hash)) return;
      if (const auto id = ids_.find(run.hash())) runs_[*id] = 0;
    });
  }

  void read(std::span<const SimilarCandidate> similar_code, std::size_t max_tokens) {
    boost::unordered_flat_map<std::uint64_t, std::uint32_t> near;  // by the word's hash
    for (std::uint32_t i = 0; i < names_.size(); ++i) {
      for_each_word(names_[i].name,
                    [&](std::uint64_t hash, std::string_view) { near.try_emplace(hash, i); });
    }
    chunks_.reserve(similar_code.size());
    float tokens_left = static_cast<float>(max_tokens);
    for (const SimilarCandidate& similar : similar_code) {
      if (tokens_left < 0) break;
      tokens_left -= static_cast<float>(similar.text.size()) / kBytesPerToken;
      Chunk& chunk = chunks_.emplace_back(Chunk{&similar, lines_of(similar.text), {}, {}});
      chunk.words.reserve(similar.text.size() / 3);
      for (std::uint32_t i = 0; i < chunk.lines.size(); ++i) {
        for_each_word(
            chunk.lines[i].range.of(similar.text), [&](std::uint64_t hash, std::string_view word) {
              const auto name = word.size() < 3 ? near.end() : near.find(hash);
              chunk.words.push_back({hash, name == near.end() ? kNotNear : name->second, i});
            });
      }
    }
  }

  // A name counts the more, the fewer of the chunks have it.
  void weigh_names() {
    std::vector<std::uint32_t> n_chunks(names_.size());
    std::vector<const Chunk*> last(names_.size());
    for (const Chunk& chunk : chunks_) {
      for (const Word& word : chunk.words) {
        if (word.near != kNotNear && std::exchange(last[word.near], &chunk) != &chunk)
          ++n_chunks[word.near];
      }
    }
    const auto n_all = static_cast<float>(chunks_.size());
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const auto n = static_cast<float>(n_chunks[i]);
      weights_.push_back(names_[i].weight *
                         in_steps(std::log(1.05F + (n_all - n + 0.5F) / (n + 0.5F))));
    }
  }

  // By the names on it and on the lines around it; the closest of all has 1.
  void weigh_lines() {
    float most = 0;
    std::vector<float> own;
    for (Chunk& chunk : chunks_) {
      own.assign(chunk.lines.size(), 0);
      for (const Word& word : chunk.words)
        own[word.line] += word.near == kNotNear ? 0 : weights_[word.near];
      const auto n_lines = static_cast<int>(own.size());
      for (int line = 0; line < n_lines; ++line) {
        float sum = 0;
        const int past = std::min(n_lines, line + kLinesAround + 1);
        for (int other = std::max(0, line - kLinesAround); other < past; ++other)
          sum +=
              own[static_cast<std::size_t>(other)] / static_cast<float>(1 + std::abs(other - line));
        chunk.closeness.push_back(sum);
        most = std::max(most, sum);
      }
    }
    for (Chunk& chunk : chunks_) {
      for (float& closeness : chunk.closeness)
        closeness /= std::max(most, 1e-6F);
    }
  }

  // Into passages: between blank lines, or where long stretches come back to the left.
  void cut(const Chunk& chunk) {
    const auto& lines = chunk.lines;
    const float share = chunk.similar->hit.score / chunks_.front().similar->hit.score;
    std::size_t at = 0;  // in the words
    for (std::size_t first = 0; first < lines.size();) {
      if (lines[first].is_blank) {
        ++first;
        continue;
      }
      std::size_t past = first + 1;
      while (past < lines.size() && !lines[past].is_blank && past - first < kMaxLines)
        ++past;
      if (past < lines.size() && !lines[past].is_blank) {
        for (std::size_t line = past; line > first + kMinLines; --line) {
          if (lines[line].indentation < lines[past].indentation) past = line;
        }
      }
      Cut cut{.similar = chunk.similar,
              .range = {lines[first].range.begin, lines[past - 1].range.end},
              .first_line = chunk.similar->first_line + static_cast<std::uint32_t>(first),
              .first_run = static_cast<std::uint32_t>(run_ids_.size()),
              .past_run = 0};
      Run run;
      for (; at < chunk.words.size() && chunk.words[at].line < past; ++at) {
        if (!run.add(chunk.words[at].hash)) continue;
        const std::uint32_t id = id_of(run.hash());
        if (last_cut_.size() <= id) last_cut_.resize(runs_.size() + runs_.size() / 2 + 1);
        if (std::exchange(last_cut_[id], cuts_.size() + 1) == cuts_.size() + 1) continue;
        run_ids_.push_back(id);
        runs_[id] += share * share * share * (kBaseWeight + chunk.closeness[chunk.words[at].line]);
      }
      cut.past_run = static_cast<std::uint32_t>(run_ids_.size());
      cuts_.push_back(cut);
      first = past;
    }
  }

  float cost_of(const Cut& cut) const {
    float n_bytes = static_cast<float>(cut.range.size());
    float n_tokens = 0;
    if (const std::string& path = cut.similar->hit.path; !paths_.contains(path)) {
      n_bytes += static_cast<float>(path.size() + 1);
      n_tokens += static_cast<float>(request_.tokens_per_file);
    }
    return n_tokens + n_bytes / request_.bytes_per_token;
  }

  float worth_of(const Cut& cut) const {
    float sum = 0;
    for (std::uint32_t i = cut.first_run; i < cut.past_run; ++i)
      sum += runs_[run_ids_[i]];
    return sum / (kTokensOfBreak + cost_of(cut));
  }

  std::span<const NearName> names_;
  Request request_;
  std::vector<Chunk> chunks_;
  std::vector<float> weights_;  // of the neighborhood's names
  std::vector<Cut> cuts_;
  RunTable ids_{0};
  std::vector<float> runs_;                     // weight of each, then chance
  std::vector<std::size_t> last_cut_;           // that has the run, from 1 on
  std::vector<std::uint32_t> run_ids_;          // of all passages, one after the other
  std::unordered_set<std::string_view> paths_;  // that have a passage chosen
};

PassageChooser::PassageChooser(std::span<const NearName> names,
                               std::span<const SimilarCandidate> similar,
                               std::size_t max_tokens)
    : reading_(std::make_unique<Reading>(names, similar, max_tokens)) {}
PassageChooser::PassageChooser(PassageChooser&& other) noexcept = default;
PassageChooser& PassageChooser::operator=(PassageChooser&& other) noexcept = default;
PassageChooser::~PassageChooser() = default;

std::vector<Passage> PassageChooser::choose(const Request& request) {
  return reading_->choose(request);
}

}  // namespace kinglet::indexer
