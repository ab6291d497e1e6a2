#include "tests/indexer/context/planted_secrets.h"

#include <random>
#include <string_view>

namespace kinglet::test {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kLettersAndDigits = kBase64.substr(0, 62);
constexpr std::string_view kCapitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

class Values {
 public:
  std::string of(std::string_view alphabet, std::size_t n) {
    std::string text;
    for (; n > 0; --n)
      text += alphabet[random_() % alphabet.size()];
    return text;
  }
  /// Ten characters as people choose them, with one that is neither letter nor digit.
  std::string password() {
    return of(kLettersAndDigits.substr(0, 26), 2) + of("23456789", 1) +
           of(kLettersAndDigits.substr(26, 26), 3) + of("!#@^", 1) + of("23456789", 2) +
           of(kLettersAndDigits, 1);
  }
  std::string hex() { return of(kHex.substr(0, 10), 1) + of(kHex, 30) + of(kHex.substr(10), 1); }
  std::vector<std::string> key_lines(int n) {
    std::vector<std::string> lines;
    for (; n > 1; --n)
      lines.push_back(of(kBase64, 64));
    lines.push_back(of(kBase64, 22) + "==");
    return lines;
  }

 private:
  std::mt19937 random_{11};
};

std::string joined(const std::vector<std::string>& lines,
                   std::size_t begin,
                   std::size_t end,
                   const std::string& before,
                   const std::string& after) {
  std::string text;
  for (std::size_t i = begin; i < end; ++i)
    text += before + lines[i] + after;
  return text;
}

// A private key with `before` and `after` around each of its lines; the n-th is the value.
PlantedSecret key_block(std::string file_name,
                        const std::string& head,
                        const std::vector<std::string>& lines,
                        std::size_t n,
                        const std::string& before,
                        const std::string& after,
                        const std::string& tail) {
  // In two parts: see the header.
  const std::string kind = std::string(" RSA PRIVATE") + " KEY-----";
  return {std::move(file_name),
          head + before + "-----BEGIN" + kind + after + joined(lines, 0, n, before, after) + before,
          lines[n],
          after + joined(lines, n + 1, lines.size(), before, after) + before + "-----END" + kind +
              tail};
}

}  // namespace

std::vector<PlantedSecret> planted_secrets() {
  Values values;
  std::vector<PlantedSecret> all;
  // Makers' keys: by themselves, whatever they are given to.
  struct Maker {
    std::string_view prefix;
    std::string_view alphabet;
    std::size_t n;
  };
  for (const Maker& maker : {Maker{"AKIA", kCapitals, 16},
                             {"ASIA", kCapitals, 16},
                             {"ghp_", kLettersAndDigits, 36},
                             {"gho_", kLettersAndDigits, 36},
                             {"ghu_", kLettersAndDigits, 36},
                             {"ghs_", kLettersAndDigits, 36},
                             {"ghr_", kLettersAndDigits, 36},
                             {"github_pat_", kLettersAndDigits, 82},
                             {"glpat-", kLettersAndDigits, 20},
                             {"sk-", kLettersAndDigits, 48},
                             {"sk-proj-", kLettersAndDigits, 48},
                             {"sk_live_", kLettersAndDigits, 24},
                             {"sk_test_", kLettersAndDigits, 24},
                             {"rk_live_", kLettersAndDigits, 24},
                             {"pk_live_", kLettersAndDigits, 24},
                             {"whsec_", kLettersAndDigits, 32},
                             {"xoxb-", kLettersAndDigits, 40},
                             {"xoxp-", kLettersAndDigits, 40},
                             {"xoxa-", kLettersAndDigits, 40},
                             {"xoxr-", kLettersAndDigits, 40},
                             {"xapp-", kLettersAndDigits, 40},
                             {"AIza", kLettersAndDigits, 35},
                             {"ya29.", kLettersAndDigits, 60},
                             {"npm_", kLettersAndDigits, 36},
                             {"pypi-", kLettersAndDigits, 80},
                             {"SG.", kLettersAndDigits, 60},
                             {"hf_", kLettersAndDigits, 34},
                             {"dop_v1_", kHex, 64},
                             {"shpat_", kHex, 32},
                             {"EAACEdEose0cBA", kLettersAndDigits, 60}}) {
    const std::string value = std::string(maker.prefix) + values.of(maker.alphabet, maker.n);
    all.push_back({"maker.py", "SERVICE_" + std::to_string(all.size()) + " = \"", value, "\"\n"});
  }
  all.push_back({"web_token.js",
                 "const session = '",
                 "eyJ" + values.of(kLettersAndDigits, 33) + ".eyJ" +
                     values.of(kLettersAndDigits, 50) + "." + values.of(kLettersAndDigits, 43),
                 "';\n"});

  // In URLs.
  all.push_back({"url.py",
                 "DATABASE = \"postgres://admin:",
                 values.password().replace(6, 1, "!"),
                 "@db.local:5432/main\"\n"});
  all.push_back(
      {"url.go", "const queue = \"amqps://app:", values.hex(), "@queue.example.com/jobs\"\n"});
  all.push_back({"remote.sh", "git clone https://bot:", values.hex(), "@git.local/app.git\n"});
  all.push_back({"cache.yaml", "cache: redis://:", values.hex(), "@cache:6379/0\n"});

  // Private keys.
  all.push_back(key_block("id_rsa.txt", "", values.key_lines(13), 6, "", "\n", "\n"));
  all.push_back(key_block(
      "signing.py", "SIGNER = \"\"\"\\\n", values.key_lines(26), 20, "", "\n", "\n\"\"\"\n"));
  all.push_back(key_block("signing.cpp",
                          "static const char kSigner[] =\n",
                          values.key_lines(13),
                          3,
                          "    \"",
                          "\\n\"\n",
                          "\\n\";\n"));
  all.push_back(key_block(
      "long_key.js", "export const signer = `\n", values.key_lines(51), 30, "", "\n", "\n`;\n"));
  all.push_back(
      key_block("account.json", "{\"signer\": \"", values.key_lines(13), 5, "", "\\n", "\\n\"}\n"));
  all.push_back(
      key_block("settings.yaml", "signer: |\n", values.key_lines(13), 12, "    ", "\n", "\n"));

  // Given to names.
  const auto given = [&](std::string file_name, std::string before, std::string after) {
    std::string value = all.size() % 2 == 0 ? values.password() : values.hex();
    all.push_back({std::move(file_name), std::move(before), std::move(value), std::move(after)});
  };
  given("constant.cpp", "const char* const kApiToken = \"", "\";\n");
  given("array.cpp", "constexpr char kPassword[] = \"", "\";\n");
  given("macro.h", "#define STORE_PASSWORD \"", "\"\n");
  given("braces.cpp", "static const std::string kClientSecret{\"", "\"};\n");
  given("constructed.cpp", "const std::string store_password(\"", "\");\n");
  given("next_line.cpp", "const std::string kStoreEncryptionKey =\n    \"", "\";\n");
  given("default.h",
        "void open_store(const std::string& name, const std::string& password = \"",
        "\");\n");
  given("default_view.h", "int join_store(std::string_view secret = std::string(\"", "\"));\n");
  given("call.cpp", "void configure() { store.set_password(\"", "\"); }\n");
  given("wide.cpp", "const auto kAuthToken = L\"", "\";\n");
  given("raw.cpp", "const auto kAuthTokenText = R\"(", ")\";\n");
  given("default.py", "def open_store(name, password=\"", "\"):\n    pass\n");
  given("typed_default.py", "def join_store(name, *, api_key: str = \"", "\"):\n    pass\n");
  given("single.py", "STORE_PASSWORD = '", "'\n");
  given("environment.py", "os.environ[\"STORE_PASSWORD\"] = \"", "\"\n");
  given("bytes.py", "SIGNING_KEY = b\"", "\"\n");
  given("block.py", "STORE_SECRET = \"\"\"", "\"\"\"\n");
  given("in_brackets.py", "STORE_TOKEN = (\n    \"", "\"\n)\n");
  given("headers.py", "HEADERS = {\"Authorization\": \"Bearer ", "\"}\n");
  given("dictionary.py", "CONFIG = {\"client_secret\": \"", "\"}\n");
  given("typed.ts", "export const apiKey: string = \"", "\";\n");
  given("property.ts", "export const options = { password: '", "' };\n");
  given("template.js", "export const accessToken = `", "`;\n");
  given("header.js", "const headers = { 'x-api-key': '", "' };\n");
  given("typed.go", "const storePassword string = \"", "\"\n");
  given("short.go", "\tpassword := \"", "\"\n");
  given("constant.rs", "pub const STORE_PASSWORD: &str = \"", "\";\n");
  given("static.rs", "static API_TOKEN: &'static str = \"", "\";\n");
  given("owned.rs", "let options = Options { password: String::from(\"", "\") };\n");
  given("Constant.java", "class Store { private static final String PASSWORD = \"", "\"; }\n");
  given("Value.kt", "val password: String? = \"", "\"\n");
  given("hash.rb", "OPTIONS = { :password => \"", "\" }\n");
  given("define.php", "<?php define('DB_PASSWORD', '", "');\n");
  given("Connection.cs", "var store = \"Server=db;User=app;Password=", ";Timeout=3\";\n");
  given("dot.env", "STORE_PASSWORD=", "\n");
  given("quoted.env", "export STORE_SECRET_KEY=\"", "\"\n");
  given("plain.yaml", "store:\n  password: ", "\n");
  given("spaced.ini", "[store]\npassword = ", "\n");
  given("table.toml", "[store]\nsecret = \"", "\"\n");
  given("element.xml", "<store><password>", "</password></store>\n");
  given("flag.sh", "store --name main --password=", " --verbose\n");
  given("flag_word.sh", "store --name main --password ", " --verbose\n");
  given("user.sql", "CREATE USER app WITH PASSWORD '", "';\n");
  return all;
}

}  // namespace kinglet::test
