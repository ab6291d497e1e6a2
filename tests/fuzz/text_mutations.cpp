#include "tests/fuzz/text_mutations.h"

#include <algorithm>
#include <random>

#include "inference/gguf_format.h"

namespace kinglet::test {
namespace {

constexpr std::size_t kMostBytes = std::size_t{64} << 10;

void spoil_once(std::string& text,
                std::mt19937_64& random,
                std::span<const std::string_view> words) {
  const auto place = [&] { return random() % (text.size() + 1); };
  const std::size_t at = place();
  const std::size_t length = std::min<std::size_t>(random() % 24, text.size() - at);
  const std::string_view word = words[random() % words.size()];
  switch (random() % 10) {
    case 0:
      if (at < text.size()) text[at] = static_cast<char>(random());
      break;
    case 1:
      if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << random() % 8));
      break;
    case 2:
      text.erase(at, length);
      break;
    case 3:
      text.insert(place(), text.substr(at, length));
      break;
    case 4: {  // a part many times over
      const std::string part = text.substr(at, length);
      const std::size_t n = part.empty() ? 0 : std::min<std::size_t>(random() % 400, 4096 / length);
      std::string many;
      for (std::size_t i = 0; i < n; ++i)
        many += part;
      text.insert(at, many);
      break;
    }
    case 5: {  // one word for another
      const std::size_t found = text.find(word, at);
      if (found == std::string::npos) break;
      text.replace(found, word.size(), words[random() % words.size()]);
      break;
    }
    case 6:
      text.resize(at);
      break;
    default:
      text.insert(at, word);
  }
  if (text.size() > kMostBytes) text.resize(kMostBytes);
}

}  // namespace

void spoil_text(std::string& text, std::uint64_t seed, std::span<const std::string_view> words) {
  std::mt19937_64 random(seed);
  for (std::uint64_t n = random() % 4 + 1; n > 0; --n)
    spoil_once(text, random, words);
}

void spoil_text(Bytes& bytes, std::uint64_t seed, std::span<const std::string_view> words) {
  std::string text(inference::as_text(bytes));
  spoil_text(text, seed, words);
  bytes = to_bytes(text);
}

Bytes to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return Bytes(bytes.begin(), bytes.end());
}

}  // namespace kinglet::test
