; Definitions of Swift. Captures are explained in language.h.

(simple_identifier) @reference
(type_identifier) @reference
(comment) @comment
(multiline_comment) @comment

(import_declaration (identifier) @target) @import

; XCTest: func testName() {…}; Swift Testing: @Test func name() {…}
(class_declaration
  (inheritance_specifier inherits_from: (user_type (type_identifier) @_base))
  body: (class_body (function_declaration
    name: (simple_identifier) @name
    body: (_) @body) @definition.method @test)
  (#any-of? @_base "XCTestCase")
  (#prefix? @name "test"))
(function_declaration
  (modifiers (attribute (user_type (type_identifier) @_test)))
  name: (simple_identifier) @name
  body: (_) @body
  (#any-of? @_test "Test")) @definition.function @test

(class_declaration
  declaration_kind: "extension"
  name: [
    (user_type (type_identifier) @container)
    (type_identifier) @container
  ]
  body: (class_body [
    (function_declaration name: (simple_identifier) @name body: (_) @body) @definition.method
    (init_declaration name: "init" @name body: (_) @body) @definition.method
    (property_declaration
      name: (pattern bound_identifier: (_) @name)
      computed_value: (_)? @body) @definition.field
  ]))

(class_declaration
  declaration_kind: "enum" name: (type_identifier) @name body: (_) @body) @definition.enum
(class_declaration
  declaration_kind: "struct" name: (type_identifier) @name body: (_) @body) @definition.struct
(class_declaration
  declaration_kind: "class" name: (type_identifier) @name body: (_) @body) @definition.class
(class_declaration
  declaration_kind: "actor" name: (type_identifier) @name body: (_) @body) @definition.class
(protocol_declaration name: (type_identifier) @name body: (_) @body) @definition.interface
(enum_entry name: (_) @name) @definition.enumerator
(typealias_declaration name: (type_identifier) @name) @definition.type
(associatedtype_declaration name: (type_identifier) @name) @definition.type

(function_declaration name: (simple_identifier) @name body: (_) @body) @definition.function
(function_declaration
  name: ["==" "!=" "<" ">" "<=" ">=" "+" "-" "*" "/" (custom_operator)] @name
  body: (_) @body) @definition.function
(protocol_function_declaration name: (simple_identifier) @name) @definition.method
(init_declaration name: "init" @name body: (_) @body) @definition.method
(init_declaration name: "init" @name) @definition.method
(deinit_declaration "deinit" @name body: (_) @body) @definition.method
(subscript_declaration "subscript" @name (computed_property) @body) @definition.method
(protocol_property_declaration name: (pattern bound_identifier: (_) @name)) @definition.field
(class_body (property_declaration
  name: (pattern bound_identifier: (_) @name)
  computed_value: (_) @body) @definition.field)
(class_body (property_declaration
  name: (pattern bound_identifier: (_) @name)) @definition.field)
(enum_class_body (property_declaration
  name: (pattern bound_identifier: (_) @name)
  computed_value: (_)? @body) @definition.field)
(source_file (property_declaration
  name: (pattern bound_identifier: (_) @name)) @definition.variable)
