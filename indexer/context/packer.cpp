#include "indexer/context/packer.h"

#include <algorithm>
#include <cassert>
#include <cctype>
#include <cmath>
#include <map>
#include <set>
#include <span>
#include <unordered_set>
#include <utility>

#include "indexer/bytes.h"
#include "indexer/clean_text.h"
#include "indexer/context/candidates.h"
#include "indexer/context/file_window.h"
#include "indexer/context/neighborhood.h"
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
// How many candidates are looked at: more than fit.
constexpr std::size_t kMinSignatures = 512;
constexpr std::size_t kTokensPerSignature = 8;
constexpr std::size_t kMinSimilar = 128;  // chunks
constexpr std::size_t kMaxSimilar = 768;
constexpr std::size_t kTokensPerSimilar = 64;
constexpr std::size_t kMinRelated = 20;  // files
constexpr std::size_t kMaxRelated = 120;
constexpr std::size_t kTokensPerRelated = 400;
constexpr std::size_t kMaxDetailNames = 8;
// Of a small budget signatures get more than their share: up to so many tokens, and so much of it.
constexpr std::size_t kLeastForSignatures = 1600;
constexpr double kMostForSignatures = 0.85;
// Chunks of the current file nearer than this many bytes per token of the whole budget are left to
// the window, which may still grow over them.
constexpr std::size_t kWindowBytesPerToken = 6;
// What may follow the cursor in what was typed: closing brackets that came by themselves.
constexpr std::size_t kMaxBytesLeftOut = 200;
constexpr std::ptrdiff_t kMaxLinesLeftOut = 8;  // below the cursor's

// The document cut in two, with what is typed in between.
struct Cut {
  std::string_view before;
  std::string_view typed;     // up to the cursor
  std::string_view left_out;  // from the cursor on
  std::string_view after;     // from the start of a line on
};

std::size_t character_at(std::string_view text, ByteOffset cursor) {
  std::size_t at = std::min<std::size_t>(value(cursor), text.size());
  while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
    --at;
  return at;
}

Cut cut_between(std::string_view text, std::size_t begin, std::size_t cursor, std::size_t end) {
  return {.before = text.substr(0, begin),
          .typed = text.substr(begin, cursor - begin),
          .left_out = text.substr(cursor, end - cursor),
          .after = text.substr(end)};
}

// At the cursor's line.
Cut cut_at(std::string_view text, ByteOffset cursor) {
  const std::size_t at = character_at(text, cursor);
  const std::size_t line_feed = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  const std::size_t begin = line_feed == std::string_view::npos ? 0 : line_feed + 1;
  const std::size_t line_end = text.find('\n', at);
  const std::size_t end = line_end == std::string_view::npos ? text.size() : line_end + 1;
  return cut_between(text, begin, at, end);
}

// Where a layout was cut, unless the cursor is not in between any more.
std::optional<Cut> cut_as(const Pack& layout, std::string_view text, ByteOffset cursor) {
  const std::size_t at = character_at(text, cursor);
  if (text.size() < std::size_t{layout.cut} + layout.n_after) return std::nullopt;
  const std::size_t end = text.size() - layout.n_after;
  if (at < layout.cut || at > end) return std::nullopt;
  const Cut cut = cut_between(text, layout.cut, at, end);
  // Else the cursor is on the suffix's first line, which may have been joined to what is typed.
  if (!cut.after.empty() && !cut.left_out.ends_with('\n')) return std::nullopt;
  return cut;
}

// Brackets, quotes, a closing tag; not a word of code, but for one that closes.
bool only_closes(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = line.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return true;
  line = line.substr(begin, line.find_last_not_of(kBlank) + 1 - begin);
  if (line == "end" || line.starts_with("</")) return true;
  return std::ranges::none_of(line, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return std::isalnum(byte) != 0 || c == '_' || byte >= 0x80;
  });
}

// Whether a prompt may do without what follows the cursor. On one line it always may: another
// layout would be cut at the same places.
bool may_leave_out(const Cut& cut) {
  std::string_view rest = cut.left_out;
  if (rest.ends_with('\n')) rest.remove_suffix(1);
  const auto n_lines = std::ranges::count(rest, '\n');
  if (n_lines == 0 && cut.typed.find('\n') == std::string_view::npos) return true;
  if (n_lines > kMaxLinesLeftOut || rest.size() > kMaxBytesLeftOut) return false;
  for (std::size_t at = rest.find('\n'); at != std::string_view::npos;) {
    const std::size_t next = rest.find('\n', at + 1);
    if (!only_closes(rest.substr(at + 1, next - at - 1))) return false;
    at = next;
  }
  return true;
}

// All that a layout depends on besides the index.
ContentHash surroundings_of(const PackRequest& request, const Cut& cut) {
  std::string key;
  write_string(key, request.path);
  write_string(key, to_hex(hash_content(cut.before)));
  write_string(key, to_hex(hash_content(cut.after)));
  for (const std::size_t number : {static_cast<std::size_t>(request.method),
                                   request.budget_tokens,
                                   request.overhead.fixed,
                                   request.overhead.per_chunk,
                                   request.typed_reserve_tokens,
                                   request.max_lines_before,
                                   request.max_lines_after,
                                   request.max_chunk_tokens}) {
    write_number(key, number);
  }
  for (const double share : {request.shares.file,
                             request.shares.signatures,
                             request.shares.shown,
                             request.shares.prefix_of_file}) {
    write_string(key, std::to_string(share));
  }
  return hash_content(key);
}

std::string fit_to_send(std::string text) {
  if (!is_valid_utf8(text)) text = clean(text);
  return text;
}

// Writes `typed` and all sums. The rest of the pack is final.
void set_typed(Pack& pack, const PackRequest& request, const Cut& cut) {
  const std::size_t used =
      request.overhead.fixed + pack.n_tokens_chunks + pack.n_tokens_prefix + pack.n_tokens_suffix;
  assert(used <= request.budget_tokens);
  const auto end = static_cast<std::uint32_t>(pack.cut + cut.typed.size());
  const std::string typed = fit_to_send(mask_within(request.text, {pack.cut, end}));
  const Fit fit = fit_last_characters(typed, request.budget_tokens - used, request.count_tokens);
  pack.typed = typed.substr(typed.size() - fit.n_bytes);
  pack.typed_cut = !fit.is_whole;
  pack.n_tokens_typed = fit.n_tokens;
  pack.n_tokens = used + fit.n_tokens;
}

// Adds chunks to a pack under a budget of tokens, header and overhead included.
class ChunkPacker {
 public:
  ChunkPacker(const Snapshot& index, const PackRequest& request, Pack& pack)
      : writer_(index), request_(request), pack_(pack) {}

  /// What the chunks of this call cost, at most `budget`. One chunk a file.
  ///
  /// Tokens do not add: signatures are chosen by what each costs alone, then the chunks are written
  /// and counted as they are, and the least ones go until all fit.
  std::size_t add_signatures(const std::vector<SignatureCandidate>& candidates,
                             std::size_t shown_budget,
                             std::size_t budget) {
    std::vector<const SignatureCandidate*> chosen =
        choose_signatures(candidates, shown_budget, budget);
    std::map<std::string, PackedChunk> chunks;
    for (const SignatureCandidate* candidate : chosen)
      chunks[candidate->symbol.path];
    for (auto& [path, chunk] : chunks)
      write_signatures(path, chosen, chunk);
    std::size_t used = n_tokens_of(chunks);
    while (used > budget) {
      // The least ones, by what each costs alone; what stands around them makes it a guess.
      std::set<std::string> paths;
      for (std::size_t over = used - budget; !chosen.empty();) {
        const SignatureCandidate& last = *chosen.back();
        const std::size_t n_tokens = request_.count_tokens(SignatureWriter::line_of(last.symbol));
        paths.insert(last.symbol.path);
        chosen.pop_back();
        ++pack_.n_dropped;
        if (n_tokens >= over) break;
        over -= n_tokens;
      }
      for (const std::string& path : paths) {
        write_signatures(path, chosen, chunks[path]);
        if (chunks[path].text.empty()) chunks.erase(path);
      }
      used = n_tokens_of(chunks);
    }
    std::vector<PackedChunk> list;
    list.reserve(chunks.size());
    for (auto& [path, chunk] : chunks) {
      list.push_back(std::move(chunk));
    }
    append(std::move(list));
    return used;
  }

  /// What the chunks of this call cost, at most `budget`. One chunk a file.
  std::size_t add_similar(std::span<const NearName> names,
                          const std::vector<SimilarCandidate>& candidates,
                          std::size_t budget) {
    if (candidates.empty() || budget == 0) return 0;
    std::vector<std::string_view> packed;
    Lines lines;
    for (const PackedChunk& chunk : pack_.chunks) {
      packed.push_back(chunk.text);
      for_each_line(chunk.text, [&](std::string_view line) { lines.insert(line); });
    }
    std::vector<Passage> passages =
        choose_passages({.names = names,
                         .similar = candidates,
                         .packed = packed,
                         .budget_tokens = budget + budget / kSpareOfPassages,
                         .bytes_per_token = static_cast<float>(bytes_per_token_),
                         .tokens_per_file = request_.overhead.per_chunk});
    pack_.n_dropped += std::erase_if(passages, [&](const Passage& passage) {
      return is_packed(passage.range.of(passage.similar->text), lines);
    });
    // Written and counted as they are; the least ones go until all fit.
    std::map<std::string_view, PackedChunk> chunks;
    for (const Passage& passage : passages)
      chunks[passage.similar->hit.path];
    for (auto& [path, chunk] : chunks)
      write_passages(path, passages, chunk);
    std::size_t used = n_tokens_of(chunks);
    std::vector<Passage> left_out;
    while (used > budget) {
      std::set<std::string_view> paths;
      for (std::size_t over = used - budget; !passages.empty();) {
        const Passage& last = left_out.emplace_back(passages.back());
        passages.pop_back();
        paths.insert(last.similar->hit.path);
        const std::size_t n_tokens = request_.count_tokens(last.range.of(last.similar->text));
        if (n_tokens >= over) break;
        over -= n_tokens;
      }
      for (const std::string_view path : paths) {
        write_passages(path, passages, chunks[path]);
        if (chunks[path].text.empty()) chunks.erase(path);
      }
      used = n_tokens_of(chunks);
    }
    // What the last one left may do for a smaller one.
    int n_misses = 0;
    for (; !left_out.empty() && n_misses < kMaxMissesOfPassages; left_out.pop_back()) {
      passages.push_back(left_out.back());
      const std::string_view path = passages.back().similar->hit.path;
      PackedChunk chunk;
      write_passages(path, passages, chunk);
      const auto before = chunks.find(path);
      const std::size_t rest = used - (before == chunks.end() ? 0 : before->second.n_tokens);
      if (rest + chunk.n_tokens > budget) {
        passages.pop_back();
        ++n_misses;
        ++pack_.n_dropped;
        continue;
      }
      used = rest + chunk.n_tokens;
      chunks[path] = std::move(chunk);
    }
    pack_.n_dropped += left_out.size();
    std::vector<PackedChunk> list;
    for (auto& [path, chunk] : chunks) {
      add_detail(names, chunk);
      list.push_back(std::move(chunk));
    }
    append(std::move(list));
    return used;
  }

  /// Whole ones, as long as they fit.
  std::size_t add_chunks(const std::vector<SimilarCandidate>& candidates, std::size_t budget) {
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

 private:
  using Lines = std::unordered_set<std::string_view>;

  // The best for what they cost, each counted alone, with a header for each new file. First those
  // whose names are shown, of their own budget, then all others.
  std::vector<const SignatureCandidate*> choose_signatures(
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
    if (n_tokens > 0)
      bytes_per_token_ = static_cast<double>(n_bytes) / static_cast<double>(n_tokens);
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

  // All of `chosen` that are in one file; `chosen` is best first.
  void write_signatures(const std::string& path,
                        const std::vector<const SignatureCandidate*>& chosen,
                        PackedChunk& chunk) {
    chunk = {};
    chunk.path = path;
    chunk.reason = PackReason::kSignature;
    std::vector<const Symbol*> symbols;
    std::vector<std::string_view> names;
    for (const SignatureCandidate* candidate : chosen) {
      if (candidate->symbol.path != path) continue;
      const ByteRange range = candidate->symbol.definition.range;
      if (symbols.empty()) chunk.range = range;
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
    chunk.text = mask(writer_.write(std::move(symbols)));
    if (!chunk.text.empty()) finish(chunk);
  }

  // Those of one file in their order, each masked as a part of its chunk.
  void write_passages(std::string_view path,
                      const std::vector<Passage>& passages,
                      PackedChunk& chunk) {
    chunk = {};
    chunk.path = path;
    chunk.reason = PackReason::kSimilar;
    std::vector<const Passage*> own;
    for (const Passage& passage : passages) {
      if (passage.similar->hit.path == path) own.push_back(&passage);
    }
    if (own.empty()) return;
    std::ranges::sort(own, {}, &Passage::first_line);
    chunk.first_line = own.front()->first_line;
    for (const Passage* passage : own) {
      const SimilarCandidate& similar = *passage->similar;
      const auto [secrets, is_new] = secrets_.try_emplace(&similar);
      if (is_new) secrets->second = find_secrets(similar.text);
      const std::uint32_t begin = similar.hit.range.begin + passage->range.begin;
      if (passage == own.front())
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

  // Lines are compared without what a declaration and a body differ in.
  static std::string_view bare(std::string_view line) {
    constexpr std::string_view kNoise = " \t\r;{},:.";
    const std::size_t begin = line.find_first_not_of(kNoise);
    if (begin == std::string_view::npos) return {};
    return line.substr(begin, line.find_last_not_of(kNoise) + 1 - begin);
  }
  static void for_each_line(std::string_view text, const auto& visit) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      if (const std::string_view line = bare(text.substr(0, end)); !line.empty()) visit(line);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }
  // A header whose declarations are already there as signatures.
  static bool is_packed(std::string_view text, const Lines& lines) {
    std::size_t n_lines = 0;
    std::size_t n_known = 0;
    for_each_line(text, [&](std::string_view line) {
      if (line.starts_with("//") || line.starts_with("#") || line.size() < 4) return;
      ++n_lines;
      n_known += lines.count(line);
    });
    return n_known * 2 > n_lines;
  }

  static std::size_t n_tokens_of(const auto& chunks) {
    std::size_t n_tokens = 0;
    for (const auto& [path, chunk] : chunks)
      n_tokens += chunk.n_tokens;
    return n_tokens;
  }

  static void add_detail(std::span<const NearName> names, PackedChunk& chunk) {
    std::set<std::string_view> words;
    for_each_identifier(chunk.text,
                        [&](std::size_t, std::string_view word) { words.insert(word); });
    std::size_t n_listed = 0;
    for (const NearName& name : names) {
      if (n_listed == kMaxDetailNames) break;
      if (words.contains(name.name)) chunk.detail += (n_listed++ == 0 ? "" : " ") + name.name;
    }
  }

  void finish(PackedChunk& chunk) const {
    chunk.header = chunk.path + "\n";
    chunk.n_tokens = request_.overhead.per_chunk + request_.count_tokens(chunk.header) +
                     request_.count_tokens(chunk.text);
  }

  // The best last, next to the code.
  void append(std::vector<PackedChunk> chunks) {
    std::stable_sort(chunks.begin(), chunks.end(), [](const PackedChunk& a, const PackedChunk& b) {
      return a.score < b.score;
    });
    for (PackedChunk& chunk : chunks) {
      pack_.n_tokens_chunks += chunk.n_tokens;
      pack_.chunks.push_back(std::move(chunk));
    }
  }

  SignatureWriter writer_;
  const PackRequest& request_;
  Pack& pack_;
  double bytes_per_token_ = 3;  // a guess, better once signatures were counted
  std::map<const SimilarCandidate*, std::vector<ByteRange>> secrets_;
};

// The current file around the line, masked: what the window is cut from.
struct File {
  std::string before;
  std::string after;
};

std::string_view last_lines(std::string_view text, std::size_t n) {
  std::size_t begin = text.size();
  for (; n > 0 && begin > 0; --n) {
    const std::size_t line_feed = begin < 2 ? std::string_view::npos : text.rfind('\n', begin - 2);
    begin = line_feed == std::string_view::npos ? 0 : line_feed + 1;
  }
  return text.substr(begin);
}

std::string_view first_lines(std::string_view text, std::size_t n) {
  std::size_t end = 0;
  for (; n > 0 && end < text.size(); --n)
    end = std::min(text.find('\n', end), text.size() - 1) + 1;
  return text.substr(0, end);
}

// What one side does not need goes to the other.
void lay_out_file(const File& file, const PackRequest& request, std::size_t budget, Pack& pack) {
  const auto share_of_prefix =
      static_cast<std::size_t>(static_cast<double>(budget) * request.shares.prefix_of_file);
  Fit suffix = fit_first_lines(file.after, budget - share_of_prefix, request.count_tokens);
  const auto& count_prefix =
      request.count_prefix_tokens ? request.count_prefix_tokens : request.count_tokens;
  const Fit prefix = fit_last_lines(file.before, budget - suffix.n_tokens, count_prefix);
  if (prefix.is_whole && !suffix.is_whole) {
    suffix = fit_first_lines(file.after, budget - prefix.n_tokens, request.count_tokens);
  }
  pack.prefix = file.before.substr(file.before.size() - prefix.n_bytes);
  pack.suffix = file.after.substr(0, suffix.n_bytes);
  pack.n_tokens_prefix = prefix.n_tokens;
  pack.n_tokens_suffix = suffix.n_tokens;
}

Result<void> check(const PackRequest& request) {
  if (!request.count_tokens || !request.read_text) {
    return fail(ErrorCode::kInvalidArgument, "pack: count_tokens and read_text must be given");
  }
  if (request.budget_tokens < request.overhead.fixed) {
    return fail(ErrorCode::kInvalidArgument,
                "pack: a budget of " + std::to_string(request.budget_tokens) +
                    " tokens is less than the format's own " +
                    std::to_string(request.overhead.fixed));
  }
  if (request.text.size() > UINT32_MAX) {
    return fail(ErrorCode::kUnsupported, "pack: " + request.path + " is larger than 4 GiB");
  }
  const auto is_share = [](double share) { return share >= 0 && share <= 1; };
  const PackShares& shares = request.shares;
  if (!is_share(shares.file) || !is_share(shares.signatures) || !is_share(shares.shown) ||
      !is_share(shares.prefix_of_file)) {
    return fail(ErrorCode::kInvalidArgument, "pack: shares lie between 0 and 1");
  }
  return {};
}

}  // namespace

std::string_view name_of(PackReason reason) {
  return reason == PackReason::kSignature ? "signature" : "similar";
}

Result<Pack> pack(const Snapshot& index, const PackRequest& request, const std::stop_token& stop) {
  const auto valid = check(request);
  if (!valid) return tl::unexpected(valid.error());
  const auto cancelled = [] { return fail(ErrorCode::kCancelled, "pack: cancelled"); };
  const Cut cut = cut_at(request.text, request.cursor);
  Pack pack;
  pack.cut = static_cast<std::uint32_t>(cut.before.size());
  pack.n_after = static_cast<std::uint32_t>(cut.after.size());
  pack.surroundings = surroundings_of(request, cut);

  const std::size_t room = request.budget_tokens - request.overhead.fixed;
  const std::size_t layout = room - std::min(request.typed_reserve_tokens, room / 4);
  const auto part = [](std::size_t of, double share) {
    return static_cast<std::size_t>(static_cast<double>(of) * share);
  };

  // The file's own share first, to know what it leaves.
  const std::size_t file_share = part(layout, request.shares.file);
  const bool has_suffix = request.shares.prefix_of_file < 1;
  const std::string_view before = last_lines(cut.before, request.max_lines_before);
  const std::string_view after =
      has_suffix ? first_lines(cut.after, request.max_lines_after) : std::string_view();
  // Of the whole text: a secret's name may stand in another part of it than the secret.
  const std::vector<ByteRange> secrets = find_secrets(request.text);
  const auto masked = [&](std::string_view side) {
    const auto begin = static_cast<std::uint32_t>(side.data() - request.text.data());
    const auto end = begin + static_cast<std::uint32_t>(side.size());
    return fit_to_send(mask(request.text, {begin, end}, secrets));
  };
  const File file{masked(before), after.empty() ? std::string() : masked(after)};
  lay_out_file(file, request, file_share, pack);
  const bool is_whole =
      pack.prefix.size() == file.before.size() && pack.suffix.size() == file.after.size();
  const std::size_t chunk_share =
      std::min(request.max_chunk_tokens,
               layout - (is_whole ? pack.n_tokens_prefix + pack.n_tokens_suffix : file_share));
  if (stop.stop_requested()) return cancelled();

  // What lies beyond the window's reach is as far away as another file.
  const std::size_t reach = layout * kWindowBytesPerToken;
  const std::size_t begin_of_shown =
      cut.before.size() - std::min(reach, last_lines(cut.before, request.max_lines_before).size());
  const std::size_t end_of_shown =
      request.text.size() - cut.after.size() +
      std::min(reach, first_lines(cut.after, request.max_lines_after).size());
  const std::vector<NearName> names =
      near_names(cut.before.substr(cut.before.size() - std::min(cut.before.size(), reach)),
                 cut.after.substr(0, reach));
  SimilarRequest similar_request;
  similar_request.path = request.path;
  similar_request.text = request.text;
  similar_request.window = {static_cast<std::uint32_t>(begin_of_shown),
                            static_cast<std::uint32_t>(end_of_shown)};
  similar_request.read_text = request.read_text;
  similar_request.limit = std::clamp(chunk_share / kTokensPerSimilar, kMinSimilar, kMaxSimilar);
  const std::vector<SimilarCandidate> similar =
      similar_candidates(index, names, similar_request, pack.n_dropped);
  if (stop.stop_requested()) return cancelled();
  ChunkPacker chunks(index, request, pack);
  std::size_t n_chunks = 0;  // tokens
  if (request.method == PackMethod::kBm25) {
    n_chunks = chunks.add_chunks(similar, chunk_share);
  } else {
    const SignatureRequest signature_request{
        .path = request.path,
        .before = cut.before,
        .after = cut.after,
        .window_begin = begin_of_shown,
        .similar = similar,
        .limit = std::max(kMinSignatures, chunk_share / kTokensPerSignature),
        .related_files = std::clamp(chunk_share / kTokensPerRelated, kMinRelated, kMaxRelated),
        .history = request.history};
    const std::vector<SignatureCandidate> signatures =
        signature_candidates(index, names, signature_request);
    if (stop.stop_requested()) return cancelled();
    const std::size_t for_signatures =
        std::max(part(chunk_share, request.shares.signatures),
                 std::min(kLeastForSignatures, part(chunk_share, kMostForSignatures)));
    n_chunks =
        chunks.add_signatures(signatures, part(chunk_share, request.shares.shown), for_signatures);
    if (stop.stop_requested()) return cancelled();
    n_chunks += chunks.add_similar(names, similar, chunk_share - n_chunks);
  }
  if (stop.stop_requested()) return cancelled();

  // What the chunks leave goes back to the file.
  const std::size_t file_budget = layout - n_chunks;
  if (!is_whole && file_budget > file_share) lay_out_file(file, request, file_budget, pack);
  set_typed(pack, request, cut);
  return pack;
}

std::optional<Pack> retype(const Pack& previous, const PackRequest& request) {
  if (!check(request)) return std::nullopt;
  const auto cut = cut_as(previous, request.text, request.cursor);
  if (!cut || !may_leave_out(*cut) || surroundings_of(request, *cut) != previous.surroundings)
    return std::nullopt;
  Pack pack = previous;
  set_typed(pack, request, *cut);
  // A line that is too long alone is too long for every layout.
  const bool is_one_line = cut->typed.find('\n') == std::string_view::npos;
  if (pack.typed_cut && !is_one_line) return std::nullopt;
  return pack;
}

}  // namespace kinglet::indexer
