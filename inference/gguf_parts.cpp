// Gguf::open_whole(): models in parts. Each part is a GGUF file of its own whose keys say which of
// how many it is (split.no from 0, split.count) and how many tensors there are in all
// (split.tensors.count); its name says the first two again, and is how the others are found. Only
// the first part needs to have the keys of the model.
#include <cstdio>
#include <utility>

#include "inference/gguf.h"
#include "inference/gguf_format.h"

namespace kinglet::inference {
namespace {

// Each part is an open file and a mapping. The largest models have some hundred.
constexpr std::uint32_t kMaxParts = 512;

struct Place {
  std::uint32_t number;  // from 0
  std::uint32_t count;
  std::optional<std::uint64_t> n_tensors;  // of all parts
};

std::string text(const Place& place) {
  return "part " + std::to_string(place.number + 1) + " of " + std::to_string(place.count);
}

/// "-00002-of-00003.gguf"
std::string ending(const Place& place) {
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "-%05u-of-%05u.gguf", place.number + 1, place.count);
  return buffer;
}

/// What a file's keys say; nothing when it is no part.
Result<std::optional<Place>> place_of(const Gguf& gguf) {
  const auto count = TRY(gguf.get<std::uint32_t>("split.count"));
  if (!count || *count <= 1) return std::optional<Place>{};
  const auto number = TRY(gguf.require<std::uint32_t>("split.no"));
  if (*count > kMaxParts || number >= *count) {
    return fail(ErrorCode::kCorrupt,
                gguf.name() + ": keys 'split.no' and 'split.count' are " + std::to_string(number) +
                    " and " + std::to_string(*count) + "; parts count from 0, up to " +
                    std::to_string(kMaxParts) + " of them: download it again");
  }
  const auto n_tensors = TRY(gguf.get<std::uint64_t>("split.tensors.count"));
  return std::optional(Place{number, *count, n_tensors});
}

tl::unexpected<Error> mixed(const std::string& what) {
  return fail(ErrorCode::kCorrupt,
              what + ": parts of different models are mixed; download all of them again");
}

}  // namespace

Result<Gguf> Gguf::open_whole(Gguf part, const std::filesystem::path& path) {
  const auto found = TRY(place_of(part));
  if (!found) return part;
  const Place own = *found;
  std::string stem = path.filename().string();
  if (!stem.ends_with(ending(own))) {
    return fail(ErrorCode::kInvalidArgument,
                part.name() + " is " + text(own) +
                    " of a model, by which the others are found; give it back its name, which ends "
                    "in " +
                    ending(own));
  }
  stem.resize(stem.size() - ending(own).size());

  std::vector<Gguf> parts(own.count);
  parts[own.number] = std::move(part);
  for (std::uint32_t number = 0; number < own.count; ++number) {
    if (number == own.number) continue;
    const Place place = {number, own.count, own.n_tensors};
    auto opened = open_one(path.parent_path() / (stem + ending(place)));
    if (!opened && opened.error().code == ErrorCode::kNotFound) {
      return fail(ErrorCode::kNotFound,
                  (path.parent_path() / (stem + ending(place))).string() +
                      ": no such file; it is " + text(place) +
                      " of the model, and all must lie in one folder: download it, too");
    }
    parts[number] = TRY(std::move(opened));
    const std::string& name = parts[number].name();
    const auto claimed = TRY(place_of(parts[number]));
    if (!claimed) return mixed(name + " is no part of a model, but is named like one");
    if (claimed->number != number || claimed->count != own.count) {
      return mixed(name + " is " + text(*claimed) + ", not " + text(place));
    }
    if (claimed->n_tensors != own.n_tensors) {
      return mixed(name + " is of a model with another number of tensors than " +
                   path.filename().string());
    }
  }

  Gguf whole = std::move(parts.front());
  for (std::size_t i = 1; i < parts.size(); ++i)
    TRY(whole.add_part(std::move(parts[i])));
  if (const auto twin = whole.index_names()) {
    return mixed(path.string() + ": tensor " + quoted(*twin) + " is in two of the model's parts");
  }
  if (own.n_tensors && *own.n_tensors != whole.tensors_.size()) {
    return mixed(path.string() + ": the model's parts have " +
                 std::to_string(whole.tensors_.size()) + " tensors, not the " +
                 std::to_string(*own.n_tensors) + " that key 'split.tensors.count' promises");
  }
  whole.name_ = path.string();
  return whole;
}

/// What a later part says of the model, the first must say, too.
Result<void> Gguf::add_part(Gguf part) {
  for (const Value& value : part.values_) {
    const Value* first = find_value(value.key);
    if (first == nullptr || value.key == "split.no") continue;
    if (value.type != first->type || value.element_type != first->element_type ||
        as_text(value.bytes) != as_text(first->bytes)) {
      return mixed(part.name_ + ": key " + quoted(value.key) + " is not what it is in " +
                   std::filesystem::path(name_).filename().string());
    }
  }
  tensors_.insert(tensors_.end(), part.tensors_.begin(), part.tensors_.end());
  parts_.push_back(std::move(part));
  return {};
}

}  // namespace kinglet::inference
