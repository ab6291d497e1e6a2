#include "daemon/config.h"

#include <fstream>

#include <sys/stat.h>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/support/temporary_folder.h"

namespace kinglet::daemon {
namespace {

using Messages = std::vector<std::string>;

Messages from_user(std::string_view text, Config& config) {
  return apply_config(text, ConfigSource::kUser, "config.json", config);
}

Messages from_repository(std::string_view text, Config& config) {
  return apply_config(text, ConfigSource::kRepository, ".kinglet.json", config);
}

}  // namespace

TEST_SUITE("daemon/config") {
  TEST_CASE("known keys are taken, comments allowed") {
    Config config;
    CHECK(from_user(R"({
      // mine
      "model": "/m.gguf", "backend": "cpu", "threads": 3, "temperature": 0.5,
      "enabled": false, "exclude": ["third_party/"], "idleExitSeconds": 0
    })",
                    config)
              .empty());
    CHECK(config.model == "/m.gguf");
    CHECK(config.backend == "cpu");
    CHECK(config.threads == 3);
    CHECK(config.temperature == 0.5);
    CHECK(!config.enabled);
    CHECK(config.exclude == Messages{"third_party/"});
    CHECK(config.idle_exit_seconds == 0);
  }

  TEST_CASE("what is wrong is named, with key, place and what is expected; the rest is taken") {
    Config config;
    CHECK(
        from_user(R"({"threads": -1, "backend": "metal", "topP": 2, "enabled": "yes",
                        "exclude": [1], "model": 7, "maxFiles": 1.5, "kvFormat": "f32",
                        "activations": "f32"})",
                  config) ==
        Messages{
            R"("backend" in config.json must be one of "auto" "cpu" "vulkan", not "metal".)",
            R"("enabled" in config.json must be true or false, not "yes".)",
            R"("exclude" in config.json must be a list of strings, patterns as in .gitignore, not [1].)",
            R"("maxFiles" in config.json must be a whole number from 1 to 1000000, not 1.5.)",
            R"("model" in config.json must be the path of a GGUF file as a string, not 7.)",
            R"("threads" in config.json must be a whole number from 0 to 256, not -1.)",
            R"("topP" in config.json must be a number from 0.01 to 1, not 2.)",
        });
    CHECK(config.kv_format == "f32");
    CHECK(config.activations == "f32");
    config.kv_format = "f16";
    config.activations = "int8";
    CHECK(config == Config{});
  }

  TEST_CASE("adapters are files with scales, and belong to the model they are named beside") {
    Config config;
    CHECK(from_user(R"({"model": "/m.gguf", "adapters": [{"file": "/a.gguf", "scale": 0.8},
                        {"file": "/b.gguf"}]})",
                    config)
              .empty());
    const std::vector<AdapterSetting> both = {{"/a.gguf", 0.8}, {"/b.gguf", 1}};
    CHECK(config.adapters == both);
    const Config before = config;
    for (const char* wrong : {R"({"file": "/a.gguf"})",
                              R"([{"file": "a.gguf"}])",
                              R"([{"file": "~/a.gguf"}])",
                              R"([{"scale": 1}])",
                              R"([{"file": "/a.gguf", "scale": "1"}])",
                              R"([{"file": "/a.gguf", "scale": 1001}])",
                              R"([{"file": "/a.gguf", "weight": 1}])",
                              R"(["/a.gguf"])"}) {
      CHECK(from_user("{\"adapters\": " + std::string(wrong) + "}", config) ==
            Messages{"\"adapters\" in config.json must be a list of up to 16 adapters such as "
                     "{\"file\": \"/whole/path.gguf\", \"scale\": 0.8}, scales from -1000 to "
                     "1000, not " +
                     nlohmann::json::parse(wrong).dump() + "."});
    }
    CHECK(from_repository(R"({"adapters": []})", config).size() == 1);
    CHECK(config == before);
    // The same model again changes nothing; another one has none of them.
    CHECK(from_user(R"({"model": "/m.gguf"})", config).empty());
    CHECK(config.adapters == both);
    CHECK(from_user(R"({"model": "/other.gguf"})", config).empty());
    CHECK(config.adapters.empty());
  }

  TEST_CASE("settings that concern the engine are told from those that do not") {
    for (const char* key :
         {"model", "adapters", "backend", "device", "kvFormat", "activations", "threads"}) {
      CHECK(concern_engine({{key, nullptr}}));
    }
    CHECK(!concern_engine({{"contextTokens", 256}, {"enabled", false}}));
    CHECK(!concern_engine(nullptr));
    CHECK(!concern_engine(nlohmann::json::array({"model"})));
  }

  TEST_CASE("an unknown key is named with the known ones") {
    Config config;
    const auto messages = from_user(R"({"modle": "x"})", config);
    REQUIRE(messages.size() == 1);
    CHECK(messages[0].find(
              R"(Unknown key "modle" in config.json. Known keys: model, adapters, backend,)") == 0);
  }

  TEST_CASE("text that is no JSON object changes nothing") {
    Config config;
    CHECK(from_user("{\"model\": ", config) ==
          Messages{"config.json is not JSON: at byte 11. Nothing of it is used."});
    CHECK(from_user("[]", config) ==
          Messages{"A JSON object is expected in config.json, not array."});
    CHECK(from_user(std::string(100'000, '['), config) ==
          Messages{"config.json nests deeper than a configuration can."});
    CHECK(from_user(R"({"threads": 2, "temperature": 1e999})", config) ==
          Messages{"config.json holds a number out of range. Nothing of it is used."});
    CHECK(config == Config{});
  }

  TEST_CASE("no file says more than a person reads") {
    std::string keys;
    for (int i = 0; i < 1000; ++i)
      keys += "\"key" + std::to_string(i) + "\": 1,";
    Config config;
    const auto many = from_repository("{" + keys + "\"maxFiles\": 7}", config);
    REQUIRE(many.size() == 11);
    CHECK(many.back() == "And 990 more problems in .kinglet.json.");
    CHECK(config.max_files == 7);

    // 80 bytes would end inside the last character.
    const std::string long_name = std::string(79, 'k') + "é and more";
    const auto unknown = from_repository("{\"" + long_name + "\": 1}", config);
    REQUIRE(unknown.size() == 1);
    CHECK(unknown[0].find("Unknown key \"" + std::string(79, 'k') + "…\" in .kinglet.json.") == 0);
  }

  TEST_CASE("a repository may narrow") {
    Config config;
    CHECK(from_repository(R"({"enabled": false, "exclude": ["gen/"], "maxFileBytes": 1000,
                              "maxFiles": 10, "contextTokens": 1024, "maxNewTokens": 8})",
                          config)
              .empty());
    CHECK(!config.enabled);
    CHECK(config.max_file_bytes == 1000);
    CHECK(config.exclude == Messages{"gen/"});
  }

  TEST_CASE("completions and navigation: a repository may turn them off, not on") {
    Config config;
    CHECK(from_repository(R"({"completions": false, "navigation": "off"})", config).empty());
    CHECK(!config.completions);
    CHECK(config.navigation == "off");
    CHECK(from_repository(R"({"completions": true, "navigation": "on"})", config).size() == 2);
    CHECK(!config.completions);
    CHECK(config.navigation == "off");
    Config usual;
    CHECK(from_repository(R"({"navigation": "auto", "completions": true})", usual).empty());
    CHECK(from_repository(R"({"navigation": "always"})", usual).size() == 1);
    CHECK(usual == Config());
  }

  TEST_CASE("a repository may not widen, redirect or turn on") {
    Config config;
    config.enabled = false;
    config.exclude = {"secret/"};
    const Config before = config;
    const auto messages =
        from_repository(R"({"enabled": true, "model": "/evil.gguf", "backend": "cpu", "threads": 64,
                            "maxFileBytes": 4000000, "maxFiles": 1000000, "logLevel": "debug",
                            "temperature": 1, "parseWorkers": 9, "exclude": []})",
                        config);
    CHECK(messages.size() == 9);
    for (const auto& message : messages) {
      CHECK(message.find("a repository may only narrow") != std::string::npos);
    }
    CHECK(config == before);
  }

  TEST_CASE("a file that is not there says nothing; a FIFO, a folder or 2 MiB are refused") {
    const test::TemporaryFolder folder;
    Config config;
    const auto messages_for = [&](const char* name) {
      return apply_config_file(folder / name, ConfigSource::kRepository, config);
    };
    CHECK(messages_for("absent.json").empty());
    ::mkfifo((folder / "fifo").c_str(), 0600);
    CHECK(messages_for("fifo").size() == 1);
    std::filesystem::create_directory(folder / "folder");
    CHECK(messages_for("folder").size() == 1);
    std::ofstream(folder / "huge") << std::string(2 << 20, ' ');
    CHECK(messages_for("huge").size() == 1);
    std::ofstream(folder / "good") << R"({"maxFiles": 5})";
    CHECK(messages_for("good").empty());
    CHECK(config.max_files == 5);
  }

  TEST_CASE("a model file that is not there is named with the way out") {
    Config config;
    config.model = "/no/such.gguf";
    const auto model = find_model(config);
    REQUIRE(!model);
    CHECK(model.error().code == ErrorCode::kNotFound);
    CHECK(model.error().message ==
          "There is no model file /no/such.gguf. Set \"model\" in config.json (or --model) to the "
          "path of a GGUF file.");
  }

  TEST_CASE("a model's path is a whole path: the daemon stands nowhere") {
    for (const char* path : {"models/m.gguf", "~/m.gguf", "m.gguf"}) {
      Config config;
      config.model = path;
      const auto model = find_model(config);
      REQUIRE(!model);
      CHECK(model.error().code == ErrorCode::kInvalidArgument);
      CHECK(model.error().message.find("The model file " + config.model +
                                       " is no absolute path. Set \"model\" in config.json") == 0);
    }
  }
}

}  // namespace kinglet::daemon
