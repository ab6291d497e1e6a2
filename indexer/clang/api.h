// The part of libclang's C interface that Kinglet calls, declared here instead of taken from
// clang-c/Index.h: Debian's package with that header is 300 MB, the interface is stable by promise
// (new things only at the end), and one set of declarations serves libclang 14 to 19 and later.
// tests/indexer/clang/library_test.cpp calls every function of the list.
//
// Names and layouts are libclang's, which is why they are not ours.
#pragma once

#include <cstddef>
#include <type_traits>

namespace kinglet::indexer::clang {

using CXIndex = void*;
using CXIndexAction = void*;
using CXTranslationUnit = struct CXTranslationUnitImpl*;
using CXFile = void*;
using CXDiagnostic = void*;
using CXClientData = void*;

struct CXString {
  const void* data;
  unsigned private_flags;
};
struct CXCursor {
  int kind;
  int xdata;
  const void* data[3];
};
struct CXType {
  int kind;
  void* data[2];
};
struct CXSourceLocation {
  const void* ptr_data[2];
  unsigned int_data;
};
struct CXSourceRange {
  const void* ptr_data[2];
  unsigned begin_int_data;
  unsigned end_int_data;
};
struct CXUnsavedFile {
  const char* Filename;
  const char* Contents;
  unsigned long Length;
};
/// No callback of ours is set; all of libclang's eight are pointers.
struct IndexerCallbacks {
  void* callbacks[8];
};

using CXCursorVisitor = int (*)(CXCursor cursor, CXCursor parent, CXClientData data);
using CXInclusionVisitor = void (*)(CXFile included,
                                    CXSourceLocation* stack,
                                    unsigned depth,
                                    CXClientData data);

/// CXChildVisitResult.
inline constexpr int kVisitBreak = 0;
inline constexpr int kVisitContinue = 1;
inline constexpr int kVisitRecurse = 2;

/// CXCursorKind: the numbers that we look at. Those of statements and attributes have moved between
/// versions and are not used.
enum CursorKind : int {
  kStructDecl = 2,
  kUnionDecl = 3,
  kClassDecl = 4,
  kEnumDecl = 5,
  kFieldDecl = 6,
  kEnumConstantDecl = 7,
  kFunctionDecl = 8,
  kVarDecl = 9,
  kParmDecl = 10,
  kTypedefDecl = 20,
  kCxxMethod = 21,
  kNamespace = 22,
  kConstructor = 24,
  kDestructor = 25,
  kConversionFunction = 26,
  kTemplateTypeParameter = 27,
  kNonTypeTemplateParameter = 28,
  kTemplateTemplateParameter = 29,
  kFunctionTemplate = 30,
  kClassTemplate = 31,
  kClassTemplatePartialSpecialization = 32,
  kNamespaceAlias = 33,
  kUsingDirective = 34,
  kUsingDeclaration = 35,
  kTypeAliasDecl = 36,
  kLastDecl = 39,
  kTypeRef = 43,
  kTemplateRef = 45,
  kNamespaceRef = 46,
  kMemberRef = 47,
  kOverloadedDeclRef = 49,
  kVariableRef = 50,
  kFirstInvalid = 70,
  kLastInvalid = 73,
  kDeclRefExpr = 101,
  kMemberRefExpr = 102,
  kCallExpr = 103,
  kMacroDefinition = 501,
  kMacroExpansion = 502,
  kTypeAliasTemplateDecl = 601,
  kConceptDecl = 604,
};

/// CXTranslationUnit_Flags.
inline constexpr unsigned kDetailedPreprocessingRecord = 0x01;
inline constexpr unsigned kKeepGoing = 0x200;
/// CXIndexOptFlags.
inline constexpr unsigned kSuppressWarnings = 0x8;
inline constexpr unsigned kSkipParsedBodiesInSession = 0x10;
/// CXDiagnosticSeverity.
inline constexpr int kSeverityError = 3;

// X(name, type) for every function.
#define KINGLET_CLANG_FUNCTIONS(X)                                                                \
  X(clang_getClangVersion, CXString())                                                            \
  X(clang_getCString, const char*(CXString))                                                      \
  X(clang_disposeString, void(CXString))                                                          \
  X(clang_createIndex, CXIndex(int exclude_pch, int show_diagnostics))                            \
  X(clang_disposeIndex, void(CXIndex))                                                            \
  X(clang_IndexAction_create, CXIndexAction(CXIndex))                                             \
  X(clang_IndexAction_dispose, void(CXIndexAction))                                               \
  X(clang_indexSourceFile,                                                                        \
    int(CXIndexAction,                                                                            \
        CXClientData,                                                                             \
        IndexerCallbacks*,                                                                        \
        unsigned callbacks_size,                                                                  \
        unsigned index_options,                                                                   \
        const char* source,                                                                       \
        const char* const* arguments,                                                             \
        int n_arguments,                                                                          \
        CXUnsavedFile*,                                                                           \
        unsigned n_unsaved,                                                                       \
        CXTranslationUnit*,                                                                       \
        unsigned options))                                                                        \
  X(clang_parseTranslationUnit2,                                                                  \
    int(CXIndex,                                                                                  \
        const char* path,                                                                         \
        const char* const* arguments,                                                             \
        int n_arguments,                                                                          \
        CXUnsavedFile*,                                                                           \
        unsigned n_unsaved,                                                                       \
        unsigned options,                                                                         \
        CXTranslationUnit*))                                                                      \
  X(clang_disposeTranslationUnit, void(CXTranslationUnit))                                        \
  X(clang_getTranslationUnitCursor, CXCursor(CXTranslationUnit))                                  \
  X(clang_visitChildren, unsigned(CXCursor, CXCursorVisitor, CXClientData))                       \
  X(clang_getInclusions, void(CXTranslationUnit, CXInclusionVisitor, CXClientData))               \
  X(clang_getFile, CXFile(CXTranslationUnit, const char*))                                        \
  X(clang_getFileName, CXString(CXFile))                                                          \
  X(clang_File_tryGetRealPathName, CXString(CXFile))                                              \
  X(clang_getFileContents, const char*(CXTranslationUnit, CXFile, std::size_t*))                  \
  X(clang_getNumDiagnostics, unsigned(CXTranslationUnit))                                         \
  X(clang_getDiagnostic, CXDiagnostic(CXTranslationUnit, unsigned))                               \
  X(clang_getDiagnosticSeverity, int(CXDiagnostic))                                               \
  X(clang_disposeDiagnostic, void(CXDiagnostic))                                                  \
  X(clang_getLocationForOffset, CXSourceLocation(CXTranslationUnit, CXFile, unsigned))            \
  X(clang_getCursor, CXCursor(CXTranslationUnit, CXSourceLocation))                               \
  X(clang_getFileLocation,                                                                        \
    void(CXSourceLocation, CXFile*, unsigned* line, unsigned* column, unsigned* offset))          \
  X(clang_getRangeStart, CXSourceLocation(CXSourceRange))                                         \
  X(clang_getRangeEnd, CXSourceLocation(CXSourceRange))                                           \
  X(clang_getCursorLocation, CXSourceLocation(CXCursor))                                          \
  X(clang_getCursorExtent, CXSourceRange(CXCursor))                                               \
  X(clang_Cursor_getSpellingNameRange, CXSourceRange(CXCursor, unsigned piece, unsigned options)) \
  X(clang_getCursorReferenced, CXCursor(CXCursor))                                                \
  X(clang_getCursorDefinition, CXCursor(CXCursor))                                                \
  X(clang_getCursorSemanticParent, CXCursor(CXCursor))                                            \
  X(clang_getSpecializedCursorTemplate, CXCursor(CXCursor))                                       \
  X(clang_isCursorDefinition, unsigned(CXCursor))                                                 \
  X(clang_equalCursors, unsigned(CXCursor, CXCursor))                                             \
  X(clang_getCursorUSR, CXString(CXCursor))                                                       \
  X(clang_getCursorSpelling, CXString(CXCursor))                                                  \
  X(clang_Cursor_getRawCommentText, CXString(CXCursor))                                           \
  X(clang_getCursorType, CXType(CXCursor))                                                        \
  X(clang_getTypeSpelling, CXString(CXType))                                                      \
  X(clang_getNumOverloadedDecls, unsigned(CXCursor))                                              \
  X(clang_getOverloadedDecl, CXCursor(CXCursor, unsigned))                                        \
  X(clang_getOverriddenCursors, void(CXCursor, CXCursor**, unsigned*))                            \
  X(clang_disposeOverriddenCursors, void(CXCursor*))

/// Every function, as loaded from the library: none is null.
struct Api {
#define KINGLET_CLANG_MEMBER(name, ...) std::add_pointer_t<__VA_ARGS__> name = nullptr;
  KINGLET_CLANG_FUNCTIONS(KINGLET_CLANG_MEMBER)
#undef KINGLET_CLANG_MEMBER
};

}  // namespace kinglet::indexer::clang
