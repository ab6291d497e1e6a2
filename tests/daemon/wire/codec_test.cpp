#include "daemon/wire/codec.h"

#include <limits>
#include <random>

#include <doctest/doctest.h>

#include "daemon/wire/messages.h"

namespace kinglet::daemon::wire {
namespace {

template <class M>
Frame frame_of(const M& message) {
  FrameReader reader;
  reader.feed(*encode(1, message));
  return **reader.next();
}

Generate sample_generate() {
  return {.tokens = {1, -2, std::numeric_limits<std::int32_t>::max()},
          .max_tokens = 64,
          .sampling = {.temperature = 0.25, .top_p = 0.9, .seed = 1ULL << 63},
          .stop_tokens = {2},
          .stop_strings = {"\n```", std::string("\0x", 2)},
          .healing = Healing::kYes};
}

FilesFound sample_files() {
  return {.files = {{.path = "a/b.cpp", .n_bytes = 12, .modified_ns = -5}, {.path = "c.py"}},
          .skipped = {{.path = ".env", .reason = "secret", .detail = ""}},
          .folders = {"", "a"}};
}

}  // namespace

TEST_SUITE("daemon/wire/codec") {
  TEST_CASE("messages come out as they went in") {
    const auto generate = decode<Generate>(frame_of(sample_generate()));
    REQUIRE(generate);
    CHECK(generate->tokens == sample_generate().tokens);
    CHECK(generate->max_tokens == 64);
    CHECK(generate->sampling.temperature == 0.25);
    CHECK(generate->sampling.seed == 1ULL << 63);
    CHECK(generate->stop_tokens == std::vector<std::int32_t>{2});
    CHECK(generate->stop_strings == sample_generate().stop_strings);
    CHECK(generate->healing == Healing::kYes);

    const auto adapters = decode<SetAdapters>(frame_of(
        SetAdapters{.adapters = {{.path = "/a.gguf", .scale = 0.5}, {.path = "/b.gguf"}}}));
    REQUIRE(adapters);
    CHECK(adapters->adapters == std::vector<Adapter>{{"/a.gguf", 0.5}, {"/b.gguf", 1}});

    const auto files = decode<FilesFound>(frame_of(sample_files()));
    REQUIRE(files);
    REQUIRE(files->files.size() == 2);
    CHECK(files->files[0].path == "a/b.cpp");
    CHECK(files->files[0].modified_ns == -5);
    CHECK(files->skipped[0].reason == "secret");
    CHECK(files->folders == std::vector<std::string>{"", "a"});

    const auto parse =
        decode<Parse>(frame_of(Parse{.root = "/r", .path = "p", .text = "", .document = 7}));
    REQUIRE(parse);
    CHECK(parse->text == std::optional<std::string>(""));
    CHECK(parse->document == 7);
    CHECK(decode<Cancel>(frame_of(Cancel{})));
  }

  TEST_CASE("a message of another type is refused") {
    CHECK(decode<Token>(frame_of(Cancel{})).error().code == ErrorCode::kCorrupt);
  }

  TEST_CASE("a body cut anywhere, or with bytes behind it, is refused") {
    Frame frame = frame_of(sample_files());
    const std::string body = frame.body;
    for (std::size_t n = 0; n < body.size(); ++n) {
      frame.body = body.substr(0, n);
      CHECK(!decode<FilesFound>(frame));
    }
    frame.body = body + '\0';
    const auto longer = decode<FilesFound>(frame);
    REQUIRE(!longer);
    CHECK(longer.error().message == "A worker sent a message of type 64 that is not well formed (" +
                                        std::to_string(frame.body.size()) +
                                        " bytes, 1 not understood).");
  }

  TEST_CASE("an enumerator, a bool or an optional beyond its values is refused") {
    Frame failed = frame_of(Failed{.code = ErrorCode::kInternal, .message = ""});
    CHECK(decode<Failed>(failed));
    failed.body[0] = static_cast<char>(static_cast<int>(ErrorCode::kInternal) + 1);
    CHECK(!decode<Failed>(failed));

    Frame status = frame_of(Status{.busy = true, .doing = "idle"});
    status.body[0] = 2;
    CHECK(!decode<Status>(status));
  }

  TEST_CASE("a count that its bytes cannot hold costs nothing") {
    Frame frame{.type = MessageType::kFilesFound, .request = 1, .body = "\xff\xff\xff\x03"};
    CHECK(!decode<FilesFound>(frame));
  }

  TEST_CASE("any flipped bit gives a message or an error") {
    std::mt19937 random(2);
    const Frame good = frame_of(sample_files());
    int n_refused = 0;
    for (int i = 0; i < 20'000; ++i) {
      Frame frame = good;
      for (unsigned flips = 1 + random() % 4; flips > 0; --flips) {
        frame.body[random() % frame.body.size()] ^= static_cast<char>(1U << (random() % 8));
      }
      if (!decode<FilesFound>(frame)) ++n_refused;
    }
    CHECK(n_refused > 1000);
  }

  TEST_CASE("a message longer than a frame may be is refused before it is sent") {
    const auto bytes = encode(1, FileText{.text = std::string(kMaxBodyBytes, 'x')});
    REQUIRE(!bytes);
    CHECK(bytes.error().code == ErrorCode::kInvalidArgument);
  }
}

}  // namespace kinglet::daemon::wire
