#include "indexer/context/chunk_packer.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <boost/unordered/unordered_flat_set.hpp>

#include "indexer/clean_text.h"
#include "indexer/context/in_parallel.h"
#include "indexer/context/secrets.h"
#include "indexer/context/signature_writer.h"
#include "indexer/identifiers.h"

namespace kinglet::indexer {
namespace {

// More passages are asked for than a guess of their tokens lets fit, by one in so many.
constexpr std::size_t kSpareOfPassages = 5;
constexpr int kMaxMissesOfPassages = 8;
// After this many candidates in a row that do not fit, the share counts as full.
constexpr int kMaxMisses = 24;
// What a signature is worth falls with its bytes, and with those of what stands around it.
constexpr double kBytesOfSignature = 12;
constexpr std::size_t kCountedSignatures = 24;
constexpr std::size_t kMaxDetailNames = 8;

using Lines = std::unordered_set<std::string_view>;

// Lines are compared without what a declaration and a body differ in.
std::string_view bare(std::string_view line) {
  constexpr std::string_view kNoise = " \t\r;{},:.";
  const std::size_t begin = line.find_first_not_of(kNoise);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(kNoise) + 1 - begin);
}
void for_each_line(std::string_view text, const auto& visit) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (const std::string_view line = bare(text.substr(0, end)); !line.empty()) visit(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}
// A header whose declarations are already there as signatures.
bool is_packed(std::string_view text, const Lines& lines) {
  std::size_t n_lines = 0;
  std::size_t n_known = 0;
  for_each_line(text, [&](std::string_view line) {
    if (line.starts_with("//") || line.starts_with("#") || line.size() < 4) return;
    ++n_lines;
    n_known += lines.count(line);
  });
  return n_known * 2 > n_lines;
}

std::size_t n_tokens_of(const auto& files) {
  std::size_t n_tokens = 0;
  for (const auto& [path, file] : files)
    n_tokens += file.chunk.n_tokens;
  return n_tokens;
}

std::vector<PackedChunk> chunks_of(auto& files) {
  std::vector<PackedChunk> chunks;
  for (auto& [path, file] : files) {
    if (!file.chunk.text.empty()) chunks.push_back(std::move(file.chunk));
  }
  return chunks;
}

void add_detail(std::span<const NearName> names, PackedChunk& chunk) {
  boost::unordered_flat_set<std::string_view> words;
  for_each_identifier(chunk.text, [&](std::size_t, std::string_view word) { words.insert(word); });
  std::size_t n_listed = 0;
  for (const NearName& name : names) {
    if (n_listed == kMaxDetailNames) break;
    if (words.contains(name.name)) chunk.detail += (n_listed++ == 0 ? "" : " ") + name.name;
  }
}

}  // namespace

std::size_t ChunkPacker::add_signatures(const std::vector<SignatureCandidate>& candidates,
                                        std::size_t shown_budget,
                                        std::size_t budget) {
  std::vector<const SignatureCandidate*> chosen =
      choose_signatures(candidates, shown_budget, budget);
  ByPath<SignatureCandidate> files;
  for (const SignatureCandidate* candidate : chosen)
    files[candidate->symbol.path].parts.push_back(candidate);
  write_all(files);
  std::size_t used = n_tokens_of(files);
  while (used > budget) {
    // The least ones, by what each costs alone; what stands around them makes it a guess.
    std::set<std::string_view> paths;
    for (std::size_t over = used - budget; !chosen.empty();) {
      const SignatureCandidate& last = *chosen.back();
      const std::size_t n_tokens = request_.count_tokens(SignatureWriter::line_of(last.symbol));
      paths.insert(last.symbol.path);
      files[last.symbol.path].parts.pop_back();
      chosen.pop_back();
      ++pack_.n_dropped;
      if (n_tokens >= over) break;
      over -= n_tokens;
    }
    for (const std::string_view path : paths)
      write(files[path]);
    used = n_tokens_of(files);
  }
  append(chunks_of(files));
  return used;
}

std::size_t ChunkPacker::add_similar(std::span<const NearName> names,
                                     PassageChooser& chooser,
                                     std::size_t budget) {
  if (budget == 0) return 0;
  std::vector<std::string_view> packed;
  Lines lines;
  for (const PackedChunk& chunk : pack_.chunks) {
    packed.push_back(chunk.text);
    for_each_line(chunk.text, [&](std::string_view line) { lines.insert(line); });
  }
  std::vector<Passage> passages =
      chooser.choose({.packed = packed,
                      .budget_tokens = budget + budget / kSpareOfPassages,
                      .bytes_per_token = static_cast<float>(bytes_per_token_),
                      .tokens_per_file = request_.overhead.per_chunk});
  pack_.n_dropped += std::erase_if(passages, [&](const Passage& passage) {
    return is_packed(passage.range.of(passage.similar->text), lines);
  });
  // Written and counted as they are; the least ones go until all fit.
  ByPath<Passage> files;
  for (const Passage& passage : passages)
    files[passage.similar->hit.path].parts.push_back(&passage);
  write_all(files);
  std::size_t used = n_tokens_of(files);
  std::size_t n_taken = passages.size();
  while (used > budget) {
    std::set<std::string_view> paths;
    for (std::size_t over = used - budget; n_taken > 0;) {
      const Passage& last = passages[--n_taken];
      paths.insert(last.similar->hit.path);
      files[last.similar->hit.path].parts.pop_back();
      const std::size_t n_tokens = request_.count_tokens(last.range.of(last.similar->text));
      if (n_tokens >= over) break;
      over -= n_tokens;
    }
    for (const std::string_view path : paths)
      write(files[path]);
    used = n_tokens_of(files);
  }
  // What the last one left may do for a smaller one.
  for (int n_misses = 0; n_taken < passages.size() && n_misses < kMaxMissesOfPassages; ++n_taken) {
    const Passage& passage = passages[n_taken];
    OfFile<Passage>& file = files[passage.similar->hit.path];
    const PackedChunk before = file.chunk;
    file.parts.push_back(&passage);
    write(file);
    const std::size_t now = used - before.n_tokens + file.chunk.n_tokens;
    if (now > budget) {
      file.parts.pop_back();
      file.chunk = before;
      ++n_misses;
      ++pack_.n_dropped;
      continue;
    }
    used = now;
  }
  pack_.n_dropped += passages.size() - n_taken;
  std::vector<PackedChunk> chunks = chunks_of(files);
  in_parallel(chunks.size(), [&](std::size_t i) { add_detail(names, chunks[i]); });
  append(std::move(chunks));
  return used;
}

std::size_t ChunkPacker::add_chunks(const std::vector<SimilarCandidate>& candidates,
                                    std::size_t budget) {
  std::vector<PackedChunk> chunks;
  std::size_t used = 0;
  for (const SimilarCandidate& similar : candidates) {
    PackedChunk chunk;
    chunk.path = similar.hit.path;
    chunk.range = similar.hit.range;
    chunk.first_line = similar.first_line;
    chunk.reason = PackReason::kSimilar;
    chunk.score = similar.hit.score;
    chunk.text = clean(mask(similar.text));
    if (!chunk.text.ends_with('\n')) chunk.text += '\n';
    finish(chunk);
    if (used + chunk.n_tokens > budget) {
      ++pack_.n_dropped;
      continue;
    }
    used += chunk.n_tokens;
    chunks.push_back(std::move(chunk));
  }
  append(std::move(chunks));
  return used;
}

// The best for what they cost, each counted alone, with a header for each new file. First those
// whose names are shown, of their own budget, then all others.
std::vector<const SignatureCandidate*> ChunkPacker::choose_signatures(
    const std::vector<SignatureCandidate>& candidates,
    std::size_t shown_budget,
    std::size_t budget) {
  struct Ranked {
    const SignatureCandidate* candidate;
    double worth;
  };
  std::vector<Ranked> ranked;
  ranked.reserve(candidates.size());
  for (const SignatureCandidate& candidate : candidates) {
    // By bytes: to count the tokens of all takes longer than all the rest.
    const double n_bytes =
        kBytesOfSignature + static_cast<double>(candidate.symbol.definition.signature.size());
    ranked.push_back({&candidate, candidate.chance / std::sqrt(n_bytes)});
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return std::pair(!a.candidate->is_shown, -a.worth) <
           std::pair(!b.candidate->is_shown, -b.worth);
  });
  // Nor are all counted that are chosen: a few say how many bytes a token has here. What is
  // written is counted, and cut where this guessed too low.
  std::size_t n_bytes = 0;
  std::size_t n_tokens = 0;
  for (std::size_t i = 0; i < std::min(ranked.size(), kCountedSignatures); ++i) {
    const std::string line = SignatureWriter::line_of(ranked[i].candidate->symbol);
    n_bytes += line.size();
    n_tokens += request_.count_tokens(line);
  }
  if (n_tokens > 0) bytes_per_token_ = static_cast<double>(n_bytes) / static_cast<double>(n_tokens);
  const auto cost_of = [&](std::size_t size) {
    return static_cast<double>(size) / bytes_per_token_;
  };
  std::vector<const SignatureCandidate*> chosen;
  std::set<std::string_view> paths;
  double used = 0;
  int n_misses = 0;
  bool was_shown = true;
  for (const Ranked& one : ranked) {
    if (std::exchange(was_shown, one.candidate->is_shown) != was_shown) n_misses = 0;
    if (n_misses == kMaxMisses) {
      if (was_shown) continue;
      break;
    }
    const std::string& path = one.candidate->symbol.path;
    double cost = cost_of(SignatureWriter::line_of(one.candidate->symbol).size());
    if (paths.count(path) == 0)
      cost += static_cast<double>(request_.overhead.per_chunk) + cost_of(path.size() + 1);
    if (used + cost > static_cast<double>(was_shown ? shown_budget : budget)) {
      ++n_misses;
      continue;
    }
    n_misses = 0;
    used += cost;
    paths.insert(path);
    chosen.push_back(one.candidate);
  }
  pack_.n_dropped += candidates.size() - chosen.size();
  return chosen;
}

template <class Part>
void ChunkPacker::write_all(ByPath<Part>& files) const {
  std::vector<OfFile<Part>*> all;
  for (auto& [path, file] : files)
    all.push_back(&file);
  in_parallel(all.size(), [&](std::size_t i) { write(*all[i]); });
}

void ChunkPacker::write(OfFile<SignatureCandidate>& file) const {
  PackedChunk& chunk = file.chunk = {};
  if (file.parts.empty()) return;
  chunk.path = file.parts.front()->symbol.path;
  chunk.reason = PackReason::kSignature;
  chunk.range = file.parts.front()->symbol.definition.range;
  std::vector<const Symbol*> symbols;
  std::vector<std::string_view> names;
  for (const SignatureCandidate* candidate : file.parts) {
    const ByteRange range = candidate->symbol.definition.range;
    chunk.range.begin = std::min(chunk.range.begin, range.begin);
    chunk.range.end = std::max(chunk.range.end, range.end);
    chunk.score += candidate->chance;
    symbols.push_back(&candidate->symbol);
    const std::string& name = candidate->symbol.definition.name;
    const bool is_new = std::find(names.begin(), names.end(), name) == names.end();
    if (is_new && names.size() < kMaxDetailNames) {
      chunk.detail += (names.empty() ? "" : " ") + name;
      names.push_back(name);
    }
  }
  chunk.text = mask(SignatureWriter(index_).write(std::move(symbols)));
  if (!chunk.text.empty()) finish(chunk);
}

// In the file's order, each masked as a part of its chunk.
void ChunkPacker::write(OfFile<Passage>& file) const {
  PackedChunk& chunk = file.chunk = {};
  if (file.parts.empty()) return;
  std::vector<const Passage*> in_order = file.parts;
  std::ranges::sort(in_order, {}, &Passage::first_line);
  chunk.path = in_order.front()->similar->hit.path;
  chunk.reason = PackReason::kSimilar;
  chunk.first_line = in_order.front()->first_line;
  for (const Passage* passage : in_order) {
    const SimilarCandidate& similar = *passage->similar;
    const auto [secrets, is_new] = file.secrets.try_emplace(&similar);
    if (is_new) secrets->second = find_secrets(similar.text);
    const std::uint32_t begin = similar.hit.range.begin + passage->range.begin;
    if (passage == in_order.front())
      chunk.range.begin = begin;
    else if (begin > chunk.range.end)
      chunk.text += '\n';  // for lines that are left out, or blank
    chunk.range.end = begin + passage->range.size();
    chunk.text += clean(mask(similar.text, passage->range, secrets->second));
    if (!chunk.text.ends_with('\n')) chunk.text += '\n';
    chunk.score = std::max(chunk.score, passage->worth);
  }
  finish(chunk);
}

void ChunkPacker::finish(PackedChunk& chunk) const {
  chunk.header = chunk.path + "\n";
  chunk.n_tokens = request_.overhead.per_chunk + request_.count_tokens(chunk.header) +
                   request_.count_tokens(chunk.text);
}

// The best last, next to the code.
void ChunkPacker::append(std::vector<PackedChunk> chunks) {
  std::stable_sort(chunks.begin(), chunks.end(), [](const PackedChunk& a, const PackedChunk& b) {
    return a.score < b.score;
  });
  for (PackedChunk& chunk : chunks) {
    pack_.n_tokens_chunks += chunk.n_tokens;
    pack_.chunks.push_back(std::move(chunk));
  }
}

}  // namespace kinglet::indexer
