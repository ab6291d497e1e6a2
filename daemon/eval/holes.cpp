#include "daemon/eval/holes.h"

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <utility>

namespace kinglet::daemon {

namespace {

using indexer::HoleKind;

struct KindRow {
  HoleKind kind;
  std::string_view name;
  double share;
};
constexpr std::array<KindRow, 4> kKinds = {{
    {HoleKind::kLine, "line", 0.45},
    {HoleKind::kBlock, "block", 0.2},
    {HoleKind::kCall, "call", 0.2},
    {HoleKind::kFirstUse, "first-use", 0.15},
}};

// Parsing every file of a large repository would take longer than the model does.
constexpr std::size_t kMinFiles = 200;
constexpr std::size_t kFilesPerHole = 8;

// Not std::shuffle: that may draw otherwise in another library, and a seed names the same holes
// everywhere.
template <class T>
void shuffle(std::vector<T>& values, std::mt19937_64& random) {
  for (std::size_t n = values.size(); n > 1; --n)
    std::swap(values[n - 1], values[random() % n]);
}

}  // namespace

Result<std::vector<HoleKind>> read_kinds(const std::vector<std::string>& names) {
  std::vector<HoleKind> kinds;
  for (const std::string& name : names) {
    const auto* const row = std::ranges::find(kKinds, name, &KindRow::name);
    if (row == kKinds.end()) {
      std::string all;
      for (const KindRow& known : kKinds)
        all += (all.empty() ? "" : ", ") + std::string(known.name);
      return fail(ErrorCode::kInvalidArgument,
                  "there are no holes of the kind \"" + name + "\"; give some of " + all);
    }
    if (std::ranges::find(kinds, row->kind) == kinds.end()) kinds.push_back(row->kind);
  }
  return kinds;
}

std::vector<ChosenHole> choose_holes(const indexer::Snapshot& index,
                                     const indexer::Root& root,
                                     const HoleWish& wish) {
  std::mt19937_64 random(wish.seed);
  std::vector<indexer::FileInfo> files = index.files();
  shuffle(files, random);
  const std::size_t n_files = std::max(kMinFiles, kFilesPerHole * wish.n_holes);
  std::map<HoleKind, std::vector<ChosenHole>> all;
  std::size_t n_looked_at = 0;
  for (const indexer::FileInfo& file : files) {
    const indexer::Language* const known = indexer::find_language(file.language);
    if (known == nullptr || known->grammar == nullptr || known->is_data) continue;
    if (n_looked_at++ == n_files) break;
    auto read = root.read(file.path, file.n_bytes);
    if (!read || indexer::hash_content(*read) != file.hash) continue;
    const auto text = std::make_shared<const std::string>(*std::move(read));
    const indexer::Language& language = indexer::language_of(file.path, *text);
    for (const indexer::Hole& hole : indexer::find_holes(index, file.path, language, *text))
      all[hole.kind].push_back({.hole = hole, .text = text, .language = &language});
  }

  const std::size_t most_in_file = std::max<std::size_t>(3, wish.n_holes / 12);
  std::map<std::string, std::vector<ByteRange>> taken;
  std::vector<ChosenHole> chosen;
  std::size_t n_kinds_left = wish.kinds.size();
  for (std::size_t i = kKinds.size(); i-- > 0;) {
    if (std::ranges::find(wish.kinds, kKinds[i].kind) == wish.kinds.end()) continue;
    const auto share =
        static_cast<std::size_t>(kKinds[i].share * static_cast<double>(wish.n_holes));
    std::size_t n_wanted = --n_kinds_left == 0 ? wish.n_holes - chosen.size() : share;
    auto& holes = all[kKinds[i].kind];
    shuffle(holes, random);
    for (ChosenHole& hole : holes) {
      if (n_wanted == 0) break;
      std::vector<ByteRange>& in_file = taken[hole.hole.path];
      const bool overlaps = std::ranges::any_of(
          in_file, [&](ByteRange range) { return range.overlaps(hole.hole.range); });
      if (in_file.size() == most_in_file || overlaps) continue;
      in_file.push_back(hole.hole.range);
      --n_wanted;
      chosen.push_back(std::move(hole));
    }
  }
  std::ranges::sort(chosen, {}, [](const ChosenHole& hole) {
    return std::pair(hole.hole.path, hole.hole.range.begin);
  });
  return chosen;
}

}  // namespace kinglet::daemon
