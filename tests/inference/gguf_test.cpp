#include "inference/gguf.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>

#include <sys/stat.h>
#include <unistd.h>

#include "tests/inference/synthetic_gguf.h"
#include "tests/support/shared.h"
#include "tests/support/skip.h"

namespace kinglet::inference {
namespace {

using test::Bytes;
using test::GgufWriter;

/// A small file with one key of many types and three tensors.
GgufWriter good_file() {
  GgufWriter writer;
  writer.put_string("general.architecture", "phi3");
  writer.put<std::uint32_t>("count", 7);
  writer.put<std::int64_t>("negative", -3);
  writer.put<float>("ratio", 0.5F);
  writer.put<double>("precise", 0.25);
  writer.put<double>("huge", 1e300);
  writer.put<bool>("flag", true);
  const std::vector<std::string> words = {"one", "", "three"};
  writer.put_strings("words", words);
  const std::vector<std::int32_t> numbers = {1, -2, 3};
  writer.put_array<std::int32_t>("numbers", numbers);
  const std::vector<float> weights(64, 1.5F);
  writer.add_floats("a", TensorType::kF32, {8}, std::span(weights).first(8));
  writer.add_floats("b", TensorType::kQ8_0, {32, 2}, weights);
  writer.add_floats("c", TensorType::kF16, {4, 2, 8}, weights);
  return writer;
}

/// Code and message of the refusal of good_file() after `spoil`; "" when it is accepted.
struct Refusal {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};
Refusal refusal(const std::function<void(GgufWriter&)>& spoil) {
  GgufWriter writer = good_file();
  spoil(writer);
  const Bytes bytes = writer.bytes();
  const auto gguf = Gguf::parse(bytes, "m.gguf");
  return gguf ? Refusal{} : Refusal{gguf.error().code, gguf.error().message};
}

std::string damaged(const std::string& what) {
  return "m.gguf: " + what + ": the file is damaged; download it again";
}

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kinglet-gguf-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_SUITE("inference/gguf") {
  TEST_CASE("a good file reads as it was written") {
    const Bytes bytes = good_file().bytes();
    const auto gguf = Gguf::parse(bytes, "m.gguf");
    REQUIRE(gguf);
    CHECK(gguf->require<std::string_view>("general.architecture").value() == "phi3");
    CHECK(gguf->require<std::uint32_t>("count").value() == 7);
    CHECK(gguf->require<std::int64_t>("negative").value() == -3);
    CHECK(gguf->require<float>("ratio").value() == 0.5F);
    CHECK(gguf->require<double>("precise").value() == 0.25);
    CHECK(gguf->require<bool>("flag").value());
    CHECK(gguf->require_array<std::string_view>("words").value() ==
          std::vector<std::string_view>{"one", "", "three"});
    CHECK(gguf->require_array<std::int32_t>("numbers").value() ==
          std::vector<std::int32_t>{1, -2, 3});
    CHECK(gguf->has("flag"));
    CHECK_FALSE(gguf->has("fla"));

    REQUIRE(gguf->tensors().size() == 3);
    const TensorInfo* c = gguf->find_tensor("c");
    REQUIRE(c != nullptr);
    CHECK(c->type == TensorType::kF16);
    CHECK(c->n_dims == 3);
    CHECK(c->shape == std::array<std::uint64_t, 4>{4, 2, 8, 1});
    CHECK(c->n_elements() == 64);
    CHECK(c->n_rows() == 16);
    CHECK(c->data.size() == 128);
    CHECK(gguf->find_tensor("d") == nullptr);
    std::vector<float> numbers(64);
    const TensorInfo* b = gguf->find_tensor("b");
    b->format().dequantize(b->data, numbers);
    CHECK(numbers[63] == doctest::Approx(1.5).epsilon(1e-3));
    CHECK(gguf->tensors()[0].data.data() == bytes.data() + gguf->data_offset());
  }

  TEST_CASE("integers and floats of any width are read where the value fits") {
    const Bytes bytes = good_file().bytes();
    const auto gguf = Gguf::parse(bytes, "m.gguf");
    REQUIRE(gguf);
    CHECK(gguf->require<std::uint64_t>("count").value() == 7);
    CHECK(gguf->require<std::int32_t>("negative").value() == -3);
    CHECK(gguf->require<float>("precise").value() == 0.25F);
    CHECK(gguf->require_array<std::uint32_t>("numbers").error().message.find("'numbers'") !=
          std::string::npos);
  }

  TEST_CASE("a missing key is nothing to get and an error to require") {
    const Bytes bytes = good_file().bytes();
    const auto gguf = Gguf::parse(bytes, "m.gguf");
    REQUIRE(gguf);
    CHECK_FALSE(gguf->get<float>("nope").value().has_value());
    CHECK_FALSE(gguf->get_array<float>("nope").value().has_value());
    CHECK(gguf->require<float>("nope").error().message ==
          "m.gguf: key 'nope' is missing; get a complete model file");
  }

  TEST_CASE("a value of another type is an error that names the key") {
    const Bytes bytes = good_file().bytes();
    const auto gguf = Gguf::parse(bytes, "m.gguf");
    REQUIRE(gguf);
    const auto wrong = gguf->get<std::uint32_t>("general.architecture");
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().code == ErrorCode::kCorrupt);
    CHECK(wrong.error().message ==
          "m.gguf: key 'general.architecture' must hold an integer from 0 up, it holds string that "
          "is none or is out of range; get another copy of the model");
    CHECK_FALSE(gguf->get<std::uint32_t>("negative"));  // out of range
    CHECK_FALSE(gguf->get<float>("huge"));
    CHECK(gguf->get<double>("huge"));
    CHECK_FALSE(gguf->get<bool>("count"));
    CHECK_FALSE(gguf->get<float>("count"));
    CHECK_FALSE(gguf->get<std::uint32_t>("ratio"));
    CHECK_FALSE(gguf->get<std::string_view>("words"));
    CHECK_FALSE(gguf->get_array<float>("numbers"));
    CHECK_FALSE(gguf->get_array<std::string_view>("numbers"));
    CHECK_FALSE(gguf->get_array<std::int32_t>("words"));
    CHECK_FALSE(gguf->get_array<std::int32_t>("count"));
  }

  TEST_CASE("what is not GGUF, another version and another byte order are told apart") {
    Refusal r = refusal([](GgufWriter& w) { w.magic = 0x04034b50; });
    CHECK(r.code == ErrorCode::kInvalidArgument);
    CHECK(r.message ==
          "m.gguf is not a GGUF file (it does not begin with 'GGUF'); give a model in GGUF format");
    r = refusal([](GgufWriter& w) { w.version = 2; });
    CHECK(r.code == ErrorCode::kUnsupported);
    CHECK(r.message ==
          "m.gguf is GGUF version 2; only little-endian version 3 is read: convert it with current "
          "tools");
    r = refusal([](GgufWriter& w) { w.version = 0x03000000; });
    CHECK(r.code == ErrorCode::kUnsupported);
    CHECK(r.message.find("big-endian") != std::string::npos);
    CHECK(refusal([](GgufWriter& w) { w.version = 0; }).message.find("version 0") !=
          std::string::npos);
    for (std::size_t n = 0; n < 4; ++n) {
      const auto tiny = Gguf::parse(std::as_bytes(std::span("GGUF", n)), "tiny");
      CHECK(tiny.error().code == ErrorCode::kInvalidArgument);
    }
  }

  TEST_CASE("counts beyond the file or the limits are refused before anything is allocated") {
    CHECK(refusal([](GgufWriter& w) { w.n_tensors = ~std::uint64_t{0}; }).message ==
          damaged("the header promises 18446744073709551615 tensors; at most 65536 are possible"));
    CHECK(refusal([](GgufWriter& w) { w.n_values = 65'537; }).message ==
          damaged("the header promises 65537 key/value pairs; at most 65536 are possible"));
    const Refusal r = refusal([](GgufWriter& w) { w.n_values = 60'000; });
    CHECK(r.code == ErrorCode::kCorrupt);
    CHECK(r.message.find("m.gguf is truncated: the header needs bytes 24..840024 at least") == 0);
  }

  TEST_CASE("values that contradict themselves are refused by the key's name") {
    const auto spoil_count = [](std::uint64_t n) {
      return [n](GgufWriter& w) { std::memcpy(&w.value("words").bytes[4], &n, 8); };
    };
    CHECK(refusal(spoil_count(1ULL << 40)).message ==
          damaged("key 'words' promises 1099511627776 elements; at most 67108864 are possible"));
    CHECK(refusal(spoil_count(1 << 20)).message.find("truncated: key 'words' needs") !=
          std::string::npos);
    CHECK(refusal([](GgufWriter& w) {
            const std::uint64_t n = 1ULL << 63;
            std::memcpy(w.value("general.architecture").bytes.data(), &n, 8);
          }).message == damaged("key 'general.architecture' has a string of 9223372036854775808 "
                                "bytes; at most 16777216 are possible"));
    CHECK(refusal([](GgufWriter& w) { w.value("count").type = 13; }).message ==
          damaged("key 'count' has a value of type number 13, which does not exist"));
    CHECK(refusal([](GgufWriter& w) { w.value("numbers").bytes[0] = std::byte{99}; }).message ==
          damaged("key 'numbers' has a value of type number 99, which does not exist"));
    CHECK(refusal([](GgufWriter& w) { w.value("numbers").bytes[0] = std::byte{9}; }).code ==
          ErrorCode::kUnsupported);  // an array of arrays
    CHECK(refusal([](GgufWriter& w) { w.value("flag").bytes[0] = std::byte{2}; }).message ==
          damaged("key 'flag' has a bool that is neither 0 nor 1"));
    CHECK(refusal([](GgufWriter& w) { w.value("ratio").key = "count"; }).message ==
          damaged("key 'count' is there twice"));
    CHECK(refusal([](GgufWriter& w) { w.value("count").key = ""; }).message ==
          damaged("key number 1 has no name"));
    CHECK(refusal([](GgufWriter& w) {
            w.value("count").key.assign(70'000, 'k');
          }).message.find("key number 1 has a string of 70000 bytes") != std::string::npos);
  }

  TEST_CASE("names from the file are shown harmless") {
    CHECK(refusal([](GgufWriter& w) {
            w.value("count").key = "\x1b[2Jx\xff";
            w.value("\x1b[2Jx\xff").type = 77;
          }).message ==
          damaged("key '\\x1b[2Jx\\xff' has a value of type number 77, which does not exist"));
    const Refusal r = refusal([](GgufWriter& w) {
      w.value("count").key.assign(1000, 'k');
      w.value(std::string(1000, 'k')).type = 77;
    });
    CHECK(r.message.size() < 300);
  }

  TEST_CASE("an alignment that is no power of two from 8 to 4096 is refused") {
    for (const std::uint32_t alignment : {0U, 1U, 4U, 12U, 33U, 8192U, 0x80000000U}) {
      CAPTURE(alignment);
      CHECK(refusal([&](GgufWriter& w) {
              w.put("general.alignment", alignment);
            }).message.find("key 'general.alignment' is " + std::to_string(alignment)) !=
            std::string::npos);
    }
    CHECK(refusal([](GgufWriter& w) { w.put_string("general.alignment", "32"); }).code ==
          ErrorCode::kCorrupt);
    for (const std::uint32_t alignment : {8U, 64U, 4096U}) {
      CHECK(refusal([&](GgufWriter& w) {
              w.alignment = alignment;
              w.put("general.alignment", alignment);
            }).message.empty());
    }
  }

  TEST_CASE("tensors that contradict themselves are refused by name") {
    CHECK(refusal([](GgufWriter& w) { w.tensor("a").name = "b"; }).message ==
          damaged("tensor 'b' is there twice"));
    CHECK(refusal([](GgufWriter& w) { w.tensor("a").name = ""; }).message ==
          damaged("tensor number 0 has no name"));
    CHECK(refusal([](GgufWriter& w) { w.tensor("a").name.assign(65, 'n'); }).code ==
          ErrorCode::kCorrupt);
    CHECK(refusal([](GgufWriter& w) { w.tensor("a").shape = {}; }).message ==
          damaged("tensor 'a' has 0 dimensions; 1 to 4 are possible"));
    CHECK(refusal([](GgufWriter& w) {
            w.tensor("a").shape = {1, 1, 1, 1, 8};
          }).message == damaged("tensor 'a' has 5 dimensions; 1 to 4 are possible"));
    CHECK(refusal([](GgufWriter& w) {
            w.tensor("a").shape = {8, 0};
          }).message == damaged("tensor 'a' has an impossible dimension: 0"));
    CHECK(refusal([](GgufWriter& w) {
            w.tensor("a").shape = {8, 1ULL << 62};
          }).message == damaged("tensor 'a' has an impossible dimension: 4611686018427387904"));
    // The bytes, not the elements, overflow.
    CHECK(refusal([](GgufWriter& w) { w.tensor("a").shape = {1ULL << 62}; }).message ==
          damaged("tensor 'a' is larger than any file"));
    CHECK(refusal([](GgufWriter& w) {
            w.tensor("b").shape = {16, 4};
          }).message == damaged("tensor 'b' has rows of 16 numbers, but Q8_0 stores them by 32"));
    CHECK(refusal([](GgufWriter& w) { w.tensor("b").offset = 33; }).message ==
          damaged("tensor 'b' lies at offset 33, no multiple of the alignment 32"));
    CHECK(refusal([](GgufWriter& w) { w.tensor("b").offset = ~std::uint64_t{31}; }).message ==
          damaged("tensor 'b' is larger than any file"));
    CHECK(refusal([](GgufWriter& w) { w.tensor("b").offset = 0; }).message ==
          damaged("tensor 'b' overlaps tensor 'a'"));
    CHECK(refusal([](GgufWriter& w) { w.tensor("b").offset = 96; }).message ==
          damaged("tensor 'c' overlaps tensor 'b'"));
  }

  TEST_CASE("a tensor type that is not read yet is named, with a way out") {
    const Refusal r = refusal([](GgufWriter& w) { w.tensor("b").type = 10; });
    CHECK(r.code == ErrorCode::kUnsupported);
    CHECK(r.message ==
          "m.gguf: tensor 'b' has type Q2_K, which is not supported yet; get the model in one of "
          "F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, BF16");
    CHECK(refusal([](GgufWriter& w) {
            w.tensor("b").type = 1234;
          }).message.find("type number 1234") != std::string::npos);
  }

  TEST_CASE("a truncated file says what is missing") {
    Bytes bytes = good_file().bytes();
    const std::size_t n = bytes.size();
    bytes.resize(n - 1);
    const auto gguf = Gguf::parse(bytes, "m.gguf");
    REQUIRE_FALSE(gguf);
    CHECK(gguf.error().code == ErrorCode::kCorrupt);
    CHECK(gguf.error().message == "m.gguf is truncated: tensor 'c' needs bytes " +
                                      std::to_string(n - 128) + ".." + std::to_string(n) +
                                      ", the file has " + std::to_string(n - 1) +
                                      "; download it again");
  }

  TEST_CASE("a file cut at any byte is refused as truncated") {
    const Bytes bytes = good_file().bytes();
    for (std::size_t n = 4; n < bytes.size(); ++n) {
      const auto gguf = Gguf::parse(std::span(bytes).first(n), "m.gguf");
      CAPTURE(n);
      REQUIRE_FALSE(gguf);
      CHECK(gguf.error().code == ErrorCode::kCorrupt);
      CHECK(gguf.error().message.find("truncated") != std::string::npos);
    }
  }

  TEST_CASE("open tells a missing file, a folder, a FIFO and an empty file apart") {
    const TempFolder folder;
    const auto missing = Gguf::open(folder / "missing.gguf");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == ErrorCode::kNotFound);
    CHECK(missing.error().message ==
          (folder / "missing.gguf").string() +
              ": no such file; was it moved or deleted? Put it back, or give the path of another");
    CHECK(Gguf::open(folder / ".").error().message.find("is a folder") != std::string::npos);
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
    CHECK(Gguf::open(folder / "fifo").error().message.find("not a regular file") !=
          std::string::npos);
    test::write_file((folder / "empty.gguf").string(), {});
    CHECK(Gguf::open(folder / "empty.gguf").error().message.find("is empty") != std::string::npos);
    CHECK(Gguf::open("/dev/null").error().code == ErrorCode::kInvalidArgument);
  }

  TEST_CASE("a file opens as memory does, survives being moved, and a later change is seen") {
    const TempFolder folder;
    const auto path = folder / "good.gguf";
    const Bytes bytes = good_file().bytes();
    test::write_file(path.string(), bytes);
    auto opened = Gguf::open(path);
    REQUIRE(opened);
    const Gguf gguf = *std::move(opened);
    CHECK(gguf.name() == path.string());
    CHECK(gguf.n_bytes() == bytes.size());
    const TensorInfo* a = gguf.find_tensor("a");
    REQUIRE(a != nullptr);
    CHECK(std::memcmp(a->data.data(), &bytes[gguf.data_offset()], a->data.size()) == 0);
    CHECK(gguf.check_unchanged());
    std::filesystem::last_write_time(
        path, std::filesystem::last_write_time(path) + std::chrono::seconds(2));
    const auto changed = gguf.check_unchanged();
    REQUIRE_FALSE(changed);
    CHECK(changed.error().code == ErrorCode::kIo);
  }

  TEST_CASE("synthetic models of every shape and format are good files") {
    for (const BlockFormat* format : block_formats()) {
      test::SyntheticModel model;
      model.hidden = 256;
      model.type = format->type;
      const Bytes bytes = test::synthetic_gguf(model).bytes();
      CHECK(Gguf::parse(bytes, "synthetic"));
      CHECK(bytes == test::synthetic_gguf(model).bytes());  // a seed is a file
    }
    test::SyntheticModel odd;
    odd.hidden = 60;
    odd.layers = 3;
    odd.heads = 6;
    odd.kv_heads = 3;
    odd.head_dim = 14;
    odd.rope_dim = 10;
    odd.ffn = 34;
    odd.vocab = test::kMinSyntheticVocab;
    odd.context = 512;
    odd.original_context = 128;
    odd.tied = true;
    const Bytes bytes = test::synthetic_gguf(odd).bytes();
    const auto gguf = Gguf::parse(bytes, "odd");
    REQUIRE(gguf);
    CHECK(gguf->find_tensor("output.weight") == nullptr);
    CHECK(gguf->find_tensor("blk.2.attn_qkv.weight")->shape ==
          std::array<std::uint64_t, 4>{60, 6 * 14 + 2 * 3 * 14, 1, 1});
    CHECK(gguf->find_tensor("rope_factors_long.weight")->n_elements() == 5);
    CHECK(gguf->require<std::uint32_t>("phi3.attention.key_length").value() == 14);
  }

  TEST_CASE("a real vocabulary file opens") {
    const auto path = test::shared("tokenizers/ggml-vocab-phi-3.gguf");
    if (!path) SKIP("no shared test material");
    const auto gguf = Gguf::open(*path);
    REQUIRE(gguf);
    CHECK(gguf->tensors().empty());
    CHECK(gguf->require<std::string_view>("general.architecture").value() == "phi3");
    CHECK(gguf->require_array<std::string_view>("tokenizer.ggml.tokens").value().size() == 32'064);
    CHECK(gguf->require_array<float>("tokenizer.ggml.scores").value().size() == 32'064);
  }
}

}  // namespace kinglet::inference
