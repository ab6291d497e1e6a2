; Definitions of Rust. Captures are explained in language.h.

(identifier) @reference
(type_identifier) @reference
(field_identifier) @reference
(shorthand_field_identifier) @reference
(line_comment) @comment
(block_comment) @comment
; An attribute stands between a doc comment and what both are about.
(attribute_item) @comment

(use_declaration argument: [(identifier) (scoped_identifier)] @target) @import
(use_declaration argument: [
  (scoped_use_list path: (_) @target)
  (use_as_clause path: (_) @target)
  (use_wildcard (_) @target)
]) @import
; Each name of use a::{b, c::d}, as written: below a.
(use_list [
  (scoped_identifier) @target @import
  (scoped_use_list path: (_) @target) @import
  (use_as_clause path: (_) @target) @import
  (use_wildcard (_) @target) @import
])
(extern_crate_declaration name: (_) @target) @import
(mod_item name: (_) @target !body) @import

; #[test], #[tokio::test], and one more attribute after it
(_
  (attribute_item (attribute [
    (identifier) @_test
    (scoped_identifier name: (identifier) @_test)
  ]))
  . (function_item name: (_) @name body: (_) @body) @definition.function @test
  (#any-of? @_test "test" "bench" "rstest" "quickcheck" "test_case" "wasm_bindgen_test"))
(_
  (attribute_item (attribute [
    (identifier) @_test
    (scoped_identifier name: (identifier) @_test)
  ]))
  . (attribute_item)
  . (function_item name: (_) @name body: (_) @body) @definition.function @test
  (#any-of? @_test "test" "bench" "rstest" "quickcheck" "test_case" "wasm_bindgen_test"))

(impl_item
  type: [
    (type_identifier) @container
    (generic_type type: [
      (type_identifier) @container
      (scoped_type_identifier name: (_) @container)
    ])
    (scoped_type_identifier name: (_) @container)
    (reference_type type: (type_identifier) @container)
    (primitive_type) @container
  ]
  body: (declaration_list [
    (function_item name: (_) @name body: (_) @body) @definition.method
    (const_item name: (_) @name) @definition.constant
    (type_item name: (_) @name) @definition.type
  ]))

(function_item name: (_) @name body: (_) @body) @definition.function
(function_signature_item name: (_) @name) @definition.function
(struct_item name: (_) @name body: (field_declaration_list) @body) @definition.struct
(struct_item name: (_) @name body: (ordered_field_declaration_list) @content) @definition.struct
(struct_item name: (_) @name) @definition.struct
(union_item name: (_) @name body: (_) @body) @definition.union
(enum_item name: (_) @name body: (_) @content) @definition.enum
(enum_variant name: (_) @name) @definition.enumerator
(field_declaration name: (_) @name) @definition.field
(trait_item name: (_) @name body: (_) @body) @definition.interface
(type_item name: (_) @name) @definition.type
(associated_type name: (_) @name) @definition.type
(mod_item name: (_) @name body: (_) @body) @definition.module
(mod_item name: (_) @name) @definition.module
(const_item name: (_) @name) @definition.constant
(static_item name: (_) @name) @definition.variable
(macro_definition name: (_) @name (macro_rule)* @body ["}" ")" "]"] @body) @definition.macro
