#include "indexer/history.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <git2.h>
#include <git2/sys/repository.h>

#include "daemon/base/cpu_time.h"
#include "indexer/bytes.h"
#include "indexer/git_objects.h"

namespace kinglet::indexer {
namespace {

/// The age, in commits, at which a commit weighs half of what the newest does.
constexpr double kHalfAge = 100;

struct FreeGit {
  void operator()(git_repository* repository) const { git_repository_free(repository); }
  void operator()(git_object* object) const { git_object_free(object); }
  void operator()(git_commit* commit) const { git_commit_free(commit); }
  void operator()(git_tree* tree) const { git_tree_free(tree); }
  void operator()(git_tree_entry* entry) const { git_tree_entry_free(entry); }
  void operator()(git_diff* diff) const { git_diff_free(diff); }
  void operator()(git_odb* objects) const { git_odb_free(objects); }
};
template <class T>
using Owned = std::unique_ptr<T, FreeGit>;

/// Once for the process: no configuration but the repository's own is read, other users'
/// repositories are, too (nothing in them is run), and so are those of clones with few objects or
/// few files.
void start_libgit2() {
  static std::once_flag once;
  std::call_once(once, [] {
    git_libgit2_init();
    for (const int level : {GIT_CONFIG_LEVEL_PROGRAMDATA,
                            GIT_CONFIG_LEVEL_SYSTEM,
                            GIT_CONFIG_LEVEL_XDG,
                            GIT_CONFIG_LEVEL_GLOBAL})
      git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    std::array<const char*, 2> extensions = {"partialclone", "worktreeconfig"};
    git_libgit2_opts(GIT_OPT_SET_EXTENSIONS, extensions.data(), extensions.size());
    // Each tree is read twice, for its commit and the next one.
    git_libgit2_opts(GIT_OPT_SET_CACHE_OBJECT_LIMIT, GIT_OBJECT_TREE, std::size_t{1} << 20);
    git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, ssize_t{32} << 20);
  });
}

tl::unexpected<Error> git_failure(int code, const std::string& what) {
  const git_error* error = git_error_last();
  const bool is_missing = code == GIT_ENOTFOUND || code == GIT_EUNBORNBRANCH;
  return fail(is_missing ? ErrorCode::kNotFound : ErrorCode::kCorrupt,
              what + ": " + (error != nullptr ? error->message : "git gives no reason"));
}

/// The repository that a folder is in.
struct Opened {
  std::string root;  // the folder
  Owned<git_repository> repository;
  std::string folder;  // relative to the work tree; empty: its top
};

Result<Opened> open_repository(const std::string& root) {
  start_libgit2();
  git_repository* repository = nullptr;
  const int code = git_repository_open_ext(&repository, root.c_str(), 0, nullptr);
  if (code != 0) return git_failure(code, "cannot open the git repository of " + root);
  Opened opened{.root = root, .repository = Owned<git_repository>(repository), .folder = {}};
  const char* const top = git_repository_workdir(repository);
  if (top == nullptr) {
    return fail(ErrorCode::kNotFound, "the git repository of " + root + " has no work tree");
  }
  std::error_code error;
  const auto below = std::filesystem::canonical(root, error).lexically_relative(top);
  if (error || below.empty() || *below.begin() == "..") {
    return fail(ErrorCode::kNotFound,
                root + " lies outside of the work tree of its git repository, " + top);
  }
  if (below != ".") opened.folder = below.generic_string();
  git_buf folder = GIT_BUF_INIT;
  const int found = git_repository_item_path(&folder, repository, GIT_REPOSITORY_ITEM_OBJECTS);
  const Owned<git_odb> objects(found == 0 ? open_git_objects(folder.ptr) : nullptr);
  git_buf_dispose(&folder);
  if (!objects || git_repository_set_odb(repository, objects.get()) != 0) {
    return git_failure(found, "cannot open the git objects of " + root);
  }
  return opened;
}

Result<Owned<git_commit>> find_commit(const Opened& opened, const std::string& name) {
  git_object* object = nullptr;
  const int code =
      git_revparse_single(&object, opened.repository.get(), (name + "^{commit}").c_str());
  if (code != 0) return git_failure(code, "cannot find the commit " + name + " of " + opened.root);
  const Owned<git_object> owned(object);
  git_commit* commit = nullptr;
  const int found = git_commit_lookup(&commit, opened.repository.get(), git_object_id(object));
  if (found != 0)
    return git_failure(found, "cannot read the commit " + name + " of " + opened.root);
  return Owned<git_commit>(commit);
}

std::string id_of(const git_commit* commit) {
  std::array<char, GIT_OID_HEXSZ + 1> text{};
  return git_oid_tostr(text.data(), text.size(), git_commit_id(commit));
}

/// A commit's tree of the folder; null: the commit does not have it. Nothing: it cannot be read.
std::optional<Owned<git_tree>> tree_of(const git_commit* commit, const std::string& folder) {
  git_tree* tree = nullptr;
  if (git_commit_tree(&tree, commit) != 0) return std::nullopt;
  Owned<git_tree> top(tree);
  if (folder.empty()) return top;
  git_tree_entry* found = nullptr;
  const int code = git_tree_entry_bypath(&found, top.get(), folder.c_str());
  if (code == GIT_ENOTFOUND) return nullptr;
  if (code != 0) return std::nullopt;
  const Owned<git_tree_entry> entry(found);
  if (git_tree_entry_type(found) != GIT_OBJECT_TREE) return nullptr;
  if (git_tree_lookup(&tree, git_commit_owner(commit), git_tree_entry_id(found)) != 0) {
    return std::nullopt;
  }
  return Owned<git_tree>(tree);
}

bool has_file(const git_tree* tree, const std::string& path) {
  git_tree_entry* found = nullptr;
  if (git_tree_entry_bypath(&found, tree, path.c_str()) != 0) return false;
  const Owned<git_tree_entry> entry(found);
  return git_tree_entry_type(found) == GIT_OBJECT_BLOB;
}

/// Commits, the latest first. libgit2's own walk ends at the first parent that is not there, which
/// every shallow clone has.
class CommitWalk {
 public:
  explicit CommitWalk(git_repository* repository) : repository_(repository) {}

  void add(const git_oid& id) {
    if (!seen_.insert(id).second) return;
    git_commit* commit = nullptr;
    if (git_commit_lookup(&commit, repository_, &id) != 0) return;
    waiting_.push_back({git_commit_time(commit), seen_.size(), Owned<git_commit>(commit)});
    std::ranges::push_heap(waiting_, is_later);
  }

  /// Null at the end. Its parents come after it.
  Owned<git_commit> next() {
    if (waiting_.empty()) return nullptr;
    std::ranges::pop_heap(waiting_, is_later);
    Owned<git_commit> commit = std::move(waiting_.back().commit);
    waiting_.pop_back();
    for (unsigned i = 0; i < git_commit_parentcount(commit.get()); ++i)
      add(*git_commit_parent_id(commit.get(), i));
    return commit;
  }

 private:
  struct Waiting {
    git_time_t time = 0;
    std::size_t order = 0;
    Owned<git_commit> commit;
  };
  static bool is_later(const Waiting& a, const Waiting& b) {
    return std::tuple(a.time, b.order) < std::tuple(b.time, a.order);
  }
  struct Before {
    bool operator()(const git_oid& a, const git_oid& b) const { return git_oid_cmp(&a, &b) < 0; }
  };

  git_repository* repository_;
  std::vector<Waiting> waiting_;  // a heap
  std::set<git_oid, Before> seen_;
};

struct PathList {
  std::vector<std::string> paths;
  std::size_t max_size = 0;
};

/// Takes a difference's path instead of letting libgit2 keep it; ends a comparison with too many.
int take_path(const git_diff*, const git_diff_delta* delta, const char*, void* list) {
  auto& [paths, max_size] = *static_cast<PathList*>(list);
  // A file that became a link comes twice, one after the other.
  if (paths.empty() || paths.back() != delta->new_file.path) {
    paths.emplace_back(delta->new_file.path);
  }
  return paths.size() > max_size ? GIT_EUSER : 1;
}

/// What a commit of at most one parent changes in the folder: paths relative to it, more than
/// `max_files` if there are more. Nothing: it cannot be read.
std::optional<std::vector<std::string>> changes_of(const git_commit* commit,
                                                   const std::string& folder,
                                                   std::size_t max_files) {
  const auto after = tree_of(commit, folder);
  if (!after) return std::nullopt;
  std::optional<Owned<git_tree>> before = nullptr;
  if (git_commit_parentcount(commit) > 0) {
    git_commit* parent = nullptr;
    if (git_commit_parent(&parent, commit, 0) != 0) return std::nullopt;
    before = tree_of(Owned<git_commit>(parent).get(), folder);
    if (!before) return std::nullopt;
  }
  PathList list{.paths = {}, .max_size = max_files};
  const bool has_both = *before && *after;
  if (!*before && !*after) return list.paths;
  if (has_both && git_oid_equal(git_tree_id(before->get()), git_tree_id(after->get())) != 0) {
    return list.paths;
  }
  git_diff_options options = {};
  git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
  options.flags = GIT_DIFF_SKIP_BINARY_CHECK | GIT_DIFF_IGNORE_SUBMODULES;
  options.notify_cb = take_path;
  options.payload = &list;
  git_diff* diff = nullptr;
  const int code =
      git_diff_tree_to_tree(&diff, git_commit_owner(commit), before->get(), after->get(), &options);
  const Owned<git_diff> owned(diff);
  if (code != 0 && code != GIT_EUSER) return std::nullopt;
  return std::move(list.paths);
}

/// Adds up what commits changed.
class Changes {
 public:
  /// `newest`: the tree whose files count.
  explicit Changes(const git_tree* newest) : newest_(newest) {}

  void add(const std::vector<std::string>& paths, std::uint32_t age) {
    const double weight = kHalfAge / (kHalfAge + age) / static_cast<double>(paths.size());
    std::vector<std::uint32_t> files;
    for (const std::string& path : paths) {
      const auto file = file_of(path, age);
      if (!file) continue;
      files_[*file].changed.n_changes += 1;
      files_[*file].weight += weight;
      for (const std::uint32_t other : files)
        pairs_[std::minmax(*file, other)] += weight;
      files.push_back(*file);
    }
  }

  std::vector<ChangedFile> take() {
    std::vector<std::uint32_t> by_path(files_.size());
    for (std::uint32_t i = 0; i < by_path.size(); ++i)
      by_path[i] = i;
    std::ranges::sort(by_path, {}, [&](std::uint32_t i) { return std::string_view(path_at(i)); });
    std::vector<std::uint32_t> place(by_path.size());
    std::vector<ChangedFile> result;
    result.reserve(by_path.size());
    for (const std::uint32_t i : by_path) {
      place[i] = static_cast<std::uint32_t>(result.size());
      result.push_back(std::move(files_[i].changed));
    }
    for (const auto& [pair, weight] : pairs_) {
      const auto [a, b] = pair;
      result[place[a]].others.push_back({place[b], share_of(weight, files_[a].weight)});
      result[place[b]].others.push_back({place[a], share_of(weight, files_[b].weight)});
    }
    for (ChangedFile& file : result) {
      std::ranges::sort(file.others, [](const auto& a, const auto& b) {
        return std::tuple(b.share, a.file) < std::tuple(a.share, b.file);
      });
      if (file.others.size() > ChangedFile::kMaxOthers) {
        file.others.resize(ChangedFile::kMaxOthers);
        file.others.shrink_to_fit();
      }
    }
    return result;
  }

 private:
  struct File {
    ChangedFile changed;
    double weight = 0;
  };
  using Pair = std::pair<std::uint32_t, std::uint32_t>;
  struct HashPair {
    std::size_t operator()(const Pair& pair) const {
      return std::hash<std::uint64_t>()(std::uint64_t{pair.first} << 32 | pair.second);
    }
  };

  static std::uint32_t share_of(double weight, double of) {
    const double share = std::round(weight / of * ChangedFile::kWhole);
    return static_cast<std::uint32_t>(std::clamp<double>(share, 1, ChangedFile::kWhole));
  }

  const std::string& path_at(std::uint32_t i) const { return files_[i].changed.path; }

  /// Nothing: it is no more.
  std::optional<std::uint32_t> file_of(const std::string& path, std::uint32_t age) {
    const auto [known, is_new] = known_.try_emplace(path);
    if (is_new && has_file(newest_, path)) {
      known->second = static_cast<std::uint32_t>(files_.size());
      files_.push_back({{.path = path, .n_changes = 0, .age = age, .others = {}}, 0});
    }
    return known->second;
  }

  const git_tree* newest_;
  std::vector<File> files_;
  std::unordered_map<std::string, std::optional<std::uint32_t>> known_;
  std::unordered_map<Pair, double, HashPair> pairs_;
};

}  // namespace

ChangeHistory::ChangeHistory(std::string commit,
                             std::uint32_t n_commits,
                             std::vector<ChangedFile> files)
    : commit_(std::move(commit)), n_commits_(n_commits), files_(std::move(files)) {}

const ChangedFile* ChangeHistory::find(std::string_view path) const {
  const auto found = std::ranges::lower_bound(files_, path, {}, &ChangedFile::path);
  return found == files_.end() || found->path != path ? nullptr : &*found;
}

std::vector<Companion> ChangeHistory::together(std::string_view path) const {
  std::vector<Companion> companions;
  if (const ChangedFile* file = find(path)) {
    for (const auto& [other, share] : file->others)
      companions.push_back({files_[other].path, static_cast<double>(share) / ChangedFile::kWhole});
  }
  return companions;
}

Result<ChangeHistory> read_history(const std::string& root,
                                   const HistoryOptions& options,
                                   const std::stop_token& stop) {
  const double begin = thread_seconds();
  const Opened opened = TRY(open_repository(root));
  const Owned<git_commit> newest = TRY(find_commit(opened, options.from));
  const auto tree = tree_of(newest.get(), opened.folder);
  if (!tree) return git_failure(GIT_ERROR, "cannot read the newest tree of " + root);
  // Not committed yet.
  if (!*tree) return ChangeHistory(id_of(newest.get()), 0, {});
  Changes changes(tree->get());
  std::uint32_t n_commits = 0;
  CommitWalk walk(opened.repository.get());
  walk.add(*git_commit_id(newest.get()));
  while (n_commits < options.max_commits && thread_seconds() - begin < options.max_seconds) {
    if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "It was cancelled.");
    const Owned<git_commit> commit = walk.next();
    if (!commit) break;
    if (git_commit_parentcount(commit.get()) > 1) continue;
    const auto paths = changes_of(commit.get(), opened.folder, options.max_files);
    if (!paths || paths->empty()) continue;
    if (paths->size() <= options.max_files) changes.add(*paths, n_commits);
    ++n_commits;
  }
  return ChangeHistory(id_of(newest.get()), n_commits, changes.take());
}

Result<std::string> head_commit(const std::string& root) {
  const Opened opened = TRY(open_repository(root));
  return id_of(TRY(find_commit(opened, "HEAD")).get());
}

std::string serialize(const ChangeHistory& history) {
  std::string out;
  write_string(out, history.commit());
  write_number(out, history.n_commits());
  write_number(out, history.files().size());
  for (const ChangedFile& file : history.files()) {
    write_string(out, file.path);
    write_number(out, file.n_changes);
    write_number(out, file.age);
    write_number(out, file.others.size());
    for (const auto& [other, share] : file.others) {
      write_number(out, other);
      write_number(out, share);
    }
  }
  return out;
}

Result<ChangeHistory> deserialize_history(std::string_view bytes) {
  ByteReader in(bytes);
  bool is_good = true;
  // The first field that does not hold ends it: from there on all is 0.
  const auto number = [&](std::uint64_t least, std::uint64_t most) -> std::uint32_t {
    const auto value = is_good ? in.number() : std::nullopt;
    is_good = value && *value >= least && *value <= most;
    return is_good ? static_cast<std::uint32_t>(*value) : 0;
  };
  const auto string = [&]() -> std::string {
    const auto text = is_good ? in.string() : std::nullopt;
    is_good = text.has_value();
    return std::string(text.value_or(""));
  };
  std::string commit = string();
  const std::uint32_t n_commits = number(0, UINT32_MAX);
  const std::uint32_t n_files = number(0, std::min<std::uint64_t>(in.n_left(), UINT32_MAX));
  std::vector<ChangedFile> files;
  for (std::uint32_t i = 0; i < n_files && is_good; ++i) {
    ChangedFile file;
    file.path = string();
    is_good = is_good && !file.path.empty() && (i == 0 || files.back().path < file.path);
    file.n_changes = number(1, n_commits);
    file.age = number(0, n_commits - file.n_changes);
    const std::uint32_t n_others = number(0, ChangedFile::kMaxOthers);
    for (std::uint32_t k = 0; k < n_others && is_good; ++k) {
      const std::uint32_t other = number(0, n_files - 1);
      const std::uint32_t share = number(1, ChangedFile::kWhole);
      is_good = is_good && other != i &&
                (k == 0 || std::tuple(share, file.others.back().file) <
                               std::tuple(file.others.back().share, other));
      file.others.push_back({other, share});
    }
    files.push_back(std::move(file));
  }
  if (!is_good || in.n_left() > 0) {
    return fail(ErrorCode::kCorrupt,
                "change history: does not hold at byte " + std::to_string(in.offset()));
  }
  return ChangeHistory(std::move(commit), n_commits, std::move(files));
}

}  // namespace kinglet::indexer
