// Snapshot::search: BM25 over chunks (Robertson and Zaragoza, "The Probabilistic Relevance
// Framework: BM25 and Beyond", 2009).
//
// Everything that enters a score (how many chunks there are, how many hold a term, their mean
// length) is counted over live chunks only, so that scores do not depend on how the index came to
// be.
#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <tuple>

#include "indexer/index.h"
#include "indexer/segment.h"

namespace kinglet::indexer {
namespace {

constexpr double kSaturation = 1.2;     // k1
constexpr double kLengthWeight = 0.75;  // b
// Scores are rounded, so that the last bit of a logarithm does not decide between two chunks.
constexpr double kScoreSteps = 4096;

}  // namespace

std::size_t Snapshot::n_chunks_with(std::string_view name) const {
  std::size_t n_chunks = 0;
  const std::uint64_t hash = NameSlots::hash(name);
  for (const Part& part : parts_) {
    const Segment& segment = *part.segment;
    const auto id = segment.find_name(name, hash);
    if (!id) continue;
    if (!part.dead) {
      n_chunks += segment.n_chunks_with(*id);
      continue;
    }
    segment.for_each_term(*id, [&](std::uint32_t chunk, std::uint32_t) {
      n_chunks += (*part.dead)[segment.chunks()[chunk].file] ? 0 : 1;
    });
  }
  return n_chunks;
}

std::vector<ChunkHit> Snapshot::search(const SearchQuery& query) const {
  std::map<std::string_view, double> weights;
  for (const SearchTerm& term : query.terms)
    weights[term.name] += term.weight;

  const auto is_live = [](const Part& part, std::uint32_t file) {
    return !part.dead || !(*part.dead)[file];
  };
  std::uint64_t n_chunks = 0;
  std::uint64_t n_terms = 0;
  for (const Part& part : parts_) {
    for (std::uint32_t i = 0; i < part.segment->files().size(); ++i) {
      if (!is_live(part, i)) continue;
      n_chunks += part.segment->files()[i].n_chunks;
      n_terms += part.segment->files()[i].n_terms;
    }
  }
  if (n_chunks == 0 || query.limit == 0) return {};
  const double mean_length =
      std::max(1.0, static_cast<double>(n_terms) / static_cast<double>(n_chunks));

  struct Tally {
    double score = 0;
    std::uint32_t n_matched = 0;
  };
  std::vector<std::vector<Tally>> tallies(parts_.size());
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    tallies[i].resize(parts_[i].segment->chunks().size());
  }
  struct Posting {
    std::size_t part;
    std::uint32_t chunk, count;
  };
  std::vector<Posting> postings;
  for (const auto& [name, weight] : weights) {
    if (!(weight > 0)) continue;
    postings.clear();
    const std::uint64_t hash = NameSlots::hash(name);
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const Segment& segment = *parts_[i].segment;
      const auto id = segment.find_name(name, hash);
      if (!id) continue;
      segment.for_each_term(*id, [&](std::uint32_t chunk, std::uint32_t count) {
        if (is_live(parts_[i], segment.chunks()[chunk].file)) postings.push_back({i, chunk, count});
      });
    }
    const double n_holding = static_cast<double>(postings.size());
    const double idf =
        std::log(1 + (static_cast<double>(n_chunks) - n_holding + 0.5) / (n_holding + 0.5));
    for (const Posting& posting : postings) {
      const double length = parts_[posting.part].segment->chunks()[posting.chunk].n_terms;
      const double norm = 1 - kLengthWeight + kLengthWeight * length / mean_length;
      const double count = posting.count;
      Tally& tally = tallies[posting.part][posting.chunk];
      tally.score += weight * idf * count * (kSaturation + 1) / (count + kSaturation * norm);
      ++tally.n_matched;
    }
  }

  // Places first: a hit's path is written only for those that are wanted.
  struct Place {
    float score;
    std::uint32_t part, chunk;
  };
  std::vector<Place> places;
  for (std::uint32_t i = 0; i < parts_.size(); ++i) {
    for (std::uint32_t chunk = 0; chunk < tallies[i].size(); ++chunk) {
      const Tally& tally = tallies[i][chunk];
      if (tally.n_matched == 0) continue;
      places.push_back(
          {static_cast<float>(std::round(tally.score * kScoreSteps) / kScoreSteps), i, chunk});
    }
  }
  const auto path_of = [&](const Place& place) {
    const Segment& segment = *parts_[place.part].segment;
    return segment.path_of(segment.chunks()[place.chunk].file);
  };
  const auto begin_of = [&](const Place& place) {
    return parts_[place.part].segment->chunks()[place.chunk].range.begin;
  };
  const std::size_t n_wanted = std::min(query.limit, places.size());
  std::partial_sort(places.begin(),
                    places.begin() + static_cast<std::ptrdiff_t>(n_wanted),
                    places.end(),
                    [&](const Place& a, const Place& b) {
                      if (a.score != b.score) return a.score > b.score;
                      return std::tuple(path_of(a), begin_of(a)) <
                             std::tuple(path_of(b), begin_of(b));
                    });
  std::vector<ChunkHit> hits;
  hits.reserve(n_wanted);
  for (std::size_t i = 0; i < n_wanted; ++i) {
    const Place& place = places[i];
    const Segment::ChunkEntry& entry = parts_[place.part].segment->chunks()[place.chunk];
    hits.push_back({std::string(path_of(place)),
                    entry.range,
                    entry.hash,
                    place.score,
                    tallies[place.part][place.chunk].n_matched});
  }
  return hits;
}

}  // namespace kinglet::indexer
