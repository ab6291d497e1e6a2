// The committed starter model: it loads, reads text as its trainer did, and has learned something.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "inference/engine.h"
#include "inference/gguf.h"
#include "inference/model.h"
#include "inference/tokenizer/tokenizer.h"
#include "tests/inference/conformance.h"
#include "tests/inference/synthetic_gguf.h"

namespace kinglet::test {

namespace {

using inference::BackendChoice;
using inference::Engine;
using inference::EngineOptions;
using inference::LogitsWanted;
using inference::TokenId;

const std::filesystem::path kSource = KINGLET_SOURCE_DIR;
const std::filesystem::path kStarter = kSource / "inference/starter_model/kinglet-starter.gguf";

// Written for this test, so in no corpus.
constexpr std::string_view kUnseen = R"(#include <string>
#include <vector>

namespace orchard {

// One basket of apples, weighed in grams.
struct Basket {
  std::string grower;
  std::vector<int> weights;

  int total() const {
    int sum = 0;
    for (int weight : weights) {
      sum += weight;
    }
    return sum;
  }

  bool empty() const { return weights.empty(); }
};

int heaviest(const std::vector<Basket>& baskets) {
  int best = 0;
  for (size_t i = 0; i < baskets.size(); i++) {
    if (baskets[i].total() > best) {
      best = baskets[i].total();
    }
  }
  return best;
}

}  // namespace orchard
)";

std::unique_ptr<Engine> load(const std::filesystem::path& path,
                             inference::KvFormat kv_format = inference::KvFormat::kF32) {
  EngineOptions options;
  options.model_path = path;
  options.backend = BackendChoice::kCpu;
  options.kv_format = kv_format;
  options.n_threads = 1;
  auto engine = Engine::load(options);
  REQUIRE_MESSAGE(engine.has_value(), engine.error().message);
  return std::move(*engine);
}

/// Mean cross entropy in nats of tokens[first...], each given those before it.
double loss(Engine& engine, const std::vector<TokenId>& tokens, std::size_t first) {
  const auto logits = engine.logits(tokens, LogitsWanted::kAll);
  REQUIRE_MESSAGE(logits.has_value(), logits.error().message);
  const std::size_t n_vocabulary = logits->size() / tokens.size();
  double total = 0;
  for (std::size_t at = first; at < tokens.size(); at++) {
    const float* row = logits->data() + (at - 1) * n_vocabulary;
    double highest = row[0];
    for (std::size_t i = 1; i < n_vocabulary; i++)
      highest = std::max<double>(highest, row[i]);
    double sum = 0;
    for (std::size_t i = 0; i < n_vocabulary; i++)
      sum += std::exp(row[i] - highest);
    total += std::log(sum) + highest - row[tokens[at]];
  }
  return total / static_cast<double>(tokens.size() - first);
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

}  // namespace

TEST_SUITE("inference/starter_model") {
  TEST_CASE("the starter model is small and has every fill-in-the-middle token") {
    CHECK(std::filesystem::file_size(kStarter) < 6'000'000);
    const auto model = inference::Model::load(kStarter);
    REQUIRE_MESSAGE(model.has_value(), model.error().message);
    CHECK((*model)->hyper_parameters().context_length >= 1024);
    const auto& special = (*model)->vocabulary()->special();
    for (const TokenId id : {special.eos,
                             special.fim_pre,
                             special.fim_suf,
                             special.fim_mid,
                             special.fim_pad,
                             special.fim_rep,
                             special.fim_sep})
      CHECK(id > 0);
    CHECK_FALSE((*model)->vocabulary()->add_bos());
    CHECK_FALSE((*model)->vocabulary()->add_space_prefix());
  }

  TEST_CASE("the starter model's text is tokenized as SentencePiece does") {
    const auto model = inference::Model::load(kStarter);
    REQUIRE(model.has_value());
    const inference::Tokenizer tokenizer((*model)->vocabulary());
    std::ifstream goldens(kSource / "tests/inference/golden/starter_tokens.tsv");
    int n_cases = 0;
    for (std::string line; std::getline(goldens, line); n_cases++) {
      const auto tab = line.find('\t');
      const std::string text = from_hex(std::string_view(line).substr(0, tab));
      CAPTURE(text);
      std::istringstream ids(line.substr(tab + 1));
      std::vector<TokenId> expected;
      for (TokenId id = 0; ids >> id;)
        expected.push_back(id);
      CHECK(tokenizer.encode(text) == expected);
      CHECK(tokenizer.decode(expected) == text);
    }
    CHECK(n_cases == 10);
  }

  TEST_CASE(
      "the starter model predicts unseen code far better than an untrained one of its shape") {
    const auto starter = load(kStarter);
    const std::vector<TokenId> tokens = starter->tokenizer().encode(kUnseen);
    const auto& shape = starter->model().hyper_parameters();
    SyntheticModel untrained_shape{.hidden = shape.n_embedding,
                                   .layers = shape.n_layers,
                                   .heads = shape.n_heads,
                                   .kv_heads = shape.n_kv_heads,
                                   .ffn = shape.n_feed_forward,
                                   .vocab = starter->info().n_vocabulary,
                                   .tied = true,
                                   .type = inference::TensorType::kQ8_0};
    auto writer = synthetic_gguf(untrained_shape);
    // The synthetic embedding is N(0, 1), the recipe's 0.03 N(0, 1). The output's size alone
    // matters.
    const std::vector<float> output_norm(shape.n_embedding, 0.03F);
    const auto bytes = std::as_bytes(std::span(output_norm));
    writer.tensor("output_norm.weight").data.assign(bytes.begin(), bytes.end());
    const auto path = std::filesystem::temp_directory_path() /
                      ("kinglet_untrained_" + std::to_string(::getpid()) + ".gguf");
    write_file(path.string(), writer.bytes());
    const auto untrained = load(path);
    const double trained_loss = loss(*starter, tokens, 1);
    const double untrained_loss = loss(*untrained, tokens, 1);
    std::filesystem::remove(path);
    MESSAGE("loss on unseen code: " << trained_loss << ", untrained: " << untrained_loss);
    CHECK(untrained_loss == doctest::Approx(std::log(4096)).epsilon(0.05));
    CHECK(trained_loss < 0.4 * untrained_loss);
  }

  TEST_CASE("a smaller cache costs the starter model little") {
    const auto exact = load(kStarter);
    const auto tokens = exact->tokenizer().encode(kUnseen);
    const auto logits = exact->logits(tokens, LogitsWanted::kAll);
    REQUIRE(logits.has_value());
    const std::size_t n_vocabulary = logits->size() / tokens.size();
    std::vector<std::vector<double>> expected;
    for (std::size_t at = 0; at < logits->size(); at += n_vocabulary) {
      const auto row = logits->begin() + static_cast<std::ptrdiff_t>(at);
      expected.emplace_back(row, row + static_cast<std::ptrdiff_t>(n_vocabulary));
    }
    const double exact_loss = loss(*exact, tokens, 1);
    struct Bound {
      inference::KvFormat format;
      double most;  // nats
    };
    for (const Bound& bound : {Bound{inference::KvFormat::kF16, 1e-6},
                               Bound{inference::KvFormat::kQ8_0, 2e-4},
                               Bound{inference::KvFormat::kQ4_0, 3e-2}}) {
      const auto smaller = load(kStarter, bound.format);
      const auto found = smaller->logits(tokens, LogitsWanted::kAll);
      REQUIRE(found.has_value());
      const double divergence = mean_divergence(*found, expected);
      std::printf(
          "starter model, %s cache: mean KL %.1e nats from f32 over %zu tokens, loss %.4f\n",
          std::string(name_of(bound.format)).c_str(),
          divergence,
          tokens.size(),
          loss(*smaller, tokens, 1));
      CHECK(divergence > 0);
      CHECK(divergence <= bound.most);
      CHECK(loss(*smaller, tokens, 1) < exact_loss + 0.05);
    }
  }

  TEST_CASE("greedy texts of smaller caches part only where the reference was undecided") {
    auto gguf = inference::Gguf::open(kStarter);
    REQUIRE(gguf.has_value());
    const ReferenceModel reference(*gguf);
    const auto model = *inference::Model::from_gguf(*std::move(gguf));
    const auto tokens = inference::Tokenizer(model->vocabulary()).encode(kUnseen);
    constexpr std::uint32_t kPrompt = 32;
    constexpr std::uint32_t kWritten = 48;
    const std::size_t n_prompts = tokens.size() / kPrompt;
    REQUIRE(n_prompts >= 4);
    const auto executor_of = [&](inference::KvFormat format) {
      return *inference::find_backend("cpu")->create(
          model, {.kv_format = format, .n_kv_tokens = 128, .n_threads = 1});
    };
    const auto f16 = executor_of(inference::KvFormat::kF16);
    struct Limit {
      inference::KvFormat format;
      double tolerance;  // max |difference to the reference|, in standard deviations
    };
    for (const Limit& limit :
         {Limit{inference::KvFormat::kQ8_0, 0.1}, Limit{inference::KvFormat::kQ4_0, 1.0}}) {
      const auto smaller = executor_of(limit.format);
      std::size_t n_differences = 0;
      double widest = 0;  // gap of the reference's two best where texts part
      double worst = 0;   // difference to the reference
      for (std::size_t i = 0; i < n_prompts; ++i) {
        const auto prompt = std::span(tokens).subspan(i * kPrompt, kPrompt);
        const auto before = greedy_text(*f16, prompt, kWritten);
        const auto after = greedy_text(*smaller, prompt, kWritten);
        std::vector<TokenId> all(prompt.begin(), prompt.end());
        all.insert(all.end(), after.begin(), after.end());
        worst = std::max(worst,
                         logits_error(all_logits(*smaller, all, kPrompt + kWritten, kPrompt),
                                      reference.logits(all, kPrompt + kWritten)));
        const Difference difference = first_difference(reference, prompt, before, after);
        if (!difference.found) continue;
        ++n_differences;
        widest = std::max(widest, difference.reference_gap);
      }
      std::printf(
          "starter model, %s cache: %zu of %zu greedy texts part from f16's, where the "
          "reference's gap is at most %.3f; logits differ from it by at most %.3f\n",
          std::string(name_of(limit.format)).c_str(),
          n_differences,
          n_prompts,
          widest,
          worst);
      CHECK(worst <= limit.tolerance);
      CHECK(widest < 2 * limit.tolerance);
    }
  }

  TEST_CASE("the starter model reads what a completion prompt packs from other files") {
    const auto starter = load(kStarter);
    const auto& tokenizer = starter->tokenizer();
    const auto& special = tokenizer.vocabulary().special();
    const auto prompt = [&](std::string_view context) {
      std::vector<TokenId> tokens;
      const auto add = [&](TokenId marker, std::string_view text) {
        tokens.push_back(marker);
        const auto ids = tokenizer.encode(text);
        tokens.insert(tokens.end(), ids.begin(), ids.end());
      };
      add(special.fim_rep, "orchard\n");
      if (!context.empty()) {
        add(special.fim_sep, "basket.h\n");
        const auto ids = tokenizer.encode(context);
        tokens.insert(tokens.end(), ids.begin(), ids.end());
      }
      add(special.fim_sep, "main.cpp\n");
      add(special.fim_pre, "#include \"basket.h\"\n\nint main() {\n");
      add(special.fim_suf, "  return 0;\n}\n");
      add(special.fim_mid, "  ripen_basket");
      return tokens;
    };
    const auto answer = tokenizer.encode("_slowly(kSunlight, 42);\n");
    const auto loss_after = [&](std::vector<TokenId> tokens) {
      const std::size_t first = tokens.size();
      tokens.insert(tokens.end(), answer.begin(), answer.end());
      return loss(*starter, tokens, first);
    };
    const double without = loss_after(prompt(""));
    const double with =
        loss_after(prompt("void test() {\n  ripen_basket_slowly(kSunlight, 42);\n}\n"));
    MESSAGE("loss of a call, without the file that shows it: " << without << ", with it: " << with);
    CHECK(with < 0.5 * without);
  }
}

}  // namespace kinglet::test
