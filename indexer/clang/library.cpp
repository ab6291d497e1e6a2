#include "indexer/clang/library.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <system_error>

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

namespace kinglet::indexer::clang {

namespace {

/// The whole folder is named only beside LLVM's own tree: Debian's link in the common folder leads
/// there, but says not where it leads.
std::string find_resource_folder(void* function) {
  Dl_info info{};
  if (::dladdr(function, &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code error;
  const auto file = std::filesystem::canonical(info.dli_fname, error);
  if (error) return {};
  // libclang-19.so.19 → 19; its headers lie below the number of the release.
  const std::string name = file.filename().string();
  const std::size_t begin = name.find_first_of("0123456789");
  if (begin == std::string::npos) return {};
  const std::string release =
      name.substr(begin, name.find_first_not_of("0123456789", begin) - begin);
  const std::array<std::filesystem::path, 5> parents = {
      file.parent_path() / "clang",
      "/usr/lib/llvm-" + release + "/lib/clang",
      "/usr/lib/clang",
      "/usr/lib64/clang",
      "/usr/local/lib/clang",
  };
  for (const auto& parent : parents) {
    // Until release 15 the folder's name was the whole version.
    for (const std::string& version : {release, release + ".0.6", release + ".0.0"}) {
      const auto folder = parent / version;
      if (std::filesystem::is_regular_file(folder / "include" / "stddef.h", error)) {
        return folder.string();
      }
    }
  }
  return {};
}

/// Takes what is only read of every library out of this process's memory; what is used again comes
/// back from the page cache. Binding libclang and LLVM reads tables of 45 MB that nothing looks at
/// later, a third of what a worker takes while it parses.
void drop_read_only_pages() {
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void*) {
        const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
        for (const ElfW(Phdr) & segment : std::span(object->dlpi_phdr, object->dlpi_phnum)) {
          // A segment without PF_W was never written to: relocated data lies in writable ones.
          if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
          const std::uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
          const std::uintptr_t in_page = begin & (page - 1);
          // NOLINTNEXTLINE(performance-no-int-to-ptr): the loader tells addresses as numbers
          auto* const address = reinterpret_cast<void*>(begin - in_page);
          ::madvise(address, segment.p_memsz + in_page, MADV_DONTNEED);
        }
        return 0;
      },
      nullptr);
}

}  // namespace

std::span<const char* const> Library::names() {
  static constexpr std::array kNames = {
      "libclang-19.so.1",
      "libclang-20.so.1",
      "libclang-18.so.1",
      "libclang-17.so.1",
      "libclang-16.so.1",
      "libclang-15.so.1",
      "libclang-14.so.1",
      "libclang.so.1",
  };
  return kNames;
}

Result<std::unique_ptr<const Library>> Library::load(std::span<const char* const> names) {
  for (const char* name : names) {
    void* handle = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) continue;
    std::unique_ptr<Library> library(new Library());
    bool is_complete = true;
    const auto find = [&](const char* function) {
      void* address = ::dlsym(handle, function);
      is_complete = is_complete && address != nullptr;
      return address;
    };
#define KINGLET_CLANG_FIND(name, ...) \
  library->api_.name = reinterpret_cast<std::add_pointer_t<__VA_ARGS__>>(find(#name));
    KINGLET_CLANG_FUNCTIONS(KINGLET_CLANG_FIND)
#undef KINGLET_CLANG_FIND
    if (!is_complete) continue;
    library->version_ = library->take(library->api_.clang_getClangVersion());
    library->resource_folder_ =
        find_resource_folder(reinterpret_cast<void*>(library->api_.clang_createIndex));
    drop_read_only_pages();
    return library;
  }
  return fail(ErrorCode::kNotFound,
              "libclang is not installed, so C and C++ are understood by their syntax alone. "
              "apt install " +
                  std::string(kPackages) + " turns semantics on.");
}

std::string Library::take(CXString text) const {
  const char* bytes = api_.clang_getCString(text);
  std::string copy = bytes != nullptr ? bytes : "";
  api_.clang_disposeString(text);
  return copy;
}

}  // namespace kinglet::indexer::clang
