#include "indexer/imports.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>

#include "indexer/import_rules.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kMaxFound = 64;
// A target is a few dozen bytes; what is longer is data.
constexpr std::size_t kMaxTargetBytes = 1024;

std::string joined(std::string_view folder, std::string_view rest) {
  if (folder.empty()) return std::string(rest);
  if (rest.empty()) return std::string(folder);
  return std::string(folder) + "/" + std::string(rest);
}

// Without "." and ".." and empty parts; nothing when it leads out of the root.
std::optional<std::string> normalized(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (parts.empty()) {
      return std::nullopt;
    } else {
      parts.pop_back();
    }
  }
  std::string out;
  for (const std::string_view part : parts)
    out = joined(out, part);
  return out;
}

// "a.b.c" → "a/b/c"
std::string with_slashes(std::string_view words, std::string_view separator) {
  std::string out;
  for (std::size_t at = 0; at <= words.size();) {
    const std::size_t end = std::min(words.find(separator, at), words.size());
    if (end > at) out = joined(out, words.substr(at, end - at));
    at = end + separator.size();
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n;\"'<>`";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// The search for one target: finds collect, the better confidence of a file stays.
class Search {
 public:
  Search(const ImportContext& context, const ImportRules& rules, std::string_view from)
      : paths_(context.paths), modules_(context.go_modules), rules_(rules), from_(from) {}

  std::vector<ImportedFile> run(std::string_view target) {
    target = trimmed(target.substr(0, kMaxTargetBytes));
    if (target.empty()) return {};
    switch (rules_.form) {
      case ImportForm::kPath:
        path(target);
        break;
      case ImportForm::kPython:
        python(target);
        break;
      case ImportForm::kJavaScript:
        javascript(target);
        break;
      case ImportForm::kGo:
        go(target);
        break;
      case ImportForm::kRust:
        rust(target);
        break;
      case ImportForm::kDotted:
        dotted(target);
        break;
      case ImportForm::kNamespace:
        name_space(target);
        break;
    }
    std::ranges::stable_sort(found_, std::greater(), &ImportedFile::confidence);
    return std::move(found_);
  }

 private:
  bool add(std::uint32_t file, float confidence) {
    const auto known = std::ranges::find(found_, file, &ImportedFile::file);
    if (known != found_.end()) {
      known->confidence = std::max(known->confidence, confidence);
    } else {
      found_.push_back({file, confidence});
    }
    return true;
  }

  // The one file that a path without extension means: with an extension, or a folder's index file.
  bool try_path(const std::string& path, float confidence) {
    for (const std::string_view extension : rules_.extensions) {
      if (const auto file = paths_.find(path + std::string(extension))) {
        return add(*file, confidence);
      }
    }
    for (const std::string_view index : rules_.index_files) {
      if (const auto file = paths_.find(joined(path, index))) return add(*file, confidence);
    }
    return false;
  }

  // From the folder of the importing file, "../" included.
  bool try_relative(std::string_view path, float confidence) {
    const auto whole = normalized(joined(folder_of(from_), path));
    return whole && try_path(*whole, confidence);
  }

  // From each folder above, the nearest first, and the usual folders beside them.
  bool try_ancestors(std::string_view path, float nearest, float at_root) {
    for (std::string_view folder = folder_of(from_);; folder = folder_of(folder)) {
      for (const std::string_view base : rules_.bases) {
        const auto whole = normalized(joined(joined(folder, base), path));
        if (whole && try_path(*whole, folder.empty() ? at_root : nearest)) return true;
      }
      if (folder.empty()) return false;
    }
  }

  // Wherever a file's path ends so; the more there are, the less each is likely, but for those
  // that are nearest to the importing file.
  bool try_suffix(const std::string& path, float confidence) {
    std::vector<std::uint32_t> files;
    for (const std::string_view extension : rules_.extensions) {
      files = paths_.ending_with(path + std::string(extension), kMaxFound);
      if (!files.empty()) break;
    }
    for (const std::string_view index : rules_.index_files) {
      if (!files.empty()) break;
      files = paths_.ending_with(joined(path, index), kMaxFound);
    }
    if (files.empty()) return false;
    std::size_t nearest = 0;
    for (const std::uint32_t file : files)
      nearest = std::max(nearest, n_shared(paths_[file]));
    const auto n_nearest = static_cast<float>(std::ranges::count_if(
        files, [&](std::uint32_t file) { return n_shared(paths_[file]) == nearest; }));
    const auto n_files = static_cast<float>(files.size());
    for (const std::uint32_t file : files) {
      add(file,
          n_shared(paths_[file]) == nearest ? confidence / n_nearest : confidence / (2 * n_files));
    }
    return true;
  }

  // All files of a folder that have one of the language's extensions.
  bool add_folder(std::string_view folder, float confidence) {
    bool any = false;
    for (const std::uint32_t file : paths_.files_in(folder)) {
      const bool fits = std::ranges::any_of(rules_.extensions, [&](std::string_view extension) {
        return !extension.empty() && paths_[file].ends_with(extension);
      });
      if (fits) any = add(file, confidence);
    }
    return any;
  }

  bool try_folder_suffix(const std::string& folder, float confidence) {
    const auto folders = paths_.folders_ending_with(folder, kMaxFound);
    bool any = false;
    for (const std::string_view path : folders)
      any |= add_folder(path, confidence / static_cast<float>(folders.size()));
    return any;
  }

  // Leading folders in common with the importing file.
  std::size_t n_shared(std::string_view path) const {
    std::size_t n = 0;
    for (std::size_t i = 0; i < std::min(path.size(), from_.size()) && path[i] == from_[i]; ++i)
      n += path[i] == '/' ? 1 : 0;
    return n;
  }

  void path(std::string_view target) {
    if (target.starts_with('/')) target.remove_prefix(1);
    if (try_relative(target, 1)) return;
    // What begins with dots is meant from here and nowhere else.
    if (target.starts_with("../") || target.starts_with("./")) return;
    if (try_ancestors(target, 0.95F, 0.95F)) return;
    if (const auto plain = normalized(target); plain && !plain->empty()) {
      if (try_suffix(*plain, 0.8F) || !rules_.language.empty()) return;
      const std::string_view name = last_of(from_);
      const std::size_t dot = name.rfind('.');
      if (dot != std::string_view::npos) try_suffix(*plain + std::string(name.substr(dot)), 0.6F);
    }
  }

  void python(std::string_view target) {
    const std::size_t n_dots = std::min(target.find_first_not_of('.'), target.size());
    const std::string module = with_slashes(target.substr(n_dots), ".");
    if (n_dots > 0) {
      std::string_view folder = folder_of(from_);
      for (std::size_t i = 1; i < n_dots; ++i) {
        if (folder.empty()) return;
        folder = folder_of(folder);
      }
      const std::string whole = joined(folder, module);
      try_path(whole, 1);
      // `from . import name`: a name of the package, or one of its modules.
      add_folder(whole, 0.5F);
      return;
    }
    const bool is_alone = module.find('/') == std::string::npos;
    // One word is a script's neighbor or a package at the root; deeper inside it is the library's.
    const bool any = is_alone ? try_ancestors(module, 0.6F, 0.9F)
                              : try_ancestors(module, 0.9F, 0.95F) || try_suffix(module, 0.75F);
    if (any) {
      // `from package import module`
      const std::string_view first = paths_[found_.front().file];
      if (last_of(first).starts_with("__init__.")) add_folder(folder_of(first), 0.45F);
    }
  }

  void javascript(std::string_view target) {
    if (const std::size_t query = target.find('?'); query != std::string_view::npos) {
      target = target.substr(0, query);
    }
    std::string without(target);
    // TypeScript's sources are imported by the names of what they become.
    for (const std::string_view extension : {".js", ".mjs", ".cjs", ".jsx"}) {
      if (target.ends_with(extension)) without = target.substr(0, target.size() - extension.size());
    }
    if (target.starts_with('.')) {
      if (!try_relative(target, 1)) try_relative(without, 0.95F);
      return;
    }
    for (const std::string_view prefix : {"@/", "~/", "#/", "/"}) {
      if (!target.starts_with(prefix)) continue;
      target.remove_prefix(prefix.size());
      without.erase(0, prefix.size());
      break;
    }
    const auto plain = normalized(target);
    if (!plain || plain->empty()) return;
    const bool is_alone = plain->find('/') == std::string::npos;
    if (try_ancestors(*plain, is_alone ? 0.4F : 0.85F, is_alone ? 0.5F : 0.9F)) return;
    if (without != target && try_ancestors(without, 0.8F, 0.85F)) return;
    // A package of this repository's own.
    const std::string name(last_of(*plain));
    for (const std::string_view folder : paths_.folders_ending_with(name, kMaxFound)) {
      for (const std::string_view index : {"package.json"}) {
        if (paths_.find(joined(folder, index))) try_path(std::string(folder), 0.6F);
      }
    }
    if (found_.empty() && !is_alone) try_suffix(*plain, 0.5F);
  }

  void go(std::string_view target) {
    bool is_known = false;
    for (const GoModule& module : modules_) {
      if (!target.starts_with(module.name)) continue;
      const std::string_view rest = target.substr(module.name.size());
      if (!rest.empty() && rest.front() != '/') continue;
      is_known |= add_folder(joined(module.folder, rest.empty() ? rest : rest.substr(1)), 1);
    }
    if (is_known) return;
    add_folder(joined("vendor", target), 0.9F);
    // Without a go.mod the module's name is unknown: the longest end that is a folder.
    if (!modules_.empty() || !found_.empty()) return;
    const std::string whole(target);
    const bool is_library = target.substr(0, target.find('/')).find('.') == std::string_view::npos;
    for (std::size_t at = 0; at != std::string::npos;) {
      if (try_folder_suffix(whole.substr(at), is_library && at > 0 ? 0.4F : 0.7F)) return;
      at = whole.find('/', at);
      if (at != std::string::npos) ++at;
    }
  }

  // `use a::{b, c::d}` names what stands before the braces, and each of what is in them.
  void rust(std::string_view target) {
    if (const std::size_t as = target.find(" as "); as != std::string_view::npos) {
      target = target.substr(0, as);
    }
    const std::size_t brace = target.find('{');
    if (brace == std::string_view::npos) return rust_path(with_slashes(target, "::"));
    const std::string before = with_slashes(target.substr(0, brace), "::");
    std::string_view rest = target.substr(brace + 1);
    rest = rest.substr(0, rest.find_first_of("{}"));
    rust_path(before);
    for (std::size_t at = 0, n = 0; at < rest.size() && n < kMaxFound; ++n) {
      const std::size_t end = std::min(rest.find(',', at), rest.size());
      rust_path(joined(before, with_slashes(trimmed(rest.substr(at, end - at)), "::")));
      at = end + 1;
    }
  }

  // Folder in which a module's own modules lie: beside mod.rs, lib.rs and main.rs, else in a folder
  // of the file's name.
  std::string module_folder(std::string_view file) const {
    const std::string_view name = last_of(file);
    if (name == "mod.rs" || name == "lib.rs" || name == "main.rs" || name == "build.rs") {
      return std::string(folder_of(file));
    }
    return joined(folder_of(file), stem_of(file));
  }

  std::optional<std::string> crate_folder() const {
    for (std::string_view folder = folder_of(from_);; folder = folder_of(folder)) {
      if (paths_.find(joined(folder, "lib.rs")) || paths_.find(joined(folder, "main.rs"))) {
        return std::string(folder);
      }
      if (folder.empty()) return std::nullopt;
    }
  }

  void rust_path(std::string path) {
    while (path.ends_with("/*") || path.ends_with("/self"))
      path.resize(path.rfind('/'));
    if (path.empty() || path == "*") return;
    std::string folder = module_folder(from_);
    std::string_view rest = path;
    const auto take = [&](std::string_view word) {
      if (rest != word && !rest.starts_with(std::string(word) + "/")) return false;
      rest.remove_prefix(std::min(rest.size(), word.size() + 1));
      return true;
    };
    if (take("crate")) {
      const auto crate = crate_folder();
      if (!crate) return;
      return in_crate(*crate, rest, 1);
    }
    bool is_relative = take("self");
    while (take("super")) {
      is_relative = true;
      folder = folder_of(folder);
    }
    if (is_relative) return in_crate(folder, rest, 1);
    // A module of this one, else another crate of the workspace.
    const std::string_view first = rest.substr(0, rest.find('/'));
    if (try_path(joined(folder, first), 0.95F)) {
      if (first != rest) in_crate(folder, rest, 0.95F);
      return;
    }
    std::string dashed(first);
    std::ranges::replace(dashed, '_', '-');
    for (const std::string& name : {std::string(first), dashed}) {
      for (const std::string_view crate : paths_.folders_ending_with(name + "/src", kMaxFound)) {
        const std::size_t before = found_.size();
        const std::string_view below = first == rest ? "" : rest.substr(first.size() + 1);
        in_crate(std::string(crate), below, 0.85F);
        if (found_.size() > before) return;
      }
    }
  }

  // The deepest module on the way of `rest` below a folder: what follows it are its items.
  void in_crate(const std::string& folder, std::string_view rest, float confidence) {
    for (; !rest.empty(); rest = folder_of(rest)) {
      if (try_path(joined(folder, rest), confidence)) return;
    }
    for (const std::string_view root : {"lib.rs", "main.rs", "mod.rs"}) {
      if (const auto file = paths_.find(joined(folder, root))) {
        add(*file, confidence * 0.9F);
        return;
      }
    }
    if (const auto file = paths_.find(folder + ".rs")) add(*file, confidence * 0.9F);
  }

  void dotted(std::string_view target) {
    if (const std::size_t as = target.find(" as "); as != std::string_view::npos) {
      target = target.substr(0, as);
    }
    if (target.starts_with("static ")) target.remove_prefix(7);
    std::string path = with_slashes(trimmed(target), ".");
    const bool is_wild = path.ends_with("/*");
    if (is_wild) path.resize(path.size() - 2);
    if (path.empty()) return;
    if (!is_wild) {
      if (!rules_.index_files.empty() && try_ancestors(path, 0.9F, 0.95F)) return;
      const bool is_alone = path.find('/') == std::string::npos;
      if (try_suffix(path, is_alone ? 0.5F : 0.95F)) return;
    }
    const bool is_package = try_folder_suffix(path, is_wild ? 0.95F : 0.6F);
    if (is_package || path.find('/') == std::string::npos) return;
    // A member of a class, a class in a class, a function of a package.
    const std::string outer(folder_of(path));
    if (try_suffix(outer, 0.85F) || try_folder_suffix(outer, 0.6F)) return;
    // Namespaces that begin with words without a folder.
    if (rules_.language == "csharp") {
      try_folder_suffix(std::string(last_of(path)), 0.4F);
    }
  }

  // PSR-4: the first words stand for a folder that composer.json knows; the rest is the path.
  void name_space(std::string_view target) {
    if (target.find('\\') == std::string_view::npos) return path(target);
    if (const std::size_t as = target.find(" as "); as != std::string_view::npos) {
      target = target.substr(0, as);
    }
    const std::string whole = with_slashes(target, "\\");
    float confidence = 0.95F;
    for (std::size_t at = 0; at != std::string::npos && confidence > 0.2F;) {
      if (try_suffix(whole.substr(at), confidence)) return;
      confidence -= 0.15F;
      at = whole.find('/', at);
      if (at != std::string::npos) ++at;
    }
  }

  const PathTable& paths_;
  std::span<const GoModule> modules_;
  const ImportRules& rules_;
  std::string_view from_;
  std::vector<ImportedFile> found_;
};

}  // namespace

std::vector<ImportedFile> resolve_import(const ImportContext& context,
                                         std::string_view language,
                                         std::string_view from,
                                         std::string_view target) {
  return Search(context, import_rules_of(language), from).run(target);
}

}  // namespace kinglet::indexer
