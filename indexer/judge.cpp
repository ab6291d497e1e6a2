#include "indexer/judge.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>

#include "indexer/ignore_rules.h"

namespace kinglet::indexer {
namespace {

// Patterns of names in lower case.
constexpr std::string_view kSecrets[] = {
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "*.asc",
    "*.gpg",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".npmrc",
    ".pypirc",
    ".htpasswd",
    ".git-credentials",
    "credentials",
    "credentials.*",
    "secrets",
    "secrets.*",
    "*.tfvars",
    "*.tfstate",
    "*.tfstate.backup",
    ".dockercfg",
    ".dockerconfigjson",
    "*.mobileprovision",
    "service-account*.json",
    "*_rsa",
    "*.ovpn",
};
// What looks like a secret and is written to be read.
constexpr std::string_view kNotSecret[] = {
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    ".env.defaults",
    "*.pub",
    "secrets.py",
    "secrets.h",
    "secrets.cpp",
    "credentials.py",
    "credentials.h",
    "credentials.cpp",
};
constexpr std::string_view kBinaryExtensions[] = {
    "7z",     "a",       "ai",   "avi",   "bin",  "bmp",  "bz2",         "class", "db",
    "dll",    "dylib",   "eot",  "exe",   "flac", "gguf", "gif",         "gz",    "icns",
    "ico",    "jar",     "jpeg", "jpg",   "lib",  "mkv",  "mov",         "mp3",   "mp4",
    "npy",    "npz",     "o",    "obj",   "ogg",  "onnx", "otf",         "pdf",   "png",
    "psd",    "pt",      "pyc",  "pyd",   "pyo",  "rar",  "safetensors", "so",    "spv",
    "sqlite", "sqlite3", "tar",  "tgz",   "tif",  "tiff", "ttf",         "wasm",  "wav",
    "webm",   "webp",    "woff", "woff2", "xz",   "zip",  "zst",
};
static_assert(std::is_sorted(std::begin(kBinaryExtensions), std::end(kBinaryExtensions)));
constexpr std::string_view kGenerated[] = {
    "*.min.js",
    "*.min.css",
    "*.js.map",
    "*.css.map",
    "*.pb.go",
    "*_pb2.py",
    "*.pb.h",
    "*.pb.cc",
    "yarn.lock",
    "package-lock.json",
    "pnpm-lock.yaml",
    "cargo.lock",
    "poetry.lock",
    "composer.lock",
    "gemfile.lock",
    "go.sum",
    "uv.lock",
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return out;
}

const std::string_view* find_glob(const auto& patterns, std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(patterns), std::end(patterns), [&](std::string_view pattern) {
        return matches_glob(pattern, name);
      });
  return found == std::end(patterns) ? nullptr : found;
}

}  // namespace

std::optional<Judgement> judge_name(std::string_view name) {
  const std::string lowered = lower(name);
  if (const auto* pattern = find_glob(kSecrets, lowered);
      pattern && !find_glob(kNotSecret, lowered)) {
    return Judgement{LeftOut::kSecret, "named like a secret: " + std::string(*pattern)};
  }
  const std::size_t dot = lowered.rfind('.');
  if (dot != std::string::npos) {
    const std::string_view extension = std::string_view(lowered).substr(dot + 1);
    if (std::binary_search(std::begin(kBinaryExtensions), std::end(kBinaryExtensions), extension)) {
      return Judgement{LeftOut::kBinary, "a ." + std::string(extension) + " file"};
    }
  }
  if (const auto* pattern = find_glob(kGenerated, lowered)) {
    return Judgement{LeftOut::kGenerated, "named like a generated file: " + std::string(*pattern)};
  }
  return std::nullopt;
}

std::optional<SkippedPath> judge_content(std::string_view path, std::string_view text) {
  const auto skip = [&](LeftOut reason, std::string detail) {
    return SkippedPath{std::string(path), reason, std::move(detail)};
  };
  constexpr std::size_t kHead = 8192;
  const std::string_view head = text.substr(0, kHead);
  if (head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF")) {
    return skip(LeftOut::kBinary, "UTF-16: save it as UTF-8 to have it indexed");
  }
  if (const std::size_t nul = head.find('\0'); nul != std::string_view::npos) {
    return skip(LeftOut::kBinary, "a NUL byte at offset " + std::to_string(nul));
  }
  if (head.find("-----BEGIN ") != std::string_view::npos &&
      head.find("PRIVATE KEY-----") != std::string_view::npos && text.size() < kHead) {
    return skip(LeftOut::kSecret, "holds a private key");
  }

  // Generators sign in the first lines.
  const std::string signs = lower(text.substr(0, 1000));
  if (signs.find("@generated") != std::string::npos) {
    return skip(LeftOut::kGenerated, "says @generated in its head");
  }
  if (signs.find("generated") != std::string::npos &&
      (signs.find("do not edit") != std::string::npos ||
       signs.find("do not modify") != std::string::npos)) {
    return skip(LeftOut::kGenerated, "says that it is generated, and not to edit it");
  }

  constexpr std::size_t kMinMinified = 4096;
  constexpr std::size_t kMaxMeanLine = 400;
  if (text.size() >= kMinMinified) {
    const auto n_lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    if (text.size() / n_lines > kMaxMeanLine) {
      return skip(LeftOut::kGenerated,
                  "minified: " + std::to_string(text.size() / n_lines) + " bytes a line");
    }
  }
  return std::nullopt;
}

}  // namespace kinglet::indexer
