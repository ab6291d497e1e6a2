#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "inference/gguf.h"
#include "inference/model.h"
#include "tests/inference/synthetic_gguf.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::inference {
namespace {

using test::GgufWriter;

GgufWriter whole_model() {
  return test::synthetic_gguf({.seed = 3, .hidden = 64, .layers = 2, .ffn = 64});
}

struct Folder : test::TemporaryFolder {
  explicit Folder(const std::vector<GgufWriter>& parts) {
    for (std::size_t i = 0; i < parts.size(); ++i)
      test::write_file((*this / test::kPartNames[i]).string(), parts[i].bytes());
  }
  std::string name(std::size_t i) const { return (*this / test::kPartNames[i]).string(); }
};

/// Why the model does not open after `spoil`, without the folder's path.
std::string refusal(const std::function<void(std::vector<GgufWriter>&)>& spoil) {
  auto parts = test::three_parts(whole_model());
  spoil(parts);
  const Folder folder(parts);
  const auto opened = Gguf::open(folder / test::kPartNames[0]);
  if (opened) return "it opened";
  CHECK(opened.error().code == ErrorCode::kCorrupt);
  const std::string path = folder.path().string() + "/";
  REQUIRE(opened.error().message.find(path) == 0);
  return opened.error().message.substr(path.size());
}

}  // namespace

TEST_SUITE("inference/gguf_parts") {
  TEST_CASE("the path of any part opens the whole model") {
    const auto bytes = whole_model().bytes();
    const auto whole = Gguf::parse(bytes, "whole").value();
    const Folder folder(test::three_parts(whole_model()));
    for (std::size_t i = 0; i < 3; ++i) {
      auto opened = Gguf::open(folder / test::kPartNames[i]);
      REQUIRE(opened);
      const Gguf gguf = *std::move(opened);
      CHECK(gguf.name() == folder.name(i));
      CHECK(gguf.require<std::string_view>("general.name").value() == "synthetic-3");
      REQUIRE(gguf.tensors().size() == whole.tensors().size());
      for (std::size_t t = 0; t < whole.tensors().size(); ++t) {
        const TensorInfo& expected = whole.tensors()[t];
        const TensorInfo& tensor = gguf.tensors()[t];
        CHECK(tensor.name == expected.name);
        CHECK(std::ranges::equal(tensor.data, expected.data));
        CHECK(gguf.find_tensor(expected.name) == &tensor);
      }
      std::uintmax_t n_bytes = 0;
      for (const char* name : test::kPartNames)
        n_bytes += std::filesystem::file_size(folder / name);
      CHECK(gguf.n_bytes() == n_bytes);
      CHECK(Model::load(folder / test::kPartNames[i]));
    }
  }

  TEST_CASE("a change of any part is seen") {
    const Folder folder(test::three_parts(whole_model()));
    const auto gguf = Gguf::open(folder / test::kPartNames[0]);
    REQUIRE(gguf);
    CHECK(gguf->check_unchanged());
    const auto path = folder / test::kPartNames[2];
    std::filesystem::last_write_time(
        path, std::filesystem::last_write_time(path) + std::chrono::seconds(2));
    const auto changed = gguf->check_unchanged();
    REQUIRE_FALSE(changed);
    CHECK(changed.error().message.find(folder.name(2)) == 0);
  }

  TEST_CASE("a missing part is named, whichever was opened") {
    const Folder folder(test::three_parts(whole_model()));
    std::filesystem::remove(folder / test::kPartNames[1]);
    for (const std::size_t i : {0, 2}) {
      const auto opened = Gguf::open(folder / test::kPartNames[i]);
      REQUIRE_FALSE(opened);
      CHECK(opened.error().code == ErrorCode::kNotFound);
      CHECK(opened.error().message ==
            folder.name(1) +
                ": no such file; it is part 2 of 3 of the model, and all must lie in one folder: "
                "download it, too");
    }
  }

  TEST_CASE("a damaged part is named") {
    const Folder folder(test::three_parts(whole_model()));
    std::filesystem::resize_file(folder / test::kPartNames[2],
                                 std::filesystem::file_size(folder / test::kPartNames[2]) - 1);
    const auto opened = Gguf::open(folder / test::kPartNames[0]);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().message.find(folder.name(2) + " is truncated") == 0);
  }

  TEST_CASE("a renamed part says what its name must end in") {
    const Folder folder(test::three_parts(whole_model()));
    std::filesystem::rename(folder / test::kPartNames[1], folder / "second.gguf");
    const auto opened = Gguf::open(folder / "second.gguf");
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ErrorCode::kInvalidArgument);
    CHECK(opened.error().message ==
          (folder / "second.gguf").string() +
              " is part 2 of 3 of a model, by which the others are found; give it back its name, "
              "which ends in -00002-of-00003.gguf");
  }

  TEST_CASE("parts that do not belong together are refused by name") {
    constexpr const char* kMixed =
        ": parts of different models are mixed; download all of them again";
    std::string error = refusal([](auto& parts) { std::swap(parts[1], parts[2]); });
    CHECK(error == std::string(test::kPartNames[1]) + " is part 3 of 3, not part 2 of 3" + kMixed);
    // One part more than the others know of.
    error = refusal([](auto& parts) {
      parts[2].remove_value("split.count");
      parts[2].template put<std::uint16_t>("split.count", 4);
    });
    CHECK(error == std::string(test::kPartNames[2]) + " is part 3 of 4, not part 3 of 3" + kMixed);
    error = refusal([](auto& parts) { parts[1].values.clear(); });
    CHECK(error == std::string(test::kPartNames[1]) +
                       " is no part of a model, but is named like one" + kMixed);
    error = refusal([](auto& parts) { parts[1].tensors.push_back(parts[2].tensors[0]); });
    CHECK(error == std::string(test::kPartNames[0]) + ": tensor '" +
                       test::three_parts(whole_model())[2].tensors[0].name +
                       "' is in two of the model's parts" + kMixed);
    const std::size_t n = whole_model().tensors.size();
    error = refusal([](auto& parts) { parts[1].tensors.pop_back(); });
    CHECK(error == std::string(test::kPartNames[0]) + ": the model's parts have " +
                       std::to_string(n - 1) + " tensors, not the " + std::to_string(n) +
                       " that key 'split.tensors.count' promises" + kMixed);
    error = refusal([](auto& parts) {
      parts[2].remove_value("split.tensors.count");
      parts[2].template put<std::int32_t>("split.tensors.count", 7);
    });
    CHECK(error == std::string(test::kPartNames[2]) +
                       " is of a model with another number of tensors than " + test::kPartNames[0] +
                       kMixed);
    error = refusal([](auto& parts) { parts[2].put_string("general.name", "another"); });
    CHECK(error == std::string(test::kPartNames[2]) + ": key 'general.name' is not what it is in " +
                       test::kPartNames[0] + kMixed);
  }

  TEST_CASE("places that are none are refused") {
    const auto with = [](std::uint16_t number, std::uint16_t count) {
      return [=](std::vector<GgufWriter>& parts) {
        parts[0].remove_value("split.no");
        parts[0].remove_value("split.count");
        parts[0].put<std::uint16_t>("split.no", number);
        parts[0].put<std::uint16_t>("split.count", count);
      };
    };
    const std::string first = test::kPartNames[0];
    CHECK(refusal(with(3, 3)) ==
          first +
              ": keys 'split.no' and 'split.count' are 3 and 3; parts count from 0, up to 512 of "
              "them: download it again");
    CHECK(
        refusal(with(0, 60'000)).find(first + ": keys 'split.no' and 'split.count' are 0 and 6") ==
        0);
    CHECK(refusal([](auto& parts) { parts[0].remove_value("split.no"); }) ==
          first + ": key 'split.no' is missing; get a complete model file");
  }

  TEST_CASE("one part of one is a whole model, under any name") {
    GgufWriter writer = whole_model();
    writer.put<std::uint16_t>("split.no", 0);
    writer.put<std::uint16_t>("split.count", 1);
    const test::TemporaryFolder folder;
    test::write_file((folder / "m.gguf").string(), writer.bytes());
    CHECK(Gguf::open(folder / "m.gguf"));
  }
}

}  // namespace kinglet::inference
