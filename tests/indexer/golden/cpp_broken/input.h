// Macros that no grammar knows.
#ifndef BROKEN_H
#define BROKEN_H
NLOHMANN_JSON_NAMESPACE_BEGIN
namespace broken {

class BROKEN_EXPORT Door : public Thing {
  Q_OBJECT
 public:
  BROKEN_NODISCARD int open(int how) const BROKEN_NOEXCEPT;
  WEIRD(a, b) void
};

#define BEGIN_BLOCK {
BEGIN_BLOCK
int hidden(int a, char** b) {
  return a + count(b);
}
}}}

struct Lost : Found {
  int still_here;
};

static const char* describe(const Door& door) { return door.name(
