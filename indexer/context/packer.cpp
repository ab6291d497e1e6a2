#include "indexer/context/packer.h"

#include <algorithm>
#include <cassert>
#include <cctype>
#include <future>
#include <utility>

#include "indexer/bytes.h"
#include "indexer/clean_text.h"
#include "indexer/context/candidates.h"
#include "indexer/context/chunk_packer.h"
#include "indexer/context/enclosing.h"
#include "indexer/context/file_window.h"
#include "indexer/context/neighborhood.h"
#include "indexer/context/secrets.h"

namespace kinglet::indexer {
namespace {

// How many candidates are looked at: more than fit.
constexpr std::size_t kMinSignatures = 512;
constexpr std::size_t kTokensPerSignature = 16;
constexpr std::size_t kMinSimilar = 64;  // chunks
constexpr std::size_t kMaxSimilar = 384;
constexpr std::size_t kTokensPerSimilar = 96;
// Of it, so many tokens are read for each that may be packed, and so many at least: what lies
// beyond is hardly ever taken, and takes time.
constexpr std::size_t kTokensReadPerToken = 12;
constexpr std::size_t kMinTokensRead = 8000;
constexpr std::size_t kMinRelated = 8;  // files
constexpr std::size_t kMaxRelated = 120;
constexpr std::size_t kTokensPerRelated = 800;
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
  const ByteRange range{pack.cut, end};
  const std::string typed =
      fit_to_send(mask(request.text, range, find_secrets_around(request.text, range)));
  const Fit fit = fit_last_characters(typed, request.budget_tokens - used, request.count_tokens);
  pack.typed = typed.substr(typed.size() - fit.n_bytes);
  pack.typed_cut = !fit.is_whole;
  pack.n_tokens_typed = fit.n_tokens;
  pack.n_tokens = used + fit.n_tokens;
}

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
  const std::string_view after = first_lines(cut.after, has_suffix ? request.max_lines_after : 0);
  // Of both sides at once: a secret's name may stand in another part of the text than the secret.
  const auto range_of = [&](std::string_view side) {
    const auto begin = static_cast<std::uint32_t>(side.data() - request.text.data());
    return ByteRange{begin, begin + static_cast<std::uint32_t>(side.size())};
  };
  const std::vector<ByteRange> secrets =
      find_secrets_around(request.text, {range_of(before).begin, range_of(after).end});
  const auto masked = [&](std::string_view side) {
    return fit_to_send(mask(request.text, range_of(side), secrets));
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
  // Similar code alone is sought by what the line stands in: as a sign of what is named next it
  // says nothing.
  std::vector<NearName> sought = names;
  const bool is_bm25 = request.method == PackMethod::kBm25;  // by the names around alone
  std::vector<std::string> enclosing;
  if (!is_bm25) enclosing = enclosing_names(index, request.path, cut.before);
  add_enclosing(enclosing, sought);
  std::vector<RecentPlace> recent = request.recent;
  std::erase_if(recent, [&](const RecentPlace& place) {
    return place.path == request.path && place.range.end >= begin_of_shown &&
           place.range.begin <= end_of_shown;
  });
  const Recency recency(recent);
  SimilarRequest similar_request;
  similar_request.recency = is_bm25 ? nullptr : &recency;
  similar_request.enclosing = enclosing;
  similar_request.path = request.path;
  similar_request.text = request.text;
  similar_request.window = {static_cast<std::uint32_t>(begin_of_shown),
                            static_cast<std::uint32_t>(end_of_shown)};
  similar_request.read_text = request.read_text;
  similar_request.limit = std::clamp(chunk_share / kTokensPerSimilar, kMinSimilar, kMaxSimilar);
  const std::vector<SimilarCandidate> similar =
      similar_candidates(index, sought, similar_request, pack.n_dropped);
  if (stop.stop_requested()) return cancelled();
  ChunkPacker chunks(index, request, pack);
  std::size_t n_chunks = 0;  // tokens
  if (is_bm25) {
    n_chunks = chunks.add_chunks(similar, chunk_share);
  } else {
    const std::size_t for_signatures =
        std::max(part(chunk_share, request.shares.signatures),
                 std::min(kLeastForSignatures, part(chunk_share, kMostForSignatures)));
    // Similar code is read on another core meanwhile, where there is one to be had.
    const std::size_t to_read =
        std::max(kMinTokensRead, kTokensReadPerToken * (chunk_share - for_signatures));
    auto reading = std::async([&] { return PassageChooser(sought, similar, to_read); });
    const SignatureRequest signature_request{
        .path = request.path,
        .before = cut.before,
        .after = cut.after,
        .window_begin = begin_of_shown,
        .similar = similar,
        .limit = std::max(kMinSignatures, chunk_share / kTokensPerSignature),
        .related_files = std::clamp(chunk_share / kTokensPerRelated, kMinRelated, kMaxRelated),
        .history = request.history,
        .recency = &recency};
    const std::vector<SignatureCandidate> signatures =
        signature_candidates(index, names, signature_request);
    if (stop.stop_requested()) return cancelled();
    n_chunks =
        chunks.add_signatures(signatures, part(chunk_share, request.shares.shown), for_signatures);
    if (stop.stop_requested()) return cancelled();
    PassageChooser chooser = reading.get();
    n_chunks += chunks.add_similar(sought, chooser, chunk_share - n_chunks);
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
