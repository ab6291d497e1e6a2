# Writes OUTPUT, a C++ file that defines record_version(): a hash of the files named in LIST.
file(STRINGS ${LIST} files)
set(all "")
foreach(file ${files})
  file(SHA256 ${file} hash)
  string(APPEND all ${hash})
endforeach()
string(SHA256 hash "${all}")
string(SUBSTRING ${hash} 0 16 number)
file(WRITE ${OUTPUT} "#include \"indexer/record_version.h\"

namespace kinglet::indexer {

std::uint64_t record_version() {
  return 0x${number};
}

}  // namespace kinglet::indexer
")
