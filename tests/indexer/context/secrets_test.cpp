#include "indexer/context/secrets.h"

#include <random>
#include <string>

#include <doctest/doctest.h>

namespace kinglet::indexer {

TEST_SUITE("indexer/context/secrets") {
  TEST_CASE("keys, passwords and private keys are masked") {
    // Put together here so that no scanner takes this file for a leak.
    const std::string hex = "9f8e7d6c5b4a39281706f5e4d3c2b1a0";
    const auto hidden =
        [](const std::string& before, const std::string& secret, const std::string& after = "") {
          INFO(before << secret << after);
          CHECK(mask(before + secret + after) == before + "***" + after);
        };
    hidden("key = ", std::string("AKIA") + "IOSFODNN7ABCDEFG", "\n");
    hidden("Authorization: Bearer ", std::string("ghp_") + "16C7e42F292c6912E7710c838347Ae178B4a");
    hidden("\"", std::string("sk-") + "proj-T3BlbkFJ8sZxQv1KpL0aYd2M", "\"");
    hidden("curl -H ", std::string("xoxb-") + "123456789012-abcDEF123ghi", " x");
    hidden("t=",
           std::string("eyJ") +
               "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N");
    hidden("password = \"", "hunter2-Zq81", "\"\n");
    hidden("\"db_password\": \"", "S3cr3t!pass", "\"");
    hidden("API_KEY=", hex, "\nNEXT=1\n");
    hidden("const std::string kAuthToken = \"", hex, "\";");
    hidden("secret: '", "aB3" + hex, "'");
    hidden("config[\"client_secret\"] = \"", hex, "\"");
    hidden("postgres://admin:", "pa55word", "@db.local:5432/x");
    hidden(
        "", "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc=\n", "-----END RSA PRIVATE KEY-----\n");
    hidden("", "MIIEow\nabc=\n", "-----END PRIVATE KEY-----\n");
  }

  TEST_CASE("code about secrets stays as it is") {
    for (const char* code : {
             "std::string password = read_password(fd);",
             "password = \"\"",
             "token = tokens[position + 1]",
             "if token == \"identifier_list\": pass",
             "auto token = \"identifier\";",
             "secret = \"changeme123\"",
             "api_key = os.environ[\"API_KEY_2\"]",
             "kTokenNames = {\"a1\", \"b2\"};",
             "password=\"${DB_PASSWORD_1}\"",
             "http://example.com:8080/a@b",
             "https://{user}:{password}@host",
             "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n",
             "sk-learn is a library, and so is sk_image",
             "eyJ",
             "",
         }) {
      CHECK(mask(code) == code);
    }
  }

  TEST_CASE("parts of a text show no part of a secret") {
    const std::string text = "a = 1\npassword = \"hunter2-Zq81\"\nb = 2\n";
    const auto secrets = find_secrets(text);
    REQUIRE(secrets.size() == 1);
    for (std::uint32_t begin = 0; begin < text.size(); ++begin) {
      for (std::uint32_t end = begin; end <= text.size(); ++end) {
        const ByteRange part{begin, end};
        const std::string shown = mask(text, part, secrets);
        if (!part.overlaps(secrets[0])) {
          CHECK(shown == part.of(text));
        } else {
          CHECK(shown.find("***") != std::string::npos);
          CHECK(shown.find("unter") == std::string::npos);
        }
      }
    }
  }

  TEST_CASE("hostile text takes linear time and gives ranges in order") {
    const auto repeat = [](const std::string& piece) {
      std::string text;
      while (text.size() < 1'000'000)
        text += piece;
      return text;
    };
    std::mt19937 random(2);
    std::string noise(200'000, ' ');
    for (char& c : noise)
      c = static_cast<char>(random());
    for (const std::string& text : {repeat("sk-"),
                                    repeat("password=\""),
                                    repeat("password='a\" "),
                                    repeat("-----BEGIN PRIVATE KEY "),
                                    repeat("-----BEGIN PRIVATE KEY\n"),
                                    repeat("://a:b"),
                                    repeat("-----END PRIVATE KEY"),
                                    repeat("a"),
                                    repeat("-"),
                                    repeat("eyJ"),
                                    noise}) {
      std::uint32_t end = 0;
      for (const ByteRange range : find_secrets(text)) {
        REQUIRE(range.begin >= end);
        REQUIRE(range.end > range.begin);
        REQUIRE(range.end <= text.size());
        end = range.end;
      }
    }
  }
}

}  // namespace kinglet::indexer
