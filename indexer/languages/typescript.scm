; Definitions of TypeScript and TSX. Captures are explained in language.h.

(identifier) @reference
(type_identifier) @reference
(property_identifier) @reference
(private_property_identifier) @reference
(shorthand_property_identifier) @reference
(shorthand_property_identifier_pattern) @reference
(comment) @comment

(import_statement source: (string) @target) @import
(import_statement (import_require_clause source: (string) @target)) @import
(export_statement source: (string) @target) @import
(call_expression function: (import) arguments: (arguments . (string) @target)) @import
(call_expression
  function: (identifier) @_require
  arguments: (arguments . (string) @target)
  (#any-of? @_require "require")) @import

(export_statement declaration: (_) @inner) @outer
(ambient_declaration (_) @inner) @outer

; Jest, Mocha, Jasmine, Vitest: it("behaves", () => { … }), it.only(…)
(call_expression
  function: [
    (identifier) @_test
    (member_expression object: (identifier) @_test)
    (member_expression property: (property_identifier) @_test)
    (call_expression function: (member_expression object: (identifier) @_test))
  ]
  arguments: (arguments
    . [(string) (template_string)] @name
    [(arrow_function body: (_) @body) (function_expression body: (_) @body)]
    ")" @body)
  (#any-of? @_test "describe" "context" "suite" "it" "test" "specify")) @definition.function @test

(function_declaration name: (_) @name body: (_) @body) @definition.function
(generator_function_declaration name: (_) @name body: (_) @body) @definition.function
(function_signature name: (_) @name) @definition.function
(class_declaration name: (_) @name body: (_) @body) @definition.class
(abstract_class_declaration name: (_) @name body: (_) @body) @definition.class
(interface_declaration name: (_) @name body: (_) @body) @definition.interface
(enum_declaration name: (_) @name body: (_) @content) @definition.enum
(enum_body name: (_) @name @definition.enumerator)
(enum_assignment name: (_) @name) @definition.enumerator
(type_alias_declaration name: (_) @name) @definition.type
(internal_module name: (_) @name body: (_) @body) @definition.namespace
(module name: (_) @name body: (_) @body) @definition.namespace

(class_body (method_definition name: (_) @name body: (_) @body) @definition.method)
(method_signature name: (_) @name) @definition.method
(abstract_method_signature name: (_) @name) @definition.method
(class_body (public_field_definition
  name: (_) @name
  value: [
    (arrow_function body: (_) @body)
    (function_expression body: (_) @body)
  ]) @definition.method)
(class_body (public_field_definition name: (_) @name) @definition.field)
(required_parameter (accessibility_modifier) pattern: (identifier) @name) @definition.field
(interface_body (property_signature name: (_) @name) @definition.field)
(type_alias_declaration
  name: (_) @container
  value: (object_type (property_signature name: (_) @name) @definition.field))

; const name = () => { … }
(lexical_declaration
  (variable_declarator
    name: (identifier) @name
    value: [
      (arrow_function body: (_) @body)
      (function_expression body: (_) @body)
      (generator_function body: (_) @body)
    ])) @definition.function
(variable_declaration
  (variable_declarator
    name: (identifier) @name
    value: [
      (arrow_function body: (_) @body)
      (function_expression body: (_) @body)
      (generator_function body: (_) @body)
    ])) @definition.function
(lexical_declaration
  (variable_declarator name: (identifier) @name value: (class body: (_) @body))) @definition.class

(program (lexical_declaration
  kind: "const" (variable_declarator name: (identifier) @name)) @definition.constant)
(export_statement (lexical_declaration
  kind: "const" (variable_declarator name: (identifier) @name)) @definition.constant)
(ambient_declaration (lexical_declaration
  kind: "const" (variable_declarator name: (identifier) @name)) @definition.constant)
(program (lexical_declaration (variable_declarator name: (identifier) @name)) @definition.variable)
(export_statement
  (lexical_declaration (variable_declarator name: (identifier) @name)) @definition.variable)
(ambient_declaration
  (lexical_declaration (variable_declarator name: (identifier) @name)) @definition.variable)
(program (variable_declaration (variable_declarator name: (identifier) @name)) @definition.variable)
(export_statement
  (variable_declaration (variable_declarator name: (identifier) @name)) @definition.variable)
(ambient_declaration
  (variable_declaration (variable_declarator name: (identifier) @name)) @definition.variable)

; Name.method = function () { … }
(expression_statement (assignment_expression
  left: (member_expression
    object: (_) @container
    property: (property_identifier) @name)
  right: [(arrow_function body: (_) @body) (function_expression body: (_) @body)])) @definition.method

; Members of an object that has a name, and of what a module exports.
(variable_declarator
  name: (identifier) @container
  value: (object [
    (method_definition name: (_) @name body: (_) @body) @definition.method
    (pair
      key: (_) @name
      value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)])
      @definition.method
  ]))
(export_statement
  value: (object [
    (method_definition name: (_) @name body: (_) @body) @definition.method
    (pair
      key: (_) @name
      value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)])
      @definition.method
  ]))
(object (method_definition name: (_) @name body: (_) @body) @definition.method)
