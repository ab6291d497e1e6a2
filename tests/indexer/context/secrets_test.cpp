#include "indexer/context/secrets.h"

#include <random>
#include <string>

#include <doctest/doctest.h>

#include "tests/indexer/context/planted_secrets.h"

namespace kinglet::indexer {

namespace {

void require_in_order(std::string_view text) {
  std::uint32_t end = 0;
  for (const ByteRange range : find_secrets(text)) {
    REQUIRE(range.begin >= end);
    REQUIRE(range.end > range.begin);
    REQUIRE(range.end <= text.size());
    end = range.end;
  }
}

std::string masked(const std::string& text, ByteRange part) {
  return mask(text, part, find_secrets_around(text, part));
}

}  // namespace

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
    hidden("password = \"", "P(4tz9!kLm2x", "\"");
    hidden("password = \"", "a8{Kq}29!zLpX", "\"");
    hidden("password = \"", "k9<Wz!47qLpX", "\"");
    hidden("password = \"", "Tr0ub4dor&3 zx9Q", "\"");
    hidden("password = r\"", "a\\9zKq27wLpX4", "\"");
    hidden("password = \"", "$9zKq!27wLpX", "\"");
    hidden("if password == \"", "hunter2-Zq81", "\":\n");
    hidden("pass: '", "hunter2-Zq81", "'");
    hidden("https://host/?se=1&sig=", "aB3%2B9f8e7d6c5b4a39%3D", "\n");
    hidden("url = \"https://",
           std::string("hooks.slack.com/") + "services/T0A1B2C3D/B4E5F6G7H/a8Zq81kLm2xPw9",
           "\"");
    hidden("id = ", std::string("GOCSPX") + "-a8Zq81kLm2xPw9vT3bRf6", "\n");
    hidden("id = ", std::string("hvs.") + "CAESIa8Zq81kLm2xPw9vT3b", "\n");
    hidden("id = ", std::string("dckr_pat_") + "a8Zq81kLm2xPw9vT3bRf6", "\n");
    hidden("id = ", std::string("AGE-SECRET-") + "KEY-1QL3Z7HJY54PW3HYWW5AYYFG7ZQGVC7W3", "\n");
    hidden("postgres://admin:", "pa55word", "@db.local:5432/x");
    hidden(
        "", "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc=\n", "-----END RSA PRIVATE KEY-----\n");
    hidden("", "MIIEow\nabc=\n", "-----END PRIVATE KEY-----\n");
    const std::string line = "MIIEowIBAAKCAQEAx9f8e7d6c5b4a39281706f5e4d3c2b1a0Zq81";
    hidden("", "-----BEGIN RSA PRIVATE KEY-----", "\nopen(\"" + line + "\")\n");
    hidden("key = (\n",
           "    \"" + line + "\\n\"\n    \"abc=\\n\"\n    \"",
           "-----END RSA PRIVATE KEY-----\")\n");
    // The middle of a long one, or of any data in base 64.
    hidden("f(\n  \"", line + line + "\"\n  \"" + line + line, "\");\n");
  }

  TEST_CASE("planted secrets are masked, and nothing but what is theirs") {
    const auto planted = test::planted_secrets();
    CHECK(planted.size() >= 50);
    for (const test::PlantedSecret& secret : planted) {
      INFO(secret.file_name << ": " << secret.text());
      const std::string code = "int first_line;\n";
      const std::string shown = mask(code + secret.text() + code);
      CHECK(shown.find(secret.value) == std::string::npos);
      CHECK(shown.find("***") != std::string::npos);
      CHECK(shown.starts_with(code));
      CHECK(shown.ends_with(code));
      // As it is when lines around it are not there.
      CHECK(mask(secret.text()).find(secret.value) == std::string::npos);
    }
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
             "if (is_token(\"end_of_file\")) return read_token(\"white-space\");",
             "kTokenNames = {\"first-token\", \"b2\"};",
             "progress.token = {\"kinglet-\" + std::to_string(number)};",
             "login(user, password=options.password_1)",
             "password: std::string_view = read_password(file_2, \"/etc/passwd2\");",
             "token = first_token2",
             "struct Token { Kind kind1; std::uint32_t begin_2; };",
             "case Token::kEnd1: return \"end-of-line\";",
             "<token>identifier_2</token>",
             "--token-style first_style",
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

  TEST_CASE("signs of templates hide no password, and a template is none") {
    for (const char* text : {"password = \"Tr0ub4dor$3x!\"\n",
                             "password = \"aB3d%5gH7jK9\"\n",
                             "DB_PASSWORD=pa$$w0rdX9zQ\n",
                             "url = \"postgres://admin:Yt6p%40Q9zLm3@db.host/x\"\n",
                             "url = \"mysql://root:Yt6p$Q9zLm5@db.host/x\"\n"}) {
      INFO(text);
      CHECK(mask(text).find("***") != std::string::npos);
    }
    for (const char* text : {"password = \"${DB_PASSWORD_1}\"\n",
                             "password = \"$DB_PASSWORD_1\"\n",
                             "password = \"prefix-%s-9zQ\"\n",
                             "password = \"$(pass show db1)\"\n",
                             "url = \"postgres://admin:${PASSWORD}@db.host/x\"\n",
                             "url = \"postgres://%s:%s@db.host/x\"\n",
                             "url = \"postgres://admin:$PASSWORD@db.host/x\"\n"}) {
      INFO(text);
      CHECK(mask(text) == text);
    }
  }

  TEST_CASE("a part of a text is masked by what stands around it") {
    const auto part_of =
        [](const std::string& before, const std::string& part, const std::string& after) {
          const auto begin = static_cast<std::uint32_t>(before.size());
          const auto end = static_cast<std::uint32_t>(before.size() + part.size());
          return masked(before + part + after, {begin, end});
        };
    CHECK(part_of("password =\n", "  \"hunter2-Zq81", "\"\n") == "  \"***");
    CHECK(part_of("name =\n", "  \"hunter2-Zq81", "\"\n") == "  \"hunter2-Zq81");
    CHECK(part_of("", "url = \"ftp://me:hunter2-Zq81", "@host\"\n") == "url = \"ftp://me:***");
    CHECK(part_of("-----BEGIN PRIVATE KEY-----\nMIIEow\n", "abc", "def\nabc=\n") == "***");
    CHECK(part_of("", "abc", "def\nabc=\n-----END PRIVATE KEY-----\n") == "***");
    CHECK(part_of(std::string(100'000, ' '), "", "") == "");
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
                                    repeat("token=token="),
                                    repeat("token: str = "),
                                    repeat("token("),
                                    repeat("token=L'"),
                                    repeat("-----END PRIVATE KEY-----\n\"a=\"\n"),
                                    repeat("secret-"),
                                    repeat("<password>"),
                                    repeat(std::string(64, 'a') + "A1\n"),
                                    noise}) {
      require_in_order(text);
    }
  }

  TEST_CASE("pieces of planted secrets in any order give ranges in order") {
    std::mt19937 random(6);
    const auto planted = test::planted_secrets();
    for (int round = 0; round < 20'000; ++round) {
      std::string text;
      for (auto n = random() % 4 + 1; n > 0; --n) {
        const std::string piece = planted[random() % planted.size()].text();
        text += piece.substr(random() % piece.size(), random() % 80);
      }
      require_in_order(text);
      const auto cut = static_cast<std::uint32_t>(random() % (text.size() + 1));
      const auto size = static_cast<std::uint32_t>(text.size());
      // Parts show no more than the whole.
      const std::string parts = masked(text, {0, cut}) + masked(text, {cut, size});
      REQUIRE(parts.size() <= mask(text).size() + 3);
    }
  }
}

}  // namespace kinglet::indexer
